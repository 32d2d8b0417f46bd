"""The golden journals as files: the rows as they were stored, byte for byte, and what they add up to.

`VERSION/NAME.jsonl` has a row a line, each column as it stands in the table, the data as its text: what was hashed.
`VERSION/NAME.json` beside it says what that version understood by it.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from journal import Journal, Record
from journal.records import COLUMNS
from orchestrator.decide import decide
from orchestrator.events import Entry, RunResumed
from orchestrator.forensics.reading import told_of
from orchestrator.forensics.redecide import redecide, said
from orchestrator.moves import Close
from orchestrator.plan import Plan
from orchestrator.state import RunState, evolve, fold
from tests.forensics.tellings import write

HERE = Path(__file__).parent
VERSIONS = sorted(path.name for path in HERE.iterdir() if path.is_dir() and path.name[0].isdigit())
NAMES = [f"{version}/{path.stem}" for version in VERSIONS for path in sorted((HERE / version).glob("*.jsonl"))]
RUN = "threescale-20261123-k7f2"
ALL_COLUMNS = (*COLUMNS, "digest")

Row = dict[str, Any]


def rows_of(name: str) -> list[Row]:
    """The rows of a golden journal: `0.1.0/rolled-back`."""
    return [json.loads(line) for line in (HERE / f"{name}.jsonl").read_text().splitlines()]


def expected_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text())
    return found


def laid_out(name: str, path: Path) -> Path:
    """A new journal with these very rows, digests included, put past the program into the file."""
    Journal.open(path, write=True).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        put_rows(db, rows_of(name))
    return path


def put_rows(db: sqlite3.Connection, rows: Sequence[Row]) -> None:
    marks = ",".join("?" * len(ALL_COLUMNS))
    db.execute("BEGIN")
    for row in rows:
        db.execute(f"INSERT INTO facts ({','.join(ALL_COLUMNS)}) VALUES ({marks})", [row[c] for c in ALL_COLUMNS])
    db.execute("INSERT INTO heads VALUES (?, ?, ?)", (rows[-1]["run"], rows[-1]["seq"], rows[-1]["digest"]))
    db.execute("COMMIT")


def written_anew(name: str, path: Path, change: Callable[[str, dict[str, Any]], None]) -> Path:
    """A journal with these facts, where `change` may change the data of each by its type. The chain is made anew."""
    records = []
    for row in rows_of(name):
        data = json.loads(row["data"])
        change(row["type"], data)
        records.append(Record(**{**row, "data": data}))
    return write(path, records, RUN)


def schema_file(version: int) -> Path:
    """A whole journal file with the tables of that version of the schema, compressed."""
    return HERE / f"schema-{version}.db.gz"


def unpacked(version: int, path: Path) -> Path:
    path.write_bytes(gzip.decompress(schema_file(version).read_bytes()))
    return path


def stored_rows(path: Path) -> Iterator[Row]:
    with closing(sqlite3.connect(path)) as db:
        for row in db.execute(f"SELECT {','.join(ALL_COLUMNS)} FROM facts ORDER BY seq"):
            yield dict(zip(ALL_COLUMNS, row, strict=True))


def understood(path: Path) -> dict[str, Any]:
    """What this program understands by the run in a journal: where it stands, what is next, what it sees otherwise."""
    with Journal.open(path, write=False) as journal:
        facts = told_of(list(journal.read(RUN)))
        verdict = journal.verify(RUN)
    state = fold(told.entry for told in facts)
    assert state.opened is not None
    assert state.last_at is not None
    plan = Plan.model_validate(state.opened.plan)
    return {
        "verify": verdict.status, "facts": verdict.facts, "head": verdict.head, "plan": state.opened.plan_digest,
        **stands(state),
        "next": next_moves(state, plan), "next_when_resumed": next_moves(when_resumed(state), plan),
        "otherwise": [f"{d.seq} {d.step} {d.about}" for d in redecide(RUN, facts).differences],
    }  # fmt: skip


def next_moves(state: RunState, plan: Plan) -> list[str]:
    assert state.last_at is not None
    moves = decide(state, plan, state.last_at)
    return sorted(f"{'run' if isinstance(m, Close) else m.step}: {said([m])}" for m in moves)


def when_resumed(state: RunState) -> RunState:
    """As `restore resume` would begin; a run that is over stays as it is."""
    assert state.last_at is not None
    if state.closed in ("finished", "rolled back"):
        return state
    return evolve(state, Entry(state.seq + 1, state.last_at, state.epoch, RunResumed(program="", by="")))


def stands(state: RunState) -> dict[str, Any]:
    return {
        "phase": state.phase, "closed": state.closed, "cleanup": state.cleanup, "needs": state.needs,
        "reason": state.reason, "in_place": list(state.in_place), "patience_seconds": state.patience_seconds,
        "steps": {
            name: f"{s.status}, attempt {s.attempt}" + (f", taken back in attempt {s.undo_attempt}" if s.undo_attempt else "")
            for name, s in state.steps.items()
        },
    }  # fmt: skip
