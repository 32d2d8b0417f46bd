"""Errors as a Kubernetes API server words them: an exception that carries its Status body.

The wording matters: clients match reasons, and people search for messages. Nothing here knows of HTTP
beyond the status code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.rehearsal.types import ResourceType

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


@dataclass(frozen=True)
class Cause:
    """One finding of a validation. `reason` is FieldValueInvalid, FieldValueRequired, …"""

    reason: str
    message: str
    field: str

    def as_dict(self) -> dict[str, str]:
        return {"reason": self.reason, "message": self.message, "field": self.field}


class ApiError(Exception):
    """A refusal. `details` is None where the server sends none."""

    def __init__(self, status: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.details = details

    def body(self) -> dict[str, Any]:
        """The Status object that goes over the wire."""
        body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        body["message"] = self.message
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        return body | {"code": self.status}


def resource_details(rt: ResourceType, name: str = "") -> dict[str, Any]:
    return _details(name, rt.group, rt.plural)


def not_found(rt: ResourceType, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{rt.resource} "{name}" not found', resource_details(rt, name))


def no_such_path() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {})


def already_exists(rt: ResourceType, name: str) -> ApiError:
    return ApiError(
        409, "AlreadyExists", f'{rt.resource} "{name}" already exists', resource_details(rt, name)
    )


def conflict(rt: ResourceType, name: str, message: str = MODIFIED) -> ApiError:
    text = f'Operation cannot be fulfilled on {rt.resource} "{name}": {message}'
    return ApiError(409, "Conflict", text, resource_details(rt, name))


def precondition_failed(rt: ResourceType, name: str, what: str, wanted: str, found: str) -> ApiError:
    """A DELETE whose precondition does not hold; `what` is `UID` or `ResourceVersion`."""
    text = (
        f'Operation cannot be fulfilled on {rt.kind} "{name}": Precondition failed: '
        f"the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). "
        "The object might have been deleted and then recreated"
    )
    return ApiError(409, "Conflict", text, _details(name, rt.group, rt.kind))


def invalid(rt: ResourceType, name: str, causes: Sequence[Cause]) -> ApiError:
    return invalid_kind(rt.group, rt.kind, name, causes)


def invalid_resource(rt: ResourceType, name: str, causes: Sequence[Cause]) -> ApiError:
    """As `invalid`, in the few places where the server names the plural instead of the kind."""
    return invalid_kind(rt.group, rt.plural, name, causes)


def invalid_kind(group: str, kind: str, name: str, causes: Sequence[Cause]) -> ApiError:
    who = f"{kind}.{group}" if group else kind
    found = [f"{cause.field}: {cause.message}" for cause in causes]
    text = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
    details = _details(name, group, kind) | {"causes": [cause.as_dict() for cause in causes]}
    return ApiError(422, "Invalid", f'{who} "{name}" is invalid: {text}', details)


def forbidden(rt: ResourceType, name: str, why: str) -> ApiError:
    who = f'{rt.resource} "{name}"' if name else rt.resource
    return ApiError(403, "Forbidden", f"{who} is forbidden: {why}", resource_details(rt, name))


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    text = "the body of the request was in an unknown format - accepted media types include: "
    return ApiError(415, "UnsupportedMediaType", text + ", ".join(accepted))


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def internal(message: str) -> ApiError:
    return ApiError(500, "", message)


def _details(name: str, group: str, kind: str) -> dict[str, Any]:
    pairs = {"name": name, "group": group, "kind": kind}
    return {key: value for key, value in pairs.items() if value}
