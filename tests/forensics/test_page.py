"""The report: one file that loads nothing, reads well at every width, and lets nothing recorded become markup."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from orchestrator import events as ev
from orchestrator.drills.histories import History
from orchestrator.forensics.markdown import document
from orchestrator.forensics.page.document import page
from orchestrator.forensics.page.elements import element, markup
from orchestrator.forensics.page.picture import scale_of
from orchestrator.forensics.story import Story, tell_story
from orchestrator.forensics.told import Told
from tests.forensics.browser import DARK, LIGHT, asked, chromium, needs_chromium
from tests.forensics.tellings import RUN, changed, died_and_turned, over_a_bad_line, restored, told

PHONE, DESK = 390, 1280
PROOF = "OK: chain unbroken"
EVIL = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>"


def bad_line() -> Story:
    return tell_story(RUN, told(over_a_bad_line(3)))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page(bad_line(), PROOF))
    return path


class References(HTMLParser):
    """Everything that a browser would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [f"{tag} {k}={v}" for k, v in attrs if k in ("src", "href", "srcset", "action", "data") and v]


def test_the_page_refers_to_nothing_outside_itself(report: Path) -> None:
    text = report.read_text()
    assert References(text).found == []
    assert re.findall(r"url\(|@import|fetch\(|XMLHttpRequest", text) == []
    assert "default-src 'none'" in text


def test_every_section_is_there(report: Path) -> None:
    text = report.read_text()
    names = re.findall(r'<section id="([a-z]+)"', text)
    assert names == ["happened", "verification", "troubles", "decisions", "steps", "reverse", "environment", "journal", "log"]
    assert PROOF in text


def test_what_was_recorded_never_becomes_markup() -> None:
    facts = told(restored())
    evil = next(t for t in facts if t.type == "VerificationPassed")
    fact = evil.fact.model_copy(update={"subject": EVIL})
    story = tell_story(RUN, changed(facts, evil.seq, fact))
    for text in (page(story, EVIL), document(story, EVIL)):
        assert "<img" not in text, "in Markdown as in HTML"
        assert "<script>document" not in text
        assert text.count("</script>") == ("<!doctype" in text)


def test_an_element_escapes_text_and_attributes() -> None:
    made = markup(element("p", "a < b & c", element("b", EVIL), " tail", class_='"x"', hidden=None))
    assert made == (
        '<p class="&quot;x&quot;">a &lt; b &amp; c<b>' + EVIL.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        + "</b> tail</p>"
    )


@pytest.mark.parametrize("make", [restored, died_and_turned, lambda: over_a_bad_line(5)], ids=["smooth", "killed", "bad-line"])
def test_time_goes_from_left_to_right_within_the_picture(make: Callable[[], History]) -> None:
    story = tell_story(RUN, told(make()))
    scale = scale_of(story)
    places = [scale.x(t.at) for t in story.facts]
    assert places == sorted(places)
    assert (places[0], round(places[-1])) == (268.0, 1028)


def test_a_large_run_is_told_without_its_single_effects() -> None:
    facts = list(told(restored()))
    at = next(i for i, t in enumerate(facts) if t.type == "FileChunkCopied")
    chunk = facts[at]
    many = [Told(ev.Entry(0, chunk.at, chunk.entry.epoch, chunk.fact)) for _ in range(5000)]
    facts[at:at] = many
    whole = [Told(ev.Entry(n, t.at, t.entry.epoch, t.fact)) for n, t in enumerate(facts, start=1)]
    text = page(tell_story(RUN, whole), PROOF)
    assert len(text) < 400_000
    assert "All 5" in text
    assert "left out here" in text


@needs_chromium
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_page_is_no_wider_than_the_screen(width: int, report: Path) -> None:
    found = asked(report, "return [document.documentElement.scrollWidth, document.title];", width=width)
    assert found == [width, f"{RUN}: rolled back"]


@needs_chromium
def test_light_and_dark_follow_the_reader(report: Path) -> None:
    question = "const s = window.getComputedStyle(document.body); return [s.backgroundColor, s.color];"
    light, dark = (asked(report, question, flag, width=DESK) for flag in (LIGHT, DARK))
    assert (light, dark) == (["rgb(252, 252, 251)", "rgb(29, 31, 33)"], ["rgb(22, 24, 26)", "rgb(228, 230, 231)"])


@needs_chromium
def test_the_slider_shows_the_run_at_any_fact(report: Path) -> None:
    story = bad_line()
    seqs = [1, 30, len(story.facts) // 2, len(story.facts)]
    question = (
        "const slider = document.getElementById('slider'), seen = [];"
        f"for (const seq of {seqs}) {{ slider.value = seq - 1; slider.dispatchEvent(new window.Event('input'));"
        "seen.push([document.getElementById('seq').textContent, document.getElementById('sentence').textContent,"
        "Object.fromEntries([...document.querySelectorAll('[data-step]')].map(li => [li.dataset.step, li.querySelector('b').textContent]))]); }"
        "return seen;"
    )
    seen = asked(report, question, width=DESK)
    for seq, (number, sentence, statuses) in zip(seqs, seen, strict=True):
        state = tell_story(RUN, story.facts[:seq]).state
        assert number == f"{seq} of {len(story.facts)}"
        assert story.facts[seq - 1].fact.sentence() in sentence
        assert statuses == {name: step.status for name, step in state.steps.items()}


@needs_chromium
def test_the_script_is_run_under_the_policy_and_nothing_of_it_is_refused(report: Path) -> None:
    found = asked(report, "return [document.getElementById('slider').max, document.querySelector('.slider').hidden];",
                  width=DESK)
    assert found == [str(len(bad_line().facts) - 1), False]


@needs_chromium
@pytest.mark.parametrize(("width", "flag"), [(PHONE, LIGHT), (DESK, LIGHT), (DESK, DARK)])
def test_a_picture_of_the_page_is_no_blank_sheet(width: int, flag: str, report: Path, tmp_path: Path) -> None:
    shot = tmp_path / "shot.png"
    chromium(flag, f"--window-size={width},1400", f"--screenshot={shot}", report.as_uri())
    assert shot.stat().st_size > 40_000  # a blank one of this size has about 6000 bytes


@needs_chromium
def test_it_prints(report: Path, tmp_path: Path) -> None:
    pdf = tmp_path / "report.pdf"
    chromium("--no-pdf-header-footer", f"--print-to-pdf={pdf}", report.as_uri())
    assert 2 <= len(re.findall(rb"/Type /Page\b", pdf.read_bytes())) <= 40
