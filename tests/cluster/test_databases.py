"""Dumps that are loaded, saved and returned by jobs in a pod: real servers, real dumps, real deaths."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from orchestrator import effects as fx
from orchestrator.port import DatabaseSeen, PodJobSeen, WorkloadSeen
from tests.bundle.sql_servers import POSTGRESQL
from tests.cluster.pods import Live, place, until
from tests.cluster.servers import Server, mariadb, postgresql, wrappers

NUMBERS = count(1)
SHA, MARK = "a" * 64, "run-1/load-dump"
OTHER = "run-2/load-dump"


@pytest.fixture(scope="session")
def mysql() -> Iterator[Server]:
    with mariadb() as server:
        yield server


@pytest.fixture(scope="session")
def pg() -> Iterator[Server]:
    with postgresql() as server:
        server.sql("CREATE ROLE zync;", "-d", "postgres")
        yield server


class Pod:
    """A pod with the client of one server, and jobs in it."""

    def __init__(self, live: Live, server: Server, engine: fx.Engine, path: str, directory: Path) -> None:
        environment = {**server.environment, "PATH": f"{server.programs}:{path}", "BASH_ENV": ""}
        self.live, self.server, self.engine, self.directory = live, server, engine, directory
        self.seen: WorkloadSeen = live.pod(f"{engine}-{next(NUMBERS)}", environment)
        self.jobs, self.attempts = str(directory / "jobs"), count(1)

    def run(self, program: fx.Program, *arguments: str) -> PodJobSeen:
        name = f"job-{next(self.attempts)}"
        self.start(name, program, *arguments)
        return until(lambda: seen if (seen := self.job(name)).state != "running" else None)

    def start(self, name: str, program: fx.Program, *arguments: str) -> None:
        self.live.perform(
            fx.StartJob(
                **place(self.seen, "db"), directory=self.jobs, job=name, attempt=1, epoch=1, program=program,
                arguments=arguments,
            )
        )

    def job(self, name: str) -> PodJobSeen:
        return self.live.cluster.pod_job(self.seen, self.jobs, name)

    def database(self, name: str) -> DatabaseSeen:
        found = self.live.cluster.database(self.seen, self.engine, name)
        assert found is not None
        return found

    def forget(self, name: str) -> None:
        self.live.perform(fx.ForgetMark(**place(self.seen, "db"), engine=self.engine, database=name))

    def staged(self, content: bytes) -> str:
        file = self.directory / "staged.gz"
        file.write_bytes(gzip.compress(content))
        return str(file)


@pytest.fixture
def my(live: Live, mysql: Server, path: str, tmp_path: Path) -> Pod:
    mysql.sql(
        "DROP DATABASE IF EXISTS restore_marks; DROP DATABASE IF EXISTS system; CREATE DATABASE system;"
        "CREATE TABLE system.accounts (id INT PRIMARY KEY, domain TEXT);"
        "INSERT INTO system.accounts VALUES (1, 'old.example'), (2, 'Überlingen');"
        "CREATE PROCEDURE system.sp() SELECT 1; CREATE TABLE system.`later-added` (id INT);"
    )
    return Pod(live, mysql, "mysql", path, tmp_path)


@pytest.fixture
def post(live: Live, pg: Server, path: str, tmp_path: Path) -> Pod:
    pg.sql("DROP DATABASE IF EXISTS zync_production;", "-d", "postgres")
    pg.sql("CREATE DATABASE zync_production OWNER zync TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C';", "-d", "postgres")
    pg.sql("COMMENT ON DATABASE zync_production IS 'it''s über';", "-d", "postgres")
    pg.sql(
        "CREATE TABLE tenants (id int PRIMARY KEY, name text); INSERT INTO tenants VALUES (1, 'old');"
        "ALTER TABLE tenants OWNER TO zync;",
        "-d", "zync_production",
    )  # fmt: skip
    return Pod(live, pg, "postgresql", path, tmp_path)


def mysql_dump(server: Server, change: str = "") -> bytes:
    """The dump of another `system`, as the guide takes it."""
    server.sql(
        "DROP DATABASE IF EXISTS source; CREATE DATABASE source; CREATE TABLE source.accounts (id INT, domain TEXT);"
        f"INSERT INTO source.accounts VALUES (7, 'new.example'), (8, 'a;b''c\\n-- d'), (9, 'e'); {change}"
    )
    argv = [str(server.programs / "mysqldump"), "-uroot", "--single-transaction", "source"]
    return subprocess.run(argv, capture_output=True, check=True, env={**os.environ, **server.environment}).stdout


def test_a_dump_is_loaded_into_mysql_and_marked_at_its_end(my: Pod) -> None:
    assert my.database("system").model_dump(exclude={"connections"}) == {"is_there": True, "mark": "", "tables": 2}
    staged = my.staged(mysql_dump(my.server))
    assert my.run("load-mysql", staged, "system", MARK, SHA).code == 0
    seen = my.database("system")
    assert (seen.mark, seen.tables, Path(staged).exists()) == (f"{MARK} loaded {SHA}", 2, False)
    assert my.server.sql("SELECT id FROM system.accounts ORDER BY id").split() == ["7", "8", "9"]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda dump: dump.replace(b"CREATE TABLE", b"CREATE TABEL"), id="an error in the middle"),
        pytest.param(lambda dump: dump[: dump.index(b"a;b")], id="it ends within a string"),
    ],
)
def test_a_dump_with_an_error_never_leaves_the_mark_of_a_loaded_one(my: Pod, spoil: object) -> None:
    assert callable(spoil)
    seen = my.run("load-mysql", my.staged(spoil(mysql_dump(my.server))), "system", MARK, SHA)
    assert seen.code not in (0, None)
    assert my.database("system").mark == f"{MARK} loading {SHA}"


def test_a_mark_that_could_end_a_literal_is_refused(my: Pod) -> None:
    seen = my.run("load-mysql", my.staged(b""), "system", "x'); DROP DATABASE system; --", SHA)
    assert (seen.code, my.database("system").tables) == (14, 2)


def test_a_copy_of_mysql_brings_back_what_was_there_and_nothing_else(my: Pod, tmp_path: Path) -> None:
    safety = str(tmp_path / "safety.gz")
    before = content_of(my)
    assert my.run("dump-mysql", "system", safety).code == 0
    assert Path(safety).stat().st_mode & 0o777 == 0o600
    again = my.run("dump-mysql", "system", safety)
    assert (again.code, "exists already" in again.complaint) == (17, True)
    my.run("load-mysql", my.staged(mysql_dump(my.server)), "system", OTHER, SHA)
    my.run("load-mysql", my.staged(mysql_dump(my.server)), "system", MARK, SHA)
    assert my.run("return-mysql", safety, "system", MARK).code == 0
    assert my.database("system").mark == f"{MARK} returned -"
    assert content_of(my) == before
    my.forget("system")
    assert my.database("system").mark == f"{OTHER} loaded {SHA}"
    my.forget("system")
    my.forget("system")
    assert my.database("system").mark == ""
    assert my.server.sql("SHOW DATABASES LIKE 'restore_marks'") == ""


def content_of(my: Pod) -> str:
    argv = [str(my.server.programs / "mysqldump"), "-uroot", "--routines", "--skip-dump-date", "system"]
    return subprocess.run(argv, capture_output=True, check=True, text=True, env={**os.environ, **my.server.environment}).stdout


def test_a_dump_of_a_database_that_is_not_there_leaves_no_file(my: Pod, post: Pod, tmp_path: Path) -> None:
    for pod, program in ((my, "dump-mysql"), (post, "dump-postgresql")):
        target = tmp_path / f"{program}.gz"
        assert pod.run(program, "nothing", str(target)).code not in (0, None)  # type: ignore[arg-type]
        assert list(tmp_path.glob(f"{target.name}*")) == []


def test_a_load_that_is_killed_is_lost_and_can_be_begun_again(my: Pod) -> None:
    slow = mysql_dump(my.server) + b"SELECT SLEEP(600);\n"
    my.start("slow", "load-mysql", my.staged(slow), "system", MARK, SHA)
    until(lambda: my.database("system").mark or None)
    until(lambda: my.database("system").connections or None)
    my.live.perform(fx.StopJob(**place(my.seen, "db"), directory=my.jobs, job="slow", epoch=1))
    assert my.job("slow").code == 143
    assert my.database("system").mark == f"{MARK} loading {SHA}"
    assert my.run("load-mysql", my.staged(mysql_dump(my.server)), "system", MARK, SHA).code == 0
    assert my.database("system").mark == f"{MARK} loaded {SHA}"


def test_a_load_whose_server_is_killed_says_so_and_one_with_an_error_does_not(
    live: Live, my: Pod, path: str, tmp_path: Path
) -> None:
    (dying := tmp_path / "dying").mkdir()
    tmp_path.chmod(0o755)
    failed = my.run("load-mysql", my.staged(b"SELECT * FROM nowhere;\n"), "system", MARK, SHA)
    with mariadb() as server:
        server.sql("CREATE DATABASE system;")
        pod = Pod(live, server, "mysql", path, dying)
        pod.start("load", "load-mysql", pod.staged(b"DO SLEEP(600);\n"), "system", MARK, SHA)
        until(lambda: server.sql("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'DO SL%'") == "1")
        os.kill(int(Path(server.sql("SELECT @@pid_file")).read_text()), signal.SIGKILL)
        cut = until(lambda: seen if (seen := pod.job("load")).state != "running" else None)
    assert (failed.code, failed.is_cut_off, cut.code, cut.is_cut_off) == (1, False, 1, True)
    assert "2013" in cut.complaint


def test_progress_is_how_much_of_the_file_was_read(my: Pod) -> None:
    filling = b"".join(b"-- " + os.urandom(500).hex().encode() + b"\n" for _ in range(3000))
    slow = mysql_dump(my.server) + b"SELECT SLEEP(600);\n" + filling
    staged = my.staged(slow)
    my.start("slow", "load-mysql", staged, "system", MARK, SHA)
    until(lambda: 0 < my.job("slow").done_bytes < Path(staged).stat().st_size or None)
    my.live.perform(fx.StopJob(**place(my.seen, "db"), directory=my.jobs, job="slow", epoch=1))


def test_rows_are_counted_of_the_tables_that_are_there(my: Pod, post: Pod) -> None:
    counted = my.live.cluster.row_counts(my.seen, "mysql", "system", ["accounts", "later-added", "nowhere"])
    assert counted == {"accounts": 2, "later-added": 0, "nowhere": None}
    post.server.sql("CREATE SCHEMA other; CREATE TABLE other.t (id int);", "-d", "zync_production")
    counted = post.live.cluster.row_counts(post.seen, "postgresql", "zync_production", ["tenants", "nowhere", "other.t"])
    assert counted == {"tenants": 1, "nowhere": None, "other.t": 0}


def test_a_server_that_takes_no_connections_is_none(live: Live, path: str, tmp_path: Path) -> None:
    down = Server({"PGHOST": "/nowhere", "PGUSER": "postgres"}, [])
    down.programs = wrappers(tmp_path / "bin", Path("/nowhere/s"))
    pod = Pod(live, down, "mysql", path, tmp_path)
    assert live.cluster.database(pod.seen, "mysql", "system") is None
    assert live.cluster.database(pod.seen, "postgresql", "zync") is None
    assert live.cluster.row_counts(pod.seen, "mysql", "system", ["t"]) is None
    assert live.cluster.hosts(pod.seen, "postgresql", "system") is None


PORTA = """
CREATE TABLE accounts (id INT PRIMARY KEY, domain VARCHAR(99), self_domain VARCHAR(99), provider {boolean}, master {boolean}, state VARCHAR(30));
CREATE TABLE services (id INT PRIMARY KEY, account_id INT, state VARCHAR(30), deployment_option VARCHAR(30));
CREATE TABLE proxies (id INT, service_id INT, endpoint VARCHAR(99), sandbox_endpoint VARCHAR(99));
CREATE TABLE cinstances (id INT, service_id INT);
INSERT INTO accounts VALUES (1, 'master.Example.com', 'master.example.com', NULL, {true}, 'approved'),
 (2, 'p.example.com', 'p-admin.example.com', {true}, {false}, 'approved'), (3, 'buyer.example.com', NULL, {false}, {false}, 'approved'),
 (4, 'gone.example.com', 'gone-admin.example.com', {true}, {false}, 'scheduled_for_deletion'),
 (5, 'late.example.com', NULL, {true}, {false}, 'suspended');
