"""restore rehearse --crash-matrix: dies at every boundary on the model, and at some with real processes; tells what came of it."""

from __future__ import annotations

import re
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from commands import printer
from commands.options import Output
from orchestrator.errors import RehearsalFailed, UsageWrong, VerificationMissed

if TYPE_CHECKING:
    from orchestrator.drills.matrix import Case, Failure, Matrix, Way
    from orchestrator.plan import Plan

REAL_DEATHS = 3  # one for each way
FAILURES_TOLD_MAX = 20


class Place(NamedTuple):
    """Where to die: the words of --at."""

    is_real: bool
    way: Way
    at: tuple[int, ...]


def place_of(text: str) -> Place:
    """`resumed:131`, `rolled-back:131,20`, `real:rollback-resumed:17`."""
    found = re.fullmatch(r"(real:)?(resumed|rolled-back|rollback-resumed):(\d{1,6})(?:,(\d{1,6}))?", text)
    at = tuple(int(number) for number in found.groups()[2:] if number) if found else ()
    if found is None or not all(at) or (found[1] and len(at) > 1):
        raise typer.BadParameter(f"{text!r} is no place to die at: resumed:131, rolled-back:131,20, real:rollback-resumed:17")
    return Place(bool(found[1]), found[2], at)  # type: ignore[arg-type]


CrashMatrix = Annotated[
    bool,
    typer.Option("--crash-matrix", help="Die at every boundary on a model of the installation, go on and compare; then with "
                 "real processes and servers at some of them."),
]  # fmt: skip
Pairs = Annotated[bool, typer.Option("--pairs", help="With --crash-matrix: die at every two boundaries as well (takes minutes).")]
Sample = Annotated[
    int | None,
    typer.Option("--sample", metavar="N", min=0, max=10_000, show_default=False,
                 help=f"With --crash-matrix: so many deaths of real processes, by the seed; 0: the model alone. [default: {REAL_DEATHS}]"),
]  # fmt: skip
At = Annotated[
    Place | None,
    typer.Option("--at", metavar="WAY:N[,M]", parser=place_of, show_default=False,
                 help="With --crash-matrix: this death alone, as a failure names it (resumed:131; real:resumed:131)."),
]  # fmt: skip

# What of `restore rehearse` the matrix knows besides its own words.
KNOWN = frozenset({"crash_matrix", "release", "only", "database", "queues", "reason", "seed", "verbose", "output"})
OWN = frozenset({"pairs", "sample", "at"})


def refuse_other_words(context: typer.Context, *, is_matrix: bool) -> None:
    """Words that would do nothing are refused, instead of being passed over."""
    said = {name for name in context.params if str(context.get_parameter_source(name)).endswith("COMMANDLINE")}
    wrong = sorted(said - KNOWN - OWN if is_matrix else said & OWN)
    if wrong:
        what = "says nothing together with" if is_matrix else "says nothing without"
        word = "a BUNDLE" if wrong[0] == "bundle" else f"--{wrong[0].replace('_', '-')}"
        raise UsageWrong(f"{word} {what} --crash-matrix", hint="restore --help")


class Extent(NamedTuple):
    """How much of the matrix: pairs too, so many real deaths (None: the default), or one death alone."""

    pairs: bool = False
    sample: int | None = None
    at: Place | None = None


def carry_out(case: Case, base: Path, extent: Extent, *, verbose: bool, output: Output) -> None:
    """The matrix, or one death of it, told. Raises VerificationMissed where anything is wrong or was done twice."""
    from orchestrator.drills import sweep

    at = extent.at
    real_deaths = 0 if at else REAL_DEATHS if extent.sample is None else extent.sample
    plan = case.begin().plan
    printer.tell(f"crash matrix: 3scale {case.release}, {case.database}, {len(plan.steps)} steps; seed {case.seed}")
    try:
        if at is None:
            matrix = sweep.simulated(case, pairs=extent.pairs, told=told)
        elif at.is_real:
            matrix = with_processes(case, base, 0, at)
        else:
            matrix = sweep.repeated(case, at.way, at.at)
        if real_deaths:
            matrix.take(with_processes(case, base, real_deaths, None))
    finally:
        printer.progress("")
    if output is Output.table:
        show(matrix, plan, verbose=verbose)
    else:
        printer.document(data_of(matrix, case, plan), output)
    conclude(matrix, case)


def told(what: str, done: int, total: int) -> None:
    printer.progress(f"{what}: {done} of {total}")


