"""Makes the golden journals of the version that is installed: `python -m tests.histories.make`.

Once for each release, just before it; what is there is never written to again. (Of a version that is not yet
released the directory may be deleted and made anew.) The runs are carried by the real engine on the model of an
installation, and stored by the real journal.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from sqlite_utils import Database

from journal import schema
from orchestrator import events as ev
from orchestrator.cleanup import sweep
from orchestrator.drills import histories
from orchestrator.drills.faults import FaultyCluster
from orchestrator.drills.histories import Fate, History, JumpingClock, MemoryWriter, go_on
from orchestrator.drills.model import ModelCluster, WholeCluster
from orchestrator.recorder import Recorder
from orchestrator.runbooks.options import Options
from orchestrator.runs import opening, program
from tests.forensics.tellings import write
from tests.histories.kept import HERE, RUN, put_rows, rows_of, schema_file, stored_rows, understood

HOLDER = "laptop:4711:1"
BY = "ann@laptop"
CONTEXT = {"server": "https://127.0.0.1:6443", "kubeconfig": "", "context": "", "namespace": "3scale", "namespace_uid": "7f3a"}


# ---- how a process begins, as the program does it -----------------------------------------------------


def begun(history: History) -> list[ev.Fact]:
    """Opening, or resuming where there is a run already."""
    if history.records:
        return resumed(history)
    cluster: Any = history.cluster
    cluster = getattr(cluster, "cluster", cluster)
    opened, observed = opening(history.plan, cluster.installation(), cluster.bundle(), CONTEXT)
    assert isinstance(opened, ev.RunOpened)
    environment = {"python": "3.11.2", "system": "Linux-6.1-x86_64"}
    return [opened.model_copy(update={"by": BY, "context": opened.context | environment}), ev.LeaseTaken(holder=HOLDER), observed]


def resumed(history: History) -> list[ev.Fact]:
    taken = ev.LeaseTaken(holder=HOLDER)
    return [] if history.state().closed in ("finished", "rolled back") else [taken, ev.RunResumed(program=program(), by=BY)]


def turned(history: History) -> list[ev.Fact]:
    if history.state().phase == "backward":
        return resumed(history)
    return [ev.LeaseTaken(holder=HOLDER), ev.RollbackOpened(by=BY, program=program())]


def redis() -> History:
    history = histories.begin("2.15")
    history.run = RUN
    return history


def whole(release: str, *only: str) -> History:
    history = histories.begin_whole(release, Options(only=only))
    history.run = RUN
    return history


def died(history: History, how: histories.Opening, when: Callable[[History], bool]) -> History:
    """The run as a death at the first boundary where this holds has left it."""
    return next(left for left in history.deaths(how) if left.records and when(left))


def status(history: History, step: str) -> str:
    return history.state().steps[step].status


# ---- the runs ---------------------------------------------------------------------------------------


def complete() -> History:
    history = redis()
    go_on(history, begun)
    return history


def in_doubt_in_a_load() -> History:
    return died(whole("2.15", "system-database", "system-storage"), begun, lambda h: h.records[-1].type == "RemoteJobStarted" and h.records[-1].step == "load-system-database")


def opened_and_no_more() -> History:
    return died(redis(), begun, lambda h: True)


def killed_and_resumed() -> History:
    history = died(redis(), begun, lambda h: h.records[-1].type == "FileChunkCopied")
    history = died(history, begun, lambda h: h.state().seq > 80)
    go_on(history, begun)
    return history


def torn_and_asked() -> History:
    history = whole("2.13", "system-database")
    cast(WholeCluster, history.cluster).doomed_jobs = 1
    go_on(history, begun)
    return history


def decided() -> History:
    history = torn_and_asked()
    step = next(name for name, s in history.state().steps.items() if s.is_asked)
    answer = ev.DecisionRecorded(step=step, verdict="not-done", reason="there is room again", by=BY)
    return died(history, lambda h: [answer], lambda h: h.records[-1].type == "DecisionRecorded")


def paused_when_patience_ended() -> History:
    history = redis()
    line = FaultyCluster(cast(ModelCluster, history.cluster), seed=1, rate=0.0)
    history.cluster = line
    history.live(begun(history), die_at=60)
    line.rate = 1.0
    history.live([*begun(history), ev.PatienceGranted(seconds=600)])
    return history


def during_a_rollback() -> History:
    history = complete()
    return died(history, turned, lambda h: any(s.status == "undoing" for s in h.state().steps.values())
                and sum(s.status == "restored" for s in h.state().steps.values()) > 4)


def rolled_back() -> History:
    history = complete()
    go_on(history, turned)
    return history


def rolled_back_from_a_load() -> History:
    history = in_doubt_in_a_load()
    go_on(history, turned)
    return history


def rolled_back_to_a_step() -> History:
    history = complete()
    go_on(history, lambda h: [ev.LeaseTaken(holder=HOLDER), ev.RollbackOpened(by=BY, down_to="switch-saving-back", program=program())]
          if h.state().phase == "forward" else resumed(h))
    return history


def drifted() -> History:
    history = complete()
    cluster = cast(ModelCluster, history.cluster)
    cluster.text = cluster.text.replace("save 900 1", "save 5 1")
    go_on(history, turned)
    return history


def cleaned_up() -> History:
    history = whole("2.13")
    go_on(history, begun)
    history.lives += 1
    clock = JumpingClock(history.state().last_at or histories.START)
    recorder = Recorder(history.state(), lambda *how: MemoryWriter(history, Fate(), history.lives, clock, *how), clock.now)
    recorder.record(ev.LeaseTaken(holder=HOLDER))
    cluster: Any = history.cluster
    sweep(RUN, history.plan, recorder, cluster, clock)
    return history


KEPT: dict[str, Callable[[], History]] = {
    "complete": complete, "opened-and-no-more": opened_and_no_more,
    "in-doubt-in-a-load": in_doubt_in_a_load, "killed-and-resumed": killed_and_resumed, "torn-and-asked": torn_and_asked,
    "decided": decided, "paused-when-patience-ended": paused_when_patience_ended, "during-a-rollback": during_a_rollback,
    "rolled-back": rolled_back, "rolled-back-from-a-load": rolled_back_from_a_load, "rolled-back-to-a-step": rolled_back_to_a_step,
    "drifted": drifted, "cleaned-up": cleaned_up,
}  # fmt: skip


def keep_schema(version: int) -> None:
    """A file with the tables of that version, made by the migrations up to it, and a few facts."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "journal.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            migrations = schema.migrations()
            names = [one.name for one in migrations.pending(Database(db))]
            migrations.apply(Database(db), stop_before=names[version:])
            db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {version}")
            put_rows(db, rows_of(f"{program().rpartition(' ')[2]}/opened-and-no-more"))
            assert schema.schema_digest(db) == schema.DIGESTS[version]
        schema_file(version).write_bytes(gzip.compress(path.read_bytes(), mtime=0))


def main(directory: Path) -> None:
    directory.mkdir()
    for name, make in KEPT.items():
        with tempfile.TemporaryDirectory() as place:
            path = write(Path(place) / "journal.db", make().records, RUN)
            lines = [json.dumps(row, ensure_ascii=False) for row in stored_rows(path)]
            (directory / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines))
            expected = json.dumps(understood(path), indent=1, ensure_ascii=False)
            (directory / f"{name}.json").write_text(f"{expected}\n")
        sys.stderr.write(f"{name}: {len(lines)} facts\n")
    for version in schema.DIGESTS:
        if not schema_file(version).exists():
            keep_schema(version)


if __name__ == "__main__":
    main(HERE / program().rpartition(" ")[2])
