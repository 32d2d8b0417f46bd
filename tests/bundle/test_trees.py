"""What is read from a directory tree, and what is said of what no backup should hold."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from orchestrator.summaries import TreeEntry, tree_summary
from orchestrator.trees import Tree, leads_outside, read_tree

NAMES = (b"plain", b"with space", b"-rf", b"new\nline", "umlaut-ü".encode(), b"not utf-8 \xff\xfe", b".hidden", b"\x1b[31mred")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "system"
    (root / "provider" / "empty directory").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        (root / "provider" / os.fsdecode(name)).write_bytes(name * number)
    (root / "provider" / "link").symlink_to("plain")
    (root / "link-up").symlink_to("provider/../provider/./plain")
    return root


def said(tree: Tree) -> list[tuple[str, str, str]]:
    return [(one.severity, one.subject, one.message) for one in tree.findings]


def test_every_entry_is_read_whatever_its_name(tree: Path) -> None:
    read = read_tree(tree)
    assert said(read) == []
    assert {entry.name for entry in read.entries if entry.kind == "f"} == {b"provider/" + name for name in NAMES}
    assert {entry.name for entry in read.entries if entry.kind == "d"} == {b"provider", b"provider/empty directory"}
    assert {entry.name: entry.target for entry in read.entries if entry.kind == "l"} == {
        b"provider/link": b"plain", b"link-up": b"provider/../provider/./plain",
    }  # fmt: skip
    one = next(entry for entry in read.entries if entry.name == b"provider/-rf")
    assert (one.size_bytes, one.sha256) == (6, hashlib.sha256(b"-rf-rf").hexdigest())
    assert (read.summary.files, read.summary.directories, read.summary.links) == (len(NAMES), 2, 2)
    assert read.summary.size_bytes == sum(number * len(name) for number, name in enumerate(NAMES))


def rewrite(root: Path) -> None:
    (root / "provider" / "-rf").write_bytes(b"-rf-Rf")


def rename(root: Path) -> None:
    (root / "provider" / "-rf").rename(root / "provider" / "-rg")


def link_elsewhere(root: Path) -> None:
    (root / "provider" / "link").unlink()
    (root / "provider" / "link").symlink_to("plaix")


def link_to_file(root: Path) -> None:
    (root / "provider" / "link").unlink()
    (root / "provider" / "link").write_bytes(b"plain")


CHANGES = {
    "content": rewrite,
    "name": rename,
    "target": link_elsewhere,
    "kind": link_to_file,
    "mode": lambda root: (root / "provider" / "-rf").chmod(0o600),
    "mode-of-a-directory": lambda root: (root / "provider").chmod(0o700),
    "one-more": lambda root: (root / "more").mkdir(),
    "one-less": lambda root: (root / "provider" / "empty directory").rmdir(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_digest_differs_when_anything_differs(change: object, tree: Path) -> None:
    assert callable(change)
    before = read_tree(tree).summary
    change(tree)
    assert read_tree(tree).summary.digest != before.digest


def test_a_copy_elsewhere_has_the_same_digest(tree: Path, tmp_path: Path) -> None:
    subprocess.run(["cp", "-a", str(tree), str(tmp_path / "copy")], check=True)
    assert read_tree(tmp_path / "copy").summary == read_tree(tree).summary


def test_no_two_trees_are_one_line_of_text() -> None:
    """A name may hold anything but NUL and `/`, so a name cannot pretend to be two entries."""
    two = [TreeEntry(b"a", "l", 0, target=b"x"), TreeEntry(b"b", "l", 0, target=b"y")]
    one = [TreeEntry(b"a", "l", 0, target=two[0].target + b"\n" + two[1].line().rstrip(b"\0\n").replace(b"\0", b" "))]
    assert tree_summary(two).digest != tree_summary(one).digest
    assert tree_summary(two) == tree_summary(reversed(two))


def test_what_no_volume_holds_is_an_error(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with tempfile.TemporaryDirectory(dir="/tmp") as short, socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"{short}/socket")  # a socket's path is limited
        shutil.move(f"{short}/socket", tree / "socket")
    read = read_tree(tree)
    assert sorted(said(read)) == [
        ("error", "system/pipe", "is a pipe, which no volume of 3scale holds"),
        ("error", "system/socket", "is a socket, which no volume of 3scale holds"),
    ]
    assert {b"pipe", b"socket"}.isdisjoint(entry.name for entry in read.entries)


def test_links_out_of_the_tree_are_kept_and_said(tree: Path) -> None:
    for number in range(8):
        (tree / f"out{number}").symlink_to("/etc/passwd")
    found = said(read_tree(tree))
    message = "is a link that leads out of the tree: it is kept as it is, and not followed"
    assert found[:5] == [("warning", f"system/out{number}", message) for number in range(5)]
    assert found[5:] == [("warning", "system", f"3 more of its entries: each {message}")]


@pytest.mark.parametrize(
    ("name", "target", "outside"),
    [
        (b"a", b"b", False), (b"a", b"..", True), (b"a", b"../system/b", True), (b"d/a", b"..", False), (b"d/a", b"../..", True),
        (b"d/a", b"../b/../c", False), (b"a", b"/b", True), (b"a", b"..b", False), (b"a", b"//x", True), (b"a", b".", False),
    ],
)  # fmt: skip
def test_where_a_link_leads(name: bytes, target: bytes, outside: bool) -> None:
    assert leads_outside(name, target) == outside


def test_a_setuid_bit_is_said_and_not_in_the_digest(tree: Path) -> None:
    (tree / "provider" / "plain").chmod(0o755)
    before = read_tree(tree).summary
    (tree / "provider" / "plain").chmod(0o755 | stat.S_ISUID)
    read = read_tree(tree)
    assert said(read) == [("warning", "system/provider/plain", "has the setuid or setgid bit, which is not restored")]
    assert read.summary == before


def test_what_cannot_be_read_is_an_error_and_the_rest_is_read(tree: Path) -> None:
    """As an ordinary user: root reads everything."""
    (tree / "provider" / "plain").chmod(0)
    (tree / "closed").mkdir(mode=0)
    code = (
        "import sys; from pathlib import Path; from orchestrator.trees import read_tree\n"
        "for one in read_tree(Path(sys.argv[1])).findings: print(one.severity, one.subject, one.message)"
    )
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    if become:
        moved = Path(shutil.copytree(tree, f"/tmp/restore-tree-{os.getpid()}/system", symlinks=True))
        shutil.rmtree(tree)
    else:
        moved = tree
    try:
        done = subprocess.run([*become, sys.executable, "-c", code, str(moved)], capture_output=True, text=True, check=True)
    finally:
        (moved / "closed").chmod(0o700)
        if become:
            shutil.rmtree(moved.parent)
    assert done.stdout.splitlines() == [
        "error system/closed cannot be read: Permission denied", "error system/provider/plain cannot be read: Permission denied",
    ]  # fmt: skip


def test_progress_ends_at_the_size_of_all_files(tree: Path) -> None:
    told: list[tuple[int, int]] = []
    size_bytes = read_tree(tree, lambda done, total: told.append((done, total))).summary.size_bytes
    assert told[-1] == (size_bytes, size_bytes)
    assert told == sorted(told)
