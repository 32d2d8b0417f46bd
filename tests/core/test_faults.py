"""Whole restores over a bad line, with deaths in between: finished, or paused with a reason, and in the end the same.

Hypothesis prints the seeds of what fails; the same seeds give the same history.
"""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.drills.faults import FaultyCluster
from orchestrator.drills.histories import History, Opening, begin, go_on, resumed, turned
from orchestrator.drills.model import ModelCluster
from orchestrator.state import RunState
from tests.core.test_histories import BEGINNINGS, ENDS
from tests.core.toy import SERVERS, ToyCluster, toy

SEEDS = st.integers(0, 2**32)
RATES = st.sampled_from([0.01, 0.05, 0.2])
DEATHS = st.lists(st.integers(1, 150), max_size=3)
CAREFUL = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def faulty(flavour: str, seed: int, rate: float) -> tuple[History, FaultyCluster]:
    history = begin(flavour)
    cluster = FaultyCluster(cast(ModelCluster, history.cluster), seed, rate)
    history.cluster = cluster
    return history, cluster


def bear(history: History, again: Opening, deaths: list[int], seed: int) -> None:
    """Lives under faults: some end in a death, all others in an end or in a pause that says why."""
    for n, die_at in enumerate([*deaths, 0, 0]):
        state, _ = history.live(again(history), die_at=die_at, seed=seed + n)
        assert state is None or is_explained(state), state


def is_explained(state: RunState) -> bool:
    return state.closed in ("finished", "rolled back") or (state.closed == "paused" and state.reason != "")


def digest(cluster: FaultyCluster) -> dict[str, Any]:
    return cluster.cluster.digest()


@pytest.mark.parametrize("flavour", ["2.13", "2.15", "plain"])
@CAREFUL
@given(seed=SEEDS, rate=RATES, deaths=DEATHS)
def test_a_restore_over_a_bad_line_ends_as_over_a_good_one(
    flavour: str, seed: int, rate: float, deaths: list[int]
) -> None:
    history, cluster = faulty(flavour, seed, rate)
    bear(history, resumed, deaths, seed)
    cluster.mend()
    state = go_on(history, resumed, seed)
    assert state.closed == "finished", (state.reason, cluster.faults)
    assert digest(cluster) == ENDS[flavour], cluster.faults


@pytest.mark.parametrize("flavour", ["2.13", "2.15", "plain"])
@CAREFUL
@given(seed=SEEDS, rate=RATES, out=st.integers(2, 250), deaths=DEATHS)
def test_a_rollback_over_a_bad_line_brings_everything_back(
    flavour: str, seed: int, rate: float, out: int, deaths: list[int]
) -> None:
    history, cluster = faulty(flavour, seed, rate)
    history.live(resumed(history), die_at=out, seed=seed)
    bear(history, turned, deaths, seed)
    cluster.mend()
    state = go_on(history, turned, seed)
    assert state.closed == "rolled back", (state.reason, cluster.faults)
    assert digest(cluster) == BEGINNINGS[flavour], cluster.faults


@settings(deadline=None, max_examples=100)
@given(plan=st.integers(0, 100_000), seed=SEEDS, deaths=st.lists(st.integers(1, 80), max_size=4))
def test_a_random_plan_is_carried_out_and_taken_back(plan: int, seed: int, deaths: list[int]) -> None:
    history = toy(plan)
    cluster = cast(ToyCluster, history.cluster)
    for n, die_at in enumerate(deaths):
        history.live(resumed(history), die_at=die_at, seed=seed + n)
        cluster.replace_pod(SERVERS[(seed + n) % 3])
    assert go_on(history, resumed, seed).closed == "finished"
    assert cluster.files_of == end_of(plan)
    for n, die_at in enumerate(deaths):
        history.live(turned(history), die_at=die_at, seed=seed - n)
    assert go_on(history, turned, seed).closed == "rolled back"
    assert cluster.files_of == ToyCluster().files_of


def end_of(plan: int) -> dict[str, dict[str, str]]:
    history = toy(plan)
    go_on(history, resumed)
    return cast(ToyCluster, history.cluster).files_of


def test_the_faults_really_happen() -> None:
    seen: set[str] = set()
    for seed in range(20):
        history, cluster = faulty("2.15", seed, rate=0.05)
        bear(history, resumed, [], seed)
        seen |= set(cluster.faults)
    assert seen == {
        "restart", "unreachable", "refused", "not ready", "no answer", "rewrite", "conflict", "answer lost", "cut"
    }  # fmt: skip
