"""The plans of the runbook, as text to read; what is in them, and the order in which they are taken back.

tests/core/golden/ holds one plan a release, as `restore plan` lays it out. After a change that is meant,
write them anew with RESTORE_GOLDEN=write in the environment, and read the difference.
"""

from __future__ import annotations

import graphlib
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.drills.model import ModelCluster
from orchestrator.plan import Plan
from orchestrator.redis_conf import switch_saving_off
from orchestrator.runbooks.options import Options
from orchestrator.runbooks.threescale import restore_plan
from orchestrator.steps.copy_into_pod import CopyIntoPod
from orchestrator.steps.roll_out import RollOut

GOLDEN = Path(__file__).parent / "golden"
FLAVOURS = ("2.13", "2.15", "plain")
SCOPES: tuple[tuple[str, ...], ...] = ((), ("backend-redis",), ("system-redis",))


def plan_of(flavour: str, only: tuple[str, ...] = ()) -> Plan:
    cluster = ModelCluster(flavour)
    return restore_plan(cluster.installation(), cluster.bundle(), Options(only=only))


PLANS = [
    pytest.param(plan_of(flavour, only), id=" ".join([flavour, *only])) for flavour in FLAVOURS for only in SCOPES
]


def laid_out(plan: Plan) -> str:
    """A plan as a person reads it: every step with what it needs and which of the guide's commands it is."""
    lines = []
    for step in plan.steps:
        lines.append(f"{step.id}: {step.title}")
        lines += [f"    needs {need}" for need in step.needs]
        lines += [f"    cites {', '.join(step.cites)}"] if step.cites else []
        lines += [f"    applies {step.applies}"] if step.applies else []
    return "\n".join([*lines, *(f"note: {note}" for note in plan.notes)]) + "\n"


