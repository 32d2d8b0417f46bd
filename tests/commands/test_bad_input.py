"""Bad input: each its exit code, one clear sentence, the next command to type, and nothing changed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.rehearsal import digest
from orchestrator.rehearsal.lifecycle import Rehearsed
from tests.commands.program import REDIS, restore

RDB = "backend-redis-dump.rdb"
Spoil = Callable[[Path], None]


def truncate(bundle: Path) -> None:
    data = (bundle / RDB).read_bytes()
    (bundle / RDB).write_bytes(data[: len(data) // 2])


def flip_checksum(bundle: Path) -> None:
    data = bytearray((bundle / RDB).read_bytes())
    data[-3] ^= 1
    (bundle / RDB).write_bytes(data)


def make_newer(bundle: Path) -> None:
    """RDB version 11 (Redis 7.2), with the checksum switched off as the format allows."""
    data = bytearray((bundle / RDB).read_bytes())
    data[5:9], data[-8:] = b"0011", bytes(8)
    (bundle / RDB).write_bytes(data)


def make_directory(bundle: Path) -> None:
    (bundle / RDB).unlink()
    (bundle / RDB).mkdir()


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        pytest.param(truncate, 20, "truncated", id="truncated"),
        pytest.param(flip_checksum, 20, "checksum is wrong", id="wrong-crc64"),
        pytest.param(make_newer, 22, "RDB version 11; Redis 7.0", id="newer-than-the-server"),
        pytest.param(lambda b: (b / RDB).write_bytes(b""), 20, "empty", id="empty"),
        pytest.param(make_directory, 20, "not a file", id="directory-for-a-file"),
        pytest.param(lambda b: (b / RDB).unlink(), 20, "missing", id="missing"),
        pytest.param(lambda b: (b / "system-smtp.json").write_text("{x"), 20, "not JSON", id="not-json"),
        pytest.param(lambda b: (b / RDB).write_bytes(b"PK\3\4" * 9), 20, RDB, id="not-an-rdb"),
        pytest.param(shutil.rmtree, 20, "does not exist", id="no-such-bundle"),
    ],
)
def test_bundle(
    spoil: Spoil, code: int, words: str, filled: Rehearsed, bundle: Path, tmp_path: Path
) -> None:
    spoiled = Path(shutil.copytree(bundle, tmp_path / "bundle"))
    spoil(spoiled)
    refused(filled, ["run", str(spoiled), *REDIS, "--yes"], code, words, tmp_path)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(["status", "no-such-run"], 10, "no journal", id="no-journal"),
        pytest.param(["resume", "no-such-run"], 10, "no journal", id="no-journal-to-resume"),
        pytest.param(["rollback", "no-such-run", "--yes"], 10, "no journal", id="no-journal-to-roll-back"),
    ],
)
def test_run_id(words: list[str], code: int, said: str, filled: Rehearsed, tmp_path: Path) -> None:
    refused(filled, words, code, said, tmp_path)


def test_a_journal_that_cannot_be_made(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    words = ["run", str(bundle), *REDIS, "--yes", "--journal", str(tmp_path / "file" / "journal.db")]
    refused(filled, words, 2, "not a directory", tmp_path)


def make_loop(here: Path) -> Path:
    (here / "one").symlink_to(here / "two")
    (here / "two").symlink_to(here / "one")
    return here / "one"


@pytest.mark.parametrize("words", ["runs --journal PATH", "status RUN --journal PATH", "check PATH", "plan PATH", "run PATH --yes", "report RUN --journal PATH"])
@pytest.mark.parametrize("make", [make_loop, lambda here: here / ("long" * 100)], ids=["loop", "long"])
def test_a_path_that_leads_nowhere(words: str, make: Callable[[Path], Path], tmp_path: Path) -> None:
    ran = restore(*(str(make(tmp_path)) if word == "PATH" else word for word in words.split()), home=tmp_path)
    assert ran.returncode in (2, 10, 20), ran.stderr
    assert "Traceback" not in ran.stderr
    assert "restore: error: " in ran.stderr
    assert "restore: hint: " in ran.stderr


def test_namespace_without_the_workloads(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    refused(filled, ["run", str(bundle), *REDIS, "--yes", "-n", "default"], 22, "nothing to restore", tmp_path)


def test_no_such_namespace(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    refused(filled, ["run", str(bundle), *REDIS, "--yes", "-n", "nowhere"], 22, "no namespace nowhere", tmp_path)


def test_nobody_to_ask(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    refused(filled, ["run", str(bundle), *REDIS], 4, "--yes", tmp_path)


def test_wrong_token(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    kubeconfig = changed(filled, tmp_path, user={"token": "wrong"})
    refused(filled, ["run", str(bundle), *REDIS, "--yes"], 31, "credentials", tmp_path, kubeconfig)


def test_token_without_rights(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    kubectl(filled, "create", "serviceaccount", "visitor")
    token = kubectl(filled, "create", "token", "visitor").strip()
    kubeconfig = changed(filled, tmp_path, user={"token": token})
    said = "may not get namespaces, list apimanagers, get configmaps"
    refused(filled, ["run", str(bundle), *REDIS, "--yes"], 22, said, tmp_path, kubeconfig)


READING = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}
ENTERING = {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create", "get"]}


@pytest.mark.parametrize(
    ("name", "rules", "said"),
    [
        pytest.param("reader", [READING, ENTERING], "may not patch configmaps", id="nothing-may-be-changed"),
        pytest.param("outsider", [READING], "may not create pods/exec in", id="no-pod-may-be-entered"),
    ],
)
def test_too_few_rights(
    filled: Rehearsed, bundle: Path, tmp_path: Path, name: str, rules: list[dict[str, Any]], said: str
) -> None:
    """Each right that is missing is named, and nothing was changed."""
    kubectl(filled, "create", "serviceaccount", name)
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name},
            "rules": rules}
    kubectl(filled, "apply", "-f", "-", text=json.dumps(role))
    kubectl(filled, "create", "rolebinding", name, f"--clusterrole={name}",
            f"--serviceaccount={filled.namespace}:{name}")
    token = kubectl(filled, "create", "token", name).strip()
    kubeconfig = changed(filled, tmp_path, user={"token": token})
    refused(filled, ["run", str(bundle), *REDIS, "--yes"], 22, said, tmp_path, kubeconfig)


def test_server_that_is_not_there(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = f"https://127.0.0.1:{free.getsockname()[1]}"
    kubeconfig = changed(filled, tmp_path, cluster={"server": server})
    refused(filled, ["run", str(bundle), *REDIS, "--yes"], 30, "connection refused", tmp_path, kubeconfig)


def test_certificate_of_somebody_else(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    import base64

    import trustme

    stranger = trustme.CA().cert_pem.bytes()
    authority = {"certificate-authority-data": base64.b64encode(stranger).decode()}
    kubeconfig = changed(filled, tmp_path, cluster=authority)
    refused(filled, ["run", str(bundle), *REDIS, "--yes"], 30, "certificate", tmp_path, kubeconfig)


def test_certificate_for_another_name(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    cluster = {"tls-server-name": "somewhere.else"}
    kubeconfig = changed(filled, tmp_path, cluster=cluster)
    refused(filled, ["run", str(bundle), *REDIS, "--yes"], 30, "certificate", tmp_path, kubeconfig)


@pytest.mark.parametrize("text", ["- a\n- list\n", "words\n", "clusters: []\n", "{", "current-context: x\ncontexts: []\n"])
def test_a_file_that_is_no_kubeconfig(text: str, filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "odd").write_text(text)
    refused(filled, ["run", str(bundle), *REDIS, "--yes"], 2, f"{tmp_path / 'odd'} cannot be used", tmp_path, tmp_path / "odd")


def test_no_kubeconfig(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    refused(filled, ["run", str(bundle), *REDIS, "--yes"], 2, "kubeconfig", tmp_path, tmp_path / "nowhere")


# ---- what is the same in all of them -----------------------------------------------------------------


def refused(
    cluster: Rehearsed, words: list[str], code: int, said: str, home: Path, kubeconfig: Path | None = None
) -> None:
    """The command ends with this code and these words, a hint, no traceback; the cluster is as before."""
    before = digest.picture(cluster)
    if words[0] == "run":
        words = [*words, "--kubeconfig", str(kubeconfig or cluster.kubeconfig)]
        words += [] if "-n" in words else ["-n", cluster.namespace]
    ran = restore(*words, home=home)
    assert ran.returncode == code, ran.stderr
    errors = [line for line in ran.stderr.splitlines() if line.startswith("restore: error: ")]
    assert len(errors) == 1, ran.stderr
    assert said in ran.stderr
    assert "restore: hint: " in ran.stderr
    assert "Traceback" not in ran.stderr
    assert before.differences(digest.picture(cluster)) == []


def changed(known: Rehearsed, home: Path, **parts: dict[str, Any]) -> Path:
    """The cluster's kubeconfig with some fields of its `cluster` or `user` set otherwise."""
    config = yaml.safe_load(known.kubeconfig.read_text())
    config["clusters"][0]["cluster"].update(parts.get("cluster", {}))
    config["users"][0]["user"].update(parts.get("user", {}))
    path = home / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    path.chmod(0o600)
    return path


def kubectl(cluster: Rehearsed, *words: str, text: str | None = None) -> str:
    command = ["kubectl", "--kubeconfig", str(cluster.kubeconfig), "-n", cluster.namespace, *words]
    env = {"PATH": os.environ["PATH"], "HOME": str(cluster.root)}
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, env=env).stdout
