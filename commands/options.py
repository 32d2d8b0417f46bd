"""The options that several commands share, each declared once."""

from __future__ import annotations

import enum
import re
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.errors import RunUnknown


class Output(enum.StrEnum):
    table = "table"
    json = "json"
    yaml = "yaml"


class Size(enum.StrEnum):
    small = "small"
    medium = "medium"
    large = "large"


class LogOutput(enum.StrEnum):
    table = "table"
    json = "json"
    jsonl = "jsonl"
    yaml = "yaml"


class Part(enum.StrEnum):
    """orchestrator.parts.PARTS, as typer wants choices: a test holds the two together."""

    system_database = "system-database"
    system_storage = "system-storage"
    zync = "zync"
    backend_redis = "backend-redis"
    system_redis = "system-redis"
    objects = "objects"


class Release(enum.StrEnum):
    v2_11 = "2.11"
    v2_12 = "2.12"
    v2_13 = "2.13"
    v2_14 = "2.14"
    v2_15 = "2.15"


class Queues(enum.StrEnum):
    restore = "restore"
    drop = "drop"


class SavedPart(enum.StrEnum):
    """The parts whose safety copy needs room; what the others set aside is only renamed."""

    system_database = "system-database"
    zync = "zync"


class Database(enum.StrEnum):
    mysql = "mysql"
    postgresql = "postgresql"


JournalPath = Annotated[
    Path | None,
    typer.Option(
        "--journal", envvar="RESTORE_JOURNAL", help="The journal. [default: $XDG_STATE_HOME/restore/journal.db]",
        show_default=False,
    ),
]
Namespace = Annotated[
    str, typer.Option("--namespace", "-n", help="The namespace of the installation. [default: the context's]",
                      show_default=False)
]
Context = Annotated[str, typer.Option("--context", help="A context of the kubeconfig.", show_default=False)]
Kubeconfig = Annotated[
    str, typer.Option("--kubeconfig", help="A kubeconfig file. [default: kubectl's]", show_default=False)
]
OutputAs = Annotated[Output, typer.Option("--output", "-o", help="How to print the result.")]
LogOutputAs = Annotated[LogOutput, typer.Option("--output", "-o", help="How to print the facts.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask; go on.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show every fact as it is recorded.")]
Only = Annotated[list[Part] | None, typer.Option("--only", help="This part of the bundle only; may be repeated.")]

WithObjects = Annotated[
    bool,
    typer.Option("--with-objects", help="Replace Secrets and ConfigMaps too, where 3scale is installed already."),
]
Delete = Annotated[
    bool, typer.Option("--delete", help="Set aside the files of system-storage that the bundle lacks.")
]
QueuesAs = Annotated[
    Queues | None,
    typer.Option(
        "--queues", help="What becomes of the job queues in the dump of backend-redis (guide 9.5.4.2). [default: "
        "asked on a terminal, else restore]", show_default=False,
    ),
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why, for --queues and --accept-irreversible.", show_default=False)
]
NoSafetyCopy = Annotated[
    list[SavedPart] | None,
    typer.Option("--no-safety-copy", help="Load over this database without saving it before; may be repeated."),
]
AcceptIrreversible = Annotated[
    list[SavedPart] | None,
    typer.Option("--accept-irreversible", help="Accept that this part cannot be taken back; may be repeated."),
]


def seconds_of(text: str) -> float:
    """`90s`, `30m`, `2h`, `1d`; a bare number is seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no time such as 90s, 30m or 2h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]


Patience = Annotated[
    float | None,
    typer.Option(
        "--patience", metavar="TIME", parser=seconds_of, help="Keep trying a step that fails for so long, such as 2h. "
        "[default: about two minutes]", show_default=False,
    ),
]


def run_id(text: str) -> str:
    """Run ids are plain ASCII: anything else names no run, and may not even be text."""
    if not text.isascii() or not text.strip():
        raise RunUnknown(f"there is no run {text!a}", hint="restore runs")
    return text


Run = Annotated[
    str, typer.Argument(metavar="RUN", help="The run's id, as `restore runs` lists it.", callback=run_id)
]
