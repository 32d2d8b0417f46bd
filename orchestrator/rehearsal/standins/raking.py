"""What the rake programs share: words of the command line become tasks, and errors end as rake's do."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence

from orchestrator.rehearsal.resp import RedisError
from orchestrator.rehearsal.standins.services import Unreachable
from orchestrator.rehearsal.standins.sql import SqlError

Task = Callable[[str], None]
"""Given what stood in brackets behind its name."""


class TaskFailed(Exception):
    """A task could not do its work. The message says why."""


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def run(tasks: Mapping[str, Task], arguments: Sequence[str]) -> int:
    """Runs the tasks in their order, up to the first that fails; `NAME=value` sets an environment variable."""
    if {"-T", "--tasks"} & set(arguments):
        for name in sorted(tasks):
            say(f"rake {name}")
        return 0
    names = []
    for word in arguments:
        key, sign, text = word.partition("=")
        if sign and "[" not in key:
            os.environ[key] = text
        else:
            names.append(word)
    for word in names or ["default"]:
        name, _, rest = word.partition("[")
        task = tasks.get(name)
        if task is None:
            return _aborted(f"Don't know how to build task '{name}' (See the list of available tasks with `rake --tasks`)")
        try:
            task(rest.rstrip("]"))
        except (TaskFailed, Unreachable, SqlError, RedisError, OSError) as error:
            return _aborted(str(error))
    return 0


def _aborted(why: str) -> int:
    sys.stderr.write(f"rake aborted!\n{why}\n")
    return 1
