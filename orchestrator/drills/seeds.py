"""One seed, one history: `python -m orchestrator.drills.seeds SEED` tells it, fault by fault; `… FIRST COUNT` lives through many.

A history is a journal and a world that outlive processes. Each life of it runs the real engine on the model of an
installation, behind faults, and ends by itself, by a death, by Ctrl-C, or stopped and taken over. In the end the line is
good again, and the run is carried to its end: finished, taken back, or both. `invariants` says what has to hold.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, cast

from journal import LeaseLost
from orchestrator import events as ev
from orchestrator.drills.histories import Death, MemoryWriter, SeededLanes, opened
from orchestrator.drills.invariants import (
    Broken,
    Witness,
    check_chain,
    check_end,
    check_epochs,
    check_fold,
    check_identity,
    check_live_state,
)
from orchestrator.drills.model import WholeCluster
from orchestrator.drills.mortal import Kind, MortalCluster
from orchestrator.drills.storm import LOOKS_ASLEEP, OTHERS, HotLoop, Storm, StormClock
from orchestrator.drills.swarm import Life, Swarm, Verb, swarm, worlds_of
from orchestrator.engine import Engine
from orchestrator.plan import Plan
from orchestrator.recorder import Admit, Published, Recorder, Writer

LIVES_TO_END_MAX = 15  # on a good line; a person answers in between
CHUNK = 20
SKIPPABLE: Final = ("pending", "ready", "torn", "failed")
SKIPPED_KINDS: Final = frozenset(
    {"check_rows", "check_directory", "check_redis_keys", "check_backend", "load_dump", "sync_directory", "run_rake", "resync_routes"}
)
ENDINGS: Final = ("finished", "rolled back")


@dataclass
class Tally:
    """What happened in some histories, by name."""

    histories: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    questions: Counter[str] = field(default_factory=Counter)  # by kind of step
    broken: dict[int, str] = field(default_factory=dict)  # seed -> what does not hold

    def add(self, other: Tally) -> None:
        self.histories += other.histories
        self.counts += other.counts
        self.faults += other.faults
        self.questions += other.questions
        self.broken |= other.broken

    def say(self) -> str:
        said = [f"{self.histories} histories", *(f"{n} {what}" for what, n in sorted(self.counts.items()))]
        faults = ", ".join(f"{fault} {n}" for fault, n in sorted(self.faults.items()))
        asked = ", ".join(f"{kind} {n}" for kind, n in sorted(self.questions.items()))
        return f"{', '.join(said)}; faults: {faults or 'none'}; questions: {asked or 'none'}; {len(self.broken)} wrong"


@dataclass(frozen=True)
class Craft:
    """What lives are made of. A test that plants a bug gives another part."""

    engine: type[Engine] = Engine
    recorder: type[Recorder] = Recorder
    writer: Callable[..., Writer] = MemoryWriter
    plan: Callable[[Plan], Plan] = lambda plan: plan


class StormLanes(SeededLanes):
    """An error ends its own lane alone: the engine lets the others end what they have begun. A death ends all."""

    def wait(self, timeout_seconds: float | None) -> None:
        others = dict(self.work)
        try:
            super().wait(timeout_seconds)
        except Exception as error:
            self.work = {name: work for name, work in others.items() if not has_ended(work)}
            raise error


def has_ended(work: Any) -> bool:
    return work.gi_frame is None


class Fate:
    """Counts the boundaries of one life, and ends, stops or interrupts it at one of them."""

    def __init__(self, life: Life, take_over: Callable[[], None], interrupt: Callable[[], None]) -> None:
        self.life, self.take_over, self.interrupt = life, take_over, interrupt
        self.count = 0
        self.is_fenced = False  # the lease was looked at just now, and the effect comes next
        self.was_stopped = False

    def boundary(self, kind: Kind) -> None:
        """Between the look at the lease and the effect nothing is stopped: what that can do is in docs/limits."""
        self.count += 1
        was_fenced, self.is_fenced = self.is_fenced, False
        if self.count == self.life.die_at:
            raise Death
        if self.life.interrupt_at == self.count:
            self.interrupt()
        if self.life.stop_at and self.count >= self.life.stop_at and not (was_fenced or self.was_stopped):
            self.was_stopped = True
            self.take_over()


class Simulation:
    """One history, from its seed to its end. `tell` hears of everything as it happens."""

    def __init__(self, decided: Swarm, craft: Craft = Craft(), tell: Callable[[str], None] | None = None) -> None:
        self.decided, self.craft, self.chance = decided, craft, decided.chance
        self.is_told = tell is not None
        self.tell = tell or (lambda line: None)
        self.history = decided.shape.begin()
        self.history.plan = craft.plan(self.history.plan)
        self.clock = StormClock()
        self.world = cast(WholeCluster, self.history.cluster)
        self.storm = Storm(self.world, self.chance, decided, self.clock, lambda fault: self.tell(f"      ! {fault}"))
        self.tally = Tally(histories=1)
        self.looked_again: set[str] = set()
        self.skipped: set[str] = set()  # left out by a person, so the end is another one

    def run(self) -> Tally:
        """Raises Broken at the first thing that does not hold."""
        self.tell(self.decided.say())
        try:
            self.carry()
        finally:
            self.tally.faults.update(self.storm.faults)
            self.tally.counts["facts"] += len(self.history.records)
        return self.tally

    def carry(self) -> None:
        before, undisturbed = (world.copy() for world in worlds_of(self.decided.shape))
        for life in self.decided.out:
            self.live_among_faults(life)
        if self.decided.is_finished:
            self.end("resume")
            self.let_settle(undisturbed)
            if not self.skipped:
                check_end(self.world, undisturbed)
        if self.decided.is_taken_back and self.history.records:
            self.storm.brew()
            for life in self.decided.back:
                self.live_among_faults(life)
            self.end("rollback")
            self.let_settle(before)
            check_identity(self.world, before, self.history.plan.parts)
        check_chain(self.history)
        check_fold(self.history)

    def let_settle(self, other: WholeCluster) -> None:
        """What other people did is done there too; and what befell a pod at the last moment gets its time."""
        for name in self.storm.others:
            OTHERS[name](other)
        for world in (self.world, other):
            for _ in range(LOOKS_ASLEEP):
                world.operate()

    # ---- lives ---------------------------------------------------------------------------------------

    def live_among_faults(self, life: Life) -> None:
        said = self.answers() if self.chance.random() < 0.5 else self.skips() if "skips" in self.decided.on else []
        self.live(life, said)

    def end(self, verb: Verb) -> None:
        """On a good line: as many lives, and answers, as it takes."""
        self.storm.mend()
        self.looked_again.clear()
        for _ in range(LIVES_TO_END_MAX):
            self.live(Life(verb), self.answers(is_calm=True))
            state = self.history.state()
            if state.closed == ("finished" if verb == "resume" else "rolled back") and not (verb == "rollback" and state.in_place):
                return
        raise Broken("ending", f"after {LIVES_TO_END_MAX} lives on a good line: {self.history.state().reason}")

    def live(self, life: Life, answers: Iterable[ev.Fact] = ()) -> None:
        """One process, to its end or death. One that has nothing to do appends nothing."""
        if facts := [*answers, *self.opening(life)]:
            self.carry_on(life, facts)
            check_epochs(self.history)

    def carry_on(self, life: Life, facts: list[ev.Fact]) -> None:
        history = self.history
        history.lives += 1
        epoch = history.lives
        self.clock.wait(self.chance.uniform(0, 60), NEVER)
        self.storm.begin_life()
        self.tell(f"--- life {epoch}: {life.say()}")
        self.tally.counts["lives"] += 1
        fate = Fate(life, self.take_over, lambda: engine.stop.set())

        def make_writer(admit: Admit, published: Published) -> Writer:
            return self.craft.writer(history, fate, epoch, self.clock, admit, published)

        recorder = self.craft.recorder(history.state(), make_writer, self.clock.now, heard=self.heard)
        cluster: Any = MortalCluster(Witness(self.storm, history, epoch), fate)
        lanes = StormLanes(self.chance.getrandbits(32))
        engine = self.craft.engine(history.run, history.plan, recorder, cluster, self.clock, lanes)
        engine.fence = lambda: self.fence(fate, epoch)
        try:
            recorder.record(*facts[:1], ev.LeaseTaken(holder=f"holder {epoch}"), *facts[1:])
            state = engine.carry_on()
            if engine.stop.is_set() and not state.closed and life.interrupt_at:
                self.tally.counts["interruptions"] += 1
                recorder.record(ev.RunPaused(reason="interrupted", needs="resume"))
        except Death:
            self.tally.counts["deaths"] += 1
            self.tell("--- it dies")
            return
        except LeaseLost as lost:
            if not fate.was_stopped:
                raise Broken("epoch", f"nobody took over, and {lost}") from lost
            self.tell(f"--- life {epoch} ends: {lost}")
            return
        except Broken:
            raise
        except HotLoop as hot:
            raise Broken("ending", str(hot)) from hot
        except Exception as error:
            raise Broken("sound", f"{type(error).__name__}: {error}") from error
        if epoch == history.lives:
            check_live_state(history, recorder.state)

    def take_over(self) -> None:
        """The process stands still; another one carries the run on. Then it wakes up."""
        self.tally.counts["take-overs"] += 1
        self.tell("--- it is stopped, and taken over")
        turns = self.history.state().phase == "backward" or (not self.decided.is_finished and self.chance.random() < 0.1)
        verb: Verb = "rollback" if turns else "resume"
        self.live(Life(verb, die_at=self.chance.choice((0, 0, self.chance.randint(1, 200)))))
        self.tell("--- it goes on")

    def fence(self, fate: Fate, epoch: int) -> None:
        """As runs.refuse_when_taken: a look at the lease before each effect."""
        if epoch != self.history.lives:
            raise LeaseLost(f"epoch {epoch} was taken over")
        fate.is_fenced = True

    def heard(self, entry: ev.Entry) -> None:
        if isinstance(entry.fact, ev.DecisionAsked):
            kind = self.history.plan.step(entry.fact.step).kind
            self.tally.questions[f"{kind} {self.history.state().phase}"] += 1
        if self.is_told:
            who = f"{entry.fact.step}: " if isinstance(entry.fact, ev.StepFact) else ""
            self.tell(f"{entry.seq:5} {entry.recorded_at:%d. %H:%M:%S} {who}{entry.fact.sentence()}")

    # ---- what a process is told, and what a person says -------------------------------------------------

    def opening(self, life: Life) -> list[ev.Fact]:
        """As runs.to_resume and runs.to_roll_back."""
        state = self.history.state()
        if state.phase == "unopened":
            return opened(self.history.plan)
        turns = state.phase == "forward" or (state.closed == "rolled back" and bool(state.in_place))
        if life.verb != "resume" and turns:
            is_partial = life.verb == "partial" and state.phase == "forward"
            down_to = self.chance.choice(sorted(state.steps)) if is_partial else ""
            return [ev.RollbackOpened(by="somebody", down_to=down_to)]
        if state.closed in ENDINGS:
            return []
        patience = [ev.PatienceGranted(seconds=life.patience_seconds)] if life.patience_seconds else []
        return [ev.RunResumed(program="drill", by="somebody"), *patience]

    def answers(self, *, is_calm: bool = False) -> list[ev.Fact]:
        """A person who looks before they answer: what is not as it should be is to be gone on with, or taken back."""
        state = self.history.state()
        if state.closed != "paused":
            return []
        found = []
        for name, step in state.steps.items():
            if step.status in ("torn", "drifted") and (verdict := self.verdict(name, step.reason, is_calm=is_calm)):
                found.append(ev.DecisionRecorded(step=name, verdict=verdict, reason="looked", by="somebody"))
        return [*found]

    def skips(self) -> list[ev.Fact]:
        """A person leaves a step out that nothing else rests on for its safety."""
        state = self.history.state()
        if state.closed != "paused" or state.phase != "forward":
            return []
        kinds = {name: self.history.plan.step(name).kind for name, step in state.steps.items() if step.status in SKIPPABLE}
        skipped = SKIPPED_KINDS if self.decided.is_taken_back else SKIPPED_KINDS | {"save_database"}
        names = sorted(name for name, kind in kinds.items() if kind in skipped)
        if not names or self.chance.random() < 0.5:
            return []
        name = self.chance.choice(names)
        self.skipped.add(name)
        self.storm.faults.append("skips")
        return [ev.DecisionRecorded(step=name, verdict="skip", reason="left out", by="somebody")]

    def verdict(self, name: str, reason: str, *, is_calm: bool) -> str:
        """A step that only looks is made to look again; what it finds on a good line is so, by somebody else's doing."""
        if self.history.plan.step(name).way_back != "nothing":
            return "not-done"
        if not is_calm or name not in self.looked_again:
            self.looked_again.add(name)
            return ""
        if not self.storm.others and not self.skipped:
            raise Broken("question", f"{name} asks on a good line: {reason}")
        return "done"


