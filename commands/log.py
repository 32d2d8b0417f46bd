"""restore log: the facts of a run, one sentence each."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands import printer, wiring
from commands.options import JournalPath, LogOutput, LogOutputAs, Output, Run

if TYPE_CHECKING:
    from orchestrator.events import Entry

FOLLOW_SECONDS = 0.5


def log(
    run: Run,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run is closed.")] = False,
    step: Annotated[str, typer.Option(help="Facts of this step only.", show_default=False)] = "",
    type_: Annotated[str, typer.Option("--type", help="Facts of this type only.", show_default=False)] = "",
    journal: JournalPath = None,
    output: LogOutputAs = LogOutput.table,
) -> None:
    """Print what happened, one sentence a fact, in the order of the journal."""
    from orchestrator.errors import UsageWrong
    from orchestrator.events import FACTS
    from orchestrator.runs import load

    if type_ and type_ not in FACTS:
        raise UsageWrong(f"there is no fact of type {type_}", hint=f"restore log {run} -o jsonl")
    ledger = wiring.open_journal(journal, write=False)
    shown = 0
    documents: list[dict[str, Any]] = []
    while True:
        loaded = load(ledger, run)
        if step and step not in loaded.state.steps:
            raise UsageWrong(f"{run} has no step {step}", hint=f"restore status {run}")
        for entry in loaded.entries[shown:]:
            if wanted(entry, step, type_):
                put(run, entry, output, documents)
        shown = len(loaded.entries)
        if not follow or loaded.state.closed:
            break
        time.sleep(FOLLOW_SECONDS)
    if output in (LogOutput.json, LogOutput.yaml):
        printer.document(documents, Output(output.value))


def wanted(entry: Entry, step: str, type_: str) -> bool:
    from orchestrator.events import encode

    name, _, of_step, _, _ = encode(entry.fact)
    return (not step or of_step == step) and (not type_ or name == type_)


def put(run: str, entry: Entry, output: LogOutput, documents: list[dict[str, Any]]) -> None:
    if output is LogOutput.table:
        printer.say(printer.line_of(entry))
    elif output is LogOutput.jsonl:
        printer.say(json.dumps(as_document(run, entry), ensure_ascii=False))
    else:
        documents.append(as_document(run, entry))


def as_document(run: str, entry: Entry) -> dict[str, Any]:
    """A fact as one JSON object."""
    from orchestrator.events import encode

    name, version, step, attempt, data = encode(entry.fact)
    return {
        "run": run, "seq": entry.seq, "recorded_at": entry.recorded_at.isoformat().replace("+00:00", "Z"),
        "epoch": entry.epoch, "type": name, "version": version, "step": step,
        "attempt": attempt, "sentence": entry.fact.sentence(), "data": data,
    }
