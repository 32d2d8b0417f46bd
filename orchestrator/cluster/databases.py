"""What is in the databases: SQL through mysql and psql, Redis through redis-cli, in their own pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from orchestrator import effects as fx
from orchestrator.cluster import sql_scripts
from orchestrator.cluster.execs import Ran
from orchestrator.cluster.pods import Pods, whole, without_values
from orchestrator.errors import ClusterRefused, ClusterUnreachable
from orchestrator.port import DatabaseSeen, WorkloadSeen

# What the clients say while a server starts, stops, or has no place for one more.
NOT_NOW: Final = (
    "ERROR 2002", "ERROR 2003", "ERROR 2006", "ERROR 2013", "ERROR 2055", "ERROR 1040", "ERROR 1053",
    "could not connect", "Connection refused", "No such file or directory", "the database system is",
    "too many clients", "terminating connection", "server closed the connection", "is being accessed by",
    "Could not connect to Redis", "LOADING",
    # A load of PostgreSQL drops its database and makes it anew: whoever comes between the two is too early.
    'FATAL:  database "', "just been dropped",
)


def is_cut_off(said: str) -> bool:
    """Whether a client complains of a server that is not there, and not of what it was told."""
    return any(words in said for words in NOT_NOW)


class Databases:
    def __init__(self, pods: Pods) -> None:
        self._pods = pods

    def seen(self, workload: WorkloadSeen, engine: fx.Engine, database: str) -> DatabaseSeen | None:
        text = self._asked(workload, sql_scripts.DATABASE[engine], database)
        if text is None:
            return None
        first, mark = [*text.split("\n"), ""][:2]
        is_there, tables, connections = (int(word) for word in first.split())
        return DatabaseSeen(is_there=bool(is_there), mark=mark, tables=tables, connections=connections)

    def row_counts(
        self, workload: WorkloadSeen, engine: fx.Engine, database: str, tables: Sequence[str]
    ) -> Mapping[str, int | None] | None:
        rows = self._pairs(workload, sql_scripts.ROW_COUNTS[engine], database, *tables)
        return None if rows is None else {table: rows.get(table) for table in tables}

    def hosts(self, workload: WorkloadSeen, engine: fx.Engine, database: str) -> tuple[str, ...] | None:
        text = self._asked(workload, sql_scripts.HOSTS_OF[engine], database)
        if text is None:
            return None
        return tuple(sorted({host for line in text.split("\n") if (host := host_of(line.strip()))}))

    def services_in_sql(
        self, workload: WorkloadSeen, engine: fx.Engine, database: str
    ) -> Mapping[str, int] | None:
        return self._pairs(workload, sql_scripts.SERVICES_OF[engine], database)

    def services_in_redis(self, workload: WorkloadSeen) -> Mapping[str, int] | None:
        text = self._asked(workload, sql_scripts.SERVICES_IN_REDIS)
        if text is None:
            return None
        ids, _, counts = text.partition("\n\n")
        try:
            return dict(zip(ids.split(), map(int, counts.split()), strict=True))
        except ValueError as error:
            raise ClusterUnreachable(f"an answer of redis-cli cannot be read: {error}") from error

    def flush(self, effect: fx.FlushRedis) -> None:
        answer = self._pods.command(effect, sql_scripts.FLUSH, str(effect.database))
        if answer != "OK":
            raise ClusterRefused(f"redis-cli FLUSHDB in pod {effect.pod}: {without_values(answer)}")

    def forget(self, effect: fx.ForgetMark) -> None:
        ran = self._pods.script(effect, sql_scripts.FORGET[effect.engine], effect.database)
        if answered(ran, effect.pod) is None:
            raise ClusterUnreachable(f"the database server in pod {effect.pod} does not answer now")

    def _pairs(self, workload: WorkloadSeen, script: str, *arguments: str) -> dict[str, int] | None:
        text = self._asked(workload, script, *arguments)
        if text is None:
            return None
        rows = (line.split("\t") for line in text.split("\n") if line)
        return {name: int(number) for name, number in rows}

    def _asked(self, workload: WorkloadSeen, script: str, *arguments: str) -> str | None:
        return answered(self._pods.script(workload, script, *arguments), workload.pod)


def answered(ran: Ran, pod: str) -> str | None:
    """The answer of a script of sql_scripts; None while the server takes no connections."""
    if ran.code == 0:
        return whole(ran)
    said = ran.err.decode("utf-8", "replace")
    if ran.code == sql_scripts.CLIENT_FAILED and is_cut_off(said):
        return None
    raise ClusterRefused(f"the database client in pod {pod} failed: {without_values(ran.complaint)}")


def host_of(value: str) -> str:
    """The host of a domain or of a URL, in lower case; "" where there is none."""
    try:
        return (urlsplit(value if "://" in value else f"//{value}").hostname or "").lower()
    except ValueError:
        return ""
