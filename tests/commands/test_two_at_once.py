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
from orchestrator.rehearsal import digest
from orchestrator.rehearsal.lifecycle import Rehearsed
from tests.cluster.pods import until
from tests.commands.program import ROOT, environment, restore
from tests.commands.test_bad_input import kubectl
from tests.commands.test_sessions import begun, facts, journal_of, runs, state_in, stop_at
from tests.conftest import Tally

ROUNDS = 100
WHOLE = os.environ.get("RESTORE_EXHAUSTIVE") == "1"
# Where it is stopped, at which request of that kind, and what the other one does with the run.
STOPS = [("pods", 2, "resume"), ("pods", 1, "rollback"), ("rest", 1, "resume")]
if WHOLE:
    STOPS = [("pods", n, verb) for n in range(1, 11) for verb in ("resume", "rollback")]
    STOPS += [("rest", n, "resume") for n in range(1, 5)]


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
    assert [str(one["holder"]) for one in rounds] == [str(record.data["holder"]).split(":")[1] for record in takings]
    assert len({record.epoch for record in takings}) == len(takings) == len(set(epochs)) == ROUNDS
    tally(f"two resumed one run at the same moment: {ROUNDS} rounds, {len(records)} facts, one epoch acted in each")


# ---- asleep -----------------------------------------------------------------------------------------


def asleep(cluster: Rehearsed, bundle: Path, home: Path, where: str, number: int) -> subprocess.Popen[str]:
    words = [where, number, journal_of(home), cluster.kubeconfig, cluster.namespace, bundle, "system-redis"]
    journal_of(home).parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.commands.asleep", *map(str, words)], cwd=ROOT, env=environment(home),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    until(lambda: process.poll() is not None or state_in(Path(f"/proc/{process.pid}/stat")) == "T")
    return process


@pytest.mark.parametrize(("where", "number", "verb"), STOPS)
def test_a_request_that_was_kept_back_by_sleep_does_nothing_any_more(
    where: str, number: int, verb: str, filled: Rehearsed, bundle: Path, tmp_path: Path, tally: Tally
) -> None:
    """It was allowed when it was about to be sent; then another one took the run over and ended it."""
    before = digest.picture(filled)
    sleeper = asleep(filled, bundle, tmp_path, where, number)
    if sleeper.poll() is not None:
        assert WHOLE, sleeper.communicate()
        pytest.skip("this restore has fewer requests")
    try:
        run = str(runs(tmp_path)[0]["run"])
        held = restore("resume", run, home=tmp_path)
        assert held.returncode == 11, held.stderr
        assert f"process {sleeper.pid}, since " in held.stderr
        words = ("unlock", run, "--steal", "--reason", "it hangs", "--yes")
        refused = restore(*words, home=tmp_path)
        assert refused.returncode == 11, refused.stderr
        assert "--force" in refused.stderr
        assert restore(*words, "--force", home=tmp_path).returncode == 0
        ended = restore(verb, run, *(("--yes",) if verb == "rollback" else ()), home=tmp_path)
        assert ended.returncode == 0, ended.stderr
        after, length = digest.picture(filled), facts(tmp_path)
        assert verb == "resume" or before.differences(after) == []
    finally:
        sleeper.send_signal(signal.SIGCONT)
    _, said = sleeper.communicate(timeout=60)
    assert sleeper.returncode == 11, said
    assert "taken" in said and f"restore log {run}" in said
    assert after.differences(digest.picture(filled)) == []
    assert facts(tmp_path) == length
    why = next(line for line in said.splitlines() if line.startswith("restore: error: "))
    tally(f"asleep before request {number} to the {where}, {verb} by another: {why.removeprefix('restore: error: ')}")
