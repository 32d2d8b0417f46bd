"""The options of a request: list, watch, create, patch and delete, checked as the server checks them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.rehearsal.apierrors import ApiError, Cause, bad_request, invalid_kind

META = "meta.k8s.io"
PROPAGATIONS = ("Foreground", "Background", "Orphan")


@dataclass(frozen=True)
class ListOptions:
    """`version` is None when the client named no resourceVersion."""

    limit: int
    token: str
    version: int | None
    match: str
    labels: str
    fields: str
    timeout_seconds: int | None
    send_initial: bool
    bookmarks: bool


@dataclass(frozen=True)
class DeleteOptions:
    dry_run: bool = False
    grace_seconds: int | None = None
    propagation: str | None = None
    preconditions: Mapping[str, str] = field(default_factory=dict)


def list_options(query: Mapping[str, str], *, watch: bool) -> ListOptions:
    options = ListOptions(
        limit=_number(query, "limit") or 0,
        token=query.get("continue", ""),
        version=_version(query),
        match=query.get("resourceVersionMatch", ""),
        labels=query.get("labelSelector", ""),
        fields=query.get("fieldSelector", ""),
        timeout_seconds=_number(query, "timeoutSeconds"),
        send_initial=_flag(query, "sendInitialEvents"),
        bookmarks=_flag(query, "allowWatchBookmarks"),
    )
    _check_match(options, watch=watch)
    return options


def _check_match(options: ListOptions, *, watch: bool) -> None:
    if options.send_initial and not watch:
        raise _forbidden("ListOptions", "sendInitialEvents", "sendInitialEvents is forbidden for list")
    if options.send_initial and options.match != "NotOlderThan":
        why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        raise _forbidden("ListOptions", "resourceVersionMatch", why)
    if not options.match or options.send_initial:
        return
    if options.version is None:
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise _forbidden("ListOptions", "resourceVersionMatch", why)
    if options.match not in ("Exact", "NotOlderThan"):
        message = f'Unsupported value: "{options.match}": supported values: "Exact", "NotOlderThan", ""'
        cause = Cause("FieldValueNotSupported", message, "resourceVersionMatch")
        raise invalid_kind(META, "ListOptions", "", [cause])


def dry_run(kind: str, values: list[str]) -> bool:
    """Whether this is a dry run; `kind` is the options object the server would name (`CreateOptions`)."""
    if any(value != "All" for value in values):
        listed = ", ".join(f'"{value}"' for value in values)
        message = f'Unsupported value: [{listed}]: supported values: "All"'
        raise invalid_kind(META, kind, "", [Cause("FieldValueNotSupported", message, "dryRun")])
    return bool(values)


def refuse_force(query: Mapping[str, str]) -> None:
    if "force" in query:
        raise _forbidden("PatchOptions", "force", "may not be specified for non-apply patch")


def delete_options(body: Any, query: Mapping[str, str], dry_runs: list[str]) -> DeleteOptions:
    """From the body, or where there is none from the query."""
    given: Mapping[str, Any] = body if isinstance(body, dict) and body else _query_options(query)
    if given.get("kind", "DeleteOptions") != "DeleteOptions":
        raise bad_request(f"{given['kind']} cannot be handled as a DeleteOptions: unknown conversion")
    policy = given.get("propagationPolicy")
    if policy is not None and policy not in PROPAGATIONS:
        message = (
            f'Unsupported value: "{policy}": supported values: "Foreground", "Background", "Orphan", "nil"'
        )
        cause = Cause("FieldValueNotSupported", message, "propagationPolicy")
        raise invalid_kind(META, "DeleteOptions", "", [cause])
    orphan = given.get("orphanDependents")
    if policy is not None and orphan is not None:
        message = f'Invalid value: "{policy}": orphanDependents and deletionPropagation cannot be both set'
        cause = Cause("FieldValueInvalid", message, "propagationPolicy")
        raise invalid_kind(META, "DeleteOptions", "", [cause])
    if orphan is not None:
        policy = "Orphan" if orphan else "Background"
    return DeleteOptions(
        dry_run=dry_run("DeleteOptions", list(given.get("dryRun") or dry_runs)),
        grace_seconds=given.get("gracePeriodSeconds"),
        propagation=policy,
        preconditions=given.get("preconditions") or {},
    )


def _query_options(query: Mapping[str, str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if "propagationPolicy" in query:
        given["propagationPolicy"] = query["propagationPolicy"]
    if "gracePeriodSeconds" in query:
        given["gracePeriodSeconds"] = _number(query, "gracePeriodSeconds")
    if "orphanDependents" in query:
        given["orphanDependents"] = _flag(query, "orphanDependents")
    return given


def _number(query: Mapping[str, str], key: str) -> int | None:
    text = query.get(key, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _version(query: Mapping[str, str]) -> int | None:
    text = query.get("resourceVersion", "")
    if text and not text.isdigit():
        raise bad_request(
            f'invalid resource version: resourceVersion: Invalid value: "{text}": '
            f'strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    return int(text) if text else None


def _flag(query: Mapping[str, str], key: str) -> bool:
    return query.get(key, "").lower() in ("1", "true")


def _forbidden(kind: str, path: str, why: str) -> ApiError:
    return invalid_kind(META, kind, "", [Cause("FieldValueForbidden", f"Forbidden: {why}", path)])
