"""The way into a pod that a test can count on, and cut."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable

from orchestrator.cluster import scripts
from orchestrator.cluster.carriers import BLOCK_BYTES, Chunk
from orchestrator.cluster.copying import Moved
from orchestrator.cluster.execs import Ran, Sink, Stdin
from orchestrator.errors import OutcomeUnknown
from orchestrator.port import WorkloadSeen
from tests.cluster.pods import Live


class Line:
    """The way into one pod and out of it: counts what goes over it, and is cut when a test says so.

    `cut_after_bytes`: so much of the answer still comes through.
    """

    def __init__(self, live: Live, pod: WorkloadSeen) -> None:
        self.live, self.pod, self.sent_bytes, self.execs = live, pod, 0, 0
        self.cut_at: Collection[int] = ()
        self.lost_bytes, self.looked_bytes, self.come_bytes, self.cut_after_bytes = 0, 0, 0, 0

    def run(self, command: list[str], stdin: Stdin, sink: Sink | None = None) -> Ran:
        self.execs += 1
        number = self.execs
        self.sent_bytes += len(stdin)
        if number in self.cut_at and sink is None:
            self.lost_bytes += len(stdin)
            raise OutcomeUnknown("the line was cut")
        if scripts.BLOCKS in command:
            numbers = [int(number) for number in command[9:]]
            self.looked_bytes += BLOCK_BYTES * (sum(numbers[1::2]) - sum(numbers[::2]))
        left = self.cut_after_bytes if number in self.cut_at else sys.maxsize

        def come(piece: bytes) -> None:
            nonlocal left
            assert sink is not None
            piece, left = piece[:left], left - len(piece)
            self.come_bytes += len(piece)
            sink(piece)
            if left < 0:
                raise OutcomeUnknown("the line was cut")

        return self.live.cluster.pods.run(self.pod.pod, self.pod.container, command, stdin, come if sink else None)


def chunks_of(moved: Iterable[Moved]) -> list[Chunk]:
    return [one for one in moved if isinstance(one, Chunk)]


def spans_of(chunks: list[Chunk]) -> list[tuple[int, int]]:
    return [(chunk.offset_bytes, chunk.size_bytes) for chunk in chunks]
