"""What the tests of the journal share: a clock that stands still, journals in a directory, child processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from journal import Draft, Journal, Lease, this_holder

NOW = datetime(2026, 11, 23, 3, 0, 0, 123, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
CHILDREN = Path(__file__).with_name("ledger_children.py")
RUN = "threescale-20261123-k7f2"


def written(path: Path, facts: int = 0) -> tuple[Journal, Lease]:
    """A journal open for writing with a lease on RUN and so many facts."""
    journal = Journal.open(path, write=True)
    lease = journal.take_lease(RUN, this_holder(), ttl_seconds=60, now=NOW)
    journal.append(lease, [fact(n) for n in range(1, facts + 1)], recorded_at=NOW)
    return journal, lease


def fact(number: int) -> Draft:
    """A fact that uses every column."""
    return Draft("StepStarted", {"n": number, "word": "größer"}, step=f"step-{number % 3}", attempt=1, actor="op")


def child(*arguments: object, before: Sequence[object] = (), stdin: int = subprocess.DEVNULL
          ) -> subprocess.Popen[str]:
    """A function of ledger_children.py in a process of its own; its output can be read line by line."""
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [*before, sys.executable, CHILDREN, *arguments]
    return subprocess.Popen(
        [str(word) for word in command],
        stdin=stdin, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths},
    )
