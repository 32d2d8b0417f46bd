"""How a large file gets into a pod: `restore`'s copy beside `kubectl cp` and `kubectl exec -i`.

    python -m benchmarks.transfer [--size-mib 1024] [--rounds 3] [--each-mib 64] [--cut-mib 32] [--directory DIR]

First over a good line: all take turns in every round, so that a slow moment of the machine hits all of them;
printed is the median, and its ratio to the fastest peer. The same where each connection carries no more than so many
MiB a second, as on a server that is the limit. Then through a line that is cut after so many MiB
(orchestrator/rehearsal/line): every peer has TRIES tries, and what became of the file is told as it is.
Restore tries again as its engine does, from what the pod holds.

Every contestant is a process of its own and its start counts; bytes sent are counted by the line. The server is
the embedded one, written in Python, and runs on the same cores: its cost is a part of every number. Only
restore's time, and that of `kubectl, compared`, includes that the pod reads the file back and that digests are
compared. kubectl speaks WebSocket here: the embedded server has no SPDY.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster.connection import connect
from orchestrator.cluster.live import LiveCluster
from orchestrator.errors import ClusterUnreachable
from orchestrator.rehearsal import lifecycle
from orchestrator.rehearsal.line import keeping
from orchestrator.rehearsal.line.faults import Faults

MIB = 1 << 20
TRIES = 3
KIND, WORKLOAD = "Deployment", "backend-redis"
PAUSE_SECONDS = 0.5  # the engine's first one after a failure


@dataclass(frozen=True)
class Went:
    """What one process did, and what is in the pod afterwards."""

    seconds: float
    cpu_seconds: float
    server_cpu_seconds: float
    memory_bytes: int
    code: int
    there_bytes: int
    is_equal: bool


@dataclass(frozen=True)
class File:
    path: Path
    size_bytes: int
    sha256: str


Argv = Callable[[Path, File, str], list[str]]


# ---- contestants ------------------------------------------------------------------------------------


def restore(kubeconfig: Path, file: File, target: str) -> list[str]:
    words = [str(kubeconfig), str(file.path), str(file.size_bytes), file.sha256, target]
    return [sys.executable, "-m", "benchmarks.transfer", "--copy", *words]


def kubectl_cp(kubeconfig: Path, file: File, target: str) -> list[str]:
    return ["kubectl", f"--kubeconfig={kubeconfig}", "cp", str(file.path), f"{pod(kubeconfig)}:{target}"]


def kubectl_exec(kubeconfig: Path, file: File, target: str) -> list[str]:
    script = ["sh", "-c", 'cat > "$1"', "sh", target]
    return ["kubectl", f"--kubeconfig={kubeconfig}", "exec", "-i", pod(kubeconfig), "--", *script]


COMPARED = """
there() { kubectl "--kubeconfig=$1" exec "$2" -- openssl dgst -sha256 -r "$3"; }
kubectl "--kubeconfig=$1" exec -i "$2" -- sh -c 'cat > "$1" && sync "$1"' sh "$3" < "$4" || exit
there=$(there "$1" "$2" "$3") && here=$(openssl dgst -sha256 -r "$4") && [ "${there%% *}" = "${here%% *}" ]
"""


def kubectl_compared(kubeconfig: Path, file: File, target: str) -> list[str]:
    """The same, and then what makes it comparable with restore's copy: a sync, and both digests by the same program."""
    return ["sh", "-c", COMPARED, "sh", str(kubeconfig), pod(kubeconfig), target, str(file.path)]


CONTESTANTS: dict[str, Argv] = {
    "restore": restore, "kubectl cp": kubectl_cp, "kubectl exec -i": kubectl_exec,
    "kubectl, compared": kubectl_compared,
}  # fmt: skip


