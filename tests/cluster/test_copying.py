"""Files into a pod, over several lines at once: what is cut, killed or damaged costs what was under way."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster import copying, scripts
from orchestrator.cluster.carriers import BLOCK_BYTES
from orchestrator.cluster.copying import Interruption, Known
from orchestrator.cluster.pace import CHUNK_BYTES_FIRST, CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, LINES, MIB, Pace
from orchestrator.cluster.sources import PIECE_BYTES, Source
from orchestrator.errors import ClusterRefused, OutcomeUnknown, PlanChanged, PodChanged
from orchestrator.port import WorkloadSeen
from orchestrator.spans import joined
from orchestrator.steps.base import Context
from orchestrator.steps.copy_into_pod import CopyIntoPod
from tests.cluster.lines import Line, chunks_of, spans_of
from tests.cluster.pods import Live, place

NUMBERS = count(1)
SIZES = [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 11 * 1024 * 1024 + 17]


@pytest.fixture(scope="module")
def pod(live: Live, path: str) -> WorkloadSeen:
    """The one with busybox's tools has no others: no openssl either."""
    programs = path.split(":")[0] if "busybox" in path else path
    return live.pod(f"copied-{next(NUMBERS)}", {"PATH": programs, "BASH_ENV": ""})


@pytest.fixture
def line(live: Live, pod: WorkloadSeen) -> Line:
    return Line(live, pod)


@pytest.mark.parametrize("size", SIZES)
def test_a_file_goes_in_and_comes_out_as_it_was(line: Line, tmp_path: Path, size: int) -> None:
    content, part, back, known = os.urandom(size), tmp_path / "part", tmp_path / "back", Known()
    chunks = chunks_of(copying.copy_chunks(line.run, Source.of_bytes(content), str(part), known))
    assert part.read_bytes() == content
    assert sum(chunk.size_bytes for chunk in chunks) == size == line.sent_bytes
    assert list(copying.copy_chunks(line.run, Source.of_bytes(content), str(part), known)) == []
    out = chunks_of(copying.fetch_chunks(line.run, str(part), back, size))
    assert back.read_bytes() == content
    assert sum(chunk.size_bytes for chunk in out) == size == line.sent_bytes
    assert part.stat().st_mode & 0o777 == back.stat().st_mode & 0o777 == 0o600


