"""Every fact that a journal can hold: past tense, what happened, never what to do.

Two families: the life of a run and of its steps, which alone decides where a step stands; and the
domain facts, which are evidence. A fact is one sentence that a person can read at 3 a.m.; if it cannot
be said as a sentence, it is the wrong fact. Names are explicit strings and are never used for
another meaning. Writing is strict, reading is tolerant: a fact from a newer program comes back as an
UnknownFact and can be shown, but such a run is not resumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from orchestrator.drift import three_way

Json = dict[str, Any]
DRIFTS_TOLD_MAX = 3  # values that a sentence names


class Fact(BaseModel):
    """One thing that happened to the run as a whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: ClassVar[str]
    version: ClassVar[int] = 1

    def sentence(self) -> str:
        """This fact for a person to read, without the step's id and without a full stop."""
        raise NotImplementedError


class StepFact(Fact):
    """One thing that happened to one step."""

    step: str
    attempt: int = 0


class EffectFact(StepFact):
    """An effect that was performed: legal only after the step's start is durable."""


class Confirmation(StepFact):
    """Something that a probe saw with its own eyes."""


# ---- the life of a run -------------------------------------------------------------------------


class RunOpened(Fact):
    name = "RunOpened"
    plan: Json
    plan_digest: str
    context: Json
    bundle: Json
    program: str
    by: str

    def sentence(self) -> str:
        return (
            f"run opened by {self.by}: {len(self.plan['steps'])} steps on namespace "
            f"{self.context.get('namespace', '?')} at {self.context.get('server', '?')}"
        )


class InstallationObserved(Fact):
    name = "InstallationObserved"
    installation: Json

    def sentence(self) -> str:
        said = [f"{w['kind']} {w['name']} (Redis {w['redis_version']})" for w in self.installation["workloads"]]
        said += [f"{d['kind']} {d['name']} ({d['version']})" for d in self.installation.get("databases", ())]
        said += [f"{a['name']} {a['replicas']}" for a in self.installation.get("apps", ())]
        return f"found 3scale {self.installation['release']}: {', '.join(said) or 'nothing installed yet'}"


class LeaseTaken(Fact):
    name = "LeaseTaken"
    holder: str

    def sentence(self) -> str:
        return f"{self.holder} took the lease on this run"


class LockStolen(Fact):
    """A person took the run from whoever held it. Its epoch is the one that the holder is refused by from here on."""

    name = "LockStolen"
    holder: str  # from whom, "" where the journal knew of nobody
    reason: str
    by: str

    def sentence(self) -> str:
        return f"{self.by} took this run from {self.holder or 'nobody'}: {self.reason}"


class RunResumed(Fact):
    name = "RunResumed"
    program: str
    by: str

    def sentence(self) -> str:
        return f"run resumed by {self.by} with {self.program}"


class PatienceGranted(Fact):
    """For how long a step that fails is tried again, counted from its first failure since it last came forward."""

    name = "PatienceGranted"
    seconds: int  # the journal holds no fractions: they have no one text

    def sentence(self) -> str:
        return f"a step that fails is tried again for {self.seconds / 60:.0f} minutes"


class RunPaused(Fact):
    name = "RunPaused"
    reason: str
    needs: str  # "resume", "decision" or "verification": what stands between this run and its end

    def sentence(self) -> str:
        return f"run paused: {self.reason}"


class RunFinished(Fact):
    name = "RunFinished"

    def sentence(self) -> str:
        return "run finished"


class RollbackOpened(Fact):
    name = "RollbackOpened"
    by: str
    down_to: str = ""
    program: str = ""

    def sentence(self) -> str:
        what = f"back to before {self.down_to}" if self.down_to else "everything"
        return f"{self.by} began to take back {what}"


class RollbackFinished(Fact):
    name = "RollbackFinished"

    def sentence(self) -> str:
        return "everything that was to be taken back is back"


class CleanupOpened(Fact):
    """From here on the run cannot be taken back. effects: what is about to be removed from the cluster."""

    name = "CleanupOpened"
    by: str
    effects: tuple[Json, ...]
    program: str = ""

    def sentence(self) -> str:
        return f"{self.by} began to remove what this run keeps on the cluster: {len(self.effects)} things"


class CleanupFinished(Fact):
    name = "CleanupFinished"

    def sentence(self) -> str:
        return "looked: nothing of this run is left on the cluster besides what it restored"


# ---- the life of a step ------------------------------------------------------------------------


