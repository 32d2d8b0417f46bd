"""Credentials that end while a run goes on: they are read afresh from where the kubeconfig says, else the run waits for new ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.rehearsal.lifecycle import Rehearsed
from tests.cluster.pods import until
from tests.commands.program import restore
from tests.commands.test_bad_input import changed, kubectl
from tests.commands.test_sessions import (
    ORDINARY,
    begun,
    facts,
    is_restored,
    make_role,
    runs,
    token_of,
)

RULES = [*ORDINARY, {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]}]


@pytest.fixture
def role(filled: Rehearsed) -> str:
    make_role(filled, "keeper", RULES)
    return "keeper"


def test_a_token_that_ended_pauses_the_run_which_goes_on_with_another(
    filled: Rehearsed, bundle: Path, tmp_path: Path, role: str
) -> None:
    kubeconfig = changed(filled, tmp_path, user={"token": token_of(filled, role, "first")})
    process = begun(replace(filled, kubeconfig=kubeconfig), bundle, tmp_path)
    until(lambda: facts(tmp_path) > 15)
    kubectl(filled, "delete", "serviceaccount", "first")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 3, said
    (found,) = runs(tmp_path)
    assert found["state"] == "paused"
    assert "did not accept the credentials" in str(found["reason"]), said
    assert f"restore resume {found['run']}" in said
    kubeconfig.write_text(changed(filled, tmp_path, user={"token": token_of(filled, role, "second")}).read_text())
    resumed = restore("resume", str(found["run"]), home=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert is_restored(filled, bundle)


def test_a_token_file_that_is_renewed_stops_nothing(filled: Rehearsed, bundle: Path, tmp_path: Path, role: str) -> None:
    file = tmp_path / "token"
    file.write_text(token_of(filled, role, "third"))
    kubeconfig = changed(filled, tmp_path, user={"tokenFile": str(file)})
    process = begun(replace(filled, kubeconfig=kubeconfig), bundle, tmp_path)
    until(lambda: facts(tmp_path) > 15)
    file.write_text(token_of(filled, role, "fourth"))
    kubectl(filled, "delete", "serviceaccount", "third")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert is_restored(filled, bundle)
