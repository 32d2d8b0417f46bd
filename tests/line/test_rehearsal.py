"""A whole restore over a bad line, by the program itself: it is killed, and goes on over the same line."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.rehearsal import lifecycle
from orchestrator.rehearsal.line import keeping
from orchestrator.rehearsal.proof import compare
from tests.commands.program import restore
from tests.conftest import Tally

PARTS = ("backend-redis", "system-redis")
ONLY = [word for part in PARTS for word in ("--only", part)]
LIVES_MAX = 20


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    restore("rehearse", "--down", home=tmp_path)


def test_a_killed_restore_goes_on_over_the_same_line_and_ends_with_all_the_data(home: Path, tally: Tally) -> None:
    killed = restore("rehearse", *ONLY, "--cut-every", "512KiB", "--seed", "5", "--die-at", "45", home=home)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert "bad line: cut every 512 KiB; seed 5" in killed.stderr
    (run,) = re.findall(r"^run (\S+)$", killed.stdout, re.MULTILINE)
    (root,) = (home / "state" / "restore" / "rehearsals").iterdir()
    line, cluster = keeping.find(root), lifecycle.find(root)
    assert line is not None
    assert cluster is not None
    before, lives = line.told(), 1
    while (resumed := restore("resume", run, home=home)).returncode != 0:
        assert resumed.returncode in (3, 30), resumed.stderr  # stopped or unreachable: typed again, it goes on
        lives += 1
        assert lives < LIVES_MAX
    after = line.told()
    assert after.up_bytes > before.up_bytes
    assert after.cuts > 0
    assert all(row.is_equal for row in compare(cluster, root / "bundle", PARTS))
    tally(f"bad line: a restore of both Redis, killed once, {lives} resumed: {after}")


def test_a_rehearsal_over_a_bad_line_tells_what_that_cost(home: Path, tally: Tally) -> None:
    words = ("--only", "system-redis", "--size", "medium", "--cut-every", "4MiB", "--seed", "5", "--patience", "5m")
    done = restore("rehearse", *words, "--journal", str(home / "journal.db"), home=home)
    assert done.returncode == 0, done.stderr
    found = dict(re.findall(r"^(faults injected|sent in vain, at most|of files, compared in the pods) +(\S.*)$", done.stdout, re.MULTILINE))
    (cuts,) = re.findall(r"^(\d+) cuts", found["faults injected"])
    assert int(cuts) > 0
    assert found["of files, compared in the pods"] != "0 B"
    log = restore("log", run_of(done.stdout), "--journal", str(home / "journal.db"), "--type", "CopyInterrupted", home=home)
    interruptions = len(log.stdout.splitlines())
    assert f"by {interruptions} cuts of copies that went on" in found["sent in vain, at most"]
    tally(f"bad line: a rehearsal of system-redis, {cuts} cuts; at most {found['sent in vain, at most']} sent in vain")


def run_of(text: str) -> str:
    (run,) = re.findall(r"^run (\S+)$", text, re.MULTILINE)
    return str(run)


def test_a_word_that_no_line_understands_is_refused_before_anything_is_started(home: Path) -> None:
    refused = restore("rehearse", "--stall", "8MiB", home=home)
    assert refused.returncode == 2
    assert "'' is no length of time: 40ms, 1.5s, 2m" in " ".join(refused.stderr.split())
    assert not (home / "state").exists()
