"""Directories brought into a pod and taken back: whatever is in a name, wherever a link leads, whatever dies."""

from __future__ import annotations

import os
import shutil
import signal
import stat
from itertools import count
from pathlib import Path

import pytest

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster import directories
from orchestrator.errors import ClusterRefused, PlanChanged
from orchestrator.port import TreeSeen, WorkloadSeen
from orchestrator.trees import read_tree
from tests.cluster.pods import Live, place

NUMBERS = count(1)
MANY = 18
STRANGE = [
    b"plain.txt", b"with space", b"-rf", b" leading", b"trailing ", b"new\nline", b"ends with newline\n", b"tab\there",
    b"\xc3\xbcml\xc3\xa4ut", b"latin\xfc", b"*", b"[a]", b"$HOME", b"`id`", b"'quote\"", b"back\\slash", b"\\0101", b".hidden", b"..two",
    b"a%b.c", b"=", b"\r", b"~", b"\x01\x7f",
]  # fmt: skip


class Synced:
    """A directory of the bundle, one in the pod, and the effects between them."""

    def __init__(self, live: Live, pod: WorkloadSeen, directory: Path) -> None:
        self.live, self.pod = live, pod
        self.source = f"system-{next(NUMBERS)}"
        self.here, self.there = live.bundle / self.source, directory / "volume"
        self.here.mkdir()
        self.there.mkdir()
        self.path, self.stash = str(self.there), f"{self.there}/.replaced-by-run"

    def sync(self) -> list[ev.EffectFact]:
        return self.live.perform(self.effect())

    def effect(self, *, is_deleting: bool = False) -> fx.SyncTree:
        where = place(self.pod, "sidekiq")
        digest = read_tree(self.here).summary.digest
        return fx.SyncTree(
            **where, source=self.source, path=self.path, stash=self.stash, digest=digest, is_deleting=is_deleting
        )

    def put_back(self) -> None:
        self.live.perform(fx.PutTreeBack(**place(self.pod, "sidekiq"), path=self.path, stash=self.stash))

    def seen(self) -> TreeSeen:
        return self.live.cluster.tree(self.pod, self.source, self.path, self.stash)


@pytest.fixture(scope="module")
def pod(live: Live, path: str) -> WorkloadSeen:
    return live.pod(f"sidekiq-{next(NUMBERS)}", {"PATH": path, "BASH_ENV": ""})


@pytest.fixture
def synced(live: Live, pod: WorkloadSeen, tmp_path: Path) -> Synced:
    return Synced(live, pod, tmp_path)


def content(root: Path) -> dict[bytes, object]:
    """Everything below a directory; of a directory only that it is one."""
    found: dict[bytes, object] = {}
    for path in root.rglob("*"):
        info, key = path.lstat(), os.fsencode(path.relative_to(root))
        if path.is_symlink():
            found[key] = ("l", os.fsencode(path.readlink()))
        elif path.is_dir():
            found[key] = "d"
        else:
            found[key] = ("f", path.read_bytes(), stat.S_IMODE(info.st_mode), int(info.st_mtime))
    return found


