"""Whole sessions at the command line, against the embedded cluster by its kubeconfig alone."""

from __future__ import annotations

import json
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from orchestrator.rehearsal import digest, proof
from orchestrator.rehearsal.lifecycle import Rehearsed
from tests.cluster.pods import until
from tests.commands.program import REDIS, ROOT, environment, restore
from tests.commands.test_bad_input import changed, kubectl


def target(cluster: Rehearsed) -> list[str]:
    return ["--kubeconfig", str(cluster.kubeconfig), "-n", cluster.namespace]


def journal_of(home: Path) -> Path:
    return home / "state" / "restore" / "journal.db"


def facts(home: Path) -> int:
    try:
        with sqlite3.connect(f"file:{journal_of(home)}?mode=ro", uri=True) as db:
            return int(db.execute("SELECT count(*) FROM facts").fetchone()[0])
    except sqlite3.Error:
        return 0


def begun(
    cluster: Rehearsed, bundle: Path, home: Path, before: Callable[[], None] | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "commands", "run", str(bundle), *REDIS, *target(cluster), "--yes"],
        cwd=ROOT, env=environment(home), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, preexec_fn=before,
    )


def stop_at(process: subprocess.Popen[str], home: Path, count: int, number: signal.Signals) -> str:
    """Wait for so many facts, send the signal, return what it wrote to stderr."""
    deadline = time.monotonic() + 60
    while facts(home) < count and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(number)
    return process.communicate(timeout=60)[1]


def state_in(stat: Path) -> str:
    """The letter for what a process, or a thread, does: T where it is stopped. See proc(5)."""
    return stat.read_text().rpartition(")")[2].split()[0]


def put_to_sleep(process: subprocess.Popen[str], home: Path) -> None:
    """SIGSTOP, and not in the midst of a commit: there it would keep the file locked."""
    threads = Path(f"/proc/{process.pid}/task")  # a signal that was sent has not stopped all of them yet
    while True:
        process.send_signal(signal.SIGSTOP)
        until(lambda: all(state_in(stat) == "T" for stat in threads.glob("*/stat")))
        try:
            with sqlite3.connect(journal_of(home), timeout=0.3) as db:
                db.execute("BEGIN IMMEDIATE")
                db.rollback()
            return
        except sqlite3.OperationalError:
            process.send_signal(signal.SIGCONT)
            time.sleep(0.01)


