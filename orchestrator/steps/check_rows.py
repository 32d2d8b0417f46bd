"""Compare the rows of every table with what the dump holds, in the running database.

Right after the load the numbers have to be the dump's own, exactly; once 3scale runs again it writes, and
none may be fewer (`is_exact` False).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, cast

from orchestrator.effects import Engine
from orchestrator.events import Confirmation, VerificationFailed, VerificationPassed
from orchestrator.port import DatabaseSeen, Reader, Seen, WorkloadSeen
from orchestrator.steps.base import (
    DONE,
    Context,
    Gate,
    LookingStep,
    Standing,
    busy,
    gone,
    opened,
    running,
    settled,
    torn,
)

NAMED_MAX = 5  # tables that a sentence names


class RowsPicture(Seen):
    workload: WorkloadSeen | None
    rows: Mapping[str, int | None] | None = None
    database: DatabaseSeen | None = None  # looked at where the load can be told to be gone
    running: Mapping[str, int] = {}  # gates that are open


class CheckRows(LookingStep):
    Picture = RowsPicture
    kind: Literal["check_rows"] = "check_rows"
    workload_kind: str
    workload: str
    engine: Engine
    database: str
    rows: Mapping[str, int]
    is_exact: bool
    gates: tuple[Gate, ...] = ()  # what writes to the database, and was stopped before
    load: str = ""  # the step that has loaded it: done again where nothing of it is there any more
    growing: tuple[str, ...] = ()  # tables that whoever still runs writes to: no fewer rows are enough

    def probe(self, reader: Reader, ctx: Context) -> RowsPicture:
        workload = reader.workload(self.workload_kind, self.workload)
        if workload is None or not workload.is_complete:
            return RowsPicture(workload=workload)
        database = reader.database(workload, self.engine, self.database) if self.load else None
        is_readable = not self.load or (database is not None and database.is_there)
        tables = sorted(self.rows)
        rows = reader.row_counts(workload, self.engine, self.database, tables) if is_readable else None
        return RowsPicture(workload=workload, rows=rows, database=database, running=running(reader, self.gates))

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(RowsPicture, seen)
        if waiting := settled(picture.workload, self.workload):
            return waiting
        if picture.database is not None and not picture.database.mark.startswith(f"{ctx.run}/") and is_empty(picture.database):
            return gone(self.load, f"{self.database} is empty, as of a new pod of {self.workload}")
        if picture.rows is None:
            return busy(f"the database server of {self.workload} does not answer yet")
        if is_open := opened(picture.running):
            return torn(is_open)
        wrong = self.wrong(picture.rows)
        if not wrong:
            return DONE
        more = f" and {len(wrong) - NAMED_MAX} more" if len(wrong) > NAMED_MAX else ""
        return torn(f"rows of {', '.join(wrong[:NAMED_MAX])}{more} in {self.database} are not those of the dump")

    def wrong(self, found: Mapping[str, int | None]) -> list[str]:
        return [t for t, rows in sorted(self.rows.items()) if not self.is_right(t, rows, found.get(t))]

    def is_right(self, table: str, expected: int, found: int | None) -> bool:
        if found is None:
            return False
        return found == expected if self.is_exact and table not in self.growing else found >= expected

    def confirm(self, seen: Seen, standing: Standing, ctx: Context) -> Iterator[Confirmation]:
        """All numbers where they are as expected, in sums; what differs, by table."""
        rows = cast(RowsPicture, seen).rows
        if rows is None or standing.name not in ("done", "torn"):
            return
        wrong = self.wrong(rows)
        fact = VerificationFailed if wrong else VerificationPassed
        shown = wrong or ["rows"]
        expected = {"rows": sum(self.rows.values())} | {t: self.rows[t] for t in wrong}
        found = {"rows": sum(rows.get(t) or 0 for t in self.rows)} | {t: rows.get(t) for t in wrong}
        yield fact(
            step=self.id, attempt=ctx.attempt, subject=f"{len(self.rows)} tables of {self.database}",
            expected={name: expected[name] for name in shown}, found={name: found[name] for name in shown},
        )


def is_empty(database: DatabaseSeen) -> bool:
    return not database.is_there or not database.tables
