"""Never two at once: processes that resume one run at the same moment, and one that was asleep meanwhile."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from journal import Journal
from orchestrator.rehearsal import digest, seed
from orchestrator.rehearsal.lifecycle import Rehearsed
from tests.cluster.pods import until
from tests.commands.program import ROOT, environment, restore
from tests.commands.test_bad_input import kubectl
from tests.commands.test_sessions import begun, facts, journal_of, runs, stop_at
from tests.conftest import Tally

ROUNDS = 100


@pytest.fixture
def halted(filled: Rehearsed, bundle: Path, tmp_path: Path) -> Iterator[str]:
    """A run that has begun, and cannot go on: its workloads have no pods."""
    stop_at(begun(filled, bundle, tmp_path), tmp_path, 12, signal.SIGKILL)
    for deployment in ("backend-redis", "system-redis"):
        kubectl(filled, "scale", f"deployment/{deployment}", "--replicas=0")
    yield str(runs(tmp_path)[0]["run"])
    for deployment in ("backend-redis", "system-redis"):
        kubectl(filled, "scale", f"deployment/{deployment}", "--replicas=1")


@pytest.mark.timeout(900)
def test_of_two_that_resume_at_the_same_moment_one_acts(halted: str, tmp_path: Path, tally: Tally) -> None:
    """The other is told who has the run. Each round is one epoch of the journal, and one process's alone."""
    before = facts(tmp_path)
    raced = subprocess.run(
        [sys.executable, "-m", "tests.commands.racing", halted, str(ROUNDS), str(tmp_path)],
        cwd=ROOT, env=environment(tmp_path), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
    )
    rounds = [json.loads(line) for line in raced.stdout.splitlines()]
    assert len(rounds) == ROUNDS
    for one in rounds:
        assert (one["code"], one["holder_code"]) == (11, 130), one
        assert re.search(rf"is held by \S+@\S+, process {one['holder']}, (since \S+|just now) \(epoch", one["said"]), one["said"]
        assert f"hint: restore unlock {halted}" in one["said"]
        assert f"hint: restore resume {halted}" in one["holder_said"]
    with Journal.open(journal_of(tmp_path), write=False) as journal:
        records = [record for record in journal.read(halted) if record.seq > before]
        assert journal.verify(halted).status == "ok"
    epochs = [record.epoch for record in records]
    assert epochs == sorted(epochs)
    takings = [record for record in records if record.type == "LeaseTaken"]
    assert [str(one["holder"]) for one in rounds] == [record.data["holder"].split(":")[1] for record in takings]
    assert len({record.epoch for record in takings}) == len(takings) == len(set(epochs)) == ROUNDS
    tally(f"two resumed one run at the same moment: {ROUNDS} rounds, {len(records)} facts, one epoch acted in each")
