"""restore replay: a run as it stood at any of its facts, or decided again by this program. Without a cluster."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands import printer, wiring
from commands.options import JournalPath, Output, OutputAs, Run
from orchestrator.errors import UsageWrong, VerificationMissed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from journal import Journal
    from orchestrator.forensics.redecide import Redecided
    from orchestrator.forensics.told import Told
    from orchestrator.runs import Loaded


def replay(
    run: Run,
    at: Annotated[int | None, typer.Option("--at", metavar="SEQ", help="Show the run as it stood at this fact.",
                                           show_default=False, min=1)] = None,
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="Show the run as it stood at this time.",
                                       show_default=False)] = "",
    journal: JournalPath = None,
    output: OutputAs = Output.table,
) -> None:
    """Show a run as it stood at any fact; or decide every move of it again, from what was recorded.

    Without --at and --until today's program decides anew, and each place where it would decide otherwise is
    named: the fact, the step, what was done then, what would be done now. Touches no cluster.

    Exit status: 0 nothing is decided otherwise, 6 something is, 10 unknown run, 12 journal damaged, 21 the
    plan of the run cannot be read by this program.
    """
    from orchestrator.forensics.reading import history

    if at is not None and until:
        raise UsageWrong("--at and --until are one too many", hint=f"restore log {run}")
    facts = history(wiring.open_journal(journal, write=False), run).facts
    if at is not None or until:
        show_state(run, up_to(run, facts, at, until), output)
        return
    show_redecided(run, facts, output)


def up_to(run: str, facts: Sequence[Told], at: int | None, until: str) -> Sequence[Told]:
    """The facts that had happened. Raises UsageWrong for a place before the first or after the last."""
    from commands.looking import moment_of
    from orchestrator.clock import SystemClock

    if at is not None:
        if at > len(facts):
            raise UsageWrong(f"{run} has {len(facts)} facts", hint=f"restore log {run}")
        return facts[:at]
    moment = moment_of(until, SystemClock().now())
    seen = [told for told in facts if told.at <= moment]
    if not seen:
        raise UsageWrong(f"{run} was opened later, at {facts[0].at:%Y-%m-%dT%H:%M:%SZ}", hint=f"restore log {run}")
    return seen


def show_state(run: str, facts: Sequence[Told], output: Output) -> None:
    from commands.status import seconds_of, stamp
    from orchestrator.forensics.reading import story

    state = story(run, facts).state
    last = facts[-1]
    document: dict[str, Any] = {
        "run": run, "at": last.seq, "recorded_at": stamp(last.at), "head": last.digest, "fact": last.fact.sentence(),
        "phase": state.phase, "closed": state.closed, "reason": state.reason, "needs": state.needs,
        "epoch": state.epoch, "holder": state.holder,
        "steps": [
            {"step": name, "status": s.status, "in_doubt": s.is_in_doubt, "attempts": s.attempt,
             "undo_attempts": s.undo_attempt, "seconds": seconds_of(s), "reason": s.reason, "before": s.before,
             "after": s.after}
            for name, s in state.steps.items()
        ],
    }
    if output is not Output.table:
        printer.document(document, output)
        return
    step = f"{last.step}: " if last.step else ""
    printer.say(f"run {run} at fact {last.seq}, {last.at:%Y-%m-%d %H:%M:%S}Z: {state.closed or state.phase}")
    printer.say(f"fact {last.seq}: {step}{last.fact.sentence()}")
    printer.say(f"journal head then {last.digest}")
    rows = [(s["step"], s["status"], s["attempts"], s["reason"]) for s in document["steps"]]
    printer.table(("STEP", "STATUS", "ATTEMPTS", "REASON"), rows)


def show_redecided(run: str, facts: Sequence[Told], output: Output) -> None:
    from orchestrator.forensics.reading import story
    from orchestrator.forensics.redecide import redecide

    found = redecide(run, story(run, facts).facts)  # a story has an opening, and no fact that contradicts another
    if output is not Output.table:
        printer.document({"run": run, "facts": len(facts), **asdict(found)}, output)
    else:
        say(run, facts, found)
    if found.differences:
        first = found.differences[0]
        raise VerificationMissed(
            f"this program would decide otherwise in {len(found.differences)} places, first at fact {first.seq}",
            hint=f"restore diff {run}@{first.seq} {run}",
        )


def say(run: str, facts: Sequence[Told], found: Redecided) -> None:
    for line in lines_of(found):
        printer.say(line)
    printer.say(f"run {run}: {counted(found)} in {len(facts)} facts decided again, {len(found.differences)} otherwise")
    if found.unrecorded:
        printer.say(f"({found.unrecorded} looks found a step busy and left no picture to decide from)")


def lines_of(found: Redecided) -> Iterator[str]:
    for one in found.differences:
        yield f"fact {one.seq}  {one.step or 'run'}  {one.about}"
        yield f"    then  {one.then}"
        yield f"    now   {one.now}"


def counted(found: Redecided) -> str:
    return f"{found.moves} moves and {found.standings} findings"


def tell_what_is_seen_otherwise(journal: Journal, loaded: Loaded) -> None:
    """Before a run is gone on with that another version has carried: what this one would have decided otherwise."""
    from orchestrator.forensics.reading import history
    from orchestrator.forensics.redecide import redecide
    from orchestrator.runs import program
    from orchestrator.versions import programs_of

    last = (programs_of(entry.fact for entry in loaded.entries) or [program()])[-1]
    if last == program():
        return
    found = redecide(loaded.run, history(journal, loaded.run).facts)
    printer.tell(
        f"run {loaded.run} was carried by {last}, this is {program()}: {counted(found)} decided again, "
        f"{len(found.differences)} otherwise"
    )
    for line in lines_of(found):
        printer.tell(f"  {line}")
