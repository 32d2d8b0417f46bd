"""What a decoder refuses or drops before any rule of a kind is applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.rehearsal.schemas import WrongType, prune
from orchestrator.rehearsal.server import RunningServer
from tests.rehearsal.api_clients import Client, on_cluster
from tests.rehearsal.schema_generator import TARGET, generate

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def test_the_file_says_what_the_client_library_says() -> None:
    assert TARGET.read_text() == generate(), "run tests/rehearsal/schema_generator.py"


def test_unknown_fields_are_dropped_and_named() -> None:
    container: dict[str, Any] = {"name": "m", "imagee": "x", "ports": [{"containerPort": 1, "oops": 2}]}
    pod = {"spec": {"containers": [container], "volumes": None}, "odd": 1}
    assert prune(pod, "Pod") == ["odd", "spec.containers[0].imagee", "spec.containers[0].ports[0].oops"]
    assert pod == {"spec": {"containers": [{"name": "m", "ports": [{"containerPort": 1}]}], "volumes": None}}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (
            {"replicas": "3"},
            "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        ({"replicas": True}, "cannot unmarshal bool"),
        ({"paused": 1}, "cannot unmarshal number"),
        ({"template": []}, "cannot unmarshal array"),
        ({"template": {"spec": {"containers": {}}}}, "cannot unmarshal object"),
        ({"template": {"metadata": {"labels": {"a": 1}}}}, "cannot unmarshal number"),
    ],
)
def test_wrong_types_are_refused_by_their_place(spec: dict[str, Any], told: str) -> None:
    with pytest.raises(WrongType, match=told):
        prune({"spec": spec}, "Deployment")


def test_what_may_be_a_number_or_text_may_be_either() -> None:
    resources = {"limits": {"cpu": 1, "memory": "1Gi"}}
    strategy = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%"}}
    assert prune(resources, "ResourceRequirements") == []
    assert prune({"spec": {"strategy": strategy}}, "Deployment") == []


def test_strict_validation_refuses_a_typo_that_a_lenient_one_mentions(tmp_path: Path) -> None:
    template = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "m", "image": "x", "imgae": "y"}]},
    }
    body = {
        "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
    }
    typo = 'unknown field "spec.template.spec.containers[0].imgae"'

    async def check(running: RunningServer, client: Client) -> None:
        strict = await client.send("POST", DEPLOYMENTS + "?fieldValidation=Strict", body)
        assert (strict.status, typo in strict.body["message"]) == (400, True)
        lenient = await client.send("POST", DEPLOYMENTS, body)
        assert lenient.status == 201
        assert lenient.headers["Warning"] == '299 - "' + typo.replace('"', '\\"') + '"'
        assert "imgae" not in lenient.body["spec"]["template"]["spec"]["containers"][0]
        forged = {"metadata": {"name": "e"}, "a\r\nSet-Cookie: b": 1}
        split = await client.send("POST", DEPLOYMENTS, body | forged)
        assert (split.status, "Set-Cookie" in split.headers) == (201, False)
        odd = await client.send("POST", DEPLOYMENTS, body | {"spec": "text"})
        assert (odd.status, odd.body["reason"]) == (400, "BadRequest")

    on_cluster(tmp_path, check)
