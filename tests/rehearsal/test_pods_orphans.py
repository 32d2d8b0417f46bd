"""A cluster that is killed leaves nothing behind, whatever its processes did to hide."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from base64 import b64decode
from pathlib import Path

import yaml

from tests.rehearsal.pods_cluster import is_alive

PROCESS = Path(__file__).with_name("cluster_process.py")
PROJECT = Path(__file__).parents[2]
LIMIT_SECONDS = 20


def test_sigkill_of_the_cluster_ends_every_process(tmp_path: Path) -> None:
    root = tmp_path / "root"
    cluster = subprocess.Popen(
        [sys.executable, str(PROCESS), str(root)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        start_new_session=True,
    )
    try:
        assert cluster.stdout is not None
        assert cluster.stdout.readline() == b"ready\n"
        pids = _processes_of_a_pod(root, tmp_path)
    finally:
        os.kill(cluster.pid, signal.SIGKILL)
        cluster.wait()
    deadline = time.monotonic() + LIMIT_SECONDS
    while any(is_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [pid for pid in pids if is_alive(pid)] == []


def _processes_of_a_pod(root: Path, tmp_path: Path) -> list[int]:
    """A shell, a job in a session of its own, and a server that overwrites its environment."""
    server = shutil.which("redis-server")
    assert server
    job = f"setsid sh -c 'echo $$$$ > {tmp_path}/job; sleep 600' &"
    database = f"{server} --port 0 --unixsocket {tmp_path}/s --dir {tmp_path} --pidfile {tmp_path}/redis --daemonize no &"
    shell = f"echo $$$$ > {tmp_path}/shell; {job} {database} wait"
    container = {"name": "main", "image": "any", "command": ["/bin/sh", "-c", shell]}
    _post(root, {"metadata": {"name": "p"}, "spec": {"containers": [container]}})
    return [_number(tmp_path / name) for name in ("shell", "job", "redis")]


def _post(root: Path, pod: dict[str, object]) -> None:
    config = yaml.safe_load((root / "kubeconfig").read_text())
    cluster, token = config["clusters"][0]["cluster"], config["users"][0]["user"]["token"]
    authority = b64decode(cluster["certificate-authority-data"]).decode()
    request = urllib.request.Request(
        f"{cluster['server']}/api/v1/namespaces/default/pods",
        data=json.dumps({"kind": "Pod", "apiVersion": "v1", **pod}).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    context = ssl.create_default_context(cadata=authority)
    with urllib.request.urlopen(request, context=context, timeout=10) as response:
        assert response.status == 201


def _number(path: Path) -> int:
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        if path.exists() and path.read_text().strip():
            return int(path.read_text())
        time.sleep(0.02)
    raise AssertionError(f"{path.name} has not started")
