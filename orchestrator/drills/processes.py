"""Real processes that are killed with SIGKILL at boundaries of a real restore, on the embedded cluster.

Ways, deaths and outcomes are those of the matrix on the model; here every life is a process of its own, forked from
this one, which has imported everything and starts no thread. Which boundary is the n-th depends on the order in
which threads come: a number names about the same moment each time, not exactly the same.

`python -m orchestrator.drills.processes WAY RELEASE SCOPE FIRST STRIDE DIRECTORY` dies at FIRST, FIRST+STRIDE, …
until a life survives; the last line that it prints is a JSON object. SCOPE is `redis`, the two Redis of an
installation that has nothing else, or `whole`, all of 3scale.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from journal import Journal
from orchestrator.bundle import inspect_bundle
from orchestrator.clock import SystemClock
from orchestrator.cluster.connection import connect
from orchestrator.cluster.leases import InstallationLease
from orchestrator.cluster.live import LiveCluster
from orchestrator.cluster.rest import Rest
from orchestrator.drills.deeds import doubled, journalled
from orchestrator.drills.matrix import WAYS, Case, Failure, Matrix, Outcome, Way, words_of
from orchestrator.drills.mortal import KINDS, Fate, Kind, MortalCluster, MortalJournal
from orchestrator.errors import VerificationMissed
from orchestrator.findings import BundleReport
from orchestrator.installation import Installation
from orchestrator.observe import observe
from orchestrator.plan import Plan
from orchestrator.rehearsal import digest, lifecycle, seed
from orchestrator.rehearsal.apiclient import ApiClient
from orchestrator.rehearsal.installation import REDIS_WORKLOADS, Scope
from orchestrator.runbooks.options import Options
from orchestrator.runbooks.threescale import restore_plan
from orchestrator.runs import Opening, Session, carry_on, load, opening, to_open, to_resume, to_roll_back
from orchestrator.state import RunState

for slow in ("aiohttp", "apscheduler.schedulers.background", "kubernetes.client", "kubernetes.config"):
    importlib.import_module(slow)  # once here, and not in every life: the program itself imports them when it needs them

ENDED, BROKEN, STOPPED, ASKED = 0, 1, 3, 4
MARKS = "restore_marks"  # MySQL's database for the marks of loads: it stays as long as a restore stands
STASH = ".replaced-by-"


class Drill:
    """One embedded cluster that dies and comes back many times. Its directory is the cluster's own."""

    def __init__(self, case: Case, directory: Path) -> None:
        self.directory, self.options = directory, case.options
        scope: Scope = "redis" if self.options.named <= set(REDIS_WORKLOADS) else "whole"
        self.cluster = lifecycle.start(
            directory, case.release, scope=scope, database=case.database, operator_delay_seconds=0.05
        )
        parts = tuple(self.options.named)
        self.bundle = seed.make_bundle(directory / "bundle", database=case.database, parts=parts)
        self.journal = directory / "journal.db"
        self.passed: list[Kind] = []  # the boundaries of the newest life
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

        notes = tempfile.TemporaryFile()  # noqa: SIM115 - closed below

        def live() -> int:
            fate, clock = Fate(die_at, notes.fileno()), SystemClock()
            with self.live() as cluster:
                guard = InstallationLease(Rest(cluster.connection), clock.now, lambda text: None)
                journal: Any = MortalJournal(Journal.open(self.journal, write=True), fate)
                mortal: Any = MortalCluster(cluster, fate)
                state = carry_on(Session(journal, mortal, clock, guard=guard, fence=cluster.fence), run, self.plan, how)
            if state.reason:
                sys.stderr.write(f"{run}: {state.reason}\n")
            if state.closed in ("finished", "rolled back"):
                return ENDED
            return ASKED if state.needs == "decision" else STOPPED

        with notes:
            status = self.fork(live)
            notes.seek(0)
            self.passed = [KINDS[int(digit)] for digit in notes.read().decode()]
        return status

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
        try:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        except BaseException:  # Ctrl-C: no life goes on without the one that watches it
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise

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
        content: Any = json.loads(json.dumps(digest.picture(self.cluster).owned(self.plan.parts).content))
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
    if cluster.release != "2.15":
        path = f"/apis/apps.openshift.io/v1/namespaces/{cluster.namespace}/deploymentconfigs/{name}"
        return int(api.get(path)["status"]["latestVersion"])
    path = f"/apis/apps/v1/namespaces/{cluster.namespace}/deployments/{name}"
    return int(api.get(path)["metadata"]["annotations"]["deployment.kubernetes.io/revision"])


def deeds_of(drill: Drill, run: str) -> tuple[str, ...]:
    """What the journal shows twice although twice is not once."""
    with Journal.open(drill.journal, write=False) as journal:
        return doubled(journalled(load(journal, run).entries))


# ---- deaths ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Whole:
    """What lives without a death came to, and the boundaries that they passed."""

    end: Any
    rollouts: dict[str, int]
    boundaries: dict[Way, list[Kind]]


