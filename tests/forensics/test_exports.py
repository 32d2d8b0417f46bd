"""A run for other programs, read by those programs' own readers."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from journal import Draft, Journal, this_holder
from orchestrator.drills.model import ModelCluster
from orchestrator.forensics import reading
from orchestrator.forensics.exports import cloudevents, evidence, jsonl, otlp, prometheus
from orchestrator.forensics.story import Story, tell_story
from orchestrator.runbooks.threescale import restore_plan
from orchestrator.runs import opening
from tests.commands.program import draft
from tests.forensics.tellings import RUN, died_and_turned, over_a_bad_line, restored, told, write


def told_story(path: Path, history: Any) -> Story:
    with Journal.open(write(path, history.records), write=False) as journal:
        return tell_story(RUN, reading.history(journal, RUN).facts)


@pytest.fixture(params=[restored, died_and_turned, over_a_bad_line], ids=["smooth", "killed", "bad-line"])
def story(request: pytest.FixtureRequest, tmp_path: Path) -> Story:
    return told_story(tmp_path / "j.db", request.param(2) if request.param is over_a_bad_line else request.param())


def test_jsonl_has_every_column_as_it_was_stored(story: Story) -> None:
    lines = [json.loads(line) for line in jsonl.export(story.facts).splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, len(story.facts) + 1))
    assert [line["prev"] for line in lines[1:]] == [line["digest"] for line in lines[:-1]]
    assert all(line["sentence"] and line["recorded_at"].endswith("Z") for line in lines)


# ---- CloudEvents -----------------------------------------------------------------------------------------


def test_cloudevents_keep_the_rules_of_the_specification(story: Story) -> None:
    events = [json.loads(line) for line in cloudevents.export(RUN, story.facts).splitlines()]
    assert len({(event["source"], event["id"]) for event in events}) == len(events) == len(story.facts)
    for event in events:
        assert event["specversion"] == "1.0"
        assert all(event[name] for name in ("id", "source", "type"))
        assert datetime.fromisoformat(event["time"]).tzinfo is not None
        assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in event), "names of attributes"
        assert all(isinstance(event[name], str | int | bool) for name in event.keys() - {"data"}), "types of attributes"
        assert event.get("subject", "x"), "an empty subject is left out"
    assert [event["sequence"] for event in events] == sorted(event["sequence"] for event in events)


def test_cloudevents_of_a_run_are_the_same_each_time(story: Story) -> None:
    assert cloudevents.export(RUN, story.facts) == cloudevents.export(RUN, story.facts[:]), "ids are not drawn"


# ---- OTLP ------------------------------------------------------------------------------------------------


def spans_of(text: str) -> list[Any]:
    """The spans as OpenTelemetry's own messages; an unknown field or a wrong type is an error.

    The OTLP mapping writes ids in hexadecimal where protobuf's own mapping has base64.
    """
    request = json.loads(text)
    for resource in request["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    parsed = json_format.ParseDict(request, ExportTraceServiceRequest(), ignore_unknown_fields=False)
    return [span for resource in parsed.resource_spans for scope in resource.scope_spans for span in scope.spans]


def test_otlp_is_taken_by_opentelemetrys_messages(story: Story) -> None:
    spans = spans_of(otlp.export(story))
    assert {len(span.trace_id) for span in spans} == {16}
    assert {len(span.span_id) for span in spans} == {8}
    assert len({span.span_id for span in spans}) == len(spans)
    assert len({span.trace_id for span in spans}) == 1
    assert all(0 < span.start_time_unix_nano <= span.end_time_unix_nano for span in spans)


def test_otlp_spans_are_run_step_attempt_and_lie_within_their_parents(story: Story) -> None:
    spans = {span.span_id: span for span in spans_of(otlp.export(story))}
    (root,) = [span for span in spans.values() if not span.parent_span_id]
    depths = {own: depth(span, spans) for own, span in spans.items()}
    assert set(depths.values()) == {0, 1, 2}
    assert sum(d == 1 for d in depths.values()) == sum(bool(step.facts) for step in story.steps)
    assert sum(d == 2 for d in depths.values()) == sum(step.attempts for step in story.steps)
    for span in spans.values():
        parent = spans.get(span.parent_span_id, root)
        assert parent.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano <= parent.end_time_unix_nano
        assert all(span.start_time_unix_nano <= e.time_unix_nano <= span.end_time_unix_nano for e in span.events)
    assert sum(len(span.events) for span in spans.values()) == len(story.facts), "every fact is an event, once"


def depth(span: Any, spans: dict[bytes, Any]) -> int:
    return 1 + depth(spans[span.parent_span_id], spans) if span.parent_span_id else 0


def test_otlp_says_what_failed_and_what_ended_well() -> None:
    history = over_a_bad_line(2)
    spans = spans_of(otlp.export(tell_story(RUN, told(history))))
    codes = {span.status.code for span in spans if span.name.startswith(("attempt", "undo"))}
    assert codes == {1, 2}
    assert all(span.status.message for span in spans if span.status.code == 2)


def test_otlp_ids_follow_from_run_step_and_attempt(story: Story) -> None:
    first, again = (json.loads(otlp.export(story)) for _ in range(2))
    assert first == again
    assert otlp.span_id("a", "b") != otlp.span_id("ab")


# ---- Prometheus ------------------------------------------------------------------------------------------


def test_the_textfile_is_parsed_by_prometheus(story: Story) -> None:
    families = {family.name: family for family in text_string_to_metric_families(prometheus.export(story))}
    assert all(family.documentation and family.type == "gauge" for family in families.values())
    value = {name: family.samples[0].value for name, family in families.items() if len(family.samples) == 1}
    assert value["restore_run_facts"] == len(story.facts)
    assert value["restore_run_retries"] == len(story.retries)
    assert value["restore_run_duration_seconds"] == pytest.approx(story.seconds)
    outcomes = {s.labels["outcome"]: s.value for s in families["restore_run_outcome"].samples}
    assert [name for name, v in outcomes.items() if v] == [story.outcome]
    attempts = {s.labels["step"]: s.value for s in families["restore_step_attempts"].samples}
    assert attempts == {step.id: step.attempts for step in story.steps}


def test_labels_are_escaped() -> None:
    assert prometheus.labels({"a": 'x"y\\z\n'}) == r'a="x\"y\\z\n"'


# ---- evidence --------------------------------------------------------------------------------------------


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """An archive of a run whose facts refer to a blob, unpacked."""
    model, path = ModelCluster("2.15"), tmp_path / "j.db"
    found, bundle = model.installation(), model.bundle()
    with Journal.open(path, write=True) as journal:
        blob = journal.put_blob(b"a large picture")
        facts = [draft(fact) for fact in opening(restore_plan(found, bundle), found, bundle, {"picture": {"blob": blob}})]
        lease = journal.take_lease(RUN, this_holder(), ttl_seconds=60, now=datetime.now().astimezone())
        odd = Draft("NewerFact", {"größe": "1 \u2028 \\ \"", "n": -3, "deep": [{"b": None}]}, version=3, actor="jürgen@host")
        journal.append(lease, [*facts, odd], recorded_at=datetime.now().astimezone())
        told_ = tell_story(RUN, reading.history(journal, RUN).facts)
    data = evidence.archive(told_, "OK", {blob: b"a large picture"}, None)
    assert data == evidence.archive(told_, "OK", {blob: b"a large picture"}, None), "the same run gives the same bytes"
    (tmp_path / "evidence.zip").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "evidence.zip") as zipped:
        zipped.extractall(tmp_path / "unpacked")
    return tmp_path / "unpacked" / RUN


def verifier(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The archive's own verifier, isolated from everything that is installed here."""
    return subprocess.run(
        [sys.executable, "-I", "-S", str(directory / "verify.py"), *words], capture_output=True, text=True, check=False
    )


