"""Restores of a whole installation on the model: as they should go, taken back, and with deaths at their boundaries.

Every boundary of the way out is tried for two releases. Where all of them would take long, a stride of them
is, from an offset that the run prints; with RESTORE_EXHAUSTIVE=1 in the environment it is every one.
"""

from __future__ import annotations

import os
import random
from dataclasses import replace
from functools import cache
from typing import Any, cast

import pytest

from orchestrator import events as ev
from orchestrator.drift import three_way
from orchestrator.drills.histories import START, TURNED, History, go_on, opened, resumed, turned
from orchestrator.drills.model import WholeCluster
from orchestrator.drills.model.apps import PATHS, put
from orchestrator.drills.model.contents import CONTENTS, DEFAULT_HOSTS
from orchestrator.drills.model.storage import OBJECTS, TREE
from orchestrator.drills.swarm import Shape
from orchestrator.port import Cluster
from orchestrator.runbooks.options import Options
from orchestrator.runbooks.threescale import restore_plan
from orchestrator.turning import questions
from tests.conftest import Tally

IS_EXHAUSTIVE = os.environ.get("RESTORE_EXHAUSTIVE") == "1"

SHAPES = {
    "2.11": Shape("2.11"),
    "2.13": Shape("2.13"),
    "2.13-three-replicas-in-the-apimanager": Shape("2.13", original=3),
    "2.13-postgresql": Shape("2.13", engine="postgresql"),
    "2.14-queues-dropped": Shape("2.14", Options(queues="drop")),
    "2.15": Shape("2.15"),
    "2.15-two-replicas-in-the-apimanager": Shape("2.15", original=2),
    "2.15-postgresql-with-objects": Shape("2.15", Options(with_objects=True), engine="postgresql"),
    "2.15-database-elsewhere": Shape("2.15", external=("system-database", "zync")),
    "2.15-redis-elsewhere": Shape("2.15", external=("backend-redis", "system-redis")),
    "2.14-object-store": Shape("2.14", is_s3=True),
    "only-system-database": Shape("2.15", Options(only=("system-database",))),
    "only-zync": Shape("2.13", Options(only=("zync",))),
    "only-system-storage": Shape("2.13", Options(only=("system-storage",))),
    "only-backend-redis": Shape("2.15", Options(only=("backend-redis",), queues="drop")),
    "only-objects": Shape("2.15", Options(only=("objects",))),
    "fresh": Shape("2.15", is_fresh=True),
}
MAIN = ("2.13", "2.15")  # tried at every boundary, by the matrix of deaths (tests/drills/test_matrix.py)
OTHERS = [name for name in SHAPES if name not in MAIN]


EVERYTHING: Cluster = WholeCluster()  # by its types too: every verb of a Reader, and perform


def begin(name: str) -> History:
    return SHAPES[name].begin()


def carried_out(name: str, seed: int = 0) -> History:
    history = begin(name)
    history.live(opened(history.plan), seed=seed)
    return history


def world(history: History) -> WholeCluster:
    return cast(WholeCluster, history.cluster)


@cache
def beginning(name: str) -> dict[str, Any]:
    history = begin(name)
    return world(history).owned(history.plan.parts)


@cache
def end(name: str) -> dict[str, Any]:
    return world(carried_out(name)).digest()


def is_as_in_the_beginning(history: History, name: str) -> bool:
    return world(history).owned(history.plan.parts) == beginning(name)


