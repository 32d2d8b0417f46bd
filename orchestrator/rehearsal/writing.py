"""POST, PUT, PATCH and DELETE of objects, their /status and their /scale."""

from __future__ import annotations

from aiohttp import web

from orchestrator.rehearsal import scale
from orchestrator.rehearsal.apierrors import (
    ApiError,
    Cause,
    bad_request,
    conflict,
    invalid_resource,
    resource_details,
    unsupported_media_type,
)
from orchestrator.rehearsal.applying import APPLY_PATCH, apply, check_applied, require_manager
from orchestrator.rehearsal.bodies import Decoded, decode, parse_json, parse_yaml, read_object
from orchestrator.rehearsal.calls import Call, answer, show, show_list
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.options import delete_options, dry_run, list_options, refuse_force
from orchestrator.rehearsal.ownership import Shape, Updating, shape_of
from orchestrator.rehearsal.patches import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, apply_patch
from orchestrator.rehearsal.selectors import selects
from orchestrator.rehearsal.store import Store

OPENSHIFT_KINDS = ("DeploymentConfig", "Route")
CREATED_BY_PUT = ("Event", "Lease")
RETURNED_WHEN_DELETED = ("PersistentVolume", "PersistentVolumeClaim", "Pod", "Service", "ServiceAccount")
PATCHES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)
CUSTOM_PATCHES = (JSON_PATCH, MERGE_PATCH, APPLY_PATCH)
ORPHANS = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them "
    "or set propagationPolicy=Orphan to suppress this warning"
)


