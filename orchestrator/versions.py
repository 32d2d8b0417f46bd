"""Which programs have acted on a run, as its facts tell, and whether this one may go on with it. Pure.

An older program must not: it would understand what a newer one has done by its own, older rules. A newer one may,
and says before it acts what it sees otherwise; see orchestrator/forensics/redecide.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pydantic import ValidationError

from orchestrator import events as ev
from orchestrator.errors import JournalNewer, PlanChanged
from orchestrator.plan import Plan


def number_of(program: str) -> tuple[int, ...]:
    """The number of a release, to be compared: (0, 1, 0) for 0.1.0. Empty for what is none."""
    found = re.match(r"restore (\d+(?:\.\d+)*)", program)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def programs_of(facts: Iterable[ev.Fact]) -> list[str]:
    """The programs that have acted on a run, in the order in which they did; each as often as it did."""
    acted = (ev.RunOpened, ev.RunResumed, ev.RollbackOpened, ev.CleanupOpened)
    return [fact.program for fact in facts if isinstance(fact, acted) and fact.program]


def refuse_newer(run: str, facts: Iterable[ev.Fact], program: str) -> None:
    """Raises JournalNewer where a newer program has acted on this run, or left a fact that this one doesn't know."""
    facts = list(facts)
    unknown = sum(isinstance(fact, ev.UnknownFact) for fact in facts)
    newest = max(programs_of(facts), key=number_of, default="")
    is_newer = number_of(newest) > number_of(program)
    if unknown or is_newer:
        what = f"has been carried by {newest}, and this is {program}" if is_newer else (
            f"holds {unknown} facts of a newer version of this program"
        )  # fmt: skip
        raise JournalNewer(f"{run} {what}: it can be read, not gone on with", hint=f"restore log {run}")


def plan_of(run: str, opened: ev.RunOpened) -> Plan:
    """The plan that a run was opened with. Raises PlanChanged where this program can't read it."""
    try:
        return Plan.model_validate(opened.plan)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise PlanChanged(
            f"this program cannot read the plan of {run}, which was made by {opened.program}: {wrong['msg']}",
            hint=f"restore log {run}",
        ) from error
