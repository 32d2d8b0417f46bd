"""MariaDB and PostgreSQL in pods: first start, later starts, sudden ends, and the clients of the image."""

from __future__ import annotations

import os
import shlex
import signal
from pathlib import Path

import pytest

from orchestrator.rehearsal.programs import ProgramMissing, announced_port, found
from tests.rehearsal.pods_cluster import Cluster, Object, container_status, on_cluster
from tests.rehearsal.sql_pods import RECIPES, database_pod, in_pod

CLIENTS = {
    "mysql": 'export MYSQL_PWD="$MYSQL_ROOT_PASSWORD"; mysql -N -uroot system',
    "postgresql": "psql -v ON_ERROR_STOP=1 -qAt zync_production",
}
SLEEPS = {"mysql": "SELECT SLEEP(900)", "postgresql": "SELECT pg_sleep(900)"}
CONNECTED = {
    "mysql": "SELECT COUNT(*) FROM information_schema.processlist WHERE info = 'SELECT SLEEP(900)'",
    "postgresql": "SELECT COUNT(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(900)'",
}
CREATE = "CREATE TABLE t (n INT PRIMARY KEY); INSERT INTO t VALUES (1), (2)"
KINDS = pytest.mark.parametrize("kind", CLIENTS)


async def ended(cluster: Cluster, name: str) -> int:
    """The exit code of the first server, once the second one is ready."""

    def is_back(pod: Object) -> bool:
        status = container_status(pod)
        return bool(status.get("ready")) and status["restartCount"] > 0

    pod = await cluster.until("Pod", name, is_back)
    return int(container_status(pod)["lastState"]["terminated"]["exitCode"])


async def connect(cluster: Cluster, name: str, kind: str) -> None:
    """Leaves a client that does nothing but hold its connection."""
    sleep, connected = (f"echo {shlex.quote(sql)} | ({CLIENTS[kind]})" for sql in (SLEEPS[kind], CONNECTED[kind]))
    await in_pod(cluster, name, f'{sleep} >/dev/null 2>&1 & until [ "$({connected})" = 1 ]; do sleep 0.02; done')


async def sum_in(cluster: Cluster, name: str, kind: str) -> str:
    return await in_pod(cluster, name, CLIENTS[kind], b"SELECT SUM(n) FROM t")


def log(cluster: Cluster, pod: Object, number: int = 0) -> str:
    return (cluster.directory(pod) / f"{number}.log").read_text()


@KINDS
def test_what_is_committed_outlives_a_sudden_end(tmp_path: Path, kind: str) -> None:
    async def scenario(cluster: Cluster) -> None:
        pod = database_pod(cluster, kind, "one")
        await cluster.running("one")
        await in_pod(cluster, "one", CLIENTS[kind], CREATE.encode())
        await connect(cluster, "one", kind)
        os.kill(int((cluster.directory(pod) / "main.pid").read_text()), signal.SIGKILL)
        assert await ended(cluster, "one") == 128 + signal.SIGKILL
        assert await sum_in(cluster, "one", kind) == "3\n"
        assert "recovery" in log(cluster, pod, 1)

    on_cluster(tmp_path, scenario, RECIPES)


@KINDS
def test_a_pod_ends_properly_and_the_next_one_has_its_claim(tmp_path: Path, kind: str) -> None:
    async def scenario(cluster: Cluster) -> None:
        database_pod(cluster, kind, "one", claim="c", workload="w")
        await cluster.running("one")
        await in_pod(cluster, "one", CLIENTS[kind], CREATE.encode())
        (cluster.root / "volumes" / "t" / "c" / "dump.sql").write_text("no file of the server's\n")
        await connect(cluster, "one", kind)
        port = announced_port(cluster.root, "w")
        cluster.delete("Pod", "one")
        await cluster.gone("Pod", "one")
        pod = database_pod(cluster, kind, "two", claim="c", workload="w")
        await cluster.running("two")
        assert await sum_in(cluster, "two", kind) == "3\n"
        assert announced_port(cluster.root, "w") != port
        assert "recovery" not in log(cluster, pod)

    on_cluster(tmp_path, scenario, RECIPES)


@KINDS
def test_a_directory_of_the_pod_goes_with_it(tmp_path: Path, kind: str) -> None:
    async def scenario(cluster: Cluster) -> None:
        for name in ("one", "two"):
            database_pod(cluster, kind, name)
            await cluster.running(name)
            await in_pod(cluster, name, CLIENTS[kind], CREATE.encode())
            cluster.delete("Pod", name)
            await cluster.gone("Pod", name)

    on_cluster(tmp_path, scenario, RECIPES)


