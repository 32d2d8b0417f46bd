"""Commands that are started detached in a pod: what is told of them, whatever dies."""

from __future__ import annotations

import gzip
import os
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster.rest import Conflict
from orchestrator.errors import ClusterRefused
from orchestrator.port import PodJobSeen, WorkloadSeen
from tests.cluster.pods import Live, place, until

NUMBERS = count(1)
RAKE = """#!/bin/sh
echo "rake was asked for $*" >&2
shift 2 # exec rake
case $1 in
  ends:*) exit "${1#ends:}";;
  waits) while [ ! -e "$2" ]; do sleep 0.02; done;;
  ignores) trap '' TERM; sh -c 'trap "" TERM; echo $$ > "$0"; while :; do sleep 0.1; done' "$2";;
  complains) echo "ERROR 1064 near 'the secret' at line 3, password is $2" >&2; exit 1;;
esac
"""


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a `bundle` that stands in for Ruby's."""
    directory = tmp_path_factory.mktemp("tools")
    script = directory / "bundle"
    script.write_text(RAKE)
    script.chmod(0o755)
    return directory


@pytest.fixture(scope="module")
def worker(live: Live, path: str, tools: Path) -> Iterator[WorkloadSeen]:
    name = f"worker-{next(NUMBERS)}"
    yield live.pod(name, {"PATH": f"{tools}:{path}", "BASH_ENV": ""})


@pytest.fixture
def start(live: Live, worker: WorkloadSeen, tmp_path: Path) -> Starter:
    return Starter(live, worker, str(tmp_path / "jobs"))


class Starter:
    def __init__(self, live: Live, worker: WorkloadSeen, directory: str) -> None:
        self.live, self.worker, self.directory = live, worker, directory

    def __call__(self, *arguments: str, attempt: int = 1, epoch: int = 1) -> list[ev.EffectFact]:
        return self.live.perform(
            fx.StartJob(
                **place(self.worker, "worker"), directory=self.directory, job="job", attempt=attempt,
                epoch=epoch, program="rake", arguments=arguments,
            )
        )

    def stop(self, epoch: int = 1) -> list[ev.EffectFact]:
        where = place(self.worker, "worker")
        return self.live.perform(fx.StopJob(**where, directory=self.directory, job="job", epoch=epoch))

    def seen(self) -> PodJobSeen:
        return self.live.cluster.pod_job(self.worker, self.directory, "job")

    def over(self) -> PodJobSeen:
        return until(lambda: seen if (seen := self.seen()).state != "running" else None)


def test_a_job_tells_that_it_never_began_that_it_runs_and_how_it_ended(start: Starter, tmp_path: Path) -> None:
    assert start.seen().state == "never"
    assert [type(fact) for fact in start("waits", str(tmp_path / "go"))] == [ev.RemoteJobStarted]
    assert start.seen().state == "running"
    (tmp_path / "go").touch()
    assert start.over().code == 0


def test_an_exit_code_and_the_last_complaint_are_told_without_values(start: Starter) -> None:
    start("complains", "geheim")
    seen = start.over()
    assert (seen.state, seen.code) == ("exited", 1)
    assert seen.complaint == "ERROR 1064 near '…' at line 3, password …"


def test_the_end_of_a_log_is_kept_without_values(start: Starter) -> None:
    kept: list[bytes] = []
    start.live.cluster.jobs.keep = lambda data: kept.append(data) or "sha256"  # type: ignore[func-returns-value]
    try:
        start("complains", "hunter2")
        seen = start.over()
    finally:
        start.live.cluster.jobs.keep = lambda data: ""
    assert seen.log == "sha256"
    assert b"rake was asked for" in kept[-1]
    assert b"ERROR 1064" in kept[-1]
    assert b"secret" not in kept[-1]


def test_asking_zync_for_routes_is_told_as_such(start: Starter) -> None:
    assert [type(fact) for fact in start("zync:resync:domains")] == [ev.RemoteJobStarted, ev.RoutesRequested]


def test_the_same_attempt_is_begun_once_and_another_is_told_to_wait(start: Starter, tmp_path: Path) -> None:
    start("waits", str(tmp_path / "go"))
    start("waits", str(tmp_path / "go"))
    with pytest.raises(Conflict, match="attempt 1 of job is still running"):
        start("waits", str(tmp_path / "go"), attempt=2)
    assert [p.name for p in (tmp_path / "jobs" / "job").glob("run-*")] == ["run-1"]
    (tmp_path / "go").touch()
    start.over()
    start("ends:3", attempt=2)
    assert start.over().code == 3
    assert (tmp_path / "jobs" / "job" / "run-1" / "log").read_text()


def test_an_older_epoch_may_neither_start_nor_stop(start: Starter, tmp_path: Path) -> None:
    start("waits", str(tmp_path / "go"), epoch=4)
    with pytest.raises(ClusterRefused, match="an older epoch"):
        start.stop(epoch=3)
    assert start.seen().state == "running"
    start.stop(epoch=5)
    with pytest.raises(ClusterRefused, match="epoch 4 is older than 5"):
        start("ends:0", attempt=2, epoch=4)


def test_a_start_that_comes_late_does_not_follow_a_newer_attempt(start: Starter) -> None:
    start("ends:0", attempt=2)
    start.over()
    with pytest.raises(ClusterRefused, match="attempt 1 of job is older"):
        start("ends:0", attempt=1)


