"""The whole matrix on the model, on all cores: every boundary, every pair, each different picture carried once."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TypeVar

from orchestrator.drills.matrix import WAYS, Case, Death, Matrix, Outcome, Way, carried_from, deaths, wanted

T = TypeVar("T")
Told = Callable[[str, int, int], None]  # what is under way, how much of it is done, and how much there is
AT_ONCE = 12  # lives that a worker is given together


def nobody(what: str, done: int, total: int) -> None: ...


def simulated(case: Case, *, pairs: bool = False, told: Told = nobody) -> Matrix:
    """Dies at every boundary of all three ways, and with `pairs` at every boundary of the life after that too."""
    matrix = Matrix()
    singles = {way: deaths(case, way) for way in WAYS}
    for way in WAYS:
        wanted(case, way)  # known before the workers are made, they have it from here
    with workers() as pool:
        for way in WAYS:
            enter(matrix, case, way, singles[way], pool, told)
            if pairs:
                enter(matrix, case, way, doubles(case, way, singles[way], pool, told), pool, told)
    return matrix


def repeated(case: Case, way: Way, at: tuple[int, ...]) -> Matrix:
    """One death, or one pair of them, again."""
    *before, last = at
    first = before[0] if before else 0
    (outcome,) = carried_from(case, way, [last], first)
    matrix = Matrix()
    (death,) = [death for death in deaths(case, way, first) if death.at == at]
    matrix.enter(way, [death], {death.picture: outcome})
    return matrix


def enter(matrix: Matrix, case: Case, way: Way, found: list[Death], pool: ProcessPoolExecutor, told: Told) -> None:
    """Carry what these deaths left, each different picture once."""
    by_first: dict[int, dict[int, str]] = defaultdict(dict)
    for picture, death in {death.picture: death for death in reversed(found)}.items():
        *before, last = death.at
        by_first[before[0] if before else 0][last] = picture
    work = {
        pool.submit(carried_from, case, way, numbers, first): [pictures[number] for number in numbers]
        for first, pictures in by_first.items()
        for numbers in portions(sorted(pictures))
    }
    outcomes: dict[str, Outcome] = {}
    for future in awaited(work, f"{way}: deaths" if not found or len(found[0].at) == 1 else f"{way}: pairs", told):
        outcomes |= zip(work[future], future.result(), strict=True)
    matrix.pictures += len(outcomes)
    matrix.enter(way, found, outcomes)


def doubles(case: Case, way: Way, singles: list[Death], pool: ProcessPoolExecutor, told: Told) -> list[Death]:
    """Every pair of deaths. First deaths that leave the same have the same second ones."""
    firsts: dict[str, list[int]] = defaultdict(list)
    for death in singles:
        firsts[death.picture].append(death.at[0])
    work = {pool.submit(deaths, case, way, numbers[0]): numbers for numbers in firsts.values()}
    found = {number: future.result() for future in awaited(work, f"{way}: second lives", told) for number in work[future]}
    return [death._replace(at=(number, death.at[1])) for number in sorted(found) for death in found[number]]


def portions(numbers: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(numbers), AT_ONCE):
        yield numbers[start : start + AT_ONCE]


def awaited(work: Iterable[Future[T]], what: str, told: Told) -> Iterator[Future[T]]:
    total = len(list(work))
    for done, future in enumerate(as_completed(work), 1):
        told(what, done, total)
        yield future


@contextmanager
def workers() -> Iterator[ProcessPoolExecutor]:
    """One on each core. Ctrl-C is for the process that waits for them: what is not begun is not begun then."""
    pool = ProcessPoolExecutor(
        len(os.sched_getaffinity(0)), multiprocessing.get_context("fork"), initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )  # fmt: skip
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
