"""Checks an archive of evidence with nothing but Python's standard library (3.8 or later).

    python3 verify.py [--head SEQ:DIGEST]

It stands beside the files of the archive, unpacked. It recomputes the digest of every fact, follows the chain
from the first to the last, compares every blob and every file with its digest, and says what it found. Exit
status: 0 when everything holds, 1 when something does not.

A digest is SHA-256 over the columns below, in that order; each contributes `<kind><length>:<bytes>`, where
kind is t for text (UTF-8), i for an integer (decimal), n for null. `data` is JSON with sorted keys and
without spaces. `prev` is the digest of the fact before, 64 zeros before the first.
"""

import hashlib
import json
import sys
from pathlib import Path

COLUMNS = ("run", "seq", "recorded_at", "epoch", "actor", "type", "version", "step", "attempt", "data", "prev")


class Flaw(Exception):
    """The first thing that does not hold."""


def cell(value: object) -> bytes:
    if value is None:
        return b"n0:"
    kind, raw = (b"i", b"%d" % value) if isinstance(value, int) else (b"t", str(value).encode())
    return b"%s%d:%s" % (kind, len(raw), raw)


def digest_of(fact: dict) -> str:  # type: ignore[type-arg]
    data = json.dumps(fact["data"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(b"".join(cell(data if name == "data" else fact[name]) for name in COLUMNS)).hexdigest()


def blobs_in(value: object) -> "list[str]":
    if isinstance(value, dict):
        if len(value) == 1 and isinstance(value.get("blob"), str):
            return [value["blob"]]
        value = list(value.values())
    return [found for item in value for found in blobs_in(item)] if isinstance(value, list) else []


def check_chain(directory: Path) -> "list[str]":
    """The digests of all facts, in order."""
    prev, digests = "0" * 64, []
    lines = (directory / "facts.jsonl").read_bytes().split(b"\n")[:-1]  # not splitlines: U+2028 is no end here
    for number, line in enumerate(lines, start=1):
        fact = json.loads(line)
        if fact["seq"] != number:
            raise Flaw(f"fact {number} is missing")
        if fact["prev"] != prev:
            raise Flaw(f"fact {number} does not follow the fact before it")
        prev = digest_of(fact)
        if prev != fact["digest"]:
            raise Flaw(f"fact {number} is not what was written: its digest differs")
        for blob in blobs_in(fact["data"]):
            path = directory / "blobs" / blob
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != blob:
                raise Flaw(f"fact {number} refers to the blob {blob}, which is missing or changed")
        digests.append(prev)
    return digests


def check_head(directory: Path, digests: "list[str]", noted: str) -> str:
    """The statement of the head in the archive, and the one that was noted elsewhere, are in the chain."""
    lines = dict(line.split(" ", 1) for line in (directory / "head.txt").read_text("utf-8").splitlines()[1:])
    for seq, digest in [(lines["fact"], lines["digest"]), *([tuple(noted.split(":"))] if noted else [])]:
        if int(seq) > len(digests):
            raise Flaw(f"the chain is cut off after fact {len(digests)}: a head was taken at fact {seq}")
        if digests[int(seq) - 1] != digest:
            raise Flaw(f"fact {seq} or one before it was rewritten since its head was taken")
    if int(lines["fact"]) != len(digests):
        raise Flaw("the chain does not end where its head says")
    return f"{lines['fact']}:{lines['digest']}"


def check_files(directory: Path) -> int:
    """Every file of the list is as it was put in, and there is none beside."""
    listed = {}
    for line in (directory / "SHA256SUMS").read_text("utf-8").splitlines():
        digest, name = line.split("  ", 1)
        listed[name] = digest
    for name, digest in listed.items():
        path = directory / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise Flaw(f"the file {name} is missing or changed")
    return len(listed)


def main(words: "list[str]") -> int:
    directory = Path(__file__).resolve().parent
    noted = words[1] if len(words) == 2 and words[0] == "--head" else ""
    if words and not noted:
        sys.stderr.write("usage: python3 verify.py [--head SEQ:DIGEST]\n")
        return 2
    try:
        count = check_files(directory)
        digests = check_chain(directory)
        head = check_head(directory, digests, noted)
    except Flaw as flaw:
        sys.stdout.write(f"BROKEN: {flaw}\n")
        return 1
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.stdout.write(f"BROKEN: {type(error).__name__}: {error}\n")
        return 1
    sys.stdout.write(f"OK: {count} files, {len(digests)} facts, chain unbroken; head {head}\n")
    if not noted:
        sys.stdout.write("Whoever made this archive could have made all of it; compare the head with one noted elsewhere.\n")
    if (directory / "head.txt.sig").is_file():
        sys.stdout.write("The head is signed; check it with: openssl pkeyutl -verify -rawin -pubin -inkey public.pem"
                         " -in head.txt -sigfile head.txt.sig\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
