"""A copy of the journal that is taken while a run goes on: `restore export --format sqlite`, again and again.

The command is called here, not started: as a process of its own it would be too slow to come between many facts.
"""

from __future__ import annotations

from pathlib import Path

from commands.export import ExportFormat, export
from journal import Journal, Record
from orchestrator.forensics.proving import prove
from orchestrator.rehearsal.lifecycle import Rehearsed
from tests.commands.test_sessions import begun, facts, journal_of, runs
from tests.conftest import Tally


def records_of(path: Path, run: str) -> list[Record]:
    with Journal.open(path, write=False) as journal:
        assert prove(journal, run).is_ok
        return list(journal.read(run))


def test_every_copy_taken_while_a_run_goes_on_is_whole_and_a_beginning_of_it(
    filled: Rehearsed, bundle: Path, tmp_path: Path, tally: Tally
) -> None:
    process = begun(filled, bundle, tmp_path)
    copies: list[Path] = []
    run = ""
    while process.poll() is None:
        if not facts(tmp_path):
            continue
        run = run or str(runs(tmp_path)[0]["run"])
        copies.append(tmp_path / f"copy-{len(copies)}.db")
        export(run, ExportFormat.sqlite, copies[-1], None, journal_of(tmp_path))
    assert process.wait() == 0, process.communicate()[1]
    whole = records_of(journal_of(tmp_path), run)
    found = [records_of(copy, run) for copy in copies]
    lengths = [len(one) for one in found]
    assert found == [whole[:length] for length in lengths]
    assert lengths == sorted(lengths)
    in_the_midst = sum(length < len(whole) for length in lengths)
    assert in_the_midst >= 2, "no copy was taken while facts were appended"
    tally(f"restore export --format sqlite beside a run: {in_the_midst} copies, each verifies and is a beginning of it")
