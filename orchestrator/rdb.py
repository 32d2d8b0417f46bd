"""Reads a Redis RDB file once, in constant memory, and says what it holds.

A restore must not begin with a dump that no server can load, and must know afterwards how many keys
there should be. So the file is walked as the server walks it: every opcode and every type of value of
RDB versions 1 to 12, but values are stepped over by their lengths and never built. It knows no bundle,
no cluster and no running server; `redis-check-rdb` and the server's own loader remain the authority on
what is inside a value.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, NoReturn

from orchestrator.rdb_pieces import Pieces
from orchestrator.rdb_pieces import RdbInvalid as RdbInvalid
from orchestrator.rdb_summary import DatabaseSummary, RdbSummary

NEWEST_VERSION: Final = 12
FIRST_VERSION_WITH_CHECKSUM: Final = 5
KEPT_RANKS: Final = 1000
MAGIC: Final = b"REDIS"
LIVENESS_PROBE: Final = b"liveness-probe"
SERVICES: Final = b"services_set"  # of apisonator: the services that backend-redis knows
NOTED_LENGTHS: Final = (len(LIVENESS_PROBE), len(SERVICES))


def read_rdb(path: Path) -> RdbSummary:
    """Walks the file to its end. RdbInvalid when it is not whole; OSError when it cannot be read."""
    with path.open("rb", buffering=0) as file:
        return Walk(Pieces(file)).summary()


class Tally:
    """Counts the keys of one database."""

    def __init__(self) -> None:
        self.keys = 0
        self.expire_at_ms = array("q")
        self.has_liveness_probe = False
        self.has_services = False

    def summary(self) -> DatabaseSummary:
        times = sorted(self.expire_at_ms)
        stride = max(1, -(-len(times) // KEPT_RANKS))
        ranks = sorted({*range(1, len(times) + 1, stride), len(times)} - {0})
        return DatabaseSummary(
            keys=self.keys,
            expires=len(times),
            expired_by=tuple((times[rank - 1], rank) for rank in ranks),
            has_liveness_probe=self.has_liveness_probe,
            has_services=self.has_services,
        )


class Walk:
    """One pass over one file. Opcodes and types are tables, numbers as in Redis' src/rdb.h."""

    def __init__(self, pieces: Pieces) -> None:
        self.pieces = pieces
        self.databases: dict[int, Tally] = {}
        self.current = Tally()  # keys before any SELECTDB would be in database 0
        self.expire_at_ms: int | None = None
        self.aux: dict[bytes, bytes] = {}
        self.opcodes: dict[int, Callable[[], None]] = {
            244: lambda: self.lengths(3),  # sizes of a cluster slot
            245: self.skip_string,  # a library of functions
            247: self.module_aux,
            248: lambda: self.lengths(1),  # LRU idle time of the next key
            249: lambda: self.pieces.skip(1),  # LFU frequency of the next key
            250: self.aux_field,
            251: lambda: self.lengths(2),  # hints for the sizes of the tables
            252: lambda: self.expiry(8, 1),
            253: lambda: self.expiry(4, 1000),
            254: self.select,
        }
        strings, skip = self.strings, self.skip_string
        self.types: dict[int, Callable[[], None]] = {
            0: skip, 1: lambda: strings(1), 2: lambda: strings(1), 3: self.old_sorted_set,
            4: lambda: strings(2), 5: self.sorted_set, 7: self.module,
            9: skip, 10: skip, 11: skip, 12: skip, 13: skip, 14: lambda: strings(1),
            15: lambda: self.stream(1), 16: skip, 17: skip, 18: self.quicklist, 19: lambda: self.stream(2),
            20: skip, 21: lambda: self.stream(3), 22: self.expiring_hash, 23: skip,
            24: lambda: self.expiring_hash(8), 25: self.expiring_listpack,
        }  # fmt: skip

    def summary(self) -> RdbSummary:
        version = self.header()
        self.entries()
        checksum = self.trailer(version)
        size_bytes, sha256 = self.pieces.finish()
        return RdbSummary(
            version=version,
            size_bytes=size_bytes,
            sha256=sha256,
            checksum=checksum,
            databases={number: tally.summary() for number, tally in sorted(self.databases.items())},
            redis_version=self.aux.get(b"redis-ver", b"").decode("ascii", "replace") or None,
            created_at=moment(self.aux.get(b"ctime", b"")),
        )

    def header(self) -> int:
        first = self.pieces.peek(9)
        if not first:
            raise RdbInvalid("the file is empty")
        if first[:5] != MAGIC[: len(first)] or not (first[5:] or b"0").isdigit():
            raise RdbInvalid(f"this is not an RDB file: it begins with {first!r}")
        self.pieces.take(9)
        version = int(first[5:])
        if not 1 <= version <= NEWEST_VERSION:
            raise RdbInvalid(f"RDB version {version} is not known here (1 to {NEWEST_VERSION} are)")
        return version

    def entries(self) -> None:
        byte, types, opcodes = self.pieces.byte, self.types, self.opcodes
        while (code := byte()) != 255:
            if (value := types.get(code)) is not None:
                self.key()
                value()
            elif (opcode := opcodes.get(code)) is not None:
                opcode()
            else:
                self.refuse(f"unknown type or opcode {code}", at=self.pieces.position - 1)

    def trailer(self, version: int) -> Literal["good", "absent"]:
        if version < FIRST_VERSION_WITH_CHECKSUM:
            return "absent"
        computed = self.pieces.crc()
        stored = int.from_bytes(self.pieces.take(8), "little")
        if stored == 0:
            return "absent"
        if stored != computed:
            raise RdbInvalid(f"the checksum is wrong: the file says {stored:016x}, its bytes give {computed:016x}")
        return "good"

    def refuse(self, what: str, *, at: int) -> NoReturn:
        raise RdbInvalid(f"{what} at byte {at}")

    # Opcodes

    def select(self) -> None:
        self.current = self.databases.setdefault(self.length(), Tally())

    def expiry(self, size_bytes: int, unit_ms: int) -> None:
        self.expire_at_ms = int.from_bytes(self.pieces.take(size_bytes), "little", signed=True) * unit_ms

    def aux_field(self) -> None:
        name, value = self.short_string(), self.short_string()
        self.aux[name] = value

    def module_aux(self) -> None:
        self.lengths(1)
        self.module_fields()

    # A key and its value

    def key(self) -> None:
        tally = self.current
        if not self.databases:
            self.databases[0] = tally
        tally.keys += 1
        if self.expire_at_ms is not None:
            tally.expire_at_ms.append(self.expire_at_ms)
            self.expire_at_ms = None
        count, encoding = self.length_or_encoding()
        if encoding is None and count in NOTED_LENGTHS:
            name = self.pieces.take(count)
            tally.has_liveness_probe |= name == LIVENESS_PROBE
            tally.has_services |= name == SERVICES
        else:
            self.skip_rest(count, encoding)

    def strings(self, each: int) -> None:
        for _ in range(self.length() * each):
            self.skip_string()

    def old_sorted_set(self) -> None:
        for _ in range(self.length()):
            self.skip_string()
            digits = self.pieces.byte()
            self.pieces.skip(digits if digits < 253 else 0)  # 253 to 255 are nan and the infinities

    def sorted_set(self) -> None:
        for _ in range(self.length()):
            self.skip_string()
            self.pieces.skip(8)

    def quicklist(self) -> None:
        for _ in range(self.length()):
            self.lengths(1)
            self.skip_string()

    def expiring_hash(self, head_bytes: int = 0) -> None:
        self.pieces.skip(head_bytes)
        for _ in range(self.length()):
            self.lengths(1)
            self.skip_string()
            self.skip_string()

    def expiring_listpack(self) -> None:
        self.pieces.skip(8)
        self.skip_string()

    def stream(self, edition: int) -> None:
        self.strings(2)  # listpacks of entries by their first id
        self.lengths(3 if edition == 1 else 8)
        for _ in range(self.length()):
            self.skip_string()
            self.lengths(2 if edition == 1 else 3)
            self.pending_entries()
            self.consumers(edition)

    def pending_entries(self) -> None:
        for _ in range(self.length()):
            self.pieces.skip(16 + 8)
            self.lengths(1)

    def consumers(self, edition: int) -> None:
        for _ in range(self.length()):
            self.skip_string()
            self.pieces.skip(16 if edition >= 3 else 8)
            self.pieces.skip(self.length() * 16)

    def module(self) -> None:
        self.lengths(1)
        self.module_fields()

    def module_fields(self) -> None:
        """A module's value is a list of fields, each with its own type, so it can be read without the module."""
        while field := self.length():
            if field in (1, 2):
                self.lengths(1)
            elif field in (3, 4):
                self.pieces.skip(4 if field == 3 else 8)
            elif field == 5:
                self.skip_string()
            else:
                self.refuse(f"unknown field type {field} in a module's value", at=self.pieces.position)

    # Lengths and strings

    def length_or_encoding(self) -> tuple[int, int | None]:
        """(length, None), or (0, encoding) of a string that is kept in a special way."""
        pieces = self.pieces
        first = pieces.byte()
        if first < 0x40:
            return first, None
        if first < 0x80:
            return (first & 0x3F) << 8 | pieces.byte(), None
        if first >= 0xC0:
            return 0, first & 0x3F
        if first not in (0x80, 0x81):
            self.refuse(f"impossible length {first:#04x}", at=pieces.position - 1)
        return int.from_bytes(pieces.take(4 if first == 0x80 else 8), "big"), None

    def length(self) -> int:
        count, encoding = self.length_or_encoding()
        if encoding is not None:
            self.refuse("a string where a length should be", at=self.pieces.position - 1)
        return count

    def lengths(self, count: int) -> None:
        for _ in range(count):
            self.length()

    def skip_string(self) -> None:
        count, encoding = self.length_or_encoding()
        self.skip_rest(count, encoding)

    def skip_rest(self, count: int, encoding: int | None) -> None:
        if encoding is None:
            self.pieces.skip(count)
        elif encoding < 3:
            self.pieces.skip(1 << encoding)
        elif encoding == 3:  # LZF: packed length, true length, packed bytes
            packed = self.length()
            self.lengths(1)
            self.pieces.skip(packed)
        else:
            self.refuse(f"unknown encoding {encoding} of a string", at=self.pieces.position - 1)

    def short_string(self) -> bytes:
        """A string if it is short and plain or a number, else nothing: enough for the fields kept here."""
        count, encoding = self.length_or_encoding()
        if encoding is None and count <= 64:
            return self.pieces.take(count)
        if encoding is not None and encoding < 3:
            return str(int.from_bytes(self.pieces.take(1 << encoding), "little", signed=True)).encode()
        self.skip_rest(count, encoding)
        return b""


def moment(seconds: bytes) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None
