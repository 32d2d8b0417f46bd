"""What was accepted about a load that cannot be taken back, as a fact with a name and a reason.

`--no-safety-copy` leaves the safety copy of a database out, and has to be confirmed by `--accept-irreversible`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from orchestrator.events import Confirmation, IrreversibleAccepted
from orchestrator.port import Reader, Seen
from orchestrator.steps.base import DONE, Context, LookingStep, Standing


class NothingSeen(Seen):
    """What was accepted is not looked up in the cluster."""


class AcceptIrreversible(LookingStep):
    Picture = NothingSeen
    kind: Literal["accept_irreversible"] = "accept_irreversible"
    part: str
    by: str
    reason: str

    def probe(self, reader: Reader, ctx: Context) -> NothingSeen:
        return NothingSeen()

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        return DONE

    def confirm(self, seen: Seen, standing: Standing, ctx: Context) -> Iterator[Confirmation]:
        yield IrreversibleAccepted(step=self.id, part=self.part, by=self.by, reason=self.reason)
