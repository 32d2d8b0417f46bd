"""The whole program on a disk that fails while the cluster is half changed: it stops, explains, and goes on afterwards.

In the ordinary run a sample of the calls by which the journal is written goes wrong, chosen by a seed that is told;
with RESTORE_EXHAUSTIVE=1 every 10th. The clusters and databases stand on good disks: only the journal's is attacked.
"""

from __future__ import annotations

import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from journal import Journal, JournalMissing
from orchestrator.forensics.proving import prove
from orchestrator.rehearsal import digest, proof, seed
from orchestrator.rehearsal.lifecycle import Rehearsed
from tests.commands.program import ROOT, environment, forget_runs, restore
from tests.commands.test_sessions import journal_of, target
from tests.conftest import Tally
from tests.disk import calls_in, preloaded
from tests.journal.test_journal_crash import own_mounts

IS_EXHAUSTIVE = os.environ.get("RESTORE_EXHAUSTIVE") == "1"
SAMPLE = 1
PART = "system-redis"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with the journal's disk, from which call on, and for how many calls (0: for good)."""

    does: str
    call: str
    count: int


FAULTS = {
    "full": Fault("ENOSPC", "any", 0), "full once": Fault("ENOSPC", "any", 1), "broken": Fault("EIO", "any", 0),
    "fsync fails": Fault("EIO", "fsync", 1), "SIGKILL": Fault("after", "any", 1),
}  # fmt: skip


def begun(cluster: Rehearsed, bundle: Path, home: Path, disk: Path, **variables: str) -> tuple[int, str]:
    """`restore run` with its journal on that disk: exit code, stderr."""
    ran = restore("run", str(bundle), "--only", PART, *target(cluster), "--yes", "--patience", "90s", home=home,
                  DISK_FILES="/journal.db", **preloaded(disk), **variables)
    return ran.returncode, ran.stderr


def started(home: Path) -> set[str]:
    with sqlite3.connect(journal_of(home)) as db:
        return {step for (step,) in db.execute("SELECT step FROM facts WHERE type = 'StepStarted'")}


def runs(home: Path) -> list[str]:
    """The runs in the journal, each proven: chain, blobs, epochs, transitions."""
    try:
        with Journal.open(journal_of(home), write=False) as journal:
            found = journal.runs()
            assert all(prove(journal, run).is_ok for run in found)
            return found
    except JournalMissing:
        return []


def is_restored(cluster: Rehearsed, bundle: Path) -> bool:
    return all(row.is_equal for row in proof.compare(cluster, bundle, (PART,)))


def hint_in(stderr: str) -> list[str]:
    """The words after `restore` of the next command that was named."""
    (line,) = [line for line in stderr.splitlines() if line.startswith("restore: hint: ")]
    return line.split()[3:]


