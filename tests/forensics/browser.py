"""A page in a real headless Chromium: what its own script finds in it, and what it looks like."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
DARK = "--blink-settings=preferredColorScheme=0"
LIGHT = "--blink-settings=preferredColorScheme=1"

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium package on this system")


def chromium(*arguments: str) -> str:
    """One start of the browser with a profile of its own; returns stdout."""
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", *arguments], capture_output=True, text=True,
            timeout=120, check=False,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


def asked(page: Path, question: str, *flags: str, width: int, height: int = 1000) -> Any:
    """The answer of a script that returns a value, run in a frame of this width around the unchanged page.

    Chromium has no window as narrow as a phone; a frame is.
    """
    outer = page.with_suffix(".frame.html")
    text = json.dumps(page.read_text()).replace("<", "\\u003c")
    outer.write_text(
        f"<!doctype html><body><iframe width={width} height={height}></iframe><script>"
        f"const frame = document.querySelector('iframe'); frame.srcdoc = {text};"
        "frame.onload = () => { const page = frame.contentWindow, document_ = page.document;"
        f"const answer = ((window, document) => {{ {question} }})(page, document_);"
        "document.body.dataset.answer = JSON.stringify(answer); };</script>"
    )
    dom = chromium(*flags, f"--window-size={max(width, 500)},{height}", "--virtual-time-budget=4000", "--dump-dom",
                   outer.as_uri())
    found = re.search(r'data-answer="([^"]*)"', dom)
    assert found, dom[:2000]
    return json.loads(found[1].replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
