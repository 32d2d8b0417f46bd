"""One whole restore and its way back at the command line, told once and looked at from several sides.

Before it values that nobody may see are planted everywhere; afterwards somebody changes what the run has left; the
rollback asks about it, and is gone on with; the cleanup removes the rest. Meanwhile the words of every process on
this machine are sampled, and whatever the program has written is kept.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.rehearsal import backups, digest, lifecycle, seed
from orchestrator.rehearsal.apiclient import ApiClient
from orchestrator.rehearsal.digest import Picture
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.rehearsal.places import objects, storage
from orchestrator.rehearsal.types import TYPES
from tests.commands.program import restore
from tests.commands.test_bad_input import kubectl
from tests.commands.test_sessions import journal_of, target

HERE, THERE = (f"canary{word}{secrets.token_hex(6)}" for word in ("here", "backup"))  # in every row and every Redis value
PLANTED = {name: f"canary-{name}-{secrets.token_hex(8)}" for name in ("secret", "added", "environment", "edited")}
APPLIED = ("system-smtp", "system-recaptcha")  # Secrets of the bundle; others hold passwords that the databases know
EDITED = "logo.png"
SECRET_KEY = re.compile(r"password|token|secret|private|user(name)?$|url", re.IGNORECASE)


@dataclass
class Told:
    """All that happened: each command's words, exit code and output; and the world at the points in question."""

    home: Path
    cluster: Rehearsed
    bundle: Path
    run: str = ""
    codes: dict[str, int] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, Picture] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)  # files and objects that carry the run's id
    words: set[bytes] = field(default_factory=set)  # command lines that held a canary
    canaries: frozenset[bytes] = frozenset()

    def restore(self, name: str, *words: str) -> str:
        done = restore(*words, home=self.home, RESTORE_CANARY=PLANTED["environment"])
        assert "Traceback" not in done.stderr, done.stderr
        self.codes[name], self.said[name] = done.returncode, done.stdout + done.stderr
        return done.stdout

    def look(self, name: str) -> None:
        self.pictures[name] = digest.picture(self.cluster)
        self.names[name] = named_after(self.cluster, self.run) if self.run else []


def named_after(cluster: Rehearsed, run: str) -> list[str]:
    """Files of pods and volumes that carry the run's id in their path, and objects that have it anywhere."""
    found = [str(path.relative_to(cluster.root)) for path in cluster.root.rglob("*") if run in str(path) or path.name == ".restore"]
    api = ApiClient(cluster.kubeconfig)
    for kind in TYPES:
        if kind.namespaced and "get" in kind.verbs:
            prefix = f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"
            listed = api.get(f"/{prefix}/namespaces/{cluster.namespace}/{kind.plural}")["items"]
            found += [f"{kind.plural}/{one['metadata']['name']}" for one in listed if run in json.dumps(one)]
    return sorted(found)


# ---- before ------------------------------------------------------------------------------------------


def plant(told: Told) -> None:
    """What must never be seen: in the rows, Redis values, Secrets, the kubeconfig, the environment."""
    seed.fill_installation(told.cluster, mark=HERE)
    patch = json.dumps({"stringData": {"password": PLANTED["secret"], "added-by-hand": PLANTED["added"]}})
    patch_secret(told, patch)
    found = objects(ApiClient(told.cluster.kubeconfig), told.cluster.namespace, "Secret").values()
    values = [*PLANTED.values(), HERE, THERE, yaml.safe_load(told.cluster.kubeconfig.read_text())["users"][0]["user"]["token"]]
    files = [json.loads(path.read_text()) for path in told.bundle.glob("*.json")]
    for data in [one.get("data") or {} for one in [*found, *(one for one in files if one["kind"] == "Secret")]]:
        values += [base64.b64decode(value).decode() for key, value in data.items() if SECRET_KEY.search(key)]
    told.canaries = frozenset(value.encode() for value in values if is_guarded(value))
    assert len(told.canaries) > 20


