"""Create or replace a Secret, a ConfigMap or the APIManager from its file in the bundle.

Guide 9.5.1-2, 9.5.1-3 and 9.5.1-4. The file is what `oc get -o json` printed on the old cluster; what belongs to
that one alone is taken out first (T9). Values never pass through here: a look tells the names of the keys that differ,
and the effect names the file. What was there before is kept in the cluster, in a Secret of this run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast

from orchestrator.effects import ApplyObject as Apply
from orchestrator.effects import Effect, PutObjectBack, RemoveStash
from orchestrator.port import ObjectSeen, Reader, Seen
from orchestrator.steps.base import CLEAR, DONE, Context, KnownBy, Standing, Step, WayBack, torn


class ObjectPicture(Seen):
    object: ObjectSeen


class ApplyObject(Step):
    Picture = ObjectPicture
    known_by = KnownBy("probe", "the object, compared key by key with its file")
    kind: Literal["apply_object"] = "apply_object"
    object_kind: Literal["Secret", "ConfigMap", "APIManager"]
    name: str
    source: str
    sha256: str  # of the file

    @property
    def way_back(self) -> WayBack:
        return "safety copy"

    @property
    def undo_note(self) -> str:
        return f"{self.object_kind} {self.name}: the keys that this run has changed get back what they held, or it is deleted where it was not there"

    @property
    def copy_note(self) -> str:
        return "kept in the namespace, in a Secret of this run"

    def stash(self, ctx: Context) -> str:
        return f"restore-undo-{ctx.run}-{self.object_kind.lower()}-{self.name}"

    def probe(self, reader: Reader, ctx: Context) -> ObjectPicture:
        return ObjectPicture(object=reader.object(self.object_kind, self.name, self.source, self.stash(ctx)))

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        found = cast(ObjectPicture, seen).object
        if not found.has_source:
            return torn(f"{self.source} of the bundle is not there any more")
        return DONE if found.is_there and not (found.missing or found.differing) else CLEAR

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        found = cast(ObjectPicture, seen).object
        yield Apply(
            kind=self.object_kind, name=self.name, source=self.source, sha256=self.sha256, uid=found.uid,
            stash=self.stash(ctx),
        )

    def restored(self, seen: Seen, ctx: Context) -> Standing:
        found, before = cast(ObjectPicture, seen).object, cast("ObjectPicture | None", self.picture(ctx.before))
        if before is not None and not before.object.is_there:
            after = cast("ObjectPicture | None", self.picture(ctx.after))
            if found.is_there and after is not None and after.object.uid != found.uid:
                return torn(f"{self.object_kind} {self.name} is another one than this run has created")
            if found.is_there and not ctx.undo_attempt and (changed := self.changed_since_created(found)):
                return changed
            return CLEAR if found.is_there else DONE
        if found.stash and found.changed and not ctx.undo_attempt:
            return torn(f"somebody else has changed {', '.join(found.changed)} of {self.object_kind} {self.name} since")
        return CLEAR if found.stash else DONE

    def changed_since_created(self, found: ObjectSeen) -> Standing | None:
        """What would be lost with the object. Values are known only from the bundle's file."""
        if not found.has_source:
            return torn(f"without {self.source} of the bundle nobody can tell whether {self.object_kind} {self.name} was changed since")
        if changed := (*found.missing, *found.differing):
            return torn(f"somebody else has changed {', '.join(changed)} of {self.object_kind} {self.name} since")
        return None

    def undo(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        found, before = cast(ObjectPicture, seen).object, cast("ObjectPicture | None", self.picture(ctx.before))
        was_there = before is None or before.object.is_there
        yield PutObjectBack(
            kind=self.object_kind, name=self.name, uid=found.uid, stash=self.stash(ctx) if was_there else ""
        )

    def leftovers(self, reader: Reader, ctx: Context) -> Iterator[Effect]:
        if uid := reader.stash(self.stash(ctx)):
            yield RemoveStash(stash=self.stash(ctx), uid=uid)

    def shell(self, tool: str) -> tuple[str, ...]:
        return (f"{tool} apply -f {self.source}   # without uid, resourceVersion, ownerReferences, namespace",)
