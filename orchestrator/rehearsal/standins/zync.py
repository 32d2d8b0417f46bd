"""Stands for zync: hears of providers and proxies, notes them, and leaves a job for zync-que.

It makes its tables at its start where they are missing, as the migrations of the real one do.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from orchestrator.rehearsal.standins.schema import ZYNC_TABLES, create_script, literal
from orchestrator.rehearsal.standins.services import Unreachable
from orchestrator.rehearsal.standins.serving import serve
from orchestrator.rehearsal.standins.sql import Database, SqlError

JOB_CLASS = "ProcessIntegrationEntryJob"
COLUMNS = {
    "Provider": ("providers", ("id", "tenant_id", "domain", "admin_domain")),
    "Proxy": ("proxies", ("id", "tenant_id", "service_id", "endpoint", "sandbox_endpoint")),
}


def main(arguments: Sequence[str]) -> int:
    database = Database(os.environ["DATABASE_URL"])
    database.run(create_script(ZYNC_TABLES))

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
    if data.get("type") not in COLUMNS:
        return 422, "unknown type\n"
    try:
        database.run(note_script(data))
    except (SqlError, Unreachable) as error:
        return 503, f"{error}\n"
    return 200, "{}\n"


def note_script(data: dict[str, Any]) -> str:
    """The record, made or brought up to date; an entry of what was heard; a job to act on it."""
    table, columns = COLUMNS[data["type"]]
    values = ", ".join(literal(data[column]) for column in columns)
    updates = ", ".join(f"{column} = EXCLUDED.{column}" for column in columns[1:])
    text = literal(json.dumps(data))
    tenant, model = int(data["tenant_id"]), int(data["id"])
    return (
        f"BEGIN;\nINSERT INTO {table} ({', '.join(columns)}) VALUES ({values}) ON CONFLICT (id) DO UPDATE SET {updates};\n"
        f"INSERT INTO entries (data, tenant_id, model_id) VALUES ({text}, {tenant}, {model});\n"
        f"INSERT INTO que_jobs (job_class, args) VALUES ('{JOB_CLASS}', {text});\nCOMMIT;\n"
    )
