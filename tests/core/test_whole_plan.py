"""The plan of a whole restore, by release: as it was read, with every command of the guide, in an order that holds.

guide.txt has the id of every command of guide 9.5 with one line on it. Golden plans are made as in test_plan.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.drills.histories import begin_whole
from orchestrator.drills.model import WholeCluster
from orchestrator.drills.model.apps import NEED_SYSTEM_APP
from orchestrator.plan import Plan
from orchestrator.port import ObjectSeen
from orchestrator.rights import IN_POD_KINDS
from orchestrator.runbooks import apps
from orchestrator.runbooks.objects import object_notes
from orchestrator.runbooks.options import Options
from orchestrator.runbooks.threescale import LEFT_OUT, restore_plan
from orchestrator.steps.base import LookingStep
from orchestrator.steps.check_workloads import CheckWorkloads
from tests.core.test_plan import golden, laid_out
from tests.core.test_whole import SHAPES, begin

READ = (
    "2.11", "2.13", "2.13-postgresql", "2.14-queues-dropped", "2.15", "2.15-postgresql-with-objects", "fresh", "only-zync",
)  # fmt: skip
WHOLE = [name for name, shape in SHAPES.items() if not shape.options.only and not shape.is_fresh]
GUIDE = dict(
    line.split("  ", 1) for line in (Path(__file__).parent / "guide.txt").read_text().splitlines()
)


def needed_by(plan: Plan, name: str) -> set[str]:
    """Everything that has to have ended before a step."""
    return {other for other in plan.by_id if name in plan.dependents(other)}


# ---- as it was read ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", READ)
def test_the_plan_is_the_one_that_was_read(name: str) -> None:
    plan = begin(name).plan
    assert laid_out(plan) == golden(f"whole-{name}", plan)


@pytest.mark.parametrize("name", SHAPES)
def test_the_steps_stand_in_an_order_in_which_they_can_be_done(name: str) -> None:
    seen: set[str] = set()
    for step in begin(name).plan.steps:
        assert set(step.needs) <= seen, step.id
        seen.add(step.id)


@pytest.mark.parametrize("name", SHAPES)
def test_a_plan_comes_back_from_its_json(name: str) -> None:
    plan = begin(name).plan
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


# ---- every command of the guide ------------------------------------------------------------------------


def cited(*names: str) -> set[str]:
    return {cite for name in names for step in begin(name).plan.steps for cite in step.cites}


@pytest.mark.parametrize("name", ["2.13", "2.15"])
def test_every_command_of_the_guide_is_in_the_plans(name: str) -> None:
    """A first run makes the installation, a second restores what it holds."""
    assert GUIDE.keys() - cited(name, "fresh") - LEFT_OUT.keys() == set()


def test_what_is_left_out_is_in_the_guide_and_says_why() -> None:
    assert LEFT_OUT.keys() <= GUIDE.keys()
    assert all(LEFT_OUT.values())
    assert not LEFT_OUT.keys() & cited(*SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_no_step_cites_what_the_guide_does_not_have(name: str) -> None:
    assert cited(name) - GUIDE.keys() == set()


# ---- the order ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WHOLE)
def test_nothing_needs_a_pod_of_system_app(name: str) -> None:
    """It is scaled to 0 while the data is restored (T3)."""
    plan = begin(name).plan
    assert [s.id for s in plan.steps if s.kind in IN_POD_KINDS and getattr(s, "workload", "") == "system-app"] == []


@pytest.mark.parametrize("name", WHOLE)
def test_all_data_is_restored_while_system_app_is_stopped(name: str) -> None:
    plan = begin(name).plan
    data = {"save_database", "load_dump", "sync_directory", "edit_configmap", "roll_out", "apply_object"}
    steps = [step.id for step in plan.steps if step.kind in data]
    stopped, started = plan.dependents(apps.GATE), needed_by(plan, "scale-up-system-app")
    assert steps
    assert set(steps) <= stopped & started
    early = {step.id for step in plan.steps} - stopped - {apps.GATE}
    assert {plan.step(s).kind for s in early} <= {"save_manager_spec", "save_replica_spec", "copy_into_pod", "decide_queues"}


@pytest.mark.parametrize("name", SHAPES)
def test_zync_database_is_never_restarted(name: str) -> None:
    """Its data is on no volume (T5)."""
    restarting = {"roll_out", "restart_workload", "scale_workload"}
    for step in begin(name).plan.steps:
        assert step.kind not in restarting or getattr(step, "workload", "") != "zync-database"


@pytest.mark.parametrize("name", WHOLE)
def test_what_waits_for_system_app_is_restarted_after_it(name: str) -> None:
    plan = begin(name).plan
    for app in NEED_SYSTEM_APP:  # T11
        if f"restart-{app}" in plan.by_id:
            assert "restart-system-app" in needed_by(plan, f"restart-{app}")
    assert "restart-apicast-production" not in plan.by_id


@pytest.mark.parametrize("name", WHOLE)
def test_the_routes_are_the_last_that_is_changed(name: str) -> None:
    plan = begin(name).plan
    changing = {step.id for step in plan.steps if not isinstance(step, LookingStep)}
    assert changing - {"resync-routes"} <= needed_by(plan, "resync-routes")


@pytest.mark.parametrize("name", SHAPES)
def test_nothing_is_scaled_or_restarted_before_its_spec_is_saved(name: str) -> None:
    plan = begin(name).plan
    for step in plan.steps:
        if step.kind in ("scale_workload", "restart_workload"):
            assert f"save-{step.workload}-spec" in needed_by(plan, step.id)


@pytest.mark.parametrize("name", ["2.13", "2.15"])
def test_the_parts_are_restored_side_by_side(name: str) -> None:
    plan = begin(name).plan
    side_by_side = ["load-system-database", "sync-system-storage", "load-zync", "restart-backend-redis-to-load", "restart-system-redis-to-load"]
    for one in side_by_side:
        assert not needed_by(plan, one) & set(side_by_side)


def test_zync_and_zync_que_both_come_back() -> None:
    plan = begin("2.13").plan
    assert {"scale-up-zync", "scale-up-zync-que"} <= needed_by(plan, "resync-routes")


@pytest.mark.parametrize("name", ["2.13", "2.15"])
def test_objects_are_there_before_whoever_reads_them_starts(name: str) -> None:
    plan = begin_whole(name, Options(with_objects=True)).plan
    applied = {step.id for step in plan.steps if step.kind == "apply_object"}
    assert len(applied) == 3, "not redis-config, which each edit restarts both Redis for, and not the APIManager"
    for start in ("scale-up-system-app", "restart-system-sidekiq", "restart-backend-worker", "scale-up-zync", "scale-up-zync-que"):
        assert applied <= needed_by(plan, start), start


# ---- what an installation is decides ---------------------------------------------------------------------


def plan_with(**changes: dict[str, Any]) -> Plan:
    """2.13, one of its programs changed: by name, what differs."""
    cluster = WholeCluster("2.13")
    found = cluster.installation()
    changed = {name.replace("_", "-"): change for name, change in changes.items()}
    programs = tuple(app.model_copy(update=changed.get(app.name, {})) for app in found.apps)
    return restore_plan(found.model_copy(update={"apps": programs}), cluster.bundle())


def test_a_program_that_was_stopped_is_left_stopped() -> None:
    plan = plan_with(backend_cron={"replicas": 0}, system_sphinx={"replicas": 0})
    assert not {"restart-backend-cron", "restart-system-sphinx"} & plan.by_id.keys()
    assert {"restart-backend-worker", "restart-backend-listener", "resync-routes"} <= plan.by_id.keys()


def test_where_system_app_was_stopped_nothing_that_waits_for_it_is_restarted() -> None:
    plan = plan_with(system_app={"replicas": 0})
    assert not {"restart-system-app", "restart-system-sidekiq", "resync-routes"} & plan.by_id.keys()
    assert "replicas=0" in " ".join(plan.step("scale-up-system-app").shell("oc"))


@pytest.mark.parametrize(
    ("parts", "is_there"),
    [
        pytest.param(("system-storage",), False, id="files"),
        pytest.param(("system-storage", "backend-redis"), False, id="files-and-keys"),
        pytest.param(("system-storage", "zync"), True, id="zync"),
        pytest.param(("system-database",), True, id="the-system-database"),
    ],
)
def test_routes_are_made_where_what_they_are_made_from_is_restored(parts: tuple[str, ...], is_there: bool) -> None:
    plan = begin_whole("2.15", Options(only=parts)).plan
    assert ("resync-routes" in {step.id for step in plan.steps}) == is_there
    assert plan.steps[-1].id == "check-workloads"


def test_what_is_scaled_by_an_autoscaler_is_not_compared() -> None:
    plan = plan_with(backend_listener={"is_autoscaled": True})
    check = plan.step("check-workloads")
    assert isinstance(check, CheckWorkloads)
    assert "backend-listener" not in {original.name for original in check.originals}
    assert "backend-worker" in {original.name for original in check.originals}


@pytest.mark.parametrize(
    ("shape", "parts"),
    [
        pytest.param("2.15-database-elsewhere", ("system-storage", "backend-redis", "system-redis"), id="databases"),
        pytest.param("2.15-redis-elsewhere", ("system-database", "system-storage", "zync"), id="redis"),
        pytest.param("2.14-object-store", ("system-database", "zync", "backend-redis", "system-redis"), id="s3"),
    ],
)
def test_what_is_elsewhere_is_left_out_and_said(shape: str, parts: tuple[str, ...]) -> None:
    plan = begin(shape).plan
    assert plan.parts == parts
    assert len([note for note in plan.notes if "left out" in note]) >= 5 - len(parts)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(Options(), ("restore", "the default"), id="not-asked"),
        pytest.param(Options(queues="restore", queues_by="ann", queues_reason="billing"), ("restore", "ann"), id="restored"),
        pytest.param(Options(queues="drop", queues_by="ann", queues_reason="mails"), ("drop", "ann"), id="dropped"),
    ],
)
def test_the_queues_are_decided_by_a_name(options: Options, said: tuple[str, str]) -> None:
    plan = begin_whole("2.13", options).plan
    decided = plan.step("decide-queues")
    assert (decided.verdict, decided.by) == said  # type: ignore[union-attr]
    assert ("flush-backend-redis-queues" in plan.by_id) == (said[0] == "drop")


@pytest.mark.parametrize(
    ("what", "is_there", "are_applied", "words"),
    [
        ("Secret system-smtp", True, True, "it is replaced, key by key"),
        ("Secret system-smtp", False, True, "it is created"),
        ("Secret system-smtp", False, False, "it is left so (--with-objects creates it)"),
        ("ConfigMap redis-config", True, True, "it is never replaced in place: compare it by hand"),
        ("ConfigMap redis-config", False, True, "it is not created by this plan"),
    ],
)
def test_a_note_says_what_becomes_of_an_object(what: str, is_there: bool, are_applied: bool, words: str) -> None:
    """Said of what differs, in the words of `restore plan`."""
    found = WholeCluster("2.15").installation()
    seen = ObjectSeen(is_there=is_there, differing=("a",) if is_there else ())
    notes = object_notes(found.model_copy(update={"objects": {what: seen}}), are_applied=are_applied)
    assert next(notes) == f"{what} {'differs from the bundle in a' if is_there else 'is not there'}; {words}"
