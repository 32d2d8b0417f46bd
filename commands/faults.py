"""The options of a bad line, and their words: `8MiB`, `40ms`, `8MiB:30s`."""

from __future__ import annotations

import re
from typing import Annotated, NamedTuple

import typer

SIZES = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}


class StallSpec(NamedTuple):
    every_bytes: int
    seconds: float


def size_of(text: str) -> int:
    """Bytes of `8MiB`, `500KiB`, `1GiB`; more than none."""
    found = re.fullmatch(r"(\d{1,12}) ?(B|KiB|MiB|GiB)?", text)
    size_bytes = int(found[1]) * SIZES[found[2] or ""] if found else 0
    if not size_bytes:
        raise typer.BadParameter(f"{text!r} is no size: 8MiB, 500KiB")
    return size_bytes


def seconds_of(text: str) -> float:
    """Seconds of `40ms`, `1.5s`, `2m`."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?) ?(ms|s|m)", text)
    if not found:
        raise typer.BadParameter(f"{text!r} is no length of time: 40ms, 1.5s, 2m")
    return float(found[1]) * SECONDS[found[2]]


def rate_of(text: str) -> int:
    """Bytes a second of `2MiB/s`, or of `2MiB`."""
    return size_of(text.removesuffix("/s"))


def stall_of(text: str) -> StallSpec:
    every, _, seconds = text.partition(":")
    return StallSpec(size_of(every), seconds_of(seconds))


CutEvery = Annotated[
    int | None,
    typer.Option("--cut-every", metavar="SIZE", parser=size_of, show_default=False,
                 help="Cut the line to the cluster after every SIZE (8MiB): all connections at once."),
]  # fmt: skip
Stall = Annotated[
    StallSpec | None,
    typer.Option("--stall", metavar="SIZE:TIME", parser=stall_of, show_default=False,
                 help="After every SIZE let nothing pass for TIME (8MiB:30s); connections stay open."),
]  # fmt: skip
Latency = Annotated[
    float | None,
    typer.Option("--latency", metavar="TIME", parser=seconds_of, show_default=False,
                 help="Deliver everything so much later (40ms), in each direction."),
]  # fmt: skip
Bandwidth = Annotated[
    int | None,
    typer.Option("--bandwidth", metavar="SIZE", parser=rate_of, show_default=False,
                 help="So much a second in each direction, all connections together (2MiB)."),
]  # fmt: skip
ResetRate = Annotated[
    float | None,
    typer.Option("--reset-rate", metavar="RATE", min=0, max=1000, show_default=False,
                 help="Reset a connection so often for each MiB it carries, on average (0.1)."),
]  # fmt: skip
Seed = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", help="Faults, or deaths, of that seed again. [default: another one each time; it is printed]",
                 show_default=False),
]  # fmt: skip
