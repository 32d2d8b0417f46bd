"""Who holds a run, and taking it from them: in the journal, on the cluster, and from another machine."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from journal import Journal
from orchestrator.rehearsal import digest
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.rehearsal.line import keeping
from orchestrator.rehearsal.line.faults import Faults
from tests.cluster.pods import until
from tests.commands.program import REDIS, restore
from tests.commands.test_bad_input import kubectl
from tests.commands.test_sessions import (
    begun,
    facts,
    is_restored,
    journal_of,
    put_to_sleep,
    runs,
    stop_at,
    target,
)

STEAL = ("--steal", "--reason", "its laptop was lost", "--yes")


def lease(cluster: Rehearsed) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(kubectl(cluster, "get", "lease", "restore", "-o", "yaml"))
    return found


def shown(run: str, home: Path, *words: str) -> dict[str, Any]:
    done = restore("unlock", run, "-o", "json", *words, home=home)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_who_holds_a_run_is_shown_and_stands_on_the_cluster(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    process = begun(filled, bundle, tmp_path)
    until(lambda: facts(tmp_path) > 12)
    put_to_sleep(process, tmp_path)
    try:
        run = str(runs(tmp_path)[0]["run"])
        found = shown(run, tmp_path)
        assert found["known"] and found["journal"]["alive"] and found["cluster"]["alive"]
        assert found["journal"]["epoch"] == found["cluster"]["epoch"] == 1
        assert f":{process.pid}:" in found["journal"]["holder"] and found["journal"]["holder"] == found["cluster"]["holder"]
        assert found["journal"]["since"] and found["cluster"]["since"]
        assert "--force" in found["advice"]
        notes = lease(filled)["metadata"]["annotations"]
        assert lease(filled)["spec"]["holderIdentity"] == found["journal"]["holder"]
        assert (notes["restore/run"], notes["restore/open"], notes["restore/epoch"]) == (run, run, "1")
        with Journal.open(journal_of(tmp_path), write=False) as journal:
            seq, _, head = notes["restore/head"].partition(":")
            assert next(journal.read(run, after=int(seq) - 1)).digest == head
        elsewhere = tmp_path / "elsewhere"
        shutil.copytree(journal_of(tmp_path).parent, journal_of(elsewhere).parent)
        with Journal.open(journal_of(elsewhere), write=True) as copy:
            copy.release_lease(copy.take_lease(run, "nobody", ttl_seconds=0, steal=True, now=datetime.now(UTC)))
        refused = restore("resume", run, home=elsewhere)
        assert (refused.returncode, "this installation is held by run" in refused.stderr) == (11, True), refused.stderr
        table = restore("unlock", run, home=tmp_path).stdout
        assert f"process {process.pid}   alive" in table
    finally:
        process.kill()
        process.communicate(timeout=60)
    assert shown(run, tmp_path)["journal"]["alive"] is False
    assert shown(run, tmp_path)["advice"] == f"nobody holds it; go on with: restore resume {run}"
    assert restore("resume", run, home=tmp_path).returncode == 0
    assert lease(filled)["spec"].get("holderIdentity", "") == ""
    assert shown(run, tmp_path)["advice"] == "nobody holds it, and it is finished"


def test_words_that_take_nothing(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    stop_at(begun(filled, bundle, tmp_path), tmp_path, 12, signal.SIGKILL)
    run = str(runs(tmp_path)[0]["run"])
    before = facts(tmp_path)
    refused = restore("unlock", run, "--steal", "--yes", home=tmp_path)
    assert (refused.returncode, "says why" in refused.stderr) == (2, True)
    refused = restore("unlock", run, "--steal", "--reason", "why", home=tmp_path)
    assert (refused.returncode, "no terminal" in refused.stderr) == (4, True)
    refused = restore("unlock", "threescale-20261123-zzzz", *STEAL, *target(filled), home=tmp_path)
    assert refused.returncode == 10, refused.stderr
    assert facts(tmp_path) == before


def test_taking_a_run_is_a_fact_with_a_name_and_a_reason(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    stop_at(begun(filled, bundle, tmp_path), tmp_path, 12, signal.SIGKILL)  # dead, and both leases in its name
    run = str(runs(tmp_path)[0]["run"])
    holder = shown(run, tmp_path)["journal"]["holder"]
    taken = restore("unlock", run, *STEAL, home=tmp_path)
    assert taken.returncode == 0, taken.stderr
    last = json.loads(restore("log", run, "-o", "jsonl", home=tmp_path).stdout.splitlines()[-1])
    assert (last["type"], last["epoch"], last["data"]["holder"]) == ("LockStolen", 2, holder)
    assert last["data"]["reason"] == "its laptop was lost" and last["data"]["by"] and last["recorded_at"]
    notes = lease(filled)["metadata"]["annotations"]
    assert (notes["restore/epoch"], notes["restore/run"], notes["restore/open"]) == ("2", run, run)
    assert "its laptop was lost" in notes["restore/stolen"]
    assert lease(filled)["spec"].get("holderIdentity", "") == ""
    assert restore("verify", run, home=tmp_path).returncode == 0
    assert restore("resume", run, home=tmp_path).returncode == 0
    assert ", 0 otherwise\n" in restore("replay", run, home=tmp_path).stdout
    assert is_restored(filled, bundle)


def test_a_run_whose_journal_is_elsewhere(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    """Asleep on another machine. It is named by the Lease, taken by its name, and does nothing more when it wakes up."""
    process = begun(filled, bundle, tmp_path)
    until(lambda: facts(tmp_path) > 20)
    put_to_sleep(process, tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run = str(runs(tmp_path)[0]["run"])
    words = ("run", str(bundle), *REDIS, *target(filled), "--yes")
    refused = restore(*words, home=elsewhere)
    assert refused.returncode == 11, refused.stderr
    assert f"hint: restore unlock {run}" in refused.stderr
    found = shown(run, elsewhere, *target(filled))
    assert (found["known"], found["journal"], found["lease"]["open"]) == (False, None, run)
    assert "its journal is not here" in found["advice"]
    assert restore("unlock", run, *STEAL, *target(filled), home=elsewhere).returncode == 11, "it lives on this machine"
    taken = restore("unlock", run, *STEAL, "--force", *target(filled), home=elsewhere)
    assert taken.returncode == 0, taken.stderr
    ran = restore(*words, home=elsewhere)
    assert ran.returncode == 0, ran.stderr
    after = digest.picture(filled)
    process.send_signal(signal.SIGCONT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 11, said
    assert "its laptop was lost" in said
    assert after.differences(digest.picture(filled)) == []
    for verb in ("resume", "rollback"):
        again = restore(verb, run, *(("--yes",) if verb == "rollback" else ()), home=tmp_path)
        assert again.returncode == 21, again.stderr


def test_a_paused_run_keeps_others_off_from_any_journal(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    stop_at(begun(filled, bundle, tmp_path), tmp_path, 25, signal.SIGINT)
    run = str(runs(tmp_path)[0]["run"])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    words = ("run", str(bundle), *REDIS, *target(filled), "--yes")
    here, there = restore(*words, home=tmp_path), restore(*words, home=elsewhere)
    assert (here.returncode, there.returncode) == (22, 11), here.stderr + there.stderr
    assert f"restore resume {run}" in here.stderr and f"restore unlock {run}" in there.stderr
    said = restore("unlock", run, *target(filled), home=elsewhere)
    assert (said.returncode, "its journal is not here" in said.stdout) == (0, True)
    assert restore("rollback", run, "--yes", home=tmp_path).returncode == 0


def test_a_lease_that_somebody_deleted_is_made_again(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    """While its run goes on, and keeps others off again."""
    line = keeping.start(filled.root, Faults(latency_seconds=0.1), 1)  # so that it takes its time
    try:
        process = begun(replace(filled, kubeconfig=line.kubeconfig), bundle, tmp_path)
        until(lambda: facts(tmp_path) > 12)
        before = lease(filled)
        kubectl(filled, "delete", "lease", "restore")
        until(lambda: kubectl(filled, "get", "lease", "-o", "name") or process.poll() is not None)
        assert process.poll() is None
        again = lease(filled)
        put_to_sleep(process, tmp_path)
        elsewhere = restore("run", str(bundle), *REDIS, *target(filled), "--yes", home=tmp_path / "elsewhere")
        line.change(Faults())
        process.send_signal(signal.SIGCONT)
        _, said = process.communicate(timeout=60)
    finally:
        keeping.stop(filled.root)
    assert again["metadata"]["uid"] != before["metadata"]["uid"]
    assert again["spec"]["holderIdentity"] == before["spec"]["holderIdentity"]
    for note in ("restore/run", "restore/open", "restore/epoch"):
        assert again["metadata"]["annotations"][note] == before["metadata"]["annotations"][note]
    assert (elsewhere.returncode, process.returncode) == (11, 0), elsewhere.stderr + said
    assert is_restored(filled, bundle)


def test_garbage_on_the_lease_is_told_and_taken_over(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    process = begun(filled, bundle, tmp_path)
    stop_at(process, tmp_path, 12, signal.SIGKILL)
    run = str(runs(tmp_path)[0]["run"])
    kubectl(filled, "annotate", "--overwrite", "lease", "restore", "restore/epoch=abc", "restore/head=xx:yy")
    shown(run, tmp_path)
    refused = restore("resume", run, home=tmp_path)
    assert (refused.returncode, "Traceback" in refused.stderr) == (12, False), refused.stderr
    taken = restore("unlock", run, *STEAL, home=tmp_path)
    assert (taken.returncode, "Traceback" in taken.stderr) == (0, False), taken.stderr
    assert restore("resume", run, home=tmp_path).returncode == 0


def test_garbage_in_the_lease_of_the_journal_is_damage(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    process = begun(filled, bundle, tmp_path)
    stop_at(process, tmp_path, 12, signal.SIGKILL)
    run = str(runs(tmp_path)[0]["run"])
    with sqlite3.connect(journal_of(tmp_path)) as db:
        db.execute("UPDATE leases SET expires_at = 'garbage'")
    for verb in ("status", "resume"):
        refused = restore(verb, run, home=tmp_path)
        assert (refused.returncode, "Traceback" in refused.stderr) == (12, False), refused.stderr
    with sqlite3.connect(journal_of(tmp_path)) as db:
        db.execute("UPDATE leases SET expires_at = '2026-01-01T00:00:00.000000+00:00'")
    assert restore("resume", run, home=tmp_path).returncode == 0
