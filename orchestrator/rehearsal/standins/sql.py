"""SQL through the real clients, for programs that have a DATABASE_URL.

Statements go in through stdin, passwords through the environment; nothing of either is an argument.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from urllib.parse import unquote, urlsplit

from orchestrator.rehearsal.standins.services import Unreachable, port_of

TIMEOUT_SECONDS = 60.0


class SqlError(Exception):
    """The client's own words."""


class Database:
    """The database of a URL as `mysql2://root:…@system-mysql/system` or `postgresql://…@system-postgresql/system`."""

    def __init__(self, url: str) -> None:
        found = urlsplit(url)
        self.is_mysql = found.scheme.startswith("mysql")
        self._service = found.hostname or ""
        self._user, self._password = found.username or "", unquote(found.password or "")
        self._name = found.path.strip("/")

    def run(self, script: str) -> list[list[str]]:
        """Runs statements until the first error; the rows they answer, as text. SqlError or Unreachable."""
        port = str(port_of(self._service))
        argv = self._mysql(port) if self.is_mysql else self._psql(port)
        environment = {**os.environ, "MYSQL_PWD": self._password, "PGPASSWORD": self._password, "PGCONNECT_TIMEOUT": "5"}
        try:
            done = subprocess.run(
                argv, input=script, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise Unreachable(f"{self._service}: no answer in {TIMEOUT_SECONDS:.0f} s") from None
        if done.returncode:
            raise SqlError(f"{self._service}: {done.stderr.strip() or 'the client failed'}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def tables(self) -> set[str]:
        schema = "DATABASE()" if self.is_mysql else "'public'"
        rows = self.run(f"SELECT table_name FROM information_schema.tables WHERE table_schema = {schema};")
        return {row[0] for row in rows}

    def is_ready(self) -> bool:
        try:
            return self.run("SELECT 1;") == [["1"]]
        except (SqlError, Unreachable):
            return False

    def _mysql(self, port: str) -> list[str]:
        client = shutil.which("mysql") or shutil.which("mariadb") or "mysql"
        flags = ["--no-defaults", "--protocol=tcp", "-h127.0.0.1", f"-P{port}", f"-u{self._user}", "--connect-timeout=5"]
        return [client, *flags, "--batch", "--skip-column-names", self._name]

    def _psql(self, port: str) -> list[str]:
        flags = ["-h", "127.0.0.1", "-p", port, "-U", self._user, "-d", self._name, "-X", "-q", "-A", "-t", "-F", "\t"]
        return ["psql", *flags, "-v", "ON_ERROR_STOP=1"]


def text(field: str) -> str:
    """A field of a row where null, of which each client has its own picture, is as good as empty."""
    return "" if field == "NULL" else field
