"""What the report tells, a function each: story in, one part of the page out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element

from orchestrator.forensics import facets
from orchestrator.forensics.page.elements import Child, code, element, section, table
from orchestrator.forensics.page.picture import timeline
from orchestrator.forensics.story import StepStory, Story
from orchestrator.forensics.told import Told
from orchestrator.forensics.words import changes, counted, duration, moment, size

TONES: Mapping[str, str] = {
    "finished": "good", "restored": "good", "failed": "bad", "stuck": "bad", "torn": "bad", "drifted": "bad",
    "paused": "warn", "started": "busy", "undoing": "busy", "skipped": "quiet", "untouched": "quiet",
    "rolled back": "good", "not ended": "warn", "rolling back": "warn",
}


def header(story: Story) -> Element:
    context = story.opened.context
    where = f"{story.opened.plan.get('runbook', 'restore')} {story.opened.plan.get('release', '')}".strip()
    return element(
        "header",
        element("p", f"Restore report · {where}", class_="kicker"),
        element("h1", story.run, " ", badge(story.outcome)),
        element(
            "p", "Namespace ", element("b", str(context.get("namespace", "?"))), " at ", str(context.get("server", "?")),
            f", opened {moment(story.started_at)} by {story.opened.by}.", class_="lead",
        ),
        element("p", story.state.reason, class_="reason") if story.state.reason else None,
    )


def badge(word: str) -> Element:
    return element("span", word, class_=f"badge {TONES.get(word, 'quiet')}")


def figures(story: Story) -> Element:
    """The numbers that are asked for first."""
    ended = sum(step.is_ended for step in story.steps)
    carried = story.seconds - story.idle_seconds
    shown = [
        ("Recovery time", duration(story.recovery_seconds), "from the opening to the end of the restore"),
        ("Carried", duration(carried), f"of {duration(story.seconds)}; nobody for {duration(story.idle_seconds)}"),
        ("Steps", f"{ended} of {len(story.steps)}", "ended"),
        ("Retries", str(len(story.retries)), f"in {counted(len({t.step for t in story.retries}), 'step')}"),
        ("Cut off", str(len(story.cuts)), f"in {len(story.lives)} {'life' if len(story.lives) == 1 else 'lives'}"),
        ("Moved", size(story.bytes_moved), "in pieces, each acknowledged"),
    ]
    boxes = [
        element("div", element("dt", name), element("dd", value), element("dd", note, class_="note"))
        for name, value, note in shown
    ]
    return element("dl", *boxes, class_="figures")


def what_happened(story: Story) -> Element:
    """The picture, the slider under it, and the state at the fact that it points to."""
    last = story.facts[-1]
    slider = element(
        "div",
        element("label", "The run at fact ", element("output", str(last.seq), id="seq"), for_="slider"),
        element("input", type="range", id="slider", min=0, max=0, value=0),
        element("p", said(last), id="sentence", aria_live="polite"),
        class_="slider", hidden="hidden",
    )
    legend = element(
        "p", *(item for kind, word in LEGEND for item in (element("i", class_=f"key {kind}"), f" {word}   ")), class_="legend"
    )
    return section("What happened", "happened", element("div", timeline(story), class_="wide"), legend, slider, states(story))


LEGEND = (("attempt", "attempt"), ("look", "looking"), ("undo", "taking back"), ("retry", "retry"), ("bad", "trouble"),
          ("ask", "decision"), ("break", "nobody carried it"))


def states(story: Story) -> Element:
    """Every step with its status; the script sets them to another fact's."""
    lanes = []
    for lane in story.lanes:
        steps = [
            element("li", element("span", step.id), status_of(step.state.status), data_step=step.id)
            for step in story.steps if step.lane == lane
        ]
        lanes.append(element("div", element("h3", lane or "run"), element("ul", *steps), class_="lane"))
    return element("div", *lanes, class_="states")


def status_of(status: str) -> Element:
    return element("b", status, class_=f"status {TONES.get(status, 'quiet')}")


def said(told: Told) -> str:
    return (f"{told.step}: " if told.step else "") + told.fact.sentence()


def verification(story: Story) -> Element:
    """What was expected and what was found, key by key."""
    rows = [
        (f"{row.seq}", row.subject, row.key, row.expected, row.found,
         element("td", row.word, class_="bad" if row.is_bad else "warn" if row.is_different else "good"))
        for told in story.verifications for row in facets.held_against(told)
    ]
    inner = table(("Fact", "What", "Key", "Expected", "Found", ""), rows) if rows else none("Nothing was verified.")
    return section("Verification", "verification", inner)


def none(text: str) -> Element:
    return element("p", text, class_="none")


def steps(story: Story) -> Element:
    """Each step with what was there before and after it."""
    return section("Steps", "steps", *(step_details(step) for step in story.steps))


