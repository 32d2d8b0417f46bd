"""An unmodified kubectl against the API server, as a process of its own and as OpenShift."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  replicas: 0
  selector: {matchLabels: {app: d}}
  template:
    metadata: {labels: {app: d}}
    spec:
      containers:
      - {name: main, image: "x:1", env: [{name: A, value: "1"}]}
      - {name: side, image: "x:1"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {k: "1"}
"""


class Kubectl:
    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.environment = os.environ | {"KUBECONFIG": str(root / "kubeconfig"), "HOME": str(self.home)}

    def __call__(self, *arguments: str, text: str = "", fails: bool = False) -> str:
        """The output; what kubectl says on stderr when it is to fail."""
        done = subprocess.run(
            ["kubectl", "-n", "shop", *arguments],
            env=self.environment,
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    root = tmp_path_factory.mktemp("cluster")
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator.rehearsal.server", "--root", str(root)], cwd=HERE.parent.parent
    )
    kubectl = Kubectl(root)
    _wait_for(root / "kubeconfig", process)
    kubectl("create", "namespace", "shop")
    yield kubectl
    process.terminate()
    assert process.wait(30) == 0


def _wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    while not path.exists():
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError("the server did not start")


def test_apply_is_idempotent_and_merges(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", text=MANIFEST).split("\n")[:2] == [
        "deployment.apps/d created",
        "configmap/c created",
    ]
    kubectl("set", "env", "deploy/d", "-c", "side", "B=2")
    again = kubectl(
        "apply", "-f", "-", text=MANIFEST.replace('k: "1"', 'k: "2"').replace('value: "1"', 'value: "3"')
    )
    assert "configmap/c configured" in again
    containers = json.loads(kubectl("get", "deploy/d", "-o", "json"))["spec"]["template"]["spec"][
        "containers"
    ]
    assert [item["env"][0]["value"] for item in containers] == ["3", "2"]
    assert kubectl("get", "cm/c", "-o", "jsonpath={.data.k}") == "2"
    assert "unknown field" in kubectl(
        "apply", "-f", "-", text=MANIFEST.replace("{name: c}", "{name: c, odd: x}"), fails=True
    )


def test_what_kubectl_sends_as_protobuf(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "made", "--from-literal=a=b")
    kubectl("create", "secret", "generic", "made", "--from-literal=a=b")
    assert kubectl("get", "cm/made", "-o", "jsonpath={.data}") == '{"a":"b"}'
    assert kubectl("get", "secret/made", "-o", "jsonpath={.data.a}") == "Yg=="
    kubectl("create", "serviceaccount", "bob")
    kubectl("create", "role", "reader", "--verb=get", "--resource=pods")
    kubectl("create", "rolebinding", "reader", "--role=reader", "--serviceaccount=shop:bob")
    bob = "--as=system:serviceaccount:shop:bob"
    assert kubectl("auth", "can-i", "get", "pods", bob) == "yes\n"
    kubectl("auth", "can-i", "delete", "pods", bob, fails=True)
    assert len(kubectl("create", "token", "bob")) > 40
    assert "unknown format" in kubectl("create", "deployment", "x", "--image=x:1", fails=True)


def test_scale_label_annotate_patch(kubectl: Kubectl) -> None:
    config = '{"apiVersion":"apps.openshift.io/v1","kind":"DeploymentConfig","metadata":{"name":"dc"},"spec":{"replicas":1}}'
    kubectl("apply", "-f", "-", text=config)
    kubectl("scale", "dc/dc", "--replicas=0")
    kubectl("label", "dc/dc", "a=b")
    kubectl("annotate", "dc/dc", "c=d")
    kubectl("patch", "dc/dc", "--type=json", "-p", '[{"op":"add","path":"/spec/paused","value":true}]')
    found = json.loads(kubectl("get", "deploymentconfig", "dc", "-o", "json"))
    assert (found["spec"]["replicas"], found["spec"]["paused"]) == (0, True)
    assert (found["metadata"]["labels"], found["metadata"]["annotations"]["c"]) == ({"a": "b"}, "d")
    assert "must be greater than" in kubectl(
        "patch", "dc/dc", "--type=merge", "-p", '{"spec":{"replicas":-1}}', fails=True
    )


def test_get_prints_the_columns_people_know(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "shown", "--from-literal=a=b", "--from-literal=c=d")
    header, row = kubectl("get", "cm/shown").strip().split("\n")
    assert (header.split(), row.split()[:2]) == (["NAME", "DATA", "AGE"], ["shown", "2"])
    assert "shown" in kubectl("describe", "cm/shown")
    assert "deploymentconfigs" in kubectl("api-resources", "--no-headers")


def test_delete_waits_until_it_is_gone(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "short", "--from-literal=a=b")
    assert kubectl("delete", "cm/short") == 'configmap "short" deleted\n'
    assert "not found" in kubectl("get", "cm/short", fails=True)
    kubectl("create", "namespace", "passing")
    kubectl("delete", "namespace", "passing")
    assert "not found" in kubectl("get", "namespace", "passing", fails=True)