@pytest.fixture(scope="module")
def undisturbed(
    cluster: Rehearsed, bundle: Path, disk: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[int, int, set[str]]:
    """(calls, fsyncs, steps that were started) of a run on a good disk."""
    home = tmp_path_factory.mktemp("undisturbed")
    seed.fill_installation(cluster)
    code, stderr = begun(cluster, bundle, home, disk, DISK_LOG=str(home / "log"))
    assert code == 0, stderr
    calls = calls_in(home / "log")
    return len(calls), sum(call.kind == "fsync" for call in calls), started(home)


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", FAULTS)
def test_it_stops_explains_and_goes_on(
    name: str, filled: Rehearsed, bundle: Path, disk: Path, tmp_path: Path, undisturbed: tuple[int, int, set[str]], tally: Tally
) -> None:
    fault, (calls, fsyncs, steps) = FAULTS[name], undisturbed
    last = (fsyncs if fault.call == "fsync" else calls) * 4 // 5  # how often it looks at what it waits for differs
    dice = random.Random(f"{date.today()} {name}")
    places = list(range(1, last, 10)) if IS_EXHAUSTIVE else sorted(dice.sample(range(1, last), SAMPLE))
    stopped = 0
    for n in places:
        home = tmp_path / str(n)
        home.mkdir()
        seed.fill_installation(filled)
        before = digest.picture(filled)
        code, stderr = begun(filled, bundle, home, disk, DISK_LOG=str(home / "log"), DISK_CALL=fault.call,
                             DISK_AT=str(n), DISK_COUNT=str(fault.count), DISK_DOES=fault.does)
        where = f"{name} at {fault.call} {n}\n{stderr}"
        assert any(call.kind == "met" for call in calls_in(home / "log")), where
        stopped += code != 0
        again = told_rightly(code, stderr, home, bundle, where)
        if not runs(home):
            assert before.differences(digest.picture(filled)) == [], where
            again += ["--only", PART, *target(filled), "--yes"]
        if again:
            resumed = restore(*again, home=home)
            assert resumed.returncode == 0, f"{where}\n{resumed.stderr}"
        assert len(runs(home)) == 1, where
        assert is_restored(filled, bundle), where
        assert started(home) == steps, f"{where}\nan effect was there whose intent was not in the journal"
        forget_runs(filled)
    assert stopped or fault.count == 1, "a disk that stays as bad did not stop the run"
    tally(f"restore run, the journal's disk {name} from call {places} of {last}: stopped {stopped} times, resumed, right end")


def told_rightly(code: int, stderr: str, home: Path, bundle: Path, where: str) -> list[str]:
    """Checks how it ended and what was said; the next command, where one is needed."""
    assert "Traceback" not in stderr, where
    if code == 0:  # what failed was not needed: a sample of progress, or something that SQLite mends by itself
        return []
    (run,) = runs(home) or [""]
    next_command = ["resume", run] if run else ["run", str(bundle)]
    if code != -signal.SIGKILL:
        assert code == 3, where
        (said,) = [line for line in stderr.splitlines() if line.startswith("restore: error: ")]
        assert "cannot be written" in said, where
        assert not run or f"restore: run {run} is at fact " in stderr, where
        was_opening = "restore: note:" in stderr  # it had come so far as to open a run
        assert hint_in(stderr) == (next_command if was_opening else ["runs", "--journal", "FILE"]), where
    return next_command


# ---- a disk that is really full -------------------------------------------------------------------------

# In a mount namespace of its own, which ends with this shell: the run, until something else fills the disk; the verdict;
# room, the resumed run, the verdict.
FULL = """
set -u
mount -t tmpfs -o size=4m tmpfs "$1" || exit 99
export RESTORE_JOURNAL="$1/journal.db"; shift
restore() { "$PYTHON" -m commands "$@"; }
restore run "$@" 2>"$HOME/said" & run=$!
until grep -q "done .*switch saving off" "$HOME/said" || ! kill -0 $run; do sleep 0.01; done
cat /dev/zero >"${RESTORE_JOURNAL%/*}/ballast"
wait $run; echo "stopped $?"
cat "$HOME/said" >&2
run=$(restore runs -o json | sed -n 's/.*"run": "\\([^"]*\\)".*/\\1/p')
restore verify "$run"; echo "verified $?"
rm "${RESTORE_JOURNAL%/*}/ballast"
restore resume "$run"; echo "resumed $?"
restore verify "$run"; echo "verified $?"
"""


def test_on_a_disk_that_is_really_full(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    words = [str(tmp_path / "disk"), str(bundle), "--only", PART, *target(filled), "--yes"]
    ran = subprocess.run([*map(str, own_mounts()), "sh", "-c", FULL, "sh", *words], cwd=ROOT, capture_output=True, text=True,
                         env=environment(tmp_path) | {"PYTHON": sys.executable}, stdin=subprocess.DEVNULL, check=False)
    codes = [line for line in ran.stdout.splitlines() if line.split()[0] in ("stopped", "verified", "resumed")]
    assert codes == ["stopped 3", "verified 0", "resumed 0", "verified 0"], f"{ran.stdout}\n{ran.stderr}"
    assert "cannot be written: the disk is full; nothing was begun that is not in it" in ran.stderr
    assert "Traceback" not in ran.stderr
    (resumed,) = re.findall(r"(\d+) steps ended, \d+ in doubt, (\d+) left", ran.stderr)
    assert all(int(count) > 1 for count in resumed), f"it did not stop in the midst of the run: {resumed}"
    assert is_restored(filled, bundle)
