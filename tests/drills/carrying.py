"""What the tests share that carry a run on an embedded cluster of a whole installation and step in between its facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from journal import Journal
from orchestrator import events as ev
from orchestrator.bundle import inspect_bundle
from orchestrator.clock import SystemClock
from orchestrator.cluster.connection import connect
from orchestrator.cluster.live import LiveCluster
from orchestrator.events import Entry, Fact
from orchestrator.findings import BundleReport
from orchestrator.installation import Installation
from orchestrator.observe import observe
from orchestrator.plan import Plan
from orchestrator.rehearsal import seed
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.runbooks.options import Options
from orchestrator.runbooks.threescale import restore_plan
from orchestrator.runs import (
    Opening,
    Session,
    carry_on,
    load,
    opening,
    record_decision,
    to_open,
    to_roll_back,
)
from orchestrator.state import RunState
from tests.rehearsal.redis_clusters import kubectl, until
from tests.rehearsal.whole_clusters import pods_of

RUN = "threescale-20261130-test"


def when(fact: type[ev.StepFact], step: str, then: Callable[[], None]) -> Callable[[Entry], None]:
    """Does something as soon as the fact is in the journal, before anything else is decided; once."""
    done: list[Entry] = []

    def heard(entry: Entry) -> None:
        if isinstance(entry.fact, fact) and entry.fact.step == step and not done:
            done.append(entry)
            then()

    return heard


def replace_pod(cluster: Rehearsed, workload: str, *, phase: str) -> None:
    """Deletes the one pod of a workload; returns when the new one is so far."""
    (old,) = pods_of(cluster, workload)
    kubectl(cluster, "delete", "pod", old["metadata"]["name"], "--wait=false")

    def has_come() -> bool:
        pods = pods_of(cluster, workload)
        return len(pods) == 1 and pods[0]["metadata"]["uid"] != old["metadata"]["uid"] and pods[0].get("status", {}).get("phase") == phase

    until(has_come)


@dataclass
class Carried:
    """One run of a part of the bundle."""

    cluster: Rehearsed
    live: LiveCluster
    plan: Plan
    journal: Path
    begun: list[Fact]
    run: str

    def restore(self, heard: Callable[[Entry], None] = lambda entry: None) -> RunState:
        return self.carry(to_open(self.begun), heard)

    def roll_back(self, heard: Callable[[Entry], None] = lambda entry: None) -> RunState:
        return self.carry(to_roll_back(), heard)

    def carry(self, how: Opening, heard: Callable[[Entry], None]) -> RunState:
        clock = SystemClock()
        try:
            return carry_on(Session(Journal.open(self.journal, write=True), self.live, clock, heard=heard), self.run, self.plan, how)
        finally:
            clock.close()

    def decide(self, step: str, verdict: str) -> None:
        fact = ev.DecisionRecorded(step=step, verdict=verdict, reason="a test says so", by="test")
        record_decision(Journal.open(self.journal, write=True), SystemClock(), self.run, fact)

    def facts(self) -> list[Fact]:
        return [entry.fact for entry in load(Journal.open(self.journal, write=False), self.run).entries]


def begun(
    cluster: Rehearsed, directory: Path, part: str,
    seen_as: Callable[[Installation, BundleReport], Installation] = lambda found, report: found, run: str = RUN,
) -> Carried:
    """An installation with data of its own, a bundle of one part, and a plan; the live cluster is to be closed.

    seen_as: what the plan is made from, where that is to be another installation than was seen.
    """
    seed.fill_installation(cluster)
    options = Options(only=(part,))
    bundle = seed.make_bundle(directory / "bundle", parts=options.only)
    report = inspect_bundle(bundle, options.named)
    live = LiveCluster(connect(str(cluster.kubeconfig), "", cluster.namespace), bundle)
    live.copies.directory = directory / "copies"
    found = seen_as(observe(live, report, options.named, SystemClock().now()), report)
    plan = restore_plan(found, report, options)
    return Carried(cluster, live, plan, directory / f"{part}.db", opening(plan, found, report, {}), run)
