"""Ctrl-C, SIGTERM, a terminal that is closed: at any moment of a run and of its way back, nothing is lost."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from orchestrator.rehearsal import digest
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.rehearsal.line import keeping
from orchestrator.rehearsal.line.faults import Faults
from tests.cluster.pods import until
from tests.commands.program import REDIS, ROOT, environment, restore
from tests.commands.terminals import CTRL_C, Terminal
from tests.commands.test_sessions import facts, is_restored, runs, target
from tests.conftest import Tally

WAYS = ("Ctrl-C", "SIGTERM", "terminal closed", "Ctrl-C twice")
FACTS_BETWEEN_MAX = 40


def interrupted(terminal: Terminal, way: str) -> None:
    match way:
        case "Ctrl-C":
            terminal.type(CTRL_C)
        case "SIGTERM":
            terminal.process.terminate()
        case "terminal closed":
            terminal.take_away()
        case _:
            terminal.type(CTRL_C)
            time.sleep(0.1)  # two in one instant are one
            terminal.type(CTRL_C)


def life(home: Path, chance: random.Random, *words: str) -> tuple[str, int]:
    """One process, which is interrupted in some way after some facts, unless it has ended by then."""
    way, count = chance.choice(WAYS), facts(home) + chance.randrange(1, FACTS_BETWEEN_MAX)
    terminal = Terminal(*words, home=home)
    until(lambda: facts(home) >= count or terminal.process.poll() is not None)
    if terminal.process.poll() is None:
        interrupted(terminal, way)
    code = terminal.ended()
    found = runs(home)[0]
    if way != "Ctrl-C twice":
        assert found["state"] in ("paused", "finished", "rolled back"), (way, code)
    if found["state"] == "paused" and way in ("Ctrl-C", "SIGTERM"):
        assert "ending what is under way" in terminal.said
        assert f"restore resume {found['run']}" in terminal.said
    assert "Traceback" not in terminal.said
    return way, code


@pytest.mark.timeout(600)
def test_a_run_and_its_way_back_through_signals_at_any_moment(
    filled: Rehearsed, bundle: Path, tmp_path: Path, tally: Tally
) -> None:
    seed = random.randrange(10**6)
    chance, before, died = random.Random(seed), digest.picture(filled), Counter[str]()
    words: tuple[str, ...] = ("run", str(bundle), *REDIS, *target(filled), "--yes")
    run = ""
    for end in ("finished", "rolled back"):
        while not run or runs(tmp_path)[0]["state"] != end:
            way, code = life(tmp_path, chance, *words)
            assert code in (0, 1, 130), (seed, way, code)  # 1: the end came without a terminal to print it on
            died[way] += code == 130
            run = str(runs(tmp_path)[0]["run"])
            words = ("resume", run) if end == "finished" or died["in rollback"] else ("rollback", run, "--yes")
            died["in rollback"] += code == 130 and end == "rolled back"
        if end == "finished":
            assert is_restored(filled, bundle), seed
            words = ("rollback", run, "--yes")
    assert before.differences(digest.picture(filled)) == [], seed
    assert restore("verify", run, home=tmp_path).returncode == 0
    told = ", ".join(f"{way} {count}" for way, count in sorted(died.items()))
    tally(f"signals at any moment of a restore and its rollback, seed {seed}: {told}; all gone on with")


@pytest.mark.parametrize("verb", ["run", "resume"])
def test_a_signal_is_heard_while_nothing_moves_on_the_line(
    verb: str, filled: Rehearsed, bundle: Path, tmp_path: Path
) -> None:
    """Whatever was asked of the cluster gets no answer, for longer than this test would wait."""
    line = keeping.start(filled.root, Faults(), 1)
    try:
        words = ["run", str(bundle), *REDIS, "--kubeconfig", str(line.kubeconfig), "-n", filled.namespace, "--yes"]
        for way in ("run", "resume")[: 1 + (verb == "resume")]:
            count = facts(tmp_path) + 15
            process = subprocess.Popen(
                [sys.executable, "-m", "commands", *words], cwd=ROOT, env=environment(tmp_path), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            until(lambda process=process, count=count: facts(tmp_path) >= count or process.poll() is not None)  # type: ignore[misc]
            line.stall(3600)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=25)  # a request alone would wait for 30 s
            assert process.returncode == 130, said
            line.stall(0)
            run = str(runs(tmp_path)[0]["run"])
            assert runs(tmp_path)[0]["state"] == "paused", way
            words = ["resume", run]
    finally:
        keeping.stop(filled.root)
    assert restore("resume", run, "--kubeconfig", str(filled.kubeconfig), home=tmp_path).returncode == 0
    assert is_restored(filled, bundle)


def test_a_run_that_ignores_the_end_of_its_terminal_goes_on(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    """As with nohup, whose output still goes to the terminal that is gone."""
    heeded = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # which a child inherits
    try:
        terminal = Terminal("run", str(bundle), *REDIS, *target(filled), "--yes", home=tmp_path)
    finally:
        signal.signal(signal.SIGHUP, heeded)
    until(lambda: facts(tmp_path) > 15)
    terminal.take_away()
    assert terminal.ended() in (0, 1)  # 1: it could not print its end
    assert runs(tmp_path)[0]["state"] == "finished"
    assert is_restored(filled, bundle)
