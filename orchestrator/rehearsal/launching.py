"""From the spec of a container to the process to start: environment, mounts, recipe, PATH.

Everything is read anew at each start, as the ConfigMaps and Secrets behind it may have changed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.rehearsal.environments import container_environment, expand
from orchestrator.rehearsal.images import ContainerContext, Launch, Recipe, recipe_for
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.processes import Processes
from orchestrator.rehearsal.recorder import Recorder
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.volumes import container_mounts, make_directory, write_file

SHELL_FILE = "shell.bash"
MAIN_PID_FILE = "main.pid"
SHELL = """\
# In a container the main process has the pid 1; here it is an ordinary process.
kill() {
  local argument arguments=()
  for argument; do
    [ "$argument" = 1 ] && argument=$(cat "$REHEARSAL_MAIN_PID_FILE")
    arguments+=("$argument")
  done
  builtin kill "${arguments[@]}"
}
"""


@dataclass(frozen=True)
class Surroundings:
    """What the containers of one pod share."""

    store: Store
    processes: Processes
    recorder: Recorder
    recipes: Sequence[tuple[str, Recipe]]
    root: Path
    pod: Object
    directory: Path
    volumes: dict[str, Path]
    """Volume name -> directory; filled before the first container starts."""
    port: int


def prepare_launch(around: Surroundings, spec: Object, directory: Path) -> Launch:
    """The launch of the container `spec`, complete with HOME and PATH. ConfigError when a value is missing."""
    make_directory(directory)
    environment = {"HOME": str(directory), **container_environment(around.store, around.pod, spec)}
    words = {key: [expand(word, environment) for word in spec.get(key) or []] for key in ("command", "args")}
    context = ContainerContext(
        pod=around.pod,
        container={**spec, **words},
        directory=directory,
        root=around.root,
        mounts=container_mounts(spec, around.volumes),
        environment=environment | _shell_helpers(directory),
        port=around.port,
        namespace=around.pod["metadata"]["namespace"],
    )
    launch = recipe_for(spec["image"], around.recipes).launch(context)
    return replace(launch, environment=_with_path(launch))


def note_main_process(directory: Path, pid: int) -> None:
    """Tells the shells of the container which process is their process 1."""
    write_file(directory / MAIN_PID_FILE, f"{pid}\n".encode())


def _shell_helpers(directory: Path) -> dict[str, str]:
    """What lets a bash of this container speak of its main process as process 1."""
    shell = directory / SHELL_FILE
    write_file(shell, SHELL.encode())
    return {"BASH_ENV": str(shell), "REHEARSAL_MAIN_PID_FILE": str(directory / MAIN_PID_FILE)}


def _with_path(launch: Launch) -> dict[str, str]:
    prefix = [str(path) for path in launch.path_prefix]
    inherited = launch.environment.get("PATH", os.defpath)
    return {**launch.environment, "PATH": os.pathsep.join([*prefix, inherited])}
