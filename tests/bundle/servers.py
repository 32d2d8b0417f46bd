"""A throw-away redis-server for tests, spoken to with redis-cli over a unix socket."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Server:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "s"

    def cli(self, *words: str, stdin: bytes | None = None) -> str:
        done = subprocess.run(
            ["redis-cli", "-s", str(self.socket), *words], input=stdin, capture_output=True, timeout=60, check=True
        )
        return done.stdout.decode().strip()

    def load(self, commands: list[list[str | bytes]]) -> None:
        """Sends all commands at once, in the protocol itself, so that any bytes can be sent."""
        answer = self.cli("--pipe", stdin=b"".join(map(encode, commands)))
        assert "errors: 0," in answer, answer

    def save(self) -> Path:
        assert self.cli("save") == "OK"
        return self.directory / "dump.rdb"


def encode(command: list[str | bytes]) -> bytes:
    words = [word.encode() if isinstance(word, str) else word for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


@contextmanager
def redis_server(directory: Path, *options: str, binary: str = "redis-server") -> Iterator[Server]:
    """A server with its data in `directory` (short: the socket's path is limited), stopped in the end."""
    server = Server(directory)
    log = directory / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [binary, "--port", "0", "--unixsocket", str(server.socket), "--save", "", "--dir", str(directory),
             *options], stdout=out,
        )  # fmt: skip
    try:
        wait_until_ready(server, process, log)
        yield server
    finally:
        process.kill()
        process.wait()


def wait_until_ready(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if server.cli("ping") == "PONG":
                return
        except subprocess.CalledProcessError:
            pass
        time.sleep(0.02)
    raise AssertionError(log.read_text())


def every_type(*, newest: bool = True) -> list[list[str | bytes]]:
    """Commands that make a value of every type and every encoding, in several databases, some expiring."""
    long = "x" * 300
    commands: list[list[str | bytes]] = [
        ["SET", "liveness-probe", "Mon Nov 23 19:14:26 UTC 2026"],
        ["SET", "int8", "7"], ["SET", "int16", "-300"], ["SET", "int32", "70000"], ["SET", "int64", str(1 << 40)],
        ["SET", "lzf", "abc" * 500], ["SET", "binary", bytes(range(256)) * 70], ["SET", b"key\n\xff\x00", ""],
        ["SET", "k" * 70, "14 bit length of the key"], ["SET", "z" * 20000, "LZF key"],
        ["SET", "big", bytes(i * 7919 % 251 for i in range(100_000))],
        ["RPUSH", "list", "a", "1", long], ["RPUSH", "longlist", *[f"{i}-{long}" for i in range(200)]],
        ["SADD", "intset", *map(str, range(30))], ["SADD", "set", "a", "b", long],
        ["SADD", "bigset", *[f"member{i}" for i in range(600)]],
        ["ZADD", "zset", "1.5", "a", "-inf", "b", "+inf", "c"],
        ["ZADD", "bigzset", *[w for i in range(300) for w in (str(i / 7), f"member{i}")]],
        ["HSET", "hash", "f", "v", "n", "12"], ["HSET", "longhash", "f", long],
        ["HSET", "bighash", *[w for i in range(600) for w in (f"field{i}", f"value{i}")]],
        ["XADD", "stream", "1-1", "f", "v"], ["XADD", "stream", "2-1", "f", "v", "g", long],
        ["XADD", "stream", "3-1", "f", "v"], ["XDEL", "stream", "2-1"],
        ["XGROUP", "CREATE", "stream", "workers", "0"],
        ["XREADGROUP", "GROUP", "workers", "ann", "COUNT", "2", "STREAMS", "stream", ">"],
        ["XREADGROUP", "GROUP", "workers", "bob", "STREAMS", "stream", "0"],
        ["XGROUP", "CREATE", "stream", "idle", "$"], ["PFADD", "hll", "a", "b"],
        ["SET", "expiring", "1", "PX", "100000000"], ["SET", "expiring2", "1", "PX", "200000000"],
        ["SELECT", "1"], ["RPUSH", "queue:low", '{"class":"Job"}'], ["SET", "x", "y", "PX", "300000000"],
        ["SELECT", "15"], ["SET", "last", "database"],
    ]  # fmt: skip
    if newest:
        commands += [
            ["RPUSH", "plain-node", b"\x01" * 9000],
            ["FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)"],
        ]
    return commands