def test_the_archive_proves_itself_with_the_standard_library_alone(unpacked: Path) -> None:
    done = verifier(unpacked)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("OK: ")
    head = re.search(r"head (\d+:[0-9a-f]{64})", done.stdout)
    assert head
    assert verifier(unpacked, "--head", head[1]).returncode == 0
    assert subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=unpacked, check=False).returncode == 0


def edit(name: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        data = (directory / name).read_bytes()
        assert old in data
        (directory / name).write_bytes(data.replace(old, new, 1))

    return change


def drop_line(number: int) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        lines = (directory / "facts.jsonl").read_bytes().splitlines(keepends=True)
        del lines[number]
        (directory / "facts.jsonl").write_bytes(b"".join(lines))

    return change


def drop_blobs(directory: Path) -> None:
    for path in (directory / "blobs").iterdir():
        path.unlink()


CHANGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "value": (edit("facts.jsonl", b'"n": -3', b'"n": -4'), "fact 3 is not what was written"),
    "actor": (edit("facts.jsonl", "jürgen".encode(), b"somebody"), "fact 3 is not what was written"),
    "type": (edit("facts.jsonl", b'"n": -3', b'"n": "-3"'), "fact 3 is not what was written"),
    "middle-dropped": (drop_line(1), "fact 2 is missing"),
    "end-dropped": (drop_line(2), "cut off after fact 2"),
    "blob": (drop_blobs, "is missing or changed"),
    "page": (edit("report.html", b"<title>", b"<title>no "), "report.html is missing or changed"),
}


@pytest.mark.parametrize(("change", "words"), CHANGES.values(), ids=list(CHANGES))
@pytest.mark.parametrize("is_summed", [True, False], ids=["sums-forged-too", "sums-kept"])
def test_the_archives_verifier_finds_what_was_changed(
    change: Callable[[Path], None], words: str, is_summed: bool, unpacked: Path
) -> None:
    change(unpacked)
    if is_summed:  # whoever changes a file can write the list anew
        names = [line.split("  ", 1)[1] for line in (unpacked / "SHA256SUMS").read_text().splitlines()]
        there = [name for name in names if (unpacked / name).exists()]
        sums = subprocess.run(["sha256sum", *there], cwd=unpacked, capture_output=True, text=True, check=True)
        (unpacked / "SHA256SUMS").write_text(sums.stdout)
    done = verifier(unpacked)
    if is_summed and "report.html" in words:
        assert done.returncode == 0, "a report is no part of the chain"
        return
    assert (done.returncode, done.stderr) == (1, "")
    assert words in done.stdout or "is missing or changed" in done.stdout


def test_a_head_that_is_not_in_the_chain(unpacked: Path) -> None:
    assert "rewritten" in verifier(unpacked, "--head", "2:" + "0" * 64).stdout
    assert "cut off after fact 3" in verifier(unpacked, "--head", "9:" + "0" * 64).stdout
    assert verifier(unpacked, "--tail").returncode == 2
