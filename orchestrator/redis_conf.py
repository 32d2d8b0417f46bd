"""The saving directives of a redis.conf text: read them, switch them off, bring them back.

Pure text to text. Commenting the `save` lines out is what the guide says (9.5.5.1-1), and is not enough:
from Redis 6.2 on the built-in default then applies, and the server overwrites dump.rdb when it is
stopped. Saving is off only with `save ""`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

DEFAULT_SAVE = "3600 1 300 100 60 10000"  # Redis >= 6.2, src/config.c; older servers have none


def lines_of(text: str) -> list[str]:
    """As the server cuts them: at each newline, and nowhere else."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def words_of(line: str) -> list[str]:
    """The words of an active line without their quotes; nothing for a comment."""
    words = [word.strip("\"'") for word in line.split()]
    return words if words and not words[0].startswith("#") else []


def directives(text: str) -> list[tuple[str, str]]:
    """(name, rest) of every active line, names in lower case, one space between words."""
    found = filter(None, map(words_of, lines_of(text)))
    return [(words[0].lower(), " ".join(words[1:])) for words in found]


def save_of(text: str, redis_version: str) -> str:
    """What `CONFIG GET save` answers in a server started with this text."""
    saves = [rest for name, rest in directives(text) if name == "save"]
    if not saves and version_of(redis_version) >= (6, 2):
        return DEFAULT_SAVE
    points: list[str] = []
    for rest in saves:  # `save ""` takes back what stands before it
        points = [*points, rest] if rest else []
    return " ".join(points)


def appendonly_of(text: str) -> str:
    """`yes` or `no`; the last line wins, as in the server."""
    answers = [rest.lower() for name, rest in directives(text) if name == "appendonly"]
    return answers[-1] if answers else "no"


def saves_nothing(text: str) -> bool:
    """Whether a server of any version started with this text writes neither RDB nor AOF by itself."""
    saves = [rest for name, rest in directives(text) if name == "save"]
    return bool(saves) and saves[-1] == "" and appendonly_of(text) == "no"


def switch_saving_off(text: str) -> str:
    """The `save` lines commented out, `save ""` after them, `appendonly no`; all else as it was."""
    lines = lines_of(text)
    last = max((i for i, line in enumerate(lines) if is_directive(line, "save")), default=len(lines) - 1)
    changed = [off(line) for line in lines]
    changed.insert(last + 1, 'save ""')
    if not any(is_directive(line, "appendonly") for line in lines):
        changed.append("appendonly no")
    return "".join(line if line.endswith("\n") else line + "\n" for line in changed)


def off(line: str) -> str:
    if is_directive(line, "save"):
        return "#" + line
    if is_directive(line, "appendonly"):
        return "appendonly no" + line[len(line.rstrip("\r\n")) :]
    return line


def switch_saving_back(text: str, original: str) -> str:
    """The original text where nobody touched more of ours than its saving lines; else today's with those of the original."""
    ours = switch_saving_off(original)
    if text == ours:
        return original
    made = set(bare_lines(ours)) - set(bare_lines(original))
    there = set(bare_lines(original))
    kept = [line for line in bare_lines(text) if line not in made and not is_saving(line) and not is_switched_off(line, there)]
    if kept == [line for line in bare_lines(original) if not is_saving(line)]:
        return original
    return "".join(line + "\n" for line in woven(kept, original))


def woven(kept: list[str], original: str) -> Iterator[str]:
    """The lines of today, and the original's saving lines among them: each behind the line that it stood behind."""
    place = 0
    for line in bare_lines(original):
        if is_saving(line):
            yield line
        elif line in kept[place:]:
            there = kept.index(line, place) + 1
            yield from kept[place:there]
            place = there
    yield from kept[place:]


def is_switched_off(line: str, there: set[str]) -> bool:
    """A comment that switch_saving_off has made of a line which somebody else had written."""
    return line.startswith("#") and is_saving(line[1:]) and line not in there


def bare_lines(text: str) -> list[str]:
    return [line.removesuffix("\n") for line in lines_of(text)]


def is_saving(line: str) -> bool:
    return is_directive(line, "save") or is_directive(line, "appendonly")


def is_directive(line: str, name: str) -> bool:
    return [word.lower() for word in words_of(line)[:1]] == [name]


def version_of(text: str) -> tuple[int, ...]:
    """'7.0.15' -> (7, 0, 15)."""
    return tuple(int(part) for part in text.split(".") if part.isdigit())
