"""What an installation holds, as one comparable value: for "before" and "after".

Everything a restore may change is in it: every key of every Redis database with its value and its absolute
expiry, every table, trigger and sequence of the SQL databases, the files of the storage, the custom resource,
replicas and templates of the workloads, ConfigMaps, routes, and Secrets as digests that nobody can guess from.
Left out is what changes by itself: the key `liveness-probe`, which the readiness probe writes, zync's jobs,
and what the operator notes in a template of the ConfigMap's version. Values are compared as what they
mean, not as their bytes in memory, which differ after each reload. Absent, empty and null are three things.

When a template was last restarted is a part of its own: a rollback brings it back, two restores differ in it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from orchestrator.rehearsal.apiclient import ApiClient
from orchestrator.rehearsal.contents import sql_content, tree, without
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.rehearsal.places import REDIS, SQL, objects, present, redis_port, sql_place, storage
from orchestrator.rehearsal.resp import Command, RedisClient

LEFT_OUT = b"liveness-probe"
JOBS = ("TABLE que_jobs", "SEQUENCE SET que_jobs_job_id_seq")
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
OPERATORS = {"redisConfigMapResourceVersion"}
RESTARTS = "restarts"
SCAN_COUNT = 100
WRITTEN_BY_3SCALE = {"backend-redis": ("redis", "backend-redis"), "zync": ("sql", "zync-database")}


@dataclass(frozen=True)
class Picture:
    """`content` is plain JSON; its parts are those of `picture`, each by name."""

    content: Mapping[str, Any]

    @cached_property
    def sha256(self) -> str:
        text = json.dumps(self.content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def differences(self, other: Picture) -> list[str]:
        """Where the two differ, as paths such as `redis.backend-redis.0.services_set`."""
        return sorted(differing(self.content, other.content, ""))

    def owned(self, parts: Sequence[str]) -> Picture:
        """The same but for what 3scale itself writes to parts that are not restored: a rollback leaves it, as the plan says."""
        left = {(kind, name) for part, (kind, name) in WRITTEN_BY_3SCALE.items() if part not in parts}
        kept = {
            kind: {name: held for name, held in self.content.get(kind, {}).items() if (kind, name) not in left} for kind in ("redis", "sql")
        }
        return Picture({**self.content, **kept})

    def without_restarts(self) -> Picture:
        """The same but for when each template was restarted: for two restores held against each other."""
        return Picture({name: part for name, part in self.content.items() if name != RESTARTS})


def picture(cluster: Rehearsed) -> Picture:
    """Looks at a whole installation whose workloads are ready; databases with 0 replicas have no content."""
    api = ApiClient(cluster.kubeconfig)
    workloads = workloads_of(api, cluster)
    replicas = {name: workload["spec"].get("replicas", 1) for name, workload in workloads.items()}
    place = storage(cluster)
    with ThreadPoolExecutor() as pool:
        redis = {name: pool.submit(redis_content, cluster, name) for name in present(cluster, REDIS) if replicas[name]}
        sql = {name: pool.submit(database_content, cluster, name) for name in present(cluster, SQL) if replicas[name]}
        files = pool.submit(partial(tree, place)) if place else None
        content = api_content(api, cluster)
    return Picture(
        content
        | {
            "redis": {name: found.result() for name, found in redis.items()},
            "sql": {name: found.result() for name, found in sql.items()},
            "storage": files.result() if files else {},
            "files": {name: files_of(cluster, name) for name in present(cluster, REDIS)},
            "replicas": replicas,
            "templates": {name: template_of(workload) for name, workload in workloads.items()},
            RESTARTS: {name: annotations_of(workload).get(RESTARTED_AT) for name, workload in workloads.items()},
        }
    )


# ---- what the API has ----------------------------------------------------------------------------


def workloads_of(api: ApiClient, cluster: Rehearsed) -> dict[str, Any]:
    kinds = ("DeploymentConfig", "Deployment")
    return {name: one for kind in kinds for name, one in objects(api, cluster.namespace, kind).items()}


def annotations_of(workload: Mapping[str, Any]) -> Mapping[str, Any]:
    return (workload["spec"]["template"].get("metadata") or {}).get("annotations") or {}


def template_of(workload: Mapping[str, Any]) -> dict[str, Any]:
    """The template of its pods, without what a mere rollout changes."""
    template, left_out = workload["spec"]["template"], {RESTARTED_AT, *OPERATORS}
    kept = {name: value for name, value in annotations_of(workload).items() if name not in left_out}
    return {"labels": template["metadata"].get("labels", {}), "annotations": kept, "spec": template["spec"]}


def api_content(api: ApiClient, cluster: Rehearsed) -> dict[str, Any]:
    config_maps, secrets, routes, apimanagers = (
        objects(api, cluster.namespace, kind) for kind in ("ConfigMap", "Secret", "Route", "APIManager")
    )
    key = cluster.kubeconfig.read_bytes()
    targets: dict[str, list[str]] = {}
    for route in routes.values():
        targets.setdefault(route["spec"].get("host", ""), []).append(route["spec"]["to"]["name"])
    return {
        "config": {name: one.get("data") for name, one in config_maps.items()},
        "secrets": {name: hidden(key, one.get("data")) for name, one in secrets.items()},
        "routes": {host: sorted(names) for host, names in targets.items()},
        "apimanager": {name: one["spec"] for name, one in apimanagers.items()},
    }


def hidden(key: bytes, data: Mapping[str, str] | None) -> dict[str, str] | None:
    """A digest of each value that only who may see the cluster's own key can compare with a guess."""
    return None if data is None else {name: hmac.new(key, f"{name}={value}".encode(), "sha256").hexdigest() for name, value in data.items()}


