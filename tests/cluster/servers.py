"""Real database servers for the live side's tests: started once, reached through a pod's own clients."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bundle.sql_servers import POSTGRESQL, user
from tests.cluster.pods import until

BECOME = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
PASSWORD = "geheim"


class Server:
    """Where a server listens, and a client's way to it."""

    def __init__(self, environment: dict[str, str], client: Sequence[str]) -> None:
        self.environment, self.client = environment, list(client)
        self.programs = POSTGRESQL  # what a pod finds first on its PATH

    def sql(self, text: str, *words: str) -> str:
        ran = subprocess.run(
            [*self.client, *words], input=text, capture_output=True, text=True, check=False,
            env={**os.environ, **self.environment},
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def answers(self) -> bool:
        argv = [*self.client]
        return not subprocess.run(argv, input="SELECT 1;", capture_output=True, text=True, check=False,
                                  env={**os.environ, **self.environment}).returncode  # fmt: skip


@contextmanager
def mariadb() -> Iterator[Server]:
    with directory() as root:
        data, socket = root / "data", root / "s"
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", f"--user={user()}", f"--datadir={data}", "--skip-test-db",
             "--auth-root-authentication-method=normal"],
            check=True, capture_output=True,
        )  # fmt: skip
        argv = [
            "mariadbd", "--no-defaults", f"--user={user()}", f"--datadir={data}", f"--socket={socket}",
            "--skip-networking", f"--pid-file={root / 'pid'}", "--innodb-buffer-pool-size=32M",
        ]  # fmt: skip
        client = ["mysql", "--no-defaults", "-uroot", f"--socket={socket}", "-N", "-r"]
        with process(argv, root / "log"):
            server = Server({"MYSQL_PWD": ""}, client)
            server.programs = wrappers(root / "bin", socket)
            until(lambda: server.answers() or None)
            server.sql(f"ALTER USER root@localhost IDENTIFIED BY '{PASSWORD}';")
            server.environment |= {"MYSQL_ROOT_PASSWORD": PASSWORD, "MYSQL_PWD": PASSWORD}
            yield server


@contextmanager
def postgresql() -> Iterator[Server]:
    with directory() as root:
        data = root / "data"
        if BECOME:
            shutil.chown(root, BECOME)
        subprocess.run(
            [POSTGRESQL / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
            check=True, capture_output=True, user=BECOME, cwd=root,
        )  # fmt: skip
        argv = [
            str(POSTGRESQL / "postgres"), "-D", str(data), "-k", str(root), "-c", "listen_addresses=",
            "-c", "fsync=off",
        ]  # fmt: skip
        environment = {"PGHOST": str(root), "PGUSER": "postgres"}
        client = [str(POSTGRESQL / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        with process(argv, root / "log", user=BECOME):
            server = Server(environment, [*client, "-d", "postgres"])
            until(lambda: server.answers() or None)
            server.client = client
            yield server


def wrappers(directory: Path, socket: Path) -> Path:
    """The clients of a pod, which find its server without being told where it is."""
    directory.mkdir()
    for name in ("mysql", "mysqldump"):
        script = directory / name
        script.write_text(f'#!/bin/sh\nexec /usr/bin/{name} --no-defaults --socket={socket} "$@"\n')
        script.chmod(0o755)
    return directory


@contextmanager
def directory() -> Iterator[Path]:
    """A short path that other users can reach, as sockets and PostgreSQL want it."""
    with tempfile.TemporaryDirectory(prefix="sql", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def process(argv: Sequence[str], log: Path, user: str | None = None) -> Iterator[None]:
    with log.open("wb") as file:
        running = subprocess.Popen(argv, stdout=file, stderr=file, user=user, cwd=log.parent)
    try:
        yield
    finally:
        running.terminate()
        running.wait()
