"""Facts -> what a person is told in a pipe: a run that only waits says so again, and says what it waits for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from commands.printer import SILENT_SECONDS, Progress
from orchestrator import events as ev
from orchestrator.drills.histories import begin
from orchestrator.events import Entry, Fact

AT = datetime(2026, 11, 30, tzinfo=UTC)
STEP = "restart-backend-redis-to-load"
BUSY = ev.StepFoundBusy(step=STEP, reason="its pod is not ready")


def heard(*facts: Fact) -> tuple[Progress, list[str]]:
    """Each fact a second after the one before."""
    told: list[str] = []
    progress = Progress(begin("2.15").plan, verbose=False, tell=told.append)
    for seconds, fact in enumerate(facts):
        progress(Entry(seconds + 1, AT + timedelta(seconds=seconds), 1, fact))
    return progress, told


def reminded(progress: Progress, *seconds: float) -> None:
    for second in seconds:
        progress.remind(AT.timestamp() + second)


def test_a_wait_is_told_after_a_while_and_again_after_another() -> None:
    progress, told = heard(BUSY)
    reminded(progress, 5, SILENT_SECONDS - 1, SILENT_SECONDS, SILENT_SECONDS + 1, 2 * SILENT_SECONDS)
    assert told == [f"  ...       {STEP}: looked: waiting, its pod is not ready, for {seconds} s" for seconds in (60, 120)]


def test_a_wait_keeps_its_beginning_when_its_reason_changes() -> None:
    progress, told = heard(BUSY, BUSY.model_copy(update={"reason": "its pod is still stopping"}))
    reminded(progress, SILENT_SECONDS + 1)
    assert told == [f"  ...       {STEP}: looked: waiting, its pod is still stopping, for 61 s"]


@pytest.mark.parametrize(
    "end",
    [
        ev.StepFoundDone(step=STEP, seen={}), ev.StepFoundClear(step=STEP, seen={}),
        ev.RunPaused(reason="interrupted", needs="resume"),
    ],
    ids=lambda fact: fact.name,
)  # fmt: skip
def test_nothing_is_told_of_a_wait_that_is_over(end: Fact) -> None:
    progress, told = heard(BUSY, end)
    told.clear()
    reminded(progress, 600)
    assert told == []