def is_guarded(value: str) -> bool:
    """Long, and no address without a password in it: those are no secrets, and stand in many places."""
    return len(value) >= 8 and "@example" not in value and ("://" not in value or "@" in value) and value != "3scale"


def listen(told: Told, ended: threading.Event) -> None:
    """The words of every process, many times a second."""
    while not ended.wait(0.02):
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                line = path.read_bytes()
                if any(canary in line for canary in told.canaries):
                    told.words.add(line)


# ---- the story ---------------------------------------------------------------------------------------


def change_what_was_left(told: Told) -> None:
    """Four people: the APIManager's replicas, redis-config, a file of the storage, a Secret."""
    (name,) = objects(ApiClient(told.cluster.kubeconfig), told.cluster.namespace, "APIManager")
    change = {"spec": {"system": {"appSpec": {"replicas": 2}}}}
    kubectl(told.cluster, "patch", "apimanager", name, "--type=merge", "-p", json.dumps(change))
    text = told.pictures["before"].content["config"]["redis-config"]["redis.conf"]
    edited = json.dumps({"data": {"redis.conf": text.replace("save 900 1", "save 800 1")}})
    kubectl(told.cluster, "patch", "configmap", "redis-config", "--type=merge", "-p", edited)
    place = storage(told.cluster)
    assert place is not None
    changed_file(told).write_text("edited by hand")
    patch = json.dumps({"stringData": {"password": PLANTED["edited"]}})
    patch_secret(told, patch)


def patch_secret(told: Told, patch: str) -> None:
    """By stdin: as a word of kubectl the value would be seen."""
    kubectl(told.cluster, "patch", "secret", "system-smtp", "--type=merge", "--patch-file", "/dev/stdin", text=patch)


def changed_file(told: Told) -> Path:
    """One that the bundle brought in the place of another."""
    place, source = storage(told.cluster), told.bundle / "system"
    assert place is not None
    before = told.pictures["before"].content["storage"]
    names = [p.relative_to(source).as_posix() for p in sorted(source.rglob("*.pdf")) if p.is_file()]
    return place / next(name for name in names if name in before)


def tell(told: Told) -> None:
    plan = told.home / "plan.json"
    where = [*target(told.cluster), "--with-objects"]
    told.look("before")
    told.restore("check", "check", str(told.bundle))
    told.restore("plan", "plan", str(told.bundle), *where, "--out", str(plan))
    told.restore("reverse", "plan", str(told.bundle), *where, "--reverse")
    told.restore("shell", "plan", str(told.bundle), *where, "--shell")
    told.restore("no copy", "plan", str(told.bundle), *where, "--no-safety-copy", "zync")
    accepted = ["--no-safety-copy", "zync", "--accept-irreversible", "zync", "--reason", "it is made anew"]
    told.restore("accepted", "plan", str(told.bundle), *where, *accepted)
    told.run = told.restore("run", "run", str(told.bundle), *where, "--yes", "-v").split()[1]
    told.restore("dry run", "rollback", told.run, "--dry-run")
    told.restore("dry run json", "rollback", told.run, "--dry-run", "-o", "json")
    told.look("restored")
    change_what_was_left(told)
    told.look("changed")
    told.restore("first stop", "rollback", told.run, "--yes", "-v")
    told.restore("first status", "status", told.run)
    told.restore("cleanup too early", "cleanup", told.run, "--yes")
    told.restore("resolve app", "resolve", told.run, "scale-up-system-app", "--as", "not-done", "--reason", "ours was meant")
    told.restore("second stop", "resume", told.run, "-v")
    told.restore("second status", "status", told.run)
    told.restore("second status json", "status", told.run, "-o", "json")
    verdicts = {"sync-system-storage": "skip", "apply-secret-system-smtp": "not-done", "switch-saving-back": "not-done"}
    for step, verdict in verdicts.items():
        told.restore(f"resolve {step}", "resolve", told.run, step, "--as", verdict, "--reason", "talked about it")
    told.restore("end", "resume", told.run)
    told.restore("last status", "status", told.run)
    told.look("back")
    told.restore("cleanup dry run", "cleanup", told.run, "--dry-run")
    told.restore("cleanup", "cleanup", told.run, "--yes", "-v")
    told.look("clean")
    told.restore("cleanup again", "cleanup", told.run, "--yes")
    told.restore("rollback again", "rollback", told.run, "--yes")
    look_back(told)


