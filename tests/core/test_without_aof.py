"""A redis-config without an AOF: what Redis keeps is its RDB alone, so each start loads the restored file."""

from __future__ import annotations

from typing import cast

import pytest

from orchestrator.drills.histories import History, go_on, resumed, turned
from orchestrator.drills.model import ModelCluster
from orchestrator.drills.model.redis import QUEUE
from orchestrator.redis_conf import save_of
from orchestrator.runbooks.options import Options
from orchestrator.runbooks.threescale import restore_plan

TEXT = "port 6379\nsave 900 1\nappendonly no\n"
STRIDE = 7


def begin(flavour: str, *, are_dropped: bool) -> History:
    """Both Redis. The file of backend-redis has job queues in it."""
    cluster = ModelCluster(flavour)
    cluster.text = TEXT
    for server in cluster.servers.values():
        server.appendonly, server.aof, server.save = "no", None, save_of(TEXT, "7.0.15")
    cluster.new["backend-redis"] = cluster.new["backend-redis"] | {f"{QUEUE}mails": "x"}
    options = Options(queues="drop" if are_dropped else "restore", queues_by="ann", queues_reason="sent already")
    return History(cluster, restore_plan(cluster.installation(), cluster.bundle(), options))


def data_of(history: History) -> dict[str, dict[str, str]]:
    return {name: server.data for name, server in cast(ModelCluster, history.cluster).servers.items()}


def wanted(history: History, *, are_dropped: bool) -> dict[str, dict[str, str]]:
    new = cast(ModelCluster, history.cluster).new
    return {name: {key: value for key, value in new[name].items() if not (are_dropped and key.startswith(QUEUE))} for name in data_of(history)}


@pytest.mark.parametrize("flavour", ["2.13", "2.15", "plain"])
@pytest.mark.parametrize("are_dropped", [False, True], ids=["restored", "dropped"])
def test_a_redis_without_an_aof_is_restored_and_taken_back(flavour: str, are_dropped: bool) -> None:
    history = begin(flavour, are_dropped=are_dropped)
    before = data_of(history)
    for n, dead in enumerate([one for one in history.deaths(resumed) if one.records][::STRIDE]):
        back = dead.copy()
        assert go_on(dead, resumed).closed == "finished", (n, dead.state().reason)
        assert data_of(dead) == wanted(dead, are_dropped=are_dropped), n
        for one in (back, dead):
            assert go_on(one, turned).closed == "rolled back", (n, one.state().reason)
            assert data_of(one) == before, n