def some(deaths: list[History], stride: int) -> tuple[list[tuple[int, History]], str]:
    """Every death, or every n-th from an offset of chance; and how to say which."""
    if IS_EXHAUSTIVE:
        return list(enumerate(deaths)), "each"
    stride = max(1, min(stride, len(deaths) // 4))
    offset = random.randrange(stride)
    return list(enumerate(deaths))[offset::stride], f"every {stride}th from {offset}"


# ---- as it should go -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHAPES)
def test_an_uninterrupted_restore_finishes(name: str) -> None:
    history = carried_out(name)
    assert history.state().closed == "finished", history.state().reason
    before, after = beginning(name), world(history).digest()
    if not SHAPES[name].is_fresh:
        assert {k: after[k] for k in ("spec", "replicas", "hooks", "text")} == {k: before[k] for k in ("spec", "replicas", "hooks", "text")}


@pytest.mark.parametrize("name", [name for name, shape in SHAPES.items() if not (shape.options.only or shape.is_fresh)])
def test_afterwards_everything_is_as_in_the_bundle(name: str) -> None:
    history, shape = carried_out(name), SHAPES[name]
    cluster = world(history)
    for database in cluster.databases.values():
        assert database.content == CONTENTS[database.name, "new"]
    for redis, server in cluster.servers.items():
        wanted = {k: v for k, v in cluster.new[redis].items() if not (is_dropped(shape, redis) and k.startswith("queue:"))}
        assert server.data.items() >= wanted.items()
        assert server.aof == server.data
        assert not is_dropped(shape, redis) or "queue:new" not in server.data
    if "system" in cluster.databases and "backend-redis" in cluster.servers:
        assert cluster.servers["backend-redis"].data["service:3"] == "1", "the post hook wrote what the backup lacked"
    if not shape.is_s3:
        assert cluster.tree_files == TREE | {"only-here.txt": "stays"}
    assert cluster.cached == ("new system" if "system" in cluster.databases else "")
    if shape.release in ("2.14", "2.15"):
        assert cluster.index == ("new system" if "system" in cluster.databases else "elsewhere")


def is_dropped(shape: Shape, redis: str) -> bool:
    return shape.options.queues == "drop" and redis == "backend-redis"


@pytest.mark.parametrize("name", MAIN)
def test_afterwards_every_host_of_the_database_has_a_route(name: str) -> None:
    routes = world(carried_out(name)).routes_of
    hosts = {h for h in CONTENTS["system", "new"].hosts if h.endswith(".apps.example")}
    assert set(routes) == hosts > set(DEFAULT_HOSTS)
    assert all(route.is_admitted for route in routes.values())


def test_objects_are_replaced_by_key_and_redis_config_is_left_alone() -> None:
    cluster = world(carried_out("2.15-postgresql-with-objects"))
    assert cluster.objects["Secret/system-smtp"] == OBJECTS["Secret/system-smtp"] | {"extra": "stays"}
    assert "ConfigMap/redis-config" not in cluster.objects


# ---- and back ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHAPES)
def test_a_finished_restore_is_taken_back(name: str) -> None:
    history = carried_out(name)
    history.live(TURNED)
    assert history.state().closed == "rolled back", history.state().reason
    assert is_as_in_the_beginning(history, name)


@pytest.mark.parametrize("name", ["2.13", "2.15"])
def test_the_second_of_two_restores_is_taken_back_and_then_the_first(name: str) -> None:
    """What an earlier run has left to be known by comes back with it."""
    first = carried_out(name)
    after_first = sql_of(first)
    second = History(first.cluster, first.plan, run="later")
    second.live(opened(second.plan))
    second.live(TURNED)
    assert second.state().closed == "rolled back", second.state().reason
    assert sql_of(second) == after_first
    first.live(TURNED)
    assert first.state().closed == "rolled back", first.state().reason
    assert is_as_in_the_beginning(first, name)


def sql_of(history: History) -> dict[str, Any]:
    return {key: world(history).digest()[key] for key in ("databases", "volumes", "tree", "routes", "spec", "replicas")}


# ---- deaths ---------------------------------------------------------------------------------------


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", OTHERS)
def test_one_death_somewhere(name: str, tally: Tally) -> None:
    chosen, how = some(begin(name).deaths(resumed, seed=2), 23)
    for n, history in chosen:
        assert go_on(history, resumed, seed=n).closed == "finished", (n, history.state().reason)
        assert world(history).digest() == end(name), n
    tally(f"{name}, whole: died at {how} of the moments, resumed, same end ({len(chosen)})")


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", OTHERS)
def test_rollback_from_a_prefix(name: str, tally: Tally) -> None:
    deaths = [dead for dead in begin(name).deaths(resumed, seed=3) if dead.records]
    chosen, how = some(deaths, 29)
    for n, history in chosen:
        assert go_on(history, turned, seed=n).closed == "rolled back", (n, history.state().reason)
        assert is_as_in_the_beginning(history, name), n
    tally(f"{name}, whole: rolled back from {how} of {len(deaths)} prefixes, same as the beginning")


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["2.13-postgresql", "2.15-postgresql-with-objects"])
def test_a_rollback_that_dies(name: str, tally: Tally) -> None:
    deaths = carried_out(name).deaths(turned, seed=4)
    assert len(deaths) > 80, "too few boundaries to be a whole rollback"
    chosen, how = some(deaths, 5)
    for n, history in chosen:
        assert go_on(history, turned, seed=n).closed == "rolled back", (n, history.state().reason)
        assert is_as_in_the_beginning(history, name), n
    tally(f"{name}, whole: a rollback died at {how} of {len(deaths)} moments, resumed, same as the beginning")


# ---- a load that the server refuses ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["2.13", "2.13-postgresql"])
def test_a_load_that_ends_with_an_error_is_asked_about(name: str) -> None:
    history = begin(name)
    world(history).doomed_jobs = 1
    state = go_on(history, resumed)
    assert (state.closed, state.needs) == ("paused", "decision")
    (asked,) = [fact for fact in history.facts() if isinstance(fact, ev.DecisionAsked)]
    assert "ERROR 1064" in asked.question
    ended = [fact.code for fact in history.facts() if isinstance(fact, ev.RemoteJobExited) and fact.step == asked.step]
    assert [code for code in ended if code] != []
    answer = ev.DecisionRecorded(step=asked.step, verdict="not-done", reason="there is room again", by="test")
    history.live([answer, *resumed(history)])
    assert history.state().closed == "finished", history.state().reason
    assert world(history).digest() == end(name)


@pytest.mark.parametrize("name", ["2.13", "2.13-postgresql"])
def test_a_load_that_ended_with_an_error_is_taken_back(name: str) -> None:
    history = begin(name)
    world(history).doomed_jobs = 1
    go_on(history, resumed)
    assert go_on(history, turned).closed == "rolled back", history.state().reason
    assert is_as_in_the_beginning(history, name)


def left_out(step: str) -> ev.Fact:
    return ev.DecisionRecorded(step=step, verdict="skip", reason="not now", by="test")


def test_a_load_that_was_left_out_is_missed_by_the_check_that_needs_it() -> None:
    history = begin("2.13-postgresql")
    world(history).doomed_jobs = 1
    assert go_on(history, resumed).closed == "paused"
    history.live([left_out("load-system-database"), *resumed(history)])
    state = history.state()
    assert (state.closed, state.steps["check-system-database-loaded"].status) == ("paused", "torn")
    assert state.steps["check-system-database-loaded"].reason.endswith("and load-system-database was left out")


def test_nothing_is_loaded_unasked_where_the_safety_copy_was_left_out() -> None:
    history = next(h for h in begin("2.13").deaths(resumed, seed=8) if h.state().steps)
    history.live([left_out("save-system-database"), *resumed(history)])
    load = history.state().steps["load-system-database"]
    assert (history.state().closed, load.status, load.attempt) == ("paused", "torn", 0)
    assert load.reason.endswith("and save-system-database was left out")
    answer = ev.DecisionRecorded(step="load-system-database", verdict="not-done", reason="it was lost anyway", by="test")
    history.live([answer, *resumed(history)])
    assert history.state().closed == "finished", history.state().reason


# ---- a pod of sidekiq that is replaced while system-app is stopped ------------------------------------


def stopped(name: str = "2.13") -> History:
    """A restore that died as soon as system-app was stopped."""
    return next(h for h in begin(name).deaths(resumed) if h.state().steps and h.state().steps["scale-down-system-app"].status == "finished")


def helpers_of(history: History) -> list[str]:
    return [fact.name for fact in history.facts() if isinstance(fact, ev.HelperStarted | ev.HelperRemoved)]


def test_without_sidekiq_a_helper_pod_serves_the_storage() -> None:
    """sidekiq's new pod waits for system-app (T11), and system-storage has no other way in (T3)."""
    history = stopped()
    world(history).replace_pod("system-sidekiq")
    state = go_on(history, resumed)
    assert state.closed == "finished", state.reason
    assert helpers_of(history) == ["HelperStarted", "HelperRemoved"]
    assert world(history).digest() == end("2.13")
    assert go_on(history, turned).closed == "rolled back", history.state().reason
    assert is_as_in_the_beginning(history, "2.13")


@pytest.mark.parametrize("is_evicted", [False, True], ids=["deleted", "evicted"])
def test_a_helper_pod_that_goes_is_started_again(is_evicted: bool) -> None:
    history = stopped()
    world(history).replace_pod("system-sidekiq")
    history = next(h for h in history.deaths(resumed) if world(h).helpers)
    world(history).lose_helper("restore-helper-run", is_evicted=is_evicted)
    assert go_on(history, resumed).closed == "finished", history.state().reason
    assert world(history).digest() == end("2.13")


def test_a_death_at_every_boundary_with_a_helper_pod(tally: Tally) -> None:
    history = stopped()
    world(history).replace_pod("system-sidekiq")
    chosen, how = some(history.deaths(resumed, seed=5), 7)
    for n, dead in chosen:
        back = dead.copy()
        assert go_on(dead, resumed, seed=n).closed == "finished", (n, dead.state().reason)
        assert world(dead).digest() == end("2.13"), n
        assert go_on(back, turned, seed=n).closed == "rolled back", (n, back.state().reason)
        assert is_as_in_the_beginning(back, "2.13"), n
    tally(f"2.13, storage by a helper pod: died at {how} of the moments, resumed and taken back ({len(chosen)})")


def test_a_rollback_without_sidekiq_takes_the_storage_back_by_a_helper_pod() -> None:
    """After a finished run, system-app is stopped again on the way back, and sidekiq's pod is replaced then."""
    dead = next(
        h for h in carried_out("2.13").deaths(turned)
        if h.state().phase == "backward" and h.state().steps["scale-up-system-app"].status == "restored"
    )  # fmt: skip
    world(dead).replace_pod("system-sidekiq")
    assert go_on(dead, turned).closed == "rolled back", dead.state().reason
    assert helpers_of(dead) == ["HelperStarted", "HelperRemoved"]
    assert is_as_in_the_beginning(dead, "2.13")


# ---- zync-database, whose data goes with its pod (T5) ---------------------------------------------------


def zync_moments(name: str, *statuses: str) -> list[History]:
    """Deaths of a restore while zync's load is so, and before its rows were found right."""

    def is_one(history: History) -> bool:
        steps = history.state().steps
        return bool(steps) and steps["load-zync"].status in statuses and steps["check-zync-loaded"].status == "pending" and steps["save-zync"].status == "finished"

    return [history for history in begin(name).deaths(resumed, seed=6) if is_one(history)]


def lost_copies(history: History) -> list[str]:
    return [fact.step for fact in history.facts() if isinstance(fact, ev.SafetyCopyLost)]


@pytest.mark.parametrize("statuses", [("pending", "ready"), ("started",), ("finished",)], ids=["before", "while", "after"])
def test_zync_is_loaded_again_where_its_pod_was_replaced(statuses: tuple[str, ...]) -> None:
    moments = zync_moments("2.13", *statuses)
    assert moments
    for n, history in enumerate(moments):
        world(history).replace_pod("zync-database")
        assert go_on(history, resumed, seed=n).closed == "finished", (n, history.state().reason)
        assert lost_copies(history) == ["load-zync"], "said once, and for good"
        assert history.state().steps["load-zync"].is_copy_lost
        found, wanted = world(history).digest(), end("2.13")
        assert found["databases"] == wanted["databases"], n
        assert found["volumes"] == wanted["volumes"] | {"zync-database": []}, n


def test_a_finished_load_that_is_gone_is_told_by_the_check_that_needs_it() -> None:
    history = zync_moments("2.13", "finished")[0]
    world(history).replace_pod("zync-database")
    go_on(history, resumed)
    (gone,) = [fact for fact in history.facts() if isinstance(fact, ev.StepFoundGone)]
    assert (gone.step, gone.found_by) == ("load-zync", "check-zync-loaded")
    assert history.types().count("VerificationFailed") == 0
    assert [fact.attempt for fact in history.facts() if isinstance(fact, ev.StepStarted) and fact.step == "load-zync"] == [1, 2]


def test_deaths_while_zync_is_loaded_again(tally: Tally) -> None:
    history = zync_moments("2.13", "finished")[0]
    world(history).replace_pod("zync-database")
    chosen, how = some(history.deaths(resumed, seed=7), 5)
    for n, dead in chosen:
        assert go_on(dead, resumed, seed=n).closed == "finished", (n, dead.state().reason)
        assert world(dead).digest()["databases"] == end("2.13")["databases"], n
    tally(f"2.13, zync-database replaced after its load: died at {how} of the moments, resumed, loaded again ({len(chosen)})")


def test_a_safety_copy_that_somebody_deleted_is_made_again_before_the_load() -> None:
    history = next(
        h for h in begin("2.13").deaths(resumed, seed=8)
        if h.state().steps and h.state().steps["save-system-database"].status == "finished" and h.state().steps["load-system-database"].status == "pending"
    )  # fmt: skip
    saved = world(history).volumes["system-mysql"]
    (name,) = [path for path in saved if "-before-" in path]
    del saved[name]
    assert go_on(history, resumed).closed == "finished", history.state().reason
    assert [(fact.step, fact.found_by) for fact in history.facts() if isinstance(fact, ev.StepFoundGone)] == [("save-system-database", "load-system-database")]
    assert lost_copies(history) == []
    assert go_on(history, turned).closed == "rolled back"
    assert is_as_in_the_beginning(history, "2.13")


# ---- somebody scales up what was stopped --------------------------------------------------------------------


def say_replicas(history: History, app: str, replicas: int) -> None:
    """In the APIManager, as a person would; the operator has acted on it when this returns."""
    cluster = world(history)
    assert cluster.spec is not None
    cluster.spec = put(cluster.spec, PATHS[app], replicas)
    while cluster.apps[app].replicas != replicas or cluster.apps[app].stopping:
        cluster.operate()


@pytest.mark.parametrize(
    ("name", "app", "after", "step"),
    [
        ("only-system-database", "system-app", "scale-down-system-app", "save-system-database"),
        ("only-system-database", "system-app", "save-system-database", "load-system-database"),
        ("only-system-database", "system-app", "load-system-database", "check-system-database-loaded"),
        ("only-system-storage", "system-app", "scale-down-system-app", "sync-system-storage"),
        ("only-zync", "zync", "save-zync", "load-zync"),
    ],
)
def test_nothing_is_loaded_under_a_program_that_somebody_has_started_again(name: str, app: str, after: str, step: str) -> None:
    history = next(h for h in begin(name).deaths(resumed, seed=9) if h.state().steps and h.state().steps[after].status == "finished")
    say_replicas(history, app, 1)
    state = go_on(history, resumed)
    assert (state.closed, state.needs) == ("paused", "decision")
    assert f"step {step}: {app} (1 pods) was stopped for this and runs again" in state.reason
    assert state.steps[step].before is None, "it was not begun"
    say_replicas(history, app, 0)
    assert go_on(history, resumed).closed == "finished", history.state().reason


# ---- what is asked before anything is taken back -------------------------------------------------------------


def asking(history: History) -> list[ev.Fact]:
    """What a rollback records first, with its questions, as the program does it."""
    facts = turned(history)
    return [*facts, *questions(history.run, history.plan, history.state(), facts, world(history), START)]


def write_rows(history: History, **rows: int) -> None:
    system = world(history).databases["system"]
    content = replace(system.content, rows={**system.content.rows, **rows})
    world(history).databases["system"] = replace(system, content=content)


@pytest.mark.parametrize("name", MAIN)
def test_rows_that_somebody_has_written_since_are_asked_about_before_anything_is_taken_back(name: str) -> None:
    history = carried_out(name)
    write_rows(history, accounts=6)
    running = world(history).digest()
    state = history.live(asking(history))[0]
    assert state is not None
    assert (state.closed, state.needs) == ("paused", "decision")
    assert "rows of accounts in system were added or removed since" in state.reason
    (drift,) = [fact for fact in history.facts() if isinstance(fact, ev.DriftFound)]
    assert [(r.path, r.before, r.left, r.now) for r in three_way(drift.before, drift.left, drift.now)] == [("rows.accounts", "3", "5", "6")]
    assert world(history).digest() == running, "3scale runs on until it is answered"
    history.live([ev.DecisionRecorded(step="load-system-database", verdict="not-done", reason="nobody needs them", by="test")])
    history.live(asking(history))
    assert history.state().closed == "rolled back", history.state().reason
    assert is_as_in_the_beginning(history, name)


def test_what_3scale_writes_by_itself_is_not_asked_about() -> None:
    history = carried_out("2.13")
    write_rows(history, sessions=99)
    history.live(asking(history))
    assert history.state().closed == "rolled back", history.state().reason


def test_a_lost_safety_copy_is_asked_about_before_anything_is_taken_back() -> None:
    history = carried_out("2.13")
    world(history).replace_pod("zync-database")
    while not world(history).apps["zync-database"].is_complete:
        world(history).operate()
    running = world(history).digest()
    state = history.live(asking(history))[0]
    assert state is not None
    assert (state.closed, state.reason) == ("paused", "step load-zync: the safety copy of zync_production is not there any more")
    assert world(history).digest() == running
    history.live([ev.DecisionRecorded(step="load-zync", verdict="skip", reason="its data is gone", by="test")])
    history.live(asking(history))
    assert history.state().closed == "rolled back", history.state().reason
    found, wanted = world(history).digest(), beginning("2.13")
    assert {key for key in found if found[key] != wanted[key]} == {"databases"}, "all but zync's database"
    assert found["databases"]["system"] == wanted["databases"]["system"]


def test_a_restore_that_nobody_has_touched_since_is_asked_about_nothing() -> None:
    for dead in begin("2.13").deaths(resumed, seed=11)[::9]:
        if dead.records:
            assert [fact for fact in asking(dead) if isinstance(fact, ev.DriftFound)] == []


# ---- safety copies that have no room in the pod -----------------------------------------------------------------


def tight(name: str) -> History:
    """An installation whose databases have room for a dump and its rows, or for a dump and the copy, but not for all three."""
    history = begin(name)
    cluster = world(history)
    found = cluster.installation()
    databases = tuple(d.model_copy(update={"free_bytes": 15}) for d in found.databases)
    plan = restore_plan(found.model_copy(update={"databases": databases}), cluster.bundle(), SHAPES[name].options)
    return History(cluster, plan)


def test_a_copy_that_was_copied_out_is_not_in_the_pod_and_comes_back() -> None:
    history = tight("2.13")
    history.live(opened(history.plan))
    assert history.state().closed == "finished", history.state().reason
    cluster = world(history)
    assert sorted(cluster.copies) == ["system-before-run.sql.gz", "zync_production-before-run.sql.gz"]
    assert cluster.volumes["system-mysql"].keys() | cluster.volumes["zync-database"].keys() == set()
    cluster.replace_pod("zync-database")  # its copy does not go with it
    while not cluster.apps["zync-database"].is_complete:
        cluster.operate()
    history.live(asking(history))
    assert history.state().closed == "rolled back", history.state().reason
    assert is_as_in_the_beginning(history, "2.13")


@pytest.mark.parametrize("name", ["2.13", "2.13-postgresql"])
def test_deaths_with_copies_that_are_copied_out(name: str, tally: Tally) -> None:
    chosen, how = some(tight(name).deaths(resumed, seed=12), 9)
    for n, dead in chosen:
        back = dead.copy()
        assert go_on(dead, resumed, seed=n).closed == "finished", (n, dead.state().reason)
        assert world(dead).digest()["databases"] == end(name)["databases"], n
        if back.records:
            assert go_on(back, turned, seed=n).closed == "rolled back", (n, back.state().reason)
            assert is_as_in_the_beginning(back, name), n
    tally(f"{name}, safety copies copied out: died at {how} of the moments, resumed and taken back ({len(chosen)})")
