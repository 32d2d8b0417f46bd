"""Single files in a pod: looked at, renamed, removed, copied in and out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster import copying, scripts
from orchestrator.cluster.execs import Ran, Stdin
from orchestrator.cluster.pods import At, Pods, whole
from orchestrator.cluster.sources import Source, unchanged
from orchestrator.errors import ClusterRefused, ClusterUnreachable
from orchestrator.port import FileSeen, WorkloadSeen


class Files:
    def __init__(self, pods: Pods, bundle: Path | None) -> None:
        self._pods, self._bundle = pods, bundle
        self._memory = copying.Memory()

    def seen(
        self, workload: WorkloadSeen, paths: Sequence[str], *, digests: bool
    ) -> Mapping[str, FileSeen | None]:
        command = scripts.argv(scripts.FILES, "1" if digests else "0", *paths)
        ran = self._pods.run(workload.pod, workload.container, command)
        if ran.code:
            raise ClusterUnreachable(f"files in pod {workload.pod} cannot be read: {ran.complaint}")
        lines = whole(ran).splitlines()
        return {path: file_seen(line) for path, line in zip(paths, lines, strict=False)}

    def set_aside(self, effect: fx.SetAside, at: At) -> Iterator[ev.EffectFact]:
        self._pods.command(effect, scripts.SET_ASIDE, effect.path, effect.aside)
        yield ev.FileSetAside(**at, pod=effect.pod, path=effect.path, aside=effect.aside)

    def put_back(self, effect: fx.PutBack, at: At) -> Iterator[ev.EffectFact]:
        self._pods.command(effect, scripts.SET_ASIDE, effect.aside, effect.path)
        yield ev.FilePutBack(**at, pod=effect.pod, path=effect.path, aside=effect.aside)

    def remove(self, effect: fx.RemovePath, at: At) -> Iterator[ev.EffectFact]:
        self._pods.command(effect, scripts.REMOVE, effect.path)
        yield ev.FileRemoved(**at, pod=effect.pod, path=effect.path)

    def copy_in(self, effect: fx.CopyIn, at: At) -> Iterator[ev.EffectFact]:
        """One fact a chunk, then one for the file."""
        if self._bundle is None:
            raise ClusterRefused("this run has no bundle to copy from")
        source = unchanged(self._bundle / effect.source, effect.size_bytes)
        run, known = self._pods.runner(effect), self._memory.of(effect.container, effect.part)
        for chunk in copying.copy_chunks(run, Source.of_file(source), effect.part, known):
            yield ev.FileChunkCopied(
                **at, pod=effect.pod, path=effect.path, offset_bytes=chunk.offset_bytes,
                size_bytes=chunk.size_bytes, sha256=chunk.sha256,
            )  # fmt: skip
        copying.finish(run, effect.part, effect.path, effect.sha256)
        self._memory.forget(effect.container, effect.part)
        yield ev.FileCopied(
            **at, pod=effect.pod, path=effect.path, size_bytes=effect.size_bytes, sha256=effect.sha256
        )

    def fetch(self, workload: WorkloadSeen, path: str, target: Path) -> Iterator[copying.Chunk]:
        """Copy a file of a pod to `target` here, which appears when it is whole; a part beside it is gone on with."""
        seen = self.seen(workload, [path], digests=True)[path]
        if seen is None or seen.is_directory:
            raise ClusterRefused(f"{path} in pod {workload.pod} is no file")
        part = target.with_name(f"{target.name}.part")

        def run(command: list[str], stdin: Stdin) -> Ran:
            return self._pods.run(workload.pod, workload.container, command, stdin)

        yield from copying.fetch_chunks(run, path, seen.size_bytes, part)
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != seen.sha256:
            raise ClusterUnreachable(f"{path} in pod {workload.pod} changed while it was copied")
        part.replace(target)


def file_seen(line: str) -> FileSeen | None:
    _, kind, size, digest = line.split(" ")
    if kind == "-":
        return None
    return FileSeen(
        size_bytes=int(size), is_directory=kind == "d", sha256="" if digest == "-" else digest
    )
