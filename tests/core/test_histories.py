"""Whole restores on the model: as they should go, and with a death at every boundary.

A boundary lies before and after each append, and before and after each effect. Several seeds, because
a seed is an order in which the lanes come between each other.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from orchestrator.drills.histories import TURNED, History, begin, go_on, opened, resumed, turned
from orchestrator.drills.model import ModelCluster
from tests.conftest import Tally

FLAVOURS = ("2.13", "2.15", "plain")
SEEDS = (1, 2)


def carried_out(flavour: str, seed: int = 0) -> History:
    history = begin(flavour)
    history.live(opened(history.plan), seed=seed)
    return history


def digest(history: History) -> dict[str, Any]:
    assert isinstance(history.cluster, ModelCluster)
    return history.cluster.digest()


BEGINNINGS = {flavour: digest(begin(flavour)) for flavour in FLAVOURS}
ENDS = {flavour: digest(carried_out(flavour)) for flavour in FLAVOURS}


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_an_uninterrupted_restore_finishes_and_the_new_keys_are_there(flavour: str) -> None:
    cluster = ModelCluster(flavour)
    history = carried_out(flavour)
    assert history.state().closed == "finished", history.state().reason
    assert isinstance(history.cluster, ModelCluster)
    for name, server in history.cluster.servers.items():
        assert server.data == cluster.new[name]
        assert server.aof == cluster.new[name]
    assert history.cluster.text == cluster.text


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_rollback_of_a_finished_restore_brings_everything_back(flavour: str) -> None:
    history = carried_out(flavour)
    history.live(TURNED)
    assert history.state().closed == "rolled back", history.state().reason
    assert digest(history) == BEGINNINGS[flavour]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_copies_at_boundaries_are_what_deaths_there_leave(flavour: str) -> None:
    copies = begin(flavour).deaths(resumed, seed=1)
    left: list[History] = []
    for n in count(1):
        dead = begin(flavour)
        state, _ = dead.live(opened(dead.plan), die_at=n, seed=1)
        if state is not None:
            break
        if not left or dead.has_moved_on_from(left[-1]):
            left.append(dead)
    assert [(h.records, h.cluster) for h in copies] == [(h.records, h.cluster) for h in left]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_one_death_at_every_boundary(flavour: str, tally: Tally) -> None:
    deaths = [dead for seed in SEEDS for dead in begin(flavour).deaths(resumed, seed)]
    assert len(deaths) > 50 * len(SEEDS), "too few boundaries to be a whole restore"
    for n, history in enumerate(deaths):
        assert go_on(history, resumed, seed=n).closed == "finished", n
        assert digest(history) == ENDS[flavour], n
    tally(f"{flavour}: died at each of {len(deaths)} moments, resumed, same end")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_rollback_from_every_prefix(flavour: str, tally: Tally) -> None:
    deaths = [dead for seed in SEEDS for dead in begin(flavour).deaths(resumed, seed) if dead.records]
    for n, history in enumerate(deaths):
        assert go_on(history, turned, seed=n).closed == "rolled back", n
        assert digest(history) == BEGINNINGS[flavour], n
    tally(f"{flavour}: rolled back from each of {len(deaths)} prefixes, same as the beginning")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_rollback_that_dies_at_every_boundary(flavour: str, tally: Tally) -> None:
    deaths = [dead for seed in SEEDS for dead in carried_out(flavour, seed).deaths(turned, seed)]
    assert len(deaths) > 50 * len(SEEDS), "too few boundaries to be a whole rollback"
    for n, history in enumerate(deaths):
        assert go_on(history, turned, seed=n).closed == "rolled back", n
        assert digest(history) == BEGINNINGS[flavour], n
    tally(f"{flavour}: a rollback died at each of {len(deaths)} moments, resumed, same as the beginning")


def test_a_second_resume_of_a_finished_run_appends_nothing() -> None:
    history = carried_out("2.13")
    length = len(history.records)
    state, _ = history.live([])
    assert state is not None
    assert state.closed == "finished"
    assert len(history.records) == length
