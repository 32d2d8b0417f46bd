"""What the databases of the model hold, before a restore and in the bundle; and a job in a pod, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from orchestrator.drills.model.apps import DOMAIN
from orchestrator.effects import Engine

MYSQL_DIRECTORY, POSTGRESQL_DIRECTORY = "/var/lib/mysql/data", "/var/lib/pgsql/data"
CHUNKS: Final = 2
QUIET: Final = {"system": ("system-app",), "zync_production": ("zync", "zync-que")}  # who may not run meanwhile
DEFAULT_HOSTS: Final = tuple(
    sorted(
        f"{name}.{DOMAIN}"
        for name in (
            "backend-3scale", "api-3scale-apicast-production", "api-3scale-apicast-staging", "master", "3scale", "3scale-admin"
        )
    )
)  # fmt: skip


@dataclass(frozen=True)
class Content:
    """What a database holds. services: id -> applications."""

    label: str
    rows: Mapping[str, int] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    services: Mapping[str, int] = field(default_factory=dict)


EMPTY, TORN = Content("empty"), Content("torn", {"accounts": 1})
CONTENTS: Final = {
    ("system", "old"): Content("old system", {"accounts": 3, "services": 2, "sessions": 4}, DEFAULT_HOSTS, {"1": 1, "2": 2}),
    ("system", "new"): Content(
        "new system", {"accounts": 5, "services": 3, "sessions": 9},
        (*DEFAULT_HOSTS, f"second-admin.{DOMAIN}", f"second.{DOMAIN}", "elsewhere.example"), {"1": 4, "2": 2, "3": 1},
    ),
    ("zync_production", "old"): Content("old zync", {"tenants": 1, "que_jobs": 0}),
    ("zync_production", "new"): Content("new zync", {"tenants": 2, "que_jobs": 1}),
}  # fmt: skip


@dataclass(frozen=True)
class Database:
    workload: str
    engine: Engine
    name: str
    content: Content
    is_there: bool = True
    mark: str = ""  # this load's, and below it, after a tab, what stood there before

    @property
    def top(self) -> str:
        return self.mark.split("\t")[0]

    def marked(self, mark: str) -> Database:
        """A mark of the same step takes the place of its own older one; any other goes below."""
        owner = mark.split(" ")[0]
        rest = self.mark.split("\t") if self.mark else []
        kept = rest[1:] if rest and rest[0].startswith(f"{owner} ") else rest
        return replace(self, mark="\t".join([mark, *kept]))

    def unmarked(self) -> Database:
        return replace(self, mark="\t".join(self.mark.split("\t")[1:]))


@dataclass(frozen=True)
class PodJob:
    workload: str
    container: int
    attempt: int
    program: str
    arguments: tuple[str, ...]
    state: str = "running"
    code: int | None = None
    looks: int = 0


def directory_of(engine: Engine) -> str:
    return MYSQL_DIRECTORY if engine == "mysql" else POSTGRESQL_DIRECTORY


def digest_of(content: Any) -> str:
    return f"sha256 of {content.label}" if isinstance(content, Content) else "part"
