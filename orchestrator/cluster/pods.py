"""Commands in the very container that was seen, and their answers: whole, or not at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from orchestrator import effects as fx
from orchestrator.cluster import scripts
from orchestrator.cluster.execs import Execs, Ran, Run, Sink, Stdin
from orchestrator.cluster.rest import Rest
from orchestrator.cluster.workloads import container_of
from orchestrator.errors import ClusterRefused, ClusterUnreachable, PodChanged, RunHeldElsewhere
from orchestrator.fencing import Fence
from orchestrator.port import WorkloadSeen

At = Mapping[str, Any]  # step and attempt, which every fact of an effect carries

COMPLAINT_CHARS_MAX = 200
QUOTED = re.compile(r"'[^']*'?|\"[^\"]*\"?|`[^`]*`?")
PASSWORDS = re.compile(r"\b(password|identified by)\b.*", re.IGNORECASE)


class Pods:
    """The pods of one namespace."""

    def __init__(self, rest: Rest, execs: Execs, fence: Fence) -> None:
        self.rest, self.execs, self.fence = rest, execs, fence
        self._core = f"/api/v1/namespaces/{rest.connection.namespace}"

    def run(
        self, pod: str, identity: str, command: list[str], stdin: Stdin = b"", sink: Sink | None = None
    ) -> Ran:
        """Exec in the container of that identity; another one under its name is refused.

        While a run is carried, looks leave its epoch there too: what an older process of the run sends later comes to nothing.
        """
        found = self.rest.find(f"{self._core}/pods/{pod}")
        container = container_of(found) if found else None
        if container is None or container.identity != identity:
            raise PodChanged(f"pod {pod} was replaced meanwhile")
        if self.fence.run:
            command = scripts.fenced(command, self.fence.run, self.fence.epoch)
        ran = self.execs.run(pod, container.name, command, stdin, sink)
        if self.fence.run and ran.code == scripts.OLDER_EPOCH:
            raise RunHeldElsewhere(f"run {self.fence.run} was taken over: in pod {pod} {ran.complaint}", hint=f"restore log {self.fence.run}")
        return ran

    def script(self, at: fx.InPod | WorkloadSeen, script: str, *arguments: str) -> Ran:
        """Run a long script, sent by stdin."""
        if isinstance(at, fx.InPod):
            self.fence.check()
        ran = self.run(at.pod, at.container, *scripts.from_stdin(script, *arguments))
        if ran.code == scripts.CUT_OFF:
            raise ClusterUnreachable(f"a script for pod {at.pod} was cut off")
        return ran

    def runner(self, effect: fx.InPod) -> Run:
        def run(command: list[str], stdin: Stdin, sink: Sink | None = None) -> Ran:
            self.fence.check()
            return self.run(effect.pod, effect.container, command, stdin, sink)

        return run

    def command(self, effect: fx.InPod, script: str, *arguments: str) -> str:
        """Run a script that changes something; its first line of output. A complaint is a refusal."""
        ran = self.runner(effect)(scripts.argv(script, *arguments), b"")
        if ran.code:
            raise ClusterRefused(f"{effect.say()} failed in pod {effect.pod}: {ran.complaint}")
        return ran.out.decode("utf-8", "replace").strip().split("\n")[0]


def whole(ran: Ran) -> str:
    """A script's answer without its last line; an answer without that line was cut off."""
    return whole_bytes(ran).decode("utf-8", "replace")


def whole_bytes(ran: Ran) -> bytes:
    """The same for answers that hold names of files."""
    body, _, last = ran.out.rstrip(b"\n").rpartition(b"\n")
    if last != scripts.END.encode():
        raise ClusterUnreachable("the pod's answer was cut off")
    return body


def without_values(line: str) -> str:
    """A line that a program complained with, without what may be data or a password."""
    return PASSWORDS.sub(r"\1 …", QUOTED.sub("'…'", line)).strip()[:COMPLAINT_CHARS_MAX]
