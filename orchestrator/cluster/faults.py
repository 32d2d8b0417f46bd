"""What may have gone wrong between here and a cluster, and what may be done about it: one taxonomy.

    temporary   ClusterUnreachable   nobody answered, or the server says that it cannot now; nothing was done
                Conflict             somebody was quicker: look again
    unknown     OutcomeUnknown       it was sent, and its answer never came: look, don't repeat
    permanent   ClusterRefused       the server understood, and said no

A request that was refused with 429 or 401 was not carried out: it is sent again from here, after the time
that the server asks for, or once with credentials that are read afresh.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Final

from orchestrator.errors import ClusterRefused, ClusterUnreachable, OutcomeUnknown, RestoreError

MUTATING: Final = ("POST", "PUT", "PATCH", "DELETE")
ATTEMPTS_MAX: Final = 4  # of a request that the server refuses unheard
PATIENCE_SECONDS: Final = 10.0  # a server that asks for more is asked again by the run, not from here


class Conflict(ClusterUnreachable):
    """409, or a patch whose `test` failed: the object changed meanwhile. Look again."""


def asked_to_wait_seconds(status: int, headers: Mapping[str, str]) -> float | None:
    """How long a server that is too busy wants to be left alone; None where it says nothing or too much."""
    if status != 429:
        return None
    try:
        seconds = float(headers.get("Retry-After") or headers.get("retry-after") or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds <= PATIENCE_SECONDS else None


def cut_off(error: Exception, method: str, server: str) -> ClusterUnreachable:
    """Nobody answered. What was never sent is temporary; what may have been sent is unknown."""
    import urllib3

    reason = getattr(error, "reason", None) or error
    never_sent = is_handshake(reason) or isinstance(
        reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError
    )
    kind = ClusterUnreachable if method == "GET" or never_sent else OutcomeUnknown
    return kind(f"{server} does not answer: {in_words(reason)}", hint=f"curl -k {server}/healthz")


def is_handshake(reason: object) -> bool:
    """TLS that never came about. One that broke later may have carried the request."""
    causes = [reason, *getattr(reason, "args", ()), getattr(reason, "__cause__", None)]
    told = ("WRONG_VERSION_NUMBER", "doesn't match", "HANDSHAKE_FAILURE", "UNSUPPORTED_PROTOCOL")
    return any(
        isinstance(cause, ssl.SSLCertVerificationError) or any(words in str(cause) for words in told)
        for cause in causes
    )


def in_words(reason: object) -> str:
    """The last, most telling part of a client library's message."""
    text = str(reason)
    for said, words in (
        ("CERTIFICATE_VERIFY_FAILED", "its TLS certificate is not the one that the kubeconfig trusts"),
        ("doesn't match", "its TLS certificate is made out to another name"),
        ("Connection refused", "connection refused"),
        ("Name or service not known", "its name is not known"),
        ("timed out", "timed out"),
        ("WRONG_VERSION_NUMBER", "it does not speak TLS"),
    ):
        if said in text:
            return words
    return text.rsplit(": ", 1)[-1][:200]


def refused(status: int, text: str, method: str, path: str) -> RestoreError:
    """The server's own words, with what may be done about them."""
    try:
        said = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        said = text.strip().splitlines()[0][:200] if text.strip() else f"{method} {path}"
    if status == 401:
        return ClusterRefused(
            f"the cluster did not accept the credentials of the kubeconfig ({said})", hint="kubectl auth whoami"
        )
    if status == 403:
        return ClusterRefused(f"the cluster does not allow this: {said}", hint="kubectl auth can-i --list")
    if status == 409:
        return Conflict(f"it changed meanwhile: {said}")
    if status in (500, 502, 504) and method in MUTATING:
        return OutcomeUnknown(f"the cluster's answer to {method} {path} was lost ({status}: {said})")
    if status == 429 or status >= 500:
        return ClusterUnreachable(f"the cluster cannot answer now ({status}: {said})")
    return ClusterRefused(f"the cluster refused {method} {path} ({status}: {said})")
