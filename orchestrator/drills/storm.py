"""Every fault that the port can show, each switched on or off by itself; and a clock that jumps with the rest.

What cannot be shown here: a watch that ends at once, for the port has no watches: a look is a poll.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster.faults import Conflict
from orchestrator.drills.faults import EDITS, WholeFaults
from orchestrator.drills.histories import START, JumpingClock
from orchestrator.drills.model import WholeCluster
from orchestrator.drills.model.apps import put
from orchestrator.drills.swarm import Swarm
from orchestrator.errors import ClusterRefused, ClusterUnreachable, OutcomeUnknown
from orchestrator.port import DatabaseSeen, RedisSeen, WorkloadSeen

LOOKS_ASLEEP = 40  # as much happens meanwhile as between so many looks
LOOKS_FREE, LOOKS_PER_SECOND = 20_000, 10  # more in a life is a hot loop
SET_BACK_MAX = 10  # in one history: a clock that runs backward on the whole ends no patience at all
GUARDED: Final = (*EDITS, fx.EditConfigMap)  # the changes that an API server refuses when the object has moved on


class HotLoop(AssertionError):
    """The same was looked at over and over, and no time passed."""


class StormClock(JumpingClock):
    """The wall clock of all lives. `passed` is what a clock that nobody sets would have counted."""

    def __init__(self) -> None:
        super().__init__(START)
        self.passed = 0.0

    def wait(self, seconds: float, stop: threading.Event) -> None:
        if seconds < 0:
            raise HotLoop(f"a wait of {seconds} s")
        super().wait(seconds, stop)
        self.passed += seconds

    def jump(self, seconds: float) -> None:
        """Somebody set it, or the machine slept and nobody counted."""
        self.at += timedelta(seconds=seconds)


class Storm(WholeFaults):
    """The whole model behind a bad line, among operators and people, as it was decided."""

    def __init__(
        self, cluster: WholeCluster, chance: random.Random, decided: Swarm, clock: StormClock, told: Callable[[str], None]
    ) -> None:
        super().__init__(cluster, decided.seed, decided.rate)
        self.chance, self.on, self.clock, self.told = chance, decided.on, clock, told
        self.usual_rate = decided.rate
        self.is_down_for = 0  # so many calls fail before the line is up again
        self.has_token = True
        self.set_back = 0
        self.others: list[str] = []  # what other people have done
        self.looks, self.looks_before, self.passed_before = 0, 0, 0.0
        cluster.operator_looks = decided.operator_looks
        cluster.do_pod_names_stay = "pod names stay" in decided.on

    def begin_life(self) -> None:
        """A new process reads its credentials again, and is counted anew."""
        self.has_token = True
        self.looks_before, self.passed_before = self.looks, self.clock.passed

    def brew(self) -> None:
        self.rate = self.usual_rate

    def mend(self) -> None:
        super().mend()
        self.cluster.doomed_jobs = self.is_down_for = 0
        self.cluster.rests_for = min(self.cluster.rests_for, self.cluster.operator_looks)
        self.has_token = True

    def fails(self, fault: str, share: float = 1.0) -> bool:
        if fault not in self.on or not super().fails(fault, share):
            return False
        self.told(fault)
        return True

    # ---- what happens at any look --------------------------------------------------------------------

    def look(self) -> None:
        self.looks += 1
        allowed = LOOKS_FREE + LOOKS_PER_SECOND * (self.clock.passed - self.passed_before)
        if self.looks - self.looks_before > allowed:
            raise HotLoop(f"{self.looks - self.looks_before} looks in {self.clock.passed - self.passed_before:.0f} s")
        if not self.rate:
            return
        self.pass_time()
        self.happen()
        super().look()
        self.cross_the_line()

    def pass_time(self) -> None:
        if self.fails("slow", 0.3):
            self.clock.wait(self.chance.choice((1.0, 30.0, 300.0)), threading.Event())
        if self.fails("machine slept", 0.03):  # and the cluster did not
            self.clock.jump(self.chance.uniform(60, 30 * 3600))
            for _ in range(LOOKS_ASLEEP):
                self.cluster.operate()
        if self.set_back < SET_BACK_MAX and self.fails("clock back", 0.03):
            self.set_back += 1
            self.clock.jump(-self.chance.uniform(1, 5 * 3600))

    def happen(self) -> None:
        """What befalls the cluster."""
        if self.fails("load failed", 0.05):
            self.cluster.doomed_jobs = 1
        if self.fails("operator gone", 0.05):
            self.cluster.rests_for = self.chance.choice((30, 300))
        if self.fails("node drained", 0.03):
            for _ in range(3):
                self.replace_a_pod()
            for server in self.cluster.servers.values():
                if self.chance.random() < 0.5:
                    self.cluster.restart(server)
        if self.fails("others", 0.05):
            self.let_others_act()

    def cross_the_line(self) -> None:
        if self.fails("token expired", 0.02):
            self.has_token = False
        if self.fails("outage", 0.05):
            self.is_down_for = self.chance.choice((3, 30, 200))
        if not self.has_token:
            raise ClusterRefused("the token has expired")
        if self.is_down_for:
            self.is_down_for -= 1
            raise ClusterUnreachable("no route to host")
        if self.fails("throttled", 0.5):
            raise ClusterUnreachable(f"the server answered {self.chance.choice((429, 500, 502, 503, 504))}")

    def replace_a_pod(self) -> None:
        """As always; and also those that a hook asks for, as long as system-app runs."""
        app = self.cluster.apps.get("system-app")
        if app is not None and app.is_complete and self.chance.random() < 0.3:
            there = [n for n in ("system-memcache", "backend-listener") if n in self.cluster.apps]
            self.cluster.replace_pod(self.chance.choice([n for n in there if self.cluster.apps[n].replicas] or ["system-app"]))
        else:
            super().replace_a_pod()

    def let_others_act(self) -> None:
        possible = [name for name, act in OTHERS.items() if name not in self.others and act(self.cluster.copy())]
        if possible:
            name = self.chance.choice(possible)
            self.others.append(name)
            OTHERS[name](self.cluster)
            self.told(f"somebody else: {name}")

    # ---- Reader ----------------------------------------------------------------------------------------

    def redis(self, workload: WorkloadSeen) -> RedisSeen | None:
        server = self.cluster.at(workload.pod, workload.container)
        if server.rewriting is not None and self.fails("rewrite", 20.0):
            server.rewriting, server.last_rewrite_ok = None, False
        return super().redis(workload)

    def database(self, workload: WorkloadSeen, engine: fx.Engine, database: str) -> DatabaseSeen | None:
        self.look()
        seen = self.cluster.database(workload, engine, database)
        return None if self.fails("no answer", 0.3) else seen

    def row_counts(
        self, workload: WorkloadSeen, engine: fx.Engine, database: str, tables: Sequence[str]
    ) -> Mapping[str, int | None] | None:
        self.look()
        found = self.cluster.row_counts(workload, engine, database, tables)
        return None if self.fails("no answer", 0.3) else found

    # ---- Cluster ---------------------------------------------------------------------------------------

    def perform(self, effect: fx.Effect, *, step: str, attempt: int) -> Iterator[ev.EffectFact]:
        self.look()
        if isinstance(effect, GUARDED) and self.fails("conflict", 3.0):
            raise Conflict("the object changed meanwhile")
        if self.fails("sent in vain", 0.5):
            raise OutcomeUnknown("the answer never came")
        yield from self.performed(effect, step, attempt)

    def part_way(self, facts: Iterator[ev.EffectFact]) -> None:
        if self.fails("chunk unheard"):
            next(facts, None)
            raise OutcomeUnknown("the exec ended without a status")


# ---- other people: what they change is not what a restore changes, and has to be there afterwards --------


def write_a_comment(cluster: WholeCluster) -> bool:
    if not cluster.servers or not cluster.text:
        return False
    cluster.text, cluster.version = f"{cluster.text}# by somebody else\n", cluster.version + 1
    return True


def add_a_file(cluster: WholeCluster) -> bool:
    cluster.tree_files["theirs.txt"] = "by somebody else"
    return True


def set_a_field(cluster: WholeCluster) -> bool:
    if cluster.spec is None:
        return False
    cluster.spec = put(cluster.spec, ("spec", "theirs"), 1)
    return True


def scale_apicast(cluster: WholeCluster) -> bool:
    if "apicast-production" not in cluster.apps or cluster.wanted("apicast-production") is not None:
        return False
    cluster.scale("apicast-production", 5)
    return True


OTHERS: Final[Mapping[str, Callable[[WholeCluster], Any]]] = {
    "a comment in redis.conf": write_a_comment, "a file in system-storage": add_a_file,
    "a field of the APIManager": set_a_field, "apicast scaled": scale_apicast,
}  # fmt: skip
