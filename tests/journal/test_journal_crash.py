"""Death by SIGKILL and disks without room: what was acknowledged is there, and nothing is there by half."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from journal import Journal, Record, this_holder
from tests.journal.ledgers import NOW, RUN, child, fact, written


def killed_after(path: Path, function: str, lines: int) -> list[str]:
    """What a child had acknowledged when it was killed, at the earliest after so many lines."""
    process = child(function, path, RUN, 10_000)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(lines)]
    process.kill()
    said += process.stdout.readlines()
    assert process.wait() == -signal.SIGKILL
    return [line for line in said if line.endswith("\n")]


def whole_prefix(path: Path) -> list[Record]:
    """The facts after a death, proven to be a chain without gaps that can be continued."""
    with Journal.open(path, write=True) as journal:
        records = list(journal.read(RUN))
        assert [r.seq for r in records] == list(range(1, len(records) + 1))
        assert journal.verify(RUN).status == "ok"
        lease = journal.take_lease(RUN, this_holder(), ttl_seconds=60, now=NOW)
        journal.append(lease, [fact(0)], recorded_at=NOW)
    return records


@pytest.mark.parametrize("seed", range(5))
def test_a_killed_writer_leaves_every_acknowledged_fact(tmp_path: Path, seed: int) -> None:
    said = killed_after(tmp_path / "j.db", "append_alone", random.Random(seed).randrange(1, 400))
    records = whole_prefix(tmp_path / "j.db")
    for line in said:
        seq, n = map(int, line.split())
        assert records[seq - 1].data["n"] == n
    assert len(said) <= len(records) <= len(said) + 1


@pytest.mark.parametrize("seed", range(5))
def test_a_killed_group_writer_leaves_every_acknowledged_pair_whole(tmp_path: Path, seed: int) -> None:
    said = killed_after(tmp_path / "j.db", "append_together", random.Random(seed).randrange(1, 800))
    records = whole_prefix(tmp_path / "j.db")
    for line in said:
        seq, n = map(int, line.split())
        assert records[seq - 1].data["n"] == n
    pairs = list(zip(records[::2], records[1::2], strict=True))
    assert all(a.type == "Began" and b.type == "Ended" and a.data == b.data for a, b in pairs)


def test_a_reader_heals_what_a_killed_writer_left(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    written(path, facts=3)[0].close()
    early = Journal.open(path, write=False)
    assert child("die_in_commit", path, RUN, 0).wait() == -signal.SIGKILL
    assert (tmp_path / "j.db-journal").stat().st_size > 0
    late = shutil.copytree(tmp_path, tmp_path.with_name("late")) / "j.db"

    # A reader that was there before, and one that comes after: neither may write, both must see.
    assert [r.seq for r in early.read(RUN)] == [1, 2, 3]
    assert early.samples(RUN) == []
    assert Journal.open(late, write=False).verify(RUN).status == "ok"
    assert len(whole_prefix(path)) == 3


def refused(output: str) -> tuple[int, int]:
    """Checks a child's story of a full disk; gives transactions that were acknowledged, facts then there."""
    first, reason, after, verdict = output.splitlines()
    _, acknowledged, there = first.split()
    assert reason.startswith("the journal /") and "cannot be written: the disk" in reason
    assert (after, verdict) == (f"after {int(there) + 1}", "ok")
    return int(acknowledged), int(there)


def test_a_file_that_may_not_grow_refuses_whole_transactions_and_recovers(tmp_path: Path) -> None:
    written(tmp_path / "j.db")[0].close()
    process = child("outgrow", tmp_path / "j.db", "other", 0)
    acknowledged, there = refused(process.communicate()[0])
    assert acknowledged > 0 and there == 3 * acknowledged
    with Journal.open(tmp_path / "j.db", write=True) as journal:
        assert len(list(journal.read("other"))) == there + 1


def own_mounts() -> list[object]:
    """What gives a command a mount namespace of its own; a container's root may be refused even that."""
    as_root = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", "--mount", *as_root]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no mounts are allowed here; a file that may not grow stands for the full disk")
    return [*command]


def test_a_full_disk_refuses_whole_transactions_and_recovers(tmp_path: Path) -> None:
    """A tmpfs of 700 kB in a mount namespace of its own, which an ordinary user may make too."""
    script = 'mount -t tmpfs -o size=700k tmpfs "$1" && shift && exec "$@"'
    process = child("fill_disk", tmp_path / "j.db", RUN, 0,
                    before=[*own_mounts(), "sh", "-c", script, "sh", tmp_path])
    acknowledged, there = refused(process.communicate()[0])
    assert acknowledged > 0 and there == 3 * acknowledged


def test_a_journal_cannot_be_made_on_a_full_disk(tmp_path: Path) -> None:
    process = child("make_without_room", tmp_path / "j.db", RUN, 0)
    assert process.communicate()[0].startswith("JournalUnwritable")
    assert process.returncode == 0
    Journal.open(tmp_path / "j.db", write=True).close()
