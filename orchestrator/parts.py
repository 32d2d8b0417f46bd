"""The parts of a bundle, and the files that the guide's backup chapter gives each of them. Pure data.

A part is what `--only` names. The order is that of the guide's restore chapter, the objects last: they
are wanted only where there is no installation yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

Part = Literal["system-database", "system-storage", "zync", "backend-redis", "system-redis", "objects"]

PARTS: Final[tuple[Part, ...]] = get_args(Part)

# The names that a part's file may have. The objects have one file each, named after the object.
FILES: Final[Mapping[str, tuple[str, ...]]] = {
    "system-database": ("system-mysql-backup.gz", "system-postgresql-backup.gz"),
    "system-storage": ("system",),
    "zync": ("zync-database-backup.gz",),
    "backend-redis": ("backend-redis-dump.rdb",),
    "system-redis": ("system-redis-dump.rdb",),
}
APIMANAGER_FILE: Final = "apimanager.json"

# The databases that the two SQL dumps are restored into, unless the installation names another.
DATABASES: Final[Mapping[str, str]] = {"system-database": "system", "zync": "zync_production"}


def part_of(file: str) -> str | None:
    """The part that a file of this name belongs to, or None when the guide has no such file."""
    if file.endswith(".json"):
        return "objects"
    return next((part for part, names in FILES.items() if file in names), None)
