"""The arithmetic of a rolling rollout keeps its promises for every size and every pace of the pods."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rehearsal.controllers.rollouts import Bounds, Share, bounds, next_scales

STEPS = 500


def test_percentages_round_in_favour_of_the_service() -> None:
    assert bounds(10, {}) == Bounds(10, 3, 2)
    assert bounds(3, {"maxSurge": "50%", "maxUnavailable": 1}) == Bounds(3, 2, 1)


def test_a_rollout_can_always_move() -> None:
    assert bounds(5, {"maxSurge": 0, "maxUnavailable": 0}) == Bounds(5, 0, 1)
    assert bounds(1, {}) == Bounds(1, 1, 0)


def test_unhealthy_old_pods_go_first() -> None:
    limits = Bounds(2, 1, 1)
    assert next_scales(limits, Share("new", 1, 0), [Share("bad", 1, 0), Share("good", 1, 1)]) == {"bad": 0}


@given(
    desired=st.integers(1, 12),
    surge=st.integers(0, 5),
    unavailable=st.integers(0, 5),
    old=st.lists(st.integers(0, 6), max_size=3),
    paces=st.lists(st.integers(0, 3), min_size=1, max_size=8),
)
def test_a_rollout_ends_and_strays_no_further_than_allowed(
    desired: int, surge: int, unavailable: int, old: list[int], paces: list[int]
) -> None:
    """Pods become available a few at a time, at any pace; a scale takes effect at once."""
    limits = bounds(desired, {"maxSurge": surge, "maxUnavailable": unavailable})
    shares = {f"old-{index}": Share(f"old-{index}", size, size) for index, size in enumerate(old)}
    shares["new"] = Share("new", 0, 0)
    most = max(sum(old), limits.desired + limits.surge)
    least = min(sum(old), limits.desired - limits.unavailable)
    for step in range(STEPS):
        others = [share for name, share in shares.items() if name != "new"]
        for name, wanted in next_scales(limits, shares["new"], others).items():
            shares[name] = Share(name, wanted, min(shares[name].available, wanted))
        assert sum(share.wanted for share in shares.values()) <= most
        assert sum(share.available for share in shares.values()) >= least
        new = shares["new"]
        # Each pace in turn, but never a cycle in which nothing becomes available.
        ready = min(new.wanted, new.available + paces[step % len(paces)] + (step % len(paces) == 0))
        shares["new"] = replace(new, available=ready)
    assert shares["new"] == Share("new", desired, desired)
    assert all(share.wanted == 0 for name, share in shares.items() if name != "new")
