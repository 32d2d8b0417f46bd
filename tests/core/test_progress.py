"""Facts and samples -> bytes, rate and what each lane is at: counted by what is there, not by who sent it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator import events as ev
from orchestrator.drills.histories import begin_whole, go_on, opened, resumed
from orchestrator.events import Entry, Fact
from orchestrator.progress import Amount, Meter, clock_of
from orchestrator.sizes import in_words
from orchestrator.state import fold

START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
STEP = "copy-system-database-dump"


def chunk(offset: int, size: int, path: str = "/data/dump.gz") -> Fact:
    return ev.FileChunkCopied(
        step=STEP, attempt=1, pod="p", path=path, offset_bytes=offset, size_bytes=size, sha256="0" * 64
    )


def heard(*facts: tuple[float, Fact]) -> Meter:
    meter = Meter(begin_whole("2.15").plan)
    for number, (seconds, fact) in enumerate(facts, 1):
        meter.hear(Entry(number, START + timedelta(seconds=seconds), 1, fact))
    return meter


@pytest.mark.parametrize(
    ("facts", "done"),
    [
        pytest.param([(0, chunk(0, 10)), (1, chunk(10, 10))], 20, id="one-after-the-other"),
        pytest.param([(0, chunk(10, 10)), (1, chunk(0, 10))], 20, id="in-any-order"),
        pytest.param([(0, chunk(0, 10)), (9, chunk(0, 10))], 10, id="sent-again-after-a-cut-is-there-once"),
        pytest.param([(0, chunk(0, 10)), (1, chunk(10, 20)), (9, chunk(0, 25))], 30, id="found-there-in-other-pieces"),
        pytest.param([(0, chunk(0, 10, "/a")), (1, chunk(0, 5, "/b"))], 15, id="several-files"),
    ],
)
def test_bytes_are_counted_once(facts: list[tuple[float, Fact]], done: int) -> None:
    amount = heard(*facts).amount(STEP)
    assert amount is not None
    assert amount.done_bytes == done


def test_a_step_that_moves_nothing_has_no_amount() -> None:
    assert heard().amount(STEP) is None


def test_rate_and_eta_are_those_of_the_last_while() -> None:
    meter = heard(*((seconds, chunk(seconds * 100, 100)) for seconds in range(0, 61, 10)))
    assert meter.amount(STEP) == Amount(700, meter.amount(STEP).total_bytes, 10.0)  # type: ignore[union-attr]
    assert Amount(100, 300, 10.0).eta_seconds == 20.0
    assert Amount(100, 0, 10.0).eta_seconds is None
    assert Amount(300, 300, 10.0).eta_seconds is None


def test_samples_stand_for_what_runs_in_a_pod() -> None:
    meter = heard()
    meter.sample("load-zync", 50, START)
    meter.sample("load-zync", 80, START + timedelta(seconds=3))
    amount = meter.amount("load-zync")
    assert amount is not None
    assert (amount.done_bytes, amount.rate) == (80, 10.0)


def test_the_lanes_of_a_finished_run_are_done() -> None:
    history = begin_whole("2.15")
    history.live(opened(history.plan))
    go_on(history, resumed)
    meter = Meter(history.plan)
    lanes = list(meter.lanes(history.state(), START))
    assert {lane.name for lane in lanes} == {step.lane for step in history.plan.steps}
    assert {lane.word for lane in lanes} == {"done"}
    assert sum(lane.ended for lane in lanes) == len(history.plan.steps)


def test_the_lanes_of_a_run_that_has_just_begun_wait() -> None:
    history = begin_whole("2.15")
    entries = [Entry(1, START, 1, opened(history.plan)[0])]
    lanes = list(Meter(history.plan).lanes(fold(entries), START))
    assert {lane.ended for lane in lanes} == {0}
    assert {lane.word for lane in lanes} == {"waiting"}


@pytest.mark.parametrize(
    ("size", "said"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (1 << 30, "1.0 GiB"), (1 << 41, "2.0 TiB")]
)
def test_sizes_are_said_in_words(size: int, said: str) -> None:
    assert in_words(size) == said


@pytest.mark.parametrize(("seconds", "said"), [(0, "0:00"), (61.9, "1:01"), (3723, "1:02:03")])
def test_times_are_said_as_a_clock_does(seconds: float, said: str) -> None:
    assert clock_of(seconds) == said
