"""The saving directives of a redis.conf text: read them, switch them off, bring them back.

Pure text to text. Commenting the `save` lines out is what the guide says (9.5.5.1-1), and is not enough:
from Redis 6.2 on the built-in default then applies, and the server overwrites dump.rdb when it is
stopped. Saving is off only with `save ""`.
"""

from __future__ import annotations

DEFAULT_SAVE = "3600 1 300 100 60 10000"  # Redis >= 6.2, src/config.c; older servers have none


def directives(text: str) -> list[tuple[str, str]]:
    """(name, rest) of every active line, names in lower case."""
    found = []
    for line in text.splitlines():
        name, _, rest = line.strip().partition(" ")
        if name and not name.startswith("#"):
            found.append((name.lower(), rest.strip()))
    return found


def save_of(text: str, redis_version: str) -> str:
    """What `CONFIG GET save` answers in a server started with this text."""
    points: list[str] = []
    is_named = False
    for name, rest in directives(text):
        if name == "save":
            is_named = True
            points = [] if rest in ('""', "''") else [*points, rest]
    if not is_named and version_of(redis_version) >= (6, 2):
        return DEFAULT_SAVE
    return " ".join(points)


def appendonly_of(text: str) -> str:
    """`yes` or `no`; the last line wins, as in the server."""
    answers = [rest.lower() for name, rest in directives(text) if name == "appendonly"]
    return answers[-1] if answers else "no"


def saves_nothing(text: str) -> bool:
    """Whether a server of any version started with this text writes neither RDB nor AOF by itself."""
    saves = [rest for name, rest in directives(text) if name == "save"]
    return bool(saves) and saves[-1] in ('""', "''") and appendonly_of(text) == "no"


def switch_saving_off(text: str) -> str:
    """The `save` lines commented out, `save ""` after them, `appendonly no`; all else as it was."""
    lines = text.splitlines(keepends=True)
    ending = "" if not lines or lines[-1].endswith("\n") else "\n"
    kept = [off(line) for line in lines]
    last = max((i for i, line in enumerate(lines) if is_directive(line, "save")), default=len(lines) - 1)
    kept.insert(last + 1, 'save ""\n' if last + 1 < len(lines) or not ending else '\nsave ""\n')
    if not any(is_directive(line, "appendonly") for line in lines):
        kept.append("appendonly no\n")
    return "".join(kept)


def off(line: str) -> str:
    if is_directive(line, "save"):
        return "#" + line
    if is_directive(line, "appendonly"):
        return "appendonly no" + line[len(line.rstrip("\r\n")) :]
    return line


def switch_saving_back(text: str, original: str) -> str:
    """The original text where nobody touched ours meanwhile; else today's text with its saving lines."""
    if text == switch_saving_off(original):
        return original
    ours = set(switch_saving_off(original).splitlines()) - set(original.splitlines())
    kept = [line for line in text.splitlines() if line not in ours and not is_saving(line)]
    kept += [line for line in original.splitlines() if is_saving(line)]
    return "\n".join(kept) + "\n"


def is_saving(line: str) -> bool:
    return is_directive(line, "save") or is_directive(line, "appendonly")


def is_directive(line: str, name: str) -> bool:
    words = line.split()
    return bool(words) and words[0].lower() == name


def version_of(text: str) -> tuple[int, ...]:
    """'7.0.15' -> (7, 0, 15)."""
    return tuple(int(part) for part in text.split(".") if part.isdigit())
