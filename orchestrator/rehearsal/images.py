"""What stands behind an image: a recipe that says which process a container of it runs.

A cluster is started with a list of (pattern, recipe); an image without a recipe runs its command and
arguments as they stand. Recipes decide argv, environment and directory; starting and stopping is the
kubelet's business.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from orchestrator.rehearsal.objects import Object

UNREACHABLE = ".invalid"
"""The top-level domain that never resolves (RFC 2606): an image from there cannot be pulled."""
WAIT_FOR_END = ("/bin/sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done")


@dataclass(frozen=True)
class ContainerContext:
    """All a recipe may know of the container it is to launch."""

    pod: Object
    container: Object
    directory: Path
    """The container's own directory, and its HOME; fresh for each pod, kept over restarts."""
    root: Path
    mounts: Mapping[str, Path]
    """Mount path as the pod's spec has it -> directory or file on this machine."""
    environment: Mapping[str, str]
    port: int
    """A free loopback port of the pod's own; it stands for every port the pod declares."""
    namespace: str


@dataclass(frozen=True)
class Launch:
    """The main process of a container. `path_prefix` comes first in PATH, also for every exec.

    `stop_signal` is the STOPSIGNAL of the image: what asks the process to end.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    path_prefix: tuple[Path, ...] = field(default=())
    stop_signal: signal.Signals = signal.SIGTERM


class Recipe(Protocol):
    """Turns a container into a launch. Called at each start of the container, so also after a restart."""

    def launch(self, ctx: ContainerContext) -> Launch: ...


class PlainRecipe:
    """Command and arguments as they stand; without both, a process that waits and ends on SIGTERM."""

    def launch(self, ctx: ContainerContext) -> Launch:
        argv = [*(ctx.container.get("command") or ()), *(ctx.container.get("args") or ())]
        return Launch(argv or WAIT_FOR_END, ctx.environment, working_directory(ctx))


def recipe_for(image: str, recipes: Sequence[tuple[str, Recipe]]) -> Recipe:
    """The first recipe whose pattern (as in a shell: `*redis*`) matches the image."""
    for pattern, recipe in recipes:
        if fnmatchcase(image, pattern):
            return recipe
    return PlainRecipe()


def pull_error(image: str) -> str | None:
    """Why the image cannot be had, or None."""
    host = image.partition("/")[0].partition(":")[0]
    if not host.endswith(UNREACHABLE):
        return None
    return f'failed to pull and unpack image "{image}": dial tcp: lookup {host}: no such host'


def working_directory(ctx: ContainerContext) -> Path:
    """The container's workingDir where it exists on this machine, else its own directory."""
    wanted = ctx.container.get("workingDir")
    if not wanted:
        return ctx.directory
    there = ctx.mounts.get(wanted, Path(wanted))
    return there if there.is_dir() else ctx.directory
