"""What runs in a Redis pod of the rehearsal: a real redis-server, on the pod's own port and data.

The server gets the text of the ConfigMap as the pod has it mounted, with three things that a container's
walls would do for it: the data directory is the mounted claim, the port is the pod's, and it listens on
loopback only. A wrapper in front of redis-cli knows that port, so that `redis-cli` in the pod finds the
server as it does in the image.
"""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from orchestrator.rehearsal.images import ContainerContext, Launch
from orchestrator.rehearsal.objects import Object

CONFIG_FILE = "redis.conf"
PORT_FILE = "redis-port"


class RedisMissing(Exception):
    """There is no redis-server on this machine, so nothing of Redis can be rehearsed."""


class RedisRecipe:
    """Launches redis-server. HOME is the directory above the data, as /var/lib/redis is in the image."""

    def __init__(self) -> None:
        self._server = found("redis-server")
        self._client = found("redis-cli")

    def launch(self, ctx: ContainerContext) -> Launch:
        data_path = mount_path(ctx, "persistentVolumeClaim")
        config = ctx.mounts[mount_path(ctx, "configMap")] / CONFIG_FILE
        own = write(ctx.directory / CONFIG_FILE, contained(config.read_text()), 0o600)
        write(ctx.directory / PORT_FILE, f"{ctx.port}\n", 0o600)
        wrapper = f"#!/bin/sh\nexec {shlex.quote(self._client)} -p {ctx.port} \"$@\"\n"
        programs = write(ctx.directory / "bin" / "redis-cli", wrapper, 0o700).parent
        home = Path(data_path).parent
        argv = [self._server, str(own), "--dir", data_path, "--port", str(ctx.port), "--bind", "127.0.0.1"]
        return Launch(argv, {**ctx.environment, "HOME": str(home)}, ctx.directory, (programs,))


def found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise RedisMissing(f"{program} is not installed here, or not in PATH")
    return path


def contained(text: str) -> str:
    """The text without its `dir` lines: that path exists in the image only."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if line.split()[:1] != ["dir"])


def mount_path(ctx: ContainerContext, kind: str) -> str:
    """Where the container has its volume of that kind."""
    volumes = {volume["name"] for volume in ctx.pod["spec"]["volumes"] if kind in volume}
    return next(str(mount["mountPath"]) for mount in ctx.container["volumeMounts"] if mount["name"] in volumes)


def port_of(root: Path, pod: Object) -> int:
    """The port of a running Redis pod."""
    container = pod["spec"]["containers"][0]["name"]
    return int((root / "pods" / pod["metadata"]["uid"] / "containers" / container / PORT_FILE).read_text())


def write(path: Path, text: str, mode: int) -> Path:
    """A fresh file with that mode from the start; a running process keeps the one it has open."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    return path
