"""What the recipes of database servers share: programs of this machine, files of a pod, addresses.

The file `<root>/services/<workload>` holds the loopback port of the workload's newest server. It stands for
the name of a Service in the DNS of a cluster.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from orchestrator.rehearsal.images import ContainerContext
from orchestrator.rehearsal.volumes import make_directory

ADMINISTRATION = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where Debian has servers, and where the PATH of an ordinary user does not lead."""


class ProgramMissing(Exception):
    """A server that is to be rehearsed is not installed on this machine. The message names its package."""


def found(package: str, *names: str, directories: Sequence[str] = ADMINISTRATION) -> str:
    """The path of the first of these programs that is installed; `package` is Debian's."""
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), *directories])
    path = next((path for name in names if (path := shutil.which(name, path=search))), None)
    if path is None:
        raise ProgramMissing(f"{names[0]} is not installed here, or not in PATH: apt-get install {package}")
    return path


def write(path: Path, text: str, mode: int) -> Path:
    """A fresh file with that mode from the start; a running process keeps the one it has open."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    return path


def announce(root: Path, workload: str, port: int) -> None:
    """Makes the address known under which the workload's server is about to listen."""
    fresh = write(root / "services" / f".{workload}", f"{port}\n", 0o600)
    fresh.replace(root / "services" / workload)


def announced_port(root: Path, workload: str) -> int:
    """The port of the workload's newest server, whether or not it listens yet. OSError when there was none."""
    return int((root / "services" / workload).read_text())


def data_mount(ctx: ContainerContext) -> str:
    """Where the container has the volume of its data: a claim, or a directory that goes with the pod."""
    kinds = {"persistentVolumeClaim", "emptyDir"}
    volumes = {volume["name"] for volume in ctx.pod["spec"]["volumes"] if kinds & volume.keys()}
    mounts = [mount for mount in ctx.container["volumeMounts"] if mount["name"] in volumes]
    return next(str(mount["mountPath"]) for mount in mounts if Path(mount["mountPath"]).name == "data")


def client_wrapper(directory: Path, name: str, program: str, last: Sequence[str], first: str = "") -> Path:
    """`name` in `directory`/bin runs `program` on the pod's own server, whatever host its arguments name.

    The address comes last, as the last word counts. `first` comes first unless the caller has an option
    about configuration files there, which has to be the first.
    """
    lines = ["#!/bin/sh"]
    if first:
        lines.append(f'case ${{1-}} in --defaults-* | --no-defaults) ;; *) set -- {first} "$@" ;; esac')
    lines.append(f'exec {shlex.quote(program)} "$@" {shlex.join(last)}\n')
    return write(directory / "bin" / name, "\n".join(lines), 0o700).parent


def template(cache: Path, name: str, made_from: Sequence[str], make: Callable[[Path], None]) -> Path:
    """A directory that `make` fills once on this machine, and again when what it is made from changes.

    `made_from`: paths of programs, which count with their size and time, and any other words.
    """
    words = [word for part in made_from for word in (part, *_version(part))]
    known = cache / f"{name}-{hashlib.sha256(repr(words).encode()).hexdigest()[:16]}"
    if known.is_dir():
        return known
    fresh = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=make_directory(cache)))
    try:
        make(fresh)
        with suppress(OSError):  # somebody else was faster
            fresh.rename(known)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return known


def _version(word: str) -> tuple[int, ...]:
    if not word.startswith("/"):
        return ()
    status = Path(word).resolve().stat()
    return status.st_size, status.st_mtime_ns
