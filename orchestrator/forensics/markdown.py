"""The report as a document to go on writing in: a post-mortem with the facts already there. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence

from orchestrator.forensics import facets
from orchestrator.forensics.story import StepStory, Story
from orchestrator.forensics.words import changes, counted, duration, moment, size


def document(story: Story, proof: str) -> str:
    """The document as Markdown text; `proof` is the verdict on the journal, in a sentence."""
    return "\n".join(
        [
            *summary(story), *timeline(story), *troubles(story), *decisions(story), *verification(story), *steps(story),
            *way_back(story), *environment(story), *journal(story, proof), *to_be_written(),
        ]
    )


def plain(text: object) -> str:
    """Text that stays text: nothing that was recorded becomes markup, or ends a table's row."""
    return re.sub(r"([\\`*_\[\]|#~])", r"\\\1", html.escape(" ".join(str(text).split()), quote=False))


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for row in rows:
        yield "| " + " | ".join(plain(cell) for cell in row) + " |"
    yield ""


def summary(story: Story) -> Iterator[str]:
    context, ended = story.opened.context, sum(step.is_ended for step in story.steps)
    yield f"# Restore {plain(story.run)}: {plain(story.outcome)}"
    yield ""
    yield from table(
        ("", ""),
        [
            ("Namespace", f"{context.get('namespace', '?')} at {context.get('server', '?')}"),
            ("Opened", f"{moment(story.started_at)} by {story.opened.by}"),
            ("Last fact", moment(story.ended_at)),
            ("Recovery time", duration(story.recovery_seconds)),
            ("Carried", f"{duration(story.seconds - story.idle_seconds)} of {duration(story.seconds)}"),
            ("Steps ended", f"{ended} of {len(story.steps)}"),
            ("Retries", len(story.retries)),
            ("Cut off", len(story.cuts)),
            ("Moved in pieces", size(story.bytes_moved)),
            ("Stands", story.state.reason or story.outcome),
        ],
    )


def timeline(story: Story) -> Iterator[str]:
    yield "## Timeline"
    yield ""
    turns = {life.first_seq: f"epoch {life.epoch} begins, held by {life.actor or '?'}" for life in story.lives}
    rows = []
    for told in story.facts:
        if told.seq in turns:
            rows.append((moment(told.at), told.seq, "run", turns[told.seq]))
        ends = any(span.last_seq == told.seq for span in (story.step(told.step).spans if told.step else ()))
        if ends or not told.step:
            rows.append((moment(told.at), told.seq, told.step or "run", told.fact.sentence()))
    yield from table(("When", "Fact", "Where", "What"), rows)


def troubles(story: Story) -> Iterator[str]:
    yield "## Retries, failures and cuts"
    yield ""
    rows = [(told.seq, told.step or "run", told.fact.sentence()) for told in story.troubles]
    rows += [(life.last_seq, "run", facets.cut_off(story, life)) for life in story.cuts]
    yield from table(("Fact", "Where", "What"), sorted(rows)) if rows else ("None.", "")


def decisions(story: Story) -> Iterator[str]:
    yield "## Decisions, and by whom"
    yield ""
    rows = [(t.seq, facets.by_whom(t), t.step or "run", t.fact.sentence()) for t in story.decisions]
    yield from table(("Fact", "Who", "About", "What"), rows)


def verification(story: Story) -> Iterator[str]:
    yield "## Verification"
    yield ""
    rows = [
        (row.seq, row.subject, row.key, row.expected, row.found, row.word)
        for told in story.verifications for row in facets.held_against(told)
    ]
    yield from table(("Fact", "What", "Key", "Expected", "Found", ""), rows) if rows else ("Nothing was verified.", "")


def steps(story: Story) -> Iterator[str]:
    yield "## Steps"
    yield ""
    rows = [
        (step.title, step.lane, step.state.status, step.attempts, duration(step.seconds), changed(step)) for step in story.steps
    ]
    yield from table(("Step", "Lane", "Status", "Attempts", "Time", "Changed"), rows)


def changed(step: StepStory) -> str:
    if step.state.before is None or step.state.after is None:
        return "–"
    found = changes(step.state.before, step.state.after)
    shown = [f"{c.path}: {counted(len(c.lines), 'line')}" if c.lines else f"{c.path}: {c.before} → {c.after}" for c in found]
    return "; ".join(shown) or "nothing"


def way_back(story: Story) -> Iterator[str]:
    yield "## The way back"
    yield ""
    rows = [(row.step, "; ".join(row.effects) or row.note, row.seq or "–", row.status) for row in facets.reverse(story)]
    yield from table(("Step", "Taken back by", "From fact", "Stands"), rows)


def environment(story: Story) -> Iterator[str]:
    yield "## Environment"
    yield ""
    yield from table(("", ""), facets.environment(story))


def journal(story: Story, proof: str) -> Iterator[str]:
    head = f"{story.facts[-1].seq}:{story.facts[-1].digest}"
    yield "## Journal"
    yield ""
    yield plain(proof)
    yield ""
    yield f"    restore verify {story.run} --anchor {head}"
    yield ""


def to_be_written() -> Iterator[str]:
    """What no journal knows."""
    for title, question in (
        ("Impact", "Who noticed, what did not work, from when to when?"),
        ("Cause", "Why was a restore needed?"),
        ("What is done about it", "By whom, until when?"),
    ):
        yield f"## {title}"
        yield ""
        yield f"*{question}*"
        yield ""
