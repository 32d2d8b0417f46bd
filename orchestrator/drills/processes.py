"""Death after death on the embedded cluster: `python -m orchestrator.drills.processes MODE RELEASE SCOPE FIRST STRIDE DIRECTORY`.

SCOPE is `redis`, the two Redis of an installation that has nothing else, or `whole`, all of 3scale.

MODE is what dies and what is compared:
    resume     the restore dies at boundary n, is resumed, and must end as an uninterrupted one does
    prefix     the restore dies at boundary n, is rolled back, and everything must be as in the beginning
    rollback   a rollback of a finished restore dies at boundary n, is resumed: as in the beginning

Every life is a process of its own, forked from this one, which has imported everything and starts no
thread. n goes FIRST, FIRST+STRIDE, … until a life survives; the last line printed is a JSON object.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from journal import Journal
from orchestrator.bundle import inspect_bundle
from orchestrator.clock import SystemClock
from orchestrator.cluster.connection import connect
from orchestrator.cluster.leases import InstallationLease
from orchestrator.cluster.live import LiveCluster
from orchestrator.drills.mortal import Fate, MortalCluster, MortalJournal
from orchestrator.findings import BundleReport
from orchestrator.installation import Installation
from orchestrator.observe import observe
from orchestrator.plan import Plan
from orchestrator.rehearsal import digest, lifecycle, seed
from orchestrator.rehearsal.apiclient import ApiClient
from orchestrator.rehearsal.installation import REDIS_WORKLOADS, Scope
from orchestrator.runbooks.options import Options
from orchestrator.runbooks.threescale import restore_plan
from orchestrator.runs import Opening, Session, carry_on, opening, to_open, to_resume, to_roll_back
from orchestrator.state import RunState

for slow in ("aiohttp", "apscheduler.schedulers.background", "kubernetes.client", "kubernetes.config"):
    importlib.import_module(slow)  # once here, and not in every life: the program itself imports them when it needs them

ENDED, STOPPED, BROKEN = 0, 3, 1
MARKS = "restore_marks"  # MySQL's database for the marks of loads: it stays as long as a restore stands
STASH = ".replaced-by-"


class Drill:
    """One embedded cluster that dies and comes back many times."""

    def __init__(self, release: str, scope: Scope, directory: Path) -> None:
        self.directory = directory
        self.cluster = lifecycle.start(directory / "cluster", release, scope=scope, operator_delay_seconds=0.05)
        self.options = Options(only=REDIS_WORKLOADS if scope == "redis" else ())
        self.bundle = seed.make_bundle(directory / "bundle", parts=tuple(self.options.named))
        self.journal = directory / "journal.db"
        self.fork(self.write_plan)
        found = json.loads((directory / "plan.json").read_text())
        self.plan = Plan.model_validate(found["plan"])
        self.installation = Installation.model_validate(found["installation"])
        self.report = BundleReport.model_validate(found["report"])

    def write_plan(self) -> int:
        report = inspect_bundle(self.bundle, self.options.named)
        with self.live() as live:
            found = observe(live, report, self.options.named, SystemClock().now())
        texts = {
            "plan": restore_plan(found, report, self.options), "installation": found, "report": report,
        }
        data = {name: model.model_dump(mode="json") for name, model in texts.items()}
        (self.directory / "plan.json").write_text(json.dumps(data))
        return ENDED

    def live(self) -> LiveCluster:
        return LiveCluster(connect(str(self.cluster.kubeconfig), "", self.cluster.namespace), self.bundle)

    # ---- lives -----------------------------------------------------------------------------------

    def life(self, run: str, how: Opening, die_at: int = 0) -> int:
        """One process; returns its exit status, negative for the signal that ended it."""

        def live() -> int:
            fate, clock = Fate(die_at), SystemClock()
            with self.live() as cluster:
                guard = InstallationLease(cluster.rest, clock.now, lambda text: None)
                journal: Any = MortalJournal(Journal.open(self.journal, write=True), fate)
                mortal: Any = MortalCluster(cluster, fate)
                state = carry_on(Session(journal, mortal, clock, guard=guard), run, self.plan, how)
            if state.reason:
                sys.stderr.write(f"{run}: {state.reason}\n")
            return ENDED if state.closed in ("finished", "rolled back") else STOPPED

        return self.fork(live)

    def fork(self, work: Callable[[], int]) -> int:
        child = os.fork()
        if child == 0:
            status = BROKEN
            try:
                status = work()
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def begun_or_resumed(self) -> Opening:
        facts = opening(self.plan, self.installation, self.report, {"namespace_uid": "drill"})

        def how(state: RunState) -> list[Any]:
            return to_resume(state) if state.phase != "unopened" else facts

        return how

    # ---- the world -------------------------------------------------------------------------------

    def reset(self) -> None:
        """Old data again, and nothing left of the run before."""
        for workload in REDIS_WORKLOADS:
            data = self.cluster.root / "volumes" / self.cluster.namespace / f"{workload}-storage"
            for path in data.glob("*-before-*"):
                remove(path)
        seed.fill_installation(self.cluster)

    def picture(self) -> Any:
        """The world as one value; run ids in names, and the marks of loads, left out."""
        content: Any = json.loads(json.dumps(digest.picture(self.cluster).content))
        for databases in content.get("sql", {}).values():
            databases.pop(MARKS, None)
        content["storage"] = {name: entry for name, entry in content["storage"].items() if STASH not in name}
        content["files"] = {
            name: sorted(path.split("-before-")[0] for path in paths) for name, paths in content["files"].items()
        }
        return content

    def rollouts(self) -> dict[str, int]:
        """How many rollouts each Redis has had, by the cluster's own count."""
        return {name: revision(self.cluster, name) for name in REDIS_WORKLOADS}


