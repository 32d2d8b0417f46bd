"""CloudEvents 1.0 in structured JSON mode, one event a line, one event a fact. Pure.

source and id follow from the run and the fact's number, so a consumer that gets an event twice can tell.
`sequence` is the specification's own extension for the order.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from orchestrator.forensics.told import Told, encode_type, stamp


def export(run: str, facts: Sequence[Told]) -> str:
    return "".join(json.dumps(event(run, told), ensure_ascii=False) + "\n" for told in facts)


def event(run: str, told: Told) -> dict[str, Any]:
    """The envelope; `data` is what the fact says."""
    made: dict[str, Any] = {
        "specversion": "1.0", "id": str(told.seq), "source": f"/restore/runs/{run}",
        "type": f"restore.{encode_type(told.fact)}", "time": stamp(told.at), "datacontenttype": "application/json",
        "sequence": f"{told.seq:09}", "epoch": told.entry.epoch,
        "sentence": told.fact.sentence(), "data": dict(told.data),
    }
    if told.step:
        made |= {"subject": told.step, "attempt": told.attempt}
    return made
