"""The server on the wire: who is let in, what is refused, and how OpenShift and Kubernetes differ."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from orchestrator.rehearsal.auth import grant
from orchestrator.rehearsal.server import Handler, RunningServer
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type
from tests.rehearsal.api_clients import Client, on_cluster

MAPS = "/api/v1/namespaces/default/configmaps"
CONFIGS = "/apis/apps.openshift.io/v1/namespaces/default/deploymentconfigs"
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
CONTAINER = {"name": "main", "image": "x:1"}
CONFIG = {
    "metadata": {"name": "c"},
    "spec": {
        "replicas": 1,
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}},
    },
}


def test_only_the_owner_can_read_the_kubeconfig(tmp_path: Path) -> None:
    async def body(running: RunningServer, client: Client) -> None:
        assert stat.S_IMODE(running.kubeconfig.stat().st_mode) == 0o600
        assert stat.S_IMODE(running.root.stat().st_mode) == 0o700
        assert client.url == f"https://127.0.0.1:{running.port}"

    on_cluster(tmp_path / "cluster", body)
    assert not (tmp_path / "cluster" / "kubeconfig").exists()


def test_a_client_that_does_not_know_the_authority_is_not_fooled(tmp_path: Path) -> None:
    async def body(running: RunningServer, client: Client) -> None:
        try:
            await client.session.get(client.url + "/version")
        except aiohttp.ClientConnectorCertificateError:
            return
        raise AssertionError("the certificate was trusted")

    on_cluster(tmp_path, body)


def test_tokens(tmp_path: Path) -> None:
    async def body(running: RunningServer, client: Client) -> None:
        assert (await client.send("GET", MAPS)).status == 200
        assert (await client.send("GET", MAPS, token=None)).status == 403
        wrong = await client.send("GET", MAPS, token="wrong")
        assert (wrong.status, wrong.body["reason"]) == (401, "Unauthorized")

    on_cluster(tmp_path, body)


def test_a_granted_token_may_do_what_its_rules_say_until_its_account_is_gone(tmp_path: Path) -> None:
    async def body(running: RunningServer, client: Client) -> None:
        rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]
        token = grant(running.store, running.tokens, "default", "reader", rules)
        assert (await client.send("GET", MAPS, token=token)).status == 200
        assert (await client.send("POST", MAPS, {"metadata": {"name": "a"}}, token=token)).status == 403
        assert (await client.send("GET", "/api/v1/configmaps", token=token)).status == 403
        assert (await client.send("GET", MAPS.replace("configmaps", "secrets"), token=token)).status == 403
        running.store.delete(resource_type("ServiceAccount"), "default", "reader")
        assert (await client.send("GET", MAPS, token=token)).status == 401

    on_cluster(tmp_path, body)


def test_impersonation_gives_the_rights_of_the_other_and_is_not_for_everybody(tmp_path: Path) -> None:
    async def body(running: RunningServer, client: Client) -> None:
        as_other = await client.send("GET", MAPS, Impersonate_User="somebody")
        assert as_other.status == 403
        assert 'User "somebody"' in as_other.body["message"]
        token = grant(running.store, running.tokens, "default", "plain", [])
        refused = await client.send("GET", MAPS, token=token, Impersonate_User="system:admin")
        assert refused.status == 403
        assert "cannot impersonate" in refused.body["message"]
        rules = [{"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"]}]
        role = {"metadata": {"name": "puppeteer"}, "rules": rules}
        reference = {"kind": "ClusterRole", "name": "puppeteer"}
        subject = {"kind": "ServiceAccount", "namespace": "default", "name": "plain"}
        binding = {"metadata": {"name": "puppeteer"}, "roleRef": reference, "subjects": [subject]}
        running.store.create(resource_type("ClusterRole"), None, role)
        running.store.create(resource_type("ClusterRoleBinding"), None, binding)
        as_master = {"Impersonate_User": "somebody", "Impersonate_Group": "system:masters"}
        refused = await client.send("GET", MAPS, token=token, **as_master)
        assert 'groups "system:masters" is forbidden' in refused.body["message"]

    on_cluster(tmp_path, body)


def test_what_is_not_there_is_refused_by_its_right_name(tmp_path: Path) -> None:
    refusals = [
        ("GET", "/nothing", "", 404),
        ("GET", "/apis/none.example/v1/things", "", 404),
        ("GET", "/api/v1/namespaces/default/nodes", "", 404),
        ("GET", MAPS + "/a/nope", "", 404),
        ("POST", MAPS + "/a", "", 405),
        ("PUT", MAPS, "", 405),
        ("DELETE", "/version", "", 405),
        ("PROPFIND", MAPS + "/a", "", 405),
        ("PATCH", MAPS + "/a", "application/json", 415),
        ("PATCH", MAPS + "/a", "application/foo-patch+json", 415),
        ("POST", MAPS, "text/plain", 415),
        ("GET", "/api/v1/namespaces/default/pods/p/exec", "", 404),
    ]

    async def body(running: RunningServer, client: Client) -> None:
        await client.send("POST", MAPS, {"metadata": {"name": "a"}})
        version = running.store.version
        for method, path, content_type, status in refusals:
            headers = {"Content_Type": content_type} if content_type else {}
            answer = await client.send(method, path, {}, **headers)
            assert (answer.status, answer.body["kind"]) == (status, "Status"), (method, path)
        assert running.store.version == version

    on_cluster(tmp_path, body)


def test_openshift_merges_deployment_configs_strategically(tmp_path: Path) -> None:
    patch = {
        "spec": {
            "template": {"spec": {"containers": [{"name": "main", "env": [{"name": "A", "value": "1"}]}]}}
        }
    }

    async def body(running: RunningServer, client: Client) -> None:
        assert (await client.send("POST", CONFIGS, CONFIG)).status == 201
        patched = await client.send("PATCH", CONFIGS + "/c", patch, Content_Type=STRATEGIC)
        assert patched.status == 200
        container = patched.body["spec"]["template"]["spec"]["containers"][0]
        assert (container["image"], container["env"]) == ("x:1", [{"name": "A", "value": "1"}])
        assert patched.body["spec"]["triggers"] == [{"type": "ConfigChange"}]
        unversioned = CONFIG | {"spec": CONFIG["spec"]}
        assert (await client.send("PUT", CONFIGS + "/c", unversioned)).status == 200

    on_cluster(tmp_path, body)


def test_kubernetes_has_them_as_custom_resources(tmp_path: Path) -> None:
    async def body(running: RunningServer, client: Client) -> None:
        created = await client.send("POST", CONFIGS, CONFIG)
        assert created.body["spec"] == CONFIG["spec"]
        assert (await client.send("PATCH", CONFIGS + "/c", {}, Content_Type=STRATEGIC)).status == 415
        assert (await client.send("PUT", CONFIGS + "/c", CONFIG)).status == 422
        listed = await client.send("GET", "/apis/apps.openshift.io/v1")
        assert "deploymentconfigs/instantiate" not in [entry["name"] for entry in listed.body["resources"]]

    on_cluster(tmp_path, body, kubernetes=True)


class Recorder:
    """An extension that answers exec and writes down what it was called with."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def start(self, store: Store, root: Path) -> None:
        self.calls.append("start")

    async def stop(self) -> None:
        self.calls.append("stop")

    def routes(self) -> Mapping[str, Handler]:
        return {"pods/exec": self.exec}

    async def exec(self, request: web.Request, namespace: str, name: str) -> web.StreamResponse:
        self.calls.append(f"exec {namespace}/{name}")
        return web.Response(text="done")


