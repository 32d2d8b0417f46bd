"""The rules that make a run safe, one test each: a test here fails when its rule is broken.

They look at whole histories, of restores and rollbacks with deaths, and never at how the engine is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.drills.histories import History, begin, go_on, opened, resumed, turned
from orchestrator.drills.model import ModelCluster, Server
from orchestrator.errors import ClusterRefused, IllegalFact, OutcomeUnknown
from orchestrator.port import ObjectSeen, Reader, Seen
from orchestrator.recorder import entries_of
from orchestrator.state import fold
from orchestrator.steps import AnyStep
from tests.core.test_state import CLEAR, after, started, then

FLAVOURS = ("2.13", "2.15", "plain")


class Watched(ModelCluster):
    """A model that keeps what was performed, and what the journal held when it began to be."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.history: History
        self.performed: list[tuple[str, fx.Effect, list[str]]] = []

    def perform(self, effect: fx.Effect, *, step: str, attempt: int) -> Iterator[ev.EffectFact]:
        of_step = [r.type for r in self.history.records if r.step == step]
        self.performed.append((step, effect, of_step))
        yield from super().perform(effect, step=step, attempt=attempt)


def watched(flavour: str) -> tuple[History, Watched]:
    history, cluster = begin(flavour), Watched(flavour)
    history.cluster, cluster.history = cluster, history
    return history, cluster


def with_deaths(flavour: str, every: int = 13) -> Iterator[History]:
    """Restores that died once, finished, and were taken back with another death."""
    for n, dead in enumerate(begin(flavour).deaths(resumed)[2::every]):
        go_on(dead, resumed, n)
        dead.live(turned(dead), die_at=n + 20, seed=n)
        go_on(dead, turned, n)
        yield dead


# ---- 1. append, then act ---------------------------------------------------------------------------


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_1_what_is_about_to_be_done_is_in_the_journal_before_it_is_done(flavour: str) -> None:
    history, cluster = watched(flavour)
    go_on(history, resumed)
    go_on(history, turned)
    assert len(cluster.performed) > 20
    for step, _, journal in cluster.performed:
        begun = [fact for fact in journal if not fact.endswith(("Copied", "Edited"))]
        assert begun[-1] in ("StepStarted", "StepUndoStarted"), step


def test_1_a_start_holds_the_picture_and_the_inverse() -> None:
    for fact in finished_and_back("2.13").facts():
        if isinstance(fact, ev.StepStarted):
            assert fact.before
            for effect in fact.inverse:
                assert fx.ANY_EFFECT.validate_python(effect).say()
            assert fact.inverse, f"{fact.step} can be taken back, so its inverse is known before it is done"


def finished_and_back(flavour: str) -> History:
    history = begin(flavour)
    go_on(history, resumed)
    go_on(history, turned)
    return history


# ---- 2. the first picture wins (trap T8) -------------------------------------------------------------


def test_2_a_retry_never_overwrites_the_first_picture() -> None:
    """Each death in the middle of an attempt leads to another attempt, of a world that is already changed."""
    retried = 0
    for dead in begin("2.13").deaths(resumed):
        go_on(dead, resumed)
        first: dict[str, Any] = {}
        for fact in dead.facts():
            if isinstance(fact, ev.StepStarted):
                retried += fact.attempt > 1
                assert first.setdefault(fact.step, fact.before) == fact.before
    assert retried > 5


def test_2_another_picture_is_refused_before_it_is_written() -> None:
    state = after(CLEAR, started(1), CLEAR)
    with pytest.raises(IllegalFact):
        then(state, ev.StepStarted(step="a", attempt=2, before={"was": 2}, inverse=(), epoch=1))


# ---- 3. done is seen, not believed ---------------------------------------------------------------------