def step_details(step: StepStory) -> Element:
    times = [duration(step.seconds)]
    if step.back_seconds is not None:
        times.append(f"{duration(step.back_seconds)} taking back")
    tried = f"{counted(step.attempts, 'attempt')}, " if step.attempts else ""
    summary = element(
        "summary", element("span", step.title, class_="title"), element("span", f"{tried}{', '.join(times)}", class_="times"),
        status_of(step.state.status),
    )
    cited = f" · guide {', '.join(step.entry['cites'])}" if step.entry.get("cites") else ""
    about = element("p", code(step.id), cited, f" · {step.state.reason}" if step.state.reason else "", class_="about")
    return element("details", summary, about, *pictures(step), *happenings(step))


def pictures(step: StepStory) -> Iterator[Element]:
    before, after = step.state.before, step.state.after
    if after is None and before is None:
        yield none("Nothing was changed, and no picture was taken.")
        return
    if before is None:
        yield none("It was found done, so nothing was changed.")
        return
    if after is None:
        yield none("It was begun, and never found done.")
        return
    found = changes(before, after)
    if not found:
        yield none("The picture after it is the picture before it.")
        return
    short = [change for change in found if not change.lines]
    if short:
        rows = [(code(change.path), change.before, change.after) for change in short]
        yield table(("What", "Before", "After"), rows, class_="pictures")
    for change in found:
        if change.lines:
            yield element("p", code(change.path), class_="path")
            yield element("pre", *(diff_line(line) for line in change.lines), class_="diff")


def diff_line(line: str) -> Element:
    kind = {"+": "plus", "-": "minus", "@": "at"}.get(line[:1], "same")
    return element("span", line + "\n", class_=kind)


def happenings(step: StepStory) -> Iterator[Element]:
    if step.facts:
        rows = [(str(t.seq), f"{t.at:%H:%M:%S}", t.fact.sentence()) for t in step.facts[:200]]
        yield table(("Fact", "UTC", "What happened"), rows, class_="log")
    if len(step.facts) > 200:
        yield none(f"and {len(step.facts) - 200} more facts")


def troubles(story: Story) -> Element:
    """Retries, failures, and lives that ended without a word."""
    events: list[tuple[int, Child, Child, Child]] = [
        (told.seq, f"{told.at:%H:%M:%S}", told.step or "run", told.fact.sentence())
        for told in story.troubles
    ]
    events += [(life.last_seq, f"{life.ended_at:%H:%M:%S}", "run", facets.cut_off(story, life)) for life in story.cuts]
    rows = [(str(seq), *rest) for seq, *rest in sorted(events, key=lambda event: event[0])]
    inner = table(("Fact", "UTC", "Where", "What"), rows) if rows else none("No retry, no failure, no cut.")
    return section("Retries, failures and cuts", "troubles", inner)


def decisions(story: Story) -> Element:
    rows = [
        (str(told.seq), f"{told.at:%H:%M:%S}", facets.by_whom(told), told.step or "run", told.fact.sentence())
        for told in story.decisions
    ]
    return section("Decisions, and by whom", "decisions", table(("Fact", "UTC", "Who", "About", "What"), rows))


def reverse_plan(story: Story) -> Element:
    """How what was done is taken back, newest first, from what each step's start recorded."""
    rows = [
        (row.step, "; ".join(row.effects) or row.note, str(row.seq or "–"), status_of(row.status))
        for row in facets.reverse(story)
    ]
    return section("The way back", "reverse", table(("Step", "Taken back by", "From fact", "Stands"), rows))


def environment(story: Story) -> Element:
    rows = [(name, code(value)) for name, value in facets.environment(story)]
    return section("Environment", "environment", table(("", ""), rows, class_="plain"))


def journal(story: Story, proof: str) -> Element:
    last = story.facts[-1]
    head = f"{last.seq}:{last.digest}"
    return section(
        "Journal", "journal",
        element("p", proof, class_="proof"),
        element("p", "Head ", code(head), class_="head"),
        element("p", "To hold the journal against this page: ", code(f"restore verify {story.run} --anchor {head}")),
    )


def whole_log(story: Story, shown: list[Told]) -> Element:
    rows = [
        (str(t.seq), f"{t.at:%Y-%m-%d %H:%M:%S}", t.actor or "–", t.step, t.fact.sentence()) for t in shown
    ]
    left_out = len(story.facts) - len(shown)
    note = none(f"{left_out} facts about single effects are left out here; the journal has them.") if left_out else None
    summary = element("summary", element("span", f"All {len(story.facts)} facts", class_="title"))
    details = element("details", summary, note, table(("Fact", "UTC", "Who", "Step", "What happened"), rows, class_="log"))
    return section("Log", "log", details)