class StepFoundClear(StepFact):
    name = "StepFoundClear"
    seen: Json
    reason: str = ""  # what the attempt before came to

    def sentence(self) -> str:
        return "looked: not done yet, free to go" + (f" again: {self.reason}" if self.reason else "")


class StepFoundBusy(StepFact):
    name = "StepFoundBusy"
    reason: str

    def sentence(self) -> str:
        return f"looked: waiting, {self.reason}"


class StepFoundDone(StepFact):
    name = "StepFoundDone"
    seen: Json

    def sentence(self) -> str:
        return "looked: done"


class StepFoundTorn(StepFact):
    name = "StepFoundTorn"
    reason: str
    seen: Json

    def sentence(self) -> str:
        return f"looked: in doubt, {self.reason}"


class StepFoundGone(StepFact):
    """What a step had done is not there any more: it is in doubt again. found_by: the step that needs it, and its picture."""

    name = "StepFoundGone"
    reason: str
    found_by: str
    seen: Json

    def sentence(self) -> str:
        return f"found by {self.found_by}: what it had done is gone, {self.reason}; it is looked at again"


class StepStarted(StepFact):
    """Durable before the first effect of this attempt. `before` is the first picture, in every attempt."""

    name = "StepStarted"
    before: Json
    inverse: tuple[Json, ...]
    epoch: int

    def sentence(self) -> str:
        return f"started, attempt {self.attempt}"


class RetryScheduled(StepFact):
    name = "RetryScheduled"
    reason: str
    not_before: datetime
    failures: int

    def sentence(self) -> str:
        return f"failure {self.failures}: {self.reason}; tried again from {self.not_before:%H:%M:%S}Z"


class StepFailed(StepFact):
    name = "StepFailed"
    reason: str

    def sentence(self) -> str:
        return f"failed: {self.reason}"


class DecisionAsked(StepFact):
    name = "DecisionAsked"
    question: str
    choices: tuple[str, ...]

    def sentence(self) -> str:
        return f"a person has to decide ({', '.join(self.choices)}): {self.question}"


class DecisionRecorded(StepFact):
    name = "DecisionRecorded"
    verdict: str
    reason: str
    by: str

    def sentence(self) -> str:
        return f"{self.by} decided {self.verdict}: {self.reason}"


class StepFoundUndoable(StepFact):
    name = "StepFoundUndoable"
    seen: Json

    def sentence(self) -> str:
        return "looked: our change is in place, free to take back"


class StepUndoStarted(StepFact):
    name = "StepUndoStarted"
    epoch: int

    def sentence(self) -> str:
        return f"taking back, attempt {self.attempt}"


class StepFoundRestored(StepFact):
    name = "StepFoundRestored"
    seen: Json

    def sentence(self) -> str:
        return "looked: it is as it was before"


class DriftFound(StepFact):
    """Three pictures: before this run, as it was left (where that was seen), and now."""

    name = "DriftFound"
    reason: str
    before: Json
    now: Json
    left: Json = {}

    def sentence(self) -> str:
        rows = [row.say() for row in three_way(self.before, self.left, self.now)]
        more = f"; and {len(rows) - DRIFTS_TOLD_MAX} more" if len(rows) > DRIFTS_TOLD_MAX else ""
        told = f" ({'; '.join(rows[:DRIFTS_TOLD_MAX])}{more})" if rows else ""
        return f"looked: neither as it was nor as we left it, {self.reason}{told}"


# ---- what the user asked to see ----------------------------------------------------------------


class ReplicaSpecSaved(Confirmation):
    name = "ReplicaSpecSaved"
    workload: str
    replicas: int | None

    def sentence(self) -> str:
        count = "no number of replicas" if self.replicas is None else f"{self.replicas} replicas"
        return f"saved the spec of {self.workload}: {count}"


class ConfigMapEdited(EffectFact):
    name = "ConfigMapEdited"
    configmap: str
    key: str
    resource_version: str

    def sentence(self) -> str:
        return f"edited {self.key} in ConfigMap {self.configmap}, now at version {self.resource_version}"


class RolloutStarted(EffectFact):
    name = "RolloutStarted"
    workload: str
    revision: str

    def sentence(self) -> str:
        return f"rollout of {self.workload} started, revision {self.revision}"


class RolloutCompleted(Confirmation):
    name = "RolloutCompleted"
    workload: str
    pod: str

    def sentence(self) -> str:
        return f"rollout of {self.workload} completed: pod {self.pod} is ready"


