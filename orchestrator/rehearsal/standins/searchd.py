"""Stands for searchd: keeps how many rows of each table were indexed, in a file of its volume."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.rehearsal.standins.services import write_whole
from orchestrator.rehearsal.standins.serving import serve

FILE = "index.json"
"""Table -> rows, as a JSON object."""


def main(arguments: Sequence[str]) -> int:
    serve_index("system-searchd", os.environ["REHEARSAL_DATA"])
    return 0


def write(directory: str, counts: Mapping[str, int]) -> None:
    write_whole(Path(directory) / FILE, json.dumps(dict(counts), sort_keys=True) + "\n")


def serve_index(service: str, directory: str) -> None:
    """GET /index shows it, PUT /index replaces it."""
    file = Path(directory) / FILE

    def answer(method: str, path: str, body: str) -> tuple[int, str]:
        if path != "/index":
            return 404, ""
        if method == "PUT":
            write(directory, {str(name): int(count) for name, count in json.loads(body).items()})
            return 200, ""
        return (200, file.read_text()) if file.exists() else (404, "nothing is indexed\n")

    serve((service,), answer)
