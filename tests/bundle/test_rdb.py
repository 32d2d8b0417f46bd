"""The reader of RDB files, against files that real servers wrote."""

from __future__ import annotations

import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.rdb import RdbInvalid, read_rdb
from orchestrator.rdb_summary import DatabaseSummary, RdbSummary, rdb_version_of_redis
from tests.bundle.servers import Server, every_type, redis_server

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture(scope="module")
def dump(directory: Path) -> Path:
    """A real file with every type, written by the redis-server of this machine."""
    with redis_server(directory) as server:
        server.load(every_type())
        return server.save()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A real file of some hundred bytes, small enough to break it in every place."""
    with tempfile.TemporaryDirectory() as name, redis_server(Path(name)) as server:
        server.load([["SET", "k", "v", "PX", "9999999999"], ["HSET", "h", "a", "1"], ["XADD", "s", "1-1", "a", "b"]])
        return server.save().read_bytes()


def read_bytes(data: bytes) -> RdbSummary:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return read_rdb(Path(file.name))


def dbsizes(server: Server) -> dict[int, int]:
    sizes = {db: int(server.cli("-n", str(db), "dbsize")) for db in range(16)}
    return {db: size for db, size in sizes.items() if size}


def test_counts_what_a_real_load_counts(dump: Path, tmp_path: Path) -> None:
    summary = read_rdb(dump)
    with tempfile.TemporaryDirectory() as name:
        Path(name, "dump.rdb").write_bytes(dump.read_bytes())
        with redis_server(Path(name)) as server:
            assert {db: one.keys for db, one in summary.databases.items()} == dbsizes(server)
    assert summary.checksum == "good"
    assert summary.version == 10
    assert summary.databases[0].has_liveness_probe
    assert not summary.databases[1].has_liveness_probe
    assert not summary.databases[0].has_services
    assert (summary.databases[0].expires, summary.databases[1].expires) == (2, 1)


def test_says_what_the_file_is(dump: Path) -> None:
    summary = read_rdb(dump)
    sha256 = subprocess.run(["sha256sum", dump], capture_output=True, check=True).stdout.split()[0].decode()
    server = subprocess.run(["redis-server", "--version"], capture_output=True, check=True).stdout.decode()
    assert (summary.sha256, summary.size_bytes) == (sha256, dump.stat().st_size)
    assert f"v={summary.redis_version} " in server
    assert summary.created_at is not None
    assert abs(summary.created_at.timestamp() - dump.stat().st_mtime) < 5


def test_agrees_with_redis_check_rdb(dump: Path) -> None:
    report = subprocess.run(["redis-check-rdb", dump], capture_output=True, check=True).stdout.decode()
    summary = read_rdb(dump)
    assert f" {sum(one.keys for one in summary.databases.values())} keys read" in report
    assert f" {sum(one.expires for one in summary.databases.values())} expires" in report


def test_expiry_times_are_the_servers_own(directory: Path) -> None:
    with tempfile.TemporaryDirectory() as name, redis_server(Path(name)) as server:
        server.load([["SET", "b", "1", "PXAT", "4000000000002"], ["SET", "a", "1", "PXAT", "4000000000001"]])
        server.load([["SET", "stays", "1"]])
        found = read_rdb(server.save()).databases[0]
    assert found.expired_by == ((4000000000001, 1), (4000000000002, 2))
    assert [found.keys_alive_at(4000000000000 + ms) for ms in (0, 1, 2)] == [3, 2, 1]


def test_a_hundred_thousand_keys_and_as_many_expiries() -> None:
    now_ms = int(time.time() * 1000)
    with tempfile.TemporaryDirectory() as name, redis_server(Path(name)) as server:
        server.load([["SET", f"key:{i}", str(i), "PXAT", str(now_ms + 1_000_000 + i * 10)] for i in range(100_000)])
        found = read_rdb(server.save()).databases[0]
    assert (found.keys, found.expires) == (100_000, 100_000)
    assert len(found.expired_by) <= 1001
    assert found.expired_by[-1] == (now_ms + 1_000_000 + 99_999 * 10, 100_000)
    half = found.keys_alive_at(now_ms + 1_000_000 + 50_000 * 10)
    assert 50_000 - 200 <= half <= 50_000


def test_a_large_value_is_stepped_over() -> None:
    with tempfile.TemporaryDirectory() as name, redis_server(Path(name)) as server:
        server.load([["SET", "large", random.Random(1).randbytes(5_000_000)], ["SET", "after", "1"]])
        assert read_rdb(server.save()).databases[0].keys == 2


def test_no_checksum_is_allowed_and_said() -> None:
    with tempfile.TemporaryDirectory() as name, redis_server(Path(name), "--rdbchecksum", "no") as server:
        server.load([["SET", "k", "v"]])
        assert read_rdb(server.save()).checksum == "absent"


@pytest.mark.parametrize(("name", "release"), [("redis-5.0.rdb", "5.0.6"), ("redis-6.2.rdb", "6.2.14")])
def test_files_of_older_servers(name: str, release: str) -> None:
    summary = read_rdb(DATA / name)
    assert (summary.version, summary.redis_version, summary.checksum) == (9, release, "good")
    report = subprocess.run(["redis-check-rdb", DATA / name], capture_output=True, check=True).stdout.decode()
    assert f" {sum(one.keys for one in summary.databases.values())} keys read" in report


def test_every_truncation_is_an_error_and_says_where(small: bytes) -> None:
    for end in range(1, len(small)):
        with pytest.raises(RdbInvalid, match=f"truncated: it ends at byte {end}$"):
            read_bytes(small[:end])


def test_every_flipped_bit_is_found(small: bytes) -> None:
    for at in range(len(small)):
        for bit in range(8):
            broken = bytearray(small)
            broken[at] ^= 1 << bit
            with pytest.raises(RdbInvalid):
                read_bytes(bytes(broken))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"\x1f\x8b\x08\x00", "not an RDB file: it begins with b'\\\\x1f"),
        (b"REDISxxxx" + bytes(20), "not an RDB file"),
        (b"REDIS0013" + bytes(20), r"RDB version 13 is not known here \(1 to 12 are\)"),
        (b"REDIS0000" + bytes(20), "RDB version 0 is not known"),
        (b"REDIS0009\xfe\x00\x63", "unknown type or opcode 99 at byte 11"),
        (b"REDIS0009\xfe\xc0\x00", "a string where a length should be at byte 10"),
        (b"REDIS0009\x00\xff", "unknown encoding 63 of a string at byte 10"),
        (b"REDIS0009\xfe\x90", "impossible length 0x90 at byte 10"),
        (b"REDIS0009\xff" + b"12345678", "checksum is wrong: the file says 3837363534333231"),
        (b"REDIS0009\xff" + bytes(8) + b"\r\n", "goes on after its end, which is at byte 18"),
        (b"REDIS0009\x02\x01k\x81" + b"\xff" * 8, "truncated"),
    ],
)
def test_each_fault_has_its_sentence(data: bytes, reason: str) -> None:
    with pytest.raises(RdbInvalid, match=reason):
        read_bytes(data)


def test_formats_that_no_server_here_writes() -> None:
    """Modules, and what Redis 7.2 and 7.4 added: put together by hand after src/rdb.c."""
    text, far = b"\x01x", (4_000_000_000_000).to_bytes(8, "little")
    stamp = bytes(8)
    entries = [
        b"\x07" + text + b"\x09\x02\x05\x01\x05\x03abcd\x04" + bytes(8) + b"\x05" + text + b"\x00",  # a module's value
        b"\x16" + text + b"\x01\x00" + text + text,  # hash whose fields expire, before 7.4.0
        b"\x18" + text + far + b"\x02\x01" + text + text + b"\x00" + text + text,  # the same since 7.4.0
        b"\x19" + text + far + text,
        b"\x17" + text + text,
        b"\x14" + text + text,  # set as a listpack
        b"\x15" + text + b"\x01" + text + text + bytes(8)  # stream with one group, one entry, one consumer
        + b"\x01" + text + bytes(3) + b"\x01" + bytes(24) + b"\x01" + b"\x01" + text + stamp * 2 + b"\x01" + bytes(16),
        b"\x03" + text + b"\x03" + text + b"\xfd" + text + b"\xff" + text + b"\x031.5",  # scores as text
    ]  # fmt: skip
    head = b"REDIS0012\xf7\x09\x02\x01\x05" + text + b"\x00\xf4\x01\x02\x03\xfe\x03\xfb\x08\x00\xf8\x05\xf9\x07"
    found = read_bytes(head + b"\xfc" + far + b"".join(entries) + b"\xff" + bytes(8))
    assert found.databases == {3: DatabaseSummary(keys=8, expires=1, expired_by=((4_000_000_000_000, 1),))}


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_damage_is_anything_but_invalid(dump: Path, data: st.DataObject) -> None:
    """Without its checksum a damaged file may still read as one, but it never ends in any other error."""
    broken = bytearray(dump.read_bytes())
    broken[-8:] = bytes(8)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(9, len(broken) - 1))
        broken[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    try:
        read_bytes(bytes(broken))
    except RdbInvalid as error:
        assert error.reason


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_no_noise_is_anything_but_invalid(noise: bytes) -> None:
    try:
        read_bytes(b"REDIS0011" + noise)
    except RdbInvalid as error:
        assert error.reason


@pytest.mark.parametrize(
    ("release", "version"),
    [("2.8.4", 6), ("3.2.1", 7), ("4.0.14", 8), ("5.0.6", 9), ("6.2.14", 9), ("7.0.15", 10), ("7.2.4", 11), ("7.4.1", 12),
     ("8.0.0", 12)],
)  # fmt: skip
def test_versions_that_a_server_loads(release: str, version: int) -> None:
    assert rdb_version_of_redis(release) == version


def test_a_version_that_is_none() -> None:
    with pytest.raises(ValueError, match="'latest' is not a version of Redis"):
        rdb_version_of_redis("latest")
