"""A file into a pod, chunk by chunk; the pod is the truth for what has arrived.

The file grows as `part`. What is there already is compared by digest and kept; of a chunk that was cut
off nothing counts, and only it travels again. The digest of every chunk is computed by the pod from what
its file holds. The end is the digest of the whole file, then a rename.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cluster import scripts
from orchestrator.cluster.execs import Ran
from orchestrator.errors import ClusterRefused, ClusterUnreachable, PlanChanged

CHUNK_BYTES = 8 * 1024 * 1024
DISK_EXIT_CODE = 8

Run = Callable[[list[str], bytes], Ran]


@dataclass(frozen=True, slots=True)
class Chunk:
    offset_bytes: int
    size_bytes: int
    sha256: str


def copy_chunks(run: Run, source: Path, part: str) -> Iterator[Chunk]:
    """Bring `part` in the pod to the content of source; yields each chunk when the pod has confirmed it."""
    with source.open("rb") as file:
        offset = arrived(run, file_prefix(source), part)
        file.seek(offset)
        while data := file.read(CHUNK_BYTES):
            digest = hashlib.sha256(data).hexdigest()
            ran = run(scripts.argv(scripts.CHUNK, part, str(offset), str(len(data))), data)
            if words(ran, part)[:1] != [digest]:
                raise ClusterUnreachable(f"a chunk of {part} arrived damaged")
            yield Chunk(offset, len(data), digest)
            offset += len(data)
        if offset == 0:
            run(scripts.argv(scripts.CHUNK, part, "0", "0"), b"")


def finish(run: Run, part: str, path: str, sha256: str) -> None:
    """Rename the whole file into place, if its digest is right."""
    ran = run(scripts.argv(scripts.FINISH, part, path, sha256), b"")
    if ran.code == 10:
        run(scripts.argv(scripts.REMOVE, part), b"")
        raise ClusterUnreachable(f"{path}: {ran.complaint}")
    if ran.code:
        raise ClusterRefused(f"{path} could not be put in place: {ran.complaint}")


def arrived(run: Run, prefix_digest: Callable[[int], str], part: str) -> int:
    """How many bytes of the file are in the pod and right; 0 where what is there is something else."""
    size, digest = words(run(scripts.argv(scripts.PART, part), b""), part)[:2]
    return int(size) if digest == prefix_digest(int(size)) else 0


def file_prefix(source: Path) -> Callable[[int], str]:
    def digest(size_bytes: int) -> str:
        if size_bytes == 0:
            return "-"
        sha, left = hashlib.sha256(), size_bytes
        with source.open("rb") as file:
            while left and (data := file.read(min(left, 1 << 20))):
                sha.update(data)
                left -= len(data)
        return sha.hexdigest() if not left else ""

    return digest


def words(ran: Ran, path: str) -> list[str]:
    """The answer of a script, whole or not at all."""
    if ran.code == DISK_EXIT_CODE:
        raise ClusterRefused(f"{path} cannot be written in the pod: {ran.complaint}")
    if ran.code:
        raise ClusterUnreachable(f"{path}: {ran.complaint}")
    lines = ran.out.decode("utf-8", "replace").split("\n")
    if scripts.END not in lines:
        raise ClusterUnreachable("the pod's answer was cut off")
    return lines[0].split()


def unchanged(source: Path, size_bytes: int) -> Path:
    """The bundle's file, as long as it still has the size that the plan knows."""
    try:
        found = source.stat().st_size
    except OSError as error:
        raise PlanChanged(f"{source} of the bundle cannot be read any more: {error.strerror}") from error
    if found != size_bytes:
        raise PlanChanged(f"{source} has {found} bytes; the plan was made for {size_bytes}")
    return source
