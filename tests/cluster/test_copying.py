"""Files into a pod and out of it, over several lines at once: what is cut, killed or damaged costs what was under way."""

from __future__ import annotations

import hashlib
import os
import signal
from collections import Counter
from itertools import count
from pathlib import Path

import pytest

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster import copying
from orchestrator.cluster.copying import BLOCK_BYTES, Pace, Source
from orchestrator.cluster.execs import Ran
from orchestrator.errors import ClusterRefused, ClusterUnreachable, OutcomeUnknown
from orchestrator.port import WorkloadSeen
from tests.cluster.pods import Live, place

NUMBERS = count(1)
SIZES = [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 11 * 1024 * 1024 + 17]


@pytest.fixture(scope="module")
def pod(live: Live, path: str) -> WorkloadSeen:
    return live.pod(f"copied-{next(NUMBERS)}", {"PATH": path, "BASH_ENV": ""})


class Line:
    """The way into one pod: counts what goes over it, and is cut when a test says so."""

    def __init__(self, live: Live, pod: WorkloadSeen) -> None:
        self.live, self.pod, self.sent_bytes, self.execs = live, pod, 0, 0
        self.cut_at: set[int] = set()

    def run(self, command: list[str], stdin: bytes) -> Ran:
        self.execs += 1
        self.sent_bytes += len(stdin)
        if self.execs in self.cut_at:
            raise OutcomeUnknown("the line was cut")
        return self.live.cluster.in_pod(self.pod.pod, self.pod.container, command, stdin)


@pytest.fixture
def line(live: Live, pod: WorkloadSeen) -> Line:
    return Line(live, pod)


@pytest.mark.parametrize("size", SIZES)
def test_a_file_goes_in_and_comes_out_as_it_was(line: Line, tmp_path: Path, size: int) -> None:
    content, part, back = os.urandom(size), tmp_path / "part", tmp_path / "back"
    chunks = list(copying.copy_chunks(line.run, Source.of_bytes(content), str(part)))
    assert part.read_bytes() == content
    assert sum(chunk.size_bytes for chunk in chunks) == size == line.sent_bytes
    assert list(copying.copy_chunks(line.run, Source.of_bytes(content), str(part))) == []
    out = list(copying.fetch_chunks(line.run, str(part), size, back))
    assert back.read_bytes() == content
    assert sum(chunk.size_bytes for chunk in out) == size
    assert part.stat().st_mode & 0o777 == back.stat().st_mode & 0o777 == 0o600


def test_after_cuts_only_what_was_not_confirmed_travels_again(line: Line, tmp_path: Path) -> None:
    content, part = os.urandom(SIZES[-1]), str(tmp_path / "part")
    line.cut_at, confirmed, cuts = {4, 9, 13}, Counter[int](), 0
    while True:
        try:
            for chunk in copying.copy_chunks(line.run, Source.of_bytes(content), part):
                confirmed[chunk.offset_bytes] += 1
            break
        except OutcomeUnknown:
            cuts += 1
    assert cuts == 3
    assert set(confirmed.values()) == {1}
    assert Path(part).read_bytes() == content


def test_what_is_damaged_in_the_pod_is_found_and_sent_again_by_itself(line: Line, tmp_path: Path) -> None:
    content, part = os.urandom(10 * BLOCK_BYTES), tmp_path / "part"
    part.write_bytes(content[:BLOCK_BYTES] + b"x" + content[BLOCK_BYTES + 1 :] + b"too long")
    chunks = list(copying.copy_chunks(line.run, Source.of_bytes(content), str(part)))
    assert [(chunk.offset_bytes, chunk.size_bytes) for chunk in chunks] == [(BLOCK_BYTES, BLOCK_BYTES)]
    assert part.read_bytes() == content


def test_reading_out_changes_nothing_in_the_pod_and_goes_on_where_it_was(line: Line, tmp_path: Path) -> None:
    content, there, back = os.urandom(9 * BLOCK_BYTES), tmp_path / "there", tmp_path / "back"
    there.write_bytes(content + b"written since")
    back.write_bytes(content[: 4 * BLOCK_BYTES])
    chunks = list(copying.fetch_chunks(line.run, str(there), len(content), back))
    assert sum(chunk.size_bytes for chunk in chunks) == 5 * BLOCK_BYTES
    assert (back.read_bytes(), there.read_bytes()) == (content, content + b"written since")
    with pytest.raises(ClusterUnreachable, match="does not exist"):
        list(copying.fetch_chunks(line.run, str(tmp_path / "nowhere"), 5, back))


