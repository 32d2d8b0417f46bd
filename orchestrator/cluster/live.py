"""Reader and Cluster for any cluster that a kubeconfig names. It doesn't know whether it is embedded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import assert_never

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster import copying, scripts
from orchestrator.cluster.connection import Connection
from orchestrator.cluster.execs import Execs, Ran
from orchestrator.cluster.redis_answers import configured, redis_seen
from orchestrator.cluster.rest import JSON_PATCH, MERGE_PATCH, Conflict, Object, Rest
from orchestrator.cluster.workloads import RESTARTED_AT, container_of, path_of, workload_seen
from orchestrator.errors import ClusterRefused, ClusterUnreachable
from orchestrator.port import ConfigMapSeen, FileSeen, RedisSeen, WorkloadSeen


class LiveCluster:
    """One namespace of one cluster."""

    def __init__(self, connection: Connection, bundle: Path | None = None) -> None:
        self.connection = connection
        self.rest = Rest(connection)
        self.execs = Execs(connection)
        self.bundle = bundle
        self.core = f"/api/v1/namespaces/{connection.namespace}"

    def __enter__(self) -> LiveCluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.execs.close()

    # ---- Reader --------------------------------------------------------------------------------

    def configmap(self, name: str, key: str) -> ConfigMapSeen | None:
        found = self.rest.find(f"{self.core}/configmaps/{name}")
        if found is None:
            return None
        text = (found.get("data") or {}).get(key)
        return ConfigMapSeen(resource_version=found["metadata"]["resourceVersion"], text=text)

    def workload(self, kind: str, name: str) -> WorkloadSeen | None:
        found = self.rest.find(path_of(self.connection.namespace, kind, name))
        return None if found is None else workload_seen(self.rest, self.connection.namespace, kind, found)

    def redis(self, workload: WorkloadSeen) -> RedisSeen | None:
        command = scripts.argv(scripts.REDIS, "save", "appendonly")
        ran = self.in_pod(workload.pod, workload.container, command)
        return None if ran.code else redis_seen(whole(ran))

    def redis_settings(self, workload: WorkloadSeen, names: Sequence[str]) -> dict[str, str]:
        """CONFIG GET of each name, and `version`."""
        ran = self.in_pod(workload.pod, workload.container, scripts.argv(scripts.REDIS, *names))
        if ran.code:
            raise ClusterUnreachable(f"redis-cli in pod {workload.pod} does not work: {ran.complaint}")
        return configured(whole(ran))

    def files(
        self, workload: WorkloadSeen, paths: Sequence[str], *, digests: bool = False
    ) -> Mapping[str, FileSeen | None]:
        command = scripts.argv(scripts.FILES, "1" if digests else "0", *paths)
        ran = self.in_pod(workload.pod, workload.container, command)
        if ran.code:
            raise ClusterUnreachable(f"files in pod {workload.pod} cannot be read: {ran.complaint}")
        lines = whole(ran).splitlines()
        return {path: file_seen(line) for path, line in zip(paths, lines, strict=False)}

    # ---- Cluster -------------------------------------------------------------------------------

    def perform(self, effect: fx.Effect, *, step: str, attempt: int) -> Iterator[ev.EffectFact]:
        """Each effect leaves its fact once it is performed; a copy leaves one a chunk as well."""
        at: dict[str, str | int] = {"step": step, "attempt": attempt}
        match effect:
            case fx.EditConfigMap():
                yield self.edit(effect, at)
            case fx.RollOut():
                yield self.roll_out(effect, at)
            case fx.SetAside():
                self.command(effect, scripts.SET_ASIDE, effect.path, effect.aside)
                yield ev.FileSetAside(**at, pod=effect.pod, path=effect.path, aside=effect.aside)
            case fx.PutBack():
                self.command(effect, scripts.SET_ASIDE, effect.aside, effect.path)
                yield ev.FilePutBack(**at, pod=effect.pod, path=effect.path, aside=effect.aside)
            case fx.RemovePath():
                self.command(effect, scripts.REMOVE, effect.path)
                yield ev.FileRemoved(**at, pod=effect.pod, path=effect.path)
            case fx.CopyIn():
                yield from self.copy_in(effect, at)
            case fx.RewriteAof():
                answer = self.command(effect, scripts.BGREWRITEAOF)
                yield ev.AofRewriteRequested(**at, pod=effect.pod, answer=answer)
            case fx.SwitchAppendingOn():
                self.command(effect, scripts.APPEND)
                yield ev.AppendingSwitchedOn(**at, pod=effect.pod)
            case _:
                assert_never(effect)

    def edit(self, effect: fx.EditConfigMap, at: Mapping[str, object]) -> ev.EffectFact:
        pointer = "/data/" + effect.key.replace("~", "~0").replace("/", "~1")
        patch = [
            {"op": "test", "path": pointer, "value": effect.expected},
            {"op": "replace", "path": pointer, "value": effect.text},
        ]
        try:
            after = self.rest.patch(f"{self.core}/configmaps/{effect.configmap}", patch, JSON_PATCH)
        except ClusterRefused as error:
            if "(422" in error.message:  # the `test` failed: somebody was quicker
                raise Conflict(f"ConfigMap {effect.configmap} changed meanwhile") from error
            raise
        version = after["metadata"]["resourceVersion"]
        return ev.ConfigMapEdited.model_validate(
            {**at, "configmap": effect.configmap, "key": effect.key, "resource_version": version}
        )

    def roll_out(self, effect: fx.RollOut, at: Mapping[str, object]) -> ev.EffectFact:
        path = path_of(self.connection.namespace, effect.kind, effect.workload)
        if effect.kind == "DeploymentConfig":
            request = {
                "apiVersion": "apps.openshift.io/v1", "kind": "DeploymentRequest",
                "name": effect.workload, "latest": True, "force": True,
            }
            after = self.instantiate(f"{path}/instantiate", request)
            revision = after.get("status", {}).get("latestVersion", "")
        else:
            mark = {"metadata": {"annotations": {RESTARTED_AT: effect.restarted_at}}}
            after = self.rest.patch(path, {"spec": {"template": mark}}, MERGE_PATCH)
            revision = after["metadata"].get("generation", "")
        return ev.RolloutStarted.model_validate(
            {**at, "workload": effect.workload, "revision": str(revision)}
        )

    def instantiate(self, path: str, request: Object) -> Object:
        try:
            return self.rest.post(path, request)
        except ClusterRefused as error:
            if "already in progress" in error.message:
                raise Conflict("a rollout is in progress already") from error
            raise

    def copy_in(self, effect: fx.CopyIn, at: Mapping[str, object]) -> Iterator[ev.EffectFact]:
        if self.bundle is None:
            raise ClusterRefused("this run has no bundle to copy from")
        source = copying.unchanged(self.bundle / effect.source, effect.size_bytes)
        run = self.runner(effect)
        place = {**at, "pod": effect.pod, "path": effect.path}
        for chunk in copying.copy_chunks(run, source, effect.part):
            yield ev.FileChunkCopied.model_validate(
                {
                    **place, "offset_bytes": chunk.offset_bytes, "size_bytes": chunk.size_bytes,
                    "sha256": chunk.sha256,
                }
            )
        copying.finish(run, effect.part, effect.path, effect.sha256)
        yield ev.FileCopied.model_validate(
            {**place, "size_bytes": effect.size_bytes, "sha256": effect.sha256}
        )

    # ---- in a pod ------------------------------------------------------------------------------

    def command(self, effect: fx.InPod, script: str, *arguments: str) -> str:
        """Run a script that changes something; its first line of output. A complaint is a refusal."""
        ran = self.runner(effect)(scripts.argv(script, *arguments), b"")
        if ran.code:
            raise ClusterRefused(f"{effect.say()} failed in pod {effect.pod}: {ran.complaint}")
        return ran.out.decode("utf-8", "replace").strip().split("\n")[0]

    def runner(self, effect: fx.InPod) -> Callable[[list[str], bytes], Ran]:
        def run(command: list[str], stdin: bytes) -> Ran:
            return self.in_pod(effect.pod, effect.container, command, stdin)

        return run

    def in_pod(self, pod: str, identity: str, command: list[str], stdin: bytes = b"") -> Ran:
        """Exec in the very container that was seen; another one under its name is refused."""
        found = self.rest.find(f"{self.core}/pods/{pod}")
        container = container_of(found) if found else None
        if container is None or container.identity != identity:
            raise ClusterUnreachable(f"pod {pod} was replaced meanwhile")
        return self.execs.run(pod, container.name, command, stdin)


def whole(ran: Ran) -> str:
    """A script's answer without its last line; an answer without that line was cut off."""
    text = ran.out.decode("utf-8", "replace").rstrip("\n")
    body, _, last = text.rpartition("\n")
    if last != scripts.END:
        raise ClusterUnreachable("the pod's answer was cut off")
    return body


def file_seen(line: str) -> FileSeen | None:
    _, kind, size, digest = line.split(" ")
    if kind == "-":
        return None
    return FileSeen(
        size_bytes=int(size), is_directory=kind == "d", sha256="" if digest == "-" else digest
    )
