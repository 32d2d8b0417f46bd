"""What a bad line did to a rehearsal, and what it cost: the line counts faults and bytes, the journal what arrived."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from orchestrator.sizes import in_words

if TYPE_CHECKING:
    from orchestrator.events import Entry
    from orchestrator.rehearsal.line.keeping import Told


class Costs:
    """Hears the facts of a run."""

    def __init__(self) -> None:
        self.copied_bytes = self.wasted_bytes = self.interruptions = self.retries = 0

    def hear(self, entry: Entry) -> None:
        from orchestrator import events as ev

        match entry.fact:
            case ev.FileChunkCopied(size_bytes=size_bytes):
                self.copied_bytes += size_bytes
            case ev.CopyInterrupted(wasted_bytes=wasted_bytes):
                self.wasted_bytes += wasted_bytes
                self.interruptions += 1
            case ev.RetryScheduled():
                self.retries += 1

    def rows(self, told: Told) -> Iterator[tuple[str, str]]:
        """Of every table row what it counts, and how much that was."""
        yield "faults injected", f"{told.cuts} cuts, {told.resets} resets, {told.stalls} stalls"
        yield "sent over the line", f"{in_words(told.sent_bytes)} in {told.connections} connections"
        yield "of files, compared in the pods", in_words(self.copied_bytes)
        yield "sent in vain, at most", f"{in_words(self.wasted_bytes)}, by {self.interruptions} cuts of copies that went on"
        yield "steps tried again", str(self.retries)
