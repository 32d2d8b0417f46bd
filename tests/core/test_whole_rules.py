"""The rules of test_rules.py over a whole installation: the same lies and silences, of databases, programs and routes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.drills.histories import History, go_on, resumed, turned
from orchestrator.drills.model import WholeCluster
from orchestrator.drills.model.storage import OBJECTS
from tests.core.test_rules import Liar, Mute, everything_was_looked_at_first, strings
from tests.core.test_whole import MAIN, begin, carried_out, end, is_as_in_the_beginning, world

# What cannot be taken back by an effect that is known beforehand; undo_note says of each how it is.
NO_INVERSE = {
    "flush_queues": "the old file brings the old queues back",
    "keep_appending": "the server appends as it did before",
    "resync_routes": "which routes will be made is not known yet",
    "restart_workload": "a DeploymentConfig's rollout leaves nothing",
}


@dataclass
class WholeLiar(Liar, WholeCluster):
    """Liar over everything."""


@dataclass
class WholeMute(Mute, WholeCluster):
    """Mute over everything."""


def with_cluster(name: str, kind: type[WholeCluster]) -> History:
    history = begin(name)
    honest = world(history)
    history.cluster = kind(flavour=honest.flavour, original=honest.original, engine=honest.engine)
    return history


@pytest.mark.parametrize("name", [*MAIN, "2.13-postgresql"])
def test_1_a_start_holds_an_inverse_that_can_be_read(name: str) -> None:
    history = carried_out(name)
    kinds = {step.id: step.kind for step in history.plan.steps}
    started = [fact for fact in history.facts() if isinstance(fact, ev.StepStarted)]
    assert len(started) > 30
    for fact in started:
        assert all(fx.ANY_EFFECT.validate_python(effect).say() for effect in fact.inverse)
        assert fact.inverse or kinds[fact.step] in NO_INVERSE, fact.step


@pytest.mark.parametrize("name", MAIN)
def test_1_the_recorded_inverse_is_of_the_kinds_that_the_rollback_performs(name: str) -> None:
    """For each step, what its undo really did was announced; a failed hook apart, nothing else happened."""
    history = carried_out(name)
    announced = {
        fact.step: {effect["effect"] for effect in fact.inverse}
        for fact in history.facts() if isinstance(fact, ev.StepStarted)
    }  # fmt: skip
    before = len(history.records)
    history.live(turned(history))
    by_fact = {
        "ConfigMapEdited": "edit_configmap", "DirectoryPutBack": "put_tree_back", "FilePutBack": "put_back",
        "ManagerFieldSet": "set_field", "RolloutStarted": "roll_out", "WorkloadScaled": "scale_workload",
        "RemoteJobStarted": "start_job", "ObjectPutBack": "put_object_back",
    }  # fmt: skip
    done = {(r.step, by_fact[r.type]) for r in history.records[before:] if r.type in by_fact}
    assert len(done) > 10
    assert {(step, effect) for step, effect in done if effect not in announced.get(str(step), set())} == set()


@pytest.mark.parametrize("name", MAIN)
def test_3_an_effect_that_answers_well_and_did_nothing_is_found_out(name: str) -> None:
    history = with_cluster(name, WholeLiar)
    assert go_on(history, resumed).closed == "finished", history.state().reason
    liar = history.cluster
    assert isinstance(liar, WholeLiar)
    assert liar.lied_about == {r.step for r in history.records if r.type == "StepStarted"}
    assert liar.digest() == end(name)


@pytest.mark.parametrize("name", MAIN)
def test_5_an_unknown_outcome_is_looked_at_whether_it_was_carried_out_or_not(name: str) -> None:
    history = with_cluster(name, WholeMute)
    assert go_on(history, resumed).closed == "finished", history.state().reason
    assert world(history).digest() == end(name)
    assert go_on(history, turned).closed == "rolled back", history.state().reason
    assert is_as_in_the_beginning(history, name)
    assert everything_was_looked_at_first(history)


def test_7_no_value_of_an_object_is_in_the_journal() -> None:
    """Nor of a database or a file: names of keys and tables, counts and digests."""
    history = carried_out("2.15-postgresql-with-objects")
    history.live(turned(history))
    values = {value for held in OBJECTS.values() for value in held.values() if len(value) > 3} - {"apps.example"}
    values |= {"new logo", "old logo", "new mail"} | {key for s in world(history).servers.values() for key in s.data}
    assert len(values) > 8, "there is something to be told"
    for record in history.records:
        told = " ".join(strings(record.data))
        assert not [value for value in values if value in told]
