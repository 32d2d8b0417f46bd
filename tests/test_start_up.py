"""The program starts at once: what a verb does not need, it does not import.

Measured in modules, not in seconds: whoever asks for help or looks at a journal must not wait for a
Kubernetes client to be loaded.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.program import RUN, open_run, restore

# Each takes a tenth of a second or more to import.
CLUSTERS = {"aiohttp", "apscheduler", "kubernetes", "requests", "urllib3"}
HEAVY = CLUSTERS | {"anycrc", "jinja2", "pydantic", "rich", "sqlite_utils", "trustme", "yaml"}


def imported(*words: str, home: Path) -> set[str]:
    """Top-level packages that `restore WORDS…` imports, as the interpreter itself reports them."""
    done = restore(*words, home=home, python=("-X", "importtime"))
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert (done.returncode, len(done.stderr.splitlines())) == (0, len(lines)), done.stderr
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    packages = imported("--help", home=tmp_path)
    assert {"typer", "commands"} <= packages
    assert packages & (HEAVY | {"sqlite3"}) == set()


def test_the_help_of_a_verb_imports_no_client(tmp_path: Path) -> None:
    packages = imported("run", "--help", home=tmp_path)
    assert packages & (HEAVY - {"pydantic"}) == set()


@pytest.mark.parametrize("words", [("runs",), ("status", RUN), ("log", RUN)])
def test_looking_at_a_journal_imports_no_client(words: tuple[str, ...], tmp_path: Path) -> None:
    open_run(tmp_path / "journal.db")
    packages = imported(*words, "--journal", str(tmp_path / "journal.db"), home=tmp_path)
    assert {"journal", "sqlite3"} <= packages
    assert packages & CLUSTERS == set()