def uninterrupted(drill: Drill) -> Whole:
    """A restore and its rollback. Raises VerificationMissed where even they do not come to their right ends."""
    drill.reset()
    before, rolled, run = drill.picture(), drill.rollouts(), "drill-whole"
    is_finished = drill.life(run, to_open(drill.begun_or_resumed()(RunState()))) == ENDED
    out, end = drill.passed, drill.picture()
    rollouts = {name: count - rolled[name] for name, count in drill.rollouts().items()}
    is_back = is_finished and drill.life(run, to_roll_back()) == ENDED and drill.picture() == before
    if not is_back:
        what = "is not taken back exactly" if is_finished else "does not finish"
        raise VerificationMissed(f"a restore with real processes that nothing interrupts {what}")
    return Whole(end, rollouts, {"resumed": out, "rolled-back": out, "rollback-resumed": drill.passed})


def died(drill: Drill, way: Way, n: int, whole: Whole) -> tuple[Kind, Outcome] | None:
    """Dies at boundary n, and is carried to its end; None where that life came to its end before."""
    drill.reset()
    before, rolled, run = drill.picture(), drill.rollouts(), f"drill-{way}-{n}"
    anew = drill.begun_or_resumed()
    if way == "rollback-resumed" and drill.life(run, anew) != ENDED:
        return "recorded", Outcome("wrong", "the restore did not finish")
    if drill.life(run, to_roll_back() if way == "rollback-resumed" else anew, n) != -signal.SIGKILL:
        return None
    kind = drill.passed[-1]
    status = drill.life(run, anew if way == "resumed" else to_roll_back())
    if status == ASKED:
        return kind, Outcome("asked", "a decision is needed")
    wrong = [] if status == ENDED else [f"the next life ended with {status}"]
    found, wanted = drill.picture(), whole.end if way == "resumed" else before
    if way == "resumed":
        found, wanted = settled(found), settled(wanted)
        counts = {name: count - rolled[name] for name, count in drill.rollouts().items()}
        wrong += [f"{name}: {count} rollouts" for name, count in counts.items() if count != whole.rollouts[name]]
    wrong += sorted(digest.differing(found, wanted, ""))[:5] if found != wanted else []
    return kind, Outcome("wrong" if wrong else "same end", "; ".join(wrong), deeds_of(drill, run))


FIRST: dict[Way, int] = {"resumed": 1, "rolled-back": 2, "rollback-resumed": 1}  # before it there is no run to roll back


def sampled(case: Case, directory: Path, deaths: int, told: Callable[[str, int, int], None]) -> Matrix:
    """So many deaths, the ways in turn, at boundaries by the case's seed."""
    matrix, chance = Matrix(), random.Random(case.seed)
    drill = Drill(case, directory)
    try:
        told("real: without a death", 0, deaths)
        whole = uninterrupted(drill)
        for way in WAYS:
            for kind in whole.boundaries[way][FIRST[way] - 1 :]:
                matrix.row("real", way, 1, kind).boundaries += 1
        for number in range(deaths):
            told("real: deaths", number, deaths)
            way = WAYS[number % len(WAYS)]
            enter(matrix, drill, way, chance.randint(FIRST[way], len(whole.boundaries[way])), whole)
    finally:
        lifecycle.stop(drill.cluster.root)
    return matrix


def repeated(case: Case, directory: Path, way: Way, n: int) -> Matrix:
    """One death again, at the n-th boundary."""
    matrix, drill = Matrix(), Drill(case, directory)
    try:
        enter(matrix, drill, way, n, uninterrupted(drill))
    finally:
        lifecycle.stop(drill.cluster.root)
    return matrix


def enter(matrix: Matrix, drill: Drill, way: Way, n: int, whole: Whole) -> None:
    """One death; where the life came to its end just before its n-th boundary, none."""
    if (found := died(drill, way, n, whole)) is None:
        return
    kind, outcome = found
    matrix.row("real", way, 1, kind).add(outcome)
    if outcome.is_failure:
        matrix.failures.append(Failure("real", way, (n,), kind, words_of(outcome)))


def main(way: Way, release: str, scope: Scope, first: int, stride: int, directory: Path) -> int:
    drill = Drill(Case(release, options=Options(only=REDIS_WORKLOADS if scope == "redis" else ())), directory)
    matrix, n = Matrix(), max(first, FIRST[way])
    try:
        whole = uninterrupted(drill)
        while n <= len(whole.boundaries[way]):
            enter(matrix, drill, way, n, whole)
            n += stride
    finally:
        lifecycle.stop(drill.cluster.root)
    failures = {failure.words: failure.why for failure in matrix.failures}
    found = {
        "deaths": sum(row.deaths for row in matrix.rows), "boundaries": len(whole.boundaries[way]), "failures": failures,
        "rollouts": whole.rollouts,
    }  # fmt: skip
    sys.stdout.write(json.dumps(found) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    way, release, scope, first, stride, directory = sys.argv[1:]
    sys.exit(main(cast(Way, way), release, cast(Scope, scope), int(first), int(stride), Path(directory)))
