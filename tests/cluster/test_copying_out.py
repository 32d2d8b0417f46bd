"""Files out of a pod to this machine: what is cut, killed or changed costs what was under way, and nothing half is left."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster import copying
from orchestrator.cluster.carriers import BLOCK_BYTES
from orchestrator.cluster.copying import Interruption
from orchestrator.cluster.pace import LINES, MIB
from orchestrator.errors import ClusterRefused, ClusterUnreachable, PlanChanged, PodChanged
from orchestrator.port import FileSeen, WorkloadSeen
from orchestrator.spans import joined
from tests.cluster.lines import Line, chunks_of, spans_of
from tests.cluster.pods import Live, place

NUMBERS = count(1)
EXTRA_BYTES = 200  # the line with a chunk's digest


@pytest.fixture(scope="module")
def pod(live: Live, path: str) -> WorkloadSeen:
    """The one with busybox's tools has no others: no openssl either."""
    programs = path.split(":")[0] if "busybox" in path else path
    return live.pod(f"copied-out-{next(NUMBERS)}", {"PATH": programs, "BASH_ENV": ""})


@pytest.fixture
def line(live: Live, pod: WorkloadSeen) -> Line:
    return Line(live, pod)


@pytest.fixture
def copies(live: Live, tmp_path: Path) -> Iterator[Path]:
    live.cluster.copies.directory = tmp_path / "copies"
    yield tmp_path / "copies"
    live.cluster.copies.directory = None


