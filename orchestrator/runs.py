"""Opening a run, going on with it, and taking it back: the journal, the lease, the engine put together.

Resuming is not special: the state comes from the journal, a RunResumed makes it forget what was seen,
and the same engine carries on.
"""

from __future__ import annotations

import getpass
import importlib.metadata
import math
import platform
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import journal as ledger
from journal import GroupWriter, Journal, Lease
from orchestrator import events as ev
from orchestrator.bundle import inspect_bundle
from orchestrator.clock import Clock
from orchestrator.engine import Engine
from orchestrator.errors import (
    BundleInvalid,
    IllegalFact,
    Interrupted,
    JournalBroken,
    JournalNewer,
    PlanChanged,
    PreflightRefused,
    RestoreError,
    RunHalted,
    RunHeldElsewhere,
    RunUnknown,
)
from orchestrator.events import Entry, Fact, Json
from orchestrator.fencing import Fence
from orchestrator.findings import BundleReport
from orchestrator.installation import Installation
from orchestrator.interruption import Interruption
from orchestrator.lanes import ThreadLanes
from orchestrator.leasing import TTL_SECONDS, LeaseKeeper
from orchestrator.plan import Plan
from orchestrator.port import Cluster, Guard
from orchestrator.progress import DONE_BYTES
from orchestrator.recorder import Admit, Published, Recorder, Writer, entries_of
from orchestrator.state import RunState, fold
from orchestrator.turning import questions
from orchestrator.versions import plan_of, refuse_newer

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # those that cannot be mistaken when typed from a screen

Heard = Callable[[Entry], None]


def program() -> str:
    return f"restore {importlib.metadata.version('restore')}"


