"""The queries that docs/forensics.md shows, and Datasette's descriptions, on a real journal."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
import yaml

from tests.forensics.tellings import RUN, over_a_bad_line, write

DOCS = Path(__file__).parents[2] / "docs"
QUERIES = re.findall(r"^```sql\n(.*?)^```", (DOCS / "forensics.md").read_text(), re.MULTILINE | re.DOTALL)
DATASETTE = yaml.safe_load((DOCS / "datasette.yaml").read_text())["databases"]["journal"]
MAY_BE_EMPTY = ("decisions", "seconds_since >")  # this run asked nobody


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> sqlite3.Connection:
    path = write(tmp_path_factory.mktemp("docs") / "journal.db", over_a_bad_line(3).records)
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


def test_there_are_five_queries() -> None:
    assert len(QUERIES) == 5


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_of_the_page_answers(query: str, db: sqlite3.Connection) -> None:
    rows = db.execute(query.replace("'RUN'", f"'{RUN}'")).fetchall()
    assert rows or any(word in query for word in MAY_BE_EMPTY)
    assert all(any(value is not None for value in row) for row in rows)


def test_the_text_before_the_edit_is_really_found(db: sqlite3.Connection) -> None:
    ((text,),) = db.execute(QUERIES[4].replace("'RUN'", f"'{RUN}'")).fetchall()
    assert "appendonly yes" in text


@pytest.mark.parametrize("name", DATASETTE["queries"])
def test_a_query_for_datasette_answers(name: str, db: sqlite3.Connection) -> None:
    query = DATASETTE["queries"][name]["sql"]
    rows = db.execute(query, {"run": RUN}).fetchall()
    assert rows or any(word in query for word in MAY_BE_EMPTY)


def test_datasette_describes_every_view_and_table_and_nothing_else(db: sqlite3.Connection) -> None:
    there = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")}
    assert {name for name in there if not name.startswith("sqlite_")} == set(DATASETTE["tables"])