# ---- what the databases have ---------------------------------------------------------------------


def database_content(cluster: Rehearsed, workload: str) -> dict[str, Any]:
    """database -> section -> digests"""
    found = sql_content(sql_place(cluster, workload).server)
    return {database: without(content, JOBS) for database, content in found.items()}


def redis_content(cluster: Rehearsed, workload: str) -> dict[str, Any]:
    return keys_of(redis_port(cluster, workload))


def files_of(cluster: Rehearsed, workload: str) -> list[str]:
    """Names in the claim, whether or not a pod has it mounted now; a server's temporary files are not named."""
    data = cluster.root / "volumes" / cluster.namespace / f"{workload}-storage"
    return sorted(path.name for path in data.iterdir() if not path.name.startswith("temp-"))


def keys_of(port: int) -> dict[str, dict[str, list[Any]]]:
    """database -> key -> [type, sha256 of the value, expiry in ms or -1]."""
    with RedisClient(port) as redis:
        count = int(redis.call("CONFIG", "GET", "databases")[1])
        found = {str(number): dict(keys_of_database(redis, number)) for number in range(count)}
    return {number: keys for number, keys in found.items() if keys}


def keys_of_database(redis: RedisClient, number: int) -> Iterator[tuple[str, list[Any]]]:
    redis.call("SELECT", number)
    cursor = b"0"
    while True:
        cursor, scanned = redis.call("SCAN", cursor, "COUNT", SCAN_COUNT)
        keys = sorted(set(scanned) - {LEFT_OUT})
        types = list(redis.calls(("TYPE", key) for key in keys))
        expiries = list(redis.calls(("PEXPIRETIME", key) for key in keys))
        values = values_of(redis, keys, types)
        for key, kind, value, expiry in zip(keys, types, values, expiries, strict=True):
            yield repr(key)[2:-1], [kind.decode(), value, expiry]
        if cursor == b"0":
            return


def values_of(redis: RedisClient, keys: list[bytes], types: list[bytes]) -> list[str]:
    """The sha256 of each value in a form that does not depend on how the server keeps it."""
    answers = list(redis.calls(reading(key, kind) for key, kind in zip(keys, types, strict=True)))
    digests = []
    for key, kind, answer in zip(keys, types, answers, strict=True):
        meant = [answer, groups_of(redis, key)] if kind == b"stream" else unordered(kind, answer)
        content = meant if isinstance(meant, bytes) else repr(meant).encode()
        digests.append(hashlib.sha256(content).hexdigest())
    return digests


def reading(key: bytes, kind: bytes) -> Command:
    commands: dict[bytes, Command] = {
        b"string": ("GET", key),
        b"list": ("LRANGE", key, 0, -1),
        b"set": ("SMEMBERS", key),
        b"zset": ("ZRANGE", key, 0, -1, "WITHSCORES"),
        b"hash": ("HGETALL", key),
        b"stream": ("XRANGE", key, "-", "+"),
    }
    return commands.get(kind, ("DUMP", key))


def unordered(kind: bytes, answer: Any) -> Any:
    """Sets and hashes have no order of their own."""
    if kind == b"set":
        return sorted(answer)
    if kind == b"hash":
        return sorted(zip(answer[::2], answer[1::2], strict=True))
    return answer


def groups_of(redis: RedisClient, key: bytes) -> list[Any]:
    """The consumer groups of a stream: who reads, what is pending, and how far they got."""
    groups = [dict(zip(group[::2], group[1::2], strict=True)) for group in redis.call("XINFO", "GROUPS", key)]
    kept = (b"name", b"consumers", b"pending", b"last-delivered-id")
    return sorted([group[field] for field in kept] for group in groups)


def differing(one: Any, other: Any, path: str) -> Iterator[str]:
    """What is absent in one of the two differs, whatever the other has there: also nothing."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in one.keys() | other.keys():
            inner = f"{path}.{name}" if path else str(name)
            if name in one and name in other:
                yield from differing(one[name], other[name], inner)
            else:
                yield inner
    elif one != other or type(one) is not type(other):
        yield path
