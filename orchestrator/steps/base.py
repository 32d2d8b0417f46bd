"""The contract of a step kind: probe, standing, do, undo; and the four standings.

A step looks through a Reader, which cannot write. standing, do, undo and restored are pure: they yield
effects and perform nothing. What a step may know besides what it sees is its Context.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from orchestrator.effects import Effect, RemoveJobs, RemovePath
from orchestrator.errors import ClusterUnreachable
from orchestrator.events import Confirmation, Json, RemoteJobExited, RemoteJobLost
from orchestrator.port import PodJobSeen, Reader, RedisSeen, Seen, WorkloadSeen


@dataclass(frozen=True, slots=True)
class Standing:
    """What a probe found. clear: free to go. busy: wait. done: nothing to do. torn: a person decides.

    lost, on the way back only: nothing can take it back any more. gone, on the way out only: what another step had
    done, that of `step`, is not there any more and has to be done again first.

    reason: why; of a clear one, what the attempt before came to.
    """

    name: str
    reason: str = ""
    step: str = ""


CLEAR = Standing("clear")
DONE = Standing("done")


def clear(reason: str) -> Standing:
    return Standing("clear", reason)


def busy(reason: str) -> Standing:
    return Standing("busy", reason)


def torn(reason: str) -> Standing:
    return Standing("torn", reason)


def lost(reason: str) -> Standing:
    return Standing("lost", reason)


def gone(step: str, reason: str) -> Standing:
    return Standing("gone", reason, step)


# Who tells the outcome of a step that a crash left in doubt: there is none to be told, as it changes nothing; the probe alone;
# or the probe, and a person where it finds something in between.
Resolver = Literal["nothing", "probe", "person"]


class KnownBy(NamedTuple):
    """How the outcome of a step of one kind can be known after a crash, if nobody else has been at it."""

    resolver: Resolver
    how: str


# How a step is taken back: from the picture taken before; by a copy of what was there, which it leaves on the cluster;
# not at all, as it changes nothing that was there; or not at all, and what was there is lost.
WayBack = Literal["picture", "safety copy", "nothing", "irreversible"]


@dataclass(frozen=True, slots=True)
class Context:
    """What a step may know besides what it sees: this run, and the pictures in its journal."""

    run: str
    now: str  # RFC 3339, UTC: only ever a label
    attempt: int = 0
    undo_attempt: int = 0
    epoch: int = 0  # of the lease that this run is carried under
    waited_seconds: float = 0.0  # for how long this step has been found busy
    before: Json | None = None  # the first picture of this step
    after: Json | None = None  # what we left
    is_copy_lost: bool = False  # its safety copy was found to be gone
    pictures: Mapping[str, Json] = field(default_factory=dict)  # the first pictures of all steps
    lefts: Mapping[str, Json] = field(default_factory=dict)  # the last pictures of those that were found done
    is_early: bool = False  # on the way back, and its turn has not come: what later steps have changed is still so


class Step(BaseModel):
    """One entry of a plan. Subclasses add their parameters and a Seen of their own."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    Picture: ClassVar[type[Seen]]
    known_by: ClassVar[KnownBy]

    is_asked_early: ClassVar[bool] = False  # whether it can say before a rollback begins that a person has to decide

    id: str
    title: str
    needs: tuple[str, ...] = ()
    cites: tuple[str, ...] = ()  # ids of the guide's commands, such as 9.5.5.1-3
    lane: str = ""
    applies: str = ""  # the step whose change this one puts into force: on the way back it comes after it too
    budget_seconds: int = 600
    kind_version: int = 1

    @property
    def way_back(self) -> WayBack:
        """What taking it back rests on: the plan marks every step with it."""
        return "picture"

    @property
    def undo_note(self) -> str:
        """What taking it back does, in words, from the parameters; of one that is irreversible, why it is."""
        return "taken back from the picture taken before"

    @property
    def copy_note(self) -> str:
        """Of a safety copy: its size at most and its place, or that it needs no room."""
        return ""

    def probe(self, reader: Reader, ctx: Context) -> Seen:
        """Look. Raises ClusterUnreachable or ClusterRefused."""
        raise NotImplementedError

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        """Where this step stands on the way forward."""
        raise NotImplementedError

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        """What is to be done; nothing is performed here."""
        raise NotImplementedError

    def restored(self, seen: Seen, ctx: Context) -> Standing:
        """Where it stands on the way back. clear: ours is in place. done: as before. torn: neither. lost: no way."""
        raise NotImplementedError

    def as_left(self, ctx: Context) -> Json:
        """How this run left it, as far as that was seen: held against what is there now."""
        return ctx.after or {}

    def undo(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        """What takes it back: the values from ctx.before; from `seen` only the pod's address."""
        raise NotImplementedError

    def leftovers(self, reader: Reader, ctx: Context) -> Iterator[Effect]:
        """What takes away all that this step keeps on the cluster besides its result, as far as it is there now.

        Afterwards there is no way back. Raises ClusterUnreachable where it cannot be looked at.
        """
        yield from ()

    def confirm(self, seen: Seen, standing: Standing, ctx: Context) -> Iterator[Confirmation]:
        """The evidence that a probe's finding leaves in the journal."""
        yield from ()

    def confirm_back(self, seen: Seen, ctx: Context) -> Iterator[Confirmation]:
        """The same of a look on the way back."""
        yield from ()

    def progress(self, seen: Seen) -> int:
        """Bytes done of what is under way outside of this program; 0 where nothing tells."""
        return 0

    def shell(self, tool: str) -> tuple[str, ...]:
        """The commands of `oc` or `kubectl` (tool) that a person would type for it; to be read, not run by us."""
        return ()

    def picture(self, data: Json | None) -> Seen | None:
        """A journalled picture of this kind, read back."""
        return None if data is None else self.Picture.model_validate(data)


class LookingStep(Step):
    """A step that looks and changes nothing, so there is nothing to take back."""

    known_by = KnownBy("nothing", "it changes nothing: it is looked at once more")

    @property
    def way_back(self) -> WayBack:
        return "nothing"

    @property
    def undo_note(self) -> str:
        return "changes nothing"

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        yield from ()

    def restored(self, seen: Seen, ctx: Context) -> Standing:
        return DONE

    def undo(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        yield from ()


class Gate(BaseModel):
    """A workload that was stopped, and has to stay so while a step works on what it writes to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    workload: str


def running(reader: Reader, gates: Iterable[Gate]) -> dict[str, int]:
    """Those that are not at 0, with the pods that they have or want."""
    seen = {gate.workload: reader.workload(gate.kind, gate.workload) for gate in gates}
    pods = {name: max(1 if w.replicas is None else w.replicas, w.pods) for name, w in seen.items() if w is not None}
    return {name: number for name, number in pods.items() if number}


def opened(running: Mapping[str, int]) -> str:
    """The words for gates that somebody has opened; "" where none is."""
    if not running:
        return ""
    names = " and ".join(f"{name} ({number} pods)" for name, number in running.items())
    return f"{names} was stopped for this and runs again: somebody else has scaled it. Scale it to 0 and resume"


def settled(workload: WorkloadSeen | None, name: str) -> Standing | None:
    """None when the workload's pod can be worked with; else why it has to be waited for."""
    if workload is None:  # an operator makes it again; without one, the step's patience ends
        return busy(f"{name} is not there")
    if not workload.is_complete:
        return busy(workload.waiting_for or f"the rollout of {name} is under way")
    return None


def answering(workload: WorkloadSeen | None, redis: RedisSeen | None, name: str) -> Standing | None:
    """None when its Redis can be asked as well; else why it has to be waited for."""
    if waiting := settled(workload, name):
        return waiting
    if redis is None or redis.is_loading:
        return busy(f"Redis of {name} does not answer yet, or is loading its data")
    return None


def exited(
    step: Step, job: PodJobSeen, workload: WorkloadSeen | None, ctx: Context, name: str = ""
) -> Iterator[Confirmation]:
    """The evidence of how a job in a pod ended, if it did. name: where it is not the one of the way forward."""
    pod, name = workload.pod if workload else "", name or job_name(step, ctx)
    if job.state == "exited":
        code = -1 if job.code is None else job.code
        yield RemoteJobExited(
            step=step.id, attempt=ctx.attempt, pod=pod, job=name, code=code, complaint=job.complaint,
            log={"blob": job.log} if job.log else {},
        )
    elif job.state == "lost":
        yield RemoteJobLost(step=step.id, attempt=ctx.attempt, pod=pod, job=name)


def at_rest(reader: Reader, kind: str, name: str) -> WorkloadSeen:
    """The workload whose pod something was kept in. Raises ClusterUnreachable where it cannot be looked into now."""
    workload = reader.workload(kind, name)
    if waiting := settled(workload, name):
        raise ClusterUnreachable(f"what was kept in {name} cannot be looked at: {waiting.reason}")
    assert workload is not None
    return workload


def left_jobs(reader: Reader, workload: WorkloadSeen, name: str, ctx: Context) -> Iterator[Effect]:
    if reader.jobs_of(workload, ctx.run):
        yield RemoveJobs(run=ctx.run, **address(workload.kind, name, workload))


def left_files(reader: Reader, workload: WorkloadSeen, name: str, *paths: str) -> Iterator[Effect]:
    found = reader.files(workload, paths)
    for path in paths:
        if found[path] is not None:
            yield RemovePath(path=path, **address(workload.kind, name, workload))


def job_name(step: Step, ctx: Context) -> str:
    """The name of a step's job in its pod: of this run and step alone. The same on the way back."""
    return f"{ctx.run}.{step.id}"


def address(kind: str, name: str, workload: WorkloadSeen | None) -> dict[str, str]:
    """Where an in-pod effect goes: the pod and container that were seen, and no other."""
    assert workload is not None
    return {"kind": kind, "workload": name, "pod": workload.pod, "container": workload.container}


def rollout_commands(tool: str, kind: str, workload: str) -> tuple[str, ...]:
    """What a person would type to roll a workload out, and to watch it."""
    if kind == "DeploymentConfig":
        return f"{tool} rollout latest dc/{workload}", f"{tool} rollout status dc/{workload}"
    return f"{tool} rollout restart deployment/{workload}", f"{tool} rollout status deployment/{workload}"
