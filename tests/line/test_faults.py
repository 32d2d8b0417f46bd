"""When a line does what: the schedule by its seed, and the words of its options."""

from __future__ import annotations

from itertools import islice

import pytest
import typer

from commands.faults import rate_of, seconds_of, size_of, stall_of
from orchestrator.rehearsal.line.faults import MIB, Faults, Schedule


def schedule(seed: int) -> tuple[object, ...]:
    made = Schedule(seed)
    resets = [made.reset_after_bytes(number, 0.5) for number in range(1, 20)]
    return list(islice(made.endings("cuts"), 20)), resets


def test_a_seed_says_when_and_how_and_another_seed_says_something_else() -> None:
    assert schedule(4) == schedule(4)
    assert schedule(4) != schedule(5)


def test_what_one_connection_draws_moves_no_fault_of_another() -> None:
    drawn, fresh = Schedule(4), Schedule(4)
    next(drawn.endings("cuts"))
    drawn.reset_after_bytes(1, 0.5)
    assert drawn.reset_after_bytes(2, 0.5) == fresh.reset_after_bytes(2, 0.5)


def test_resets_come_as_often_as_was_asked_for() -> None:
    """Of 2000 distances the mean is within a tenth of the expected; the seed is fixed, and so the sample."""
    distances = [Schedule(1).reset_after_bytes(number, 0.25) for number in range(2000)]
    assert sum(distances) / len(distances) == pytest.approx(4 * MIB, rel=0.1)


def test_without_a_rate_a_connection_is_never_reset() -> None:
    assert Schedule(1).reset_after_bytes(1, 0.0) == float("inf")


@pytest.mark.parametrize(
    ("faults", "text"),
    [
        pytest.param(Faults(), "no faults", id="none"),
        pytest.param(Faults(cut_every_bytes=8 * MIB), "cut every 8 MiB", id="cut"),
        pytest.param(
            Faults(stall_every_bytes=MIB, stall_seconds=1.5, latency_seconds=0.04, bytes_per_second=300_000),
            "stalled for 1.5 s every 1 MiB, 40 ms late, 300000 bytes/s", id="several",
        ),
    ],
)  # fmt: skip
def test_faults_in_words(faults: Faults, text: str) -> None:
    assert str(faults) == text


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        pytest.param(size_of, "8MiB", 8 * MIB, id="MiB"),
        pytest.param(size_of, "500 KiB", 500 * 1024, id="with-a-blank"),
        pytest.param(size_of, "70000", 70000, id="bytes"),
        pytest.param(rate_of, "2MiB/s", 2 * MIB, id="a-rate"),
        pytest.param(seconds_of, "40ms", 0.04, id="milliseconds"),
        pytest.param(seconds_of, "2m", 120.0, id="minutes"),
        pytest.param(stall_of, "8MiB:30s", (8 * MIB, 30.0), id="a-stall"),
    ],
)
def test_a_word_of_an_option(parse: type, text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        pytest.param(size_of, "0", id="nothing"),
        pytest.param(size_of, "8MB", id="another-unit"),
        pytest.param(size_of, "-1MiB", id="negative"),
        pytest.param(seconds_of, "40", id="no-unit"),
        pytest.param(stall_of, "8MiB", id="no-time"),
        pytest.param(stall_of, "30s", id="no-size"),
    ],
)
def test_a_word_that_is_none(parse: type, text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"is no (size|length of time)"):
        parse(text)
