"""One writer per run, through take-overs, deaths and races of real processes."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from journal import Journal, LeaseLost, RunHeld, holder_is_alive, this_holder
from tests.journal.ledgers import NOW, RUN, child, fact, written

ELSEWHERE = "anna@laptop:1:2.3.4"


def test_a_lease_in_force_is_respected_and_says_whose_it_is(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "j.db", write=True)
    journal.take_lease(RUN, ELSEWHERE, ttl_seconds=30, now=NOW)
    with pytest.raises(RunHeld) as caught:
        journal.take_lease(RUN, this_holder(), ttl_seconds=30, now=NOW + timedelta(seconds=29))
    assert (caught.value.holder, caught.value.epoch) == (ELSEWHERE, 1)
    assert caught.value.expires_at == "2026-11-23T03:00:30.000123Z"


@pytest.mark.parametrize("after_seconds", [30, 3000])
def test_an_expired_lease_may_be_taken(tmp_path: Path, after_seconds: int) -> None:
    journal = Journal.open(tmp_path / "j.db", write=True)
    journal.take_lease(RUN, ELSEWHERE, ttl_seconds=30, now=NOW)
    lease = journal.take_lease(RUN, this_holder(), ttl_seconds=30, now=NOW + timedelta(seconds=after_seconds))
    assert lease.epoch == 2


def test_every_taking_raises_the_epoch_and_fences_the_one_before(tmp_path: Path) -> None:
    journal, first = written(tmp_path / "j.db", facts=1)
    stolen = journal.take_lease(RUN, ELSEWHERE, ttl_seconds=30, steal=True, now=NOW)
    again = journal.take_lease(RUN, ELSEWHERE, ttl_seconds=30, now=NOW)
    assert (first.epoch, stolen.epoch, again.epoch) == (1, 2, 3)
    for lost in (first, stolen):
        with pytest.raises(LeaseLost, match="epoch 3"):
            journal.append(lost, [fact(2)], recorded_at=NOW)
        with pytest.raises(LeaseLost):
            journal.renew_lease(lost, ttl_seconds=30, now=NOW)
        journal.release_lease(lost)
    assert journal.lease_of(RUN) == again
    assert journal.append(again, [fact(2)], recorded_at=NOW)[0].epoch == 3


def test_giving_back_frees_the_run_and_keeps_the_epoch(tmp_path: Path) -> None:
    journal, lease = written(tmp_path / "j.db")
    journal.release_lease(lease)
    assert journal.lease_of(RUN) is None
    assert journal.take_lease(RUN, ELSEWHERE, ttl_seconds=30, now=NOW).epoch == 2


def test_renewing_moves_the_expiry_even_late(tmp_path: Path) -> None:
    journal, lease = written(tmp_path / "j.db")
    late = NOW + timedelta(hours=8)
    journal.renew_lease(lease, ttl_seconds=30, now=late)
    held = journal.lease_of(RUN)
    assert held is not None and (held.epoch, held.expires_at) == (1, late + timedelta(seconds=30))
    journal.append(lease, [fact(1)], recorded_at=late)


def test_the_holder_tells_living_dead_and_foreign_apart() -> None:
    assert holder_is_alive(this_holder()) is True
    place, pid, start = this_holder().rsplit(":", 2)
    ticks, kernel = start.split(".", 1)
    assert holder_is_alive(f"{place}:{pid}:{int(ticks) - 1}.{kernel}") is False  # The pid was used again.
    assert holder_is_alive(f"{place}:{pid}:{ticks}.00000000.1") is None  # Another boot, another container.
    assert holder_is_alive(f"anna@elsewhere:{pid}:{start}") is None
    assert [holder_is_alive(text) for text in ("", "anna", "a@b:x:y", ":::")] == [None] * 4


def test_a_zombie_is_dead() -> None:
    place, _, start = this_holder().rsplit(":", 2)
    process = subprocess.Popen(["sleep", "60"])
    ticks = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19]
    holder = f"{place}:{process.pid}:{ticks}.{start.split('.', 1)[1]}"
    assert holder_is_alive(holder) is True
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert holder_is_alive(holder) is False
    process.wait()
    assert holder_is_alive(holder) is False


def test_the_run_of_a_killed_process_is_free_at_once_that_of_a_stopped_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    first = subprocess_holding(path)
    assert child("hold", path, RUN, 0).communicate()[0] == "RunHeld\n"
    os.kill(first.pid, signal.SIGSTOP)
    assert child("hold", path, RUN, 0).communicate()[0] == "RunHeld\n"
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert child("hold", path, RUN, 0).communicate()[0] == "held 2\n"


def subprocess_holding(path: Path) -> subprocess.Popen[str]:
    process = child("hold", path, RUN, 0, stdin=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == "held 1\n"
    return process


def test_of_many_processes_one_gets_the_run(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    Journal.open(path, write=True).close()
    racers = [child("hold", path, RUN, 0, stdin=subprocess.PIPE) for _ in range(5)]
    said = [racer.stdout.readline() for racer in racers if racer.stdout]
    for racer in racers:
        racer.communicate()
    assert Counter(said) == {"held 1\n": 1, "RunHeld\n": 4}


def test_two_processes_that_steal_from_each_other_leave_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    Journal.open(path, write=True).close()
    racers = [child("race", path, RUN, 150, stdin=subprocess.PIPE) for _ in range(2)]
    assert [racer.stdout.readline() for racer in racers if racer.stdout] == ["ready\n"] * 2
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.close()
    lost = [int(racer.stdout.read().split()[1]) for racer in racers if racer.stdout]
    assert [racer.wait() for racer in racers] == [0, 0]
    journal = Journal.open(path, write=False)
    records = list(journal.read(RUN))
    assert [r.seq for r in records] == list(range(1, 301))
    assert Counter(r.data["by"] for r in records) == dict.fromkeys({r.data["by"] for r in records}, 150)
    assert [r.epoch for r in records] == sorted(r.epoch for r in records)
    assert sum(lost) >= 1, "the processes never met, so nothing was tested"
    assert journal.verify(RUN).status == "ok"
