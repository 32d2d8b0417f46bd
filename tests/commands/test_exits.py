"""The exit codes: one table, and a program that keeps to it."""

from __future__ import annotations

import importlib
import pkgutil
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import commands
import orchestrator
from commands.check import told
from commands.exits import BUG, CODES, MEANINGS, exit_code
from orchestrator.errors import RestoreError
from orchestrator.findings import Finding
from tests.cluster.pods import until
from tests.commands.program import ROOT, RUN, environment, open_run, restore

# Scripts rely on these for ever: a number is never given to something else.
PROMISED = {
    "UsageWrong": 2, "RunHalted": 3, "DecisionNeeded": 4, "RollbackStopped": 5, "VerificationMissed": 6,
    "RunUnknown": 10, "RunHeldElsewhere": 11, "JournalBroken": 12, "JournalNewer": 13, "BundleInvalid": 20,
    "PlanChanged": 21, "PreflightRefused": 22, "ClusterUnreachable": 30, "OutcomeUnknown": 30,
    "ClusterRefused": 31, "Interrupted": 130,
}
ALL_CODES = {0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 20, 21, 22, 30, 31, 130}


def every_error() -> Iterator[type[RestoreError]]:
    for package in (commands, orchestrator):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    waiting = RestoreError.__subclasses__()
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        yield kind


def test_every_error_has_a_code_and_every_code_a_meaning() -> None:
    errors = {kind.__name__: kind for kind in every_error()}
    assert len(errors) >= len(PROMISED)
    assert {name: exit_code(kind("x")) for name, kind in errors.items() if name in PROMISED} == PROMISED
    assert {exit_code(kind("x")) for kind in errors.values()} <= ALL_CODES
    assert set(MEANINGS) == ALL_CODES == {0, BUG, *CODES.values()}


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    open_run(path)
    return path


