"""seen -> standing, do, undo, restored: an object from its file, known by the names of its keys."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.effects import ApplyObject as Apply
from orchestrator.effects import PutObjectBack
from orchestrator.port import ObjectSeen
from orchestrator.steps.apply_object import ApplyObject, ObjectPicture
from tests.steps.seeing import ctx, json_of

STEP_ = ApplyObject(
    id="step", title="a step", object_kind="Secret", name="system-smtp", source="system-smtp.json", sha256="abc"
)
STASH = "restore-undo-run-secret-system-smtp"


def seen(uid: str = "u1", **changes: Any) -> ObjectPicture:
    return ObjectPicture(object=ObjectSeen(is_there=True, uid=uid).model_copy(update=changes))


ABSENT = ObjectPicture(object=ObjectSeen(is_there=False, missing=("address",)))
OTHER = seen(differing=("address",))
OURS = seen(stash=STASH)
CREATED = seen("u2")


@pytest.mark.parametrize(
    ("picture", "standing"),
    [
        pytest.param(ABSENT, "clear", id="not-there"),
        pytest.param(OTHER, "clear", id="a-value-differs"),
        pytest.param(seen(missing=("port",)), "clear", id="a-key-is-missing"),
        pytest.param(seen(), "done", id="as-in-the-file"),
        pytest.param(seen(extra=("more",)), "done", id="what-only-the-cluster-has-stays"),
        pytest.param(seen(has_source=False), "torn", id="the-file-is-gone"),
    ],
)
def test_standing(picture: ObjectPicture, standing: str) -> None:
    assert STEP_.standing(picture, ctx()).name == standing


@pytest.mark.parametrize(
    ("picture", "uid"), [pytest.param(ABSENT, "", id="created"), pytest.param(OTHER, "u1", id="replaced")]
)
def test_do_names_the_file_and_never_a_value(picture: ObjectPicture, uid: str) -> None:
    assert list(STEP_.do(picture, ctx())) == [
        Apply(kind="Secret", name="system-smtp", source="system-smtp.json", sha256="abc", uid=uid, stash=STASH)
    ]


@pytest.mark.parametrize(
    ("picture", "uid", "stash"),
    [pytest.param(ABSENT, "", "", id="deleted"), pytest.param(OTHER, "u1", STASH, id="brought-back")],
)
def test_the_recorded_inverse(picture: ObjectPicture, uid: str, stash: str) -> None:
    assert list(STEP_.undo(picture, ctx(picture))) == [PutObjectBack(kind="Secret", name="system-smtp", uid=uid, stash=stash)]


@pytest.mark.parametrize(
    ("picture", "before", "after", "standing"),
    [
        pytest.param(OTHER, OTHER, None, "done", id="nothing-was-kept-so-nothing-was-replaced"),
        pytest.param(OURS, OTHER, OURS, "clear", id="replaced"),
        pytest.param(OTHER, OTHER, OURS, "done", id="brought-back"),
        pytest.param(ABSENT, ABSENT, None, "done", id="never-created"),
        pytest.param(CREATED, ABSENT, CREATED, "clear", id="created"),
        pytest.param(CREATED, ABSENT, None, "clear", id="created-and-not-looked-at-since"),
        pytest.param(ABSENT, ABSENT, CREATED, "done", id="deleted"),
        pytest.param(seen("u3"), ABSENT, CREATED, "torn", id="somebody-has-made-another-one"),
        pytest.param(seen("u2", differing=("address",)), ABSENT, CREATED, "torn", id="created-and-changed-since"),
        pytest.param(seen("u2", has_source=False), ABSENT, CREATED, "torn", id="created-and-the-file-is-gone"),
        pytest.param(seen("u2", extra=("more",)), ABSENT, CREATED, "clear", id="created-and-added-to-by-the-operator"),
        pytest.param(seen(stash=STASH, changed=("address",)), OTHER, OURS, "torn", id="replaced-and-changed-since"),
        pytest.param(seen(stash=STASH, has_source=False), OTHER, OURS, "clear", id="replaced-and-the-file-is-gone"),
    ],
)
def test_the_way_back(
    picture: ObjectPicture, before: ObjectPicture, after: ObjectPicture | None, standing: str
) -> None:
    assert STEP_.restored(picture, ctx(before, after=json_of(after))).name == standing


def test_what_is_being_taken_back_is_not_asked_about() -> None:
    """Between the change and the end of its stash it is as before, and so not as this run left it."""
    assert STEP_.restored(seen(stash=STASH, changed=("address",)), ctx(OTHER, after=json_of(OURS), undo_attempt=1)).name == "clear"


def test_undo_takes_the_object_that_is_there_now() -> None:
    assert list(STEP_.undo(CREATED, ctx(ABSENT))) == [PutObjectBack(kind="Secret", name="system-smtp", uid="u2", stash="")]
    assert list(STEP_.undo(OURS, ctx(OTHER))) == [PutObjectBack(kind="Secret", name="system-smtp", uid="u1", stash=STASH)]


def test_another_run_keeps_it_under_another_name() -> None:
    assert STEP_.stash(ctx(run="run-2")) != STEP_.stash(ctx(run="run-1"))