def out_of(pod: WorkloadSeen, path: Path, content: bytes, target: str = "copy") -> fx.CopyOut:
    return fx.CopyOut(
        **place(pod, "db"), path=str(path), target=target, size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


# ---- chunks --------------------------------------------------------------------------------------


def test_reading_out_changes_nothing_in_the_pod_and_goes_on_where_it_was(line: Line, tmp_path: Path) -> None:
    content, there, part = os.urandom(9 * BLOCK_BYTES), tmp_path / "there", tmp_path / "part"
    there.write_bytes(content + b"written since")
    part.write_bytes(content[: 4 * BLOCK_BYTES])
    chunks = chunks_of(copying.fetch_chunks(line.run, str(there), part, len(content)))
    assert joined(spans_of(chunks)) == [(0, len(content))]
    assert line.come_bytes <= 5 * BLOCK_BYTES + EXTRA_BYTES
    assert (part.read_bytes(), there.read_bytes()) == (content, content + b"written since")
    with pytest.raises(ClusterUnreachable, match="does not exist"):
        list(copying.fetch_chunks(line.run, str(tmp_path / "nowhere"), tmp_path / "new", 5))


def test_what_came_before_a_cut_does_not_come_again(line: Line, tmp_path: Path) -> None:
    content, there, part = os.urandom(11 * MIB + 17), tmp_path / "there", tmp_path / "part"
    there.write_bytes(content)
    line.cut_at, line.cut_after_bytes = {2, 9, 12}, 150_000
    moved = list(copying.fetch_chunks(line.run, str(there), part, len(content)))
    chunks = chunks_of(moved)
    assert part.read_bytes() == content
    assert joined(spans_of(chunks)) == [(0, len(content))]
    assert sum(chunk.size_bytes for chunk in chunks) == len(content)
    under_way = len(line.cut_at) * LINES * BLOCK_BYTES
    assert len(content) <= line.come_bytes <= len(content) + under_way + line.execs * EXTRA_BYTES
    wasted = sum(cut.wasted_bytes for cut in moved if isinstance(cut, Interruption))
    assert 0 < wasted <= under_way
    assert line.come_bytes - len(content) - line.execs * EXTRA_BYTES <= wasted


def test_a_line_that_brings_nothing_out_is_given_up(line: Line, tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(os.urandom(MIB))
    line.cut_at = range(1, 100)
    with pytest.raises(ClusterUnreachable):
        list(copying.fetch_chunks(line.run, str(tmp_path / "there"), tmp_path / "part", MIB))


def test_what_is_damaged_here_is_found_and_comes_again_by_itself(line: Line, tmp_path: Path) -> None:
    content, there, part = os.urandom(10 * BLOCK_BYTES), tmp_path / "there", tmp_path / "part"
    there.write_bytes(content)
    part.write_bytes(content[:BLOCK_BYTES] + b"x" + content[BLOCK_BYTES + 1 :] + b"too long")
    list(copying.fetch_chunks(line.run, str(there), part, len(content)))
    assert part.read_bytes() == content
    assert line.come_bytes <= BLOCK_BYTES + EXTRA_BYTES


# ---- files ---------------------------------------------------------------------------------------


def test_a_file_is_copied_out_brought_back_and_removed(live: Live, pod: WorkloadSeen, tmp_path: Path, copies: Path) -> None:
    content, there, again = os.urandom(3 * MIB + 5), tmp_path / "there", tmp_path / "again"
    there.write_bytes(content)
    facts = live.perform(out_of(pod, there, content, "system.sql.gz"))
    chunks = [fact for fact in facts if isinstance(fact, ev.FileChunkCopiedOut)]
    assert joined((chunk.offset_bytes, chunk.size_bytes) for chunk in chunks) == [(0, len(content))]
    assert isinstance(facts[-1], ev.FileCopiedOut)
    kept = copies / "system.sql.gz"
    assert kept.read_bytes() == content
    assert (kept.stat().st_mode & 0o777, copies.stat().st_mode & 0o777) == (0o600, 0o700)
    seen = live.cluster.copied_out("system.sql.gz")
    assert seen == FileSeen(size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    back = fx.CopyIn(
        **place(pod, "db"), source="system.sql.gz", path=str(again), part=f"{again}.part", size_bytes=seen.size_bytes,
        sha256=seen.sha256, origin="copies",
    )  # fmt: skip
    live.perform(back)
    assert again.read_bytes() == content
    live.perform(fx.RemoveCopy(target="system.sql.gz"))
    assert live.cluster.copied_out("system.sql.gz") is None
    assert list(copies.iterdir()) == []
    live.perform(fx.RemoveCopy(target="system.sql.gz"))  # once more is nothing
    with pytest.raises(PlanChanged, match="cannot be read any more"):
        live.perform(back.model_copy(update={"path": f"{again}-2"}))


@pytest.mark.parametrize("content", [b"", b"x"])
def test_a_file_of_next_to_nothing_is_copied_out(live: Live, pod: WorkloadSeen, tmp_path: Path, copies: Path, content: bytes) -> None:
    (tmp_path / "there").write_bytes(content)
    live.perform(out_of(pod, tmp_path / "there", content))
    assert (copies / "copy").read_bytes() == content


def test_a_file_that_is_not_what_was_seen_gets_no_name_here(live: Live, tmp_path: Path, copies: Path) -> None:
    pod = live.pod(f"changing-{next(NUMBERS)}")  # one whose pace is not known yet: the chunks are small
    content, there = os.urandom(6 * MIB), tmp_path / "there"
    there.write_bytes(content)
    facts = live.cluster.perform(out_of(pod, there, content), step="s", attempt=1)
    next(facts)
    there.write_bytes(content[::-1])
    with pytest.raises(ClusterUnreachable, match=r"is not what was seen there|arrived damaged"):
        list(facts)
    assert not (copies / "copy").exists()
    live.perform(out_of(pod, there, content[::-1]))  # the next attempt has looked again
    assert (copies / "copy").read_bytes() == content[::-1]


def test_a_client_that_is_killed_goes_on_from_what_is_here(live: Live, pod: WorkloadSeen, tmp_path: Path, copies: Path) -> None:
    content, there = os.urandom(20 * MIB), tmp_path / "there"
    there.write_bytes(content)
    effect = out_of(pod, there, content)
    child = os.fork()
    if child == 0:
        other = Live(live.root, live.bundle, is_new=False)
        other.cluster.copies.directory = copies
        for number, _ in enumerate(other.cluster.perform(effect, step="s", attempt=1), 1):
            if number == 3:
                os.kill(os.getpid(), signal.SIGKILL)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert live.cluster.copied_out("copy") is None
    line = Line(live, pod)
    chunks = chunks_of(copying.fetch_chunks(line.run, str(there), copies / "copy.part", len(content)))
    assert line.come_bytes < len(content) - 2 * MIB
    assert joined(spans_of(chunks)) == [(0, len(content))]
    live.perform(effect)
    assert (copies / "copy").read_bytes() == content
    assert [file.name for file in copies.iterdir()] == ["copy"]


def test_a_pod_that_is_replaced_in_the_midst_is_not_read_any_more(live: Live, tmp_path: Path, copies: Path) -> None:
    name, there, content = f"replaced-out-{next(NUMBERS)}", tmp_path / "there", os.urandom(20 * MIB)
    there.write_bytes(content)
    first = live.pod(name)
    facts = live.cluster.perform(out_of(first, there, content), step="s", attempt=1)
    next(facts)
    live.rest.delete(f"{live.cluster.core}/pods/{first.pod}", first.container.split("/")[0])
    second = live.ready(name, other_than=first.container)
    with pytest.raises(PodChanged):
        list(facts)
    assert not (copies / "copy").exists()
    live.perform(out_of(second, there, content))
    assert (copies / "copy").read_bytes() == content


def test_a_machine_without_room_is_a_refusal_before_a_byte_travels(live: Live, pod: WorkloadSeen, tmp_path: Path, copies: Path) -> None:
    """A limit on the size of files stands for a disk that is full: the system call fails in the same way."""
    content, there = os.urandom(2 * MIB), tmp_path / "there"
    there.write_bytes(content)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, limits[1]))
    try:
        with pytest.raises(ClusterRefused, match=r"copy\.part cannot be written on this machine: File too large"):
            live.perform(out_of(pod, there, content))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    live.perform(out_of(pod, there, content))
    assert (copies / "copy").read_bytes() == content


@pytest.mark.parametrize("target", ["", ".hidden", "../out", "a/b", "copy.part"])
def test_a_name_that_leads_elsewhere_is_refused(live: Live, copies: Path, target: str) -> None:
    with pytest.raises(ClusterRefused, match="is no name for a copy"):
        live.perform(fx.RemoveCopy(target=target))


def test_without_a_directory_nothing_is_copied_out(live: Live, pod: WorkloadSeen, tmp_path: Path) -> None:
    with pytest.raises(ClusterRefused, match="there is no directory on this machine"):
        live.perform(out_of(pod, tmp_path, b""))
