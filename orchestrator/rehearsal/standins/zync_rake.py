"""Stands for `rake` in the image of zync: `boot:db`, and `que`, which turns notes into Routes and does not return."""

from __future__ import annotations

import os
from collections.abc import Sequence

from orchestrator.rehearsal.standins.raking import TaskFailed, run, say
from orchestrator.rehearsal.standins.sql import Database


def main(arguments: Sequence[str]) -> int:
    return run({"boot:db": boot, "que": que}, arguments)


def boot(_: str = "") -> None:
    if not Database(os.environ["DATABASE_URL"]).is_ready():
        raise TaskFailed("the database does not answer")
    say("Connected to the database")


def que(_: str = "") -> None:
    from orchestrator.rehearsal.standins import que as worker

    worker.work(Database(os.environ["DATABASE_URL"]))