def test_extensions_are_asked_after_authorization_and_only_about_what_exists(tmp_path: Path) -> None:
    recorder = Recorder()

    async def body(running: RunningServer, client: Client) -> None:
        running.store.create(
            resource_type("Pod"), "default", {"metadata": {"name": "p"}, "spec": {"containers": [CONTAINER]}}
        )
        path = "/api/v1/namespaces/default/pods/p/exec"
        assert (await client.send("GET", path, token=None)).status == 403
        assert (await client.send("GET", path.replace("/p/", "/q/"))).status == 404
        assert (await client.send("DELETE", path)).status == 405
        assert (await client.send("GET", path)).body == "done"

    on_cluster(tmp_path, body, extensions=[recorder])
    assert recorder.calls == ["start", "exec default/p", "stop"]


class Failing(Recorder):
    async def start(self, store: Store, root: Path) -> None:
        raise RuntimeError("no place")


def test_an_extension_that_cannot_start_leaves_nothing_behind(tmp_path: Path) -> None:
    first, second = Recorder(), Failing()

    async def body(running: RunningServer, client: Client) -> None:
        raise AssertionError("it must not come so far")

    with pytest.raises(RuntimeError, match="no place"):
        on_cluster(tmp_path, body, extensions=[first, second])
    assert (first.calls, second.calls) == (["start", "stop"], ["stop"])
    assert not (tmp_path / "kubeconfig").exists()


