"""Is this the journal that was written? Chain, gaps, blobs and anchor; then the legality of every fact, and the epochs.

The chain is proved by the journal's own package over the stored bytes. What the facts mean is judged here:
each has to be able to follow the one before, and the epoch that fences writers never goes down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from journal import OWN_CHAIN, Head, Journal
from orchestrator.errors import IllegalFact, JournalBroken, RunUnknown
from orchestrator.events import StepStarted, StepUndoStarted
from orchestrator.forensics.reading import tell
from orchestrator.forensics.told import Told
from orchestrator.runs import explained
from orchestrator.state import RunState, evolve


@dataclass(frozen=True)
class Proof:
    """status ok, broken or cut off; `seq` the first wrong fact, or the last one that is left of a chain cut off."""

    run: str
    status: str
    seq: int | None
    reason: str
    facts: int
    head: str
    epochs: int = 0
    blobs: int = 0
    unknown: int = 0  # facts of a newer program, whose legality nobody here can judge
    anchored: bool = False

    @property
    def is_ok(self) -> bool:
        return self.status == "ok"

    def sentence(self) -> str:
        """The verdict for a person."""
        if self.is_ok:
            kept = f", {self.blobs} blobs as they were kept" if self.blobs else ""
            newer = f", {self.unknown} facts of a newer program not judged" if self.unknown else ""
            anchor = ", anchor in the chain" if self.anchored else ""
            legal = "every transition legal" if self.run != OWN_CHAIN else "a record of removals"
            return (
                f"OK: {self.facts} facts, chain unbroken, {legal}, epochs rising{kept}{newer}{anchor}; head {self.head}"
            )
        where = {"broken": f"broken at fact {self.seq}", "cut off": f"cut off after fact {self.seq}"}[self.status]
        return f"the journal of {self.run} is {where if self.seq is not None else self.status}: {self.reason}"


def prove(journal: Journal, run: str, *, anchor: str | Head | None = None, whole_file: bool = False) -> Proof:
    """The verdict on one run. Raises RunUnknown, RunHalted where the file cannot be read at all."""
    with explained(run):
        verdict = journal.verify(run, anchor=anchor, whole_file=whole_file)
    proof = Proof(
        run, verdict.status, verdict.seq, verdict.reason, verdict.facts, verdict.head, blobs=verdict.blobs,
        anchored=anchor is not None,
    )
    if not proof.is_ok:
        return proof
    try:
        facts = tuple(tell(journal, run))
    except JournalBroken as error:
        return flawed(proof, None, error.message)
    return proof if run == OWN_CHAIN else judged(proof, facts)


def judged(proof: Proof, facts: Sequence[Told]) -> Proof:
    """The verdict on what the facts say of each other."""
    state = RunState()
    for told in facts:
        if told.entry.epoch < state.epoch:
            return flawed(proof, told.seq, f"fact {told.seq} was written under epoch {told.entry.epoch}, after {state.epoch}")
        started = told.fact
        if isinstance(started, StepStarted | StepUndoStarted) and started.epoch != told.entry.epoch:
            return flawed(proof, told.seq, f"fact {told.seq} names epoch {started.epoch}, and stands under {told.entry.epoch}")
        try:
            state = evolve(state, told.entry)
        except IllegalFact as error:
            return flawed(proof, told.seq, f"{error} (fact {told.seq})")
    epochs = len({told.entry.epoch for told in facts})
    return Proof(
        proof.run, "ok", None, "", proof.facts, proof.head, epochs, proof.blobs, state.unknown, proof.anchored
    )


def flawed(proof: Proof, seq: int | None, reason: str) -> Proof:
    return Proof(proof.run, "broken", seq, reason, proof.facts, proof.head)


def refuse_unproved(proof: Proof) -> None:
    """Raises JournalBroken with the verdict as its message."""
    if not proof.is_ok:
        raise JournalBroken(proof.sentence(), hint=f"restore log {proof.run}")


def head_of(text: str) -> str | Head | None:
    """An anchor as it is written down: DIGEST, or SEQ:DIGEST as the Lease on the cluster has it. Raises ValueError."""
    if not text:
        return None
    seq, colon, digest = text.rpartition(":")
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise ValueError("a journal head has 64 hexadecimal digits")
    return Head(int(seq), digest) if colon else digest


__all__ = ["Proof", "RunUnknown", "head_of", "prove", "refuse_unproved"]
