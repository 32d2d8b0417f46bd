"""Restores of a whole installation over a bad line, where pods, jobs, hooks and rollouts fail as well."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from orchestrator.drills.faults import WholeFaults
from orchestrator.drills.histories import History, Opening, go_on, resumed, turned
from orchestrator.drills.model import WholeCluster
from orchestrator.drills.model.redis import NAMES as NAMES_OF_REDIS
from orchestrator.state import RunState
from tests.core.test_whole import begin, beginning, end

SEEDS = st.integers(0, 2**32)
RATES = st.sampled_from([0.01, 0.05])
DEATHS = st.lists(st.integers(1, 300), max_size=2)
CAREFUL = settings(
    deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=(Phase.reuse, Phase.generate),  # a seed is no number that gets better when it gets smaller
)  # fmt: skip
NAMES = ("2.13", "2.15", "2.13-postgresql", "2.15-postgresql-with-objects")


def faulty(name: str, seed: int, rate: float) -> tuple[History, WholeFaults]:
    history = begin(name)
    cluster = WholeFaults(cast(WholeCluster, history.cluster), seed, rate)
    history.cluster = cluster
    return history, cluster


def bear(history: History, again: Opening, deaths: list[int], seed: int) -> None:
    """Lives under faults: some end in a death, all others in an end or in a pause that says why."""
    for n, die_at in enumerate([*deaths, 0, 0]):
        state, _ = history.live(again(history), die_at=die_at, seed=seed + n)
        assert state is None or is_explained(state), state


def without_rdb(digest: dict[str, Any]) -> dict[str, Any]:
    """A Redis that restarts once more writes its RDB once more, with what the post hook has written meanwhile."""
    return {key: (held[0], *held[2:]) if key in NAMES_OF_REDIS else held for key, held in digest.items()}


def is_explained(state: RunState) -> bool:
    return state.closed in ("finished", "rolled back") or (state.closed == "paused" and state.reason != "")


@pytest.mark.parametrize("name", NAMES)
@CAREFUL
@given(seed=SEEDS, rate=RATES, deaths=DEATHS)
def test_a_restore_over_a_bad_line_ends_as_over_a_good_one(
    name: str, seed: int, rate: float, deaths: list[int]
) -> None:
    history, cluster = faulty(name, seed, rate)
    bear(history, resumed, deaths, seed)
    cluster.mend()
    state = go_on(history, resumed, seed)
    assert state.closed == "finished", (state.reason, cluster.faults)
    assert without_rdb(cluster.cluster.digest()) == without_rdb(end(name)), cluster.faults


@pytest.mark.parametrize("name", NAMES)
@CAREFUL
@given(seed=SEEDS, rate=RATES, out=st.integers(2, 500), deaths=DEATHS)
def test_a_rollback_over_a_bad_line_brings_everything_back(
    name: str, seed: int, rate: float, out: int, deaths: list[int]
) -> None:
    history, cluster = faulty(name, seed, rate)
    history.live(resumed(history), die_at=out, seed=seed)
    bear(history, turned, deaths, seed)
    cluster.mend()
    state = go_on(history, turned, seed)
    assert state.closed == "rolled back", (state.reason, cluster.faults)
    assert cluster.cluster.digest() | {"marks": cluster.cluster.template_marks()} == beginning(name), cluster.faults


def test_the_faults_really_happen() -> None:
    seen: set[str] = set()
    for seed in range(12):
        history, cluster = faulty("2.15", seed, rate=0.05)
        bear(history, resumed, [], seed)
        seen |= set(cluster.faults)
    assert {"job lost", "hook failed", "rollout failed", "pod replaced", "conflict", "answer lost", "cut"} <= seen
