"""A database that stands still in the midst of loading a dump: `kubectl exec -i` dies of it, a detached load does not.

What measures time during a load is the look at it: an exec that is silent is pinged after PING_SECONDS, and given
up when PINGS_MAX pings have no answer. The load itself hangs on no connection of ours. So a stall that is longer
than PING_SECONDS meets every time-out there is; the stall of 75 s, and what it does to kubectl, take their time and
are left to RESTORE_EXHAUSTIVE.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from orchestrator import effects as fx
from orchestrator.cluster.connection import connect
from orchestrator.cluster.execs import PING_SECONDS
from orchestrator.cluster.live import LiveCluster
from orchestrator.errors import ClusterUnreachable
from orchestrator.port import WorkloadSeen
from orchestrator.rehearsal.line import keeping
from orchestrator.rehearsal.line.faults import Faults
from tests.cluster.pods import NAMESPACE, Live, place, running, until
from tests.cluster.servers import Server, mariadb
from tests.conftest import Tally

EXHAUSTIVE = bool(os.environ.get("RESTORE_EXHAUSTIVE"))
LONG_SECONDS = 75.0
ROWS = 50_000
NUMBERS = count(1)
ASLEEP = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'DO SLEEP%'"


@pytest.fixture(scope="module")
def mysql() -> Iterator[Server]:
    with mariadb() as server:
        yield server


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with running(tmp_path_factory.mktemp("stalled") / "cluster", tmp_path_factory.mktemp("bundle")) as cluster:
        yield cluster


@pytest.fixture
def pod(live: Live, mysql: Server) -> WorkloadSeen:
    mysql.sql("DROP DATABASE IF EXISTS system; CREATE DATABASE system;")
    environment = {**mysql.environment, "PATH": f"{mysql.programs}:{os.environ['PATH']}", "BASH_ENV": ""}
    return live.pod(f"db-{next(NUMBERS)}", environment)


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """Half of it is loaded when the server sleeps for a while: that is when it is stopped."""
    half = "".join(f"INSERT INTO t VALUES ({{}}, '{'x' * 200}');\n".format(n) for n in range(2000))
    rest = ",".join(f"({n}, '{'x' * 200}')" for n in range(2000, ROWS))
    tmp_path.chmod(0o755)
    file = tmp_path / "dump.sql"
    file.write_text(f"CREATE TABLE t (id INT PRIMARY KEY, x TEXT);\n{half}DO SLEEP(2);\nINSERT INTO t VALUES {rest};\n")
    return file


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    """The server stands still from the moment when half of the dump is loaded."""
    pid = int(Path(server.sql("SELECT @@pid_file")).read_text())
    until(lambda: server.sql(ASLEEP) == "1")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(PING_SECONDS + 2, id="longer-than-a-ping"),
        pytest.param(LONG_SECONDS, id="75-s", marks=pytest.mark.skipif(not EXHAUSTIVE, reason="it takes its time")),
    ],
)
def test_a_load_outlives_a_database_that_stands_still(
    live: Live, mysql: Server, pod: WorkloadSeen, dump: Path, seconds: float, tally: Tally
) -> None:
    subprocess.run(["gzip", "-f", dump], check=True)
    jobs, staged = str(dump.parent / "jobs"), str(dump.with_name("dump.sql.gz"))
    live.perform(
        fx.StartJob(
            **place(pod, "db"), directory=jobs, job="load", attempt=1, epoch=1, program="load-mysql",
            arguments=(staged, "system", "run-1/load", "a" * 64),
        )
    )  # fmt: skip
    with ThreadPoolExecutor(1) as looking:
        with stopped(mysql):
            look = looking.submit(live.cluster.database, pod, "mysql", "system")
            assert live.cluster.pod_job(pod, jobs, "load").state == "running"
            time.sleep(seconds)  # the fault itself, and no wait for anything
            assert live.cluster.pod_job(pod, jobs, "load").state == "running"
        look.result()  # it took as long as the stall, or said that nobody answers: both are no error
    job = until(lambda: seen if (seen := live.cluster.pod_job(pod, jobs, "load")).state != "running" else None)
    assert (job.state, job.code) == ("exited", 0)
    database = live.cluster.database(pod, "mysql", "system")
    assert database is not None
    assert database.mark == f"run-1/load loaded {'a' * 64}"
    assert mysql.sql("SELECT COUNT(*) FROM system.t") == str(ROWS)
    tally(f"bad line: a load outlives a database that stands still for {seconds:.0f} s")


def test_a_load_goes_on_while_the_line_is_down_and_its_starter_is_dead_and_the_next_client_finds_it(
    live: Live, mysql: Server, pod: WorkloadSeen, dump: Path
) -> None:
    """For how long makes no difference to it: it ends while nobody can look."""
    jobs = str(dump.parent / "jobs")
    subprocess.run(["gzip", "-f", dump], check=True)
    line = keeping.start(live.root, Faults(), 1)
    effect = fx.StartJob(
        **place(pod, "db"), directory=jobs, job="load", attempt=1, epoch=1, program="load-mysql",
        arguments=(str(dump.with_name("dump.sql.gz")), "system", "run-1/load", "a" * 64),
    )
    child = os.fork()
    if child == 0:
        try:
            starter = LiveCluster(connect(str(line.kubeconfig), "", NAMESPACE))
            list(starter.perform(effect, step="s", attempt=1))
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    with LiveCluster(connect(str(line.kubeconfig), "", NAMESPACE)) as cluster, stopped(mysql):
        assert cluster.pod_job(pod, jobs, "load").state == "running"
        keeping.stop(live.root)
        with pytest.raises(ClusterUnreachable):
            cluster.pod_job(pod, jobs, "load")
    until(lambda: mysql.sql("SELECT COUNT(*) FROM system.t") == str(ROWS))
    until(lambda: (Path(jobs) / "load" / "run-1" / "rc").exists())
    line = keeping.start(live.root, Faults(), 1)
    with LiveCluster(connect(str(line.kubeconfig), "", NAMESPACE)) as cluster:
        job = cluster.pod_job(pod, jobs, "load")
        database = cluster.database(pod, "mysql", "system")
    keeping.stop(live.root)
    assert (job.state, job.code) == ("exited", 0)
    assert database is not None
    assert database.mark == f"run-1/load loaded {'a' * 64}"


@pytest.mark.skipif(not EXHAUSTIVE, reason="it takes its time")
def test_kubectl_does_not_outlive_it(
    live: Live, mysql: Server, pod: WorkloadSeen, dump: Path, tally: Tally
) -> None:
    """Recorded, so that nobody has to believe it: the reason for detached loads."""
    words = ["kubectl", f"--kubeconfig={live.root / 'kubeconfig'}", "-n", NAMESPACE, "exec", "-i", pod.pod, "--"]
    with dump.open("a") as more:
        more.write(f"-- {'x' * 200}\n" * 200_000)  # more than all pipes hold: the client is still sending
    with dump.open("rb") as stdin:
        process = subprocess.Popen([*words, "mysql", "-uroot", "system"], stdin=stdin, stderr=subprocess.DEVNULL)
        with stopped(mysql):
            start = time.monotonic()
            process.wait(2 * LONG_SECONDS)
            taken = time.monotonic() - start
    assert process.returncode != 0
    tally(f"bad line: kubectl exec -i ends with {process.returncode} {taken:.0f} s after the database stood still")
