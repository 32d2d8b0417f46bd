"""Plan -> what a user has to be allowed to do: the whole table, and nothing that is not in it."""

from __future__ import annotations

from typing import get_args

import pytest

from orchestrator.drills.histories import begin_whole, opened
from orchestrator.drills.model import WholeCluster
from orchestrator.effects import InPod
from orchestrator.events import StepStarted
from orchestrator.rights import IN_POD_KINDS, rights_of, rights_of_step, rights_to_see
from orchestrator.runbooks.options import Options
from orchestrator.steps import AnyStep
from tests.core.test_whole import SHAPES, begin

PODS = {"get pods", "list pods", "create pods/exec"}
HELPER = {"create pods", "delete pods"}
CONFIG = {"get configmaps", "patch configmaps"}
MANAGER = {"get apimanagers", "patch apimanagers"}
ROUTES = {"list routes", "delete routes"}
CONFIGS = {"get deploymentconfigs", "patch deploymentconfigs", "create deploymentconfigs/instantiate", "get replicationcontrollers"}
DEPLOYMENTS = {"get deployments", "patch deployments"}
JOBS = {"get jobs", "delete jobs"}
OBJECTS = {f"{verb} {resource}" for verb in ("get", "create", "patch", "delete") for resource in ("secrets", "configmaps")}


@pytest.mark.parametrize(
    ("name", "rights"),
    [
        pytest.param("2.13", PODS | HELPER | CONFIG | MANAGER | ROUTES | CONFIGS, id="2.13"),
        pytest.param("2.15", PODS | HELPER | CONFIG | MANAGER | ROUTES | DEPLOYMENTS | JOBS, id="2.15"),
        pytest.param(
            "2.15-postgresql-with-objects", PODS | HELPER | OBJECTS | MANAGER | ROUTES | DEPLOYMENTS | JOBS, id="with-objects"
        ),
        pytest.param("only-backend-redis", PODS | CONFIG | DEPLOYMENTS, id="a-redis"),
        pytest.param("only-zync", PODS | MANAGER | CONFIGS, id="zync"),
        pytest.param("only-objects", OBJECTS, id="objects"),
        pytest.param("fresh", OBJECTS | MANAGER | {"create apimanagers", "delete apimanagers"}, id="new-installation"),
    ],
)  # fmt: skip
def test_the_rights_of_a_plan(name: str, rights: set[str]) -> None:
    found = [right.say() for right in rights_of(begin(name).plan)]
    assert set(found) == rights
    assert len(found) == len(rights), "each is said once"


def every_step() -> list[AnyStep]:
    others = (Options(only=("system-redis",)), Options(no_safety_copy=("zync",)))
    plans = [begin(name).plan for name in SHAPES] + [begin_whole(r, o).plan for r in ("2.13", "2.15") for o in others]
    return [step for plan in plans for step in plan.steps]


def test_every_kind_but_a_decision_needs_a_right() -> None:
    kinds = {step.kind: set(rights_of_step(step)) for step in every_step()}
    assert kinds.keys() == {kind.model_fields["kind"].default for kind in get_args(get_args(AnyStep)[0])}
    assert [kind for kind, rights in kinds.items() if not rights] == ["decide_queues", "accept_irreversible"]


@pytest.mark.parametrize("name", ["2.13", "2.15", "2.13-postgresql"])
def test_whoever_works_in_a_pod_may_enter_it(name: str) -> None:
    """By what the journal of a restore and of its rollback says was to be done, not by the list itself."""
    history = begin(name)
    in_pod = {effect.model_fields["effect"].default for effect in InPod.__subclasses__()}
    for step in history.plan.steps:
        if step.kind in IN_POD_KINDS:
            assert {right.say() for right in rights_of_step(step)} >= PODS
    kinds = {step.id: step.kind for step in history.plan.steps}
    history.live(opened(history.plan))
    for fact in history.facts():
        if isinstance(fact, StepStarted):
            entered = {effect["effect"] for effect in fact.inverse} & in_pod
            assert not entered or kinds[fact.step] in IN_POD_KINDS, fact.step



@pytest.mark.parametrize(
    ("manager", "options", "rights"),
    [
        pytest.param(None, Options(), {"list apimanagers"}, id="3scale-without-one"),
        pytest.param(None, Options(only=("backend-redis",)), set(), id="a-redis-needs-no-operator"),
        pytest.param(..., Options(), set(), id="it-is-seen"),
    ],
)
def test_an_apimanager_that_is_not_seen_must_not_be_hidden(manager: object, options: Options, rights: set[str]) -> None:
    found = WholeCluster("2.15").installation()
    found = found if manager is ... else found.model_copy(update={"manager": manager})
    assert {right.say() for right in rights_to_see(found, options)} == rights
