"""system-storage restored, and taken back, on an embedded cluster where sidekiq's pod is replaced while system-app is at 0."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from journal import Journal
from orchestrator import events as ev
from orchestrator.bundle import inspect_bundle
from orchestrator.clock import SystemClock
from orchestrator.cluster.connection import connect
from orchestrator.cluster.helpers import RUN_LABEL
from orchestrator.cluster.live import LiveCluster
from orchestrator.events import Entry
from orchestrator.observe import observe
from orchestrator.plan import Plan
from orchestrator.rehearsal import digest, seed
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.runbooks.options import Options
from orchestrator.runbooks.threescale import restore_plan
from orchestrator.runs import Opening, Session, carry_on, load, opening, to_open, to_roll_back
from orchestrator.state import RunState
from tests.rehearsal.redis_clusters import kubectl, until
from tests.rehearsal.whole_clusters import get, pods_of, whole

OPTIONS = Options(only=("system-storage",))
RUN = "threescale-20261130-test"


@pytest.fixture(scope="module", params=["2.13", "2.15"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsed]:
    with whole(tmp_path_factory.mktemp("helped") / "cluster", request.param) as found:
        yield found


def replace_sidekiq(cluster: Rehearsed) -> None:
    """Returns when the new pod waits in its init container."""
    (old,) = pods_of(cluster, "system-sidekiq")
    kubectl(cluster, "delete", "pod", old["metadata"]["name"], "--wait=false")

    def waits() -> bool:
        pods = pods_of(cluster, "system-sidekiq")
        return len(pods) == 1 and pods[0]["metadata"]["uid"] != old["metadata"]["uid"] and pods[0].get("status", {}).get("phase") == "Pending"

    until(waits)


def when(fact: type[ev.StepFact], step: str, then: Callable[[], None]) -> Callable[[Entry], None]:
    """Does something as soon as the fact is in the journal, before anything else is decided."""

    def heard(entry: Entry) -> None:
        if isinstance(entry.fact, fact) and entry.fact.step == step:
            then()

    return heard


def carried(live: LiveCluster, journal: Path, plan: Plan, how: Opening, heard: Callable[[Entry], None]) -> RunState:
    clock = SystemClock()
    try:
        return carry_on(Session(Journal.open(journal, write=True), live, clock, heard=heard), RUN, plan, how)
    finally:
        clock.close()


def helpers(cluster: Rehearsed) -> list[str]:
    return [pod["metadata"]["name"] for pod in get(cluster, "pods", labels=f"{RUN_LABEL}={RUN}")["items"]]


def test_the_storage_is_restored_and_taken_back_without_sidekiq(cluster: Rehearsed, tmp_path: Path) -> None:
    seed.fill_installation(cluster)
    bundle, journal = seed.make_bundle(tmp_path / "bundle", parts=OPTIONS.only), tmp_path / "journal.db"
    report, before = inspect_bundle(bundle, OPTIONS.named), digest.picture(cluster)
    with LiveCluster(connect(str(cluster.kubeconfig), "", cluster.namespace), bundle) as live:
        found = observe(live, report, OPTIONS.named, SystemClock().now())
        plan = restore_plan(found, report, OPTIONS)
        stopped = when(ev.StepFoundDone, "scale-down-system-app", lambda: replace_sidekiq(cluster))
        state = carried(live, journal, plan, to_open(opening(plan, found, report, {})), stopped)
        assert state.closed == "finished", state.reason
        assert helpers(cluster) == []
        stopped = when(ev.StepFoundRestored, "scale-up-system-app", lambda: replace_sidekiq(cluster))
        state = carried(live, journal, plan, to_roll_back(), stopped)
        assert state.closed == "rolled back", state.reason
    facts = [entry.fact for entry in load(Journal.open(journal, write=False), RUN).entries]
    served = [fact.name for fact in facts if isinstance(fact, ev.HelperStarted | ev.HelperRemoved | ev.DirectorySynced | ev.DirectoryPutBack)]
    assert served == ["HelperStarted", "DirectorySynced", "HelperRemoved", "HelperStarted", "DirectoryPutBack", "HelperRemoved"]
    (synced,) = [fact for fact in facts if isinstance(fact, ev.DirectorySynced)]
    assert synced.pod == f"restore-helper-{RUN}"
    assert synced.files > 0
    assert before.differences(digest.picture(cluster)) == []
    assert helpers(cluster) == []
