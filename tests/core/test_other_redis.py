"""The Redis that is not restored shares its ConfigMap with the one that is: what befalls it meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.drills.histories import History, Opening, begin, go_on, resumed, turned
from orchestrator.drills.model import ModelCluster, Server

RELEASES = ("2.13", "2.15", "plain")


def other(history: History) -> Server:
    assert isinstance(history.cluster, ModelCluster)
    return history.cluster.servers["system-redis"]


def evict(history: History) -> None:
    """Its pod goes and comes again, and starts as the ConfigMap says now."""
    assert isinstance(history.cluster, ModelCluster)
    history.cluster.restart(other(history))


def deaths_while_saving_is_off(release: str, opening: Opening, history: History) -> list[History]:
    left = history.deaths(opening, seed=1)
    return [dead for dead in left if isinstance(dead.cluster, ModelCluster) and 'save ""' in dead.cluster.text]


def saves_as_before(history: History) -> bool:
    was = ModelCluster(RELEASES[0]).servers["system-redis"]
    server = other(history)
    return (server.save, server.appendonly, server.data, server.aof) == (was.save, was.appendonly, was.data, was.data)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(("again", "closed"), [(resumed, "finished"), (turned, "rolled back")])
def test_one_that_restarts_while_saving_is_off_saves_again_in_the_end(
    release: str, again: Callable[[History], list[object]], closed: str
) -> None:
    dead = deaths_while_saving_is_off(release, resumed, begin(release, ("backend-redis",)))
    assert len(dead) > 20
    for history in dead:
        evict(history)
        assert go_on(history, again).closed == closed  # type: ignore[arg-type]
        assert saves_as_before(history)


@pytest.mark.parametrize("release", ["2.13", "plain"])
def test_one_that_runs_on_is_not_touched(release: str) -> None:
    history = begin(release, ("backend-redis",))
    go_on(history, resumed)
    assert other(history).container == 1
    assert "SavingSwitchedOn" not in history.types()
