"""Every golden journal means what it meant to the version that recorded it; and which versions may go on with which."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from journal import Draft, Journal, JournalTooNew, schema, this_holder
from orchestrator.runs import program
from tests.commands.program import restore
from tests.histories.kept import (
    HERE,
    NAMES,
    RUN,
    VERSIONS,
    expected_of,
    laid_out,
    rows_of,
    schema_file,
    stored_rows,
    understood,
    unpacked,
    written_anew,
)
from tests.histories.make import KEPT
from tests.journal.ledgers import NOW

# ---- what was recorded keeps its meaning ----------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_journal_means_what_it_meant(name: str, tmp_path: Path) -> None:
    """Its chain, where each step stands, what is decided next: now, and when it is resumed; and nothing otherwise."""
    path = laid_out(name, tmp_path / "journal.db")
    assert list(stored_rows(path)) == rows_of(name)
    assert understood(path) == expected_of(name)


def test_this_version_has_its_golden_journals() -> None:
    version = program().rpartition(" ")[2]
    assert version in VERSIONS, "before a release: python -m tests.histories.make"
    assert {name.partition("/")[2] for name in NAMES if name.startswith(f"{version}/")} == set(KEPT)


def test_the_golden_journals_are_where_runs_are_interesting() -> None:
    """In doubt, asked about, decided, drifted, given up, taken back, cleaned up: none of these got lost."""
    found = [expected_of(name) for name in NAMES]
    statuses = {status.split(",")[0] for one in found for status in one["steps"].values()}
    assert statuses >= {"pending", "started", "finished", "torn", "ready", "failed", "held", "undoing", "restored", "untouched", "drifted"}
    assert {one["closed"] for one in found} == {"", "paused", "finished", "rolled back"}
    assert {one["needs"] for one in found} >= {"decision", "resume"}
    assert any(one["cleanup"] == "finished" for one in found)


@pytest.mark.parametrize("version", schema.DIGESTS)
def test_a_file_with_the_tables_of_an_older_version_is_read_and_gone_on_with(version: int, tmp_path: Path) -> None:
    path = unpacked(version, tmp_path / "journal.db")
    untouched, before = path.read_bytes(), list(stored_rows(path))
    assert len(before) == 3
    with Journal.open(path, write=False) as journal:
        assert journal.verify(RUN).status == "ok"
    assert (list(stored_rows(path)), path.read_bytes()) == (before, untouched), "a look changes nothing"
    with Journal.open(path, write=True) as journal:
        lease = journal.take_lease(RUN, this_holder(), ttl_seconds=60, now=NOW)
        journal.append(lease, [Draft("RunResumed", {"program": "restore 0.1.0", "by": "ann@laptop"})], recorded_at=NOW)
        assert journal.verify(RUN).status == "ok"
    *same, _added = stored_rows(path)
    assert same == before


def test_a_file_with_the_tables_of_every_version_is_kept() -> None:
    assert {path.name for path in HERE.glob("schema-*.db.gz")} == {schema_file(version).name for version in schema.DIGESTS}


def test_a_file_with_newer_tables_is_read_and_not_gone_on_with(tmp_path: Path) -> None:
    import sqlite3

    path = unpacked(schema.VERSION, tmp_path / "journal.db")
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(JournalTooNew):
        Journal.open(path, write=True)
    refused = restore("resume", RUN, "--journal", str(path), home=tmp_path)
    assert (refused.returncode, restore("log", RUN, "--journal", str(path), home=tmp_path).returncode) == (13, 0)


# ---- who may go on ------------------------------------------------------------------------------------------


def carried_by(version: str, name: str, path: Path) -> Path:
    def change(type_: str, data: dict[str, Any]) -> None:
        if "program" in data:
            data["program"] = version

    return written_anew(name, path, change)


VERBS = {
    "resume": ["resume", RUN], "rollback": ["rollback", RUN, "--yes"],
    "resolve": ["resolve", RUN, "load-system-database", "--as", "skip", "--reason", "none"],
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_a_run_that_a_newer_program_has_carried_is_not_gone_on_with(verb: str, tmp_path: Path) -> None:
    path = carried_by("restore 9.9", "0.1.0/torn-and-asked", tmp_path / "journal.db")
    before = list(stored_rows(path))
    refused = restore(*VERBS[verb], "--journal", str(path), home=tmp_path)
    assert refused.returncode == 13, refused.stderr
    assert f"{RUN} has been carried by restore 9.9, and this is {program()}: it can be read, not gone on with" in refused.stderr
    assert f"restore: hint: restore log {RUN}" in refused.stderr
    assert list(stored_rows(path)) == before


def test_a_run_that_a_newer_program_has_carried_is_read(tmp_path: Path) -> None:
    path = carried_by("restore 9.9", "0.1.0/torn-and-asked", tmp_path / "journal.db")
    for look in ("log", "status", "verify", "replay"):
        assert restore(look, RUN, "--journal", str(path), home=tmp_path).returncode == 0, look


def test_a_newer_program_that_only_took_it_back_counts_too(tmp_path: Path) -> None:
    def change(type_: str, data: dict[str, Any]) -> None:
        if type_ == "RollbackOpened":
            data["program"] = "restore 0.10.0"

    path = written_anew("0.1.0/drifted", tmp_path / "journal.db", change)
    assert restore("resume", RUN, "--journal", str(path), home=tmp_path).returncode == 13


def test_a_newer_program_says_what_it_sees_otherwise_before_it_acts(tmp_path: Path) -> None:
    """The older one, as far as its facts go, would not have taken the edit back."""

    def change(type_: str, data: dict[str, Any]) -> None:
        if "program" in data:
            data["program"] = "restore 0.0.9"
        if type_ == "StepStarted" and [effect["effect"] for effect in data["inverse"]] == ["edit_configmap"]:
            data["inverse"] = []

    path = written_anew("0.1.0/paused-when-patience-ended", tmp_path / "journal.db", change)
    before = list(stored_rows(path))
    resumed = restore("resume", RUN, "--journal", str(path), home=tmp_path)
    assert resumed.returncode not in (0, 13), "there is no cluster here"
    assert f"run {RUN} was carried by restore 0.0.9, this is {program()}: " in resumed.stderr
    assert " decided again, 1 otherwise\n" in resumed.stderr
    lines = resumed.stderr.splitlines()
    (at,) = [n for n, line in enumerate(lines) if line.endswith("switch-saving-off  inverse")]
    assert lines[at + 1].split(maxsplit=1) == ["then", "nothing"]
    assert lines[at + 2].split(maxsplit=1)[0] == "now"
    assert list(stored_rows(path)) == before, "it was said before anything was done"


def test_the_same_program_says_nothing_of_itself(tmp_path: Path) -> None:
    path = laid_out("0.1.0/paused-when-patience-ended", tmp_path / "journal.db")
    assert "decided again" not in restore("resume", RUN, "--journal", str(path), home=tmp_path).stderr


def test_a_plan_that_this_program_cannot_read_is_refused_in_words(tmp_path: Path) -> None:
    def change(type_: str, data: dict[str, Any]) -> None:
        if type_ == "RunOpened":
            data["program"] = "restore 0.0.9"
            data["plan"]["steps"][0]["kind"] = "teleport"

    path = written_anew("0.1.0/opened-and-no-more", tmp_path / "journal.db", change)
    refused = restore("resume", RUN, "--journal", str(path), home=tmp_path)
    assert refused.returncode == 21, refused.stderr
    assert f"this program cannot read the plan of {RUN}, which was made by restore 0.0.9" in refused.stderr
    assert restore("log", RUN, "--journal", str(path), home=tmp_path).returncode == 0


def test_that_all_this_can_fail(tmp_path: Path) -> None:
    """A reason that is called another, and what is understood is another."""

    def change(type_: str, data: dict[str, Any]) -> None:
        if type_ == "StepFoundTorn":
            data["reason"] = "no reason"

    other = understood(written_anew("0.1.0/torn-and-asked", tmp_path / "changed.db", change))
    expected = expected_of("0.1.0/torn-and-asked")
    assert {key for key in expected if other[key] != expected[key]} == {"head", "otherwise"}