def test_a_client_that_is_killed_leaves_what_it_had_confirmed(live: Live, pod: WorkloadSeen, tmp_path: Path) -> None:
    content, source = os.urandom(20 * 1024 * 1024), f"dump-{next(NUMBERS)}"
    (live.bundle / source).write_bytes(content)
    target, part = tmp_path / "dump", tmp_path / "part"
    effect = fx.CopyIn(
        **place(pod, "db"), source=source, path=str(target), part=str(part), size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    child = os.fork()
    if child == 0:
        other = Live(live.root, live.bundle, is_new=False)
        for number, _ in enumerate(other.cluster.perform(effect, step="s", attempt=1), 1):
            if number == 3:
                os.kill(os.getpid(), signal.SIGKILL)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    facts = live.perform(effect)
    resent = sum(fact.size_bytes for fact in facts if isinstance(fact, ev.FileChunkCopied))
    assert resent < len(content) - 2 * copying.CHUNK_BYTES_FIRST
    assert target.read_bytes() == content
    assert not part.exists()


def test_a_file_is_fetched_whole_or_not_at_all(live: Live, pod: WorkloadSeen, tmp_path: Path) -> None:
    content, there, here = os.urandom(6 * 1024 * 1024), tmp_path / "there", tmp_path / "here"
    there.write_bytes(content)
    facts = live.cluster.in_files.fetch(pod, str(there), here)
    next(facts)
    facts.close()  # type: ignore[attr-defined]
    assert not here.exists()
    left = list(live.cluster.in_files.fetch(pod, str(there), here))
    assert here.read_bytes() == content
    assert sum(chunk.size_bytes for chunk in left) < len(content)
    changing = live.cluster.in_files.fetch(pod, str(there), here)
    next(changing)
    there.write_bytes(content[::-1])
    with pytest.raises(ClusterUnreachable, match=r"changed while it was copied|arrived damaged"):
        list(changing)
    assert here.read_bytes() == content
    with pytest.raises(ClusterRefused, match="is no file"):
        list(live.cluster.in_files.fetch(pod, str(tmp_path), here))


def test_a_pod_that_is_replaced_in_the_midst_is_not_written_to_any_more(live: Live, tmp_path: Path) -> None:
    name, source = f"replaced-{next(NUMBERS)}", f"dump-{next(NUMBERS)}"
    first, content = live.pod(name), os.urandom(20 * 1024 * 1024)
    (live.bundle / source).write_bytes(content)
    effect = fx.CopyIn(
        **place(first, name), source=source, path=str(tmp_path / "dump"), part=str(tmp_path / "part"),
        size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest(),
    )
    facts = live.cluster.perform(effect, step="s", attempt=1)
    next(facts)
    live.rest.delete(f"{live.cluster.core}/pods/{first.pod}", first.container.split("/")[0])
    second = live.ready(name, other_than=first.container)
    with pytest.raises(ClusterUnreachable):
        list(facts)
    assert not (tmp_path / "dump").exists()
    live.perform(effect.model_copy(update=place(second, name)))
    assert (tmp_path / "dump").read_bytes() == content


def test_a_part_that_cannot_be_written_is_a_refusal(line: Line, tmp_path: Path) -> None:
    with pytest.raises(ClusterRefused, match="cannot be written"):
        list(copying.copy_chunks(line.run, Source.of_bytes(b"x" * 100), str(tmp_path / "nowhere" / "part")))


def test_chunks_grow_with_a_fast_line_and_shrink_with_a_slow_one() -> None:
    pace = Pace()
    for _ in range(9):
        pace.carried(pace.next_bytes(), 0.01)
    assert pace.next_bytes() == copying.CHUNK_BYTES_MAX
    pace.carried(copying.CHUNK_BYTES_MAX, 3000.0)
    assert pace.next_bytes() == BLOCK_BYTES
