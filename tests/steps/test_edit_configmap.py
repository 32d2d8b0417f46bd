"""seen -> standing, do, undo, restored: saving off and back in the one ConfigMap of both Redis."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.effects import EditConfigMap as Edit
from orchestrator.port import ConfigMapSeen, FileSeen, WorkloadSeen
from orchestrator.redis_conf import saves_nothing, switch_saving_off
from orchestrator.steps.edit_configmap import ConfigMapPicture, EditConfigMap, Follower, Proof
from tests.steps.seeing import EMPTY, FILE, ROLLING, RUNNING, at, ctx, json_of

ORIGINAL = "save 900 1\nappendonly yes\n"
OFF = switch_saving_off(ORIGINAL)
COMMENTED = "#save 900 1\nappendonly no\n"
FIELDS: dict[str, Any] = {"title": "edit", "configmap": "redis-config", "key": "redis.conf"}
FOLLOWED = {"followers": (Follower(kind="Deployment", name="backend-redis"),)}
PROOF = Proof(kind="Deployment", workload="backend-redis", path="/data/manifest")

SWITCH_OFF = EditConfigMap(**FIELDS, id="off", edit="saving-off")
SWITCH_OFF_215 = SWITCH_OFF.model_copy(update=FOLLOWED)
SWITCH_BACK = EditConfigMap(**FIELDS, id="back", edit="saving-back", original_of="off", proofs=(PROOF,))
SWITCH_BACK_215 = SWITCH_BACK.model_copy(update=FOLLOWED)


def seen(text: str | None, follower: WorkloadSeen | None = None, proof: FileSeen | None = None) -> ConfigMapPicture:
    return ConfigMapPicture(
        configmap=ConfigMapSeen(resource_version="7", text=text),
        followers={"backend-redis": follower} if follower else {},
        proofs={"backend-redis": proof},
    )


def pictures(text: str | None = ORIGINAL) -> dict[str, Any]:
    return {} if text is None else {"off": json_of(seen(text))}


OLD, CURRENT = at(RUNNING, config_version="6"), at(RUNNING, config_version="7")


@pytest.mark.parametrize(
    ("step", "picture", "standing"),
    [
        pytest.param(SWITCH_OFF, seen(ORIGINAL), "clear", id="it-saves"),
        pytest.param(SWITCH_OFF, seen(OFF), "done", id="off"),
        pytest.param(SWITCH_OFF, seen(COMMENTED), "clear", id="the-guide-followed-to-the-letter-is-not-off"),
        pytest.param(SWITCH_OFF, seen(""), "clear", id="an-empty-text-saves-by-default"),
        pytest.param(SWITCH_OFF, seen(None), "torn", id="the-key-is-gone"),
        pytest.param(SWITCH_OFF, ConfigMapPicture(configmap=None), "torn", id="the-configmap-is-gone"),
        # Trap T2: the edit is done when those whom the operator restarts for it are restarted.
        pytest.param(SWITCH_OFF_215, seen(ORIGINAL, CURRENT), "clear", id="2.15-it-saves"),
        pytest.param(SWITCH_OFF_215, seen(OFF, OLD), "busy", id="2.15-the-operator-has-not-restarted-it"),
        pytest.param(
            SWITCH_OFF_215, seen(OFF, at(ROLLING, config_version="7")), "busy", id="2.15-it-is-being-restarted"
        ),
        pytest.param(SWITCH_OFF_215, seen(OFF, CURRENT), "done", id="2.15-it-was-restarted"),
    ],
)
def test_switching_off(step: EditConfigMap, picture: ConfigMapPicture, standing: str) -> None:
    assert step.standing(picture, ctx()).name == standing


@pytest.mark.parametrize(
    ("picture", "original", "standing"),
    [
        pytest.param(seen(OFF, proof=FILE), ORIGINAL, "clear", id="off-and-there-is-an-aof"),
        # redis/redis#1826: started with `appendonly yes` and no AOF, a server is empty.
        pytest.param(seen(OFF, proof=None), ORIGINAL, "torn", id="off-and-there-is-no-aof"),
        pytest.param(seen(OFF, proof=EMPTY), ORIGINAL, "torn", id="off-and-the-aof-is-empty"),
        pytest.param(seen(ORIGINAL, proof=FILE), ORIGINAL, "torn", id="back-by-somebody-else"),
        pytest.param(seen(OFF, proof=FILE), None, "done", id="it-was-off-before-we-came"),
        pytest.param(seen(None), ORIGINAL, "torn", id="the-key-is-gone"),
    ],
)
def test_switching_back(picture: ConfigMapPicture, original: str | None, standing: str) -> None:
    assert SWITCH_BACK.standing(picture, ctx(pictures=pictures(original))).name == standing


@pytest.mark.parametrize("text", [ORIGINAL, ORIGINAL + "port 1\n"], ids=["back", "back-and-edited-elsewhere"])
def test_brought_back_by_us(text: str) -> None:
    begun = ctx(seen(OFF, proof=FILE), pictures=pictures())
    assert SWITCH_BACK.standing(seen(text, proof=FILE), begun).name == "done"


@pytest.mark.parametrize(
    ("picture", "standing"),
    [
        pytest.param(seen(OFF), "done", id="off"),
        pytest.param(seen(ORIGINAL), "clear", id="on-by-somebody-else"),
        pytest.param(seen(None), "torn", id="the-key-is-gone"),
    ],
)
def test_on_the_way_back_saving_is_off_first(picture: ConfigMapPicture, standing: str) -> None:
    """Where this run never brought it back, and somebody did: the files are not put back under it."""
    assert SWITCH_BACK.restored(picture, ctx(pictures=pictures())).name == standing
    if standing == "clear":
        (edit,) = SWITCH_BACK.undo(picture, ctx(pictures=pictures()))
        assert isinstance(edit, Edit)
        assert saves_nothing(edit.text)


@pytest.mark.parametrize(
    ("picture", "standing"),
    [
        pytest.param(seen(ORIGINAL), "done", id="as-before"),
        pytest.param(seen(OFF), "clear", id="ours"),
        pytest.param(seen(OFF + "port 1\n"), "clear", id="ours-and-edited-elsewhere"),
        pytest.param(seen("save 1 1\nappendonly yes\n"), "torn", id="somebody-elses"),
        pytest.param(seen(None), "torn", id="the-key-is-gone"),
        pytest.param(ConfigMapPicture(configmap=None), "torn", id="the-configmap-is-gone"),
    ],
)
def test_the_way_back(picture: ConfigMapPicture, standing: str) -> None:
    assert SWITCH_OFF.restored(picture, ctx(seen(ORIGINAL))).name == standing


def test_the_way_back_waits_for_the_operator_too() -> None:
    before = ctx(seen(ORIGINAL, CURRENT))
    assert SWITCH_OFF_215.restored(seen(ORIGINAL, OLD), before).name == "busy"
    assert SWITCH_OFF_215.restored(seen(ORIGINAL, CURRENT), before).name == "done"


def edit(expected: str, text: str) -> Edit:
    return Edit(configmap="redis-config", key="redis.conf", expected=expected, text=text)


def test_do_edits_only_what_was_seen() -> None:
    assert list(SWITCH_OFF.do(seen(ORIGINAL), ctx())) == [edit(ORIGINAL, OFF)]
    assert list(SWITCH_BACK.do(seen(OFF), ctx(pictures=pictures()))) == [edit(OFF, ORIGINAL)]


def test_undo_brings_back_the_text_of_the_first_picture() -> None:
    assert list(SWITCH_OFF.undo(seen(OFF), ctx(seen(ORIGINAL)))) == [edit(OFF, ORIGINAL)]
    assert list(SWITCH_OFF.undo(seen(ORIGINAL), ctx(seen(ORIGINAL)))) == [edit(OFF, ORIGINAL)]


def test_undo_keeps_what_somebody_else_added_meanwhile() -> None:
    """Our edit is taken back, and nothing but our edit."""
    (effect,) = SWITCH_OFF.undo(seen(OFF + "port 1\n"), ctx(seen(ORIGINAL)))
    assert isinstance(effect, Edit)
    assert "port 1" in effect.text
    assert "save 900 1\n" in effect.text


def test_undo_of_switching_back_keeps_it_too() -> None:
    before = ctx(seen(OFF), pictures=pictures())
    (effect,) = SWITCH_BACK.undo(seen("port 1\n" + ORIGINAL), before)
    assert isinstance(effect, Edit)
    assert "port 1\n" in effect.text
    assert SWITCH_BACK.restored(seen(effect.text), before).name == "done"
