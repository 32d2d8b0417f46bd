"""What a death leaves, as one digest: two deaths that leave the same have the same future, which is carried out once.

The next process knows the journal as far as its state tells, and the world. Left out is what it cannot see or
cannot tell apart: of a step that has ended all but its first picture (which every step may ask for), the times of facts,
and the number of the epoch, as the next one is larger in any case. Time stamps are only ever compared with each
other, so they are numbered in the order in which they appear.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from pydantic import BaseModel

from orchestrator.drills.histories import START, History, Opening
from orchestrator.events import Entry
from orchestrator.state import ENDED_BACKWARD, ENDED_FORWARD, RunState, StepState, fold

STAMP = re.compile(r'"20\d\d-\d\d-\d\dT[\d:.]+Z"')
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
    return [state.phase, state.closed, state.cleanup, state.patience_seconds, steps]


def of_step(step: StepState, *, has_ended: bool) -> Any:
    if has_ended:
        return [step.status, step.before]
    return [step.status, step.before, step.after, step.attempt, step.undo_attempt, step.is_overruled]


def of_deeds(left: History, state: RunState) -> list[str]:
    """What was done already in this direction: when it is done again, that is twice."""
    return sorted(f"{deed} {count}" for deed, count in left.performed.items() if deed[0] == state.phase)


def in_json(value: Any) -> Any:
    """What of the model JSON does not know by itself."""
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else dict(vars(value))
