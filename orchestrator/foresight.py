"""What is found before anything is done: of steps in doubt, and of what a rollback would do. Nothing is performed."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from orchestrator.effects import ANY_EFFECT
from orchestrator.engine import context_of
from orchestrator.errors import RestoreError
from orchestrator.events import Entry, Fact, Json, StepStarted
from orchestrator.port import Reader
from orchestrator.runs import Loaded
from orchestrator.state import ENDED_BACKWARD, RunState, evolve, forget
from orchestrator.steps.base import Standing, torn
from orchestrator.steps.check_redis_keys import CheckRedisKeys
from orchestrator.turning import questions

FOUND = {
    "clear": "to take back", "done": "already as before", "busy": "busy", "torn": "drifted", "lost": "nothing can take it back",
}  # fmt: skip
FOUND_FORWARD = {
    "clear": "not done, it is begun again", "done": "done", "busy": "under way", "torn": "a person has to decide",
}  # fmt: skip
LATER = "its turn comes later"
LOOK_SECONDS = 5.0  # the digest of a large file takes longer; the run itself waits for it


@dataclass(frozen=True, slots=True)
class Doubt:
    """A step that was begun and whose outcome the journal does not know, and what a look at the cluster tells of it."""

    step: str
    attempt: int
    found: str

    def say(self) -> str:
        return f"{self.step} (attempt {self.attempt}): {self.found}"


def in_doubt(state: RunState) -> list[str]:
    """Begun and not ended, when what was seen before is forgotten as a resumed run forgets it."""
    return [name for name, step in forget(state.steps).items() if step.is_in_doubt]


def doubts(loaded: Loaded, reader: Reader, facts: list[Fact]) -> list[Doubt]:
    """Each step in doubt, looked at side by side and not for long, as the run will look at it after these facts."""
    state, names, found = later(loaded, facts), in_doubt(loaded.state), dict[str, str]()

    def find(name: str) -> None:
        found[name] = found_now(loaded, state, reader, name)

    looks = [threading.Thread(target=find, args=(name,), daemon=True) for name in names]
    for one in looks:
        one.start()
    deadline = monotonic() + LOOK_SECONDS
    for one in looks:
        one.join(max(0.0, deadline - monotonic()))
    return [Doubt(name, attempt_of(state, name), found.get(name, "the look at it takes longer")) for name in names]


def attempt_of(state: RunState, name: str) -> int:
    step = state.steps[name]
    return step.undo_attempt or step.attempt


def found_now(loaded: Loaded, state: RunState, reader: Reader, name: str) -> str:
    backward = state.phase == "backward"
    if backward and not is_next(loaded, state, name):
        return LATER
    try:
        standing = look(loaded, state, reader, name)
    except RestoreError as error:
        return f"it cannot be looked at now: {error.message}"
    words = (FOUND if backward else FOUND_FORWARD)[standing.name]
    return f"found {words}" + (f": {standing.reason}" if standing.reason else "")


def later(loaded: Loaded, facts: list[Fact]) -> RunState:
    """The state after facts that are not recorded yet."""
    state = loaded.state
    for fact in facts:
        state = evolve(state, Entry(state.seq + 1, datetime.now(UTC), state.epoch, fact))
    return state


def is_next(loaded: Loaded, state: RunState, name: str) -> bool:
    return all(state.steps[w].status in ENDED_BACKWARD for w in loaded.plan.undo_needs[name])


def foresee(loaded: Loaded, reader: Reader, facts: list[Fact], order: list[str]) -> list[dict[str, Any]]:
    """One entry a step that would be taken back, newest first.

    Effects are the inverse that the journal recorded when the step was started, with its values; where that is not
    known before, or where a step follows another's change, the note says what is done. The world is looked at only
    for steps whose turn has come: for the others it is not yet as it will be then, but for what is asked before.
    """
    state = later(loaded, facts)
    asked = questions(loaded.run, loaded.plan, loaded.state, facts, reader, datetime.now(UTC))
    state = later(replace(loaded, state=state), list(asked))
    held = [name for name in order if state.steps[name].status not in ENDED_BACKWARD]
    return [foreseen(loaded, state, reader, name) for name in held]


def foreseen(loaded: Loaded, state: RunState, reader: Reader, name: str) -> dict[str, Any]:
    step = loaded.plan.step(name)
    standing = look(loaded, state, reader, name) if is_next(loaded, state, name) else None
    if standing is None and state.steps[name].status == "drifted":
        standing = torn(state.steps[name].reason)
    seq, started = started_fact(loaded, name)
    return {
        "step": name,
        "standing": FOUND[standing.name] if standing else LATER,
        "reason": standing.reason if standing else "",
        "effects": [said(effect) for effect in started.inverse] if started else [],
        "values": list(started.inverse) if started else [],
        "from_fact": seq,
        "before": state.steps[name].before,
        "way_back": step.way_back,
        "note": step.undo_note,
    }


def look(loaded: Loaded, state: RunState, reader: Reader, name: str) -> Standing:
    step, ctx = loaded.plan.step(name), context_of(loaded.run, state, name, datetime.now(UTC))
    seen = step.probe(reader, ctx)
    return step.restored(seen, ctx) if state.phase == "backward" else step.standing(seen, ctx)


def keys_since(loaded: Loaded, reader: Reader) -> list[str]:
    """Each Redis that holds another number of keys than when this run had counted them last, in words.

    A Redis under 3scale is written to with every call, so that is told and not asked about.
    """
    counted = {s.workload: (s, left) for s in loaded.plan.steps if isinstance(s, CheckRedisKeys) and (left := loaded.state.steps[s.id].after)}
    said = []
    for name, (step, left) in counted.items():
        workload = reader.workload(step.workload_kind, name)
        found = reader.redis(workload) if workload is not None and workload.pod else None
        if found is not None:
            then, now = sum((left.get("redis") or {}).get("keys", {}).values()), sum(found.keys.values())
            said += [f"{name} held {then} keys as this run left it, and holds {now} now"] if now != then else []
    return said


def said(effect: Json) -> str:
    """A journalled effect as a person reads it."""
    return ANY_EFFECT.validate_python(effect).say()


def started_fact(loaded: Loaded, name: str) -> tuple[int | None, StepStarted | None]:
    """The journal's fact that holds a step's first picture and its inverse."""
    for entry in loaded.entries:
        if isinstance(entry.fact, StepStarted) and entry.fact.step == name:
            return entry.seq, entry.fact
    return None, None
