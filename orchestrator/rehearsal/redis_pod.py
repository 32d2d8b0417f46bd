"""What runs in a Redis pod of the rehearsal: a real redis-server, on the pod's own port and data.

The server gets the text of the ConfigMap as the pod has it mounted, with three things that a container's
walls would do for it: the data directory is the mounted claim, the port is the pod's, and it listens on
loopback only. A wrapper in front of redis-cli knows that port, so that `redis-cli` in the pod finds the
server as it does in the image.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from orchestrator.rehearsal.images import ContainerContext, Launch
from orchestrator.rehearsal.programs import announce, data_mount, found, write

CONFIG_FILE = "redis.conf"


class RedisRecipe:
    """Launches redis-server. HOME is the directory above the data, as /var/lib/redis is in the image."""

    def __init__(self) -> None:
        self._server = found("redis-server", "redis-server")
        self._client = found("redis-tools", "redis-cli")

    def launch(self, ctx: ContainerContext) -> Launch:
        data_path = data_mount(ctx)
        config = ctx.mounts[config_mount(ctx)] / CONFIG_FILE
        own = write(ctx.directory / CONFIG_FILE, contained(config.read_text()), 0o600)
        home = Path(data_path).parent
        announce(ctx.root, home.name, ctx.port)
        wrapper = f"#!/bin/sh\nexec {shlex.quote(self._client)} -p {ctx.port} \"$@\"\n"
        programs = write(ctx.directory / "bin" / "redis-cli", wrapper, 0o700).parent
        argv = [self._server, str(own), "--dir", data_path, "--port", str(ctx.port), "--bind", "127.0.0.1"]
        return Launch(argv, {**ctx.environment, "HOME": str(home)}, ctx.directory, (programs,))


def contained(text: str) -> str:
    """The text without its `dir` lines: that path exists in the image only."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if line.split()[:1] != ["dir"])


def config_mount(ctx: ContainerContext) -> str:
    """Where the container has its ConfigMap."""
    volumes = {volume["name"] for volume in ctx.pod["spec"]["volumes"] if "configMap" in volume}
    return next(str(mount["mountPath"]) for mount in ctx.container["volumeMounts"] if mount["name"] in volumes)
