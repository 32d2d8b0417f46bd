"""A cluster as a process of its own: started, found again, stopped, killed, forgotten."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from orchestrator.rehearsal import lifecycle
from orchestrator.rehearsal.lifecycle import RehearsalFailed
from tests.rehearsal.redis_clusters import data_directory, kubectl, redis, servers_under, started, until


def test_it_is_found_again_and_stopped(tmp_path: Path) -> None:
    with started(tmp_path, "2.15") as cluster:
        assert lifecycle.find(tmp_path) == cluster
        assert lifecycle.start(tmp_path, "2.15") == cluster
        assert len(servers_under(tmp_path)) == 2
        assert os.getsid(cluster.pid) != os.getsid(0)
        assert lifecycle.stop(tmp_path)
    assert lifecycle.find(tmp_path) is None
    assert not lifecycle.stop(tmp_path)
    assert servers_under(tmp_path) == []
    assert not (tmp_path / "cluster.json").exists()


def test_another_release_in_the_same_place_is_refused(tmp_path: Path) -> None:
    with started(tmp_path, "2.13"), pytest.raises(RehearsalFailed, match=r"release 2\.13 .* runs"):
        lifecycle.start(tmp_path, "2.15")


def test_two_clusters_never_share_a_directory(tmp_path: Path) -> None:
    with started(tmp_path, "2.15") as cluster:
        (tmp_path / "cluster.json").rename(tmp_path / "hidden.json")
        with pytest.raises(RehearsalFailed, match="another cluster runs in"):
            lifecycle.start(tmp_path, "2.15")
        (tmp_path / "hidden.json").rename(tmp_path / "cluster.json")
        assert lifecycle.find(tmp_path) == cluster
        assert "backend-redis" in kubectl(cluster, "get", "pods")


def test_only_its_owner_can_read_what_it_has(tmp_path: Path) -> None:
    root = tmp_path / "root"
    with started(root, "2.15") as cluster:
        with redis(cluster, "backend-redis") as server:
            server.call("SAVE")
        paths = [root, *(path for path in root.rglob("*") if not path.is_symlink())]
        assert [path for path in paths if path.stat().st_mode & 0o077] == []
        assert any(path.name == "dump.rdb" for path in paths)


def test_stopping_lets_the_servers_end_properly(tmp_path: Path) -> None:
    """A server that is asked to end saves what it has; one that is killed would not."""
    with started(tmp_path, "2.13") as cluster:
        with redis(cluster, "system-redis") as server:
            server.call("SET", "written", "last")
        dump = data_directory(cluster, "system-redis").resolve() / "dump.rdb"
        assert not dump.exists()
    assert dump.read_bytes()[:5] == b"REDIS"


def test_sigkill_leaves_no_server_and_the_data(tmp_path: Path) -> None:
    with started(tmp_path, "2.15") as cluster:
        with redis(cluster, "backend-redis") as server:
            server.call("CONFIG", "SET", "appendfsync", "always")
            server.call("SET", "kept", "yes")
        os.kill(cluster.pid, signal.SIGKILL)
        until(lambda: servers_under(tmp_path) == [])
        assert lifecycle.find(tmp_path) is None
    with started(tmp_path, "2.15") as again:
        assert again.pid != cluster.pid
        with redis(again, "backend-redis") as server:
            assert server.call("GET", "kept") == b"yes"


def test_a_stale_file_with_the_pid_of_another_process_is_no_cluster(tmp_path: Path) -> None:
    with started(tmp_path, "2.15") as cluster:
        content = (tmp_path / "cluster.json").read_text()
    (tmp_path / "cluster.json").write_text(content.replace(str(cluster.pid), str(os.getpid())))
    assert lifecycle.find(tmp_path) is None
    assert not lifecycle.stop(tmp_path)


def test_it_ends_by_itself_when_nobody_asks(tmp_path: Path) -> None:
    with started(tmp_path, "2.15", idle_minutes=0.05) as cluster:
        assert "backend-redis" in kubectl(cluster, "get", "pods")
        until(lambda: lifecycle.find(tmp_path) is None)
    assert servers_under(tmp_path) == []


def test_all_of_a_directory_are_found_and_stopped(tmp_path: Path) -> None:
    with started(tmp_path / "one", "2.13") as one, started(tmp_path / "two", "2.15") as two:
        (tmp_path / "three").mkdir()
        (tmp_path / "three" / "cluster.json").write_text("{")
        assert lifecycle.find_all(tmp_path) == [one, two]
        assert lifecycle.stop_all(tmp_path) == 2
        assert lifecycle.find_all(tmp_path) == []


def test_a_cluster_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(RehearsalFailed, match="redis-server is not installed here"):
        lifecycle.start(tmp_path, "2.15")