class Never:
    """Nobody stops a wait."""

    def is_set(self) -> bool:
        return False


NEVER: Any = Never()


# ---- many -----------------------------------------------------------------------------------------------


def lived(seed: int, craft: Craft = Craft()) -> Tally:
    """One history; what does not hold in it is in the tally."""
    simulation = Simulation(swarm(seed), craft)
    try:
        return simulation.run()
    except Broken as broken:
        simulation.tally.broken[seed] = str(broken)
    return simulation.tally


def lived_through(seeds: Iterable[int], craft: Craft = Craft()) -> Tally:
    total = Tally()
    for seed in seeds:
        total.add(lived(seed, craft))
    return total


def many(first: int, count: int, workers: int, heard: Callable[[Tally], None] = lambda total: None) -> Tally:
    """In processes of their own; `heard` after each chunk."""
    total = Tally()
    chunks = [range(n, min(n + CHUNK, first + count)) for n in range(first, first + count, CHUNK)]
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        for tally in pool.map(lived_through, chunks):
            total.add(tally)
            heard(total)
    return total


def told(seed: int) -> int:
    """One history on stdout, and what is wrong with it."""
    simulation = Simulation(swarm(seed), tell=print_line)
    try:
        tally = simulation.run()
    except Broken as broken:
        sys.stdout.write(f"WRONG, {broken}\n")
        return 1
    sys.stdout.write(f"{tally.say()}\n")
    return 0


def print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main(arguments: list[str]) -> int:
    if len(arguments) == 1:
        return told(int(arguments[0]))
    first, count = int(arguments[0]), int(arguments[1])
    workers = int(arguments[2]) if len(arguments) > 2 else os.cpu_count() or 1
    known: set[int] = set()

    def heard(total: Tally) -> None:
        for seed in sorted(total.broken.keys() - known):
            sys.stdout.write(f"{seed}: {total.broken[seed]}\n    python -m orchestrator.drills.seeds {seed}\n")
        known.update(total.broken)
        sys.stdout.flush()
        sys.stderr.write(f"{total.histories} of {count}, {len(total.broken)} wrong\n")

    total = many(first, count, workers, heard)
    sys.stdout.write(f"seeds {first}..{first + count - 1}: {total.say()}\n")
    return 1 if total.broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