class FileSetAside(EffectFact):
    name = "FileSetAside"
    pod: str
    path: str
    aside: str

    def sentence(self) -> str:
        return f"set {self.path} aside as {self.aside} in pod {self.pod}"


class FilePutBack(EffectFact):
    name = "FilePutBack"
    pod: str
    path: str
    aside: str

    def sentence(self) -> str:
        return f"put {self.aside} back as {self.path} in pod {self.pod}"


class FileRemoved(EffectFact):
    name = "FileRemoved"
    pod: str
    path: str

    def sentence(self) -> str:
        return f"removed {self.path} in pod {self.pod}"


class FileChunkCopied(EffectFact):
    name = "FileChunkCopied"
    pod: str
    path: str
    offset_bytes: int
    size_bytes: int
    sha256: str

    def sentence(self) -> str:
        end = self.offset_bytes + self.size_bytes
        return f"bytes {self.offset_bytes} to {end} of {self.path} are in pod {self.pod}, digest compared"


class CopyInterrupted(EffectFact):
    """A cut that a copy has outlived by itself: it went on, without a retry of its step."""

    name = "CopyInterrupted"
    pod: str
    path: str
    reason: str
    # Of what goes in, at most: it had left this program, perhaps not yet this machine, and was not there afterwards. Of
    # what comes out, what had come: nobody here knows what was lost on the way.
    wasted_bytes: int

    def sentence(self) -> str:
        return (
            f"the copy of {self.path} was cut and went on: {self.reason}; at most {self.wasted_bytes} bytes "
            "were sent in vain"
        )


class FileCopied(EffectFact):
    name = "FileCopied"
    pod: str
    path: str
    size_bytes: int
    sha256: str

    def sentence(self) -> str:
        return f"copied {self.size_bytes} bytes to {self.path} in pod {self.pod}, sha256 {self.sha256[:12]}"


class FileChunkCopiedOut(FileChunkCopied):
    """It counts as progress as a chunk does that goes in."""

    name = "FileChunkCopiedOut"

    def sentence(self) -> str:
        end = self.offset_bytes + self.size_bytes
        return f"bytes {self.offset_bytes} to {end} of {self.path} in pod {self.pod} are on this machine, digest compared"


class FileCopiedOut(EffectFact):
    name = "FileCopiedOut"
    pod: str
    path: str
    target: str  # its name in the directory of copies beside the journal
    size_bytes: int
    sha256: str

    def sentence(self) -> str:
        return (
            f"copied {self.size_bytes} bytes of {self.path} in pod {self.pod} to {self.target} on this machine, "
            f"sha256 {self.sha256[:12]}"
        )


class CopyRemoved(EffectFact):
    name = "CopyRemoved"
    target: str

    def sentence(self) -> str:
        return f"removed {self.target} from this machine"


class AofRewriteRequested(EffectFact):
    name = "AofRewriteRequested"
    pod: str
    answer: str

    def sentence(self) -> str:
        return f"asked Redis in pod {self.pod} to rewrite its AOF: {self.answer}"


class AofRewriteConfirmed(Confirmation):
    name = "AofRewriteConfirmed"
    pod: str
    path: str

    def sentence(self) -> str:
        return f"the AOF rewrite in pod {self.pod} ended well and {self.path} is there"


class AppendingSwitchedOn(EffectFact):
    name = "AppendingSwitchedOn"
    pod: str

    def sentence(self) -> str:
        return f"switched appendonly on in the running Redis of pod {self.pod}"


class SavingSwitchedOn(EffectFact):
    name = "SavingSwitchedOn"
    pod: str
    save: str
    appendonly: str

    def sentence(self) -> str:
        return f'told the running Redis of pod {self.pod} to save at "{self.save}", appendonly {self.appendonly}'


class RedisDatabaseFlushed(EffectFact):
    name = "RedisDatabaseFlushed"
    pod: str
    database: int

    def sentence(self) -> str:
        return f"emptied database {self.database} of the Redis in pod {self.pod}"


class QueuesDecided(Confirmation):
    """Guide 9.5.4.2: whether the job queues in the dumps are restored, who decided it, and why."""

    name = "QueuesDecided"
    verdict: str
    by: str
    reason: str

    def sentence(self) -> str:
        return f"{self.by} decided that the job queues of backend-redis are {self.verdict}: {self.reason}"