@KINDS
def test_passwords_are_those_of_the_environment_at_each_start(tmp_path: Path, kind: str) -> None:
    changed = {"mysql": {"MYSQL_PASSWORD": "o", "MYSQL_ROOT_PASSWORD": "r"}, "postgresql": {"POSTGRESQL_PASSWORD": "o"}}

    async def scenario(cluster: Cluster) -> None:
        for name, environment in (("one", {}), ("two", changed[kind])):
            database_pod(cluster, kind, name, claim="c", **environment)
            await cluster.running(name)
            script = {
                "mysql": 'MYSQL_PWD="$MYSQL_PASSWORD" mysql -umysql system -e "CREATE TABLE {0} (n INT)" &&'
                '! MYSQL_PWD=wrong mysql -uroot && ! MYSQL_PWD="" mysql -uroot &&'
                'MYSQL_PWD="$MYSQL_ROOT_PASSWORD" mysqladmin -hsystem-mysql -uroot ping',
                # The wrapper leads to the socket; an address in the name of the database is as a client elsewhere has it.
                "postgresql": 'PGPASSWORD="$POSTGRESQL_PASSWORD" psql "host=127.0.0.1 user=zync dbname=zync_production" '
                '-c "CREATE TABLE {0} (n INT)" && ! PGPASSWORD=wrong psql "host=127.0.0.1 user=zync dbname=postgres"',
            }[kind]
            await in_pod(cluster, name, script.format(name))
            cluster.delete("Pod", name)
            await cluster.gone("Pod", name)

    on_cluster(tmp_path, scenario, RECIPES)


def test_the_clients_of_the_image_find_mysql_whatever_host_they_name(tmp_path: Path) -> None:
    guide = "export MYSQL_PWD=${MYSQL_ROOT_PASSWORD}; mysqldump --single-transaction -hsystem-mysql -uroot system"

    async def scenario(cluster: Cluster) -> None:
        database_pod(cluster, "mysql", "one")
        await cluster.running("one")
        await in_pod(cluster, "one", "export MYSQL_PWD=${MYSQL_ROOT_PASSWORD}; mysql -uroot system", CREATE.encode())
        for host in ("-h127.0.0.1", "-h system-mysql", "--host=system-mysql"):
            await in_pod(cluster, "one", f'MYSQL_PWD="$MYSQL_ROOT_PASSWORD" mysql -uroot {host} system -e "SELECT * FROM t"')
        dump = await in_pod(cluster, "one", guide)
        assert "INSERT INTO `t` VALUES\n(1),\n(2);" in dump
        assert "-- Dump completed on" in dump.splitlines()[-1]

    on_cluster(tmp_path, scenario, RECIPES)


def test_the_clients_of_the_image_find_postgresql(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        database_pod(cluster, "postgresql", "one")
        await cluster.running("one")
        await in_pod(cluster, "one", "pg_isready && psql -h 127.0.0.1 -U zync zync_production", CREATE.encode())
        assert "COPY public.t" in await in_pod(cluster, "one", "pg_dump zync_production")
        assert "CREATE ROLE zync" in await in_pod(cluster, "one", "pg_dumpall -c --if-exists")
        await in_pod(cluster, "one", "dropdb zync_production && createdb -O zync zync_production")
        owner = "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'zync_production'"
        assert await in_pod(cluster, "one", f'psql -At -c "{owner}"') == "zync|UTF8\n"

    on_cluster(tmp_path, scenario, RECIPES)


@KINDS
def test_only_its_owner_can_read_what_a_server_has(tmp_path: Path, kind: str) -> None:
    async def scenario(cluster: Cluster) -> None:
        database_pod(cluster, kind, "one", claim="c")
        await cluster.running("one")
        await in_pod(cluster, "one", CLIENTS[kind], CREATE.encode())
        paths = [path for path in cluster.root.rglob("*") if not path.is_symlink()]
        assert [path for path in paths if path.stat().st_mode & 0o077] == []

    on_cluster(tmp_path, scenario, RECIPES)


def test_a_missing_program_is_named_with_its_package() -> None:
    with pytest.raises(ProgramMissing, match=r"mariadb-nothing is not installed here.*apt-get install mariadb-server"):
        found("mariadb-server", "mariadb-nothing")
