"""Two deaths: that is where the bugs are that one death does not find.

Every pair of moments for the plan of one Redis, on all three ways, by the matrix of deaths. For the plan of
both Redis, also without an operator, the pairs are sampled, by a seed that the run prints; with RESTORE_EXHAUSTIVE=1 in the
environment every pair is carried out (about ten minutes).
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import Any

import pytest

from orchestrator.drills.histories import History, Opening, begin, go_on, resumed, turned
from orchestrator.drills.matrix import WAYS, Case
from orchestrator.drills.sweep import simulated
from orchestrator.runbooks.options import Options
from tests.conftest import Tally
from tests.core.test_histories import BEGINNINGS, ENDS, digest

IS_EXHAUSTIVE = os.environ.get("RESTORE_EXHAUSTIVE") == "1"
SAMPLES = 250


def pairs(first: Sequence[History], opening: Opening) -> list[tuple[History, int]]:
    """What each death in a second life leaves, for each death in the first, with a seed for the third."""
    return [(second, n) for n, dead in enumerate(first) for second in dead.copy().deaths(opening, seed=n)]


def finish(pair: tuple[History, int], closed: str, end: object) -> None:
    """Carry what two deaths left to its end, which has to be this one."""
    history, seed = pair
    again = resumed if closed == "finished" else turned
    assert go_on(history, again, seed).closed == closed, history.state().reason
    assert digest(history) == end


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("flavour", ["2.13", "2.15"])
def test_every_pair_of_deaths_with_one_redis(flavour: str, tally: Tally) -> None:
    matrix = simulated(Case(flavour, options=Options(only=("backend-redis",)), seed=13), pairs=True)
    assert [failure.why for failure in matrix.failures] == []
    for way in WAYS:
        twice = [row for row in matrix.rows if row.way == way and row.deaths_each == 2]
        assert sum(row.deaths for row in twice) == sum(row.resumed for row in twice) > 4000
        tally(f"{flavour}, one Redis, {way}: each of {sum(row.deaths for row in twice)} pairs of deaths, the right end")


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("closed", ["finished", "rolled back"])
@pytest.mark.parametrize("flavour", ["2.13", "2.15", "plain"])
def test_pairs_of_deaths_with_both_redis(flavour: str, closed: str, tally: Tally) -> None:
    seed = random.randrange(1_000_000)
    end, again = (ENDS[flavour], resumed) if closed == "finished" else (BEGINNINGS[flavour], turned)
    firsts = [dead for dead in begin(flavour).deaths(resumed, seed) if dead.records]
    carried = 0
    for first in firsts if IS_EXHAUSTIVE else some(firsts, 12, seed):
        found = pairs([first], again)
        for pair in found if IS_EXHAUSTIVE else some(found, SAMPLES // 12, seed):
            finish(pair, closed, end)
            carried += 1
    tally(f"{flavour}, both Redis: {carried} pairs of deaths, {closed} (seed {seed})")


def some(population: Sequence[Any], size: int, seed: int) -> list[Any]:
    return random.Random(seed).sample(population, min(size, len(population)))
