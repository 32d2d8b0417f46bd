"""What form of an answer a client accepts: the object, a table of it, or its metadata alone."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache

from orchestrator.rehearsal.apierrors import ApiError

NOT_ACCEPTABLE = (
    "406: Not Acceptable\n\nAvailable representations: application/json, application/json;stream=watch"
)
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class Form(Enum):
    OBJECT = "object"
    TABLE = "table"
    METADATA = "metadata"


@lru_cache(maxsize=256)
def negotiate(accept: str) -> Form:
    """The first form of the Accept header this server has. ApiError 406 when there is none."""
    if not accept.strip():
        return Form.OBJECT
    for choice in accept.split(","):
        form = _form(*_media_range(choice))
        if form is not None:
            return form
    raise ApiError(406, "NotAcceptable", NOT_ACCEPTABLE, {})


def _form(media_type: str, parameters: dict[str, str]) -> Form | None:
    if media_type == "*/*":
        return Form.OBJECT
    if media_type != "application/json":
        return None
    wanted = parameters.get("as", "")
    if not wanted:
        return Form.OBJECT
    if parameters.get("g") != "meta.k8s.io" or parameters.get("v") not in ("v1", "v1beta1"):
        return None
    if wanted == "Table":
        return Form.TABLE
    return Form.METADATA if wanted in ("PartialObjectMetadata", "PartialObjectMetadataList") else None


@lru_cache(maxsize=256)
def accepts_aggregated(accept: str) -> bool:
    """Whether the client would rather have the whole discovery in one document (apidiscovery.k8s.io/v2)."""
    for choice in accept.split(","):
        media_type, parameters = _media_range(choice)
        if media_type == "application/json":
            wanted = (parameters.get("as"), parameters.get("g"), parameters.get("v"))
            return wanted == ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2")
    return False


def _media_range(choice: str) -> tuple[str, dict[str, str]]:
    media_type, *rest = (part.strip() for part in choice.split(";"))
    pairs = (part.partition("=") for part in rest)
    return media_type, {key: value for key, _, value in pairs}
