"""Removing what a run keeps on the cluster for a way back, when it is over and nobody wants that way any more.

Safety copies, files set aside, stashes, marks, the directories of jobs: each step says what it left. What is about
to be removed is durable before; each removal is a fact; and the end is not believed, but looked at. A cleanup
that was cut off is begun anew: to remove what is gone already is to do nothing.
"""

from __future__ import annotations

import graphlib
from collections.abc import Callable

import journal as ledger
from orchestrator import events as ev
from orchestrator.clock import Clock, label
from orchestrator.effects import Effect
from orchestrator.errors import PreflightRefused, RunHalted
from orchestrator.leasing import TTL_SECONDS, LeaseKeeper
from orchestrator.plan import Plan
from orchestrator.port import Cluster, Reader
from orchestrator.recorder import Recorder, entries_of
from orchestrator.runs import Loaded, Session, explained, program, user, writer_of
from orchestrator.state import RunState, fold
from orchestrator.steps.base import Context

Left = list[tuple[str, Effect]]  # the step that left it, and what takes it away


def leftovers(run: str, plan: Plan, state: RunState, reader: Reader, now: str) -> Left:
    """What is left on the cluster, newest first; each thing once, also where several steps share it."""
    found: dict[str, tuple[str, Effect]] = {}
    for name in graphlib.TopologicalSorter(plan.undo_needs).static_order():
        known = state.steps[name]
        ctx = Context(run=run, now=now, attempt=known.attempt, before=known.before, after=known.after)
        for effect in plan.step(name).leftovers(reader, ctx):
            found.setdefault(effect.model_dump_json(), (name, effect))
    return list(found.values())


def refuse_before_its_end(loaded: Loaded) -> None:
    if loaded.state.closed not in ("finished", "rolled back"):
        raise PreflightRefused(
            f"{loaded.run} has not ended: what it keeps on the cluster may still be needed", hint=f"restore status {loaded.run}"
        )


def clean_up(session: Session, loaded: Loaded) -> RunState:
    """Take the lease, remove, look again. Raises what keeps it from its end; it can be begun again."""
    journal, run, now = session.journal, loaded.run, session.clock.now
    with explained(run):
        lease = journal.take_lease(run, ledger.this_holder(), ttl_seconds=TTL_SECONDS, now=now())
        with LeaseKeeper(journal, lease, session.guard, now) as keeper:
            state = fold(entries_of(list(journal.read(run))))
            keeper.is_standing = bool(state.in_place)
            session.fence.arm("", 0, keeper.check)  # leaving its epoch in a pod would be one more thing to remove
            recorder = Recorder(state, writer_of(journal, lease, now), now, actor=user(), heard=session.heard)
            try:
                recorder.record(ev.LeaseTaken(holder=lease.holder))
                sweep(run, loaded.plan, recorder, session.cluster, session.clock, keeper.check)
            finally:
                recorder.close()
            session.fence.disarm()
            return recorder.state


def sweep(
    run: str, plan: Plan, recorder: Recorder, cluster: Cluster, clock: Clock, fence: Callable[[], None] = lambda: None
) -> None:
    """Remove what is left, each with a fact, and close when a second look finds nothing. Raises RunHalted when it does."""

    def look() -> Left:
        return leftovers(run, plan, recorder.state, cluster, label(clock.now()))

    found = look()
    effects = tuple(effect.model_dump(mode="json") for _, effect in found)
    recorder.record(ev.CleanupOpened(by=user(), effects=effects, program=program()))
    for step, effect in found:
        fence()
        for fact in cluster.perform(effect, step=step, attempt=0):
            recorder.record(fact)
    if left := look():
        raise RunHalted(f"this is still there after it was removed: {left[0][1].say()}", hint=f"restore cleanup {run}")
    recorder.record(ev.CleanupFinished())
