"""Files that were copied out of pods to this machine, in a directory of their own that only their owner can read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster import copying
from orchestrator.cluster.pods import At, Pods
from orchestrator.errors import ClusterRefused, PodChanged
from orchestrator.port import FileSeen
from orchestrator.trees import digest_file

PART: Final = ".part"


class Copies:
    """directory: None where nothing may be kept on this machine. It is made when the first file comes."""

    def __init__(self, pods: Pods) -> None:
        self.directory: Path | None = None
        self._pods = pods
        self._memory = copying.Memory()
        self._known: dict[str, tuple[object, FileSeen]] = {}

    def path(self, target: str) -> Path:
        if self.directory is None:
            raise ClusterRefused("there is no directory on this machine for what is copied out of a pod")
        if not target or target.startswith(".") or "/" in target or target.endswith(PART):
            raise ClusterRefused(f"{target!r} is no name for a copy")
        return self.directory / target

    def seen(self, target: str) -> FileSeen | None:
        """Size and digest of a copy; it is read again only where size or times have changed."""
        path = self.path(target)
        try:
            s = path.lstat()
            looks = (s.st_mode, s.st_size, s.st_mtime_ns, s.st_ino, s.st_ctime_ns)
            known = self._known.get(target)
            if known is None or known[0] != looks:
                size_bytes, sha256 = digest_file(os.fsencode(path))
                known = self._known[target] = (looks, FileSeen(size_bytes=size_bytes, sha256=sha256))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ClusterRefused(f"{path} on this machine cannot be read: {error.strerror}") from error
        return known[1]

    def copy_out(self, effect: fx.CopyOut, at: At) -> Iterator[ev.EffectFact]:
        """One fact a chunk, then one for the file, which has its name only when it is whole and durable."""
        path = self.path(effect.target)
        part = path.with_name(path.name + PART)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ClusterRefused(f"{path.parent} cannot be made on this machine: {error.strerror}") from error
        known = self._memory.of(effect.container, str(part))
        for moved in copying.fetch_chunks(self._pods.runner(effect), effect.path, part, effect.size_bytes, known):
            yield copying.fact_of(moved, at, effect.pod, effect.path, ev.FileChunkCopiedOut)
        self._memory.forget(effect.container, str(part))
        if digest_file(os.fsencode(part)) != (effect.size_bytes, effect.sha256):
            raise PodChanged(f"{effect.path} in pod {effect.pod} is not what was seen there")
        part.replace(path)
        sync_directory(path.parent)
        yield ev.FileCopiedOut(
            **at, pod=effect.pod, path=effect.path, target=effect.target, size_bytes=effect.size_bytes, sha256=effect.sha256
        )

    def remove(self, effect: fx.RemoveCopy, at: At) -> Iterator[ev.EffectFact]:
        """What is not whole goes too."""
        path = self.path(effect.target)
        for file in (path, path.with_name(path.name + PART)):
            file.unlink(missing_ok=True)
        yield ev.CopyRemoved(**at, target=effect.target)


def sync_directory(path: Path) -> None:
    """A new name is durable when its directory is."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
