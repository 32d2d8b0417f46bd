"""The facts themselves, one JSON object a line: every column of the row, and the sentence beside. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from orchestrator.forensics.told import Told, as_document


def export(facts: Sequence[Told]) -> str:
    return "".join(json.dumps(as_document(told), ensure_ascii=False) + "\n" for told in facts)
