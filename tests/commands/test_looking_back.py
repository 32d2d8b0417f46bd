"""The verbs that tell afterwards, as a person starts them: what they print, and how they end."""

from __future__ import annotations

import json
import os
import pty
import re
import sqlite3
import stat
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commands.app import app
from commands.exits import exit_code
from journal import Draft, Journal, Record, this_holder
from orchestrator.errors import RestoreError
from tests.commands.program import ROOT, environment, restore
from tests.forensics.tellings import died_and_turned, restored, write

RUN, OTHER = "threescale-20261123-k7f2", "threescale-20261124-m3pq"
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two restores: one that was killed, resumed and taken back; and one without a mishap."""
    path = tmp_path_factory.mktemp("journal") / "journal.db"
    write(path, died_and_turned().records, RUN)
    return write(path, restored().records, OTHER)


@pytest.fixture
def own(journal: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    with Journal.open(journal, write=False) as opened:
        opened.copy_to(tmp_path / "own.db")
    return tmp_path / "own.db"


def looked(journal: Path, *words: str, code: int = 0) -> str:
    """What a verb prints, within this process; after an error, also its message."""
    done = CliRunner().invoke(app, [*words, "--journal", str(journal)])
    error = done.exception
    if isinstance(error, RestoreError):
        assert exit_code(error) == code, error.message
        return f"{done.stdout}\nrestore: {error.message}"
    assert done.exit_code == code, (done.output, error)
    return done.stdout if code == 0 else done.output


def records(journal: Path, run: str = RUN) -> list[Record]:
    with Journal.open(journal, write=False) as opened:
        return list(opened.read(run))


# ---- log -------------------------------------------------------------------------------------------------


def test_the_log_is_one_line_a_fact_in_a_pipe(journal: Path) -> None:
    done = restore("log", RUN, "--journal", str(journal), home=journal.parent, TZ="Europe/Vienna")
    lines = done.stdout.splitlines()
    assert len(lines) == len(records(journal))
    assert "\x1b" not in "".join(lines)
    line = next(line for line in lines if "copied" in line)
    pattern = (
        r" +\d+  2026-11-23 04:\d\d:\d\d \+0100  03:\d\d:\d\dZ +\+\d+\.\ds  (backend|system)-redis +operator@laptop  "
        r"copy-\w+-redis-rdb: copied \d+ bytes .*"
    )
    assert re.fullmatch(pattern, line), line


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        pytest.param(("--step", "switch-saving-off"), lambda r: r["step"] == "switch-saving-off", id="step"),
        pytest.param(("--type", "StepStarted"), lambda r: r["type"] == "StepStarted", id="type"),
        pytest.param(("--grep", "attempt [12]"), lambda r: re.search("attempt [12]", r["sentence"]), id="grep"),
        pytest.param(("--grep", "REDIS"), lambda r: "REDIS" in r["sentence"], id="grep-with-capitals"),
        pytest.param(("--since", "2026-11-23T03:00:01Z"), lambda r: r["recorded_at"] >= "2026-11-23T03:00:01", id="since"),
        pytest.param(("--since", "5000w"), lambda r: True, id="since-long-ago"),
    ],
)
def test_the_log_shows_what_is_asked_for(words: tuple[str, ...], kept: object, journal: Path) -> None:
    everything = [json.loads(line) for line in looked(journal, "log", RUN, "-o", "jsonl").splitlines()]
    shown = [json.loads(line) for line in looked(journal, "log", RUN, "-o", "jsonl", *words).splitlines()]
    assert callable(kept)
    assert shown == [fact for fact in everything if kept(fact)]
    assert [f["digest"] for f in everything] == [r.digest for r in records(journal)]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(("log", RUN, "--since", "yesterday"), 2, "no time", id="no-time"),
        pytest.param(("log", RUN, "--grep", "("), 2, "no regular expression", id="no-regex"),
        pytest.param(("log", RUN, "--step", "dance"), 2, "no step dance", id="no-step"),
        pytest.param(("log", RUN, "--type", "Danced"), 2, "no fact of type", id="no-type"),
        pytest.param(("log", "nobody"), 10, "no run nobody", id="log-unknown-run"),
        pytest.param(("replay", RUN, "--at", "100000"), 2, "has ", id="no-such-fact"),
        pytest.param(("replay", RUN, "--until", "2020-01-01"), 2, "opened later", id="before-it"),
        pytest.param(("replay", RUN, "--at", "1", "--until", "1d"), 2, "one too many", id="two-places"),
        pytest.param(("replay", "journal"), 10, "no run", id="own-chain-is-no-run"),
        pytest.param(("diff", RUN, f"{RUN}@x"), 2, "no place", id="no-place"),
        pytest.param(("diff", RUN, f"{RUN}@0"), 2, "facts, from 1", id="fact-0"),
        pytest.param(("diff", RUN, "nobody"), 10, "no run nobody", id="diff-unknown-run"),
        pytest.param(("report", "nobody"), 10, "no run nobody", id="report-unknown-run"),
        pytest.param(("report", RUN, "--out", "/no/such/place/r.html"), 2, "cannot be written", id="no-directory"),
        pytest.param(("export", RUN, "--format", "sqlite"), 2, "needs --out", id="sqlite-to-stdout"),
        pytest.param(("export", RUN, "--format", "xml"), 2, "xml", id="no-format"),
        pytest.param(("export", RUN, "--format", "otlp", "--sign-key", "k"), 2, "evidence", id="nothing-to-sign"),
        pytest.param(("prune", "--older-than", "old"), 2, "no length of time", id="no-age"),
        pytest.param(("verify", RUN, "--anchor", "12"), 2, "64 hexadecimal", id="no-head"),
        pytest.param(("verify", RUN, "--signature", "x.sig"), 2, "--public-key", id="no-key-to-check-with"),
        pytest.param(("verify", RUN, "--sign-key", "/no/key"), 2, "cannot be read", id="no-key"),
    ],
)
def test_what_cannot_be_told_is_said_in_a_sentence(words: tuple[str, ...], code: int, said: str, journal: Path) -> None:
    assert said in looked(journal, *words, code=code)


def on_a_terminal(words: Sequence[str], home: Path, columns: int, **variables: str) -> str:
    """What a terminal of this width gets to see."""
    ours, theirs = pty.openpty()
    env = environment(home) | {"TERM": "xterm-256color", "COLUMNS": str(columns)} | variables
    with subprocess.Popen(
        [sys.executable, "-m", "commands", *words], cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=theirs,
        stderr=subprocess.DEVNULL,
    ):
        os.close(theirs)
        seen = b""
        while True:
            try:
                more = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not more:
                break
            seen += more
    os.close(ours)
    return seen.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [60, 100, 180])
def test_a_terminal_gets_colour_and_lines_that_fit(columns: int, journal: Path) -> None:
    seen = on_a_terminal(["log", RUN, "--journal", str(journal)], journal.parent, columns)
    assert "\x1b[32m" in seen
    lines = [ANSI.sub("", line) for line in seen.splitlines()]
    # A word that is longer than a line, such as a path, is not broken into pieces that nobody could copy.
    assert [line for line in lines if len(line) > columns and " " in line.strip()] == []
    assert len(lines) >= len(records(journal))


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_a_terminal_that_wants_no_colour_gets_none(variables: dict[str, str], journal: Path) -> None:
    assert "\x1b" not in on_a_terminal(["log", RUN, "--journal", str(journal)], journal.parent, 100, **variables)


def test_what_was_recorded_does_not_steer_a_terminal(tmp_path: Path) -> None:
    facts = restored().records[:5]
    paused = Draft("RunPaused", {"reason": "odd\x1b[2J\r\n\x07text", "needs": "resume"})
    with Journal.open(write(tmp_path / "j.db", facts, RUN), write=True) as journal:
        lease = journal.take_lease(RUN, this_holder(), ttl_seconds=60, now=datetime.now(UTC))
        journal.append(lease, [paused], recorded_at=datetime.now(UTC))
    last = looked(tmp_path / "j.db", "log", RUN).splitlines()[-1]
    assert last.endswith("run paused: odd\ufffd[2J \ufffdtext")


def test_following_shows_what_is_added_and_ends_with_the_run(tmp_path: Path) -> None:
    facts = restored().records
    path = write(tmp_path / "j.db", facts[:20], RUN)
    command = [sys.executable, "-m", "commands", "log", RUN, "--follow", "-o", "jsonl", "--journal", str(path)]
    with subprocess.Popen(command, cwd=ROOT, env=environment(tmp_path), stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout
        first = [json.loads(following.stdout.readline())["seq"] for _ in range(20)]
        with Journal.open(path, write=True) as journal:
            lease = journal.take_lease(RUN, this_holder(), ttl_seconds=60, now=datetime.now(UTC))
            drafts = [Draft(r.type, r.data, r.version, r.step, r.attempt) for r in facts[20:]]
            journal.append(lease, drafts, recorded_at=datetime.now(UTC))
        rest = [json.loads(line)["seq"] for line in following.stdout]
    assert (first + rest, following.returncode) == (list(range(1, len(facts) + 1)), 0)


# ---- runs ------------------------------------------------------------------------------------------------


def test_runs_shows_the_newest_and_says_how_many_are_left(journal: Path) -> None:
    newest = restore("runs", "--limit", "1", "-o", "json", "--journal", str(journal), home=journal.parent)
    assert [found["run"] for found in json.loads(newest.stdout)] == [OTHER]
    assert "1 older runs are not shown" in newest.stderr
    everything = restore("runs", "--limit", "0", "-o", "json", "--journal", str(journal), home=journal.parent)
    assert ([found["run"] for found in json.loads(everything.stdout)], everything.stderr) == ([OTHER, RUN], "")


def test_runs_knows_of_each_run_what_its_status_says(journal: Path) -> None:
    """Although it does not read the effects."""
    for found in json.loads(looked(journal, "runs", "-o", "json")):
        assert found == json.loads(looked(journal, "status", found["run"], "-o", "json"))


# ---- replay and diff -------------------------------------------------------------------------------------


def test_replay_shows_the_run_as_it_stood(journal: Path) -> None:
    whole = records(journal)
    at = next(r.seq for r in whole if r.type == "StepStarted" and r.step == "copy-system-redis-rdb")
    seen = json.loads(looked(journal, "replay", RUN, "--at", str(at), "-o", "json"))
    assert (seen["at"], seen["head"], seen["closed"]) == (at, whole[at - 1].digest, "")
    step = next(s for s in seen["steps"] if s["step"] == "copy-system-redis-rdb")
    assert (step["status"], step["in_doubt"], step["attempts"]) == ("started", True, 1)
    moment = whole[at - 1].recorded_at
    until = json.loads(looked(journal, "replay", RUN, "--until", moment, "-o", "json"))
    assert until["at"] >= at
    assert until["recorded_at"][:19] == moment[:19]
    assert "at fact 1," in looked(journal, "replay", RUN, "--at", "1")


def test_replay_decides_again_and_finds_nothing_else(journal: Path) -> None:
    for run in (RUN, OTHER):
        assert " 0 otherwise" in looked(journal, "replay", run)


def test_replay_names_what_would_be_decided_otherwise(tmp_path: Path) -> None:
    facts = restored().records
    at = next(i for i, r in enumerate(facts) if r.type == "StepStarted" and r.step == "switch-saving-off")
    other = replace(facts[at], data={**facts[at].data, "inverse": []})
    path = write(tmp_path / "j.db", [*facts[:at], other, *facts[at + 1:]], RUN)
    said = looked(path, "replay", RUN, code=6)
    assert f"fact {at + 1}  switch-saving-off  inverse" in said
    assert "then  nothing" in said
    assert "now   edit " in said
    found = json.loads(looked(path, "replay", RUN, "-o", "json", code=6).partition("\nrestore:")[0])
    assert [d["seq"] for d in found["differences"]] == [at + 1]


def test_diff_of_one_run_at_two_facts_and_of_two_runs(journal: Path) -> None:
    same = looked(journal, "diff", OTHER, OTHER)
    assert "nothing is different" in same
    rows = json.loads(looked(journal, "diff", f"{OTHER}@10", OTHER, "-o", "json"))["rows"]
    assert {"step": "switch-saving-back", "about": "status", "left": "pending", "right": "finished", "is_different": True} in rows
    two = json.loads(looked(journal, "diff", RUN, OTHER, "-o", "json"))
    assert (two["left"], two["right"]) == (RUN, OTHER)
    found = {row["about"]: (row["left"], row["right"]) for row in two["rows"] if not row["step"]}
    assert found["outcome"] == ("rolled back", "finished")
    assert found["cut off"] == ("1", "0")
    everything = json.loads(looked(journal, "diff", RUN, OTHER, "--all", "-o", "json"))["rows"]
    assert len(everything) > len(two["rows"])


# ---- verify and sign -------------------------------------------------------------------------------------


def test_verify_says_ok_broken_or_cut_off(journal: Path) -> None:
    head = records(journal)[-1]
    assert looked(journal, "verify", RUN).startswith(f"OK: {head.seq} facts, chain unbroken, every transition legal")
    assert "anchor in the chain" in looked(journal, "verify", RUN, "--anchor", f"{head.seq}:{head.digest}", "--file")
    assert "cut off after fact" in looked(journal, "verify", RUN, "--anchor", f"{head.seq + 1}:{head.digest}", code=12)
    assert "broken at fact 3" in looked(journal, "verify", RUN, "--anchor", f"3:{head.digest}", code=12)


def keys(directory: Path) -> tuple[Path, Path]:
    """A pair made by openssl, as an operator makes it."""
    private, public = directory / "key.pem", directory / "public.pem"
    for command in (["genpkey", "-algorithm", "ed25519", "-out", private], ["pkey", "-in", private, "-pubout", "-out", public]):
        subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True)
    return private, public


def openssl_agrees(directory: Path, public: Path, head: str = f"{RUN}.head") -> bool:
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", str(public), "-in", head, "-sigfile", f"{head}.sig"]
    return subprocess.run(command, cwd=directory, check=False, capture_output=True).returncode == 0


def test_a_signed_head_is_checked_by_verify_and_by_openssl(own: Path, tmp_path: Path) -> None:
    private, public = keys(tmp_path)
    looked(own, "verify", RUN, "--sign-key", str(private), "--out", str(tmp_path))
    signature = tmp_path / f"{RUN}.head.sig"
    assert openssl_agrees(tmp_path, public)
    check = ("verify", RUN, "--signature", str(signature), "--public-key", str(public))
    assert "signed as" in looked(own, *check)
    statement = tmp_path / f"{RUN}.head"
    whole = statement.read_text()
    statement.write_text(whole.replace("fact ", "fact 1"))
    assert "not this key's" in looked(own, *check, code=12)
    assert not openssl_agrees(tmp_path, public)
    statement.write_text("head\n")
    assert "no statement" in looked(own, *check, code=2)
    assert "needed" in looked(own, "verify", RUN, "--sign-key", str(public), code=2)


def test_a_signed_head_shows_what_was_cut_off_together_with_its_head(own: Path, tmp_path: Path) -> None:
    private, public = keys(tmp_path)
    looked(own, "verify", RUN, "--sign-key", str(private), "--out", str(tmp_path))
    with sqlite3.connect(own) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        db.execute("DELETE FROM facts WHERE run = ? AND seq > 50", (RUN,))
        db.execute("UPDATE heads SET seq = 50, digest = (SELECT digest FROM facts WHERE run = ? AND seq = 50) WHERE run = ?", (RUN, RUN))
        for _, sql in triggers:
            db.execute(sql)
    assert "OK: 50 facts" in looked(own, "verify", RUN), "a chain without an anchor cannot know"
    check = ("verify", RUN, "--signature", str(tmp_path / f"{RUN}.head.sig"), "--public-key", str(public))
    assert "cut off after fact 50" in looked(own, *check, code=12)


# ---- report and export -----------------------------------------------------------------------------------


def test_report_and_exports_are_written_for_their_owner_alone(journal: Path, tmp_path: Path) -> None:
    formats = {"report": ("html", "markdown"), "export": ("jsonl", "cloudevents", "otlp", "prometheus", "sqlite", "evidence")}
    for verb, names in formats.items():
        for name in names:
            out = tmp_path / f"{verb}.{name}"
            looked(journal, verb, RUN, "--format", name, "--out", str(out))
            assert stat.S_IMODE(out.stat().st_mode) == (0o644 if name == "prometheus" else 0o600), name
            assert out.stat().st_size > 1000
    assert looked(journal, "export", RUN, "--format", "otlp") == (tmp_path / "export.otlp").read_text()
    assert looked(journal, "report", RUN, "--format", "markdown").startswith(f"# Restore {RUN}: rolled back")
    assert looked(tmp_path / "export.sqlite", "verify", RUN).startswith("OK"), "a copy is a journal"
    assert "exists already" in looked(journal, "export", RUN, "--format", "sqlite", "--out", str(tmp_path / "export.sqlite"), code=2)


def test_evidence_is_signed_with_the_key(journal: Path, tmp_path: Path) -> None:
    private, public = keys(tmp_path)
    looked(journal, "export", RUN, "--format", "evidence", "--sign-key", str(private), "--out", str(tmp_path / "e.zip"))
    with zipfile.ZipFile(tmp_path / "e.zip") as zipped:
        zipped.extractall(tmp_path)
    done = subprocess.run([sys.executable, "-I", str(tmp_path / RUN / "verify.py")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert openssl_agrees(tmp_path / RUN, public, "head.txt")
    assert (tmp_path / RUN / "public.pem").read_text() == public.read_text()


def test_a_copy_taken_while_a_run_goes_on_is_consistent(tmp_path: Path) -> None:
    path, copies = tmp_path / "j.db", []
    facts = restored().records
    write(path, facts[:30], RUN)
    for number in range(30, len(facts), 20):
        out = tmp_path / f"copy-{number}.db"
        with Journal.open(path, write=True) as journal:
            lease = journal.take_lease(RUN, this_holder(), ttl_seconds=60, now=datetime.now(UTC))
            looked(path, "export", RUN, "--format", "sqlite", "--out", str(out))
            journal.append(lease, [Draft(r.type, r.data, r.version, r.step, r.attempt) for r in facts[number:number + 20]],
                           recorded_at=datetime.now(UTC))
            journal.release_lease(lease)
        copies.append((number, out))
    for number, out in copies:
        with Journal.open(out, write=False) as copy:
            assert copy.verify(RUN).status == "ok"
            head = copy.head(RUN)
            assert head is not None
            assert head.seq == number


# ---- prune -----------------------------------------------------------------------------------------------


def test_prune_removes_old_runs_keeps_their_heads_and_is_a_fact(own: Path) -> None:
    heads = {run: records(own, run)[-1] for run in (RUN, OTHER)}
    assert "would remove 2 runs" in looked(own, "prune", "--older-than", "1d", "--dry-run", code=0)
    assert "confirmed" in looked(own, "prune", "--older-than", "1s", code=4)
    assert len(records(own)) == heads[RUN].seq, "nothing was removed"
    done = json.loads(looked(own, "prune", "--older-than", "1s", "--yes", "--compact", "-o", "json"))
    assert {one["run"] for one in done["runs"]} == {RUN, OTHER}
    assert json.loads(looked(own, "runs", "-o", "json")) == []
    for run, head in heads.items():
        assert f"its head was {head.seq}:{head.digest}" in looked(own, "verify", run, code=10)
        assert all(head.digest in looked(own, verb, run, code=10) for verb in ("log", "status", "resume", "report"))
    log = looked(own, "log", "journal")
    assert all(f"removed run {run}: {head.seq} facts" in log and head.digest in log for run, head in heads.items())
    assert looked(own, "verify", "journal").startswith("OK: 2 facts, chain unbroken, a record of removals")
    assert done["journal_head"].startswith("2:")


def test_prune_keeps_what_has_not_ended_and_what_is_young(own: Path) -> None:
    with Journal.open(own, write=True) as journal:
        lease = journal.take_lease("open", this_holder(), ttl_seconds=60, now=datetime.now(UTC))
        first = records(own, OTHER)[:20]
        journal.append(lease, [Draft(r.type, r.data, r.version, r.step, r.attempt) for r in first],
                       recorded_at=datetime(2020, 1, 1, tzinfo=UTC))
        journal.release_lease(lease)
    looked(own, "prune", "--older-than", "5000w", "--yes")
    assert len(json.loads(looked(own, "runs", "-o", "json"))) == 3
    looked(own, "prune", "--older-than", "1s", "--yes")
    assert [found["run"] for found in json.loads(looked(own, "runs", "-o", "json"))] == ["open"]


def test_prune_does_not_lock_the_journal_away_from_a_run(own: Path) -> None:
    with Journal.open(own, write=True) as journal:
        lease = journal.take_lease("open", this_holder(), ttl_seconds=60, now=datetime.now(UTC))
        journal.append(lease, [Draft("RunOpened", {})], recorded_at=datetime.now(UTC))
        prune = ("prune", "--older-than", "1s", "--yes")
        assert "would keep the journal from it" in looked(own, *prune, "--compact", code=11)
        assert len(journal.runs()) == 3, "refused before anything was removed"
        looked(own, *prune)
        assert journal.runs() == ["open"]
        journal.append(lease, [Draft("RunPaused", {"reason": "r", "needs": "resume"})], recorded_at=datetime.now(UTC))
