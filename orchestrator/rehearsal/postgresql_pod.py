"""What runs in a PostgreSQL pod of the rehearsal: a real postgres, on the pod's own port and data.

It starts as the sclorg image does: an empty volume gets a cluster in `userdata`, with the account and the
database of the environment, and at every start the account has the password of the environment. `postgres`
is the superuser, without a password, over the local socket. Nothing is waited for on the way to the disk,
since only processes die in a rehearsal, never the machine.

postgres does not run as root. Where the cluster does, the server runs as an ordinary account that keeps one
right of root's: to pass the directories of the rehearsal, which are root's alone.
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from platformdirs import user_cache_path

from orchestrator.rehearsal.dialects import POSTGRESQL
from orchestrator.rehearsal.images import ContainerContext, Launch
from orchestrator.rehearsal.programs import announce, client_wrapper, data_mount, found, template, write

PACKAGE = "postgresql"
CLIENTS = ("psql", "pg_dump", "pg_dumpall", "createdb", "dropdb", "pg_isready")
VERSIONS = Path("/usr/lib/postgresql")
ORDINARY = ("postgres", "nobody")
# Shared memory of the mmap kind is in the data directory: what a killed server leaves goes with its volume.
SETTINGS = """
fsync = off
full_page_writes = off
shared_buffers = 16MB
max_connections = 60
max_wal_size = 256MB
listen_addresses = '127.0.0.1'
dynamic_shared_memory_type = mmap
log_checkpoints = off
"""
ACCESS = """\
local all all peer map=pod
host all all 127.0.0.1/32 scram-sha-256
"""
START = """\
umask 077
template=$1 data=$2/userdata new=$2/.userdata statements=$3
shift 3
# `userdata` appears last and whole: a start that was cut short begins again.
if [ ! -d "$data" ]; then
    rm -rf "$new" && cp -a "$template" "$new" && mv "$new" "$data" || exit
fi
"$1" --single -D "$data" postgres <"$statements" >/dev/null || exit
exec "$@" -D "$data"
"""


class PostgresqlRecipe:
    """Launches postgres. HOME is the directory above the data, as /var/lib/pgsql is in the image."""

    def launch(self, ctx: ContainerContext) -> Launch:
        mount = data_mount(ctx)
        home = Path(mount).parent
        argv = server_argv(ctx.mounts[mount], ctx.directory, ctx.environment, ctx.port)
        announce(ctx.root, home.name, ctx.port)
        environment = {"PGUSER": "postgres", **ctx.environment, **address(ctx.port), "HOME": str(home)}
        programs = client_wrappers(ctx.directory, ctx.port)
        # SIGTERM would wait for the last client to go; SIGINT ends at once, and properly.
        return Launch(argv, environment, ctx.directory, (programs,), signal.SIGINT)


def address(port: int) -> dict[str, str]:
    """Where libpq finds the server of that port on this machine: a socket without a place in the file system.

    Paths of sockets are limited to some hundred bytes, and those of a pod's directories are longer.
    """
    return {"PGHOST": f"@restore-{port}", "PGPORT": str(port)}


def server_argv(data: Path, own: Path, environment: Mapping[str, str], port: int) -> list[str]:
    """A postgres with its cluster in `data`/userdata. ProgramMissing when there is none.

    `own` takes the files that say what is done at each start, and who may connect.
    """
    user, password = environment["POSTGRESQL_USER"], POSTGRESQL.string(environment["POSTGRESQL_PASSWORD"])
    statement = f"ALTER ROLE {POSTGRESQL.identifier(user)} PASSWORD {password}\n"
    statements = write(own / "statements.sql", statement, 0o600)
    access = write(own / "pg_hba.conf", ACCESS, 0o600)
    names = write(own / "pg_ident.conf", names_of(user), 0o600)
    files = [f"--hba_file={access}", f"--ident_file={names}", f"--unix_socket_directories={address(port)['PGHOST']}"]
    places = [str(initialised(user, environment["POSTGRESQL_DATABASE"])), str(data), str(statements)]
    return [*as_ordinary(), "/bin/sh", "-c", START, "sh", *places, program("postgres"), *files, f"--port={port}"]


def names_of(user: str) -> str:
    """Who of this machine is whom in the database: what runs in the pod is the superuser, or the user.

    A socket without a place has no owner either, so that the server has to ask who is at the other end.
    """
    here = sorted({ordinary_account().pw_name, pwd.getpwuid(os.geteuid()).pw_name})
    return "".join(f"pod {name} {there}\n" for name in here for there in ("postgres", POSTGRESQL.identifier(user)))


def as_ordinary() -> list[str]:
    """What turns root into an account that postgres accepts; nothing where we are such an account."""
    if os.geteuid() != 0:
        return []
    account = ordinary_account()
    right = [f"--{kind}-caps=+dac_override" for kind in ("inh", "ambient")]
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", *right]


def ordinary_account() -> pwd.struct_passwd:
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    names = {account.pw_name for account in pwd.getpwall()}
    return pwd.getpwnam(next(name for name in ORDINARY if name in names))


def program(name: str) -> str:
    """A program of the newest PostgreSQL here. Those in Debian's PATH are doors that choose a version."""
    newest = sorted(VERSIONS.glob("*/bin"), key=lambda path: [int(part) for part in path.parent.name.split(".")])
    return found(PACKAGE, *(str(path / name) for path in reversed(newest)), name)


def initialised(user: str, database: str) -> Path:
    """A cluster as initdb leaves it, with that user and its database, made once on this machine."""
    options = [
        "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--auth=reject", "--wal-segsize=1",
        "--no-sync", "--no-instructions",
    ]  # fmt: skip
    role = POSTGRESQL.identifier(user)
    statements = f"CREATE ROLE {role} LOGIN\nCREATE DATABASE {POSTGRESQL.identifier(database)} OWNER {role}\n"

    def make(place: Path) -> None:
        data = place / "userdata"
        run_once([program("initdb"), *options, f"--pgdata={data}"], "")
        with (data / "postgresql.conf").open("a") as file:
            file.write(SETTINGS)
        run_once([program("postgres"), "--single", "-D", str(data), "postgres"], statements)

    made_from = [program("postgres"), *options, SETTINGS, statements]
    return template(user_cache_path("restore"), "postgresql", made_from, make) / "userdata"


def run_once(argv: Sequence[str], given: str) -> None:
    argv = [*as_ordinary(), *argv]
    subprocess.run(argv, input=given, text=True, umask=0o077, capture_output=True, check=True)


def client_wrappers(directory: Path, port: int) -> Path:
    """The directory with the clients of the image, each bound to this server."""
    for name in CLIENTS:
        client_wrapper(directory, name, program(name), [f"--{word}={value}" for word, value in
                       (("host", address(port)["PGHOST"]), ("port", port))])  # fmt: skip
    return directory / "bin"
