"""The crash matrix on the model: a death at every boundary of the whole plan, or at every pair of them, and what came of it.

Three ways: a restore dies and is resumed; it dies and is rolled back; the rollback of a finished one dies and is
resumed. The end is held against that of a life without a death: a restore's against the uninterrupted restore's, a
rollback's against the beginning. Each is carried out by the product's own engine, state and steps; the journal is in
memory, the cluster is the model.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal, NamedTuple, get_args

from orchestrator import events as ev
from orchestrator.drills.deeds import doubled
from orchestrator.drills.histories import History, Moment, Opening, begin_whole, go_on, resumed, turned
from orchestrator.drills.mortal import KINDS, Kind
from orchestrator.drills.pictures import picture_of
from orchestrator.effects import Engine as SqlEngine
from orchestrator.engine import Engine
from orchestrator.errors import UsageWrong, VerificationMissed
from orchestrator.runbooks.options import Options

Way = Literal["resumed", "rolled-back", "rollback-resumed"]
WAYS: tuple[Way, ...] = get_args(Way)
SAID: dict[Way, str] = {
    "resumed": "a restore dies and is resumed: the end has to be that of an uninterrupted one",
    "rolled-back": "a restore dies and is rolled back: everything has to be as in the beginning",
    "rollback-resumed": "the rollback of a finished restore dies and is resumed: as in the beginning",
}
Verdict = Literal["same end", "asked", "wrong"]
Answer = Literal["done", "not done", "asked", "given up"]
ANSWERS: dict[str, Answer] = {
    ev.StepFoundDone.name: "done", ev.StepFoundRestored.name: "done", ev.StepFoundClear.name: "not done",
    ev.StepFoundUndoable.name: "not done", ev.StepFoundTorn.name: "asked", ev.DriftFound.name: "asked",
    ev.StepFailed.name: "given up",
}  # fmt: skip


class Doubt(NamedTuple):
    """A step that a death left in doubt, and what told its outcome: the probe alone, or a person."""

    kind: str
    answer: Answer


@dataclass(frozen=True)
class Outcome:
    """What came of what a death left."""

    verdict: Verdict
    why: str = ""
    doubled: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()

    @property
    def is_failure(self) -> bool:
        return self.verdict == "wrong" or bool(self.doubled)


@dataclass(frozen=True)
class Case:
    """What is drilled: an installation, what of it is restored, an order of the lanes, and the engine that does it."""

    release: str
    database: SqlEngine = "mysql"
    options: Options = field(default_factory=Options)
    seed: int = 0
    engine: type[Engine] = Engine

    def begin(self) -> History:
        return replace(begin_whole(self.release, self.options, engine=self.database), engine=self.engine)

    def carried_out(self, seed: int) -> History:
        """Without a death. Raises VerificationMissed where even that does not come to its end."""
        history = self.begin()
        try:
            reason = go_on(history, resumed, seed).reason
        except Exception as error:  # as in `carried`
            reason = f"{type(error).__name__}: {error}"
        if history.state().closed != "finished":
            raise VerificationMissed(f"a restore on the model that nothing interrupts does not finish: {reason}")
        return history

    def start(self, way: Way) -> History:
        """Where the life begins that is the first to die."""
        return self.carried_out(self.seed) if way == "rollback-resumed" else self.begin()

    def seed_after(self, picture: str) -> int:
        """The order of the lanes in the life that finds this picture: another one for each, the same each time."""
        return int.from_bytes(hashlib.blake2b(f"{self.seed} {picture}".encode(), digest_size=4).digest())


def openings(way: Way) -> tuple[Opening, Opening]:
    """How the first life begins that dies, and how each after it."""
    return (turned if way == "rollback-resumed" else resumed), (resumed if way == "resumed" else turned)


# ---- ends ------------------------------------------------------------------------------------------


def end_of(history: History, way: Way) -> dict[str, Any]:
    """What is compared: everything that a restore may touch; after a rollback the marks of restarts too."""
    cluster: Any = history.cluster
    found: dict[str, Any] = cluster.digest() if way == "resumed" else cluster.owned(history.plan.parts)
    return found


@cache
def wanted(case: Case, way: Way) -> dict[str, Any]:
    return end_of(case.carried_out(case.seed) if way == "resumed" else case.begin(), way)


def carried(case: Case, way: Way, left: History, seed: int) -> Outcome:
    """What a death left, carried to its end by a next life, and compared. Changes `left`."""
    was, length = left.state(), len(left.records)
    try:
        state = go_on(left, openings(way)[1], seed)
    except Exception as error:  # whatever it is, it came of a death: the model refuses by raising, the state as well
        return Outcome("wrong", f"{type(error).__name__}: {error}", doubled(left.performed))
    in_doubt = [name for name, step in was.steps.items() if step.is_in_doubt]
    doubts = tuple(doubts_of(left, in_doubt, length))
    verdict, why = judged(case, way, left)
    return Outcome(verdict, why or state.reason, doubled(left.performed), doubts)


def judged(case: Case, way: Way, history: History) -> tuple[Verdict, str]:
    state = history.state()
    if ev.StepFoundGone.name in history.types():
        return "wrong", "what a step had done was found to be gone"
    if state.closed != ("finished" if way == "resumed" else "rolled back"):
        return ("asked" if state.needs == "decision" else "wrong"), f"{state.closed}: {state.reason}"
    found, right = end_of(history, way), wanted(case, way)
    different = [name for name in right | found if found.get(name) != right.get(name)]
    return ("wrong", f"another end: {', '.join(different)}") if different else ("same end", "")


def doubts_of(history: History, in_doubt: list[str], start: int) -> Iterator[Doubt]:
    """For each step that was in doubt, the first finding after the death that told its outcome."""
    for name in in_doubt:
        told = (ANSWERS[r.type] for r in history.records[start:] if r.step == name and r.type in ANSWERS)
        if (answer := next(told, None)) is not None:
            yield Doubt(history.plan.step(name).kind, answer)


# ---- deaths ----------------------------------------------------------------------------------------


class Death(NamedTuple):
    """One boundary, or one of the second life for each of the first; and the picture that a death there leaves."""

    at: tuple[int, ...]
    kind: Kind
    picture: str


@cache
def first_moments(case: Case, way: Way) -> tuple[Moment, ...]:
    """The boundaries of the first life. A restore that died before its first fact left nothing to roll back."""
    moments = case.start(way).moments(openings(way)[0], case.seed)
    return tuple(moment for moment in moments if moment.left.records or way == "resumed")


def second_moments(case: Case, way: Way, first: int) -> tuple[Moment, ...]:
    """The boundaries of the life that goes on after a death at boundary `first`. Empty where that life fails:
    it is the failure of that one death.
    """
    left = left_at(first_moments(case, way), first)
    again = openings(way)[1]
    try:
        return tuple(left.moments(again, case.seed_after(picture_of(left, again))))
    except Exception:
        return ()


def left_at(moments: tuple[Moment, ...], number: int) -> History:
    """A copy of what a death at that boundary leaves. Raises UsageWrong where there is no such boundary."""
    for moment in moments:
        if moment.number == number:
            return moment.left.copy()
    last = f"they are {moments[0].number} to {moments[-1].number}" if moments else "there is none"
    raise UsageWrong(f"there is no boundary {number} to die at: {last}", hint="restore rehearse --crash-matrix")


def deaths(case: Case, way: Way, first: int = 0) -> list[Death]:
    """At every boundary of the first life; or of the second, after a death at boundary `first`."""
    moments = second_moments(case, way, first) if first else first_moments(case, way)
    again, pictures = openings(way)[1], dict[int, str]()
    for left in (moment.left for moment in moments):
        if id(left) not in pictures:
            pictures[id(left)] = picture_of(left, again)
    at = (first,) if first else ()
    return [Death((*at, moment.number), moment.kind, pictures[id(moment.left)]) for moment in moments]


def carried_from(case: Case, way: Way, numbers: list[int], first: int = 0) -> list[Outcome]:
    """What deaths at these boundaries come to."""
    moments = second_moments(case, way, first) if first else first_moments(case, way)
    again = openings(way)[1]
    return [
        carried(case, way, left, case.seed_after(picture_of(left, again)))
        for left in (left_at(moments, number) for number in numbers)
    ]


# ---- the table -------------------------------------------------------------------------------------


@dataclass
class Row:
    """What one kind of boundary came to, on one way."""

    engine: Literal["simulated", "real"]
    way: Way
    deaths_each: int  # how many deaths there are before the end
    kind: Kind
    boundaries: int = 0
    deaths: int = 0
    resumed: int = 0
    asked: int = 0
    wrong: int = 0
    doubled: int = 0

    def add(self, outcome: Outcome) -> None:
        self.deaths += 1
        self.resumed += outcome.verdict == "same end"
        self.asked += outcome.verdict == "asked"
        self.wrong += outcome.verdict == "wrong"
        self.doubled += bool(outcome.doubled)


@dataclass(frozen=True)
class Failure:
    """A death that came to something else. `at` repeats it, together with the seed."""

    engine: Literal["simulated", "real"]
    way: Way
    at: tuple[int, ...]
    kind: Kind
    why: str

    @property
    def words(self) -> str:
        """As the command takes it."""
        place = f"{self.way}:{','.join(map(str, self.at))}"
        return place if self.engine == "simulated" else f"real:{place}"


@dataclass
class Matrix:
    """All that came of it. doubts: by kind of step, how often what told the outcome."""

    rows: list[Row] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    doubts: Counter[Doubt] = field(default_factory=Counter)
    pictures: int = 0  # different things that the deaths left: so many were carried to an end

    @property
    def is_sound(self) -> bool:
        return not any(row.wrong or row.doubled for row in self.rows)

    def row(self, engine: Literal["simulated", "real"], way: Way, deaths_each: int, kind: Kind) -> Row:
        for row in self.rows:
            if (row.engine, row.way, row.deaths_each, row.kind) == (engine, way, deaths_each, kind):
                return row
        self.rows.append(Row(engine, way, deaths_each, kind))
        return self.rows[-1]

    def in_order(self) -> list[Row]:
        """The model before real processes, one death before two, and the ways and kinds as they are named."""
        places = {"simulated": 0, "real": 1}
        return sorted(
            self.rows, key=lambda r: (places[r.engine], r.deaths_each, WAYS.index(r.way), KINDS.index(r.kind))
        )

    def take(self, other: Matrix) -> None:
        """What another one came to, as a part of this one."""
        self.rows += other.rows
        self.failures += other.failures
        self.doubts.update(other.doubts)
        self.pictures += other.pictures

    def enter(self, way: Way, deaths: list[Death], outcomes: dict[str, Outcome]) -> None:
        """Simulated deaths, each with what its picture came to; a failure is told of once, by its first death."""
        told: set[str] = set()
        for death in deaths:
            outcome = outcomes[death.picture]
            row = self.row("simulated", way, len(death.at), death.kind)
            row.boundaries += 1
            row.add(outcome)
            self.doubts.update(outcome.doubts)
            if outcome.is_failure and death.picture not in told:
                told.add(death.picture)
                self.failures.append(Failure("simulated", way, death.at, death.kind, words_of(outcome)))


def words_of(outcome: Outcome) -> str:
    twice = f"done twice: {'; '.join(outcome.doubled)}" if outcome.doubled else ""
    return "; ".join(words for words in (outcome.why, twice) if words)
