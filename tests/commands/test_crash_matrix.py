"""The crash matrix by the program itself: its table, its data, one death again, and how a failure leaves it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.drills.matrix import WAYS
from orchestrator.drills.mortal import KINDS
from tests.commands.program import REDIS, ROOT, environment, restore
from tests.test_docs import misread

ONE = ("rehearse", "--crash-matrix", "--only", "backend-redis", "--sample", "0", "--seed", "7")
PLANTED = """
from pathlib import Path
from commands.app import app, main
from commands.crash_matrix import Extent, carry_out
from commands.options import Output
from orchestrator.drills.matrix import Case
from orchestrator.runbooks.options import Options
from tests.drills.broken import Rash

@app.command("broken")
def broken(output: Output = Output.table) -> None:
    case = Case("2.13", options=Options(only=("backend-redis",)), seed=1, engine=Rash)
    carry_out(case, Path.cwd(), Extent(sample=0), verbose=False, output=output)

main()
"""


def with_a_bug(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    """A verb of this test's own in the program's own app: the same matrix, of an engine that does not look."""
    return subprocess.run(
        [sys.executable, "-c", PLANTED, "broken", *words], cwd=ROOT, env=environment(home), capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_table_has_a_row_for_each_way_and_kind_of_boundary(tmp_path: Path) -> None:
    done = restore(*ONE, "-v", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "seed 7" in done.stderr
    rows = re.findall(r"^simulated   (\S+) +once   ([a-z, ]+?) {3,}(\d+) +(\d+) +(\d+) +0 +0 +0$", done.stdout, re.MULTILINE)
    assert [(way, kind) for way, kind, *_ in rows] == [(way, kind) for way in WAYS for kind in KINDS]
    assert all(boundaries == deaths == resumed != "0" for *_, boundaries, deaths, resumed in rows)
    assert re.search(r"^set_aside_file .* which of its two names the file has$", done.stdout, re.MULTILINE)


def test_the_same_as_one_document(tmp_path: Path) -> None:
    done = restore(*ONE, "-o", "json", home=tmp_path)
    assert done.returncode == 0, done.stderr
    found = document(done)
    assert (found["seed"], found["release"], found["is_sound"], found["failures"]) == (7, "2.15", True, [])
    assert len(found["rows"]) == len(WAYS) * len(KINDS)
    assert sum(row["deaths"] for row in found["rows"]) > found["pictures"] > 100
    assert {kind["asked"] for kind in found["in_doubt"]} == {0}


def test_one_death_again(tmp_path: Path) -> None:
    done = restore(*ONE[:-4], "--seed", "7", "--at", "rolled-back:40,12", "-o", "json", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [(row["way"], row["deaths_each"], row["deaths"]) for row in document(done)["rows"]] == [("rolled-back", 2, 1)]


def test_what_comes_to_a_wrong_end_is_told_with_its_seed_and_what_repeats_it(tmp_path: Path) -> None:
    done = with_a_bug(home=tmp_path)
    assert done.returncode == 6, done.stderr
    assert "Traceback" not in done.stderr
    hint = re.findall(r"^restore: hint: (.*)$", done.stderr, re.MULTILINE)[-1]
    assert re.fullmatch(r"restore rehearse --crash-matrix --release 2\.13 .* --seed 1 --at \S+:\d+", hint)
    assert misread(hint) == ""
    assert done.stderr.count(f"            {hint}\n") == 1
    counts = [line.split()[-2:] for line in done.stdout.splitlines() if line.startswith("simulated ")]
    assert sum(int(double) for _, double in counts) > 0


def test_every_failure_is_in_the_document(tmp_path: Path) -> None:
    done = with_a_bug("--output", "json", home=tmp_path)
    assert done.returncode == 6
    found = document(done)
    assert found["is_sound"] is False
    assert sum(row["wrong"] + row["double"] for row in found["rows"]) >= len(found["failures"]) > 0
    assert all(misread(failure["repeat"]) == "" and failure["why"] for failure in found["failures"])


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--pairs",), "--pairs says nothing without --crash-matrix"),
        (("--sample", "3"), "--sample says nothing without --crash-matrix"),
        (("--crash-matrix", "--keep"), "--keep says nothing together with --crash-matrix"),
        (("--crash-matrix", "bundle"), "a BUNDLE says nothing together with --crash-matrix"),
        (("--crash-matrix", "--cut-every", "8MiB"), "--cut-every says nothing together with --crash-matrix"),
        (("--crash-matrix", "--at", "resumed:9999"), "there is no boundary 9999 to die at"),
        (("--crash-matrix", "--at", "resumed:0"), "is no place to die at"),
        (("--crash-matrix", "--at", "real:resumed:3,4"), "is no place to die at"),
    ],
)
def test_words_that_would_say_nothing_are_refused(words: tuple[str, ...], why: str, tmp_path: Path) -> None:
    done = restore("rehearse", *words, home=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert why in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.timeout(900)
def test_real_processes_are_killed_too_and_nothing_of_them_stays(tmp_path: Path) -> None:
    done = restore("rehearse", "--crash-matrix", *REDIS, "--sample", "1", "--seed", "3", "-o", "json", home=tmp_path)
    assert done.returncode == 0, done.stderr
    real = [row for row in document(done)["rows"] if row["engine"] == "real"]
    assert sum(row["deaths"] for row in real) == sum(row["resumed"] for row in real) == 1
    assert sum(row["boundaries"] for row in real) > 300
    assert list((tmp_path / "state" / "restore" / "rehearsals").iterdir()) == []
