"""What runs in a pod of an image that has no real part here: our stand-ins, as its command and arguments say.

The programs that the image has are put first in PATH, under their own names. `bundle exec` and
`container-entrypoint` run what follows them.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.rehearsal.images import WAIT_FOR_END, ContainerContext, Launch, Recipe
from orchestrator.rehearsal.mysql_pod import CLIENTS
from orchestrator.rehearsal.mysql_pod import PACKAGE as MYSQL_PACKAGE
from orchestrator.rehearsal.postgresql_pod import program
from orchestrator.rehearsal.programs import ProgramMissing, found, write
from orchestrator.rehearsal.standins import launch

BUNDLE = '#!/bin/sh\n[ "$1" = exec ] && shift\nexec "$@"\n'
ENTRYPOINT = '#!/bin/sh\nexec "$@"\n'
WAIT = "#!/bin/sh\n" + WAIT_FOR_END[2] + "\n"
WAITING = {"backend": ("3scale_backend_worker", "backend-cron"), "memcached": ("memcached",), "operator": ("manager",)}
"""Product -> programs of it that do nothing but wait to be stopped."""
WITH_DATABASES = ("system", "zync")


@dataclass(frozen=True)
class Access:
    """How a pod reaches the API as its service account."""

    port: int
    authority_pem: str
    token: str


GiveAccess = Callable[[str, str], Access]
"""Namespace and service account -> access; an error when it cannot be had yet."""


class StandInRecipe:
    """One product of 3scale. `give_access` is for pods that speak to the API."""

    def __init__(self, product: str, give_access: GiveAccess | None = None) -> None:
        self._product = product
        self._give_access = give_access

    def launch(self, ctx: ContainerContext) -> Launch:
        (ctx.directory / "listening").unlink(missing_ok=True)  # of an earlier process of this container
        programs = written_programs(ctx.root / "standins" / self._product, self._product)
        argv = [*(ctx.container.get("command") or ()), *(ctx.container.get("args") or ())]
        return Launch(argv or WAIT_FOR_END, {**ctx.environment, **self._environment(ctx)}, ctx.directory, (programs,))

    def _environment(self, ctx: ContainerContext) -> dict[str, str]:
        mounts = [entry["mountPath"] for entry in ctx.container.get("volumeMounts") or []]
        given = {
            "HOME": str(ctx.root / "mnt" / self._product) if self._product == "system" else str(ctx.directory),
            "REHEARSAL_SERVICES": str(ctx.root / "services"),
            "REHEARSAL_PORT": str(ctx.port),
            "REHEARSAL_CONTAINER_NAME": str(ctx.container["name"]),
            "REHEARSAL_RELEASE": ctx.container["image"].rpartition(":3scale")[2],
            "REHEARSAL_DATA": str(mounts[0]) if mounts else "",
        }
        account = ctx.pod["spec"].get("serviceAccountName", "default")
        if self._give_access is None or account == "amp":
            return given
        access = self._give_access(ctx.namespace, account)
        place = ctx.directory / "serviceaccount"
        for name, text in (("token", access.token), ("ca.crt", access.authority_pem), ("namespace", ctx.namespace)):
            write(place / name, text, 0o600)
        return given | {"REHEARSAL_ACCOUNT": str(place), "KUBERNETES_SERVICE_PORT": str(access.port)}


def recipes(give_access: GiveAccess) -> list[tuple[str, Recipe]]:
    """For every image of 3scale's own. To be looked at before patterns as wide as `*redis*`."""
    products = ("system", "backend", "apicast", "searchd", "memcached", "zync")
    known: list[tuple[str, Recipe]] = [
        (f"*/3scale-amp2/{name}-*", StandInRecipe(name, give_access if name == "zync" else None)) for name in products
    ]
    return [*known, ("*/3scale-amp2/3scale-*operator*", StandInRecipe("operator"))]


def written_programs(directory: Path, product: str) -> Path:
    """The directory with the programs of a product, made where it is missing."""
    texts = {"bundle": BUNDLE, "container-entrypoint": ENTRYPOINT}
    texts |= dict.fromkeys(WAITING.get(product, ()), WAIT)
    for owner, called in launch.PROGRAMS:
        if owner == product:
            words = [sys.executable, "-I", "-S", launch.__file__, product, called]
            texts[called] = f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n'
    if product in WITH_DATABASES:
        texts |= {name: f'#!/bin/sh\nexec {shlex.quote(path)} "$@"\n' for name, path in clients().items()}
    for name, text in texts.items():
        file = directory / name
        if not file.exists() or file.read_text() != text:
            write(file, text, 0o700)
    return directory


def clients() -> dict[str, str]:
    """The database clients of this machine, themselves: Debian's own wrapper of psql takes longer than psql."""
    known = {}
    with suppress(ProgramMissing):
        known["psql"] = program("psql")
    with suppress(ProgramMissing):
        known["mysql"] = found(MYSQL_PACKAGE, CLIENTS["mysql"])
    return known