def user() -> str:
    """Who, as far as this machine knows: user@host."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return f"unknown@{socket.gethostname()}"


# ---- reading -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loaded:
    """A run as its journal tells it."""

    run: str
    entries: tuple[Entry, ...]
    state: RunState

    @property
    def plan(self) -> Plan:
        return plan_of(self.run, self.opened)

    @property
    def opened(self) -> ev.RunOpened:
        assert self.state.opened is not None
        return self.state.opened


def load(journal: Journal, run: str) -> Loaded:
    """Read and fold a run. Raises RunUnknown, JournalBroken."""
    with explained(run):
        try:
            entries = tuple(entries_of(list(journal.read(run))))
        except ValueError as error:  # pydantic's, or a time that is none
            raise JournalBroken(
                f"a fact of {run} cannot be read: {str(error).splitlines()[0]}", hint=f"restore verify {run}"
            ) from error
    if not entries:
        with explained(run):
            journal.refuse_pruned(run)
        raise RunUnknown(f"there is no run {run} in {journal.path}", hint="restore runs")
    try:
        return Loaded(run, entries, fold(entries))
    except IllegalFact as error:
        raise JournalBroken(f"the facts of {run} contradict each other: {error}", hint=f"restore verify {run}") from error


def refuse_unsound(journal: Journal, run: str) -> Loaded:
    """A run that may be gone on with: chain unbroken, no newer program has acted on it. Raises JournalBroken, JournalNewer."""
    with explained(run):
        verdict = journal.verify(run)
    if verdict.status != "ok":
        raise JournalBroken(
            f"the journal of {run} is {verdict.status}: {verdict.reason}", hint=f"restore verify {run}"
        )
    loaded = load(journal, run)
    refuse_newer(run, (entry.fact for entry in loaded.entries), program())
    return loaded


# ---- opening -----------------------------------------------------------------------------------


def new_run_id(runbook: str, now: datetime) -> str:
    return f"{runbook}-{now:%Y%m%d}-" + "".join(secrets.choice(LETTERS) for _ in range(4))


def opening(plan: Plan, installation: Installation, bundle: BundleReport, context: Json) -> list[Fact]:
    """The first facts of a run. The plan is in them whole; the bundle by path and digest."""
    found = {
        "path": bundle.path, "digest": bundle.digest, "files": [f.name for f in bundle.files],
        "parts": sorted({f.part for f in bundle.files}),
    }
    environment = {"python": platform.python_version(), "system": platform.platform()}
    opened = ev.RunOpened(
        plan=plan.model_dump(mode="json"), plan_digest=plan.digest, context=context | environment,
        bundle=found, program=program(), by=user(),
    )
    seen = installation.model_dump(mode="json", exclude={"config_text"})
    return [opened, ev.InstallationObserved(installation=seen)]


# ---- acting ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Session:
    """What carrying a run needs. `cluster` is the port: embedded or not makes no difference."""

    journal: Journal
    cluster: Cluster
    clock: Clock
    heard: Heard = lambda entry: None
    sampled: Callable[[str, int], None] = lambda step, done_bytes: None
    guard: Guard | None = None
    interruption: Interruption = field(default_factory=Interruption)
    fence: Fence = field(default_factory=Fence)  # the cluster's own, where it asks before each of its requests
    give_up: Callable[[], None] = lambda: None  # ends what hangs on a line to the cluster


Opening = Callable[[RunState], list[Fact]]


def to_open(facts: list[Fact]) -> Opening:
    """A new run begins with these facts."""
    return lambda state: facts


def to_resume(state: RunState) -> list[Fact]:
    """A run that is over has nothing to resume, and its journal stays as it is."""
    return [] if state.closed in ("finished", "rolled back") else [ev.RunResumed(program=program(), by=user())]


def with_patience(opening: Opening, seconds: float) -> Opening:
    """The same beginning, and for how long a step that fails is to be tried again."""
    if not seconds:
        return opening

    def begun(state: RunState) -> list[Fact]:
        facts = opening(state)
        return [*facts, ev.PatienceGranted(seconds=math.ceil(seconds))] if facts else facts

    return begun


def to_roll_back(down_to: str = "") -> Opening:
    """The turning point; or a resumption, where the run has turned already."""

    def opening(state: RunState) -> list[Fact]:
        if state.phase == "backward" and not (state.closed == "rolled back" and state.in_place):
            return to_resume(state)
        if state.cleanup:
            raise PlanChanged("what this run kept to be taken back was removed by a cleanup", hint="restore runs")
        return [ev.RollbackOpened(by=user(), down_to=down_to, program=program())]

    return opening


def carry_on(session: Session, run: str, plan: Plan, opening: Opening) -> RunState:
    """Take the lease, record how this begins, and let the engine go as far as it can."""
    journal, now = session.journal, session.clock.now
    with explained(run):
        lease = journal.take_lease(run, ledger.this_holder(), ttl_seconds=TTL_SECONDS, now=now())
        with LeaseKeeper(journal, lease, session.guard, now) as keeper:
            state = fold(entries_of(list(journal.read(run))))  # under the lease: nobody else adds to it
            facts = opening(state)
            if not facts:
                return state
            if state.phase != "unopened":
                facts += questions(run, plan, state, facts, session.cluster, now())
            recorder = Recorder(
                state, writer_of(journal, lease, now), now, actor=user(), heard=session.heard,
                sampled=lambda step, done_bytes: sample(session, run, step, done_bytes),
            )
            lanes = ThreadLanes()
            engine = Engine(run, plan, recorder, session.cluster, session.clock, lanes)
            keeper.on_loss = engine.stop.set
            session.interruption.heed(engine.stop.set, session.give_up, lanes.leave)
            engine.fence = keeper.check
            session.fence.arm(run, lease.epoch, keeper.check)
            try:
                state = drive(engine, recorder, lease, facts, keeper, session.interruption)
            finally:
                recorder.close()
            session.fence.disarm()
            return state


def sample(session: Session, run: str, step: str, done_bytes: int) -> None:
    """Progress, for whoever watches: beside the chain, and never needed to go on."""
    session.journal.sample(run, step, DONE_BYTES, done_bytes, session.clock.now())
    session.sampled(step, done_bytes)


def drive(
    engine: Engine, recorder: Recorder, lease: Lease, facts: list[Fact], keeper: LeaseKeeper,
    interruption: Interruption,
) -> RunState:
    taken = ev.LeaseTaken(holder=lease.holder)
    opened, rest = (facts[:1], facts[1:]) if recorder.state.phase == "unopened" else ([], facts)
    recorder.record(*opened, taken, *rest)
    keeper.opened()
    state = engine.carry_on()
    if keeper.lost is not None:
        raise keeper.lost
    keeper.is_hurried = interruption.is_asked
    if interruption.is_asked and not state.closed:
        recorder.record(ev.RunPaused(reason="interrupted from the keyboard or by a signal", needs="resume"))
        raise Interrupted(
            "interrupted; what was under way is in the journal", hint=f"restore resume {engine.run}"
        )
    keeper.is_open = state.closed not in ("finished", "rolled back")
    keeper.is_standing = bool(state.in_place)
    return state


def writer_of(
    journal: Journal, lease: Lease, now: Callable[[], datetime]
) -> Callable[[Admit, Published], Writer]:
    def make(admit: Admit, published: Published) -> Writer:
        return GroupWriter(journal, lease, now=now, admit=admit, published=published)

    return make


def record_decision(journal: Journal, clock: Clock, run: str, fact: ev.DecisionRecorded) -> None:
    """What a person decided, as a fact with a name and a reason. Raises PlanChanged for a step not asked about."""
    try:
        record_alone(journal, clock, run, fact)
    except IllegalFact as error:
        raise PlanChanged(f"step {fact.step} waits for no decision", hint=f"restore status {run}") from error


def record_alone(journal: Journal, clock: Clock, run: str, fact: Fact, *, steal: bool = False) -> RunState:
    """One fact that no engine has a part in, under a lease of its own. steal: whoever holds the run loses it by that."""
    with explained(run):
        lease = journal.take_lease(run, ledger.this_holder(), ttl_seconds=TTL_SECONDS, steal=steal, now=clock.now())
        try:
            state = fold(entries_of(list(journal.read(run))))
            recorder = Recorder(state, writer_of(journal, lease, clock.now), clock.now, actor=user())
            try:
                recorder.record(fact)
            finally:
                recorder.close()
            return recorder.state
        finally:
            journal.release_lease(lease)


def refuse_over_a_newer_run(journal: Journal, loaded: Loaded) -> None:
    """Restores are taken back newest first: an older one must not go on below a newer one."""
    for run in journal.runs():  # newest first
        if run == loaded.run:
            return
        newer = load(journal, run).state
        if newer.opened is None or not newer.in_place:
            continue
        if newer.opened.context.get("namespace_uid") == loaded.opened.context.get("namespace_uid"):
            raise PlanChanged(
                f"run {run} has changed this installation since {loaded.run}; take it back first",
                hint=f"restore rollback {run}",
            )


# After one of these nothing is done but by turning back, so a run that ends with one need not be read to know it.
ENDINGS = frozenset({ev.RunFinished.name, ev.RollbackFinished.name, ev.CleanupFinished.name})


def refuse_over_an_open_run(journal: Journal, namespace_uid: str) -> None:
    """A new restore would take a half-restored state for the original: end the one before first."""
    for run in (one.run for one in reversed(journal.outlines()) if one.last_type not in ENDINGS):
        state = load(journal, run).state
        known = state.opened is not None and state.opened.context.get("namespace_uid") == namespace_uid
        if not known or state.closed in ("finished", "rolled back"):
            continue
        if carrier := journal.carrier_of(run):
            raise RunHeldElsewhere(
                f"this installation is held by run {run}, which {ledger.holder_in_words(carrier)} carries",
                hint=f"restore status {run}",
            )
        if state.before_of():
            raise PreflightRefused(
                f"run {run} has begun to change this installation and has not ended: go on with it, or take it back",
                hint=f"restore resume {run}",
            )


# ---- what must still be so when a run is gone on with -----------------------------------------------


READING_KINDS = frozenset({"copy_into_pod", "load_dump", "sync_directory", "check_directory", "apply_object"})


def same_bundle(loaded: Loaded, bundle: Path | None = None) -> None:
    """Refuse another bundle than the run's, as long as something of it is still to be copied."""
    reading = {step.id for step in loaded.plan.steps if step.kind in READING_KINDS}
    if all(loaded.state.steps[name].status in ("finished", "skipped") for name in reading):
        return
    path = bundle or Path(loaded.opened.bundle["path"])
    report = inspect_bundle(path, frozenset(loaded.opened.bundle["parts"]))
    if report.errors:
        raise BundleInvalid(
            f"{report.errors[0].subject}: {report.errors[0].message}", hint=f"restore check {path}"
        )
    if report.digest != loaded.opened.bundle["digest"]:
        raise PlanChanged(
            f"the bundle {path} is no longer the one that {loaded.run} was opened with",
            hint=f"restore status {loaded.run}",
        )


