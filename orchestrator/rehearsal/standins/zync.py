"""Stands for zync: hears of providers and proxies, notes them, and leaves a job for zync-que.

It makes its tables at its start where they are missing, as the migrations of the real one do.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from orchestrator.rehearsal.standins.schema import RECORDS, make_zync, note_script
from orchestrator.rehearsal.standins.services import Unreachable
from orchestrator.rehearsal.standins.serving import serve
from orchestrator.rehearsal.standins.sql import Database, SqlError


def main(arguments: Sequence[str]) -> int:
    database = Database(os.environ["DATABASE_URL"])
    if "schema_migrations" not in database.tables():
        make_zync(database)

    def answer(method: str, path: str, body: str) -> tuple[int, str]:
        if path == "/status/live":
            return 200, "{}\n"
        if path == "/status/ready":
            return (200, "{}\n") if database.is_ready() else (503, "the database does not answer\n")
        if path == "/notification" and method == "PUT":
            return _note(database, json.loads(body))
        return 404, ""

    serve(("zync",), answer)
    return 0


def _note(database: Database, data: dict[str, Any]) -> tuple[int, str]:
    if data.get("type") not in RECORDS:
        return 422, "unknown type\n"
    try:
        database.run("".join(note_script(data)))
    except (SqlError, Unreachable) as error:
        sys.stderr.write(f"{error}\n")
        return 503, f"{error}\n"
    return 200, "{}\n"