def copy(kubeconfig: str, source: str, size_bytes: str, sha256: str, target: str) -> None:
    """The contestant `restore`, in a process of its own: one copy effect, again after each failure."""
    with LiveCluster(connect(kubeconfig, "", ""), Path(source).parent) as cluster:
        failures, chunks, interruptions, wasted_bytes = 0, 0, 0, 0
        while True:
            try:
                seen = cluster.workload(KIND, WORKLOAD)
                assert seen is not None
                effect = fx.CopyIn(
                    kind=KIND, workload=WORKLOAD, pod=seen.pod, container=seen.container, source=Path(source).name,
                    path=target, part=f"{target}.part", size_bytes=int(size_bytes), sha256=sha256,
                )  # fmt: skip
                for fact in cluster.perform(effect, step="copy", attempt=failures + 1):
                    chunks += isinstance(fact, ev.FileChunkCopied)
                    if isinstance(fact, ev.CopyInterrupted):
                        interruptions, wasted_bytes = interruptions + 1, wasted_bytes + fact.wasted_bytes
                counted = {"failures": failures, "chunks": chunks, "interruptions": interruptions, "wasted_bytes": wasted_bytes}
                sys.stdout.write(json.dumps(counted) + "\n")
                return
            except ClusterUnreachable as error:
                failures += 1
                sys.stderr.write(f"failure {failures}: {error}\n")
                time.sleep(PAUSE_SECONDS)


def pod(kubeconfig: Path) -> str:
    with LiveCluster(connect(str(kubeconfig), "", "")) as cluster:
        seen = cluster.workload(KIND, WORKLOAD)
        assert seen is not None
        return seen.pod


# ---- runs -------------------------------------------------------------------------------------------


