"""What an installation holds, as one comparable value: for "before" and "after".

Everything a restore of Redis may change is in it: every key of every database with its value and its
absolute expiry, the text of the ConfigMap, the files beside the data, the replicas. Left out is what
changes by itself: the key `liveness-probe`, which the readiness probe writes. Values are compared as what
they mean, not as their bytes in memory, which differ after each reload.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from orchestrator.rehearsal.apiclient import ApiClient
from orchestrator.rehearsal.installation import CONFIG_MAP, REDIS_WORKLOADS
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.rehearsal.places import redis_port
from orchestrator.rehearsal.resp import Command, RedisClient

LEFT_OUT = b"liveness-probe"
APIS = {"DeploymentConfig": "apis/apps.openshift.io/v1", "Deployment": "apis/apps/v1"}
SCAN_COUNT = 100


@dataclass(frozen=True)
class Picture:
    """`content` is plain JSON: redis, config, files, replicas, each by name."""

    content: Mapping[str, Any]

    @cached_property
    def sha256(self) -> str:
        text = json.dumps(self.content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def differences(self, other: Picture) -> list[str]:
        """Where the two differ, as paths such as `redis.backend-redis.0.services_set`."""
        return sorted(differing(self.content, other.content, ""))


def picture(cluster: Rehearsed) -> Picture:
    """Looks at a whole installation whose workloads are ready; those with 0 replicas have no keys."""
    api = ApiClient(cluster.kubeconfig)
    replicas = {name: replicas_of(api, cluster, name) for name in REDIS_WORKLOADS}
    return Picture(
        {
            "redis": {name: keys_of(redis_port(cluster, name)) for name in REDIS_WORKLOADS if replicas[name]},
            "config": api.get(f"/api/v1/namespaces/{cluster.namespace}/configmaps/{CONFIG_MAP}").get("data", {}),
            "files": {name: files_of(cluster, name) for name in REDIS_WORKLOADS},
            "replicas": replicas,
        }
    )


def replicas_of(api: ApiClient, cluster: Rehearsed, workload: str) -> int:
    kind = "DeploymentConfig" if cluster.release == "2.13" else "Deployment"
    path = f"/{APIS[kind]}/namespaces/{cluster.namespace}/{kind.lower()}s/{workload}"
    return int(api.get(path)["spec"].get("replicas", 1))


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
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in one.keys() | other.keys():
            inner = f"{path}.{name}" if path else str(name)
            yield from differing(one.get(name), other.get(name), inner)
    elif one != other:
        yield path