def look_back(told: Told) -> None:
    """Every verb that tells of a run, and every format."""
    for name, *words in (("log", "log"), ("log jsonl", "log", "-o", "jsonl"), ("replay", "replay"), ("verify", "verify")):
        told.restore(name, words[0], told.run, *words[1:])
    told.restore("diff", "diff", f"{told.run}@9", f"{told.run}@90")
    for form in ("html", "markdown"):
        told.restore(f"report {form}", "report", told.run, "--format", form, "--out", str(told.home / f"report.{form}"))
    for form in ("jsonl", "cloudevents", "otlp", "prometheus", "sqlite", "evidence"):
        told.restore(f"export {form}", "export", told.run, "--format", form, "--out", str(told.home / f"export.{form}"))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    base = tmp_path_factory.mktemp("whole")
    home, bundle = base / "home", base / "bundle"
    home.mkdir()
    try:
        cluster = lifecycle.start(base / "cluster", "2.15", scope="whole", operator_delay_seconds=0.05)
        seed.make_bundle(bundle, mark=THERE)
        backups.write_objects(bundle, cluster)
        for path in bundle.glob("*.json"):
            if path.stem not in (*APPLIED, "apimanager"):
                path.unlink()
        found, ended = Told(home, cluster, bundle), threading.Event()
        plant(found)
        listener = threading.Thread(target=partial(listen, found, ended))
        listener.start()
        try:
            tell(found)
        finally:
            ended.set()
            listener.join()
        yield found
    finally:
        lifecycle.stop(base / "cluster")


pytestmark = pytest.mark.timeout(1800)


# ---- the plan ----------------------------------------------------------------------------------------


def test_the_plan_marks_every_step_and_says_that_all_of_it_can_be_taken_back(told: Told) -> None:
    plan = told.said["plan"]
    assert "ways back: every step of this plan can be taken back" in plan
    assert "no way back after this" not in plan
    assert re.search(r"load-system-database .* safety copy \(at most [\d.]+ \w+ in /", plan)
    assert re.search(r"set-aside-backend-redis-rdb .* safety copy \(a rename beside it: needs no room\)", plan)
    assert re.search(r"scale-down-zync .* picture", plan)
    assert "note: the safety copy of system lies in " in plan


def test_the_line_of_no_return_is_drawn_before_a_load_that_is_accepted_to_have_no_way_back(told: Told) -> None:
    assert told.codes["no copy"] == 2
    assert "zync is named by only one of --no-safety-copy and --accept-irreversible" in told.said["no copy"]
    lines = told.said["accepted"].splitlines()
    (line,) = [n for n, text in enumerate(lines) if "no way back after this: load-zync" in text]
    assert lines[line].startswith("─── ")
    assert " load-zync " in lines[line + 1]
    assert "irreversible" in lines[line + 1]
    assert "every step of this plan can be taken back" not in told.said["accepted"]
    assert "accept-no-copy-of-zync" in told.said["accepted"]


def test_the_reverse_of_a_plan_is_told_before_there_is_a_run(told: Told) -> None:
    lines = told.said["reverse"].splitlines()
    order = [line.split()[1] for line in lines if "   " in line]
    assert order.index("restart-system-app") < order.index("load-zync") < order.index("scale-down-system-app")
    assert "load the copy of zync_production that was saved before" in told.said["reverse"]
    assert "scale system-app back to what it was when this step began, in spec.system.appSpec.replicas of APIManager" in told.said["reverse"]
    assert not any(line.split()[1].startswith("check-") for line in lines if "   " in line), "what leaves nothing is only counted"