def same_cluster(loaded: Loaded, namespace_uid: str) -> None:
    """Refuse another cluster, or a namespace that was made anew."""
    if loaded.opened.context.get("namespace_uid") != namespace_uid:
        raise PlanChanged(
            f"this is not the cluster and namespace that {loaded.run} was opened on "
            f"({loaded.opened.context.get('namespace')} at {loaded.opened.context.get('server')})",
            hint=f"restore status {loaded.run}",
        )


@contextmanager
def explained(run: str = "") -> Iterator[None]:
    """The journal's errors as ours, each with the next command to type; `run` is empty for the file itself."""
    verify, log, resume = (
        f"restore {verb} {run}" if run else "restore runs --journal FILE" for verb in ("verify", "log", "resume")
    )
    try:
        yield
    except ledger.RunHeld as error:
        raise RunHeldElsewhere(str(error), hint=f"restore unlock {run}") from error
    except ledger.LeaseLost as error:
        raise RunHeldElsewhere(f"{error}; nothing more was done", hint=f"restore log {run}") from error
    except (ledger.RunMissing, ledger.JournalMissing) as error:
        raise RunUnknown(str(error), hint="restore runs") from error
    except ledger.JournalTooNew as error:
        raise JournalNewer(str(error), hint=log) from error
    except ledger.JournalDamaged as error:
        raise JournalBroken(str(error), hint=verify) from error
    except ledger.JournalUnwritable as error:
        raise RunHalted(f"{error}; nothing was begun that is not in it", hint=resume) from error


__all__ = ["Loaded", "RestoreError", "Session", "carry_on", "load", "opening", "refuse_unsound"]