class IrreversibleAccepted(Confirmation):
    """That a database is loaded over without a safety copy, who accepted it, and why."""

    name = "IrreversibleAccepted"
    part: str
    by: str
    reason: str

    def sentence(self) -> str:
        return f"{self.by} accepted that the load of {self.part} cannot be taken back: {self.reason}"


class ManagerFieldSet(EffectFact):
    name = "ManagerFieldSet"
    manager: str
    path: str
    is_there: bool
    value: Any = None

    def sentence(self) -> str:
        what = f"set {self.path} to {self.value}" if self.is_there else f"removed {self.path}"
        return f"{what} in APIManager {self.manager}"


class WorkloadScaled(EffectFact):
    name = "WorkloadScaled"
    workload: str
    replicas: int

    def sentence(self) -> str:
        return f"scaled {self.workload} to {self.replicas}"


class JobDeleted(EffectFact):
    name = "JobDeleted"
    job: str

    def sentence(self) -> str:
        return f"deleted Job {self.job}, so that the operator runs it again"


class RemoteJobStarted(EffectFact):
    name = "RemoteJobStarted"
    pod: str
    job: str
    program: str

    def sentence(self) -> str:
        return f"started {self.program} detached in pod {self.pod}, as job {self.job}"


class RemoteJobExited(Confirmation):
    name = "RemoteJobExited"
    pod: str
    job: str
    code: int
    complaint: str = ""
    log: Json = {}  # {"blob": sha256} of the end of its log

    def sentence(self) -> str:
        said = f": {self.complaint}" if self.complaint and self.code else ""
        return f"job {self.job} in pod {self.pod} ended with {self.code}{said}"


class RemoteJobLost(Confirmation):
    name = "RemoteJobLost"
    pod: str
    job: str

    def sentence(self) -> str:
        return f"job {self.job} in pod {self.pod} was begun and has left no end: it is gone with its container"


class RemoteJobStopped(EffectFact):
    name = "RemoteJobStopped"
    pod: str
    job: str

    def sentence(self) -> str:
        return f"stopped job {self.job} in pod {self.pod}"


class DumpLoaded(Confirmation):
    name = "DumpLoaded"
    pod: str
    database: str
    source: str

    def sentence(self) -> str:
        return f"loaded {self.source} into database {self.database} in pod {self.pod}, to its last line"


class DatabaseSaved(Confirmation):
    name = "DatabaseSaved"
    pod: str
    database: str
    path: str
    size_bytes: int
    sha256: str

    def sentence(self) -> str:
        return f"saved database {self.database} to {self.path} in pod {self.pod}: {self.size_bytes} bytes"


class SafetyCopyLost(Confirmation):
    """From here on the step has no way back: what its way back rests on is gone."""

    name = "SafetyCopyLost"
    database: str
    path: str

    def sentence(self) -> str:
        return f"the safety copy {self.path} is gone: {self.database} as it was before cannot be brought back any more"


class MarkRemoved(EffectFact):
    name = "MarkRemoved"
    pod: str
    database: str

    def sentence(self) -> str:
        return f"removed this run's mark from database {self.database} in pod {self.pod}"


class DirectorySynced(EffectFact):
    name = "DirectorySynced"
    pod: str
    path: str
    files: int
    size_bytes: int
    replaced: int

    def sentence(self) -> str:
        aside = f", {self.replaced} set aside before" if self.replaced else ""
        return f"copied {self.files} files ({self.size_bytes} bytes) to {self.path} in pod {self.pod}{aside}"


class DirectoryPutBack(EffectFact):
    name = "DirectoryPutBack"
    pod: str
    path: str

    def sentence(self) -> str:
        return f"put {self.path} in pod {self.pod} back as it was"


class HelperStarted(EffectFact):
    """A pod of ours: it stands for one of the workload's, where none is ready."""

    name = "HelperStarted"
    pod: str
    workload: str
    path: str

    def sentence(self) -> str:
        return f"started pod {self.pod}, which has {self.path} mounted as {self.workload} has it"


class HelperRemoved(EffectFact):
    name = "HelperRemoved"
    pod: str

    def sentence(self) -> str:
        return f"deleted pod {self.pod}, which this run had started"


class SecretApplied(EffectFact):
    name = "SecretApplied"
    secret: str
    is_new: bool

    def sentence(self) -> str:
        return f"{'created' if self.is_new else 'replaced'} Secret {self.secret}"


class ConfigMapApplied(EffectFact):
    name = "ConfigMapApplied"
    configmap: str
    is_new: bool

    def sentence(self) -> str:
        return f"{'created' if self.is_new else 'replaced'} ConfigMap {self.configmap}"