class Writer:
    """Writes what requests ask for. `openshift`: DeploymentConfig and Route are served as OpenShift does."""

    def __init__(self, store: Store, *, openshift: bool) -> None:
        self._store = store
        self._openshift = openshift

    async def create(self, call: Call) -> web.Response:
        dry = dry_run("CreateOptions", call.dry_runs)
        obj, warnings = await self._read(call)
        if call.name:
            obj["metadata"].setdefault("name", call.name)
        _check_namespace(call, obj)
        return show(
            call,
            self._store.create(call.rt, call.namespace, obj, dry_run=dry, stamp=self._stamp(call)),
            201,
            warnings,
        )

    async def replace(self, call: Call) -> web.Response:
        dry = dry_run("UpdateOptions", call.dry_runs)
        if call.target.subresource == "scale":
            return answer(self._scale(call, decode(await call.body(), _content_type(call)).value, dry))
        obj, warnings = await self._read(call)
        _check_namespace(call, obj)
        _check_name(call, obj)
        if call.rt.kind in CREATED_BY_PUT and self._store.find(call.rt, call.namespace, call.name) is None:
            obj["metadata"].pop("resourceVersion", None)
            return show(
                call,
                self._store.create(call.rt, call.namespace, obj, dry_run=dry, stamp=self._stamp(call)),
                201,
                warnings,
            )
        self._store.peek(call.rt, call.namespace, call.name)
        self._require_version(call, obj)
        return show(call, self._replace(call, obj, dry), warnings=warnings)

    async def patch(self, call: Call) -> web.Response:
        dry = dry_run("PatchOptions", call.dry_runs)
        media_type = self._patch_type(call)
        if media_type == APPLY_PATCH:
            return await self._apply(call, dry)
        refuse_force(call.query)
        patch = parse_json(await call.body())
        old = self._store.get(call.rt, call.namespace, call.name)
        if call.target.subresource == "scale":
            patched = apply_patch(media_type, scale.scale_of(old), patch.value, "Scale")
            return answer(self._scale(call, patched, dry))
        patched = apply_patch(media_type, old, patch.value, call.rt.kind)
        obj, warnings = self._checked(call, Decoded(patched, patch.complaints))
        _check_name(call, obj)
        return show(call, self._replace(call, obj, dry), warnings=warnings)

    async def _apply(self, call: Call, dry: bool) -> web.Response:
        manager = call.query.get("fieldManager", "")
        require_manager(manager)
        applied = check_applied(parse_yaml(await call.body()))
        obj, warnings = self._checked(call, Decoded(applied))
        _check_namespace(call, obj)
        _check_name(call, obj)
        obj["metadata"].setdefault("name", call.name)
        live = self._store.find(call.rt, call.namespace, call.name)
        if live is not None:
            _check_version(call, live, obj)
        force = call.query.get("force", "") in ("1", "true")
        merged = apply(call.rt, self._shape(call), live, obj, manager, force=force)
        if live is not None:
            return show(
                call,
                self._store.replace(call.rt, call.namespace, call.name, merged, dry_run=dry),
                200,
                warnings,
            )
        merged["metadata"].pop("resourceVersion", None)
        return show(call, self._store.create(call.rt, call.namespace, merged, dry_run=dry), 201, warnings)

    async def delete(self, call: Call) -> web.Response:
        raw = await call.body()
        options = delete_options(parse_json(raw).value if raw else None, call.query, call.dry_runs)
        propagation, warnings = options.propagation, []
        if call.rt.kind == "Job" and propagation is None:
            propagation, warnings = "Orphan", [ORPHANS]
        last = self._store.delete(
            call.rt,
            call.namespace,
            call.name,
            grace_seconds=options.grace_seconds,
            propagation=propagation,
            preconditions=options.preconditions,
            dry_run=options.dry_run,
        )
        held = "deletionTimestamp" in last["metadata"]
        if held or call.rt.kind in RETURNED_WHEN_DELETED:
            return show(call, last, warnings=warnings)
        details = resource_details(call.rt, call.name) | {"uid": last["metadata"]["uid"]}
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": details,
        }
        return answer(status, warnings=warnings)

    async def delete_all(self, call: Call) -> web.Response:
        """Deletes what the selectors match and returns it."""
        raw = await call.body()
        options = delete_options(parse_json(raw).value if raw else None, call.query, call.dry_runs)
        listing = list_options(call.query, watch=False)
        matches = selects(call.rt, listing.labels, listing.fields)
        chosen = [obj for obj in self._store.scan(call.rt, call.namespace or None) if matches(obj)]
        for obj in chosen:
            self._store.delete(
                call.rt,
                obj["metadata"].get("namespace"),
                obj["metadata"]["name"],
                grace_seconds=options.grace_seconds,
                propagation=options.propagation,
                dry_run=options.dry_run,
            )
        return show_list(call, chosen, {"resourceVersion": str(self._store.version)})

    async def _read(self, call: Call) -> tuple[Object, list[str]]:
        decoded = decode(await call.body(), _content_type(call))
        return self._checked(call, decoded)

    def _checked(self, call: Call, decoded: Decoded) -> tuple[Object, list[str]]:
        validation = call.query.get("fieldValidation", "")
        return read_object(call.rt, decoded, validation, schema=not self._is_custom(call))

    def _replace(self, call: Call, obj: Object, dry: bool) -> Object:
        subresource = call.target.subresource
        return self._store.replace(
            call.rt,
            call.namespace,
            call.name,
            obj,
            subresource=subresource,
            dry_run=dry,
            stamp=self._stamp(call),
        )

    def _stamp(self, call: Call) -> Updating:
        """Whoever writes is known by its fieldManager, or else by the first word of its User-Agent."""
        agent = call.request.headers.get("User-Agent", "unknown").partition("/")[0]
        manager = call.query.get("fieldManager") or agent
        return Updating(manager, call.rt, self._shape(call), call.target.subresource)

    def _shape(self, call: Call) -> Shape:
        return shape_of(call.rt, schema=not self._is_custom(call))

    def _scale(self, call: Call, wanted: object, dry: bool) -> Object:
        return scale.set_scale(
            self._store, call.rt, call.namespace, call.name, wanted, dry_run=dry, stamp=self._stamp(call)
        )

    def _is_custom(self, call: Call) -> bool:
        return call.rt.custom and not (self._openshift and call.rt.kind in OPENSHIFT_KINDS)

    def _require_version(self, call: Call, obj: Object) -> None:
        if (self._is_custom(call) or call.rt.kind == "Lease") and not obj["metadata"].get("resourceVersion"):
            cause = Cause(
                "FieldValueInvalid",
                "Invalid value: 0: must be specified for an update",
                "metadata.resourceVersion",
            )
            raise invalid_resource(call.rt, call.name, [cause])

    def _patch_type(self, call: Call) -> str:
        media_type = _content_type(call).partition(";")[0].strip()
        whole = not call.target.subresource
        if self._is_custom(call) and call.target.subresource != "scale":
            if media_type not in CUSTOM_PATCHES or (media_type == APPLY_PATCH and not whole):
                raise unsupported_media_type(CUSTOM_PATCHES)
        elif media_type not in PATCHES or (media_type == APPLY_PATCH and not whole):
            raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
        return media_type


def _content_type(call: Call) -> str:
    return call.request.headers.get("Content-Type", "")


def _check_namespace(call: Call, obj: Object) -> None:
    given = obj["metadata"].get("namespace")
    if call.rt.namespaced and given and given != call.namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def _check_version(call: Call, live: Object, obj: Object) -> None:
    if obj["metadata"].get("resourceVersion", "") not in ("", live["metadata"]["resourceVersion"]):
        raise conflict(call.rt, call.name)


def _check_name(call: Call, obj: Object) -> None:
    given = obj["metadata"].get("name")
    if given and given != call.name:
        raise bad_request(
            f"the name of the object ({given}) does not match the name on the URL ({call.name})"
        )
