"""One SQL database, asked for its version, its size and its owner, and where a file may be put beside it.

The name of the database is that of the URL in its Secret, which 3scale itself uses; nothing else of the
Secret is kept.
"""

from __future__ import annotations

import base64
from typing import Final, Literal
from urllib.parse import urlsplit

from orchestrator.cluster.live import LiveCluster
from orchestrator.cluster.rest import Object
from orchestrator.effects import Engine
from orchestrator.errors import ClusterRefused, PreflightRefused
from orchestrator.installation import SqlWorkload
from orchestrator.observe.pods import COPYING_TOOLS, MISSING_TOOLS, ask, find, free_bytes, settled, volume_of
from orchestrator.parts import DATABASES
from orchestrator.port import WorkloadSeen

Part = Literal["system-database", "zync"]
WORKLOADS: Final[dict[Part, tuple[tuple[str, Engine], ...]]] = {
    "system-database": (("system-mysql", "mysql"), ("system-postgresql", "postgresql")),
    "zync": (("zync-database", "postgresql"),),
}
SECRETS: Final[dict[Part, tuple[str, str]]] = {"system-database": ("system-database", "URL"), "zync": ("zync", "DATABASE_URL")}
TOOLS: Final[dict[Engine, tuple[str, ...]]] = {
    "mysql": ("mysql", "mysqldump", "gzip", *COPYING_TOOLS),
    "postgresql": ("psql", "pg_dump", "gzip", "sed", *COPYING_TOOLS),
}

# database -> version, data directory, size in bytes, owner, one a line
MYSQL: Final = """
MYSQL_PWD=$MYSQL_ROOT_PASSWORD; export MYSQL_PWD
mysql -uroot -N -B -e 'SELECT VERSION(); SELECT @@datadir;
SELECT CAST(COALESCE(SUM(data_length + index_length), 0) AS SIGNED) FROM information_schema.tables
WHERE table_schema = DATABASE(); SELECT CONCAT("-");' --database="$1" || exit 7
echo end
"""
POSTGRESQL: Final = """
psql -X -A -t -v ON_ERROR_STOP=1 -d "$1" -c 'SHOW server_version' -c 'SHOW data_directory' \\
  -c 'SELECT pg_database_size(current_database())' \\
  -c 'SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()' || exit 7
echo end
"""
# directory -> HOME and its free KiB, where it can be written to and is another file system than the directory's
HOME_ROOM: Final = """
room() { df -Pk "$1" | tail -n 1; }
if [ -n "${HOME-}" ] && [ -d "$HOME" ] && [ -w "$HOME" ]; then
  here=$(room "$HOME") there=$(room "$1")
  if [ "${here%% *} ${here##* }" != "${there%% *} ${there##* }" ]; then
    echo "$HOME"; set -- $here; echo "$4"
  fi
fi
echo end
"""
ASKED: Final[dict[Engine, str]] = {"mysql": MYSQL, "postgresql": POSTGRESQL}


def sql_workload(cluster: LiveCluster, part: Part) -> SqlWorkload | None:
    """None where it is not in this namespace. Raises PreflightRefused where it does not answer."""
    for name, engine in WORKLOADS[part]:
        found = find(cluster, name)
        if found is not None:
            return asked(cluster, part, name, engine, *found)
    return None


def asked(
    cluster: LiveCluster, part: Part, name: str, engine: Engine, seen: WorkloadSeen, raw: Object
) -> SqlWorkload:
    settled(cluster, name, seen)
    database = database_name(cluster, part)
    answer = ask(cluster, seen, ASKED[engine], database)
    if len(answer) < 4:
        raise PreflightRefused(
            f"database {database} of {name} does not answer as it should",
            hint=f"kubectl logs {seen.pod} --namespace {cluster.connection.namespace}",
        )
    version, data_dir, size_bytes, owner = answer[:4]
    directory, volume = volume_of(cluster, seen, raw, data_dir.rstrip("/"))
    home, home_kib = [*ask(cluster, seen, HOME_ROOM, directory), "", "0"][:2]
    return SqlWorkload(
        part=part, name=name, kind=seen.kind, engine=engine, pod=seen.pod, version=version, database=database,
        owner="" if engine == "mysql" else owner, directory=directory, volume=volume,
        free_bytes=free_bytes(cluster, seen, directory), size_bytes=int(size_bytes),
        home=home, home_free_bytes=int(home_kib or 0) * 1024,
        missing_tools=tuple(ask(cluster, seen, MISSING_TOOLS, *TOOLS[engine])),
    )


def database_name(cluster: LiveCluster, part: Part) -> str:
    """The path of the URL in the Secret; the default where it may not be read."""
    secret, key = SECRETS[part]
    try:
        found = cluster.rest.find(f"{cluster.core}/secrets/{secret}")
        url = base64.b64decode(((found or {}).get("data") or {}).get(key, "")).decode()
        path = urlsplit(url).path.strip("/")
    except (ClusterRefused, ValueError):
        path = ""
    return path or DATABASES[part]
