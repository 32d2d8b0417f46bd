"""seen -> standing, do, undo: the pod of ours by which a volume was reached, and its end."""

from __future__ import annotations

import pytest

from orchestrator import effects as fx
from orchestrator.port import WorkloadSeen
from orchestrator.steps.remove_helper import HelperPicture, RemoveHelper
from tests.steps.seeing import ctx

STEP_ = RemoveHelper(id="step", title="a step")
THERE = HelperPicture(helper=WorkloadSeen(kind="Pod", replicas=1, is_complete=False, pods=0))
GOING = HelperPicture(helper=WorkloadSeen(kind="Pod", replicas=0, is_complete=False, waiting_for="it is still stopping"))
GONE = HelperPicture(helper=None)


@pytest.mark.parametrize(("picture", "standing"), [(THERE, "clear"), (GOING, "busy"), (GONE, "done")], ids=["there", "going", "gone"])
def test_standing_is_the_same_out_and_back(picture: HelperPicture, standing: str) -> None:
    assert STEP_.standing(picture, ctx()).name == STEP_.restored(picture, ctx()).name == standing


def test_only_the_pod_of_this_run_is_deleted() -> None:
    wanted = [fx.RemoveHelper(helper="restore-helper-run-7", run="run-7")]
    assert list(STEP_.do(THERE, ctx(run="run-7"))) == list(STEP_.undo(THERE, ctx(run="run-7"))) == wanted
