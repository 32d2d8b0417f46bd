"""The timeline as a picture: a row a step, grouped by lane, time from left to right. SVG. Pure.

Times in which nobody carried the run are drawn as a narrow break, whatever their length: a night between two
lives would press everything else into one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from xml.etree.ElementTree import Element

from orchestrator.forensics.page.elements import element
from orchestrator.forensics.story import Span, StepStory, Story
from orchestrator.forensics.words import duration

WIDTH, LABELS, RIGHT = 1040, 268, 12
ROW, LANE, TOP, BOTTOM = 18, 24, 30, 8
TICK_ROOM = 70
BREAK = 26.0  # how wide a time is drawn in which nobody carried the run
LABEL_CHARS = 40
MARKS = {
    "RetryScheduled": "retry", "CopyInterrupted": "retry", "StepFailed": "bad", "StepFoundTorn": "bad", "DriftFound": "bad",
    "VerificationFailed": "bad", "DecisionAsked": "ask", "DecisionRecorded": "ask",
}


@dataclass(frozen=True)
class Scale:
    """Time to x. Knots are (time, x), ascending; between two of them time is even."""

    knots: tuple[tuple[datetime, float], ...]

    def x(self, at: datetime) -> float:
        for (t0, x0), (t1, x1) in pairwise(self.knots):
            if at <= t1:
                share = (at - t0).total_seconds() / ((t1 - t0).total_seconds() or 1.0)
                return round(x0 + (x1 - x0) * max(share, 0.0), 1)
        return self.knots[-1][1]


def scale_of(story: Story) -> Scale:
    """Even within the lives, with a break of one width between two of them."""
    lives = [(life.started_at, life.ended_at) for life in story.lives]
    gaps = [(a[1], b[0]) for a, b in pairwise(lives)]
    breaks = {gap for gap in gaps if (gap[1] - gap[0]).total_seconds() > 0.02 * story.seconds}
    told = story.seconds - sum((b - a).total_seconds() for a, b in breaks)
    room = WIDTH - LABELS - RIGHT - BREAK * len(breaks)
    x, at, knots = float(LABELS), story.started_at, [(story.started_at, float(LABELS))]
    for start, end in [*sorted(breaks), (story.ended_at, story.ended_at)]:
        x += room * (start - at).total_seconds() / (told or 1.0)
        knots.append((start, x))
        if end > start:
            x += BREAK
            knots.append((end, x))
        at = end
    return Scale(tuple(knots))


def timeline(story: Story) -> Element:
    """The whole picture. Its cursor is moved by the page's script."""
    scale, rows, height = scale_of(story), list[Element](), TOP
    for lane in story.lanes:
        rows.append(element("text", lane or "run", x=0, y=height + 16, class_="lane"))
        height += LANE
        for step in (step for step in story.steps if step.lane == lane):
            rows += row(step, scale, height)
            height += ROW
    height += BOTTOM
    return element(
        "svg", element("title", f"timeline of {story.run}"), *axis(story, scale, height), *breaks_of(story, scale, height),
        *turn_of(story, scale, height), *rows,
        element("line", id="cursor", x1=WIDTH - RIGHT, x2=WIDTH - RIGHT, y1=TOP - 8, y2=height, class_="cursor"),
        viewBox=f"0 0 {WIDTH} {height}", role="img", xmlns="http://www.w3.org/2000/svg", class_="timeline",
    )


def row(step: StepStory, scale: Scale, y: int) -> Iterator[Element]:
    label = step.id if len(step.id) <= LABEL_CHARS else step.id[: LABEL_CHARS - 1] + "…"
    yield element("text", label, x=10, y=y + 13, class_="step")
    yield element("line", x1=LABELS, x2=WIDTH - RIGHT, y1=y + ROW, y2=y + ROW, class_="rule")
    for span in step.spans:
        yield bar(span, scale, y)
    for told in step.facts:
        if told.type in MARKS:
            title = element("title", f"fact {told.seq}: {told.fact.sentence()}")
            yield element("circle", title, cx=scale.x(told.at), cy=y + 9, r=3.5, class_=f"mark {MARKS[told.type]}")


