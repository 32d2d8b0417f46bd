"""What the tests of forensics share: runs of the model as facts, and as a journal on the disk."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import cast

from journal import Draft, Journal, Record, this_holder
from orchestrator import events as ev
from orchestrator.drills import histories
from orchestrator.drills.faults import FaultyCluster
from orchestrator.drills.histories import History
from orchestrator.drills.model import ModelCluster
from orchestrator.forensics.reading import told_of
from orchestrator.forensics.told import Told
from tests.core.toy import toy

RUN = "run"


def restored(seed: int = 0) -> History:
    """The whole restore of the model, without a mishap."""
    history = histories.begin("2.15")
    history.live(histories.opened(history.plan), seed=seed)
    return history


def died_and_turned(die_at: int = 40, seed: int = 1) -> History:
    """A restore that was killed, resumed to its end, and taken back."""
    history = histories.begin("2.15")
    history.live(histories.opened(history.plan), die_at=die_at, seed=seed)
    histories.go_on(history, histories.resumed, seed)
    histories.go_on(history, histories.turned, seed)
    return history


def over_a_bad_line(seed: int, rate: float = 0.15) -> History:
    """A restore with failures of many kinds, killed once, resumed on a good line, and taken back."""
    history = histories.begin("2.15")
    cluster = FaultyCluster(cast(ModelCluster, history.cluster), seed, rate)
    history.cluster = cluster
    for die_at in (60, 0, 0):
        history.live(histories.resumed(history), die_at=die_at, seed=seed)
    cluster.mend()
    histories.go_on(history, histories.resumed, seed)
    histories.go_on(history, histories.turned, seed)
    return history


def small(seed: int = 0) -> History:
    """A random plan of a few steps on the toy, to its end."""
    history = toy(seed)
    history.live(histories.opened(history.plan), seed=seed)
    return history


def told(history: History) -> tuple[Told, ...]:
    return tuple(told_of(history.records))


def changed(facts: Sequence[Told], seq: int, fact: ev.Fact) -> tuple[Told, ...]:
    """The same facts with another one at this place."""
    return tuple(
        Told(ev.Entry(t.seq, t.at, t.entry.epoch, fact)) if t.seq == seq else t for t in facts
    )


def write(path: Path, records: Sequence[Record], run: str = RUN) -> Path:
    """A journal with these facts in it, each at its own time and under its own epoch."""
    with Journal.open(path, write=True) as journal:
        lease, epoch = None, 0
        for record in records:
            if lease is None or record.epoch != epoch:
                lease = journal.take_lease(run, this_holder(), ttl_seconds=60, now=_at(record))
                epoch = record.epoch
            draft = Draft(record.type, _of_this_run(record, run, lease.epoch), record.version, record.step, record.attempt,
                          "operator@laptop")
            journal.append(lease, [draft], recorded_at=_at(record))
        if lease is not None:
            journal.release_lease(lease)
    return path


def _of_this_run(record: Record, run: str, epoch: int) -> dict[str, object]:
    """The run's name is in the names of files that were set aside; its epoch in what was started."""
    data: dict[str, object] = json.loads(re.sub("([.-](?:before|part))-run", rf"\1-{run}", json.dumps(dict(record.data))))
    return {**data, **({"epoch": epoch} if "epoch" in data else {})}


def _at(record: Record) -> datetime:
    return told_of([record])[0].at