class Liar(ModelCluster):
    """Says of every first attempt that it was done, and does nothing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.lied_about: set[str] = set()

    def perform(self, effect: fx.Effect, *, step: str, attempt: int) -> Iterator[ev.EffectFact]:
        if attempt > 1:
            yield from super().perform(effect, step=step, attempt=attempt)
        else:
            self.lied_about.add(step)
            yield ev.RolloutStarted(step=step, attempt=attempt, workload="", revision="1")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_3_an_effect_that_answers_well_and_did_nothing_is_found_out(flavour: str) -> None:
    history, liar = begin(flavour), Liar(flavour)
    history.cluster = liar
    assert go_on(history, resumed).closed == "finished"
    assert liar.lied_about == {r.step for r in history.records if r.type == "StepStarted"}
    assert {name: server.data for name, server in liar.servers.items()} == liar.new


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_3_every_end_of_a_step_follows_a_look(flavour: str) -> None:
    for history in with_deaths(flavour):
        state = fold([])
        for entry in entries_of(history.records):
            after = fold([entry], state)
            for name, step in after.steps.items():
                was = state.steps[name].status if name in state.steps else "pending"
                if step.status != was and step.status == "finished":
                    assert isinstance(entry.fact, ev.StepFoundDone)
                if step.status != was and step.status == "restored":
                    assert isinstance(entry.fact, ev.StepFoundRestored)
            state = after


# ---- 4. resume forgets what it saw, not what it did ------------------------------------------------------


def test_4_a_resumed_run_looks_again_before_it_does_anything() -> None:
    for dead in begin("2.13").deaths(resumed):
        start = len(dead.records)
        dead.live(resumed(dead), die_at=40)
        looked: set[str | None] = set()
        for record in dead.records[start:]:
            if record.type.startswith("StepFound"):
                looked.add(record.step)
            if record.type == "StepStarted":
                assert record.step in looked


def test_4_what_was_begun_keeps_its_picture_over_a_resume() -> None:
    for dead in begin("2.15").deaths(resumed):
        if not dead.records or dead.state().closed:
            continue
        before = {name: step.before for name, step in dead.state().steps.items()}
        dead.live(resumed(dead), die_at=2)
        assert dead.records[-1].type == "RunResumed"
        assert {name: step.before for name, step in dead.state().steps.items()} == before
        for step in dead.state().steps.values():
            assert step.before is None or step.status in ("started", "finished"), "begun, so it is in doubt"


# ---- 5. never act on an unknown outcome --------------------------------------------------------------------


def everything_was_looked_at_first(history: History) -> bool:
    """Whether each start follows a look at that step, with nothing else of the step in between."""
    last: dict[str, str] = {}
    for fact in history.facts():
        if isinstance(fact, ev.StepStarted) and last[fact.step] != "StepFoundClear":
            return False
        if isinstance(fact, ev.StepUndoStarted) and last[fact.step] != "StepFoundUndoable":
            return False
        if isinstance(fact, ev.RunResumed | ev.RollbackOpened):
            last = dict.fromkeys(last, "forgotten")
        if isinstance(fact, ev.StepFact) and not isinstance(fact, ev.EffectFact | ev.Confirmation):
            last[fact.step] = fact.name
    return True


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_5_nothing_is_done_or_undone_unlooked(flavour: str) -> None:
    for history in with_deaths(flavour):
        assert everything_was_looked_at_first(history)


class Mute(ModelCluster):
    """Never answers a first attempt: that of every other step was carried out, that of the rest was not."""

    def perform(self, effect: fx.Effect, *, step: str, attempt: int) -> Iterator[ev.EffectFact]:
        facts = super().perform(effect, step=step, attempt=attempt)
        if attempt > 1:
            yield from facts
            return
        if len(step) % 2:
            list(facts)
        raise OutcomeUnknown("the answer never came")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_5_an_unknown_outcome_is_looked_at_whether_it_was_carried_out_or_not(flavour: str) -> None:
    history, mute = begin(flavour), Mute(flavour)
    history.cluster = mute
    assert go_on(history, resumed).closed == "finished"
    assert {name: server.data for name, server in mute.servers.items()} == mute.new
    attempts = {fact.attempt for fact in history.facts() if isinstance(fact, ev.StepStarted)}
    assert attempts == {1, 2}, "some were done by the attempt that did not answer, some by the next"
    assert go_on(history, turned).closed == "rolled back"
    assert mute.digest() == ModelCluster(flavour).digest()
    assert everything_was_looked_at_first(history)


def test_5_what_cannot_be_told_is_asked_and_the_answer_has_a_name() -> None:
    history = begin("2.13")
    cluster = history.cluster
    assert isinstance(cluster, ModelCluster)
    history.live(opened(history.plan), die_at=70)
    server: Server = cluster.servers["backend-redis"]
    server.rdb = ({"somebody": "else"}, 99)  # where a copy is under way
    cluster.servers["system-redis"].rdb = ({"somebody": "else"}, 98)
    state = go_on(history, resumed)
    assert (state.closed, state.needs) == ("paused", "decision")
    asked = [fact for fact in history.facts() if isinstance(fact, ev.DecisionAsked)]
    assert asked
    assert {fact.step for fact in asked} == {n for n, step in state.steps.items() if step.status == "torn"}


# ---- 6. one writer ---------------------------------------------------------------------------------------------


def test_6_the_epoch_rises_with_each_life_and_a_start_carries_it() -> None:
    """That an older epoch cannot append is the journal's own rule, tested there."""
    for history in with_deaths("2.13"):
        epochs = [entry.epoch for entry in entries_of(history.records)]
        assert epochs == sorted(epochs)
        assert history.state().epoch == epochs[-1] > 1
        for entry in entries_of(history.records):
            if isinstance(entry.fact, ev.StepStarted | ev.StepUndoStarted):
                assert entry.fact.epoch == entry.epoch


# ---- 7. nothing secret in a fact -----------------------------------------------------------------------------------

