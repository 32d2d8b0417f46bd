"""Where a safety copy finds room in a pod: HOME only where it is another file system than the data's volume."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from orchestrator.cluster import scripts
from orchestrator.observe.sql import HOME_ROOM
from tests.cluster.pods import busybox_path

OTHER = Path("/dev/shm")  # a file system of its own on every Linux


@pytest.fixture(params=["coreutils", "busybox"])
def tools(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return os.environ["PATH"] if request.param == "coreutils" else busybox_path(tmp_path / "busybox")


def asked(directory: Path, tools: str, **environment: str) -> list[str]:
    command = scripts.argv(HOME_ROOM, str(directory))
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": tools, **environment})
    *answer, end = done.stdout.split()
    assert end == scripts.END
    return answer


def test_another_file_system_is_told_with_its_free_room(tmp_path: Path, tools: str) -> None:
    home, free = asked(tmp_path, tools, HOME=str(OTHER))
    room = os.statvfs(OTHER)
    assert home == str(OTHER)
    assert abs(int(free) * 1024 - room.f_bavail * room.f_frsize) < room.f_blocks * room.f_frsize / 4


def test_the_same_file_system_is_no_other_room(tmp_path: Path, tools: str) -> None:
    (tmp_path / "home").mkdir()
    assert asked(tmp_path, tools, HOME=str(tmp_path / "home")) == []


@pytest.mark.parametrize("home", ["", "/nonexistent"])
def test_without_a_home_there_is_none(tmp_path: Path, tools: str, home: str) -> None:
    assert asked(tmp_path, tools, HOME=home) == []