def settled(picture: Any) -> Any:
    """Two restores held against each other: when they have restarted a template is not compared.

    Nor what zync notes of each resync: one that was torn off and asked for again is noted twice.
    """
    databases = {name: dict(found) for name, found in picture.get("sql", {}).get("zync-database", {}).items()}
    for name, content in databases.items():
        databases[name] = {table: data for table, data in content.items() if " entries" not in table}
    sql = {**picture.get("sql", {}), **({"zync-database": databases} if databases else {})}
    return {name: part for name, part in {**picture, "sql": sql}.items() if name != digest.RESTARTS}


def remove(path: Path) -> None:
    if path.is_dir():
        for inner in path.iterdir():
            inner.unlink()
        path.rmdir()
    else:
        path.unlink()


def revision(cluster: lifecycle.Rehearsed, name: str) -> int:
    api = ApiClient(cluster.kubeconfig)
    if cluster.release == "2.13":
        path = f"/apis/apps.openshift.io/v1/namespaces/{cluster.namespace}/deploymentconfigs/{name}"
        return int(api.get(path)["status"]["latestVersion"])
    path = f"/apis/apps/v1/namespaces/{cluster.namespace}/deployments/{name}"
    return int(api.get(path)["metadata"]["annotations"]["deployment.kubernetes.io/revision"])


ONCE = ("FileSetAside", "FileCopied", "ConfigMapEdited", "FilePutBack", "ManagerFieldSet", "WorkloadScaled", "DumpLoaded")


def twice(drill: Drill, run: str) -> list[str]:
    """Effects that the journal shows twice although twice is not the same as once."""
    told, direction = [], "forward"
    with Journal.open(drill.journal, write=False) as journal:
        for record in journal.read(run):
            direction = "back" if record.type == "RollbackOpened" else direction
            if record.type in ONCE:
                told.append(f"{direction}: {record.step} {record.type}")
    return sorted(line for line in set(told) if told.count(line) > 1)


# ---- the three modes -----------------------------------------------------------------------------


def drill_once(drill: Drill, mode: str, n: int, end: Any) -> tuple[bool, list[str]]:
    """(whether it died, what is wrong)."""
    drill.reset()
    before, rolled, run = drill.picture(), drill.rollouts(), f"drill-{mode}-{n}"
    anew = drill.begun_or_resumed()
    if mode == "rollback":
        wrong = [] if drill.life(run, anew) == ENDED else ["the restore did not finish"]
        died = drill.life(run, to_roll_back(), n) == -signal.SIGKILL
    else:
        wrong = []
        died = drill.life(run, anew, n) == -signal.SIGKILL
    if not died:
        return False, wrong
    if mode == "resume":
        status, wanted = drill.life(run, anew), end
    elif n == 1 and mode == "prefix":
        return True, wrong  # nothing was recorded and nothing done: there is no run to take back
    else:
        status, wanted = drill.life(run, to_roll_back()), before
    if status != ENDED:
        wrong.append(f"the next life ended with {status}")
    found = drill.picture()
    if mode == "resume":
        found, wanted = settled(found), settled(wanted)
    wrong += sorted(digest.differing(found, wanted, ""))[:5] if found != wanted else []
    wrong += twice(drill, run)
    if mode == "resume":
        wrong += [f"{w}: {c - rolled[w]} rollouts" for w, c in drill.rollouts().items() if c - rolled[w] != 3]
    return True, wrong


def main(mode: str, release: str, scope: Scope, first: int, stride: int, directory: Path) -> int:
    drill = Drill(release, scope, directory)
    failures: dict[int, list[str]] = {}
    deaths, n = 0, first
    try:
        drill.reset()
        drill.life("drill-whole", to_open(drill.begun_or_resumed()(RunState())))
        end = drill.picture()
        while True:
            died, wrong = drill_once(drill, mode, n, end)
            if wrong:
                failures[n] = wrong
                sys.stderr.write(f"boundary {n}: {wrong}\n")
            if not died:
                break
            deaths += 1
            n += stride
    finally:
        lifecycle.stop(drill.cluster.root)
    sys.stdout.write(json.dumps({"deaths": deaths, "survived_at": n, "failures": failures}) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    mode, release, scope, first, stride, directory = sys.argv[1:]
    sys.exit(main(mode, release, cast(Scope, scope), int(first), int(stride), Path(directory)))
