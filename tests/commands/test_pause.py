"""A run that is asked to stop from another terminal."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from journal import Journal
from orchestrator.rehearsal.lifecycle import Rehearsed
from tests.cluster.pods import until
from tests.commands.program import restore
from tests.commands.test_sessions import begun, facts, is_restored, journal_of, put_to_sleep, runs


def is_asked_to_end(pid: int) -> bool:
    """Whether a SIGTERM waits for the process as a whole. See proc(5)."""
    (mask,) = (line.split()[1] for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("ShdPnd:"))
    return bool(int(mask, 16) & 1 << signal.SIGTERM - 1)


def test_a_run_is_paused_from_another_terminal_and_resumed(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    process = begun(filled, bundle, tmp_path)
    until(lambda: facts(tmp_path) > 12)
    put_to_sleep(process, tmp_path)  # on a busy machine the run is over before it is asked
    run = str(runs(tmp_path)[0]["run"])
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(restore, "pause", run, home=tmp_path)
        until(lambda: is_asked_to_end(process.pid))
        process.send_signal(signal.SIGCONT)
    paused = asked.result()
    assert (paused.returncode, paused.stderr) == (0, "")
    assert f"restore resume {run}" in paused.stdout
    assert process.wait(60) == 130
    assert f"restore resume {run}" in process.communicate()[1]
    again = restore("pause", run, home=tmp_path)
    assert (again.returncode, again.stdout) == (0, paused.stdout), "nothing to ask, and the same answer"
    assert restore("resume", run, home=tmp_path).returncode == 0
    assert is_restored(filled, bundle)
    assert "it is finished" in restore("pause", run, home=tmp_path).stdout


def test_one_that_does_not_stop_is_said_to_go_on(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    process = begun(filled, bundle, tmp_path)
    until(lambda: facts(tmp_path) > 12)
    put_to_sleep(process, tmp_path)
    run = str(runs(tmp_path)[0]["run"])
    try:
        asked = restore("pause", run, "--wait", "1", home=tmp_path)
        assert asked.returncode == 3
        assert f"restore status {run}" in asked.stderr
    finally:
        process.send_signal(signal.SIGCONT)
    assert process.wait(60) == 130
    assert restore("resume", run, home=tmp_path).returncode == 0


def test_whoever_holds_it_elsewhere_is_named_and_cannot_be_asked(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    process = begun(filled, bundle, tmp_path)
    until(lambda: facts(tmp_path) > 12)
    process.kill()
    process.wait(60)
    run = str(runs(tmp_path)[0]["run"])
    with Journal.open(journal_of(tmp_path), write=True) as journal:
        journal.take_lease(run, "kim@laptop:123:4.5.6", ttl_seconds=60, steal=True, now=datetime.now(UTC))
    refused = restore("pause", run, home=tmp_path)
    assert refused.returncode == 11
    assert "kim@laptop, process 123" in refused.stderr
    assert f"restore unlock {run}" in refused.stderr
    assert restore("unlock", run, "--steal", "--reason", "there is no such laptop", "--yes", home=tmp_path).returncode == 0
    assert restore("resume", run, home=tmp_path).returncode == 0


def test_a_run_that_nobody_knows(tmp_path: Path) -> None:
    assert restore("pause", "threescale-20261123-k7f2", home=tmp_path).returncode == 10
