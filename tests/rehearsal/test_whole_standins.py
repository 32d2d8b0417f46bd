"""The stand-ins of 3scale's programs, in a running installation: what they do, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.rehearsal import samples_porta
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.rehearsal.standins import STAND_INS, launch
from orchestrator.rehearsal.standins.schema import NEWEST
from tests.rehearsal.redis_clusters import kubectl, redis, until
from tests.rehearsal.whole_clusters import (
    rake,
    run_in,
    scale,
    sql,
    wait_for_replicas,
    whole,
    zync_routes,
    zync_sql,
)

DOMAIN = "apps.rehearsal.example"
ROUTES = {f"{name}.{DOMAIN}" for name in ("master", "3scale", "3scale-admin", "api-3scale-apicast-staging", "api-3scale-apicast-production")}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsed]:
    with whole(tmp_path_factory.mktemp("cluster"), "2.14") as running:
        yield running


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsed]:
    with whole(tmp_path_factory.mktemp("other"), "2.14", database="postgresql") as running:
        yield running


@pytest.fixture(params=["cluster", "other"], ids=["mysql", "postgresql"])
def either(request: pytest.FixtureRequest) -> Rehearsed:
    """For what reads or writes the system database."""
    running: Rehearsed = request.getfixturevalue(request.param)
    return running


def keys_of(cluster: Rehearsed) -> dict[bytes, bytes]:
    """What backend's storage holds, but for the key of the readiness probe."""
    with redis(cluster, "backend-redis") as client:
        names = [name for name in client.call("KEYS", "*") if name != b"liveness-probe"]
        return {name: client.call("DUMP", name) for name in names}


def test_each_of_them_is_named() -> None:
    assert all(sentence.endswith(".") for sentence in STAND_INS)
    directory = Path(launch.__file__).parent
    assert all((directory / f"{module}.py").exists() for module in launch.PROGRAMS.values())


@pytest.mark.parametrize("task", ["db:nonsense", "openshift:thinking_sphinx:start", "searchd"])
def test_a_task_that_rake_does_not_know_is_refused(cluster: Rehearsed, task: str) -> None:
    done = rake(cluster, task)
    assert (done.returncode, f"Don't know how to build task '{task}'" in done.stderr) == (1, True)


def test_tasks_run_in_their_order_up_to_the_first_that_fails(cluster: Rehearsed) -> None:
    done = rake(cluster, "boot:database", "nonsense", "boot:backend")
    assert done.returncode == 1
    assert "Connected to the database" in done.stdout
    assert "backend" not in done.stdout


def test_boot_fails_while_a_database_is_down(cluster: Rehearsed) -> None:
    assert rake(cluster, "boot").returncode == 0
    scale(cluster, "backend-redis", 0)
    until(lambda: rake(cluster, "boot:redis").returncode == 1)
    done = rake(cluster, "boot")
    assert (done.returncode, "cannot connect to backend-redis" in done.stderr) == (1, True)
    scale(cluster, "backend-redis", 1)
    wait_for_replicas(cluster, "backend-redis", 1)
    assert rake(cluster, "boot").returncode == 0


def test_a_rewrite_writes_what_is_missing_and_changes_nothing_else(either: Rehearsed) -> None:
    assert rake(either, "backend:storage:rewrite").returncode == 0
    before = keys_of(either)
    assert {b"service/id:2/provider_key", b"services_set", b"metric/service_id:2/id:2/name"} <= before.keys()
    with redis(either, "backend-redis") as client:
        client.call("SET", "service/id:99/provider_key", "stale")
        client.call("DEL", "services_set")
    assert rake(either, "backend:storage:enqueue_rewrite").returncode == 0
    after = keys_of(either)
    assert after.pop(b"service/id:99/provider_key")
    assert after == before
    with redis(either, "backend-redis") as client:
        client.call("DEL", "service/id:99/provider_key")


def test_a_resync_makes_missing_routes_and_leaves_others(cluster: Rehearsed) -> None:
    until(lambda: zync_routes(cluster).keys() == ROUTES)
    before = zync_routes(cluster)
    lost = f"3scale-admin.{DOMAIN}"
    kubectl(cluster, "delete", "route", before[lost])
    entries = int(zync_sql(cluster, "SELECT count(*) FROM entries")[0][0])
    assert rake(cluster, "zync:resync:domains").returncode == 0
    until(lambda: zync_routes(cluster).keys() == ROUTES)
    after = zync_routes(cluster)
    assert {host for host in ROUTES if after[host] != before[host]} == {lost}
    assert int(zync_sql(cluster, "SELECT count(*) FROM entries")[0][0]) > entries


