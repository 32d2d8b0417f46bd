"""An archive of evidence: what a run's journal holds, in files that anybody can read, and a verifier for them.

The same run gives the same bytes: names in order, one fixed time on every entry. Pure but for the archive's
own buffer.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from importlib.resources import files

from orchestrator.forensics.exports import jsonl
from orchestrator.forensics.markdown import document
from orchestrator.forensics.page.document import page
from orchestrator.forensics.signing import Statement, public_of, sign
from orchestrator.forensics.story import Story

BEGINNING = (1980, 1, 1, 0, 0, 0)  # the earliest time that the format has
README = """\
Evidence of the restore {run}

facts.jsonl    every fact of its journal, in order, one JSON object a line
blobs/         what facts refer to by digest
plan.json      the plan that was carried out
report.html    the run told; open it in a browser
report.md      the same as a document
head.txt       the end of the chain{signed}
SHA256SUMS     a digest of each file here: sha256sum -c SHA256SUMS
verify.py      checks all of it: python3 verify.py

A chain alone shows that nothing within it was changed. That nothing was cut off its end, and that not all of it
was written anew, is shown by a head that was noted elsewhere: python3 verify.py --head SEQ:DIGEST
"""


def archive(story: Story, proof: str, blobs: Mapping[str, bytes], private_pem: bytes | None) -> bytes:
    """A zip file with one folder, named as the run. `proof` is the verdict on the journal, in a sentence."""
    contents = contents_of(story, proof, blobs, private_pem)
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in contents.items())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in [*contents.items(), ("SHA256SUMS", sums.encode())]:
            entry = zipfile.ZipInfo(f"{story.run}/{name}", BEGINNING)
            entry.external_attr = 0o644 << 16
            zipped.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def contents_of(story: Story, proof: str, blobs: Mapping[str, bytes], private_pem: bytes | None) -> dict[str, bytes]:
    statement = Statement(story.run, story.facts[-1].seq, story.facts[-1].digest)
    signed = {} if private_pem is None else {
        "head.txt.sig": sign(statement, private_pem), "public.pem": public_of(private_pem)
    }
    note = ", signed: head.txt.sig, by the key of public.pem" if signed else ""
    return {
        "README.txt": README.format(run=story.run, signed=note).encode(),
        "facts.jsonl": jsonl.export(story.facts).encode(),
        **{f"blobs/{sha256}": data for sha256, data in sorted(blobs.items())},
        "plan.json": (json.dumps(story.opened.plan, indent=2, ensure_ascii=False) + "\n").encode(),
        "report.html": page(story, proof).encode(),
        "report.md": document(story, proof).encode(),
        "head.txt": statement.text().encode(),
        **signed,
        "verify.py": files(__package__).joinpath("verifier.py").read_bytes(),
    }
