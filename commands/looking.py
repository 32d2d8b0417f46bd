"""What the verbs that only look share: times as people write them, places in a run, files for the result."""

from __future__ import annotations

import os
import re
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from commands.options import run_id
from orchestrator.errors import UsageWrong

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write it to this file. [default: stdout]", show_default=False),
]
SignKey = Annotated[
    Path | None,
    typer.Option("--sign-key", metavar="KEY", help="Sign the journal head with this Ed25519 key (PEM).",
                 show_default=False),
]


def span_of(text: str) -> timedelta:
    """`90s`, `10m`, `2h`, `30d`, `4w`. Raises UsageWrong."""
    found = re.fullmatch(r"(\d{1,6})([smhdw])", text)
    if found is None:
        raise UsageWrong(f"{text!r} is no length of time: 90s, 10m, 2h, 30d, 4w", hint="restore log RUN --since 10m")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def moment_of(text: str, now: datetime) -> datetime:
    """A time: RFC 3339, in local time where no zone is named; or a length of time before `now`. Raises UsageWrong."""
    if re.fullmatch(r"\d{1,6}[smhdw]", text):
        return now - span_of(text)
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageWrong(
            f"{text!r} is no time: 2026-11-23T03:15:00Z, 2026-11-23 04:15, or 10m for ten minutes ago",
            hint="restore log RUN --since 10m",
        ) from None


def place_of(text: str) -> tuple[str, int | None]:
    """`RUN` or `RUN@SEQ`. Raises UsageWrong, RunUnknown."""
    run, at, seq = text.partition("@")
    if at and not (seq.isascii() and seq.isdigit() and len(seq) < 10):
        raise UsageWrong(f"{text!r} is no place in a run: RUN@SEQ", hint="restore diff RUN@1 RUN")
    return run_id(run), int(seq) if at else None


def write_file(path: Path, data: bytes, mode: int = 0o600) -> None:
    """The whole file or nothing of it, readable by its owner alone unless said. Raises UsageWrong where it can't be written."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(mode)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageWrong(f"{path} cannot be written: {error.strerror}", hint=f"ls -ld {path.parent}") from error


def read_file(path: Path) -> bytes:
    """Raises UsageWrong where it can't be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageWrong(f"{path} cannot be read: {error.strerror}", hint=f"ls -l {path}") from error
