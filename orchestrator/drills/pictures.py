"""What a death leaves, as one digest: two deaths that leave the same have the same future, which is carried out once.

The next process knows the journal as far as its state tells, and the world. Left out is what it cannot see or cannot
tell apart: when facts were recorded, and the number of the epoch, as its own is larger in any case; of a step that has
ended all but its first picture, which every step may ask for. (A step that has ended can begin anew where its work is
found to be gone. On this model nothing goes but by a restore's own doing, so that would be a failure, and is one in the
matrix.) Time stamps are only ever compared with each other, so they are numbered in the order in which they appear.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import fields
from typing import Any

from pydantic import BaseModel

from orchestrator.drills.histories import START, History, Opening
from orchestrator.events import Entry
from orchestrator.state import ENDED_BACKWARD, ENDED_FORWARD, RunState, StepState, fold

STAMP = re.compile(r'"20\d\d-\d\d-\d\dT[\d:.]+Z"')
# By what they leave out, so that what is added to a state is seen until somebody has said otherwise.
SEEN_OF_RUN = tuple(
    field.name
    for field in fields(RunState)
    if field.name not in {
        "run", "opened", "reason", "needs", "holder", "epoch", "seq", "last_at", "opened_at", "steps", "needs_of", "applies_of",
        "reverses_of",
    }
)  # fmt: skip
SEEN_OF_STEP = tuple(
    field.name for field in fields(StepState) if field.name not in {"seen", "reason", "started_at", "ended_at"}
)
UNSEEN = ("new", "newest_epoch")  # of the model: what the bundle holds, which never changes; and a number of an epoch


def picture_of(left: History, opening: Opening) -> str:
    """The digest of what the process that comes next finds, when it begins with these facts."""
    state = left.state()
    state = fold((Entry(state.seq, START, state.epoch, fact) for fact in opening(left)), state)
    world = {name: part for name, part in vars(left.cluster).items() if name not in UNSEEN}
    text = json.dumps([of_state(state), world, of_deeds(left, state)], sort_keys=True, default=in_json)
    seen: dict[str, str] = {}
    text = STAMP.sub(lambda stamp: seen.setdefault(stamp[0], f'"time {len(seen)}"'), text)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def of_state(state: RunState) -> Any:
    ended = ENDED_FORWARD if state.phase == "forward" else ENDED_BACKWARD
    steps = {name: of_step(step, has_ended=step.status in ended) for name, step in state.steps.items()}
    return [[getattr(state, name) for name in SEEN_OF_RUN], steps]


def of_step(step: StepState, *, has_ended: bool) -> Any:
    return [getattr(step, name) for name in (("status", "before") if has_ended else SEEN_OF_STEP)]


def of_deeds(left: History, state: RunState) -> list[str]:
    """What was done already in this direction: when it is done again, that is twice."""
    return sorted(f"{deed} {count}" for deed, count in left.performed.items() if deed[0] == state.phase)


def in_json(value: Any) -> Any:
    """What of the model JSON does not know by itself."""
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else dict(vars(value))
