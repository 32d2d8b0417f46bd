"""The writer thread: shared commits, refusals that reach one producer, and a death that reaches all."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from journal import (
    Draft,
    GroupWriter,
    Journal,
    JournalDamaged,
    JournalError,
    JournalUnwritable,
    Lease,
    LeaseLost,
    Record,
)
from tests.journal.ledgers import NOW, RUN, fact, written


class Refused(Exception):
    """What the owner of these tests raises."""


class Owner:
    """Keeps a sum that must never pass a limit: a tentative one, and the true one once it is durable.

    While `gate` is closed the first admission waits, so that a test can line up other calls behind it.
    """

    def __init__(self, limit: int = 10**9) -> None:
        self.limit, self.tentative, self.true = limit, 0, 0
        self.groups: list[int] = []
        self.gate, self.waiting = threading.Event(), threading.Event()
        self.gate.set()

    def admit(self, drafts: tuple[Draft, ...]) -> None:
        self.waiting.set()
        self.gate.wait()
        total = self.tentative + sum(int(str(draft.data["n"])) for draft in drafts)
        if total > self.limit:
            raise Refused(total)
        self.tentative = total

    def published(self, records: list[Record]) -> None:
        self.true = self.tentative
        self.groups.append(len(records))


def writer_for(journal: Journal, lease: Lease, owner: Owner) -> GroupWriter:
    return GroupWriter(journal, lease, now=lambda: NOW, admit=owner.admit, published=owner.published)


def lined_up(writer: GroupWriter, owner: Owner, calls: list[tuple[Draft, ...]],
             meanwhile: Callable[[], object] = lambda: None) -> list[Future[list[Record]]]:
    """Makes the calls from threads of their own so that all but the first wait while the first is admitted."""
    owner.gate.clear()
    owner.waiting.clear()
    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(writer.append, *calls[0])]
        owner.waiting.wait()
        for number, call in enumerate(calls[1:], start=1):
            futures.append(pool.submit(writer.append, *call))
            while len(writer._waiting) < number:  # There is no other way to know that a thread has queued.
                threading.Event().wait(0.001)
        meanwhile()
        owner.gate.set()
        wait(futures)
    return futures


def test_calls_that_wait_share_a_commit(tmp_path: Path) -> None:
    journal, lease = written(tmp_path / "j.db")
    commits: list[str] = []
    journal._db.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    owner = Owner()
    with writer_for(journal, lease, owner) as writer:
        futures = lined_up(writer, owner, [(fact(n), fact(n)) for n in range(20)])
    assert len(commits) == 2
    assert owner.groups == [2, 38]
    seqs = [[record.seq for record in future.result()] for future in futures]
    assert seqs == [[2 * n + 1, 2 * n + 2] for n in range(20)]


def test_a_call_returns_what_is_in_the_file(tmp_path: Path) -> None:
    journal, lease = written(tmp_path / "j.db")
    with writer_for(journal, lease, Owner()) as writer:
        records = writer.append(fact(1), fact(2))
        other = Journal.open(tmp_path / "j.db", write=False)
        assert list(other.read(RUN)) == records
        assert writer.append() == []


def test_many_threads_leave_one_chain(tmp_path: Path) -> None:
    journal, lease = written(tmp_path / "j.db")
    owner = Owner()
    with writer_for(journal, lease, owner) as writer, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: writer.append(*[fact(n)] * (n % 4 + 1)), range(400)))
    for n, records in enumerate(answers):
        assert [record.data["n"] for record in records] == [n] * (n % 4 + 1)
        assert [record.seq - records[0].seq for record in records] == list(range(len(records)))
    assert sum(owner.groups) == sum(map(len, answers)) == 1000
    assert journal.verify(RUN).facts == 1000


def test_a_refusal_reaches_its_producer_alone(tmp_path: Path) -> None:
    journal, lease = written(tmp_path / "j.db")
    owner = Owner(limit=10)
    with writer_for(journal, lease, owner) as writer:
        futures = lined_up(writer, owner, [(fact(4),), (fact(3), fact(8)), (fact(5),), (fact(2),)])
        assert [type(future.exception()) for future in futures] == [type(None), Refused, type(None), Refused]
        assert [record.data["n"] for record in journal.read(RUN)] == [4, 5]
        assert owner.true == owner.tentative == 9
        assert writer.append(fact(1))[0].seq == 3
        with pytest.raises(Refused):
            writer.append(fact(1))
        assert 0 not in owner.groups, "nothing was admitted, so there is nothing to publish"


def test_data_that_is_no_json_is_refused_before_it_is_admitted(tmp_path: Path) -> None:
    journal, lease = written(tmp_path / "j.db")
    owner = Owner()
    with writer_for(journal, lease, owner) as writer:
        with pytest.raises(TypeError):
            writer.append(fact(1), Draft("Noted", {"n": 0.5}))
        assert owner.tentative == 0
        assert writer.append(fact(1))[0].seq == 1


def test_a_lost_lease_reaches_everybody_who_waits_and_all_who_come(tmp_path: Path) -> None:
    journal, lease = written(tmp_path / "j.db", facts=1)
    owner = Owner()
    with writer_for(journal, lease, owner) as writer:
        futures = lined_up(writer, owner, [(fact(n),) for n in range(5)],
                           lambda: journal.take_lease(RUN, "other@host:1:2", ttl_seconds=9, steal=True, now=NOW))
        assert [type(future.exception()) for future in futures] == [LeaseLost] * 5
        for _ in range(2):
            with pytest.raises(LeaseLost):
                writer.append(fact(2))
    assert [record.seq for record in journal.read(RUN)] == [1]
    assert owner.groups == [], "nothing was durable, so nothing may be published"


def test_a_file_that_cannot_be_written_stops_everybody(tmp_path: Path) -> None:
    journal, lease = written(tmp_path / "j.db", facts=1)
    owner = Owner()
    with writer_for(journal, lease, owner) as writer:
        journal._db.execute("PRAGMA query_only = ON")
        with pytest.raises(JournalUnwritable, match="read-only"):
            writer.append(fact(2))
        journal._db.execute("PRAGMA query_only = OFF")
        with pytest.raises(JournalUnwritable):
            writer.append(fact(2))
    assert (owner.groups, len(list(journal.read(RUN)))) == ([], 1)


def test_facts_cut_off_behind_our_back_stop_the_writer(tmp_path: Path) -> None:
    journal, lease = written(tmp_path / "j.db", facts=3)
    with sqlite3.connect(tmp_path / "j.db") as db:
        db.execute("DROP TRIGGER facts_never_leave")
        db.execute("DELETE FROM facts WHERE seq = 3")
    with writer_for(journal, lease, Owner()) as writer, pytest.raises(JournalDamaged, match="must follow"):
        writer.append(fact(4))


def test_closing_writes_what_was_handed_in_and_refuses_the_rest(tmp_path: Path) -> None:
    journal, lease = written(tmp_path / "j.db")
    owner = Owner()
    writer = writer_for(journal, lease, owner)
    closer = threading.Thread(target=writer.close)
    futures = lined_up(writer, owner, [(fact(n),) for n in range(4)], closer.start)
    closer.join()
    assert [len(future.result()) for future in futures] == [1] * 4
    with pytest.raises(JournalError, match="closed"):
        writer.append(fact(1))
    writer.close()


def test_an_owner_that_appends_from_inside_is_told_so(tmp_path: Path) -> None:
    journal, lease = written(tmp_path / "j.db")
    told: list[str] = []

    def admit(drafts: tuple[Draft, ...]) -> None:
        with pytest.raises(RuntimeError) as caught:
            writer.append(fact(1))
        told.append(str(caught.value))

    writer = GroupWriter(journal, lease, now=lambda: NOW, admit=admit, published=lambda records: None)
    writer.append(fact(1))
    writer.close()
    assert told == ["append was called from inside admit or published"]