def golden(name: str, plan: Plan) -> str:
    """The plan of that name as it was read; written anew where that is wanted."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("RESTORE_GOLDEN") == "write":
        path.write_text(laid_out(plan))
    return path.read_text()


def test_a_redis_that_keeps_nothing_is_told_before_it_is_restarted() -> None:
    """Such as where somebody has begun with the guide by hand, and has saving switched off."""
    cluster = ModelCluster("2.15")
    found = cluster.installation()
    off = found.model_copy(update={"config_text": switch_saving_off(found.config_text)})
    told = [[n for n in restore_plan(seen, cluster.bundle()).notes if "in memory alone" in n] for seen in (found, off)]
    assert [len(notes) for notes in told] == [0, 1]


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("only", SCOPES[:2], ids=["whole", "backend-redis"])
def test_the_plan_is_the_one_that_was_read(flavour: str, only: tuple[str, ...]) -> None:
    assert laid_out(plan_of(flavour, only)) == golden("-".join(["redis", flavour, *only]), plan_of(flavour, only))


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_every_command_of_the_guide_is_one_step(flavour: str) -> None:
    cited = Counter(cite for step in plan_of(flavour).steps for cite in step.cites)
    commands = [f"{section}-{n}" for section in ("9.5.5.1", "9.5.5.2") for n in range(1, 13)]
    # One step may stand for several commands, of both sections even; no command is done by two steps.
    assert cited == Counter(["9.5.4.2", *commands])


def test_one_part_cites_only_its_own_section() -> None:
    cited = {cite.rpartition("-")[0] for step in plan_of("2.15", ("system-redis",)).steps for cite in step.cites}
    assert cited == {"9.5.5.2"}


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_only_one_part_touches_the_other_only_where_the_operator_does(flavour: str) -> None:
    plan = plan_of(flavour, ("backend-redis",))
    others = [step.id for step in plan.steps if "system-redis" in step.id]
    assert plan.parts == ("backend-redis",)
    if flavour != "2.15":
        assert others == ["keep-system-redis-saving"], "looked at, and touched only where it does not save any more"
    else:
        assert others == [
            "save-system-redis-spec", "restart-system-redis-without-saving", "keep-system-redis-appending",
            "restart-system-redis-with-saving",
        ]  # fmt: skip


@pytest.mark.parametrize("plan", PLANS)
def test_the_steps_stand_in_an_order_in_which_they_can_be_done(plan: Plan) -> None:
    seen: set[str] = set()
    for step in plan.steps:
        assert set(step.needs) <= seen, step.id
        seen.add(step.id)


@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_comes_back_from_its_json(plan: Plan) -> None:
    back = Plan.model_validate_json(plan.model_dump_json())
    assert back == plan
    assert back.digest == plan.digest


# ---- the way back --------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", PLANS)
def test_a_step_is_taken_back_after_all_that_rests_on_it(plan: Plan) -> None:
    for step in plan.steps:
        resting = plan.dependents(step.id)
        appliers = {s.id for s in plan.steps if s.applies and step.id in {s.applies, *plan.dependents(s.applies)}}
        assert resting - appliers <= plan.undo_needs[step.id], step.id


@pytest.mark.parametrize("plan", PLANS)
def test_a_restart_puts_an_edit_into_force_on_the_way_back_too(plan: Plan) -> None:
    restarts = [step for step in plan.steps if isinstance(step, RollOut)]
    assert restarts
    for step in restarts:
        assert step.applies in step.needs
        assert step.applies in plan.undo_needs[step.id]
        assert step.id not in plan.undo_needs[step.applies]


def test_steps_that_put_one_change_into_force_keep_their_order_on_the_way_back() -> None:
    """Between the change and those steps lies more: that is taken back first, then the change, then they follow."""
    plan = plan_from(
        step("edit"), step("between", ("edit",)), step("restart", ("edit", "between"), "edit"),
        step("index", ("edit", "restart"), "edit"), step("last", ("index",)),
    )  # fmt: skip
    order = list(graphlib.TopologicalSorter(plan.undo_needs).static_order())
    assert order == ["last", "between", "edit", "restart", "index"]


@pytest.mark.parametrize("plan", PLANS)
def test_every_step_is_reached_on_the_way_back(plan: Plan) -> None:
    back: set[str] = set()
    while more := {name for name, waits in plan.undo_needs.items() if name not in back and waits <= back}:
        back |= more
    assert back == set(plan.by_id)


def step(name: str, needs: tuple[str, ...] = (), applies: str = "") -> CopyIntoPod:
    return CopyIntoPod(
        id=name, title=name, needs=needs, applies=applies, workload_kind="Deployment", workload="w", source=name,
        path=f"/data/{name}", size_bytes=1, sha256="",
    )  # fmt: skip


def plan_from(*steps: CopyIntoPod) -> Plan:
    return Plan(runbook="toy", release="", namespace="n", parts=(), steps=steps)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Any plan that is accepted."""
    steps: list[CopyIntoPod] = []
    for n in range(draw(st.integers(1, 8))):
        needs = tuple(sorted(draw(st.sets(st.sampled_from([s.id for s in steps]), max_size=3)))) if steps else ()
        steps.append(step(f"s{n}", needs, draw(st.sampled_from(["", *needs]))))
    try:
        return plan_from(*steps)
    except ValidationError:  # two steps that put changes into force can stand in each other's way back
        reject()


@given(plans())
def test_any_plan_can_be_taken_back_in_some_order(plan: Plan) -> None:
    test_every_step_is_reached_on_the_way_back(plan)
    test_a_step_is_taken_back_after_all_that_rests_on_it(plan)


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        pytest.param([step("a"), step("a")], "two steps have one id", id="doubled"),
        pytest.param([step("a", ("b",))], "needs b, which is not in the plan", id="needs-nobody"),
        pytest.param([step("a", ("b",)), step("b", ("a",))], "cycle", id="circle"),
        pytest.param([step("a", (), "b")], "applies b, which it does not need", id="applies-nobody"),
        pytest.param([step("a"), step("b", (), "a")], "applies a, which it does not need", id="applies-unneeded"),
        pytest.param(
            [step("a"), step("b", ("a",), "a"), step("c", ("a", "b"), "b")], "cycle", id="no-way-back"
        ),
    ],
)
def test_a_plan_that_cannot_be_carried_out(steps: list[CopyIntoPod], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        plan_from(*steps)
