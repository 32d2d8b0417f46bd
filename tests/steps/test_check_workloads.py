"""seen -> standing: replicas, and what the APIManager says of them, as they were before the run."""

from __future__ import annotations

import pytest

from orchestrator.events import VerificationFailed, VerificationPassed
from orchestrator.port import FieldSeen, WorkloadSeen
from orchestrator.steps.base import DONE, busy
from orchestrator.steps.check_workloads import CheckWorkloads, Original, WorkloadsPicture
from tests.steps.seeing import ROLLING, RUNNING, at, ctx

PATH = ("spec", "system", "appSpec", "replicas")
APP = Original(kind="Deployment", name="app", replicas=2, path=PATH)
NUMBERED = Original(kind="Deployment", name="app", replicas=2, path=PATH, field_is_there=True, field_value=2)
STOPPED = Original(kind="Deployment", name="cron", replicas=0)
ABSENT, NULL, TWO = FieldSeen(is_there=False), FieldSeen(is_there=True), FieldSeen(is_there=True, value=2)
BOTH = at(RUNNING, replicas=2)


def check(*originals: Original) -> CheckWorkloads:
    return CheckWorkloads(id="step", title="a step", manager="apimanager", originals=originals)


def seen(app: WorkloadSeen | None, field: FieldSeen | None = ABSENT, **more: WorkloadSeen) -> WorkloadsPicture:
    return WorkloadsPicture(workloads={"app": app, **more}, fields={"app": field})


@pytest.mark.parametrize(
    ("step", "picture", "standing", "reason"),
    [
        pytest.param(check(APP), seen(BOTH), "done", "", id="as-before"),
        pytest.param(check(NUMBERED), seen(BOTH, TWO), "done", "", id="as-before-with-a-number"),
        pytest.param(check(APP), seen(at(BOTH, replicas=0)), "torn", "app has 0 replicas, and had 2", id="fewer"),
        pytest.param(check(APP), seen(at(BOTH, replicas=None)), "torn", "app has 1 replicas, and had 2", id="no-number-is-one"),
        pytest.param(check(APP), seen(BOTH, TWO), "torn", "spec.system.appSpec.replicas is 2, and was absent", id="a-number-stayed"),
        pytest.param(check(APP), seen(BOTH, NULL), "torn", "is null, and was absent", id="null-is-not-absent"),
        pytest.param(check(NUMBERED), seen(BOTH), "torn", "is absent, and was 2", id="a-number-is-gone"),
        pytest.param(check(NUMBERED), seen(BOTH, None), "torn", "is absent, and was 2", id="the-apimanager-is-gone"),
        pytest.param(check(APP), seen(at(ROLLING, replicas=2)), "busy", "one pod is not ready", id="a-pod-is-not-ready"),
        pytest.param(check(APP), seen(None), "busy", "app is not there", id="the-workload-is-gone"),
        pytest.param(check(STOPPED), WorkloadsPicture(workloads={"cron": at(ROLLING, replicas=0)}), "done", "", id="what-was-stopped-is-not-waited-for"),
    ],
)
def test_standing(step: CheckWorkloads, picture: WorkloadsPicture, standing: str, reason: str) -> None:
    found = step.standing(picture, ctx())
    assert found.name == standing
    assert reason in found.reason


WHOLE = CheckWorkloads(
    id="step", title="a step", manager="apimanager", originals=(APP,), spec_sha256="s", configmap="redis-config",
    key="redis.conf", config_sha256="c",
)


@pytest.mark.parametrize(
    ("spec", "config", "standing", "reason"),
    [
        pytest.param("s", "c", "done", "", id="as-before"),
        pytest.param("t", "c", "torn", "the spec of APIManager apimanager is another than it was", id="another-spec"),
        pytest.param("s", "d", "torn", "redis.conf of ConfigMap redis-config is another", id="another-config"),
    ],
)
def test_the_whole_spec_and_the_configuration_count_too(spec: str, config: str, standing: str, reason: str) -> None:
    picture = seen(BOTH).model_copy(update={"spec_sha256": spec, "config_sha256": config})
    found = WHOLE.standing(picture, ctx())
    assert (found.name, reason in found.reason) == (standing, True)


@pytest.mark.parametrize(
    ("picture", "fact", "found"),
    [
        pytest.param(seen(BOTH), VerificationPassed, {"app": 2}, id="passed"),
        pytest.param(seen(at(BOTH, replicas=1)), VerificationFailed, {"app": 1}, id="failed"),
        pytest.param(seen(BOTH, TWO), VerificationFailed, {"app": 2, "spec.system.appSpec.replicas": "2"}, id="failed-in-the-apimanager"),
    ],
)
def test_the_finding_is_a_fact(picture: WorkloadsPicture, fact: type, found: dict[str, object]) -> None:
    step = check(APP)
    (said,) = step.confirm(picture, step.standing(picture, ctx()), ctx())
    assert type(said) is fact
    assert said.found == found  # type: ignore[attr-defined]
    assert list(step.confirm(picture, busy("x"), ctx())) == []


def test_it_changes_nothing() -> None:
    step, picture = check(APP), seen(BOTH)
    assert [*step.do(picture, ctx()), *step.undo(picture, ctx(picture))] == []
    assert step.restored(picture, ctx(picture)) is DONE