def test_cuts_cost_what_was_under_way_and_a_look_at_that(line: Line, tmp_path: Path) -> None:
    content, part = os.urandom(SIZES[-1]), tmp_path / "part"
    line.cut_at = {4, 9, 13}
    moved = list(copying.copy_chunks(line.run, Source.of_bytes(content), str(part)))
    chunks, cuts = chunks_of(moved), [cut for cut in moved if isinstance(cut, Interruption)]
    assert part.read_bytes() == content
    assert joined(spans_of(chunks)) == [(0, len(content))]
    assert sum(chunk.size_bytes for chunk in chunks) == len(content) == line.sent_bytes - line.lost_bytes
    assert {cut.reason for cut in cuts} == {"the line was cut"}
    assert 1 <= len(cuts) <= len(line.cut_at)
    assert sum(cut.wasted_bytes for cut in cuts) == 0  # this line takes nothing of a chunk that it cuts
    whole, blocks = -(-len(content) // BLOCK_BYTES), 3
    assert line.looked_bytes <= whole * BLOCK_BYTES + 2 * (line.lost_bytes + blocks * BLOCK_BYTES)


def test_what_was_there_is_told_once_with_its_digest(line: Line, tmp_path: Path) -> None:
    """By a process that has not told it: the one before was killed, or the answer was cut off."""
    content, part, known = os.urandom(3 * MIB + 5), tmp_path / "part", Known()
    part.write_bytes(content[: 2 * MIB + 7])
    chunks = chunks_of(copying.copy_chunks(line.run, Source.of_bytes(content), str(part), known))
    assert line.sent_bytes == len(content) - 2 * MIB
    assert joined(spans_of(chunks)) == [(0, len(content))]
    for chunk in chunks:
        there = content[chunk.offset_bytes : chunk.offset_bytes + chunk.size_bytes]
        assert chunk.sha256 == hashlib.sha256(there).hexdigest()
    assert list(copying.copy_chunks(line.run, Source.of_bytes(content), str(part), known)) == []


def test_a_line_that_brings_nothing_is_given_up_and_its_pace_is_kept(line: Line, tmp_path: Path) -> None:
    line.cut_at, known = range(2, 100), Known()
    with pytest.raises(OutcomeUnknown):
        list(copying.copy_chunks(line.run, Source.of_bytes(os.urandom(4 * MIB)), str(tmp_path / "part"), known))
    assert line.execs == 1 + LINES + copying.TRIES_MAX - 1
    assert (known.pace.lines, known.pace.chunk_bytes) == (1, CHUNK_BYTES_MIN)


def test_what_is_damaged_in_the_pod_is_found_and_sent_again_by_itself(line: Line, tmp_path: Path) -> None:
    content, part = os.urandom(10 * BLOCK_BYTES), tmp_path / "part"
    part.write_bytes(content[:BLOCK_BYTES] + b"x" + content[BLOCK_BYTES + 1 :] + b"too long")
    chunks = chunks_of(copying.copy_chunks(line.run, Source.of_bytes(content), str(part)))
    assert line.sent_bytes == BLOCK_BYTES
    assert (BLOCK_BYTES, BLOCK_BYTES) in spans_of(chunks)
    assert part.read_bytes() == content


def test_no_more_than_a_piece_of_the_file_is_held_at_once(line: Line, tmp_path: Path) -> None:
    content, part, asked = os.urandom(20 * MIB), tmp_path / "part", set[int]()

    def read(offset: int, size: int) -> bytes:
        asked.add(size)
        return content[offset : offset + size]

    chunks = chunks_of(copying.copy_chunks(line.run, Source(len(content), read), str(part)))
    assert max(chunk.size_bytes for chunk in chunks) > PIECE_BYTES
    assert max(asked) == PIECE_BYTES
    assert part.read_bytes() == content


def test_a_file_that_becomes_shorter_while_it_is_sent_ends_the_copy(line: Line, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(2 * MIB))
    known = Source.of_file(source)
    os.truncate(source, MIB + 100)
    with pytest.raises(PlanChanged, match="became shorter"):
        list(copying.copy_chunks(line.run, known, str(tmp_path / "part")))


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
    line = Line(live, pod)
    chunks = chunks_of(copying.copy_chunks(line.run, Source.of_bytes(content), str(part)))
    assert line.sent_bytes < len(content) - 2 * CHUNK_BYTES_FIRST
    assert joined(spans_of(chunks)) == [(0, len(content))]
    facts = live.perform(effect)
    assert sum(fact.size_bytes for fact in facts if isinstance(fact, ev.FileChunkCopied)) == len(content)
    assert target.read_bytes() == content
    assert not part.exists()


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
    with pytest.raises(PodChanged):  # at once: this attempt has nothing to go on with
        list(facts)
    assert not (tmp_path / "dump").exists()
    live.perform(effect.model_copy(update=place(second, name)))
    assert (tmp_path / "dump").read_bytes() == content


def test_a_probe_hashes_the_file_and_not_the_part(live: Live, tmp_path: Path) -> None:
    """A part may be large, and what it holds is looked at by the copy itself."""
    name = f"probed-{next(NUMBERS)}"
    live.pod(name)
    step = CopyIntoPod(
        id="copy", title="t", lane="l", workload_kind="Deployment", workload=name, source="dump",
        path=str(tmp_path / "dump"), size_bytes=4, sha256="a" * 64,
    )  # fmt: skip
    ctx = Context(run="r", now="")
    (tmp_path / "dump").write_bytes(b"file")
    Path(step.part(ctx)).write_bytes(b"the part")
    seen = step.probe(live.cluster, ctx)
    assert seen.file is not None
    assert seen.part is not None
    assert (seen.file.sha256, seen.part.sha256) == (hashlib.sha256(b"file").hexdigest(), "")
    assert (seen.file.size_bytes, seen.part.size_bytes) == (4, 8)


def test_a_part_that_cannot_be_written_is_a_refusal(line: Line, tmp_path: Path) -> None:
    with pytest.raises(ClusterRefused, match="cannot be written"):
        list(copying.copy_chunks(line.run, Source.of_bytes(b"x" * 100), str(tmp_path / "nowhere" / "part")))


@pytest.fixture
def small_volume(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own of 8 MiB, as the volume of a pod is."""
    volume = tmp_path / "volume"
    volume.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "restore-test", volume], capture_output=True)
    if mounted.returncode:
        pytest.skip("this user may not mount a file system")
    yield volume
    subprocess.run(["umount", volume], check=True)


def test_a_volume_that_is_full_is_a_refusal_and_the_copy_goes_on_when_there_is_room(
    line: Line, small_volume: Path, live: Live
) -> None:
    content, source, part, other = os.urandom(6 * MIB), f"dump-{next(NUMBERS)}", small_volume / "part", small_volume / "other"
    (live.bundle / source).write_bytes(content)
    other.write_bytes(bytes(4 * MIB))  # what somebody else keeps there
    effect = fx.CopyIn(
        **place(line.pod, "db"), source=source, path=str(small_volume / "dump"), part=str(part), size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    with pytest.raises(ClusterRefused, match=r"part cannot be written.*is the volume full\?"):
        live.perform(effect)
    assert not (small_volume / "dump").exists()
    assert (small_volume / "other").read_bytes() == bytes(4 * MIB)
    other.unlink()
    chunks_of(copying.copy_chunks(line.run, Source.of_bytes(content), str(part)))
    assert line.sent_bytes < len(content) - MIB  # what had found room is not sent again
    live.perform(effect)
    assert (small_volume / "dump").read_bytes() == content


def test_chunks_grow_with_a_fast_line_and_shrink_with_a_slow_one() -> None:
    pace = Pace()
    for _ in range(9):
        pace.carried(pace.chunk_bytes, 0.01)
    assert pace.chunk_bytes == CHUNK_BYTES_MAX
    pace.carried(CHUNK_BYTES_MAX, 3000.0)
    assert pace.chunk_bytes == CHUNK_BYTES_MIN


def test_after_a_failure_one_line_begins_with_little_and_all_come_back_with_success() -> None:
    pace = Pace()
    pace.carried(MIB, 0.01)
    pace.failed()
    assert (pace.lines, pace.chunk_bytes) == (1, CHUNK_BYTES_MIN)
    pace.carried(CHUNK_BYTES_MIN, 0.001)
    assert (pace.lines, pace.chunk_bytes) == (1, CHUNK_BYTES_MIN)  # half of what came through is less still
    for _ in range(20):
        pace.carried(pace.chunk_bytes, 0.001)
    assert (pace.lines, pace.chunk_bytes) == (LINES, CHUNK_BYTES_MAX)


@pytest.mark.parametrize(
    ("programs", "is_used"),
    [
        pytest.param({"openssl": "exec {openssl} \"$@\"", "sha256sum": "exec {sha256sum}"}, "openssl", id="both"),
        pytest.param({"openssl": "exit 1", "sha256sum": "exec {sha256sum}"}, "sha256sum", id="openssl-does-not-work"),
        pytest.param({"openssl": "echo unknown option", "sha256sum": "exec {sha256sum}"}, "sha256sum", id="another-openssl"),
        pytest.param({"openssl": "exec {openssl} \"$@\""}, "openssl", id="nothing-else"),
    ],
)  # fmt: skip
def test_a_large_stream_is_hashed_by_what_is_fast_and_works(tmp_path: Path, programs: dict[str, str], is_used: str) -> None:
    real = {name: shutil.which(name) or "" for name in ("openssl", "sha256sum")}
    for name, script in programs.items():
        file = tmp_path / name
        file.write_text(f"#!/bin/sh\necho {name} >> {tmp_path}/log\n{script.format(**real)}\n")
        file.chmod(0o755)
    content = os.urandom(MIB)
    ran = subprocess.run(
        ["/bin/sh", "-c", f"{scripts.DIGEST}\nstreams_of 4194304\ndigest"], input=content, capture_output=True,
        env={"PATH": str(tmp_path)}, check=True,
    )
    assert ran.stdout.split()[0].decode() == hashlib.sha256(content).hexdigest()
    assert (tmp_path / "log").read_text().split()[-1] == is_used


def test_a_dd_that_cannot_read_whole_blocks_from_a_pipe_writes_the_same(tmp_path: Path) -> None:
    content, part, old = os.urandom(5 * BLOCK_BYTES + 3), tmp_path / "part", tmp_path / "dd"
    part.write_bytes(bytes(BLOCK_BYTES))
    old.write_text(f'#!/bin/sh\ncase "$*" in *iflag*) exit 1;; esac\nexec {shutil.which("dd")} "$@"\n')
    old.chmod(0o755)
    command = scripts.argv(scripts.CHUNK, str(part), "1", str(len(content)), str(BLOCK_BYTES))
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ran = subprocess.run(command, input=content, capture_output=True, env=path, check=True)
    assert ran.stdout.decode().split() == [hashlib.sha256(content).hexdigest(), scripts.END]
    assert part.read_bytes() == bytes(BLOCK_BYTES) + content