def test_a_dry_run_tells_the_recorded_values_and_the_fact_of_each(told: Told) -> None:
    found = {entry["step"]: entry for entry in json.loads(told.said["dry run json"])}
    facts = {entry["seq"]: entry for entry in map(json.loads, told.said["log jsonl"].splitlines())}
    assert len(found) > 30
    for name, entry in found.items():
        if entry["from_fact"] is not None:
            fact = facts[entry["from_fact"]]
            assert (fact["type"], fact["step"]) == ("StepStarted", name)
            assert fact["data"]["inverse"] == entry["values"]
            assert fact["data"]["before"] == entry["before"]
    assert "+save 900 1" in told.said["dry run"]
    assert re.search(r"scale-down-zync +.* \d+ +.*(set|remove) spec.zync.appSpec.replicas", told.said["dry run"])


# ---- drift -------------------------------------------------------------------------------------------


def test_the_rollback_stops_where_somebody_else_was_and_tells_it_three_ways(told: Told) -> None:
    assert told.codes["run"] == 0, told.said["run"]
    assert told.codes["first stop"] == 5, told.said["first stop"]
    said = told.said["first stop"]
    assert "scale-up-system-app: looked: neither as it was nor as we left it" in said
    assert "field.value: 0 before, " in said
    assert "restore resolve" in said
    second = told.said["second stop"]
    assert told.codes["second stop"] == 5, second
    for words in (
        "switch-saving-back: looked: neither as it was nor as we left it, somebody else has changed redis.conf",
        "apply-secret-system-smtp: looked: neither as it was nor as we left it, somebody else has changed password of Secret",
        "sync-system-storage: looked: neither as it was nor as we left it, 1 of what this run brought",
    ):
        assert words in second
    assert re.search(r"configmap.text: .* before, save 900 1.* as this run left it, save 800 1.* now", second)


def test_the_status_says_which_steps_are_back_and_which_are_not(told: Told) -> None:
    assert [told.codes[name] for name in ("first status", "second status", "second status json", "last status")] == [5, 5, 5, 0]
    found = json.JSONDecoder().raw_decode(told.said["second status json"])[0]["rollback"]  # then the error, on stderr
    assert set(found["drift"]) == {"switch-saving-back", "apply-secret-system-smtp", "sync-system-storage"}
    assert "restart-system-app" in found["back"]
    assert {"sync-system-storage", "scale-down-system-app"} <= set(found["not_back"])
    (row,) = [row for row in found["drift"]["switch-saving-back"] if row["path"] == "configmap.text"]
    assert ("save 800 1" in row["now"], "save 900 1" in row["left"], 'save ""' in row["before"]) == (True, True, True)
    text = told.said["second status"]
    assert re.search(r"^back \(\d+\): .*restart-system-app", text, re.MULTILINE)
    assert re.search(r"^not back \(\d+\): .*sync-system-storage", text, re.MULTILINE)
    assert "DRIFT OF switch-saving-back" in text
    assert "left as they are, by a decision (1): sync-system-storage" in told.said["last status"]


def test_every_question_and_answer_is_a_fact_with_a_name_and_a_reason(told: Told) -> None:
    facts = [json.loads(line) for line in told.said["log jsonl"].splitlines()]
    asked = {fact["step"] for fact in facts if fact["type"] == "DecisionAsked"}
    answered = {fact["step"]: fact["data"] for fact in facts if fact["type"] == "DecisionRecorded"}
    assert asked == set(answered) == {"scale-up-system-app", "switch-saving-back", "apply-secret-system-smtp", "sync-system-storage"}
    assert all(data["by"] and data["reason"] for data in answered.values())


def test_afterwards_all_is_as_before_but_for_what_was_left_by_a_decision(told: Told) -> None:
    assert told.codes["end"] == 0, told.said["end"]
    before, back, clean = (told.pictures[name] for name in ("before", "back", "clean"))
    changed = changed_file(told).relative_to(storage(told.cluster) or Path()).as_posix()
    synced = [path for path in before.differences(back) if not path.startswith("storage.")]
    assert synced == []
    assert f"storage.{changed}" in before.differences(clean)
    assert {path.split(".")[0] for path in before.differences(clean)} == {"storage"}
    assert changed_file(told).read_text() == "edited by hand"