# Every field of every fact, effect and picture, by name. A field that isn't here is a new one: before it
# is added, somebody has to have asked whether it can hold the value of a Secret. `secret` and `stash` are names, the
# `value` of a field is one of the APIManager's, `rows`, `in_sql` and `in_redis` are counts, a `complaint` has its values
# taken out in the pod, and in the `log` whose digest is kept.
KNOWN_FIELDS = {
    "answer", "aof", "aof_last_bgrewrite_ok", "aof_last_write_ok", "aof_rewrite_in_progress",
    "aof_rewrite_scheduled", "appendonly", "arguments", "aside", "attempt", "back", "before", "bgsave_in_progress", "brought",
    "bundle", "by", "changed", "changed_names", "choices", "code", "complaint", "config_sha256", "config_version", "configmap", "connections",
    "container", "context", "created", "database", "differing", "digest", "directory", "done_bytes",
    "down_to", "effect", "effects", "engine", "epoch", "expected", "expected_is_there", "expired_by", "extra",
    "failures", "field", "field_is_there", "field_value", "fields", "file", "files", "followers", "found", "found_by",
    "generation", "has_source", "has_stash", "helper", "holder", "host", "hosts", "in_redis", "in_sql", "installation", "inverse",
    "is_admitted", "is_complete", "is_cut_off", "is_deleting", "is_directory", "is_loading", "is_new", "is_there", "job", "jobs", "kept", "key",
    "keys", "kind", "left", "left_bytes", "log", "manager", "mark", "missing", "name", "needs", "not_before", "now",
    "now_ms", "object", "offset_bytes", "origin", "parents", "part", "path", "plan", "plan_digest", "pod", "pods",
    "program", "proof", "proofs", "question", "reason", "redis", "replaced", "replicas", "resource_version",
    "restarted_at", "revision", "route", "routes", "rows", "run", "running", "same", "save", "saved", "seconds", "secret", "seen",
    "sha256", "size_bytes", "source", "spec_sha256", "stage", "staged", "stash", "state", "step", "subject", "tables",
    "target", "task", "text", "tree", "uid", "value", "verdict", "version", "waiting_for", "wasted_bytes", "workload", "workloads",
}  # fmt: skip


def pictures() -> set[type[BaseModel]]:
    kinds = {kind.Picture for kind in get_args(get_args(AnyStep)[0])}
    return kinds | set(Seen.__subclasses__())


def test_no_fact_holds_what_the_journal_refuses() -> None:
    """Fractions are refused there, as they do not come back equal everywhere."""
    assert not [kind.name for kind in ev.FACTS.values() for field in kind.model_fields.values() if field.annotation is float]


def test_7_every_field_that_can_reach_the_journal_is_known() -> None:
    models: list[type[BaseModel]] = [*ev.FACTS.values(), *get_args(fx.Effect), *pictures()]
    fields = {name for model in models for name in model.model_fields}
    assert fields - KNOWN_FIELDS == set()


def test_the_journal_can_hold_every_field_of_every_fact() -> None:
    """It takes no fractions: they have no one text."""
    assert [(name, field) for name, kind in ev.FACTS.items() for field, info in kind.model_fields.items() if info.annotation is float] == []


def test_7_no_step_can_see_a_secret_or_write_one() -> None:
    """A Reader has no verb for Secrets but one that gives names of keys; no effect holds a value of one."""
    verbs = {name for name in vars(Reader) if not name.startswith("_")}
    assert verbs == {
        "configmap", "copied_out", "database", "field", "files", "hosts", "job", "object", "pod_job", "redis", "routes", "row_counts",
        "services_in_redis", "services_in_sql", "stage", "stash", "tree", "workload", "jobs_of",
    }  # fmt: skip
    assert not [effect for effect in get_args(fx.Effect) if "ecret" in effect.__name__]
    assert set(ObjectSeen.model_fields) == {
        "is_there", "uid", "missing", "differing", "extra", "stash", "changed", "has_source"
    }  # fmt: skip
    assert set(fx.ApplyObject.model_fields) == {"effect", "kind", "name", "source", "sha256", "uid", "stash"}


def test_7_the_configmap_text_is_the_only_content_that_is_journalled() -> None:
    """Of files and databases only sizes, digests and counts: no key and no value of a Redis."""
    history = finished_and_back("2.15")
    cluster = history.cluster
    assert isinstance(cluster, ModelCluster)
    contents = {key for server in cluster.servers.values() for key in server.data} | set(cluster.new["backend-redis"])
    for record in history.records:
        told = set(strings(record.data))
        assert not contents & told
        assert not [text for text in told for content in contents if content in text]


def strings(data: object) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from strings(key)
            yield from strings(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from strings(value)


# ---- and a refusal stays a refusal -------------------------------------------------------------------------------


class Refusing(ModelCluster):
    def perform(self, effect: fx.Effect, *, step: str, attempt: int) -> Iterator[ev.EffectFact]:
        raise ClusterRefused("configmaps is forbidden")
        yield


def test_what_the_cluster_refuses_is_not_tried_again() -> None:
    history = begin("2.13")
    history.cluster = Refusing("2.13")
    state = go_on(history, resumed)
    assert (state.closed, state.needs) == ("paused", "resume")
    assert "configmaps is forbidden" in state.reason
    assert history.types().count("StepStarted") == 1
