"""The whole page, with its style and script in it. A policy in its head forbids it to load anything. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files

from orchestrator.events import EffectFact
from orchestrator.forensics.page import sections
from orchestrator.forensics.page.elements import element, markup
from orchestrator.forensics.page.picture import scale_of
from orchestrator.forensics.story import Story
from orchestrator.forensics.told import Told
from orchestrator.forensics.words import moment

FACTS_MAX = 4000  # a run of more facts is told without those about single effects


def page(story: Story, proof: str) -> str:
    """The report as HTML text. `proof` is the verdict on the journal, in a sentence."""
    style, script = (files(__package__).joinpath(name).read_text() for name in ("report.css", "report.js"))
    shown = told_facts(story)
    script = f"const STORY = {data(story, shown)};\n{script}"
    policy = f"default-src 'none'; style-src '{digest(style)}'; script-src '{digest(script)}'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{story.run}: {story.outcome}"),
        element("style", style),
    )
    main = element(
        "main", sections.header(story), sections.figures(story), sections.what_happened(story),
        sections.verification(story), sections.troubles(story), sections.decisions(story), sections.steps(story),
        sections.reverse_plan(story), sections.environment(story), sections.journal(story, proof),
        sections.whole_log(story, shown),
        element("footer", element("p", f"{story.opened.program}, from the journal alone; last fact {moment(story.ended_at)}")),
    )
    return "<!doctype html>\n" + markup(element("html", head, element("body", main, element("script", script)), lang="en"))


def told_facts(story: Story) -> list[Told]:
    if len(story.facts) <= FACTS_MAX:
        return list(story.facts)
    return [told for told in story.facts if not isinstance(told.fact, EffectFact)]


def data(story: Story, shown: list[Told]) -> str:
    """What the slider needs, as JSON that cannot end a script: facts [seq, x, time, text], changes [seq, step, status]."""
    scale = scale_of(story)
    content = {
        "facts": [[t.seq, scale.x(t.at), moment(t.at), sections.said(t)] for t in shown],
        "changes": [[seq, step, status] for seq, step, status in story.changes],
        "tones": dict(sections.TONES),
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
