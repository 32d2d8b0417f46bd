"""seen -> standing, do, undo, restored: routes that zync makes a while after it was told to."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.effects import DeleteRoute, StartJob
from orchestrator.events import RemoteJobExited, RouteAdmitted
from orchestrator.port import PodJobSeen, RouteSeen
from orchestrator.steps.base import CLEAR, DONE
from orchestrator.steps.resync_routes import PATIENCE_SECONDS, ResyncRoutes, RoutesPicture
from tests.steps.seeing import ROLLING, RUNNING, STEP, WHERE, ctx

STEP_ = ResyncRoutes(
    **STEP, task="zync:resync:domains", hosts=("master.d", "3scale.d"), domain="d", database_kind="Deployment",
    database_workload="system-mysql", database="system",
)  # fmt: skip
NEVER, RUNS, LOST = PodJobSeen(state="never"), PodJobSeen(state="running"), PodJobSeen(state="lost")
WELL, BADLY = PodJobSeen(state="exited", code=0), PodJobSeen(state="exited", code=1, complaint="no zync")


def route(host: str, uid: str = "", *, admitted: bool = True, reason: str = "") -> RouteSeen:
    return RouteSeen(name=f"zync-{host}", host=host, uid=uid or f"uid-{host}", is_admitted=admitted, reason=reason)


MASTER, TENANT, SECOND = route("master.d"), route("3scale.d"), route("second.d")
HOSTS = ("3scale.d", "elsewhere.example", "master.d", "second.d")


def seen(job: PodJobSeen, *routes: RouteSeen, **changes: Any) -> RoutesPicture:
    return RoutesPicture(workload=RUNNING, job=job, routes=routes, hosts=HOSTS).model_copy(update=changes)


@pytest.mark.parametrize(
    ("picture", "standing", "reason"),
    [
        pytest.param(seen(NEVER), "clear", "", id="not-asked-for"),
        pytest.param(seen(NEVER, MASTER, TENANT, SECOND), "clear", "", id="asked-for-even-where-none-is-missing"),
        pytest.param(seen(RUNS), "busy", "rake zync:resync:domains is running", id="being-asked-for"),
        pytest.param(seen(LOST), "clear", "", id="the-task-was-killed"),
        pytest.param(seen(BADLY), "clear", "ended with 1: no zync", id="the-task-failed"),
        pytest.param(seen(WELL, MASTER), "busy", "no admitted route yet for 3scale.d, second.d", id="some-are-not-there-yet"),
        pytest.param(
            seen(WELL, MASTER, TENANT, route("second.d", admitted=False, reason="HostAlreadyClaimed")), "busy",
            "second.d (HostAlreadyClaimed)", id="one-is-not-admitted",
        ),
        pytest.param(seen(WELL, MASTER, TENANT, SECOND), "done", "", id="all-are-there"),
        pytest.param(seen(WELL, MASTER, TENANT, SECOND, hosts=None), "busy", "does not answer yet", id="the-database-does-not-answer"),
        pytest.param(RoutesPicture(workload=ROLLING), "busy", "one pod is not ready", id="a-rollout-is-under-way"),
        pytest.param(RoutesPicture(workload=None), "busy", "is not there", id="the-workload-is-gone"),
    ],
)
def test_standing(picture: RoutesPicture, standing: str, reason: str) -> None:
    found = STEP_.standing(picture, ctx(attempt=1))
    assert found.name == standing
    assert reason in found.reason


def test_a_sentence_names_some_of_the_hosts() -> None:
    many = seen(WELL, hosts=tuple(f"h{n}.d" for n in range(6)))
    assert STEP_.standing(many, ctx()).reason == "no admitted route yet for 3scale.d, h0.d, h1.d and 5 more"


def test_do_runs_the_task_detached() -> None:
    assert list(STEP_.do(seen(NEVER), ctx(attempt=1, epoch=4))) == [
        StartJob(directory="", job="run.step", attempt=1, epoch=4, program="rake", arguments=("zync:resync:domains",), **WHERE)
    ]


def test_the_recorded_inverse_is_empty_as_nobody_knows_yet_what_will_be_made() -> None:
    assert list(STEP_.undo(seen(NEVER, MASTER), ctx(seen(NEVER, MASTER)))) == []


BEFORE = seen(NEVER, MASTER)


@pytest.mark.parametrize(
    ("picture", "changes", "standing"),
    [
        pytest.param(seen(NEVER, MASTER), {}, "done", id="none-was-made"),
        pytest.param(seen(WELL, MASTER, TENANT, SECOND), {}, "clear", id="two-were-made"),
        pytest.param(seen(WELL, MASTER), {"undo_attempt": 1}, "done", id="and-are-deleted"),
        # What zync makes after the last look would stay: it is waited for.
        pytest.param(seen(RUNS, MASTER), {}, "busy", id="the-task-is-running"),
        pytest.param(seen(WELL, MASTER, TENANT), {}, "busy", id="zync-has-not-made-all"),
        pytest.param(seen(WELL, MASTER, TENANT), {"waited_seconds": PATIENCE_SECONDS}, "clear", id="and-does-not"),
        pytest.param(seen(WELL, MASTER, TENANT), {"undo_attempt": 1}, "clear", id="one-is-still-to-be-deleted"),
        pytest.param(RoutesPicture(workload=ROLLING, routes=(MASTER, TENANT)), {}, "clear", id="the-task-went-with-its-pod"),
        pytest.param(seen(WELL, MASTER, TENANT, SECOND, route("other.d")), {"undo_attempt": 1}, "clear", id="somebody-made-another"),
    ],
)
def test_the_way_back(picture: RoutesPicture, changes: dict[str, Any], standing: str) -> None:
    assert STEP_.restored(picture, ctx(BEFORE, **changes)).name == standing


@pytest.mark.parametrize(
    ("routes", "deleted"),
    [
        pytest.param([MASTER, TENANT, SECOND], ["3scale.d", "second.d"], id="those-that-were-made"),
        pytest.param([MASTER, route("other.d"), route("x.example")], [], id="not-what-the-database-does-not-name"),
        pytest.param([route("master.d", "new")], [], id="not-one-that-took-the-place-of-an-older-one"),
        pytest.param([MASTER, route("master.d", "new", admitted=False)], ["master.d"], id="but-a-second-of-its-host"),
    ],
)
def test_undo_deletes_what_was_made_and_nothing_else(routes: list[RouteSeen], deleted: list[str]) -> None:
    effects = [e for e in STEP_.undo(seen(WELL, *routes), ctx(BEFORE)) if isinstance(e, DeleteRoute)]
    assert [effect.host for effect in effects] == deleted
    assert not {effect.uid for effect in effects} & {MASTER.uid}


def test_every_new_route_is_a_fact() -> None:
    facts = list(STEP_.confirm(seen(WELL, MASTER, TENANT), DONE, ctx(BEFORE)))
    assert [type(fact) for fact in facts] == [RemoteJobExited, RouteAdmitted]
    assert [fact.host for fact in facts if isinstance(fact, RouteAdmitted)] == ["3scale.d"]
    assert [type(f) for f in STEP_.confirm(seen(WELL, MASTER), CLEAR, ctx(BEFORE))] == [RemoteJobExited]
