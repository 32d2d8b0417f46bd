"""Throw-away MariaDB and PostgreSQL servers for tests, spoken to with their own clients over unix sockets."""

from __future__ import annotations

import gzip
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POSTGRESQL = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), default=Path("/usr/bin"))


class SqlServer:
    """A server in `directory`; a subclass knows its programs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def client(self, database: str) -> list[str]:
        raise NotImplementedError

    def counting(self) -> str:
        """A query that gives the names of all tables, one on a line."""
        raise NotImplementedError

    def sql(self, statements: str | bytes, database: str = "") -> str:
        given = statements.encode() if isinstance(statements, str) else statements
        done = subprocess.run(self.client(database), input=given, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout.decode(errors="replace")

    def counts(self, database: str) -> dict[str, int]:
        """SELECT COUNT(*) of every table, by the server itself."""
        tables = self.sql(self.counting(), database).split("\n")[:-1]
        query = "".join(f"SELECT COUNT(*) FROM {table};\n" for table in tables)
        numbers = map(int, self.sql(query, database).split())
        plain = [table.removeprefix("public.").strip("`") for table in tables]
        return dict(sorted(zip(plain, numbers, strict=True)))


class MariaDb(SqlServer):
    def client(self, database: str) -> list[str]:
        return ["mariadb", "--no-defaults", f"--socket={self.directory}/s", "-uroot", "-N", "--binary-mode",
                "--default-character-set=utf8mb4", *([database] if database else [])]  # fmt: skip

    def counting(self) -> str:
        return (
            "SELECT CONCAT('`', table_name, '`') FROM information_schema.tables "
            "WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' ORDER BY 1"
        )

    def dump(self, *words: str) -> bytes:
        """What mysqldump writes, with the guide's options when only a database is named."""
        return subprocess.run(
            ["mysqldump", "--no-defaults", f"--socket={self.directory}/s", "-uroot", "--single-transaction", *words],
            capture_output=True, check=True, timeout=120,
        ).stdout  # fmt: skip


class PostgreSql(SqlServer):
    def client(self, database: str) -> list[str]:
        return ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self.directory), "-U", "postgres",
                "-d", database or "postgres"]  # fmt: skip

    def counting(self) -> str:
        return (
            "SELECT schemaname || '.' || tablename FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
        )

    def dump(self, program: str, *words: str) -> bytes:
        return subprocess.run(
            [program, "-h", str(self.directory), "-U", "postgres", *words], capture_output=True, check=True, timeout=120
        ).stdout


def packed(text: bytes) -> bytes:
    return gzip.compress(text, 1)


@contextmanager
def mariadb() -> Iterator[MariaDb]:
    with short_directory() as directory:
        data = directory / "data"
        quick = ["--no-defaults", f"--datadir={data}", f"--user={user()}", "--innodb-buffer-pool-size=16M",
                 "--innodb-log-file-size=8M", "--innodb-use-native-aio=0"]  # fmt: skip
        install(["mariadb-install-db", *quick, "--auth-root-authentication-method=normal", "--skip-test-db"])
        server = MariaDb(directory)
        command = [shutil.which("mariadbd") or "/usr/sbin/mariadbd", *quick, f"--socket={directory}/s", "--skip-networking",
                   f"--pid-file={data}/pid", "--innodb-flush-log-at-trx-commit=0", "--character-set-server=utf8mb4",
                   "--max-allowed-packet=64M"]  # fmt: skip
        with running(server, command):
            yield server


@contextmanager
def postgresql() -> Iterator[PostgreSql]:
    """PostgreSQL refuses to run as root: then it runs as `postgres`, who gets the directory."""
    with short_directory() as directory:
        become: list[str] = []
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(directory, owner.pw_uid, owner.pw_gid)
            become = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
        data = directory / "data"
        install([*become, str(POSTGRESQL / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N",
                 "--locale=C"])  # fmt: skip
        server = PostgreSql(directory)
        command = [*become, str(POSTGRESQL / "postgres"), "-D", str(data), "-k", str(directory), "-h", "", "-F"]
        with running(server, command):
            yield server


def install(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, cwd="/")
    assert done.returncode == 0, done.stdout.decode(errors="replace")


@contextmanager
def short_directory() -> Iterator[Path]:
    """A socket's path is limited to some hundred bytes."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as name:
        yield Path(name)


def user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


@contextmanager
def running(server: SqlServer, command: list[str]) -> Iterator[None]:
    log = server.directory / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd="/")
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            if subprocess.run(server.client(""), input=b"SELECT 1", capture_output=True, timeout=60).returncode == 0:
                break
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()
