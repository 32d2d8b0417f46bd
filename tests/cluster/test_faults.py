"""What a server that is busy, or has new credentials, is told; what is sent again, and what never is."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from orchestrator.cluster.connection import connect
from orchestrator.cluster.faults import Conflict, refused
from orchestrator.cluster.rest import Rest
from orchestrator.errors import ClusterRefused, ClusterUnreachable, OutcomeUnknown
from tests.cluster.pods import Live

Answer = tuple[int, dict[str, str], str]
OK: Answer = (200, {}, '{"kind": "Status"}')


class Server(http.server.ThreadingHTTPServer):
    """Gives the answers that it was given, and remembers what it was asked."""

    def __init__(self, answers: list[Answer | None]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked = answers, list[tuple[str, str | None]]()


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.command, self.headers.get("Authorization")))
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.server.answers.pop(0)
        if answer is None:  # the request has arrived, and the line is cut
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        status, headers, body = answer
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_PATCH = do_GET

    def log_message(self, *words: object) -> None: ...


@contextmanager
def asked(tmp_path: Path, *answers: Answer | None, token: str = "old") -> Iterator[tuple[Rest, Server, Path]]:
    server = Server(list(answers))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(config(f"http://127.0.0.1:{server.server_address[1]}", token))
    try:
        yield Rest(connect(str(kubeconfig))), server, kubeconfig
    finally:
        server.shutdown()
        server.server_close()


def config(server: str, token: str, user: dict[str, object] | None = None) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": user or {"token": token}}],
        }
    )  # fmt: skip


def test_a_busy_server_is_asked_again_after_the_time_that_it_wants(tmp_path: Path) -> None:
    busy: Answer = (429, {"Retry-After": "0"}, "")
    with asked(tmp_path, busy, busy, OK) as (rest, server, _):
        assert rest.post("/api/v1/x", {}) == {"kind": "Status"}
        assert [method for method, _ in server.asked] == ["POST"] * 3


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "3600"}, {"Retry-After": "soon"}])
def test_a_server_that_wants_too_much_is_left_to_the_run(tmp_path: Path, headers: dict[str, str]) -> None:
    with asked(tmp_path, (429, headers, "")) as (rest, server, _), pytest.raises(ClusterUnreachable, match="429"):
        rest.get("/api/v1/x")
    assert len(server.asked) == 1


def test_credentials_are_read_afresh_once(tmp_path: Path) -> None:
    no: Answer = (401, {}, json.dumps({"message": "Unauthorized"}))
    with asked(tmp_path, OK, no, OK) as (rest, server, kubeconfig):
        rest.get("/api/v1/x")
        kubeconfig.write_text(kubeconfig.read_text().replace("token: old", "token: new"))
        rest.post("/api/v1/x", {})
        assert [token for _, token in server.asked] == ["Bearer old", "Bearer old", "Bearer new"]
    with asked(tmp_path, no, no) as (rest, server, _):
        with pytest.raises(ClusterRefused, match="did not accept the credentials"):
            rest.get("/api/v1/x")
        assert len(server.asked) == 2


def from_a_file(directory: Path) -> dict[str, object]:
    return {"tokenFile": str(directory / "token")}


def from_a_plugin(directory: Path) -> dict[str, object]:
    """What cloud providers and `oc login` helpers are: a command that prints a credential."""
    credential = '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "%s"}}'
    script = f"printf '{credential}' \"$(cat {directory}/token)\""
    arguments = ["-c", script]
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": arguments, "interactiveMode": "Never",
        }
    }


@pytest.mark.parametrize("user", [from_a_file, from_a_plugin])
def test_a_token_that_expires_is_read_afresh_from_where_the_kubeconfig_says(
    tmp_path: Path, user: Callable[[Path], dict[str, object]]
) -> None:
    (tmp_path / "token").write_text("old")
    with asked(tmp_path, OK, (401, {}, ""), OK) as (_, server, kubeconfig):
        kubeconfig.write_text(config(f"http://127.0.0.1:{server.server_address[1]}", "", user(tmp_path)))
        rest = Rest(connect(str(kubeconfig)))
        rest.get("/api/v1/x")
        (tmp_path / "token").write_text("new")
        rest.get("/api/v1/x")
        assert [token for _, token in server.asked] == ["Bearer old", "Bearer old", "Bearer new"]


def test_credentials_of_another_cluster_are_not_taken(tmp_path: Path) -> None:
    with asked(tmp_path, (401, {}, ""), OK) as (rest, server, kubeconfig):
        kubeconfig.write_text(config("http://127.0.0.1:1", "new"))
        with pytest.raises(ClusterRefused):
            rest.get("/api/v1/x")
        assert len(server.asked) == 1


def test_an_exec_reads_credentials_afresh_too(live: Live, tmp_path: Path) -> None:
    pod = live.pod("credentials")
    text, kubeconfig = (live.root / "kubeconfig").read_text(), tmp_path / "kubeconfig"
    found = yaml.safe_load(text)
    found["users"][0]["user"]["token"] = "no longer"
    kubeconfig.write_text(yaml.safe_dump(found))
    connection = connect(str(kubeconfig), "", "t")
    kubeconfig.write_text(text)
    from orchestrator.cluster.execs import Execs

    execs = Execs(connection)
    assert execs.run(pod.pod, "main", ["echo", "yes"]).out == b"yes\n"
    execs.close()


@pytest.mark.parametrize(("method", "kind"), [("GET", ClusterUnreachable), ("POST", OutcomeUnknown), ("PATCH", OutcomeUnknown)])
def test_what_was_sent_and_never_answered_is_sent_once_and_its_outcome_unknown(
    tmp_path: Path, method: str, kind: type[ClusterUnreachable]
) -> None:
    with asked(tmp_path, None) as (rest, server, _):
        with pytest.raises(ClusterUnreachable) as failed:
            rest.send(method, "/api/v1/x", body={})
        assert type(failed.value) is kind
        assert len(server.asked) == 1


def test_what_was_never_sent_is_temporary(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    for server in ("http://127.0.0.1:1", "http://no-such-host.invalid"):
        kubeconfig.write_text(config(server, "x"))
        with pytest.raises(ClusterUnreachable) as failed:
            Rest(connect(str(kubeconfig))).post("/api/v1/x", {})
        assert type(failed.value) is ClusterUnreachable


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, ClusterRefused), (403, ClusterRefused), (404, ClusterRefused), (422, ClusterRefused), (409, Conflict),
     (429, ClusterUnreachable), (500, ClusterUnreachable), (503, ClusterUnreachable), (504, ClusterUnreachable)],
)  # fmt: skip
def test_a_status_is_permanent_or_temporary(status: int, kind: type[Exception]) -> None:
    assert type(refused(status, "", "GET", "/x")) is kind


@pytest.mark.parametrize(("status", "is_unknown"), [(500, True), (502, True), (504, True), (503, False), (429, False)])
def test_a_change_whose_answer_was_lost_on_the_way_has_an_unknown_outcome(status: int, is_unknown: bool) -> None:
    assert isinstance(refused(status, "", "PATCH", "/x"), OutcomeUnknown) is is_unknown