def test_an_open_watch_is_noticed_again_and_again(tmp_path: Path) -> None:
    async def body(running: RunningServer, client: Client) -> None:
        headers = {"Authorization": f"Bearer {running.tokens.administrator}"}
        url = f"{client.url}{MAPS}?watch=true"
        async with client.session.get(url, headers=headers, ssl=client.context):
            noticed.clear()
            await asyncio.wait_for(noticed.wait(), 60)

    noticed = asyncio.Event()
    on_cluster(tmp_path, body, on_request=noticed.set)


def test_every_request_is_noticed(tmp_path: Path) -> None:
    noticed: list[bool] = []

    async def body(running: RunningServer, client: Client) -> None:
        await client.send("GET", "/healthz", token=None)
        await client.send("GET", MAPS, token="wrong")
        assert len(noticed) == 2

    on_cluster(tmp_path, body, on_request=lambda: noticed.append(True))


def test_a_watch_hears_what_others_do(tmp_path: Path) -> None:
    async def body(running: RunningServer, client: Client) -> None:
        headers = {"Authorization": f"Bearer {running.tokens.administrator}"}
        url = f"{client.url}{MAPS}?watch=true&resourceVersion={running.store.version}&labelSelector=w%3D1"
        async with client.session.get(url, headers=headers, ssl=client.context) as response:
            await client.send("POST", MAPS, {"metadata": {"name": "other"}})
            await client.send("POST", MAPS, {"metadata": {"name": "a", "labels": {"w": "1"}}})
            await client.send("PATCH", MAPS + "/a", {"metadata": {"labels": {"w": None}}}, Content_Type=MERGE)
            lines = [json.loads(await response.content.readline()) for _ in range(2)]
        assert [(line["type"], line["object"]["metadata"]["name"]) for line in lines] == [
            ("ADDED", "a"),
            ("DELETED", "a"),
        ]

    on_cluster(tmp_path, body)


def test_a_watch_is_over_when_the_server_stops(tmp_path: Path) -> None:
    async def body(running: RunningServer, client: Client) -> None:
        headers = {"Authorization": f"Bearer {running.tokens.administrator}"}
        response = await client.session.get(
            f"{client.url}{MAPS}?watch=true", headers=headers, ssl=client.context
        )
        reading = asyncio.create_task(response.content.read())
        await running.stop()
        done, _ = await asyncio.wait({reading}, timeout=60)
        assert done
        assert isinstance(reading.exception(), aiohttp.ClientPayloadError | None)

    on_cluster(tmp_path, body)


def test_pages_show_one_version_whatever_happens_between(tmp_path: Path) -> None:
    async def body(running: RunningServer, client: Client) -> None:
        for name in "abcde":
            await client.send("POST", MAPS, {"metadata": {"name": name}})
        first = (await client.send("GET", MAPS + "?limit=2")).body
        await client.send("DELETE", MAPS + "/c")
        await client.send("POST", MAPS, {"metadata": {"name": "bb"}})
        rest = (await client.send("GET", f"{MAPS}?limit=9&continue={first['metadata']['continue']}")).body
        assert names(first) + names(rest) == list("abcde")
        assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]

    on_cluster(tmp_path, body)


def names(listed: Any) -> list[str]:
    return [item["metadata"]["name"] for item in listed["items"]]


def test_dependents_go_with_their_owner_and_a_namespace_with_all_it_has(tmp_path: Path) -> None:
    async def body(running: RunningServer, client: Client) -> None:
        await client.send("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
        shop = MAPS.replace("default", "shop")
        owner = (await client.send("POST", shop, {"metadata": {"name": "owner"}})).body["metadata"]["uid"]
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner}
        for name in ("one", "two"):
            await client.send("POST", shop, {"metadata": {"name": name, "ownerReferences": [reference]}})
        foreground = {"propagationPolicy": "Foreground"}
        held = await client.send("DELETE", shop + "/owner", foreground)
        assert held.body["metadata"]["finalizers"] == ["foregroundDeletion"]
        assert names((await client.send("GET", shop)).body) == []
        await client.send("POST", shop, {"metadata": {"name": "left"}})
        await client.send("DELETE", "/api/v1/namespaces/shop")
        assert (await client.send("GET", "/api/v1/namespaces/shop")).status == 404
        assert (await client.send("GET", shop + "/left")).status == 404

    on_cluster(tmp_path, body)
