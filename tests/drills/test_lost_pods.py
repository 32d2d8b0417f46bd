"""Pods that are replaced in the midst of a real restore: sidekiq's, without which nothing reaches system-storage, and
zync-database's, with which its data and its safety copy go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator import events as ev
from orchestrator.cluster.helpers import RUN_LABEL
from orchestrator.findings import BundleReport
from orchestrator.installation import Installation
from orchestrator.rehearsal import digest
from orchestrator.rehearsal.lifecycle import Rehearsed
from tests.drills.carrying import RUN, begun, replace_pod, when
from tests.rehearsal.whole_clusters import get, replicas, whole, zync_sql


@pytest.fixture(scope="module", params=["2.13", "2.15"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsed]:
    with whole(tmp_path_factory.mktemp("lost") / "cluster", request.param) as found:
        yield found


def helpers(cluster: Rehearsed) -> list[str]:
    return [pod["metadata"]["name"] for pod in get(cluster, "pods", labels=f"{RUN_LABEL}={RUN}")["items"]]


def test_the_storage_is_restored_and_taken_back_without_sidekiq(cluster: Rehearsed, tmp_path: Path) -> None:
    """Its new pod waits in its init container for system-app, which is at 0."""
    run = begun(cluster, tmp_path, "system-storage")
    before = digest.picture(cluster)
    with closing(run.live.execs):
        state = run.restore(when(ev.StepFoundDone, "scale-down-system-app", lambda: replace_pod(cluster, "system-sidekiq", phase="Pending")))
        assert state.closed == "finished", state.reason
        assert helpers(cluster) == []
        state = run.roll_back(when(ev.StepFoundRestored, "scale-up-system-app", lambda: replace_pod(cluster, "system-sidekiq", phase="Pending")))
        assert state.closed == "rolled back", state.reason
    told = ev.HelperStarted | ev.HelperRemoved | ev.DirectorySynced | ev.DirectoryPutBack
    served = [fact.name for fact in run.facts() if isinstance(fact, told)]
    assert served == ["HelperStarted", "DirectorySynced", "HelperRemoved", "HelperStarted", "DirectoryPutBack", "HelperRemoved"]
    (synced,) = [fact for fact in run.facts() if isinstance(fact, ev.DirectorySynced)]
    assert synced.pod == f"restore-helper-{RUN}"
    assert synced.files > 0
    assert before.differences(digest.picture(cluster)) == []
    assert helpers(cluster) == []


def test_zync_is_loaded_again_and_the_rollback_asks_at_once(cluster: Rehearsed, tmp_path: Path) -> None:
    run = begun(cluster, tmp_path, "zync")
    with closing(run.live.execs):
        state = run.restore(when(ev.StepFoundDone, "load-zync", lambda: replace_pod(cluster, "zync-database", phase="Running")))
        assert state.closed == "finished", state.reason
        names = [fact.name for fact in run.facts() if isinstance(fact, ev.StepFoundGone | ev.SafetyCopyLost | ev.DumpLoaded)]
        assert names == ["DumpLoaded", "StepFoundGone", "SafetyCopyLost", "DumpLoaded"]
        (loaded,) = zync_sql(cluster, "SELECT count(*) FROM tenants")
        assert int(loaded[0]) > 0
        state = run.roll_back()
        assert (state.closed, state.needs) == ("paused", "decision")
        assert state.reason == "step load-zync: the safety copy of zync_production is not there any more"
        assert replicas(cluster, "zync") == (1, 1), "nothing was stopped to ask"
        assert not [fact for fact in run.facts() if isinstance(fact, ev.StepUndoStarted)]
        run.decide("load-zync", "skip")
        assert run.roll_back().closed == "rolled back"
    assert zync_sql(cluster, "SELECT count(*) FROM tenants") == [loaded], "left as it is, by a decision"
    assert replicas(cluster, "zync") == (1, 1)


def with_little_room(found: Installation, report: BundleReport) -> Installation:
    """As if the volume held a dump and its rows, or a dump and a copy of what is there, and not all three."""
    (zync,), dump = found.databases, report.file_of("zync")
    assert dump is not None
    assert dump.sql is not None
    assert zync.size_bytes >= dump.sql.uncompressed_bytes
    small = zync.model_copy(update={"free_bytes": zync.size_bytes + dump.size_bytes, "home": ""})
    return found.model_copy(update={"databases": (small,)})


def test_a_copy_that_was_copied_out_outlives_the_pod(cluster: Rehearsed, tmp_path: Path) -> None:
    run = begun(cluster, tmp_path, "zync", with_little_room, f"{RUN}-copied")  # the pods know the other one's epochs
    before = digest.picture(cluster)
    name = f"zync_production-before-{run.run}.sql.gz"
    with closing(run.live.execs):
        state = run.restore()
        assert state.closed == "finished", state.reason
        assert [path.name for path in (tmp_path / "copies").iterdir()] == [name]
        assert before.differences(digest.picture(cluster)) != []
        replace_pod(cluster, "zync-database", phase="Running")
        state = run.roll_back()
        assert state.closed == "rolled back", state.reason
    assert before.differences(digest.picture(cluster)) == []
    assert list((tmp_path / "copies").iterdir()) == []
    facts = [fact.name for fact in run.facts() if isinstance(fact, ev.FileCopiedOut | ev.CopyRemoved)]
    assert facts == ["FileCopiedOut", "CopyRemoved"]