def went(root: Path, argv: Sequence[str], file: File, target: Path, log: Path) -> Went:
    server_before, start = server_cpu_seconds(root), time.perf_counter()
    with file.path.open("rb") as stdin, log.open("ab") as output:
        process = subprocess.Popen(argv, stdin=stdin, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    there = target.stat().st_size if target.exists() else 0
    is_equal = there == file.size_bytes and digest(target) == file.sha256
    return Went(
        seconds, usage.ru_utime + usage.ru_stime, server_cpu_seconds(root) - server_before, usage.ru_maxrss * 1024,
        process.returncode, there, is_equal,
    )  # fmt: skip


def server_cpu_seconds(root: Path) -> float:
    """Of the embedded cluster, and of the processes of its pods that have ended."""
    cluster = lifecycle.find(root)
    assert cluster is not None
    fields = Path(f"/proc/{cluster.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def random_file(path: Path, size_bytes: int) -> File:
    """Of bytes that no line could compress."""
    with path.open("wb") as file:
        for _ in range(size_bytes // MIB):
            file.write(os.urandom(MIB))
    return File(path, size_bytes, digest(path))


@contextmanager
def cluster(directory: Path) -> Iterator[Path]:
    root = directory / "cluster"
    lifecycle.start(root, "2.15", scope="redis")
    try:
        yield root
    finally:
        lifecycle.stop(root)


def in_turns(root: Path, kubeconfig: Path, file: File, directory: Path, rounds: int, what: str) -> None:
    taken: dict[str, list[Went]] = {name: [] for name in CONTESTANTS}
    for number in range(rounds):
        for name, argv in CONTESTANTS.items():
            target = directory / f"target-{name.replace(' ', '-')}-{number}"
            words = argv(kubeconfig, file, str(target))
            taken[name].append(went(root, words, file, target, directory / "log"))
            target.unlink(missing_ok=True)
    rates = {name: file.size_bytes / MIB / median(w.seconds for w in all_) for name, all_ in taken.items()}
    best = max(rate for name, rate in rates.items() if name != "restore")
    say(f"\n{file.size_bytes // MIB} MiB over {what}, {rounds} rounds, medians")
    say(f"{'':<18}{'MiB/s':>8}{'ratio':>8}{'client CPU s':>14}{'server CPU s':>14}{'memory MiB':>12}  outcome")
    for name, all_ in taken.items():
        outcome = "whole" if all(w.is_equal and w.code == 0 for w in all_) else "NOT WHOLE"
        cpu, memory = median(w.cpu_seconds for w in all_), max(w.memory_bytes for w in all_) / MIB
        server = median(w.server_cpu_seconds for w in all_)
        say(
            f"{name:<18}{rates[name]:>8.0f}{rates[name] / best:>8.2f}{cpu:>14.1f}{server:>14.1f}{memory:>12.0f}  "
            f"{outcome}"
        )


def over_good_line(root: Path, file: File, directory: Path, rounds: int) -> None:
    in_turns(root, root / "kubeconfig", file, directory, rounds, "a good line")


def over_narrow_connections(root: Path, file: File, directory: Path, rounds: int, each_bytes: int) -> None:
    """The line takes CPU of the same machine as well: it is one more Python process that every byte goes through."""
    line = keeping.start(root, Faults(bytes_per_second_each=each_bytes), 0)
    what = f"a line on which each connection carries {each_bytes // MIB} MiB/s"
    in_turns(root, line.kubeconfig, file, directory, rounds, what)
    keeping.stop(root)


def over_cut_line(root: Path, file: File, directory: Path, cut_every_bytes: int, seed: int) -> None:
    line = keeping.start(root, Faults(cut_every_bytes=cut_every_bytes), seed)
    say(f"\n{file.size_bytes // MIB} MiB through a line that is cut every {cut_every_bytes // MIB} MiB (seed {seed})")
    say(f"{'':<18}{'try':>4}{'exit':>6}{'there MiB':>11}{'sent MiB':>10}{'sent/file':>11}{'cuts':>6}{'s':>7}  outcome")
    for name, argv in CONTESTANTS.items():
        for number in range(1 if name == "restore" else TRIES):
            target = directory / f"cut-{name.replace(' ', '-')}-{number}"
            line.change(Faults())  # while the name of the pod is looked up for kubectl
            words = argv(line.kubeconfig, file, str(target))
            before = line.change(Faults(cut_every_bytes=cut_every_bytes))
            done = went(root, words, file, target, directory / "log")
            after = line.told()
            sent = after.sent_bytes - before.sent_bytes
            say(
                f"{name:<18}{number + 1:>4}{done.code:>6}{done.there_bytes / MIB:>11.1f}{sent / MIB:>10.1f}"
                f"{sent / file.size_bytes:>11.3f}{after.cuts - before.cuts:>6}{done.seconds:>7.1f}  {outcome(done)}"
            )
            target.unlink(missing_ok=True)
    keeping.stop(root)


def outcome(done: Went) -> str:
    if done.is_equal:
        return "whole" if done.code == 0 else "whole, and it says that it failed"
    return "TRUNCATED, and it says that all is well" if done.code == 0 else "never finished"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description="a large file into a pod, over a good line and over a bad one")
    parser.add_argument("--size-mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--each-mib", type=int, default=64, help="MiB/s of a connection; 0 leaves that out")
    parser.add_argument("--cut-mib", type=int, default=32, help="0 leaves the bad line out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--directory", type=Path, help="where the file and the cluster are; three times the size")
    parser.add_argument("--copy", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.copy:
        copy(*given.copy)
        return
    with TemporaryDirectory(dir=given.directory, ignore_cleanup_errors=True) as name:
        directory = Path(name)
        directory.chmod(0o755)
        file = random_file(directory / "dump", given.size_mib * MIB)
        with cluster(directory) as root:
            if given.rounds:
                over_good_line(root, file, directory, given.rounds)
            if given.rounds and given.each_mib:
                over_narrow_connections(root, file, directory, given.rounds, given.each_mib * MIB)
            if given.cut_mib:
                over_cut_line(root, file, directory, given.cut_mib * MIB, given.seed)


if __name__ == "__main__":
    main()
