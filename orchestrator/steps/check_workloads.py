"""Compare the replicas of every workload, and what the APIManager says of them, with the originals.

The last look of a restore: nothing of what was changed only for its sake has stayed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Literal, cast

from orchestrator.events import Confirmation, Json, VerificationFailed, VerificationPassed
from orchestrator.port import FieldSeen, Reader, Seen, WorkloadSeen
from orchestrator.steps.base import DONE, Context, LookingStep, Standing, settled, torn
from orchestrator.steps.scale_workload import replicas_of


class Original(Seen):
    """One workload as it was observed before the run. path: of its replicas in the APIManager, or ()."""

    kind: str
    name: str
    replicas: int
    path: tuple[str, ...] = ()
    field_is_there: bool = False
    field_value: int | None = None


class WorkloadsPicture(Seen):
    workloads: Mapping[str, WorkloadSeen | None]
    fields: Mapping[str, FieldSeen | None] = {}
    spec_sha256: str = ""
    config_sha256: str = ""


class CheckWorkloads(LookingStep):
    Picture = WorkloadsPicture
    kind: Literal["check_workloads"] = "check_workloads"
    manager: str
    originals: tuple[Original, ...]
    spec_sha256: str = ""  # of the APIManager's whole spec as it was; "" is not compared
    configmap: str = ""
    key: str = ""
    config_sha256: str = ""  # of the text under that key; "" is not compared

    def probe(self, reader: Reader, ctx: Context) -> WorkloadsPicture:
        return WorkloadsPicture(
            workloads={o.name: reader.workload(o.kind, o.name) for o in self.originals},
            fields={o.name: reader.field(self.manager, o.path) for o in self.originals if o.path},
            spec_sha256=self.spec(reader) if self.spec_sha256 else "",
            config_sha256=self.config(reader) if self.config_sha256 else "",
        )

    def spec(self, reader: Reader) -> str:
        found = reader.field(self.manager, ("spec",))
        return digest_of(found.value) if found is not None and found.is_there else "absent"

    def config(self, reader: Reader) -> str:
        found = reader.configmap(self.configmap, self.key)
        return digest_of(found.text) if found is not None else "absent"

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(WorkloadsPicture, seen)
        wrong = self.wrong(picture)
        if wrong:
            return torn(f"not as it was before: {'; '.join(wrong.values())}")
        for original in self.originals:
            if original.replicas and (waiting := settled(picture.workloads[original.name], original.name)):
                return waiting
        return DONE

    def wrong(self, picture: WorkloadsPicture) -> dict[str, str]:
        """What is not as it was, by the workload's name."""
        found = {}
        for original in self.originals:
            workload, field = picture.workloads.get(original.name), picture.fields.get(original.name)
            if workload is not None and replicas_of(workload) != original.replicas:
                found[original.name] = f"{original.name} has {replicas_of(workload)} replicas, and had {original.replicas}"
            elif original.path and said(field) != said_of(original):
                found[original.name] = f"{'.'.join(original.path)} is {said(field)}, and was {said_of(original)}"
        if not found and picture.spec_sha256 != self.spec_sha256:
            found["spec"] = f"the spec of APIManager {self.manager} is another than it was"
        if picture.config_sha256 != self.config_sha256:
            found["config"] = f"{self.key} of ConfigMap {self.configmap} is another than it was"
        return found

    def confirm(self, seen: Seen, standing: Standing, ctx: Context) -> Iterator[Confirmation]:
        if standing.name not in ("done", "torn"):
            return
        picture = cast(WorkloadsPicture, seen)
        fact = VerificationPassed if standing is DONE else VerificationFailed
        expected: Json = {o.name: o.replicas for o in self.originals}
        found: Json = {name: w and replicas_of(w) for name, w in picture.workloads.items()}
        for original in self.originals:
            field = picture.fields.get(original.name)
            if original.path and said(field) != said_of(original):
                expected[".".join(original.path)], found[".".join(original.path)] = said_of(original), said(field)
        if self.spec_sha256:
            expected["spec"], found["spec"] = self.spec_sha256[:12], picture.spec_sha256[:12]
        if self.config_sha256:
            expected[self.configmap], found[self.configmap] = self.config_sha256[:12], picture.config_sha256[:12]
        yield fact(step=self.id, attempt=ctx.attempt, subject="replicas", expected=expected, found=found)


def digest_of(value: object) -> str:
    """sha256 over canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def said(field: FieldSeen | None) -> str:
    return said_value(field.value) if field is not None and field.is_there else "absent"


def said_of(original: Original) -> str:
    return said_value(original.field_value) if original.field_is_there else "absent"


def said_value(value: object) -> str:
    return "null" if value is None else str(value)