def runs(home: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(restore("runs", "-o", "json", home=home).stdout)
    return found


def is_restored(cluster: Rehearsed, bundle: Path) -> bool:
    return all(row.is_equal for row in proof.compare(cluster, bundle, ("backend-redis", "system-redis")))


def test_run_then_look_then_roll_back(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    before = digest.picture(filled)
    ran = restore("run", str(bundle), *REDIS, *target(filled), "--yes", home=tmp_path)
    assert ran.returncode == 0, ran.stderr
    run = ran.stdout.split()[1]
    assert ran.stdout.startswith(f"run {run}\n"), "the run's id is printed first"
    assert is_restored(filled, bundle)
    assert [found["run"] for found in runs(tmp_path)] == [run]
    status = json.loads(restore("status", run, "-o", "json", home=tmp_path).stdout)
    assert status["state"] == "finished"
    assert {step["status"] for step in status["steps"]} == {"finished"}
    log = restore("log", run, "-o", "jsonl", home=tmp_path).stdout.splitlines()
    assert [json.loads(line)["seq"] for line in log] == list(range(1, len(log) + 1))
    assert all(json.loads(line)["sentence"] for line in log)
    assert restore("verify", run, home=tmp_path).returncode == 0
    again = restore("resume", run, home=tmp_path)
    assert again.returncode == 0
    assert len(restore("log", run, "-o", "jsonl", home=tmp_path).stdout.splitlines()) == len(log)
    assert restore("rollback", run, "--dry-run", home=tmp_path).returncode == 0
    assert is_restored(filled, bundle), "a dry run changes nothing"
    back = restore("rollback", run, "--yes", home=tmp_path)
    assert back.returncode == 0, back.stderr
    assert before.differences(digest.picture(filled)) == []


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_interrupted_and_resumed(
    number: signal.Signals, code: int, filled: Rehearsed, bundle: Path, tmp_path: Path
) -> None:
    process = begun(filled, bundle, tmp_path)
    stderr = stop_at(process, tmp_path, 30, number)
    assert process.returncode == code, stderr
    (found,) = runs(tmp_path)
    run = str(found["run"])
    if code == 130:
        assert f"restore resume {run}" in stderr
        assert found["state"] == "paused"
    resumed = restore("resume", run, home=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert is_restored(filled, bundle)


def test_two_resumes_at_once(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    """One acts, the other is told who holds the run."""
    stop_at(begun(filled, bundle, tmp_path), tmp_path, 20, signal.SIGKILL)
    run = str(runs(tmp_path)[0]["run"])
    command = [sys.executable, "-m", "commands", "resume", run]
    both = [
        subprocess.Popen(command, cwd=ROOT, env=environment(tmp_path), stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[1] for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes in ([0, 11], [0, 0]), said  # 0 twice: the first had ended before the second looked
    if codes == [0, 11]:
        assert any("is held by" in text for text in said)
    assert is_restored(filled, bundle)


def test_a_second_run_on_the_same_installation_is_refused(
    filled: Rehearsed, bundle: Path, tmp_path: Path
) -> None:
    """From another machine, as far as anybody can see (another journal, another home), and from this one."""
    first = begun(filled, bundle, tmp_path)
    deadline = time.monotonic() + 60
    while facts(tmp_path) < 12 and time.monotonic() < deadline:
        time.sleep(0.005)
    first.send_signal(signal.SIGSTOP)
    try:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        second = restore("run", str(bundle), *REDIS, *target(filled), "--yes", home=elsewhere)
        third = restore("run", str(bundle), *REDIS, *target(filled), "--yes", home=tmp_path)
        for refused in (second, third):
            assert refused.returncode == 11, refused.stderr
            assert "this installation is held by run" in refused.stderr
        assert "hint: restore status" in third.stderr
    finally:
        first.send_signal(signal.SIGCONT)
        first.communicate(timeout=60)
    assert first.returncode == 0


def test_another_cluster_is_refused_on_resume(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    stop_at(begun(filled, bundle, tmp_path), tmp_path, 20, signal.SIGKILL)
    run = str(runs(tmp_path)[0]["run"])
    other = Path(shutil.copytree(bundle, tmp_path / "other"))
    (other / "backend-redis-dump.rdb").write_bytes((other / "system-redis-dump.rdb").read_bytes())
    refused = restore("resume", run, "--bundle", str(other), home=tmp_path)
    assert refused.returncode == 21, refused.stderr
    assert restore("resume", run, home=tmp_path).returncode == 0


def test_a_full_disk_stops_before_the_next_effect(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    """The journal may not grow over this: the run stops, says so, and goes on when there is room."""
    limit = 120 * 1024

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    process = begun(filled, bundle, tmp_path, before=small_files)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 3, stderr
    assert facts(tmp_path) > 10, "it stopped in the midst of the run"
    assert "cannot be written" in stderr
    assert "Traceback" not in stderr
    (found,) = runs(tmp_path)
    assert restore("verify", str(found["run"]), home=tmp_path).returncode == 0
    resumed = restore("resume", str(found["run"]), home=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert is_restored(filled, bundle)


def test_a_journal_changed_by_hand(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    stop_at(begun(filled, bundle, tmp_path), tmp_path, 25, signal.SIGKILL)
    run = str(runs(tmp_path)[0]["run"])
    shutil.copy(journal_of(tmp_path), tmp_path / "kept.db")
    for change in (
        "UPDATE facts SET data = replace(data, '1', '2') WHERE seq = 9",
        "DELETE FROM facts WHERE seq = 9",
        "DELETE FROM facts WHERE seq > 20",
        "UPDATE facts SET actor = 'nobody' WHERE seq = 3",
    ):
        with sqlite3.connect(journal_of(tmp_path)) as db:
            triggers = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
            for name in triggers:
                db.execute(f"DROP TRIGGER {name}")
            db.execute(change)
        assert restore("verify", run, home=tmp_path).returncode == 12, change
        assert restore("resume", run, home=tmp_path).returncode == 12, change
        Path(shutil.copy(tmp_path / "kept.db", tmp_path / "again.db")).replace(journal_of(tmp_path))
    assert restore("resume", run, home=tmp_path).returncode == 0


def test_a_plan_file_is_carried_out_or_refused(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    made = restore("plan", str(bundle), *REDIS, *target(filled), "--out", str(plan), home=tmp_path)
    assert made.returncode == 0, made.stderr
    assert oct(plan.stat().st_mode)[-3:] == "600"
    changed = json.loads(plan.read_text())
    changed["digest"] = "0" * 64
    (tmp_path / "other.json").write_text(json.dumps(changed))
    refused = restore("run", str(tmp_path / "other.json"), *target(filled), "--yes", home=tmp_path)
    assert refused.returncode == 21, refused.stderr
    done = restore("run", str(plan), *target(filled), "--yes", home=tmp_path)
    assert done.returncode == 0, done.stderr


def test_only_one_redis(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    """In 2.15 the other is restarted by the operator, and keeps its data."""
    before = digest.picture(filled).content["redis"]["system-redis"]
    ran = restore("run", str(bundle), *target(filled), "--only", "backend-redis", "--yes", home=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert all(row.is_equal for row in proof.compare(filled, bundle, ("backend-redis",)))
    assert digest.picture(filled).content["redis"]["system-redis"] == before


def test_a_process_that_wakes_up_after_a_take_over_does_nothing_more(
    filled: Rehearsed, bundle: Path, tmp_path: Path
) -> None:
    """Stopped with SIGSTOP somewhere, its run taken from it and finished by another, then SIGCONT."""
    sleeper = begun(filled, bundle, tmp_path)
    deadline = time.monotonic() + 60
    count = random.randrange(8, 60)
    while facts(tmp_path) < count and time.monotonic() < deadline:
        time.sleep(0.005)
    put_to_sleep(sleeper, tmp_path)
    run = str(runs(tmp_path)[0]["run"])
    assert restore("resume", run, home=tmp_path).returncode == 11, "its holder lives"
    taken = restore("unlock", run, "--steal", "--force", "--reason", "it sleeps", "--yes", home=tmp_path)
    assert taken.returncode == 0, taken.stderr
    resumed = restore("resume", run, home=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    after, length = digest.picture(filled), facts(tmp_path)
    sleeper.send_signal(signal.SIGCONT)
    _, stderr = sleeper.communicate(timeout=60)
    assert sleeper.returncode == 11, stderr
    assert "taken" in stderr, (count, stderr)
    assert after.differences(digest.picture(filled)) == []
    assert facts(tmp_path) == length


def test_an_older_run_is_not_taken_back_below_a_newer_one(
    filled: Rehearsed, bundle: Path, tmp_path: Path
) -> None:
    """Newest first, whether the other run is in this journal or in one on another machine."""
    before = digest.picture(filled)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    homes = (tmp_path, tmp_path, elsewhere)
    ids = []
    for home in homes:
        ran = restore("run", str(bundle), *REDIS, *target(filled), "--yes", home=home)
        assert ran.returncode == 0, ran.stderr
        ids.append(ran.stdout.split()[1])
    for older, newer in ((0, 1), (1, 2)):
        refused = restore("rollback", ids[older], "--yes", home=homes[older])
        assert refused.returncode == 21, refused.stderr
        assert f"run {ids[newer]} has changed this installation since" in refused.stderr
    for run, home in reversed(list(zip(ids, homes, strict=True))):
        back = restore("rollback", run, "--yes", home=home)
        assert back.returncode == 0, back.stderr
    assert before.differences(digest.picture(filled)) == []


def killed_at_step(cluster: Rehearsed, bundle: Path, home: Path, *steps: str) -> str:
    """A run that is killed as soon as the journal holds the end of all these steps; its id."""
    process = begun(cluster, bundle, home)
    places = ",".join("?" * len(steps))
    query = f"SELECT count(*) = {len(steps)} FROM facts WHERE type = 'StepFoundDone' AND step IN ({places})"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(sqlite3.Error), sqlite3.connect(f"file:{journal_of(home)}?mode=ro", uri=True) as db:
            if db.execute(query, steps).fetchone()[0]:
                break
        time.sleep(0.005)
    process.kill()
    process.communicate(timeout=60)
    return str(runs(home)[0]["run"])


def data_dir(cluster: Rehearsed, workload: str) -> Path:
    return cluster.root / "volumes" / cluster.namespace / f"{workload}-storage"


def test_an_old_aof_put_back_by_hand_is_asked_about(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    """It holds the old data and would win at the next start: with equal key counts nobody would notice."""
    before = digest.picture(filled)
    run = killed_at_step(filled, bundle, tmp_path, "set-aside-backend-redis-aof")
    data = data_dir(filled, "backend-redis")
    shutil.copytree(data / f"appendonlydir-before-{run}", data / "appendonlydir", dirs_exist_ok=True)
    resumed = restore("resume", run, home=tmp_path)
    assert resumed.returncode == 4, resumed.stderr
    assert "rewrite-backend-redis-aof" in resumed.stderr
    shutil.rmtree(data / "appendonlydir")
    back = restore("rollback", run, "--yes", home=tmp_path)
    assert back.returncode == 0, back.stderr
    assert before.differences(digest.picture(filled)) == []


def test_saving_brought_back_by_hand_in_the_midst(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    """The operator restarts both for it, with no AOF: they are empty. It is asked, and can be taken back."""
    before = digest.picture(filled)
    # Both old files have to be aside by then: what is deleted here must not be the only old copy.
    run = killed_at_step(filled, bundle, tmp_path, "check-backend-redis-loaded", "copy-system-redis-rdb")
    for redis in ("backend-redis", "system-redis"):  # the edit comes before either has an AOF
        shutil.rmtree(data_dir(filled, redis) / "appendonlydir", ignore_errors=True)
    patch = json.dumps({"data": before.content["config"]["redis-config"]})
    kubectl(filled, "patch", "configmap", "redis-config", "--type=merge", "-p", patch)
    resumed = restore("resume", run, home=tmp_path)
    assert resumed.returncode in (3, 4, 6), resumed.stderr  # by how far each of the two had come
    back = restore("rollback", run, "--yes", home=tmp_path)
    if back.returncode == 5:  # what the empty servers wrote is in the way, where the run had not begun an AOF
        assert "waits to be put back" in back.stderr
        for data in (data_dir(filled, redis) for redis in ("backend-redis", "system-redis")):
            if (data / f"appendonlydir-before-{run}").exists():  # else the old one is back already
                shutil.rmtree(data / "appendonlydir", ignore_errors=True)
            if (data / f"dump.rdb-before-{run}").exists():
                (data / "dump.rdb").unlink(missing_ok=True)
        back = restore("rollback", run, "--yes", home=tmp_path)
    assert back.returncode == 0, back.stderr
    assert before.differences(digest.picture(filled)) == []


def test_a_new_run_over_one_that_has_not_ended_is_refused(
    filled: Rehearsed, bundle: Path, tmp_path: Path
) -> None:
    """It would take the half-restored state for the original; here, and on a machine with another journal."""
    run = killed_at_step(filled, bundle, tmp_path, "set-aside-backend-redis-aof")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    here = restore("run", str(bundle), *REDIS, *target(filled), "--yes", home=tmp_path)
    there = restore("run", str(bundle), *REDIS, *target(filled), "--yes", home=elsewhere)
    assert (here.returncode, there.returncode) == (22, 11), here.stderr + there.stderr
    assert f"run {run} has begun to change this installation" in here.stderr
    assert f"run {run} has begun to change this installation" in there.stderr
    assert restore("rollback", run, "--yes", home=tmp_path).returncode == 0


def test_facts_cut_off_with_care_are_missed_by_the_lease(
    filled: Rehearsed, bundle: Path, tmp_path: Path
) -> None:
    """The chain that is left is sound, and the file's own head matches: the Lease on the cluster knows better."""
    process = begun(filled, bundle, tmp_path)
    stop_at(process, tmp_path, 40, signal.SIGINT)
    run = str(runs(tmp_path)[0]["run"])
    shutil.copy(journal_of(tmp_path), tmp_path / "kept.db")
    with sqlite3.connect(journal_of(tmp_path)) as db:
        kept = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in kept:
            db.execute(f"DROP TRIGGER {name}")
        db.execute("DELETE FROM facts WHERE seq > 30")
        db.execute("UPDATE heads SET seq = 30, digest = (SELECT digest FROM facts WHERE seq = 30)")
        for _, sql in kept:
            db.execute(sql)
    assert restore("verify", run, home=tmp_path).returncode == 0, "the file alone cannot tell"
    refused = restore("resume", run, home=tmp_path)
    assert refused.returncode == 12, refused.stderr
    assert "facts were cut off or rewritten" in refused.stderr
    Path(shutil.copy(tmp_path / "kept.db", tmp_path / "again.db")).replace(journal_of(tmp_path))
    assert restore("resume", run, home=tmp_path).returncode == 0


ORDINARY = [
    {"apiGroups": [""], "resources": ["configmaps", "pods", "namespaces"], "verbs": ["get", "list", "patch"]},
    {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create", "get"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "patch"]},
]


def make_role(cluster: Rehearsed, name: str, rules: list[dict[str, list[str]]]) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name}, "rules": rules}
    kubectl(cluster, "apply", "-f", "-", text=json.dumps(role))


def token_of(cluster: Rehearsed, role: str, account: str) -> str:
    """Of a new service account with that role. It ends with the account."""
    kubectl(cluster, "create", "serviceaccount", account)
    kubectl(cluster, "create", "rolebinding", account, f"--role={role}", f"--serviceaccount={cluster.namespace}:{account}")
    return kubectl(cluster, "create", "token", account).strip()


def test_an_ordinary_role_of_the_namespace_is_enough(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    """Rights on this namespace alone, none on APIManagers, DeploymentConfigs or Leases: it says so, and restores."""
    make_role(filled, "restorer", ORDINARY)
    kubeconfig = changed(filled, tmp_path, user={"token": token_of(filled, "restorer", "restorer")})
    words = ["run", str(bundle), *REDIS, "--kubeconfig", str(kubeconfig), "-n", filled.namespace, "--yes"]
    ran = restore(*words, home=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "no Lease on the cluster" in ran.stderr
    assert is_restored(filled, bundle)