INSERT INTO services VALUES (10, 2, 'incomplete', 'hosted'), (11, 2, 'deleted', 'hosted'), (12, 5, 'incomplete', 'hosted'), (13, 2, 'incomplete', 'self_managed');
INSERT INTO proxies VALUES (1, 10, 'https://api-p.example.com:443', 'https://api-p-staging.example.com:443/x'), (2, 12, 'https://api-late.example.com', NULL), (3, 13, 'https://elsewhere.org', NULL);
INSERT INTO cinstances VALUES (1, 10), (2, 10), (3, 12);
"""


@pytest.mark.parametrize("lacks", ["", "ALTER TABLE accounts DROP COLUMN master; ALTER TABLE services DROP COLUMN deployment_option;"])
def test_hosts_and_services_are_those_of_tenants_that_are_live(my: Pod, post: Pod, lacks: str) -> None:
    tables = PORTA.format(boolean="BOOLEAN", true="TRUE", false="FALSE") + lacks
    my.server.sql(f"USE system; DROP TABLE accounts; {tables}")
    post.server.sql(tables, "-d", "zync_production")
    expected = {
        "api-p.example.com", "api-p-staging.example.com", "late.example.com", "p-admin.example.com", "p.example.com",
    } | ({"elsewhere.org"} if lacks else {"master.example.com"})  # fmt: skip
    for pod, name in ((my, "system"), (post, "zync_production")):
        assert pod.live.cluster.hosts(pod.seen, pod.engine, name) == tuple(sorted(expected))
        assert pod.live.cluster.services_in_sql(pod.seen, pod.engine, name) == {"10": 2, "13": 0}


# ---- PostgreSQL ------------------------------------------------------------------------------------


def pg_dump(server: Server, *options: str, program: str = "pg_dump", name: str = "zync_production") -> bytes:
    """The dump of another database of that name: taken here, then dropped."""
    server.sql(f'DROP DATABASE IF EXISTS "{name}";', "-d", "postgres")
    server.sql(f'CREATE DATABASE "{name}" OWNER zync;', "-d", "postgres")
    server.sql(
        "CREATE TABLE tenants (id int PRIMARY KEY, name text); INSERT INTO tenants VALUES (7, 'new'), (8, E'a\\\\\\nb');"
        "ALTER TABLE tenants OWNER TO zync;", "-d", name,
    )  # fmt: skip
    argv = [str(POSTGRESQL / program), *options]
    return subprocess.run(argv, capture_output=True, check=True, env={**os.environ, **server.environment}).stdout


@pytest.fixture
def dumps(pg: Server) -> dict[str, bytes]:
    pg.sql("DROP DATABASE IF EXISTS aaa;", "-d", "postgres")
    pg.sql("CREATE DATABASE aaa;", "-d", "postgres")
    pg.sql("CREATE TABLE other (id int);", "-d", "aaa")
    whole = pg_dump(pg, "-c", "--if-exists", program="pg_dumpall")
    return {"pg_dumpall": whole, "pg_dump": pg_dump(pg, "zync_production")}


@pytest.mark.parametrize("flavour", ["pg_dump", "pg_dumpall"])
def test_a_dump_is_loaded_into_postgresql_and_marked_at_its_end(
    dumps: dict[str, bytes], post: Pod, flavour: str
) -> None:
    staged = post.staged(dumps[flavour])
    with_others = subprocess.Popen(
        [*post.server.client, "-d", "zync_production", "-c", "SELECT pg_sleep(600)"],
        env={**os.environ, **post.server.environment}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until(lambda: post.database("zync_production").connections or None)
    seen = post.run("load-postgresql", staged, "zync_production", "zync", flavour, MARK, SHA)
    assert (seen.code, seen.complaint) == (0, "")
    assert with_others.wait() != 0
    assert post.database("zync_production").mark == f"{MARK} loaded {SHA}"
    assert post.database("zync_production").tables == 1
    assert post.server.sql("SELECT id FROM tenants ORDER BY id;", "-d", "zync_production").split() == ["7", "8"]
    assert settings(post.server) == "UTF8|C|C|zync"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(lambda dump: dump.replace(b"CREATE TABLE", b"CREATE TABEL"), "syntax error", id="an error"),
        pytest.param(lambda dump: dump[: dump.index(b"7\tnew") + 5], "", id="it ends within the data of a table"),
    ],
)
def test_of_a_dump_with_an_error_nothing_is_loaded(dumps: dict[str, bytes], post: Pod, spoil: object, says: str) -> None:
    assert callable(spoil)
    staged = post.staged(spoil(dumps["pg_dump"]))
    seen = post.run("load-postgresql", staged, "zync_production", "zync", "pg_dump", MARK, SHA)
    assert seen.code not in (0, None)
    assert says in seen.complaint
    found = post.database("zync_production")
    assert (found.mark, found.tables) == (f"{MARK} loading {SHA}", 0)


def test_a_dump_of_another_database_is_told_in_words(dumps: dict[str, bytes], post: Pod) -> None:
    staged = post.staged(dumps["pg_dumpall"].replace(b"zync_production", b"sync-producti0n"))
    seen = post.run("load-postgresql", staged, "zync_production", "zync", "pg_dumpall", MARK, SHA)
    assert seen.code == 13
    assert "it holds: template1 template1 aaa" in seen.complaint
    assert post.database("zync_production").tables == 1


def test_the_name_of_a_database_with_a_hyphen_is_found(pg: Server, post: Pod) -> None:
    staged = post.staged(pg_dump(pg, "-c", "--if-exists", program="pg_dumpall", name="zync-b"))
    assert post.run("load-postgresql", staged, "zync-b", "zync", "pg_dumpall", MARK, SHA).code == 0
    assert post.database("zync-b").tables == 1
    pg.sql('DROP DATABASE "zync-b";', "-d", "postgres")


def test_a_copy_of_postgresql_brings_back_what_was_there(dumps: dict[str, bytes], post: Pod, tmp_path: Path) -> None:
    safety, name = str(tmp_path / "safety.gz"), "zync_production"
    post.server.sql("ALTER DATABASE zync_production SET search_path TO public, x;", "-d", "postgres")
    before = pg_content(post.server)
    assert post.run("dump-postgresql", name, safety).code == 0
    for mark in (OTHER, MARK, MARK):
        post.run("load-postgresql", post.staged(dumps["pg_dump"]), name, "zync", "pg_dump", mark, SHA)
    assert post.run("return-postgresql", safety, name, MARK).code == 0
    assert post.database(name).mark == f"{MARK} returned -"
    post.forget(name)
    assert pg_content(post.server) == before
    assert settings(post.server) == "UTF8|C|C|zync"


def test_what_stood_in_the_comment_comes_back_when_marks_are_taken_away(dumps: dict[str, bytes], post: Pod) -> None:
    name = "zync_production"
    for mark in (OTHER, MARK, MARK):
        staged = post.staged(dumps["pg_dump"])
        assert post.run("load-postgresql", staged, name, "zync", "pg_dump", mark, SHA).code == 0
    post.forget(name)
    assert post.database(name).mark == f"{OTHER} loaded {SHA}"
    post.forget(name)
    post.forget(name)
    assert post.database(name).mark == ""
    assert post.server.sql("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'zync_production';", "-d", "postgres") == "it's über"


def settings(server: Server) -> str:
    return server.sql("SELECT pg_encoding_to_char(encoding), datcollate, datctype, pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'zync_production';", "-d", "postgres")


def pg_content(server: Server) -> list[str]:
    argv = [str(POSTGRESQL / "pg_dump"), "--create", "zync_production"]
    text = subprocess.run(argv, capture_output=True, check=True, text=True, env={**os.environ, **server.environment}).stdout
    return [line for line in text.splitlines() if "restrict " not in line]
