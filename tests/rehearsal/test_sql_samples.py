"""The sample data: what is in it, what the dumps of it hold, and that a load brings all of it back."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from orchestrator.rehearsal import seed
from orchestrator.rehearsal.contents import Content, sql_content
from orchestrator.rehearsal.databases import SqlError, SqlServer
from orchestrator.rehearsal.proof import HOSTS, expected_content
from orchestrator.rehearsal.samples import Estate
from orchestrator.rehearsal.samples_redis import sample as sample_of_redis
from orchestrator.rehearsal.throwaway import mysql_server, postgresql_server, redis_server

# workload -> the database that the guide names, and who owns it
DATABASES = {
    "system-mysql": ("system", ""), "system-postgresql": ("system", "system"), "zync-database": ("zync_production", "zync"),
}  # fmt: skip
WORKLOADS = pytest.mark.parametrize("workload", DATABASES)
ROWLESS = ("", "routines", "events")


class Servers:
    """One server for each workload, started when it is first asked for."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._started: dict[str, SqlServer] = {}

    def filled(self, workload: str, mark: str = "backup") -> SqlServer:
        """The server with nothing but the sample of that mark."""
        database, owner = DATABASES[workload]
        if workload not in self._started:
            is_mysql = workload == "system-mysql"
            server: AbstractContextManager[SqlServer] = (
                mysql_server(database) if is_mysql else postgresql_server(database, owner)
            )
            self._started[workload] = self._stack.enter_context(server)
        self._started[workload].recreate(database, owner, seed.sample_of_sql(workload, Estate(mark, "small")))
        return self._started[workload]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(stack)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One with MySQL and a dump of zync's database, one with PostgreSQL and a dump of zync's whole server."""
    place = tmp_path_factory.mktemp("bundles")
    return {
        "one": seed.make_bundle(place / "one"),
        "other": seed.make_bundle(
            place / "other", database="postgresql", zync_flavour="pg_dumpall", parts=[seed.SYSTEM, seed.ZYNC]
        ),
    }


def text(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode(errors="replace")


def test_the_files_are_named_as_in_the_guide(bundles: dict[str, Path]) -> None:
    assert sorted(path.name for path in bundles["one"].iterdir()) == [
        "backend-redis-dump.rdb", "system", "system-mysql-backup.gz", "system-redis-dump.rdb", "zync-database-backup.gz",
    ]  # fmt: skip
    assert sorted(path.name for path in bundles["other"].iterdir()) == [
        "system-postgresql-backup.gz", "zync-database-backup.gz",
    ]  # fmt: skip
    assert [path for path in bundles["one"].rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o077] == []


def test_mysqldump_takes_triggers_and_no_procedures(bundles: dict[str, Path]) -> None:
    dump = text(bundles["one"] / "system-mysql-backup.gz")
    assert dump.splitlines()[-1].startswith("-- Dump completed on 20")
    assert dump.count("TRIGGER services_tenant_id") == 1
    assert "sp_invoices_friendly_id" not in dump
    assert "'0000-00-00 00:00:00'" in dump


def test_both_flavours_of_zync_dumps_are_what_the_tools_write(bundles: dict[str, Path]) -> None:
    one, whole = (text(bundles[name] / "zync-database-backup.gz") for name in ("one", "other"))
    assert "\n-- PostgreSQL database dump complete\n" in one
    assert "CREATE ROLE" not in one
    assert "\\connect" not in one
    assert "DROP ROLE IF EXISTS zync;" in whole
    assert "\\connect zync_production" in whole
    assert "\n-- PostgreSQL database cluster dump complete\n" in whole


@pytest.mark.parametrize(
    ("workload", "bundle"),
    [("system-mysql", "one"), ("zync-database", "one"), ("system-postgresql", "other"), ("zync-database", "other")],
    ids=["mysqldump", "pg_dump of zync", "pg_dump of system", "pg_dumpall"],
)
def test_a_load_of_the_dump_brings_everything_back(
    servers: Servers, bundles: dict[str, Path], workload: str, bundle: str
) -> None:
    database, owner = DATABASES[workload]
    original = sql_content(servers.filled(workload))[database]
    file = {"system-mysql": "system-mysql-backup.gz", "system-postgresql": "system-postgresql-backup.gz"}.get(
        workload, "zync-database-backup.gz"
    )
    loaded = expected_content(bundles[bundle] / file, workload, database, owner)
    if workload == "system-mysql":
        assert original["routines"] != loaded["routines"]
        original["routines"] = loaded["routines"]
    assert loaded == original


def tables(content: Content) -> dict[str, str]:
    """Table -> digest of its rows."""
    found = {name: one for name, one in content.items() if " " not in name or name.startswith("TABLE ")}
    return {name: one["data"] for name, one in found.items() if name not in ROWLESS and one["rows"]}


@WORKLOADS
def test_old_and_backup_differ_in_every_table(servers: Servers, workload: str) -> None:
    database, _ = DATABASES[workload]
    old, backup = (tables(sql_content(servers.filled(workload, mark))[database]) for mark in ("old", "backup"))
    assert old.keys() == backup.keys()
    assert len(old) == {"zync-database": 13}.get(workload, 24)
    assert [name for name in old if old[name] == backup[name]] == []


@pytest.mark.parametrize("workload", ["system-mysql", "system-postgresql"])
def test_redis_holds_the_services_and_applications_of_system(servers: Servers, workload: str) -> None:
    server = servers.filled(workload)
    with redis_server() as (redis, _):
        redis.load(sample_of_redis("backend-redis", "backup", "small"))
        redis.call("SELECT", 0)
        services = server.column("SELECT id FROM services", "system")
        assert sorted(services) == sorted(name.decode() for name in redis.call("SMEMBERS", "services_set"))
        assert len(services) == 4
        for service in services:
            query = f"SELECT application_id FROM cinstances WHERE service_id = {service}"
            known = {name.decode() for name in redis.call("SMEMBERS", f"service_id:{service}/applications")}
            assert known == set(server.column(query, "system"))
            query = (
                "SELECT user_key FROM cinstances JOIN services ON services.account_id = user_account_id "
                f"WHERE service_id = 1 AND services.id = {service}"
            )
            if service != "1":
                assert server.column(query, "system") == [redis.call("GET", f"service/id:{service}/provider_key").decode()]
            query = f"SELECT value FROM service_tokens WHERE service_id = {service}"
            for token in server.column(query, "system"):
                assert redis.call("EXISTS", f"service_token/token:{token}/service_id:{service}") == 1


def test_the_databases_name_the_hosts_of_master_and_tenants(servers: Servers) -> None:
    tenants = ("3scale", "acme")
    expected = {f"{name}.apps.rehearsal.example" for name in ("master", *tenants, *(f"{one}-admin" for one in tenants))}
    for tenant in tenants:
        for environment in ("staging", "production"):
            expected.add(f"https://api-{tenant}-apicast-{environment}.apps.rehearsal.example:443")
    server = servers.filled("system-mysql")
    assert set(server.column(HOSTS, "system")) == expected
    assert server.column("SELECT COUNT(*) FROM accounts WHERE master = 1", "system") == ["1"]


@pytest.mark.parametrize("workload", ["system-mysql", "system-postgresql"])
def test_triggers_give_a_new_row_its_tenant(servers: Servers, workload: str) -> None:
    server = servers.filled(workload)
    server.run(["INSERT INTO metrics (id, service_id, system_name) VALUES (9000, 10, 'fresh');\n"], "system")
    assert server.column("SELECT tenant_id FROM metrics WHERE id = 9000", "system") == ["2"]


# ---- what the content of a server notices --------------------------------------------------------

CHANGES: dict[str, dict[str, tuple[str, str]]] = {
    "system-mysql": {
        "a value": ("UPDATE users SET email = 'other' WHERE id = 2", "users"),
        "a null for an empty text": ("UPDATE cms_templates SET draft = '' WHERE id = 1", "cms_templates"),
        "a row more": ("INSERT INTO service_tokens VALUES (999, 10, 'x', 2)", "service_tokens"),
        "a row less": ("DELETE FROM proxy_rules LIMIT 1", "proxy_rules"),
        "a column": ("ALTER TABLE plans MODIFY position int", "plans"),
        "an index": ("CREATE INDEX i ON plans (name)", "plans"),
        "a trigger": ("DROP TRIGGER plans_tenant_id", "plans"),
        "a procedure": ("DROP PROCEDURE sp_invoices_friendly_id", "routines"),
        "a counter": ("ALTER TABLE plans AUTO_INCREMENT = 100000", "plans"),
        "a table": ("CREATE TABLE fresh (n int)", "fresh"),
    },
    "zync-database": {
        "a value": ("UPDATE tenants SET access_token = 'other' WHERE id = 2", "TABLE tenants"),
        "a row more": ("INSERT INTO ar_internal_metadata VALUES ('x', 'y', now())", "TABLE ar_internal_metadata"),
        "a column": ("ALTER TABLE clients ADD COLUMN n int", "TABLE clients"),
        "an index": ("DROP INDEX que_poll_idx", "INDEX que_poll_idx"),
        "a trigger": ("DROP TRIGGER que_job_notify ON que_jobs", "TRIGGER que_jobs que_job_notify"),
        "a sequence": ("SELECT nextval('models_id_seq')", "SEQUENCE SET models_id_seq"),
        "an owner": ("ALTER TABLE metrics OWNER TO postgres", "TABLE metrics"),
        "a view": ("DROP VIEW waiting_jobs", "VIEW waiting_jobs"),
    },
}
SAME = {
    "system-mysql": "DELETE FROM services WHERE id = 11; INSERT INTO services SELECT * FROM kept; DROP TABLE kept",
    "zync-database": "DELETE FROM ar_internal_metadata; INSERT INTO ar_internal_metadata SELECT * FROM kept; DROP TABLE kept;"
    "COMMENT ON DATABASE zync_production IS 'a remark'",
}
KEPT = {
    "system-mysql": "CREATE TABLE kept AS SELECT * FROM services WHERE id = 11",
    "zync-database": "CREATE TABLE kept AS SELECT * FROM ar_internal_metadata",
}


@pytest.mark.parametrize("workload", CHANGES)
def test_every_change_shows_where_it_is_and_row_order_does_not(servers: Servers, workload: str) -> None:
    database, _ = DATABASES[workload]
    server = servers.filled(workload)
    before = sql_content(server)[database]
    server.run([f"{KEPT[workload]};\n{SAME[workload]};\n"], database)
    assert sql_content(server)[database] == before
    for what, (statement, place) in CHANGES[workload].items():
        server.run([f"{statement};\n"], database)
        after = sql_content(server)[database]
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        assert changed == {place}, what
        before = after


@pytest.mark.parametrize(
    "failing", [lambda server: server.run(["SELECT nonsense;\n"], "system"), lambda server: server.column("SELECT x", "system")],
    ids=["statements", "query"],
)  # fmt: skip
def test_an_error_is_the_clients_own(servers: Servers, failing: Callable[[SqlServer], object]) -> None:
    with pytest.raises(SqlError, match="Unknown column"):
        failing(servers.filled("system-mysql"))
