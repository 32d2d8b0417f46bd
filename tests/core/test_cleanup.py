"""A cleanup on the model: what is left of a run is removed with a fact each, and afterwards nothing leads back."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator import events as ev
from orchestrator.cleanup import leftovers, refuse_before_its_end, sweep
from orchestrator.drills.histories import (
    START,
    TURNED,
    Death,
    Fate,
    History,
    JumpingClock,
    MemoryWriter,
    go_on,
    resumed,
)
from orchestrator.drills.model import WholeCluster
from orchestrator.drills.mortal import MortalCluster
from orchestrator.errors import IllegalFact, PlanChanged, PreflightRefused, RunHalted
from orchestrator.recorder import Recorder
from orchestrator.runs import Loaded, to_roll_back
from tests.core.test_whole import SHAPES, begin, carried_out, is_as_in_the_beginning, world


def clean(history: History, die_at: int = 0) -> bool:
    """One process that cleans up, to its end or its death: whether it came to its end."""
    history.lives += 1
    fate, clock = Fate(die_at), JumpingClock(history.state().last_at or START)
    recorder = Recorder(
        history.state(), lambda admit, published: MemoryWriter(history, fate, history.lives, clock, admit, published), clock.now
    )
    cluster: Any = MortalCluster(history.cluster, fate)
    try:
        sweep(history.run, history.plan, recorder, cluster, clock)
    except Death:
        return False
    return True


def kept(history: History) -> dict[str, Any]:
    """Everything that is on the cluster only for a way back, or as a trace of it."""
    cluster = world(history)
    return {
        "aside": [name for server in cluster.servers.values() for name in server.aside],
        "volumes": [name for files in cluster.volumes.values() for name in files if not name.endswith(".below")],
        "marks": [d.mark for d in cluster.databases.values() if d.mark], "stashes": list(cluster.stashes),
        "kept": list(cluster.kept), "jobs": list(cluster.jobs),
    }  # fmt: skip


NOTHING: dict[str, Any] = {"aside": [], "volumes": [], "marks": [], "stashes": [], "kept": [], "jobs": []}


def content(cluster: WholeCluster) -> dict[str, Any]:
    """What the installation holds, without what is kept."""
    found = cluster.digest()
    for name in cluster.servers:
        found[name] = (*found[name][:3], *found[name][4:])
    return {key: value for key, value in found.items() if key not in ("stashes", "kept", "volumes", "databases")} | {
        "databases": {name: d.content.label for name, d in cluster.databases.items()}
    }


@pytest.mark.parametrize("name", SHAPES)
def test_after_a_cleanup_nothing_is_left_but_what_was_restored(name: str) -> None:
    history = carried_out(name)
    before = content(world(history))
    assert clean(history)
    assert kept(history) == NOTHING
    assert content(world(history)) == before
    assert history.types()[-1] == "CleanupFinished"


@pytest.mark.parametrize("name", SHAPES)
def test_after_a_rollback_and_a_cleanup_it_is_as_if_nothing_had_been(name: str) -> None:
    history = carried_out(name)
    history.live(TURNED)
    assert clean(history)
    assert kept(history) == NOTHING
    assert is_as_in_the_beginning(history, name)


@pytest.mark.parametrize("name", ["2.13", "2.15-postgresql-with-objects"])
def test_what_is_removed_is_durable_before_and_each_thing_is_a_fact(name: str) -> None:
    history = carried_out(name)
    found = leftovers(history.run, history.plan, history.state(), world(history), "now")
    assert {effect.effect for _, effect in found} >= {"remove_path", "forget_mark", "remove_jobs"}
    length = len(history.records)
    clean(history)
    opened, *removed, _ = history.facts()[length:]
    assert isinstance(opened, ev.CleanupOpened)
    assert opened.effects == tuple(effect.model_dump(mode="json") for _, effect in found)
    assert [type(fact).__name__ for fact in removed] == [
        {
            "remove_path": "FileRemoved", "forget_mark": "MarkRemoved", "remove_jobs": "JobsRemoved", "remove_stash": "StashRemoved"
        }[effect.effect] for _, effect in found
    ]  # fmt: skip


def test_a_cleanup_that_dies_anywhere_is_begun_again() -> None:
    for die_at in range(1, 500):
        history = carried_out("2.15-postgresql-with-objects")
        is_through = clean(history, die_at)
        assert clean(history)
        assert kept(history) == NOTHING, die_at
        if is_through:
            assert die_at > 20
            return
    pytest.fail("it never came through")


def test_afterwards_it_cannot_be_taken_back() -> None:
    history = carried_out("2.13")
    clean(history, die_at=4)
    assert history.state().cleanup == "opened", "already when it has begun"
    with pytest.raises(PlanChanged, match="was removed by a cleanup"):
        to_roll_back()(history.state())
    with pytest.raises(IllegalFact):
        history.live(TURNED)


@pytest.mark.parametrize("boundary", [3, 60, 150])
def test_a_run_that_has_not_ended_is_not_cleaned_up(boundary: int) -> None:
    history = begin("2.13").deaths(resumed)[boundary]
    with pytest.raises(PreflightRefused, match="has not ended"):
        refuse_before_its_end(Loaded("run", (), history.state()))
    with pytest.raises(IllegalFact):
        clean(history)
    assert go_on(history, resumed).closed == "finished"


class Keeping(WholeCluster):
    """Says that it removes, and does not."""

    def perform(self, effect: Any, *, step: str, attempt: int) -> Any:
        if effect.effect == "remove_stash":
            yield ev.StashRemoved(step=step, attempt=attempt, stash=effect.stash)
        else:
            yield from super().perform(effect, step=step, attempt=attempt)


def test_what_is_still_there_keeps_it_from_its_end() -> None:
    history = carried_out("2.15-postgresql-with-objects")
    history.cluster.__class__ = Keeping
    with pytest.raises(RunHalted, match="this is still there after it was removed: delete Secret restore-undo-run"):
        clean(history)
    assert history.state().cleanup == "opened"