def bar(span: Span, scale: Scale, y: int) -> Element:
    """A look is thin, an attempt is thick; never narrower than can be seen."""
    x, end = scale.x(span.started_at), scale.x(span.ended_at)
    top, tall = (y + 7, 4) if span.kind == "look" else (y + 4, 10)
    seconds = (span.ended_at - span.started_at).total_seconds()
    word = {"look": "looked at", "attempt": f"attempt {span.attempt}", "undo": f"taking back, attempt {span.attempt}"}
    text = f"{span.step}: {word[span.kind]}, facts {span.first_seq} to {span.last_seq}, {duration(seconds)}"
    kind = "back" if span.is_back else "forward"
    return element(
        "rect", element("title", text), x=x, y=top, width=max(round(end - x, 1), 3.0), height=tall, rx=1.5,
        class_=f"bar {span.kind} {kind}",
    )


def axis(story: Story, scale: Scale, height: int) -> Iterator[Element]:
    """Seconds since the opening, at even steps; none within a break, none where two would touch."""
    last = -1000.0
    for seconds in ticks(story, scale):
        at = story.started_at + timedelta(seconds=seconds)
        x = scale.x(at)
        if x - last < TICK_ROOM or x > WIDTH - TICK_ROOM or any(start < at < end for start, end in breaks_in(scale)):
            continue
        last = x
        yield element("line", x1=x, x2=x, y1=TOP - 8, y2=height, class_="grid")
        yield element("text", tick(seconds), x=x + 3, y=TOP - 12, class_="tick")


def ticks(story: Story, scale: Scale) -> Iterator[float]:
    """Round numbers of seconds, so far apart that each has room for its text."""
    told = story.seconds - sum((end - start).total_seconds() for start, end in breaks_in(scale))
    step = next(step for step in STEPS if step * (WIDTH - LABELS) >= TICK_ROOM * told)
    for start, end in pairwise([story.started_at, *(at for pair in breaks_in(scale) for at in pair), story.ended_at]):
        if (start, end) not in breaks_in(scale):
            first = int((start - story.started_at).total_seconds() / step)
            last = int((end - story.started_at).total_seconds() / step)
            yield from (number * step for number in range(first, last + 1))


def tick(seconds: float) -> str:
    """`0.4 s`, `20 s`, `3 min`, `1 min 30 s`, `2 h`."""
    if seconds < 60:
        return f"{seconds:g} s"
    return duration(seconds).replace(" 00 s", "").replace(" 00 min", "")


STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, *(86400 * 10**n for n in range(9))]


def breaks_in(scale: Scale) -> list[tuple[datetime, datetime]]:
    return [(t0, t1) for (t0, x0), (t1, x1) in pairwise(scale.knots) if round(x1 - x0, 3) == BREAK]


def breaks_of(story: Story, scale: Scale, height: int) -> Iterator[Element]:
    for start, end in breaks_in(scale):
        x, seconds = scale.x(start), (end - start).total_seconds()
        title = element("title", f"nobody carried the run for {duration(seconds)}")
        yield element("rect", title, x=x, y=TOP - 8, width=BREAK, height=height - TOP + 8, class_="break")
        if height > 4 * LANE + TOP:  # else there is no room for it beside the rows
            middle = x + BREAK / 2 + 4
            yield element("text", duration(seconds), x=middle - 4, y=TOP + 34, class_="gap",
                          transform=f"rotate(-90 {middle} {TOP + 34})")


def turn_of(story: Story, scale: Scale, height: int) -> Iterator[Element]:
    for told in story.of_type("RollbackOpened"):
        x = scale.x(told.at)
        yield element("line", element("title", told.fact.sentence()), x1=x, x2=x, y1=TOP - 8, y2=height, class_="turn")
