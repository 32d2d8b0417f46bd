"""Roll a Redis workload out and wait until the new server runs as the ConfigMap says.

Guide 9.5.5.1-3, -7 and -12. Done is what is seen in the running server (`CONFIG GET save`, `CONFIG GET
appendonly`), not that a rollout was asked for: where an operator restarts it by itself, there is nothing
left to do. A server that only has to be a fresh one (to load a file) is known by its container id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, cast

from orchestrator.effects import Effect
from orchestrator.effects import RollOut as Start
from orchestrator.events import Confirmation, RolloutCompleted
from orchestrator.port import FileSeen, Reader, RedisSeen, Seen, WorkloadSeen
from orchestrator.steps.base import (
    CLEAR,
    DONE,
    Context,
    KnownBy,
    Standing,
    Step,
    busy,
    rollout_commands,
    settled,
    torn,
)


class RolloutPicture(Seen):
    workload: WorkloadSeen | None
    config_version: str = ""  # resourceVersion of the ConfigMap that an operator compares
    redis: RedisSeen | None = None
    files: Mapping[str, FileSeen | None] = {}


class RollOut(Step):
    Picture = RolloutPicture
    known_by = KnownBy("probe", "the running server: its settings and its container")
    kind: Literal["roll_out"] = "roll_out"
    workload_kind: str
    workload: str
    configmap: str
    key: str
    save: str  # what CONFIG GET save has to answer afterwards
    appendonly: Literal["yes", "no"]
    is_fresh: bool = False  # a new server process is needed even where the settings are right already
    keeps: Mapping[str, str] = {}  # path -> sha256 that this restart must not change
    save_back: str = ""  # and what it has to answer on the way back, where no picture was taken
    appendonly_back: Literal["yes", "no"] = "no"
    may_append: bool = False  # on the way back: it was told to in the meantime, and must not lose what it has written since
    proof: str = ""  # the AOF without which a server with `appendonly yes` would start empty

    @property
    def undo_note(self) -> str:
        return f"restart {self.workload} again, with the settings that it had"

    def probe(self, reader: Reader, ctx: Context) -> RolloutPicture:
        workload = reader.workload(self.workload_kind, self.workload)
        configmap = reader.configmap(self.configmap, self.key)
        if workload is None or not workload.is_complete:
            return RolloutPicture(workload=workload)
        paths = [*self.keeps, *([self.proof] if self.proof else [])]
        return RolloutPicture(
            workload=workload,
            config_version=configmap.resource_version if configmap else "",
            redis=reader.redis(workload),
            files=reader.files(workload, paths, digests=bool(self.keeps)) if paths else {},
        )

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(RolloutPicture, seen)
        if waiting := self.unsettled(picture):
            return waiting
        if self.proof and picture.files.get(self.proof) is None:
            return torn(f"{self.workload} has no AOF at {self.proof}: it would start empty")
        if not self.is_as_wanted(picture):
            return CLEAR
        if self.is_fresh and not self.is_another_server(picture, ctx):
            return CLEAR
        for path, sha256 in self.keeps.items():
            file = picture.files.get(path)
            if file is None or file.sha256 != sha256:
                return torn(f"{path} is no longer the file that was copied: the old server overwrote it")
        return DONE

    def unsettled(self, picture: RolloutPicture) -> Standing | None:
        """Why there is nothing to say yet about the running server."""
        if waiting := settled(picture.workload, self.workload):
            return waiting
        assert picture.workload is not None
        if picture.workload.config_version not in (None, picture.config_version):
            return busy(f"the operator has not restarted {self.workload} for {self.configmap} yet")
        if picture.redis is None:
            return busy(f"Redis in {picture.workload.pod} does not answer yet")
        if picture.redis.is_loading:
            return busy(f"Redis in {picture.workload.pod} is loading its data")
        return None

    def is_as_wanted(self, picture: RolloutPicture) -> bool:
        redis = picture.redis
        return redis is not None and redis.save == self.save and redis.appendonly == self.appendonly

    def is_another_server(self, picture: RolloutPicture, ctx: Context) -> bool:
        before = cast("RolloutPicture | None", self.picture(ctx.before))
        if before is None or before.workload is None or picture.workload is None:
            return False
        return before.workload.container != picture.workload.container

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        yield Start(kind=self.workload_kind, workload=self.workload, restarted_at=ctx.now)

    def confirm(self, seen: Seen, standing: Standing, ctx: Context) -> Iterator[Confirmation]:
        workload = cast(RolloutPicture, seen).workload
        if standing is DONE and workload is not None:
            yield RolloutCompleted(
                step=self.id, attempt=ctx.attempt, workload=self.workload, pod=workload.pod
            )

    def restored(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(RolloutPicture, seen)
        if waiting := self.unsettled(picture):
            return waiting
        assert picture.redis and picture.workload
        before = cast("RolloutPicture | None", self.picture(ctx.before))
        if before is None:
            appends = (self.appendonly_back, "yes") if self.may_append else (self.appendonly_back,)
            is_back = picture.redis.save == self.save_back and picture.redis.appendonly in appends
            return DONE if is_back else CLEAR
        assert before.workload and before.redis
        is_back = (
            picture.redis.save == before.redis.save
            and picture.redis.appendonly == before.redis.appendonly
            and picture.workload.restarted_at == before.workload.restarted_at
        )
        return DONE if is_back else CLEAR

    def undo(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        """Bringing the template's annotation back is itself a rollout; where there is none to bring back, force one."""
        picture, before = cast(RolloutPicture, seen), cast("RolloutPicture | None", self.picture(ctx.before))
        now = picture.workload.restarted_at if picture.workload else None
        mark = before.workload.restarted_at if before and before.workload else now
        yield Start(
            kind=self.workload_kind, workload=self.workload, restarted_at=ctx.now if now == mark else mark
        )

    def shell(self, tool: str) -> tuple[str, ...]:
        return rollout_commands(tool, self.workload_kind, self.workload)