def test_a_resync_waits_for_zync(cluster: Rehearsed) -> None:
    """It returns at once; the jobs stay in the queue until somebody takes them."""
    scale(cluster, "zync", 0)
    until(lambda: not (cluster.root / "services" / "zync").exists())
    kubectl(cluster, "delete", "route", zync_routes(cluster)[f"master.{DOMAIN}"])
    assert rake(cluster, "zync:resync:domains").returncode == 0
    with redis(cluster, "system-redis") as client:
        client.call("SELECT", 1)
        assert client.call("LLEN", "queue:zync") >= 1
    assert f"master.{DOMAIN}" not in zync_routes(cluster)
    scale(cluster, "zync", 1)
    until(lambda: zync_routes(cluster).keys() == ROUTES)
    until(lambda: zync_sql(cluster, "SELECT count(*) FROM que_jobs WHERE finished_at IS NULL") == [["0"]])


def test_an_index_counts_the_rows_and_stays_over_a_restart(cluster: Rehearsed) -> None:
    file = cluster.root / "mnt" / "system-searchd" / "data" / "index.json"
    sql(cluster, "INSERT INTO metrics (id, service_id, system_name) VALUES (90, 2, 'more')")
    assert rake(cluster, "searchd:optimal_index").returncode == 0
    count = json.loads(file.read_text())["metrics"]
    assert [[str(count)]] == sql(cluster, "SELECT count(*) FROM metrics")
    sql(cluster, "DELETE FROM metrics WHERE id = 90")
    assert json.loads(file.read_text())["metrics"] == count


def test_an_older_schema_is_migrated_and_a_newest_one_left(either: Rehearsed) -> None:
    before = sql(either, "SELECT version FROM schema_migrations ORDER BY version")
    assert before[-1] == [NEWEST]
    assert rake(either, "openshift:deploy").returncode == 0
    assert sql(either, "SELECT version FROM schema_migrations ORDER BY version") == before
    sql(either, f"DELETE FROM schema_migrations WHERE version = '{NEWEST}'")
    assert "Migrated the database" in rake(either, "openshift:deploy").stdout
    assert sql(either, "SELECT version FROM schema_migrations ORDER BY version") == before


def test_procedure_and_triggers_come_back(either: Rehearsed) -> None:
    triggers = "SELECT count(DISTINCT trigger_name) FROM information_schema.triggers WHERE trigger_name LIKE '%_tenant_id'"
    routines = "SELECT count(*) FROM information_schema.routines WHERE routine_name = 'sp_invoices_friendly_id'"
    wanted = str(len(samples_porta.TENANT_COLUMNS) + len(samples_porta.TENANT_PARENTS))
    kind = "PROCEDURE" if either.database == "mysql" else "FUNCTION"
    sql(either, f"DROP {kind} sp_invoices_friendly_id")
    assert sql(either, routines) == [["0"]]
    assert rake(either, "db:procedures").returncode == 0
    assert (sql(either, routines), sql(either, triggers)) == ([["1"]], [[wanted]])
    sql(either, "DROP TRIGGER services_tenant_id" + ("" if either.database == "mysql" else " ON services"))
    assert rake(either, "multitenant:triggers").returncode == 0
    assert (sql(either, routines), sql(either, triggers)) == ([["1"]], [[wanted]])


def test_curl_knows_the_services_by_name(cluster: Rehearsed) -> None:
    done = run_in(cluster, "system-sidekiq", "curl", "--silent", "--fail", "http://backend-listener:3000/status")
    assert (done.returncode, done.stdout) == (0, "ok\n")
    done = run_in(cluster, "system-sidekiq", "curl", "--fail", "http://backend-listener:3000/nothing")
    assert done.returncode == 22
    done = run_in(cluster, "system-sidekiq", "curl", "http://nobody:3000/status")
    assert done.returncode == 7


def test_an_emptied_database_is_seeded_anew(either: Rehearsed) -> None:
    """What the hook before a rollout does between the dropping of a database and the loading of its dump."""
    if either.database == "mysql":
        sql(either, "DROP DATABASE system; CREATE DATABASE system")
    else:
        sql(either, "DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO system; ALTER SCHEMA public OWNER TO system")
    assert "Created and seeded" in rake(either, "openshift:deploy").stdout
    assert sql(either, "SELECT self_domain FROM accounts ORDER BY id") == [[f"master.{DOMAIN}"], [f"3scale-admin.{DOMAIN}"]]