def with_processes(case: Case, base: Path, deaths: int, at: Place | None) -> Matrix:
    """The part with real processes, on an embedded cluster of its own; what failed is kept to be looked at."""
    from orchestrator.drills import processes
    from orchestrator.rehearsal.lifecycle import RehearsalFailed as NotStarted

    root = base / f"{case.release}-{secrets.token_hex(3)}"
    try:
        if at is not None:
            matrix = processes.repeated(case, root, at.way, at.at[0])
        else:
            matrix = processes.sampled(case, root, deaths, told)
    except (NotStarted, OSError, LookupError) as error:
        raise RehearsalFailed(str(error), hint="restore rehearse --down") from error
    if matrix.failures:
        printer.tell(f"the journal of the real deaths: {root / 'journal.db'}")
    else:
        shutil.rmtree(root, ignore_errors=True)
    return matrix


# ---- what is told ------------------------------------------------------------------------------------


def show(matrix: Matrix, plan: Plan, *, verbose: bool) -> None:
    printer.table(
        ("ENGINE", "WAY", "DIES", "BOUNDARY", "BOUNDARIES", "DEATHS", "RESUMED", "ASKED", "WRONG", "DOUBLE"),
        [
            (r.engine, r.way, "once" if r.deaths_each == 1 else "twice", r.kind, r.boundaries, r.deaths, r.resumed, r.asked, r.wrong,
             r.doubled)
            for r in matrix.in_order()
            if r.deaths or verbose
        ],
    )  # fmt: skip
    if matrix.pictures:
        printer.say(f"simulated: the deaths left {matrix.pictures} different pictures, and each was carried to its end")
    found = doubts_in(matrix, plan)
    if not found:
        return
    printer.say()
    head = ("STEP KIND IN DOUBT", "STEPS", "DEATHS", "FOUND DONE", "FOUND NOT DONE", "ASKED", "KNOWN BY")
    width = len(head) if verbose else len(head) - 1
    printer.table(
        head[:width],
        [(d["kind"], d["steps"], d["deaths"], d["done"], d["not_done"], d["asked"], d["known_by"])[:width] for d in found],
    )


def doubts_in(matrix: Matrix, plan: Plan) -> list[dict[str, Any]]:
    """For each kind of step that a death left in doubt: what told its outcome."""
    found = []
    for kind in {step.kind: step for step in plan.steps}.values():
        counts = {answer: matrix.doubts[kind.kind, answer] for answer in ("done", "not done", "asked", "given up")}  # type: ignore[index]
        if any(counts.values()):
            found.append({
                "kind": kind.kind, "steps": sum(step.kind == kind.kind for step in plan.steps), "deaths": sum(counts.values()),
                "done": counts["done"], "not_done": counts["not done"], "asked": counts["asked"] + counts["given up"],
                "known_by": kind.known_by.how,
            })  # fmt: skip
    return found


def data_of(matrix: Matrix, case: Case, plan: Plan) -> dict[str, Any]:
    return {
        "seed": case.seed, "release": case.release, "database": case.database, "steps": len(plan.steps),
        "is_sound": matrix.is_sound, "pictures": matrix.pictures,
        "rows": [
            {
                "engine": r.engine, "way": r.way, "deaths_each": r.deaths_each, "boundary": r.kind, "boundaries": r.boundaries,
                "deaths": r.deaths, "resumed": r.resumed, "asked": r.asked, "wrong": r.wrong, "double": r.doubled,
            }
            for r in matrix.in_order()
        ],
        "in_doubt": doubts_in(matrix, plan),
        "failures": [
            {"at": f.words, "boundary": f.kind, "why": f.why, "seed": case.seed, "repeat": command(case, f)}
            for f in matrix.failures
        ],
    }  # fmt: skip


def command(case: Case, failure: Failure) -> str:
    """What repeats just that death."""
    words = ["restore", "rehearse", "--crash-matrix", "--release", case.release, "--database", case.database]
    words += [word for part in case.options.only for word in ("--only", part)]
    words += ["--queues", case.options.queues] if case.options.queues else []
    return " ".join([*words, "--seed", str(case.seed), "--at", failure.words])


def conclude(matrix: Matrix, case: Case) -> None:
    """Every failure with its seed and the command that repeats it."""
    if matrix.is_sound:
        return
    for failure in matrix.failures[:FAILURES_TOLD_MAX]:
        printer.tell(f"  wrong     {failure.words} ({failure.kind}), seed {case.seed}: {failure.why}")
        printer.tell(f"            {command(case, failure)}")
    if len(matrix.failures) > FAILURES_TOLD_MAX:
        printer.tell(f"  ...       {len(matrix.failures) - FAILURES_TOLD_MAX} more; -o json has them all")
    wrong, doubled = (sum(getattr(row, name) for row in matrix.rows) for name in ("wrong", "doubled"))
    raise VerificationMissed(
        f"{wrong} deaths came to another end, {doubled} did something twice; seed {case.seed}",
        hint=command(case, matrix.failures[0]),
    )
