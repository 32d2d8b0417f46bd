"""OTLP/JSON, as an OpenTelemetry collector takes it on /v1/traces: spans run -> step -> attempt. Pure.

The ids follow from the run, the step and the attempt, so the same run exported twice is the same trace. Ids
are hexadecimal and 64-bit numbers are text, as the OTLP mapping asks for. Each fact is an event of the
smallest span that it belongs to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.forensics.story import Span, StepStory, Story
from orchestrator.forensics.told import Told

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INTERNAL, OK, ERROR = 1, 1, 2
TROUBLED = frozenset({"failed", "stuck", "torn", "drifted"})


def export(story: Story) -> str:
    """The request of one export as JSON text."""
    context = story.opened.context
    resource = {
        "service.name": "restore", "service.version": story.opened.program.rpartition(" ")[2],
        "k8s.namespace.name": str(context.get("namespace", "")), "server.address": str(context.get("server", "")),
    }
    spans = [run_span(story), *(span for step in story.steps if step.facts for span in step_spans(story, step))]
    request = {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes(resource)},
                "scopeSpans": [{"scope": {"name": "restore"}, "spans": spans}],
            }
        ]
    }
    return json.dumps(request, ensure_ascii=False) + "\n"


def trace_id(run: str) -> str:
    """16 bytes in hexadecimal."""
    return hashlib.sha256(f"restore {run}".encode()).hexdigest()[:32]


def span_id(*names: str) -> str:
    """8 bytes in hexadecimal, from the run, the step and the attempt, as far as it has them."""
    return hashlib.sha256("\0".join(("restore", *names)).encode()).hexdigest()[:16]


def run_span(story: Story) -> dict[str, Any]:
    bad = story.state.closed == "paused"
    about = {
        "restore.run": story.run, "restore.outcome": story.outcome, "restore.plan_digest": story.opened.plan_digest,
        "restore.head": story.facts[-1].digest, "restore.retries": len(story.retries), "restore.lives": len(story.lives),
    }
    return span(
        story.run, f"restore {story.run}", span_id(story.run), None, (story.started_at, story.ended_at), about,
        events=[told for told in story.facts if not told.step], bad=story.state.reason if bad else None,
        is_over=bool(story.state.closed),
    )


def step_spans(story: Story, step: StepStory) -> Iterable[dict[str, Any]]:
    own = span_id(story.run, step.id)
    attempts = [one for one in step.spans if one.kind != "look"]
    of_attempts = {seq for one in attempts for seq in range(one.first_seq, one.last_seq + 1)}
    about = {
        "restore.step": step.id, "restore.lane": step.lane, "restore.status": step.state.status,
        "restore.attempts": step.attempts, "restore.retries": step.retries, "restore.bytes_moved": step.bytes_moved,
    }
    bad = step.state.reason if step.state.status in TROUBLED else None
    yield span(
        story.run, step.title, own, span_id(story.run), (step.facts[0].at, step.facts[-1].at), about,
        events=[told for told in step.facts if told.seq not in of_attempts], bad=bad, is_over=step.is_ended,
    )
    for one in attempts:
        yield attempt_span(story.run, step, one, own)


def attempt_span(run: str, step: StepStory, one: Span, parent: str) -> dict[str, Any]:
    events = [told for told in step.facts if one.first_seq <= told.seq <= one.last_seq]
    is_over = one.outcome in ("StepFoundDone", "StepFoundRestored")
    about = {"restore.step": step.id, "restore.attempt": one.attempt, "restore.outcome": one.outcome}
    return span(
        run, f"{one.kind} {one.attempt}", span_id(run, step.id, one.kind, str(one.attempt)), parent,
        (one.started_at, one.ended_at), about, events=events, bad=None if is_over else events[-1].fact.sentence(),
        is_over=is_over,
    )


def span(
    run: str, name: str, own: str, parent: str | None, times: tuple[datetime, datetime], about: Mapping[str, object], *,
    events: Sequence[Told], bad: str | None, is_over: bool,
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "traceId": trace_id(run), "spanId": own, "name": name, "kind": INTERNAL,
        "startTimeUnixNano": nanoseconds(times[0]), "endTimeUnixNano": nanoseconds(times[1]),
        "attributes": attributes(about), "events": [event(told) for told in events],
        "status": {"code": ERROR, "message": bad} if bad is not None else {"code": OK} if is_over else {},
    }
    return made | ({"parentSpanId": parent} if parent else {})


def event(told: Told) -> dict[str, Any]:
    about = {"restore.fact": told.seq, "restore.sentence": told.fact.sentence(), "restore.actor": told.actor}
    return {"timeUnixNano": nanoseconds(told.at), "name": told.type, "attributes": attributes(about)}


def attributes(values: Mapping[str, object]) -> list[dict[str, Any]]:
    return [{"key": key, "value": any_value(value)} for key, value in values.items()]


def any_value(value: object) -> dict[str, Any]:
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": str(value)}


def nanoseconds(at: datetime) -> str:
    """As text, in whole numbers: a float has not the digits."""
    return str((at - EPOCH) // timedelta(microseconds=1) * 1000)
