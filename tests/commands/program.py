"""The program as a process of its own, as a person starts it, and a journal with a run in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import typer

from commands.app import app
from journal import Draft, Journal, this_holder
from orchestrator import events as ev
from orchestrator.drills.model import ModelCluster
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.runbooks.threescale import restore_plan
from orchestrator.runs import opening

ROOT = Path(__file__).parents[2]
OPENED_AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
RUN = "threescale-20261123-k7f2"
REDIS = ("--only", "backend-redis", "--only", "system-redis")  # what the installation of these tests has

GROUP = cast(typer.core.TyperGroup, typer.main.get_command(app))
VERBS = cast(Mapping[str, typer.core.TyperCommand], GROUP.commands)


def restore(
    *words: str, home: Path, python: Sequence[str] = (), **variables: str
) -> subprocess.CompletedProcess[str]:
    """`restore WORDS…`, without a terminal, in a home of its own."""
    return subprocess.run(
        [sys.executable, *python, "-m", "commands", *words], cwd=ROOT, env=environment(home) | variables,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )


def environment(home: Path) -> dict[str, str]:
    """Nothing of this machine's own journals and kubeconfigs."""
    return {
        "PATH": os.environ["PATH"], "HOME": str(home), "XDG_STATE_HOME": str(home / "state"),
        "KUBECONFIG": str(home / "no-kubeconfig"), "PYTHONPATH": str(ROOT),
    }


def forget_runs(cluster: Rehearsed) -> None:
    """The next run has a journal of its own, and must not meet the Lease of one before."""
    command = ["kubectl", "--kubeconfig", str(cluster.kubeconfig), "delete", "lease", "restore", "--ignore-not-found"]
    env = {"PATH": os.environ["PATH"], "HOME": str(cluster.root)}
    subprocess.run(command, check=True, capture_output=True, env=env)


def open_run(path: Path, *later: ev.Fact, run: str = RUN) -> None:
    """A journal with one run in it: opened on the model of two Redis, and what came later."""
    model = ModelCluster("2.15")
    found, bundle = model.installation(), model.bundle()
    facts: list[ev.Fact] = opening(restore_plan(found, bundle), found, bundle, {"namespace": "3scale"})
    facts[1:1] = [ev.LeaseTaken(holder="somebody")]
    with Journal.open(path, write=True) as journal:
        lease = journal.take_lease(run, this_holder(), ttl_seconds=60, now=OPENED_AT)
        journal.append(lease, [draft(fact) for fact in [*facts, *later]], recorded_at=OPENED_AT)
        journal.release_lease(lease)


def draft(fact: ev.Fact) -> Draft:
    name, version, step, attempt, data = ev.encode(fact)
    return Draft(type=name, data=data, version=version, step=step, attempt=attempt)
