"""Guide 9.5.1: the Secrets, the ConfigMaps and the APIManager of the bundle. Pure.

Where there is no installation yet they are created, and the operator deploys 3scale from them; the databases are
restored by a second run, since only then there are pods to look at. Where there is one already, Secrets and
ConfigMaps are replaced only when that is asked for: their users read them at their start, and the databases
got their passwords when they were made.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.findings import BundleFile, BundleReport
from orchestrator.installation import Installation
from orchestrator.steps import AnyStep
from orchestrator.steps.apply_object import ApplyObject
from orchestrator.steps.await_operator import AwaitOperator

CITES: Final = {"Secret": "9.5.1-2", "ConfigMap": "9.5.1-3", "APIManager": "9.5.1-4"}
KEPT: Final = ("redis-config",)  # never replaced in place: 9.5.5 edits it, and each edit may restart both Redis
DEPLOY_BUDGET_SECONDS: Final = 3600


def fresh_steps(bundle: BundleReport) -> Iterator[AnyStep]:
    """A new installation: every object first, then the APIManager, then the operator's work."""
    files = files_of(bundle)
    applied = [f for f in files if f.object and f.object.kind != "APIManager"]
    for file in applied:
        yield apply(file, ())
    for file in files:
        if file.object and file.object.kind == "APIManager":
            yield apply(file, tuple(step_id(f) for f in applied))
            yield AwaitOperator(
                id="await-operator", title="wait until the operator has deployed 3scale", needs=(step_id(file),),
                lane="objects", manager=file.object.name, path=("spec", "system", "appSpec"),
                budget_seconds=DEPLOY_BUDGET_SECONDS,
            )


def in_place_steps(bundle: BundleReport, after: tuple[str, ...]) -> Iterator[AnyStep]:
    for file in files_of(bundle):
        if file.object and file.object.kind != "APIManager" and file.object.name not in KEPT:
            yield apply(file, after)


def files_of(bundle: BundleReport) -> list[BundleFile]:
    return sorted((f for f in bundle.files if f.object and f.object.kind in CITES), key=lambda f: f.name)


def apply(file: BundleFile, after: tuple[str, ...]) -> AnyStep:
    assert file.object is not None
    kind, name = file.object.kind, file.object.name
    return ApplyObject.model_validate(
        {
            "id": step_id(file), "title": f"apply {kind} {name}", "needs": after, "cites": (CITES[kind],),
            "lane": "objects", "object_kind": kind, "name": name, "source": file.name, "sha256": file.sha256,
        }
    )


def step_id(file: BundleFile) -> str:
    assert file.object is not None
    return f"apply-{file.object.kind.lower()}-{file.object.name}"


def object_notes(found: Installation, *, are_applied: bool) -> Iterator[str]:
    """In place: what differs, and that it stays as it is unless it is asked for."""
    for what, seen in sorted(found.objects.items()):
        differing = (*seen.missing, *seen.differing)
        if not differing and seen.is_there:
            continue
        how = f"differs from the bundle in {', '.join(differing)}" if seen.is_there else "is not there"
        yield f"{what} {how}; {becoming(what, is_there=seen.is_there, are_applied=are_applied)}"
    if are_applied:
        yield (
            "pods read Secrets when they start: besides those that this plan restarts, restart zync, zync-que and "
            "both apicast by hand; a database keeps the passwords that it was made with"
        )


def becoming(what: str, *, is_there: bool, are_applied: bool) -> str:
    """What this plan does about an object that is not as in the bundle."""
    if what.rpartition(" ")[2] in KEPT:
        return "it is never replaced in place: compare it by hand" if is_there else "it is not created by this plan"
    if are_applied:
        return "it is replaced, key by key" if is_there else "it is created"
    return "it is left as it is (--with-objects replaces it)" if is_there else "it is left so (--with-objects creates it)"
