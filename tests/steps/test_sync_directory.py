"""seen -> standing, do, undo, restored: a directory brought into a pod, and its stash."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.effects import PutTreeBack, RemoveHelper, StartHelper, SyncTree
from orchestrator.port import TreeSeen, WorkloadSeen
from orchestrator.steps.sync_directory import SyncDirectory, TreePicture
from tests.steps.seeing import RESTARTED, ROLLING, RUNNING, STEP, WHERE, at, ctx

STEP_ = SyncDirectory(**STEP, source="system", path="/opt/system", digest="abc")
STASH = "/opt/system/.replaced-by-run"


UNREADY = at(ROLLING, pod="", container="")
HELPING = WorkloadSeen(kind="Pod", replicas=1, pods=1, is_complete=True, pod="restore-helper-run", container="h1")
COMING = at(HELPING, is_complete=False, pod="", container="", waiting_for="pod restore-helper-run: ContainerCreating")
GOING, OVER = at(COMING, replicas=0), at(COMING, pods=0)


def seen(**tree: Any) -> TreePicture:
    return TreePicture(workload=RUNNING, tree=TreeSeen(**{"same": 3, "missing": 0, "differing": 0, **tree}))


@pytest.mark.parametrize(
    ("picture", "standing", "restored"),
    [
        pytest.param(seen(missing=2, differing=1), "clear", "done", id="nothing-was-copied"),
        pytest.param(seen(missing=1, has_stash=True, created=1), "clear", "clear", id="some-were"),
        pytest.param(seen(has_stash=True, created=2, replaced=1), "done", "clear", id="all-were"),
        pytest.param(seen(extra=4), "done", "done", id="it-was-the-same-before"),
        pytest.param(seen(missing=2, has_stash=True), "clear", "clear", id="put-back-but-for-the-stash"),
        pytest.param(TreePicture(workload=UNREADY), "clear", "clear", id="nothing-serves"),
        pytest.param(TreePicture(workload=UNREADY, helper=COMING), "busy", "busy", id="the-helper-is-coming"),
        pytest.param(TreePicture(workload=UNREADY, helper=GOING), "busy", "busy", id="the-helper-is-going"),
        pytest.param(TreePicture(workload=UNREADY, helper=OVER), "clear", "clear", id="the-helper-has-ended"),
        pytest.param(TreePicture(workload=None), "busy", "busy", id="the-workload-is-gone"),
    ],
)
def test_standing(picture: TreePicture, standing: str, restored: str) -> None:
    assert STEP_.standing(picture, ctx()).name == standing
    assert STEP_.restored(picture, ctx(seen(missing=2, differing=1))).name == restored


def test_what_was_changed_since_is_asked_about_until_it_is_being_taken_back() -> None:
    changed = seen(has_stash=True, created=2, changed=4, changed_names=("a", "b", "c"))
    found = STEP_.restored(changed, ctx(seen(missing=2)))
    assert (found.name, found.reason) == ("torn", "4 of what this run brought to /opt/system was changed since: a, b, c")
    assert STEP_.restored(changed, ctx(seen(missing=2), undo_attempt=1)).name == "clear"


def test_without_the_bundle_nothing_is_copied_and_all_can_be_taken_back() -> None:
    assert STEP_.standing(seen(has_source=False), ctx()).name == "torn"
    assert STEP_.restored(seen(has_source=False, has_stash=True), ctx(seen(missing=2))).name == "clear"


def test_do_and_undo_name_the_pod_that_was_seen() -> None:
    assert list(STEP_.do(seen(missing=1), ctx())) == [
        SyncTree(source="system", path="/opt/system", stash=STASH, digest="abc", **WHERE)
    ]
    (effect,) = STEP_.undo(TreePicture(workload=RESTARTED, tree=seen().tree), ctx(seen()))
    assert isinstance(effect, PutTreeBack)
    assert (effect.path, effect.stash, effect.pod) == ("/opt/system", STASH, "backend-redis-2")


def test_the_recorded_inverse_is_the_stash() -> None:
    assert list(STEP_.undo(seen(missing=1), ctx(seen(missing=1)))) == [PutTreeBack(path="/opt/system", stash=STASH, **WHERE)]


def test_a_helper_is_started_where_no_pod_is_ready_and_worked_in_once_it_serves() -> None:
    start = StartHelper(kind="Deployment", workload="backend-redis", path="/opt/system", helper="restore-helper-run", run="run")
    alone = TreePicture(workload=UNREADY)
    assert list(STEP_.do(alone, ctx())) == list(STEP_.undo(alone, ctx(alone))) == [start]
    ended = TreePicture(workload=UNREADY, helper=OVER)
    assert list(STEP_.do(ended, ctx())) == [RemoveHelper(helper="restore-helper-run", run="run"), start]
    served = TreePicture(workload=UNREADY, helper=HELPING, tree=seen(missing=1).tree)
    (effect,) = STEP_.do(served, ctx(alone))
    assert isinstance(effect, SyncTree)
    assert (effect.kind, effect.pod, effect.container) == ("Pod", "restore-helper-run", "h1")


def test_a_ready_pod_serves_though_another_is_on_its_way() -> None:
    assert STEP_.standing(TreePicture(workload=ROLLING, tree=seen(missing=1).tree), ctx()).name == "clear"


def test_another_run_has_another_stash() -> None:
    assert STEP_.stash(ctx(run="run-2")) != STEP_.stash(ctx(run="run-1"))
