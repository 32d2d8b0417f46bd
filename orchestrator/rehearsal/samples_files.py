"""Sample files for the storage of porta: names that a copy may stumble over, of every type there is.

Pure: names and contents, no disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from typing import NamedTuple

from orchestrator.rehearsal.samples import Estate

PIECES_PER_FILE = 8


class SampleFile(NamedTuple):
    """Path below the storage, as bytes, since names need not be text. Without content and target: a directory."""

    path: bytes
    content: bytes | None = None
    link_target: bytes | None = None


ODD_NAMES = (
    b"with space.txt", b"with\nnewline.txt", b"-rf", b"--help", "Müller & Söhne.pdf".encode(), b"latin1-\xfc\xff.bin",
    b"quote'\"s.txt", b"back\\slash", b"$(id) `id`;", b"*", b".hidden", b"tab\there", b"%s%n", b" ", b"a" * 200,
)  # fmt: skip


def sample(estate: Estate) -> Iterator[SampleFile]:
    """Every path is named after its directory, and a directory precedes what is in it."""
    mark = estate.mark.encode()
    yield SampleFile(b"provider-name")
    for tenant in estate.tenants:
        place = b"provider-name/" + tenant.name.encode()
        yield SampleFile(place)
        yield SampleFile(place + b"/2026")
        for number in range(8):
            yield SampleFile(place + b"/2026/invoice-%d.pdf" % number, b"%%PDF-1.4 %s %d\n" % (mark, number) * (1 + number * 40))
    yield SampleFile(b"odd names")
    for name in ODD_NAMES:
        yield SampleFile(b"odd names/" + name, b"%s: %s\n" % (mark, name))
    yield SampleFile(b"odd names/empty file", b"")
    yield SampleFile(b"empty directory")
    yield SampleFile(b"links")
    yield SampleFile(b"links/within", link_target=b"../odd names/with space.txt")
    yield SampleFile(b"links/nowhere", link_target=b"gone-" + mark)
    yield SampleFile(b"only in " + mark, mark)
    yield SampleFile(b"all bytes", bytes(range(256)) * 16 + mark)
    noise = estate.noise("system-storage")
    for number in count():
        if not (content := b"".join(islice(noise, PIECES_PER_FILE))):
            return
        yield SampleFile(b"noise-%d.bin" % number, content)
