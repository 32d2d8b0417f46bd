"""What runs in a MySQL pod of the rehearsal: a real mariadbd, on the pod's own port and data.

It starts as the sclorg image does: an empty data directory is initialised, and at every start the accounts
and the database of the environment are there and have the passwords of the environment. Nothing is waited
for on the way to the disk, since only processes die in a rehearsal, never the machine.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_cache_path

from orchestrator.rehearsal.dialects import MYSQL
from orchestrator.rehearsal.images import ContainerContext, Launch
from orchestrator.rehearsal.programs import announce, client_wrapper, data_mount, found, template, write

PACKAGE = "mariadb-server"
CLIENTS = {"mysql": "mariadb", "mysqldump": "mariadb-dump", "mysqladmin": "mariadb-admin"}
"""Name in the image -> name on this machine; that of the image may be here as well, and is the older one."""
FILES = (
    "--innodb-data-file-path=ibdata1:5M:autoextend", "--innodb-autoextend-increment=1",
    "--innodb-log-file-size=4M", "--aria-log-file-size=8M", "--innodb-flush-method=nosync",
    "--innodb-doublewrite=0", "--innodb-use-native-aio=0", "--innodb-buffer-pool-size=16M", "--loose-debug-no-sync",
)  # fmt: skip
RUNNING = (
    "--innodb-flush-log-at-trx-commit=2", "--innodb-temp-data-file-path=ibtmp1:1M:autoextend",
    "--max-allowed-packet=256M", "--key-buffer-size=1M", "--ignore-db-dirs=lost+found", "--skip-name-resolve",
    "--character-set-server=utf8", "--collation-server=utf8_unicode_ci",
)  # fmt: skip
ONLY_OWNER = {"UMASK": "0600", "UMASK_DIR": "0700"}
"""mariadbd has a file mode of its own."""
START = """\
umask 077
template=$1 data=$2
shift 2
# The directory `mysql` appears last and whole: a start that was cut short begins again.
if [ ! -d "$data/mysql" ]; then
    for entry in "$template"/*; do
        [ "${entry##*/}" = mysql ] || cp -a "$entry" "$data/" || exit
    done
    rm -rf "$data/.mysql" && cp -a "$template/mysql" "$data/.mysql" && mv "$data/.mysql" "$data/mysql" || exit
fi
exec "$@"
"""


class MysqlRecipe:
    """Launches mariadbd. HOME is the directory above the data, as /var/lib/mysql is in the image."""

    def launch(self, ctx: ContainerContext) -> Launch:
        mount = data_mount(ctx)
        home = Path(mount).parent
        accounts = write(ctx.directory / "accounts.sql", accounts_of(ctx.environment), 0o600)
        argv = server_argv(ctx.mounts[mount], ctx.directory, accounts, ctx.port)
        announce(ctx.root, home.name, ctx.port)
        environment = {**ctx.environment, **ONLY_OWNER, "HOME": str(home)}
        return Launch(argv, environment, ctx.directory, (client_wrappers(ctx.directory, ctx.port),))


def server_argv(data: Path, own: Path, accounts: Path, port: int) -> list[str]:
    """A mariadbd on a data directory, which may be empty. ProgramMissing when there is none.

    `own` takes its pid file. It has no socket: paths of sockets are limited to some hundred bytes, and those
    of a pod's directories are longer.
    """
    server = [found(PACKAGE, "mariadbd"), "--no-defaults", *as_user(), *FILES, *RUNNING, f"--datadir={data}"]
    server += [f"--pid-file={own / 'mariadbd.pid'}", f"--init-file={accounts}", f"--port={port}"]
    address = ["--bind-address=127.0.0.1", "--socket="]
    return ["/bin/sh", "-c", START, "sh", str(initialised()), str(data), *server, *address]


def as_user() -> list[str]:
    """mariadbd runs as root only when it is told to."""
    return ["--user=root"] if os.geteuid() == 0 else []


def initialised() -> Path:
    """A data directory as `mariadb-install-db` leaves it, made once on this machine."""
    install = found(PACKAGE, "mariadb-install-db")
    options = ["--no-defaults", *as_user(), *FILES, "--auth-root-authentication-method=normal", "--skip-test-db"]

    def make(place: Path) -> None:
        argv = [install, options[0], f"--datadir={place}", *options[1:]]
        environment = {**os.environ, **ONLY_OWNER}
        subprocess.run(argv, env=environment, umask=0o077, stdin=subprocess.DEVNULL, capture_output=True, check=True)

    return template(user_cache_path("restore"), "mariadb", [found(PACKAGE, "mariadbd"), *options], make)


def accounts_of(environment: Mapping[str, str]) -> str:
    """The statements that the server carries out before it listens, one a line."""
    database = MYSQL.identifier(environment["MYSQL_DATABASE"])
    user, everything = MYSQL.string(environment["MYSQL_USER"]), "GRANT ALL PRIVILEGES ON *.*"
    root_password, password = MYSQL.string(environment["MYSQL_ROOT_PASSWORD"]), MYSQL.string(environment["MYSQL_PASSWORD"])
    lines = [
        "DELETE FROM mysql.global_priv WHERE User = 'root' AND Host NOT IN ('localhost', '%')",
        "FLUSH PRIVILEGES",
        *account("'root'@'localhost'", root_password, f"{everything} TO 'root'@'localhost' WITH GRANT OPTION"),
        *account("'root'@'%'", root_password, f"{everything} TO 'root'@'%' WITH GRANT OPTION"),
        f"CREATE DATABASE IF NOT EXISTS {database}",
        *account(f"{user}@'%'", password, f"GRANT ALL PRIVILEGES ON {database}.* TO {user}@'%'"),
    ]
    return "".join(f"{line};\n" for line in lines)


def account(name: str, password: str, grant: str) -> list[str]:
    return [f"CREATE USER IF NOT EXISTS {name}", f"ALTER USER {name} IDENTIFIED BY {password}", grant]


def client_wrappers(directory: Path, port: int) -> Path:
    """The directory with the clients of the image, each bound to this server."""
    address = ["--protocol=tcp", "--host=127.0.0.1", f"--port={port}"]
    for name in CLIENTS:
        client_wrapper(directory, name, client(name), address, "--no-defaults")
    return directory / "bin"


def client(name: str) -> str:
    """The program that stands for a client of the image."""
    return found("mariadb-client", CLIENTS[name], name)