class ManagerCreated(EffectFact):
    name = "ManagerCreated"
    manager: str

    def sentence(self) -> str:
        return f"created APIManager {self.manager}"


class ObjectPutBack(EffectFact):
    name = "ObjectPutBack"
    kind: str
    object: str

    def sentence(self) -> str:
        return f"brought {self.kind} {self.object} back as it was"


class ObjectDeleted(EffectFact):
    name = "ObjectDeleted"
    kind: str
    object: str

    def sentence(self) -> str:
        return f"deleted {self.kind} {self.object}, which this run had created"


class StashRemoved(EffectFact):
    name = "StashRemoved"
    stash: str

    def sentence(self) -> str:
        return f"removed Secret {self.stash}, which kept what an object held before"


class JobsRemoved(EffectFact):
    name = "JobsRemoved"
    pod: str

    def sentence(self) -> str:
        return f"removed the directories of this run's jobs from pod {self.pod}"


class RoutesRequested(EffectFact):
    name = "RoutesRequested"
    pod: str
    task: str

    def sentence(self) -> str:
        return f"asked zync for the missing routes by {self.task} in pod {self.pod}"


class RouteAdmitted(Confirmation):
    name = "RouteAdmitted"
    host: str
    route: str

    def sentence(self) -> str:
        return f"route {self.route} of {self.host} is there and admitted"


class RouteDeleted(EffectFact):
    name = "RouteDeleted"
    route: str
    host: str

    def sentence(self) -> str:
        return f"deleted route {self.route} of {self.host}"


class VerificationPassed(Confirmation):
    name = "VerificationPassed"
    subject: str
    expected: Json
    found: Json

    def sentence(self) -> str:
        words = {k: v if v == self.expected.get(k, v) else f"{v} ({self.expected[k]} expected)" for k, v in self.found.items()}
        return f"{self.subject} verified: {told(words)}"


class VerificationFailed(Confirmation):
    name = "VerificationFailed"
    subject: str
    expected: Json
    found: Json

    def sentence(self) -> str:
        return f"{self.subject} not as expected: expected {told(self.expected)}, found {told(self.found)}"


def told(values: Mapping[str, object]) -> str:
    """A flat mapping as words."""
    return ", ".join(f"{key} {value}" for key, value in values.items()) or "nothing"


class UnknownFact(Fact):
    """A fact of a newer program: kept as it was read, shown, never interpreted."""

    name = "UnknownFact"
    model_config = ConfigDict(frozen=True, extra="allow")
    type: str
    type_version: int
    step: str | None = None
    attempt: int | None = None
    data: Json

    def sentence(self) -> str:
        return f"{self.type} (written by a newer version of this program)"


def concrete(family: type[Fact]) -> Iterable[type[Fact]]:
    """The facts that can be written, of one family: those that have a name of their own."""
    for kind in family.__subclasses__():
        if "name" in kind.__dict__ and kind is not UnknownFact:
            yield kind
        yield from concrete(kind)


FACTS: Mapping[str, type[Fact]] = {kind.name: kind for kind in concrete(Fact)}
FIELDS: Mapping[str, frozenset[str]] = {name: frozenset(kind.model_fields) for name, kind in FACTS.items()}


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact at its place in the journal."""

    seq: int
    recorded_at: datetime
    epoch: int
    fact: Fact


def encode(fact: Fact) -> tuple[str, int, str | None, int | None, Json]:
    """(type, version, step, attempt, data) as the journal's columns want them."""
    if isinstance(fact, UnknownFact):
        return fact.type, fact.type_version, fact.step, fact.attempt, fact.data
    data = fact.model_dump(mode="json")
    step, attempt = data.pop("step", None), data.pop("attempt", None)
    return fact.name, fact.version, step, attempt, data


def decode(type_: str, version: int, step: str | None, attempt: int | None, data: Mapping[str, Any]) -> Fact:
    """The fact of a journal's columns; fields that this program doesn't know are left out."""
    kind = FACTS.get(type_)
    if kind is None or version > kind.version:
        return UnknownFact(type=type_, type_version=version, step=step, attempt=attempt, data=dict(data))
    fields = FIELDS[type_]
    known = {key: value for key, value in data.items() if key in fields}
    if issubclass(kind, StepFact):
        known |= {"step": step, "attempt": attempt or 0}
    return kind.model_validate(known)
