"""What a line does wrong, and when: pure, the same for the same seed.

A cut takes down every connection at once, as a VPN does that drops; its bytes are counted over all
connections and both directions. A stall holds all of them too and closes none: the line is half open. A
reset ends one connection, and its bytes are that connection's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Final, Literal

Ending = Literal["reset", "closed"]
"""How a connection is ended: by RST, which drops what is on its way, or by FIN, as if nothing were wrong."""

MIB: Final = 1024 * 1024
ENDINGS: Final[tuple[Ending, ...]] = ("reset", "closed")


@dataclass(frozen=True)
class Faults:
    """0 is: never, or without a limit.

    `latency_seconds` is added to each direction; `bytes_per_second` is what all connections share in one
    direction, `bytes_per_second_each` what one of them may carry; `resets_per_mib` how often a connection is
    reset for each MiB that it has carried.
    """

    cut_every_bytes: int = 0
    stall_every_bytes: int = 0
    stall_seconds: float = 0.0
    latency_seconds: float = 0.0
    bytes_per_second: int = 0
    resets_per_mib: float = 0.0
    bytes_per_second_each: int = 0

    def __str__(self) -> str:
        said = [
            f"cut every {in_bytes(self.cut_every_bytes)}" if self.cut_every_bytes else "",
            f"stalled for {self.stall_seconds:g} s every {in_bytes(self.stall_every_bytes)}"
            if self.stall_every_bytes else "",
            f"{self.latency_seconds * 1000:g} ms late" if self.latency_seconds else "",
            f"{in_bytes(self.bytes_per_second)}/s" if self.bytes_per_second else "",
            f"{in_bytes(self.bytes_per_second_each)}/s for each connection" if self.bytes_per_second_each else "",
            f"{self.resets_per_mib:g} resets per MiB" if self.resets_per_mib else "",
        ]  # fmt: skip
        return ", ".join(filter(None, said)) or "no faults"


class Schedule:
    """The moments of all faults. Each kind, and each connection, draws from a generator of its own: what one
    of them does moves no fault of another."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def endings(self, what: str) -> Iterator[Ending]:
        """How the cuts (or the resets of one connection) end what they end, one after the other."""
        random = Random(f"{self.seed} {what}")
        return (random.choice(ENDINGS) for _ in count())

    def reset_after_bytes(self, connection: int, resets_per_mib: float) -> float:
        """How much a connection carries until it is reset; the distances are those of a Poisson process."""
        random = Random(f"{self.seed} connection {connection}")
        return random.expovariate(resets_per_mib / MIB) if resets_per_mib else float("inf")


def in_bytes(size_bytes: int) -> str:
    for unit in ("GiB", "MiB", "KiB"):
        whole, rest = divmod(size_bytes, {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10}[unit])
        if whole and not rest:
            return f"{whole} {unit}"
    return f"{size_bytes} bytes"