def test_a_killed_job_is_lost_and_one_whose_child_lives_still_runs(start: Starter, tmp_path: Path) -> None:
    start("ignores", str(tmp_path / "child"))
    child = int(until(lambda: (tmp_path / "child").read_text() if (tmp_path / "child").exists() else None))
    carrier = int((tmp_path / "jobs" / "job" / "run-1" / "pid").read_text().split()[0])
    os.kill(carrier, signal.SIGKILL)
    assert start.seen().state == "running"
    start.stop()
    assert not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text()
    assert start.seen().code == 143
    start("waits", str(tmp_path / "go"), attempt=2)
    group = int((tmp_path / "jobs" / "job" / "run-2" / "pid").read_text().split()[2])
    os.killpg(group, signal.SIGKILL)
    assert until(lambda: (seen := start.seen()).state != "running" and seen.state) == "lost"


def test_a_pid_that_another_process_has_now_is_not_taken_for_the_job(start: Starter, tmp_path: Path) -> None:
    start("waits", str(tmp_path / "go"))
    file = tmp_path / "jobs" / "job" / "run-1" / "pid"
    _, begun, group = file.read_text().split()
    os.killpg(int(group), signal.SIGKILL)
    until(lambda: start.seen().state == "lost")
    file.write_text(f"{os.getpid()} {int(begun) + 1} {os.getpgid(0)}\n")
    assert start.seen().state == "lost"
    start.stop()  # and this very process lives on


def test_a_job_of_a_container_that_is_gone_is_lost_though_its_directory_stayed(
    live: Live, tools: Path, tmp_path: Path
) -> None:
    name = f"worker-{next(NUMBERS)}"
    worker = live.pod(name, {"PATH": f"{tools}:{os.environ['PATH']}"})
    start = Starter(live, worker, str(tmp_path / "jobs"))
    start("waits", str(tmp_path / "go"))
    live.rest.delete(f"{live.cluster.core}/pods/{worker.pod}", worker.container.split("/")[0])
    start.worker = live.ready(name, other_than=worker.container)
    assert start.seen().state == "lost"
    (tmp_path / "go").touch()
    start("ends:0", attempt=2)
    assert start.over().code == 0


def test_the_directory_is_for_the_owner_alone(start: Starter, tmp_path: Path) -> None:
    start("ends:0")
    start.over()
    found = [p for p in (tmp_path / "jobs").rglob("*") if not p.is_symlink()]
    assert {oct(p.stat().st_mode & 0o777) for p in found if p.is_dir()} == {"0o700"}
    assert {oct(p.stat().st_mode & 0o777) for p in found if p.is_file()} == {"0o600"}


def test_what_is_not_a_whole_file_is_not_loaded(live: Live, worker: WorkloadSeen, tmp_path: Path) -> None:
    staged = tmp_path / "dump.gz"
    staged.write_bytes(gzip.compress(os.urandom(100_000))[:-5000])
    effect = fx.StartJob(
        **place(worker, "worker"), directory=str(tmp_path / "jobs"), job="load", attempt=1, epoch=1,
        program="load-mysql", arguments=(str(staged), "system", "run-1/load", "0" * 64),
    )
    live.perform(effect)
    seen = until(
        lambda: s if (s := live.cluster.pod_job(worker, str(tmp_path / "jobs"), "load")).state != "running" else None
    )
    assert (seen.code, staged.exists()) == (12, True)
    assert "is not a whole gzip file" in seen.complaint


def test_where_no_directory_is_named_the_container_has_one_of_its_own(live: Live, worker: WorkloadSeen) -> None:
    start = Starter(live, worker, "")
    start("ends:4")
    assert start.over().code == 4
    assert "job" in live.sh(worker, 'ls "$HOME/.restore"').split()


def test_what_the_jobs_of_a_run_have_left_is_told_and_removed_and_nobody_elses(live: Live, worker: WorkloadSeen) -> None:
    """Where no directory is named: in HOME of the container, which goes too when it is empty."""
    where = place(worker, "worker")

    def begin(run: str) -> None:
        job = fx.StartJob(
            **where, directory="", job=f"{run}.step", attempt=1, epoch=1, program="rake", arguments=("ends:0",)
        )
        live.perform(job)
        until(lambda: live.cluster.pod_job(worker, "", f"{run}.step").state == "exited" or None)

    begin("first")
    begin("first-2")
    left = live.cluster.jobs_of(worker, "first")
    assert [Path(name).name for name in left] == ["first.step", "fence-first"]
    assert [type(fact) for fact in live.perform(fx.RemoveJobs(**where, run="first"))] == [ev.JobsRemoved]
    assert live.cluster.jobs_of(worker, "first") == ()
    assert len(live.cluster.jobs_of(worker, "first-2")) == 2
    live.perform(fx.RemoveJobs(**where, run="first-2"))
    live.perform(fx.RemoveJobs(**where, run="first-2"))
    with pytest.raises(ClusterRefused, match="holds a character that is refused"):
        live.perform(fx.RemoveJobs(**where, run="../first"))


def test_epochs_are_counted_for_each_run(live: Live, worker: WorkloadSeen, tmp_path: Path) -> None:
    where = {**place(worker, "worker"), "directory": str(tmp_path / "jobs"), "attempt": 1, "arguments": ("ends:0",)}
    live.perform(fx.StartJob(**where, job="run-1.step", epoch=7, program="rake"))
    live.perform(fx.StartJob(**where, job="run-2.step", epoch=1, program="rake"))
    with pytest.raises(ClusterRefused, match="an older epoch"):
        live.perform(fx.StartJob(**where, job="run-1.other-step", epoch=6, program="rake"))