def write(root: Path, name: bytes, text: bytes, mode: int = 0o644) -> None:
    path = root / os.fsdecode(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    path.chmod(mode)
    os.utime(path, (1_500_000_000, 1_500_000_000 + len(text)))


def strange(root: Path) -> None:
    """Every strange name as a file, a directory and a link, and what else a volume holds."""
    for name in STRANGE:
        write(root, b"files/" + name, b"content of " + name)
        write(root, b"deep/" + name + b"/" + name, b"")
        (root / "links").mkdir(exist_ok=True)
        (root / "links" / os.fsdecode(name)).symlink_to(os.fsdecode(name))
    write(root, b"tool", b"#!/bin/sh\n", 0o755)
    write(root, b"private", b"x" * 5000, 0o600)
    (root / "empty").mkdir()
    (root / "out").symlink_to("/etc")
    (root / "dangling").symlink_to("nowhere/at all")
    write(root, b"large", os.urandom(directories.PACK_BYTES + 12345))


def test_what_only_the_pod_has_is_set_aside_when_that_is_asked_for_and_comes_back(synced: Synced) -> None:
    write(synced.here, b"kept", b"new")
    write(synced.here, b"both/new", b"new")
    strange(synced.there)
    write(synced.there, b"kept", b"old")
    write(synced.there, b"both/old", b"old")
    before = content(synced.there)
    synced.live.perform(synced.effect(is_deleting=True))
    seen = synced.seen()
    assert (seen.missing, seen.differing, seen.extra) == (0, 0, 0)
    assert {name for name in content(synced.there) if not name.startswith(b".replaced")} == {b"kept", b"both", b"both/new"}
    synced.live.perform(synced.effect(is_deleting=True))  # once more changes nothing
    synced.put_back()
    assert content(synced.there) == before


def test_a_tree_arrives_as_it_is_whatever_is_in_its_names(synced: Synced) -> None:
    strange(synced.here)
    seen = synced.seen()
    assert (seen.same, seen.differing, seen.extra, seen.has_stash) == (0, 0, 0, False)
    facts = synced.sync()
    assert isinstance(facts[-1], ev.DirectorySynced)
    shutil.rmtree(synced.stash)
    assert content(synced.there) == content(synced.here)
    again = synced.seen()
    assert (again.missing, again.differing, again.left_bytes) == (0, 0, 0)
    assert again.same == seen.missing


def test_only_what_is_missing_or_differs_travels_and_all_of_it_comes_back(synced: Synced) -> None:
    strange(synced.here)
    synced.sync()
    shutil.rmtree(synced.stash)
    write(synced.there, b"files/new\nline", b"changed in the pod", 0o640)
    (synced.there / "tool").unlink()
    (synced.there / "tool").symlink_to("/etc/passwd")  # where the bundle has a file
    shutil.rmtree(synced.there / "empty")
    write(synced.there, b"empty", b"a file where the bundle has a directory")
    (synced.there / "private").unlink()
    write(synced.there, b"private/inner/file", b"a directory where the bundle has a file")
    (synced.there / "out").unlink()
    write(synced.there, b"only/in the pod", b"stays")
    before, passwd = content(synced.there), Path("/etc/passwd").read_bytes()
    seen = synced.seen()
    assert (seen.missing, seen.differing) == (1, 4)
    synced.sync()
    after = synced.seen()
    assert (after.missing, after.differing, after.created, after.replaced, after.has_stash) == (0, 0, 1, 4, True)
    assert Path("/etc/passwd").read_bytes() == passwd
    assert (synced.there / "only" / "in the pod").read_bytes() == b"stays"
    synced.put_back()
    synced.put_back()
    assert content(synced.there) == before
    assert not synced.seen().has_stash


def test_what_others_change_of_it_afterwards_is_told_by_name(synced: Synced) -> None:
    """A file, a link, one that is gone; not what they add, nor what was the same before. Also without the bundle."""
    for name in ("kept", "edited", "with space\n"):
        (synced.here / name).write_text("ours")
    (synced.here / "large").write_bytes(bytes(directories.PACK_BYTES + 1))
    (synced.here / "link").symlink_to("kept")
    (synced.there / "kept").write_text("ours")
    synced.sync()
    assert synced.seen().changed == 0
    (synced.there / "theirs").write_text("added")
    (synced.there / "kept").write_text("not of this run")
    assert synced.seen().changed == 0
    (synced.there / "edited").write_text("changed")
    (synced.there / "with space\n").unlink()
    (synced.there / "link").unlink()
    (synced.there / "link").symlink_to("edited")
    (synced.there / "large").write_bytes(b"")
    shutil.rmtree(synced.here)
    seen = synced.seen()
    assert (seen.changed, seen.changed_names) == (4, ("edited", "large", "link"))
    assert (seen.has_source, seen.has_stash) == (False, True)
    synced.put_back()
    assert content(synced.there).keys() == {b"kept", b"theirs"}


def test_into_an_empty_directory_and_back_leaves_it_empty(synced: Synced) -> None:
    strange(synced.here)
    synced.sync()
    synced.put_back()
    assert content(synced.there) == {}


def test_what_others_have_put_into_a_created_directory_stays(synced: Synced) -> None:
    write(synced.here, b"a/b/c", b"ours")
    synced.sync()
    write(synced.there, b"a/b/theirs", b"theirs")
    synced.put_back()
    assert set(content(synced.there)) == {b"a", b"a/b", b"a/b/theirs"}


def test_a_link_in_the_place_of_a_directory_is_set_aside_and_nothing_is_written_behind_it(
    synced: Synced, tmp_path: Path
) -> None:
    write(synced.here, b"cms/logo", b"new")
    outside = tmp_path / "outside"
    write(outside, b"logo", b"not ours")
    (synced.there / "cms").symlink_to(outside)
    synced.sync()
    assert (outside / "logo").read_bytes() == b"not ours"
    assert (synced.there / "cms" / "logo").read_bytes() == b"new"
    synced.put_back()
    assert (synced.there / "cms").readlink() == outside
    assert (outside / "logo").read_bytes() == b"not ours"


def test_taking_back_does_nothing_behind_a_link_that_stands_there_now(synced: Synced, tmp_path: Path) -> None:
    write(synced.here, b"cms/logo", b"new")
    synced.sync()
    outside = tmp_path / "outside"
    write(outside, b"logo", b"not ours")
    shutil.rmtree(synced.there / "cms")
    (synced.there / "cms").symlink_to(outside)
    with pytest.raises(ClusterRefused, match="is a link"):
        synced.put_back()
    assert (outside / "logo").read_bytes() == b"not ours"


def test_a_tree_that_is_not_the_plans_is_refused(synced: Synced) -> None:
    write(synced.here, b"a", b"1")
    effect = synced.effect()
    write(synced.here, b"a", b"2")
    with pytest.raises(PlanChanged):
        synced.live.perform(effect)
    assert content(synced.there) == {}


@pytest.fixture
def many(synced: Synced) -> Synced:
    """Enough for several packs."""
    for number in range(MANY):
        name = b"d%d/f %d" % (number % 4, number)
        write(synced.here, name, os.urandom(directories.PACK_BYTES // 5))
        if number % 3 == 0:
            write(synced.there, name, b"old %d" % number)
    return synced


@pytest.mark.parametrize("die_at", [1, 3, 6])
def test_a_client_that_is_killed_goes_on_where_it_was_and_takes_back_exactly(many: Synced, die_at: int) -> None:
    before = content(many.there)
    child = os.fork()
    if child == 0:
        live = Live(many.live.root, many.live.bundle, is_new=False)
        for number, _ in enumerate(live.cluster.perform(many.effect(), step="s", attempt=1), 1):
            if number == die_at:
                os.kill(os.getpid(), signal.SIGKILL)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    left = many.seen()
    assert left.missing + left.differing > 0
    many.sync()
    seen = many.seen()
    assert (seen.missing, seen.differing, seen.replaced) == (0, 0, MANY // 3)
    many.put_back()
    assert content(many.there) == before
