"""restore export: a run for other programs."""

from __future__ import annotations

import enum
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands import printer, wiring
from commands.looking import Out, SignKey, read_file, write_file
from commands.options import JournalPath, Run
from orchestrator.errors import UsageWrong

if TYPE_CHECKING:
    from journal import Journal
    from orchestrator.forensics.story import Story


class ExportFormat(enum.StrEnum):
    jsonl = "jsonl"
    cloudevents = "cloudevents"
    otlp = "otlp"
    prometheus = "prometheus"
    sqlite = "sqlite"
    evidence = "evidence"


def export(
    run: Run,
    format_: Annotated[ExportFormat, typer.Option("--format", help="What it is exported as.")],
    out: Out = None,
    sign_key: SignKey = None,
    journal: JournalPath = None,
) -> None:
    """Export a run: its facts, a trace, metrics, a copy of the journal, or an archive of evidence.

    jsonl, cloudevents (1.0, structured JSON), otlp (OTLP/JSON, for a collector's /v1/traces) and prometheus (a
    textfile) go to stdout unless --out names a file. sqlite is a consistent copy of the whole journal, taken
    while a run may go on; evidence is a zip with a verifier that needs only Python. Both need --out.

    Exit status: 0 done, 2 the file or key is none, 10 unknown run, 12 journal damaged.
    """
    from orchestrator.forensics.reading import history, story

    if sign_key is not None and format_ is not ExportFormat.evidence:
        raise UsageWrong("--sign-key goes with --format evidence", hint=f"restore verify {run} --sign-key {sign_key}")
    ledger = wiring.open_journal(journal, write=False)
    told = story(run, history(ledger, run).facts)
    if format_ in TEXTS:
        text = TEXTS[format_](told)
        if out is None:
            printer.say(text.rstrip("\n"))
            return
        # The node exporter runs as a user of its own; a metric is no secret.
        write_file(out, text.encode(), 0o644 if format_ is ExportFormat.prometheus else 0o600)
    elif out is None:
        if format_ is ExportFormat.sqlite:
            raise UsageWrong("--format sqlite needs --out FILE", hint=f"restore export {run} --format sqlite --out FILE")
        raise UsageWrong("--format evidence needs --out FILE", hint=f"restore export {run} --format evidence --out FILE")
    elif format_ is ExportFormat.sqlite:
        copy(ledger, out)
    else:
        write_file(out, evidence(ledger, told, read_file(sign_key) if sign_key else None))
    printer.tell(f"{format_.value} of {run}: {out}")


def copy(ledger: Journal, out: Path) -> None:
    from orchestrator.runs import explained

    if out.exists():
        raise UsageWrong(f"{out} exists already", hint=f"ls -l {out}")
    with explained():
        ledger.copy_to(out)


def evidence(ledger: Journal, told: Story, key: bytes | None) -> bytes:
    from journal import blobs_in
    from orchestrator.forensics.exports.evidence import archive
    from orchestrator.forensics.proving import prove
    from orchestrator.runs import explained

    proof = prove(ledger, told.run)
    with explained(told.run):
        blobs = {name: ledger.get_blob(name) for fact in told.facts for name in blobs_in(fact.data)} if proof.is_ok else {}
    return archive(told, proof.sentence(), blobs, key)


def jsonl(told: Story) -> str:
    from orchestrator.forensics.exports import jsonl

    return jsonl.export(told.facts)


def cloudevents(told: Story) -> str:
    from orchestrator.forensics.exports import cloudevents

    return cloudevents.export(told.run, told.facts)


def otlp(told: Story) -> str:
    from orchestrator.forensics.exports import otlp

    return otlp.export(told)


def prometheus(told: Story) -> str:
    from orchestrator.forensics.exports import prometheus

    return prometheus.export(told)


TEXTS: dict[ExportFormat, Callable[[Story], str]] = {
    ExportFormat.jsonl: jsonl, ExportFormat.cloudevents: cloudevents, ExportFormat.otlp: otlp,
    ExportFormat.prometheus: prometheus,
}
