"""The journal on a disk that fails at every single call: no space, input/output errors, SIGKILL, power cuts.

What is acknowledged is there, what is refused is refused in words, and the file can be gone on with once the
disk is well again. Real processes upon tests/disk.c; a power cut is worked out from what they had written.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from journal import Journal, JournalError, this_holder
from tests.conftest import Tally
from tests.disk import Disk, calls_in, preloaded
from tests.journal.attacked import FACTS, RUN
from tests.journal.ledgers import NOW, ROOT, fact, written

ATTACKED = Path(__file__).with_name("attacked.py")
BEFORE = 3  # facts that were there before the attack
MIXTURES = 6  # power cuts that are tried at each call, besides all lost and all kept


@dataclass(frozen=True)
class Life:
    """One process that met its fault at call n, and what it left."""

    n: int
    status: int
    acknowledged: tuple[int, ...]
    refused: tuple[str, ...]
    path: Path


MODES = ("truncate", "wal")


def lives(directory: Path, disk: Path, mode: str, does: str, call: str = "any") -> list[Life]:
    """Every process that met the fault; the last one, which did not, is left out."""
    written(directory / "j.db", facts=BEFORE)[0].close()
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **preloaded(disk)}
    ran = subprocess.run([sys.executable, str(ATTACKED), str(directory), mode, does, call], env=environment,
                         capture_output=True, text=True, check=True)
    found = []
    for line in ran.stdout.splitlines():
        told = json.loads(line)
        said = [json.loads(one) for one in told["said"]]
        found.append(Life(
            told["n"], told["status"], tuple(one["acknowledged"] for one in said if "acknowledged" in one),
            tuple(one["refused"] for one in said if "refused" in one),
            directory / f"{does}-{call}-{told['n']}" / "j.db",
        ))
    return found


def check(life: Life) -> int:
    """A whole chain with every acknowledged fact, at most one more, that can be gone on with; its length."""
    with Journal.open(life.path, write=True) as journal:
        assert journal.verify(RUN).status == "ok", life
        seqs = [record.seq for record in journal.read(RUN)]
        assert seqs == list(range(1, len(seqs) + 1)), life
        known = max((BEFORE, *life.acknowledged))
        assert known <= len(seqs) <= known + 1, life
        lease = journal.take_lease(RUN, this_holder(), ttl_seconds=60, steal=True, now=NOW)
        journal.append(lease, [fact(0)], recorded_at=NOW)
        assert journal.verify(RUN).status == "ok", life
    return len(seqs)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("does", ["before", "after", "torn"])
def test_killed_in_every_call(does: str, mode: str, tmp_path: Path, disk: Path, tally: Tally) -> None:
    *killed, _survived = lives(tmp_path, disk, mode, does)
    assert len(killed) > 30, "too few calls to be three appends"
    assert {life.status for life in killed} == {-9}
    lengths = {check(life) for life in killed}
    assert lengths == {*range(BEFORE, BEFORE + FACTS + 1)}, "every append was died in"
    tally(f"journal, {mode}: SIGKILL {does} each of {len(killed)} calls of three appends, nothing acknowledged was lost")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("does", ["ENOSPC", "EIO", "half"])
def test_every_call_fails_once(does: str, mode: str, tmp_path: Path, disk: Path, tally: Tally) -> None:
    *failed, _unharmed = lives(tmp_path, disk, mode, does)
    assert len(failed) > 30, "too few calls to be three appends"
    for life in failed:
        assert life.status == 0, life
        assert all(said.startswith(f"JournalUnwritable: the journal {life.path} cannot be written: ") for said in life.refused), life
        check(life)
    assert sum(bool(life.refused) for life in failed) > 30, "where nobody is told, SQLite has mended it by itself"
    tally(f"journal, {mode}: {does} once at each of {len(failed)} calls of three appends, refused in words, gone on with")


@pytest.mark.parametrize("mode", MODES)
def test_after_an_fsync_that_failed_nothing_more_is_written_through_this_journal(mode: str, tmp_path: Path, disk: Path) -> None:
    """The kernel tells of lost pages once, and calls the next fsync a success (fsyncgate): only a new beginning helps."""
    *failed, _unharmed = lives(tmp_path, disk, mode, "EIO", "fsync")
    assert len(failed) > 8
    in_the_midst = [life for life in failed if life.acknowledged]
    assert len(in_the_midst) >= 4
    for life in failed:
        assert check(life) <= max((BEFORE, *life.acknowledged)) + 1
        first = len(life.acknowledged)
        assert life.acknowledged == tuple(range(BEFORE + 1, BEFORE + 1 + first)), "none after the failure"


@pytest.mark.parametrize("mode", MODES)
def test_a_power_cut_at_every_call_keeps_what_was_acknowledged(mode: str, tmp_path: Path, disk: Path, tally: Tally) -> None:
    tried = 0
    for where, files, acknowledged in power_cuts(tmp_path, disk, mode, honest=True):
        tried += 1
        with Journal.open(laid_out(tmp_path / "cut", files), write=True) as journal:
            assert journal.verify(RUN).status == "ok", where
            assert acknowledged <= len(list(journal.read(RUN))) <= acknowledged + 1, where
    assert tried > 300
    tally(f"journal, {mode}: {tried} power cuts within three appends, what was not yet safe lost in any mixture: nothing acknowledged was")


def test_a_disk_that_lies_about_fsync_can_lose_facts_and_the_anchor_tells(tmp_path: Path, disk: Path, tally: Tally) -> None:
    """What the journal assumes of its disk, shown by what happens without it."""
    cuts = power_cuts(tmp_path, disk, "truncate", honest=False)
    digests = digests_of(tmp_path / "log-any-1" / "j.db")
    lost = [where for where, files, known in cuts if is_lost(laid_out(tmp_path / "cut", files), digests[:known], where)]
    assert len(lost) > 10, "no power cut lost anything: nothing was shown"
    tally(f"journal: on a disk that lies about fsync {len(lost)} of {len(cuts)} power cuts lost facts, each found")


def test_a_rollback_journal_that_is_lost_in_mid_commit_is_found(tmp_path: Path, disk: Path, tally: Tally) -> None:
    """SQLite needs it to undo what a killed process had begun: without it half a transaction may stay in the file."""
    cuts = [cut for cut in power_cuts(tmp_path, disk, "truncate", honest=True) if cut[0].endswith("all kept")]
    digests = digests_of(tmp_path / "log-any-1" / "j.db")
    damaged = 0
    for where, files, known in cuts:
        alone = {path: content for path, content in files.items() if path.endswith("/j.db")}
        damaged += is_lost(laid_out(tmp_path / "cut", alone), digests[:known], where)
    assert 3 <= damaged < len(cuts)
    tally(f"journal: its rollback journal deleted after each of {len(cuts)} calls: damaged {damaged} times, each found")


def test_a_wal_that_was_left_behind_is_missed_by_the_anchor_alone(tmp_path: Path, disk: Path) -> None:
    """A journal of a newer SQLite that is copied without its -wal: a shorter history that is whole in itself."""
    (tmp_path / "there").mkdir()
    (life,) = lives(tmp_path / "there", disk, "wal", "log")
    found = {name: (tmp_path / "there" / name) for name in ("whole", "without")}
    state = Disk({str(life.path): (tmp_path / "there" / "j.db").read_bytes()})
    for call in calls_in(life.path.parent.with_suffix(".log")):
        if call.path.endswith(".said") and json.loads(call.data) == {"acknowledged": BEFORE + FACTS}:
            break  # before it is closed, which brings the facts into the file itself
        state.take(call)
    files = state.all_kept()
    assert any(path.endswith("-wal") and content for path, content in files.items())
    alone = {path: content for path, content in files.items() if path.endswith("/j.db")}
    digests = digests_of(laid_out(found["whole"], files))
    assert len(digests) == BEFORE + FACTS
    with Journal.open(laid_out(found["without"], alone), write=False) as journal:
        assert (journal.verify(RUN).status, journal.verify(RUN).facts) == ("ok", BEFORE)
        assert journal.verify(RUN, anchor=digests[-1]).status != "ok"


def digests_of(path: Path) -> list[str]:
    with Journal.open(path, write=False) as journal:
        return [record.digest for record in journal.read(RUN)]


def is_lost(path: Path, digests: list[str], where: str) -> bool:
    """Whether the facts with these digests are not all there; fails where that is not noticed."""
    try:
        with Journal.open(path, write=True) as journal:
            if journal.verify(RUN).status != "ok":
                return True
            found = [record.digest for record in journal.read(RUN)]
            if found[: len(digests)] == digests:
                return False
            assert journal.verify(RUN, anchor=digests[-1]).status != "ok", where
            return True
    except JournalError:
        return True


def power_cuts(directory: Path, disk: Path, mode: str, *, honest: bool) -> list[tuple[str, dict[str, bytes], int]]:
    """(where, the files as the cut found them, facts acknowledged until then) for each call and mixture."""
    (life,) = lives(directory, disk, mode, "log")
    start = {name: (directory / name).read_bytes() for name in ("j.db", "j.db-journal") if (directory / name).exists()}
    state = Disk({str(life.path.with_name(name)): content for name, content in start.items()})
    cuts, acknowledged = [], BEFORE
    for n, call in enumerate(calls_in(directory / "log-any-1.log")):
        if call.path.endswith(".said"):
            acknowledged = json.loads(call.data)["acknowledged"]
        elif honest or call.kind != "fsync":
            state.take(call)
        mixtures = {f"mixture {seed}": state.some_kept(random.Random(f"{n} {seed}")) for seed in range(MIXTURES)}
        found = {"all lost": state.all_lost(), "all kept": state.all_kept(), **mixtures}
        cuts += [(f"after call {n}, {how}", files, acknowledged) for how, files in found.items()]
    return cuts


def laid_out(directory: Path, files: dict[str, bytes]) -> Path:
    directory.mkdir(exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    for path, content in files.items():
        (directory / Path(path).name).write_bytes(content)
    return directory / "j.db"
