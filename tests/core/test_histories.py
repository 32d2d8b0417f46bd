"""Whole restores on the model: as they should go, and with deaths at every boundary, then at every pair."""

from __future__ import annotations

from itertools import count

import pytest

from tests.conftest import Tally
from tests.core.histories import TURNED, begin, go_on, opened, resumed, turned

FLAVOURS = ("2.13", "2.15", "plain")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_an_uninterrupted_restore_finishes_and_the_new_keys_are_there(flavour: str) -> None:
    history = begin(flavour)
    state, _ = history.live(opened(history.plan))
    assert state is not None
    assert state.closed == "finished", state.reason
    for name, server in history.cluster.servers.items():
        assert server.data == history.cluster.new[name]
        assert server.aof == history.cluster.new[name]
    assert history.cluster.text == history.cluster.installation().config_text


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_rollback_of_a_finished_restore_brings_everything_back(flavour: str) -> None:
    history = begin(flavour)
    before = history.cluster.digest()
    history.live(opened(history.plan))
    state, _ = history.live(TURNED)
    assert state is not None
    assert state.closed == "rolled back", state.reason
    assert history.cluster.digest() == before


def lives_with_one_death(flavour: str, die_at: int) -> bool:
    """Whether a run that dies at this boundary and is resumed ends like one that does not."""
    history = begin(flavour)
    state, _ = history.live(opened(history.plan), die_at=die_at, seed=die_at)
    if state is not None:
        return False
    assert go_on(history, resumed, seed=die_at).closed == "finished"
    assert history.cluster.digest() == ENDS[flavour]
    return True


def end_of(flavour: str) -> object:
    history = begin(flavour)
    history.live(opened(history.plan))
    return history.cluster.digest()


ENDS = {flavour: end_of(flavour) for flavour in FLAVOURS}


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_one_death_at_every_boundary(flavour: str, tally: Tally) -> None:
    for n in count(1):
        if not lives_with_one_death(flavour, n):
            break
    assert n > 100, "too few boundaries to be a whole restore"
    tally(f"{flavour}: died at each of {n - 1} boundaries, resumed, same end")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_rollback_from_every_prefix(flavour: str, tally: Tally) -> None:
    for n in count(1):
        history = begin(flavour)
        before = history.cluster.digest()
        state, _ = history.live(opened(history.plan), die_at=n, seed=n)
        if state is not None:
            break
        if not history.records:
            continue
        assert go_on(history, turned, seed=n).closed == "rolled back", n
        assert history.cluster.digest() == before, n
    tally(f"{flavour}: rolled back from each of {n - 1} prefixes, same as the beginning")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_rollback_that_dies_at_every_boundary(flavour: str, tally: Tally) -> None:
    for n in count(1):
        history = begin(flavour)
        before = history.cluster.digest()
        history.live(opened(history.plan))
        state, _ = history.live(TURNED, die_at=n, seed=n)
        if state is not None:
            break
        assert go_on(history, turned, seed=n).closed == "rolled back", n
        assert history.cluster.digest() == before, n
    tally(f"{flavour}: a rollback died at each of {n - 1} boundaries, resumed, same as the beginning")


def test_a_second_resume_of_a_finished_run_appends_nothing() -> None:
    history = begin("2.13")
    history.live(opened(history.plan))
    length = len(history.records)
    state, _ = history.live([])
    assert state is not None
    assert state.closed == "finished"
    assert len(history.records) == length
