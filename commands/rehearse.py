"""restore rehearse: the whole restore on the embedded cluster, with proof that the data is there."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from commands import printer, wiring
from commands.carrying import carry
from commands.crash_matrix import At, CrashMatrix, Extent, Pairs, Sample, carry_out, refuse_other_words
from commands.faults import Bandwidth, CutEvery, Latency, ResetRate, Seed, Stall
from commands.line_table import Costs
from commands.options import (
    AcceptIrreversible,
    Database,
    JournalPath,
    NoSafetyCopy,
    Only,
    Output,
    OutputAs,
    Patience,
    QueuesAs,
    Reason,
    Release,
    Size,
    Verbose,
)
from commands.run import ended, start
from orchestrator.errors import RehearsalFailed, VerificationMissed
from orchestrator.rehearsal.line.faults import Faults
from orchestrator.rehearsal.standins import STAND_INS

if TYPE_CHECKING:
    from journal import Journal
    from orchestrator.cluster.live import LiveCluster
    from orchestrator.drills.matrix import Case
    from orchestrator.events import Entry
    from orchestrator.rehearsal.lifecycle import Rehearsed
    from orchestrator.rehearsal.line.keeping import Line
    from orchestrator.runbooks.options import Options


OPERATOR = "The 3scale operator and the pods' containers: pods are plain processes, the operator a part of the cluster."
REHEARSAL = {"rehearsal": [OPERATOR, *STAND_INS]}
EPILOG = "Stand-ins: " + " ".join(REHEARSAL["rehearsal"])


BundlePath = Annotated[
    Path | None, typer.Argument(metavar="[BUNDLE]", help="A bundle. [default: a generated sample]", show_default=False)
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Begin without an installation: its objects are restored first.")]
DieAt = Annotated[
    int | None,
    typer.Option("--die-at", metavar="N", help="Kill this process when fact N is durable.", show_default=False, min=1),
]


def rehearse(
    context: typer.Context,
    bundle: BundlePath = None,
    release: Annotated[Release, typer.Option(help="The release of 3scale whose shape it has.")] = Release.v2_15,
    only: Only = None,
    database: Annotated[Database, typer.Option(help="The system database of the installation.")] = Database.mysql,
    queues: QueuesAs = None,
    no_safety_copy: NoSafetyCopy = None,
    accept_irreversible: AcceptIrreversible = None,
    reason: Reason = "",
    size: Annotated[Size, typer.Option(help="How much sample data.")] = Size.small,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the cluster running; print its kubeconfig and bundle.")] = False,
    fresh: Fresh = False,
    die_at: DieAt = None,
    rollback: Annotated[bool, typer.Option("--rollback", help="Take it back afterwards, and compare.")] = False,
    crash_matrix: CrashMatrix = False,
    pairs: Pairs = False,
    sample: Sample = None,
    at: At = None,
    cut_every: CutEvery = None,
    stall: Stall = None,
    latency: Latency = None,
    bandwidth: Bandwidth = None,
    reset_rate: ResetRate = None,
    seed: Seed = None,
    down: Annotated[bool, typer.Option("--down", help="Stop every embedded cluster that was left, and remove its files.")] = False,
    journal: JournalPath = None,
    patience: Patience = None,
    verbose: Verbose = False,
    output: OutputAs = Output.table,
) -> None:
    """Restore on an embedded cluster: real database servers behind a local Kubernetes API.

    Real are redis-server, MariaDB and PostgreSQL, each in a pod of its own, and their clients. What is a
    stand-in is listed below. A cluster that is left ends by itself after an hour in which nobody asks it anything.

    --crash-matrix dies on purpose, goes on, and compares the ends. Its simulated part is the program's own engine on a model:
    no server, journal and time in memory. Its real part kills processes with a journal on the disk and real servers.

    Exit status: as `restore run`; 6 when the data is not there, a rollback is not exact, or a death came to a wrong end.
    """
    if down:
        stopped(stop_all(), output)
        return
    refuse_other_words(context, is_matrix=crash_matrix)
    said = wiring.options_of(only, queues=queues, reason=reason, no_safety_copy=no_safety_copy, accepted=accept_irreversible)
    if crash_matrix:
        carry_out(case_of(release, database, said, seed), base(), Extent(pairs, sample, at), verbose=verbose, output=output)
        return
    how = How(fresh, die_at, rollback, patience or 0.0, verbose, output)
    stall_bytes, stall_seconds = stall or (0, 0.0)
    faults = Faults(cut_every or 0, stall_bytes, stall_seconds, latency or 0.0, bandwidth or 0, reset_rate or 0.0)
    cluster = begin(release.value, size.value, database.value, said, is_sample=bundle is None, fresh=fresh)
    printer.tell(f"embedded cluster: {cluster.root}, 3scale {release.value}, pid {cluster.pid}")
    kubeconfig = over_the_line(cluster, bundle, said, wiring.open_journal(journal, write=True, create=True), faults, seed, how)
    if keep:
        for line in (f"kubeconfig {kubeconfig}", f"bundle {bundle or cluster.root / 'bundle'}"):
            (printer.say if output is Output.table else printer.tell)(line)
    else:
        end(cluster)


def stopped(count: int, output: Output) -> None:
    if output is Output.table:
        printer.say(f"stopped {count} embedded cluster{'' if count == 1 else 's'}")
    else:
        printer.document({"stopped": count}, output)


def case_of(release: Release, database: Database, said: Options, seed: int | None) -> Case:
    from orchestrator.drills.matrix import Case

    return Case(release.value, database.value, said, secrets.randbelow(10**6) if seed is None else seed)


class How(NamedTuple):
    """How a rehearsal is carried out, and what is shown of it."""

    fresh: bool
    die_at: int | None
    rollback: bool
    patience: float
    verbose: bool
    output: Output


def over_the_line(
    cluster: Rehearsed, bundle: Path | None, said: Options, ledger: Journal, faults: Faults, seed: int | None, how: How
) -> Path:
    """The rehearsal, behind a bad line where faults are named; returns the kubeconfig that it used."""
    kubeconfig, costs = cluster.kubeconfig, Costs()
    try:
        line = line_to(cluster, faults, seed) if faults != Faults() else None
        kubeconfig = line.kubeconfig if line else kubeconfig
        rehearsed(cluster, bundle or cluster.root / "bundle", said, ledger, kubeconfig, how, costs)
    except BaseException:
        printer.tell(f"the embedded cluster is still there: --kubeconfig {kubeconfig}")
        printer.tell("stop it with: restore rehearse --down")
        raise
    if line is not None:
        told = line.told()
        printer.tell(f"the line carried {told}")
        if how.output is Output.table:
            printer.table(("BAD LINE", str(told.faults)), costs.rows(told))
    return kubeconfig


def rehearsed(
    cluster: Rehearsed, bundle: Path, said: Options, ledger: Journal, kubeconfig: Path, how: How, costs: Costs
) -> None:
    """Plan, run, prove; take back and prove again where asked for. A fresh one is two runs: objects, then data."""
    from orchestrator.rehearsal.digest import picture

    report = wiring.sound_bundle(bundle, said)
    started = partial(start, verbose=how.verbose, output=how.output, context=REHEARSAL, patience=how.patience)
    with wiring.live_cluster(str(kubeconfig), "", cluster.namespace, bundle) as live:
        if how.fresh:
            made, found, _ = wiring.sound_plan(live, report, said)
            started(made, found, report, live, ledger)
        with looked_at(cluster):
            before = picture(cluster)
        made, found, _ = wiring.sound_plan(live, report, said)
        run = started(made, found, report, live, ledger, heard=dying(how.die_at, costs))
        prove(cluster, bundle, made.parts, how.output, drops_queues=said.queues == "drop")
        if how.rollback:
            take_back(live, ledger, run, how, costs)
            with looked_at(cluster):
                after = picture(cluster)
            different = before.owned(made.parts).differences(after.owned(made.parts))
            if different:
                raise VerificationMissed(
                    f"after the rollback {len(different)} places differ: {', '.join(different[:5])}",
                    hint=f"restore log {run}",
                )
            if before == after:
                printer.tell(f"rolled back: digest {before.sha256} as before the run")
            else:
                printer.tell("rolled back: as before the run, but for what 3scale itself wrote to parts that were not restored")


@contextmanager
def looked_at(cluster: Rehearsed) -> Iterator[None]:
    """A server of the embedded cluster that cannot be asked is a rehearsal that failed, and no bug of a restore."""
    from orchestrator.rehearsal.databases import SqlError
    from orchestrator.rehearsal.resp import RedisError

    try:
        yield
    except (SqlError, RedisError, LookupError, OSError) as error:
        raise RehearsalFailed(
            f"the embedded cluster could not be looked at: {error} (see {cluster.root}/cluster.log)",
            hint="restore rehearse --down",
        ) from error


def prove(cluster: Rehearsed, bundle: Path, parts: tuple[str, ...], output: Output, *, drops_queues: bool) -> None:
    """Every key, row, file and host of the bundle against the running installation; queues that were dropped apart."""
    from orchestrator.rehearsal.proof import compare

    with looked_at(cluster):
        rows = compare(cluster, bundle, parts)
    if drops_queues:
        dropped = [r for r in rows if (r.workload, r.database) == ("backend-redis", "db1")]
        rows = [r for r in rows if r not in dropped]
        if any(r.found for r in dropped):
            raise VerificationMissed("backend-redis still has job queues, which were to be dropped", hint="restore runs")
    if output is Output.table:
        printer.table(
            ("WORKLOAD", "WHAT", "IN BACKUP", "FOUND", "DIFFERENT"),
            [(r.workload, r.database, r.expected, r.found, r.different) for r in rows],
        )
    wrong = [r for r in rows if not r.is_equal]
    if wrong:
        raise VerificationMissed(
            f"{wrong[0].workload} {wrong[0].database} is not what the backup holds", hint="restore runs"
        )
    tell = printer.say if output is Output.table else printer.tell
    what = "every key with its value and expiry, every row, every file and every host of the backup is there"
    tell(f"proof: {what}, as far as it was restored: {', '.join(parts)}")
    if not {"backend-redis", "system-redis"}.isdisjoint(parts):
        tell("(left out: liveness-probe in db0, which the readiness probe of the Redis pods writes)")


def take_back(live: LiveCluster, ledger: Journal, run: str, how: How, costs: Costs) -> None:
    from orchestrator.runs import load, to_roll_back, with_patience

    turn = with_patience(to_roll_back(), how.patience)
    state = carry(ledger, live, run, load(ledger, run).plan, turn, verbose=how.verbose, heard=costs.hear)
    if how.output is Output.table:
        ended(ledger, run, state, how.output)


def dying(die_at: int | None, costs: Costs) -> Callable[[Entry], None]:
    """Counts each fact, and kills this process as soon as that one is durable, as a power cut would."""

    def heard(entry: Entry) -> None:
        costs.hear(entry)
        if entry.seq == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    return heard


# ---- the cluster's life ----------------------------------------------------------------------------


def base() -> Path:
    from platformdirs import user_state_path

    return user_state_path("restore") / "rehearsals"


def begin(
    release: Literal["2.11", "2.12", "2.13", "2.14", "2.15"], size: Literal["small", "medium", "large"],
    database: Literal["mysql", "postgresql"], said: Options, *, is_sample: bool, fresh: bool,
) -> Rehearsed:
    """A fresh cluster with old data in it, and a sample bundle beside it. Redis alone needs no more than Redis."""
    from orchestrator.rehearsal import backups, lifecycle, seed

    root = base() / f"{release}-{secrets.token_hex(3)}"
    try:
        is_redis = said.named <= {"backend-redis", "system-redis"} and not fresh
        cluster = lifecycle.start(root, release, scope="redis" if is_redis else "whole", database=database, fresh=fresh)
        if not fresh:
            seed.fill_installation(cluster, size)
        if is_sample:
            seed.make_bundle(cluster.root / "bundle", size, database=database, parts=tuple(said.named))
        if is_sample and not is_redis:
            backups.write_objects(cluster.root / "bundle", cluster)
    except (lifecycle.RehearsalFailed, OSError, LookupError) as error:
        raise RehearsalFailed(str(error), hint="restore rehearse --down") from error
    return cluster


def line_to(cluster: Rehearsed, faults: Faults, seed: int | None) -> Line:
    """A bad line to the cluster; it ends with it, and a resumed run goes through it again."""
    from orchestrator.rehearsal import lifecycle
    from orchestrator.rehearsal.line import keeping

    try:
        line = keeping.start(cluster.root, faults, secrets.randbelow(10**6) if seed is None else seed)
    except (lifecycle.RehearsalFailed, OSError) as error:
        raise RehearsalFailed(str(error), hint="restore rehearse --down") from error
    printer.tell(f"bad line: {faults}; seed {line.seed}")
    return line


def end(cluster: Rehearsed) -> None:
    from orchestrator.rehearsal import lifecycle

    lifecycle.stop(cluster.root)
    shutil.rmtree(cluster.root, ignore_errors=True)


def stop_all() -> int:
    """Stop what runs, and remove what the stopped ones have left on the disk."""
    from orchestrator.rehearsal import lifecycle

    stopped = lifecycle.stop_all(base())
    for root in base().glob("*"):
        shutil.rmtree(root, ignore_errors=True)
    return stopped
