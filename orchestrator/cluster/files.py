"""Single files in a pod: looked at, renamed, removed, copied in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster import copying, scripts
from orchestrator.cluster.copies import Copies
from orchestrator.cluster.pods import At, Pods, whole
from orchestrator.cluster.sources import Source, unchanged
from orchestrator.errors import ClusterRefused, ClusterUnreachable
from orchestrator.port import FileSeen, WorkloadSeen


class Files:
    def __init__(self, pods: Pods, bundle: Path | None, copies: Copies) -> None:
        self._pods, self._bundle, self._copies = pods, bundle, copies
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
        source = unchanged(self._source(effect), effect.size_bytes)
        run, known = self._pods.runner(effect), self._memory.of(effect.container, effect.part)
        for moved in copying.copy_chunks(run, Source.of_file(source), effect.part, known):
            yield copying.fact_of(moved, at, effect.pod, effect.path)
        copying.finish(run, effect.part, effect.path, effect.sha256)
        self._memory.forget(effect.container, effect.part)
        yield ev.FileCopied(
            **at, pod=effect.pod, path=effect.path, size_bytes=effect.size_bytes, sha256=effect.sha256
        )

    def _source(self, effect: fx.CopyIn) -> Path:
        if effect.origin == "copies":
            return self._copies.path(effect.source)
        if self._bundle is None:
            raise ClusterRefused("this run has no bundle to copy from")
        return self._bundle / effect.source


def file_seen(line: str) -> FileSeen | None:
    _, kind, size, digest = line.split(" ")
    if kind == "-":
        return None
    return FileSeen(
        size_bytes=int(size), is_directory=kind == "d", sha256="" if digest == "-" else digest
    )