# ---- cleanup -----------------------------------------------------------------------------------------


def test_a_run_that_has_not_ended_is_not_cleaned_up(told: Told) -> None:
    assert told.codes["cleanup too early"] == 22
    assert "has not ended" in told.said["cleanup too early"]


def test_a_cleanup_leaves_nothing_that_carries_the_runs_name_but_the_lease(told: Told) -> None:
    assert told.codes["cleanup"] == 0, told.said["cleanup"]
    for kept in ("-before-", ".restore", "restore-undo-"):
        assert any(kept in name for name in told.names["restored"]), kept
    assert any(".replaced-by-" in name for name in told.names["back"]), "what was left by a decision keeps its stash"
    assert told.names["clean"] == ["leases/restore"]
    assert told.codes["cleanup again"] == 0
    assert told.said["cleanup again"].splitlines()[-1] == f"removed 0 things of {told.run}"


def test_everything_that_was_kept_is_in_the_journal(told: Told) -> None:
    """Each thing that carried the run's name was told by a fact: its name, or that jobs ran in its pod."""
    with sqlite3.connect(f"file:{journal_of(told.home)}?mode=ro", uri=True) as db:
        text = "\n".join(str(row[0]) for row in db.execute("SELECT data FROM facts"))
    for name in told.names["restored"]:
        last = name.rpartition("/")[2]
        is_job = "/.restore" in name or name.endswith(".restore")
        is_inside = ".replaced-by-" in name or "appendonlydir-before-" in name
        assert is_job or is_inside or last in text or name == "leases/restore", name
    assert "RemoteJobStarted" in told.said["log jsonl"]


def test_a_run_that_was_taken_back_stays_so(told: Told) -> None:
    assert told.codes["rollback again"] == 0
    assert "rolled back" in told.said["rollback again"]
    assert told.codes["verify"] == 0, told.said["verify"]
    assert "decided again, 0 otherwise" in told.said["replay"]


# ---- secrets -----------------------------------------------------------------------------------------


def test_no_byte_that_the_program_has_written_holds_a_canary(told: Told) -> None:
    written = {name: text.encode() for name, text in told.said.items()}
    for path in told.home.rglob("*"):
        if path.is_file():
            written[str(path.relative_to(told.home))] = path.read_bytes()
    assert sum(map(len, written.values())) > 500_000
    assert {"plan.json", "report.html", "export.otlp"} <= written.keys()
    names = {f"{where}: {canary.decode()[:14]}…" for where, content in written.items() for canary in told.canaries if canary in content}
    assert names == set()


def test_no_process_was_given_a_canary_as_a_word(told: Told) -> None:
    assert {line[:80] for line in told.words} == set()


def test_the_value_of_before_was_kept_in_the_cluster_alone(told: Told) -> None:
    """The old password came back without having been anywhere else."""
    found = objects(ApiClient(told.cluster.kubeconfig), told.cluster.namespace, "Secret")["system-smtp"]["data"]
    assert base64.b64decode(found["password"]).decode() == PLANTED["secret"]
    assert base64.b64decode(found["added-by-hand"]).decode() == PLANTED["added"]


def test_these_searches_find_what_is_there(told: Told, tmp_path: Path) -> None:
    """The canaries are in the bundle and in the cluster's own store, where they belong."""
    bundle = b"".join(path.read_bytes() for path in told.bundle.rglob("*") if path.is_file())
    assert any(canary in bundle or base64.b64encode(canary)[:16] in bundle for canary in told.canaries)
    heard: Any = Told(tmp_path, told.cluster, told.bundle, canaries=told.canaries)
    ended = threading.Event()
    listener = threading.Thread(target=partial(listen, heard, ended))
    word = next(iter(told.canaries)).decode()
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "sleep 600; :", "canary", word], os.environ)
    listener.start()
    try:
        while not heard.words:
            os.kill(pid, 0)
    finally:
        ended.set()
        listener.join()
        os.kill(pid, 9)
        os.waitpid(pid, 0)
