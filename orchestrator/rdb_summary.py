"""What an RDB file holds, and which server loads it, as data. Pure: the file itself is read elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

# The first Redis release that loads each RDB version; `REDIS00NN` is refused by any older server.
LOADED_FROM: Final = (((7, 4), 12), ((7, 2), 11), ((7, 0), 10), ((5, 0), 9), ((4, 0), 8), ((3, 2), 7), ((2, 6), 6))


class DatabaseSummary(BaseModel):
    """What one database of the file holds.

    expired_by: (time in ms, that key's rank by expiry), ascending and beginning with the soonest. All
    ranks are there up to 1000 expiring keys; of more, an even choice and the last.
    """

    model_config = ConfigDict(frozen=True)

    keys: int
    expires: int
    expired_by: tuple[tuple[int, int], ...] = ()
    has_liveness_probe: bool = False
    has_services: bool = False  # the key `services_set`, which is backend-redis's alone

    def keys_alive_at(self, now_ms: int) -> int:
        """How many keys a master keeps that loads the file at `now_ms`.

        Exact while every rank is kept; else the least it can be. A key whose time is `now_ms` itself
        still loads, and is taken as gone a moment later: here it counts as gone.
        """
        return self.keys - next((rank - 1 for at_ms, rank in self.expired_by if at_ms > now_ms), self.expires)


class RdbSummary(BaseModel):
    """What the whole file is. sha256 is that of the file, in hex; created_at is the writer's own clock."""

    model_config = ConfigDict(frozen=True)

    version: int
    size_bytes: int
    sha256: str
    checksum: Literal["good", "absent"]
    databases: Mapping[int, DatabaseSummary]
    redis_version: str | None = None
    created_at: datetime | None = None


def rdb_version_of_redis(redis_version: str) -> int:
    """The newest RDB version that a server of this release loads: `6.2.7` -> 9."""
    words = redis_version.split(".")[:2]
    if len(words) < 2 or not all(word.isdecimal() for word in words):
        raise ValueError(f"{redis_version!r} is not a version of Redis")
    release = tuple(int(word) for word in words)
    return next((version for since, version in LOADED_FROM if release >= since), 5)
