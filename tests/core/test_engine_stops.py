"""A journal that refuses a fact ends the whole run before its next effect, in whatever lane that would be."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from journal import Draft, JournalUnwritable, Record
from orchestrator.drills.histories import START, Fate, History, JumpingClock, MemoryWriter, opened
from orchestrator.engine import Engine
from orchestrator.lanes import ThreadLanes
from orchestrator.plan import Plan
from orchestrator.recorder import Recorder
from orchestrator.steps.set_aside_file import SetAsideFile
from tests.core.toy import ToyCluster

PLAN = Plan(
    runbook="toy", release="", namespace="toy", parts=(),
    steps=tuple(
        SetAsideFile(id=f"aside-{name}", title="toy", needs=(), workload_kind="Deployment", workload=name, path="/data/1")
        for name in ("a", "b")
    ),
)  # fmt: skip


class FullJournal(MemoryWriter):
    """Has no room for what the first effect leaves, and is dead from then on, as GroupWriter is."""

    is_full = False
    lock = threading.Lock()

    def append(self, *drafts: Draft) -> list[Record]:
        with self.lock:
            self.is_full = self.is_full or drafts[0].type == "FileSetAside"
            if self.is_full:
                raise JournalUnwritable("the journal cannot be written: the disk is full")
            return super().append(*drafts)


def test_no_lane_begins_an_effect_after_a_fact_was_refused() -> None:
    history, clock = History(ToyCluster(), PLAN, lives=1), JumpingClock(START)
    cluster: Any = history.cluster
    recorder = Recorder(history.state(), lambda *how: FullJournal(history, Fate(), 1, clock, *how), clock.now)
    engine = Engine("run", PLAN, recorder, cluster, clock, ThreadLanes())
    b_has_started = threading.Event()

    def fence() -> None:
        """Lane b has its start in the journal before a's effect, and comes to its own effect only when a has failed."""
        if threading.current_thread().name == "lane aside-b":
            b_has_started.set()
            assert engine.stop.wait(60), "the failure of one lane reached no other"
        else:
            assert b_has_started.wait(60)

    engine.fence = fence
    recorder.record(*opened(PLAN))
    with pytest.raises(JournalUnwritable):
        engine.carry_on()
    assert {s for s, state in history.state().steps.items() if state.status == "started"} == {"aside-a", "aside-b"}
    assert "/data/1" not in cluster.files_of["a"], "its effect was under way"
    assert "/data/1" in cluster.files_of["b"], "an effect was begun after a fact had been refused"
