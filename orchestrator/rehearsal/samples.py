"""Sample data for the two Redis databases of 3scale: the same words in, the same commands out.

Pure. The names of keys are those that apisonator and porta use, the types are all there are, and every
value carries a mark, so that the data of an old installation and of a backup can be told apart.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Literal, NamedTuple

from orchestrator.rehearsal.resp import Command

Size = Literal["small", "medium", "large"]

FAR_AWAY_MS = 4_000_000_000_000  # the year 2096: none of it expires during a rehearsal
QUEUES_DATABASE = 1


class Amount(NamedTuple):
    """How much data: applications, and bytes of noise that no compression shrinks."""

    applications: int
    noise_bytes: int


AMOUNTS: dict[Size, Amount] = {
    "small": Amount(800, 64 << 10),
    "medium": Amount(8_000, 32 << 20),
    "large": Amount(40_000, 400 << 20),
}
NOISE_PIECE_BYTES = 1 << 20


def sample(workload: str, mark: str, size: Size) -> Iterator[Command]:
    """Commands that fill one database server: `backend-redis` or `system-redis`."""
    amount = AMOUNTS[size]
    make = {"backend-redis": backend, "system-redis": system}[workload]
    yield from make(mark, amount.applications)
    yield from every_type(mark)
    yield from noise(f"{workload} {mark}", amount.noise_bytes)


def backend(mark: str, applications: int) -> Iterator[Command]:
    """What apisonator keeps: services and applications in database 0, its job queues in database 1."""
    services = max(1, applications // 100)
    yield ("SELECT", 0)
    yield ("SADD", "services_set", *range(services))
    for service in range(services):
        yield ("SET", f"service/id:{service}/provider_key", f"{mark}-key-{service}")
        yield ("HSET", f"service/id:{service}/metrics", "hits", 1, "mark", mark)
    for number in range(applications):
        service = number % services
        application = f"application/service_id:{service}/id:{mark}{number}"
        yield ("SADD", f"service_id:{service}/applications", f"{mark}{number}")
        yield ("SET", f"{application}/state", "active")
        yield ("SET", f"{application}/plan_name", f"{mark} plan {number % 7}")
        stats = f"stats/{{service:{service}}}/cinstance:{mark}{number}/metric:1/month:20261101"
        yield ("SET", stats, number, "PXAT", FAR_AWAY_MS + number)
    yield ("SELECT", QUEUES_DATABASE)
    for number in range(applications // 4):
        yield ("RPUSH", "resque:queue:priority", f'{{"class":"ReportJob","args":["{mark}",{number}]}}')
    yield ("SADD", "resque:queues", "priority", "main", "stats")


def system(mark: str, applications: int) -> Iterator[Command]:
    """What porta keeps: the queues of sidekiq, mostly in database 1, and caches in database 0."""
    yield ("SELECT", 1)
    yield ("SADD", "queues", "default", "billing", "zync")
    for number in range(applications):
        yield ("LPUSH", "queue:default", f'{{"class":"ZyncWorker","jid":"{mark}{number}"}}')
        yield ("ZADD", "schedule", FAR_AWAY_MS / 1000 + number / 4, f'{{"jid":"{mark}-scheduled-{number}"}}')
        yield ("SET", f"uniquejobs:{mark}{number}", number, "PXAT", FAR_AWAY_MS + number)
        yield ("HSET", f"stat:{mark}:{number}", "processed", number, "failed", 0)
    yield ("SELECT", 0)
    for number in range(applications):
        yield ("SET", f"cache:{number}", f"{mark} {number}")


def every_type(mark: str) -> Iterator[Command]:
    """One value of each type and encoding, in a database that 3scale leaves alone."""
    yield ("SELECT", 7)
    yield ("SET", "text", f"{mark} öäü 日本\n")
    yield ("SET", b"bytes\x00\xff\r\n", mark.encode() + bytes(range(256)))
    yield ("SET", "number", 2**40)
    yield ("SET", "long text", f"{mark} " * 5000)
    yield ("RPUSH", "list", mark, 1, -70000, "x" * 9000)
    yield ("SADD", "numbers", *range(50))
    yield ("SADD", "words", *(f"{mark} {number}" for number in range(700)))
    yield ("ZADD", "scores", 1.5, mark, "-inf", "least", "+inf", "most")
    yield ("ZADD", "many scores", *(word for n in range(400) for word in (n / 7, f"{mark} {n}")))
    yield ("HSET", "fields", "mark", mark, "empty", "")
    yield ("HSET", "many fields", *(word for n in range(700) for word in (f"field {n}", f"{mark} {n}")))
    yield ("PFADD", "distinct", *(f"{mark} {number}" for number in range(100)))
    yield ("XADD", "events", "1-1", "mark", mark)
    yield ("XADD", "events", "2-1", "mark", mark, "more", "y" * 300)
    yield ("XGROUP", "CREATE", "events", "readers", 0)
    yield ("XREADGROUP", "GROUP", "readers", "ann", "COUNT", 1, "STREAMS", "events", ">")
    yield ("SET", "expires", mark, "PXAT", FAR_AWAY_MS)


def noise(mark: str, size_bytes: int) -> Iterator[Command]:
    """Large values, to make a file of some size."""
    yield ("SELECT", 0)
    source = random.Random(mark)
    for number, start in enumerate(range(0, size_bytes, NOISE_PIECE_BYTES)):
        piece = source.randbytes(min(NOISE_PIECE_BYTES, size_bytes - start))
        yield ("SET", f"noise:{number}", piece)