def refused(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The message; stdout stays empty, and nothing looks like a bug."""
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("restart",), ("status",), ("status", "--tomorrow", RUN), ("status", RUN, "more"),
        ("runs", "--output", "xml"), ("check", ".", "--only", "everything"), ("resolve", RUN, "step", "--as", "maybe"),
        ("rehearse", "--release", "3"),
    ],
)
def test_wrong_words(words: tuple[str, ...], tmp_path: Path) -> None:
    refused(restore(*words, home=tmp_path), 2)


def test_a_plan_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{}")
    assert "hint: restore plan" in refused(restore("run", str(tmp_path / "plan.json"), home=tmp_path), 2)


def test_a_step_that_is_not_in_the_plan(journal: Path, tmp_path: Path) -> None:
    words = ("resolve", RUN, "nothing", "--as", "done", "--reason", "seen", "--journal", str(journal))
    assert f"hint: restore status {RUN}" in refused(restore(*words, home=tmp_path), 2)


@pytest.mark.parametrize("verb", ["status", "log", "verify", "resume", "rollback"])
def test_an_unknown_run(verb: str, journal: Path, tmp_path: Path) -> None:
    done = restore(verb, "threescale-20261123-zzzz", "--journal", str(journal), home=tmp_path)
    assert "restore: error: " in refused(done, 10)


def test_no_journal(tmp_path: Path) -> None:
    assert "restore: hint: " in refused(restore("status", RUN, home=tmp_path), 10)


def test_a_file_that_is_no_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"not a database, whatever its name says" * 100)
    refused(restore("verify", RUN, "--journal", str(path), home=tmp_path), 12)


def test_a_fact_that_was_changed(journal: Path, tmp_path: Path) -> None:
    with sqlite3.connect(journal) as db:
        triggers = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for name in triggers:
            db.execute(f"DROP TRIGGER {name}")
        db.execute("UPDATE facts SET recorded_at = '2026-11-23T04:00:00.000000Z' WHERE seq = 2")
    refused(restore("verify", RUN, "--journal", str(journal), home=tmp_path), 12)


def test_a_journal_of_a_newer_program(journal: Path, tmp_path: Path) -> None:
    with sqlite3.connect(journal) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version = {version + 1}")
    refused(restore("resume", RUN, "--journal", str(journal), home=tmp_path), 13)


def test_a_bundle_that_is_not_there(tmp_path: Path) -> None:
    done = restore("check", str(tmp_path / "none"), home=tmp_path)
    assert done.returncode == 20
    assert f"restore: error: {tmp_path}/none: does not exist" in done.stderr


def test_what_went_well(journal: Path, tmp_path: Path) -> None:
    for words in (("runs",), ("status", RUN), ("log", RUN), ("verify", RUN)):
        done = restore(*words, "--journal", str(journal), home=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout


def test_a_reader_who_has_seen_enough(journal: Path, tmp_path: Path) -> None:
    """Not everything could be said, so it is not 0; and nobody is there to read why."""
    command = [sys.executable, "-m", "commands", "log", RUN, "--journal", str(journal)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert (process.stderr.read(), process.wait(60)) == (b"", 1)


def test_somebody_who_presses_ctrl_c(journal: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "commands", "log", RUN, "--follow", "--journal", str(journal)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline()  # it follows by now
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_while_the_program_is_still_reading_itself(number: signal.Signals, journal: Path, tmp_path: Path) -> None:
    """As soon as it catches the last of the three signals, which it does before its first import of a verb."""
    command = [sys.executable, "-m", "commands", "log", RUN, "--follow", "--journal", str(journal)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # which nohup has it ignore
    ) as process:
        until(lambda: catches(process.pid, signal.SIGHUP))
        process.send_signal(number)
        assert process.communicate(timeout=60)[1] == b""
        assert process.returncode == 130


def catches(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"SigCgt:\s*([0-9a-f]+)", status)
    return found is not None and bool(int(found[1], 16) >> (number - 1) & 1)


def test_what_nobody_foresaw(tmp_path: Path) -> None:
    """The door of a verb that has a bug: a verb of this test's own, in the program's own app."""
    program = "from commands.app import app, main; app.command('divide')(lambda: 1 // 0); main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "divide"], cwd=ROOT, env=environment(tmp_path), capture_output=True,
        text=True, check=False,
    )
    assert (done.returncode, done.stdout) == (BUG, "")
    assert re.search(r"ZeroDivisionError(?s:.*)restore: error: this is a bug(?s:.*)journal is intact", done.stderr)


def test_a_decision_without_a_reason_is_none(tmp_path: Path) -> None:
    done = restore("resolve", "threescale-20261123-k7f2", "step", "--as", "done", "--reason", "  ", home=tmp_path)
    assert (done.returncode, "says why" in done.stderr) == (2, True)


def test_a_run_without_a_name_is_unknown(tmp_path: Path) -> None:
    assert restore("unlock", "", "--steal", "--reason", "x", "--yes", home=tmp_path).returncode == 10


def test_going_on_makes_no_journal(tmp_path: Path) -> None:
    journal = tmp_path / "mistyped" / "journal.db"
    assert restore("resume", "threescale-20261123-k7f2", "--journal", str(journal), home=tmp_path).returncode == 10
    assert not journal.parent.exists()


def test_nobody_has_to_listen(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "commands", "check", str(tmp_path)]
    ran = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *program], cwd=ROOT, env=environment(tmp_path), stderr=subprocess.PIPE, text=True, check=False
    )
    assert (ran.returncode, "Traceback" in ran.stderr) == (20, False), ran.stderr


def test_a_note_that_is_made_of_many_files_is_one_line() -> None:
    notes = [Finding(severity="note", subject=f"{n}.json", message=f"has fields: {n}") for n in range(4)]
    errors = [Finding(severity="error", subject=f"{n}.sql", message="is missing") for n in range(4)]
    assert list(told([*errors, *notes])) == [*(f"error: {n}.sql: is missing" for n in range(4)), "note: 4 files: has fields (by name: -o json)"]
    assert list(told(notes[:2])) == ["note: 0.json: has fields: 0", "note: 1.json: has fields: 1"]
