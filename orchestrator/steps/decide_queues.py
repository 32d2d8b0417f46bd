"""What was decided about the job queues that are in the Redis dumps, as a fact with a name and a reason.

Guide 9.5.4.2. backend-redis keeps its data in database 0 and its job queues in database 1, system-redis its
queues in database 1. Jobs that are restored may run a second time; jobs that are not are lost. The guide
restores both where they are on one server, and would rather leave the queues out where they are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from orchestrator.events import Confirmation, QueuesDecided
from orchestrator.port import Reader, Seen
from orchestrator.steps.base import DONE, Context, LookingStep, Standing

CONSEQUENCES = {
    "restore": "jobs that ran after the dump was taken run again: reports are counted twice, mails may be sent twice",
    "drop": "jobs that had not run when the dump was taken are lost: usage that was not yet counted is not counted",
}


class NothingSeen(Seen):
    """A decision is not looked up in the cluster."""


class DecideQueues(LookingStep):
    Picture = NothingSeen
    kind: Literal["decide_queues"] = "decide_queues"
    verdict: Literal["restore", "drop"]
    by: str  # a person, or `the default`
    reason: str

    def probe(self, reader: Reader, ctx: Context) -> NothingSeen:
        return NothingSeen()

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        return DONE

    def confirm(self, seen: Seen, standing: Standing, ctx: Context) -> Iterator[Confirmation]:
        said = {"restore": "restored", "drop": "dropped"}[self.verdict]
        yield QueuesDecided(step=self.id, verdict=said, by=self.by, reason=self.reason)
