"""What is said of steps in doubt before anything is done, and of a rollback that did not come to its end."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from journal import Journal
from orchestrator import events as ev
from orchestrator.rehearsal import digest
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.runs import load
from tests.commands.program import RUN, open_run, restore
from tests.commands.test_sessions import runs
from tests.commands.test_two_at_once import asleep


@pytest.mark.parametrize("verb", ["resume", "rollback"])
def test_what_is_found_of_a_step_in_doubt_is_said_before_anything_is_done(
    verb: str, filled: Rehearsed, bundle: Path, tmp_path: Path
) -> None:
    before = digest.picture(filled)
    process = asleep(filled, bundle, tmp_path, "pods", 1)  # begun in the journal, and nothing of it done
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    run = str(runs(tmp_path)[0]["run"])
    status = json.loads(restore("status", run, "-o", "json", home=tmp_path).stdout)
    doubts = [step["step"] for step in status["steps"] if step["in_doubt"]]
    assert doubts
    gone_on = restore(verb, run, *(("--yes",) if verb == "rollback" else ()), home=tmp_path)
    assert gone_on.returncode == 0, gone_on.stderr
    head, rest = gone_on.stderr.split("\n", 1)
    assert re.fullmatch(rf"run {run}: \d+ steps ended, {len(doubts)} in doubt, \d+ left", head)
    said = rest.splitlines()[: len(doubts)]
    assert sorted(line.split()[2] for line in said) == sorted(doubts)
    words = "found not done, it is begun again" if verb == "resume" else "found (to take back|already as before)|its turn comes later"
    assert any(re.search(rf"\(attempt 1\): ({words})", line) for line in said), said
    if verb == "rollback":
        assert before.differences(digest.picture(filled)) == []


def paused_on_the_way_back(path: Path) -> str:
    """A journal with a rollback that asks about its first step; that step's name."""
    open_run(path)
    with Journal.open(path, write=False) as journal:
        step = load(journal, RUN).plan.steps[0].id
    path.unlink()
    asked = ev.DecisionAsked(step=step, question="what now", choices=("done", "not-done", "skip"))
    open_run(
        path,
        ev.StepFoundClear(step=step, seen={}), ev.StepStarted(step=step, attempt=1, before={}, inverse=(), epoch=1),
        ev.RollbackOpened(by="anna"), ev.DriftFound(step=step, reason="somebody was here", before={}, now={}), asked,
        ev.RunPaused(reason=f"step {step}: somebody was here", needs="decision"),
    )  # fmt: skip
    return step


def test_the_status_of_a_rollback_that_stopped_says_which_steps_are_not_back(tmp_path: Path) -> None:
    step = paused_on_the_way_back(tmp_path / "journal.db")
    words = ("--journal", str(tmp_path / "journal.db"))
    for output in ("table", "json"):
        shown = restore("status", RUN, *words, "-o", output, home=tmp_path)
        assert shown.returncode == 5
        assert step in shown.stdout
        assert "1 steps are not back: step" in shown.stderr and f"restore resolve {RUN} {step}" in shown.stderr
    assert f"go on with: restore rollback {RUN}" in restore("status", RUN, *words, home=tmp_path).stdout
    assert json.loads(shown.stdout)["rollback"]["not_back"] == [step]


def test_a_decision_on_the_way_back_is_followed_by_the_rollback(tmp_path: Path) -> None:
    step = paused_on_the_way_back(tmp_path / "journal.db")
    words = ("--journal", str(tmp_path / "journal.db"))
    decided = restore("resolve", RUN, step, "--as", "skip", "--reason", "it is meant to be so", *words, home=tmp_path)
    assert (decided.returncode, decided.stderr) == (0, "")
    assert decided.stdout.endswith(f"go on with: restore rollback {RUN}\n")
    last = json.loads(restore("log", RUN, "-o", "jsonl", *words, home=tmp_path).stdout.splitlines()[-1])
    assert last["type"] == "DecisionRecorded" and last["recorded_at"]
    assert last["data"]["reason"] == "it is meant to be so" and "@" in last["data"]["by"]
