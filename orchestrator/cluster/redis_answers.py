"""What redis-cli prints, read: INFO, CONFIG GET, TIME. Pure."""

from __future__ import annotations

from orchestrator.errors import ClusterUnreachable
from orchestrator.port import RedisSeen


def redis_seen(text: str) -> RedisSeen:
    """The answer of scripts.REDIS with at least `save` and `appendonly`."""
    info, settings = parsed(text)
    try:
        return RedisSeen(
            version=info["redis_version"],
            now_ms=milliseconds(settings["time"]),
            is_loading=info["loading"] != "0",
            save=value_of(settings["save"]),
            appendonly=value_of(settings["appendonly"]),
            keys={int(k[2:]): keys_of(v) for k, v in info.items() if k.startswith("db") and k[2:].isdigit()},
            aof_rewrite_in_progress=info["aof_rewrite_in_progress"] != "0",
            aof_rewrite_scheduled=info["aof_rewrite_scheduled"] != "0",
            bgsave_in_progress=info["rdb_bgsave_in_progress"] != "0",
            aof_last_bgrewrite_ok=info["aof_last_bgrewrite_status"] == "ok",
            aof_last_write_ok=info["aof_last_write_status"] == "ok",
        )
    except (KeyError, ValueError, IndexError) as error:
        raise ClusterUnreachable(f"an answer of redis-cli cannot be read: {error}") from error


def configured(text: str) -> dict[str, str]:
    """CONFIG GET values by name, and the server's `version`."""
    info, settings = parsed(text)
    values = {name: value_of(lines) for name, lines in settings.items() if name != "time"}
    return values | {"version": info.get("redis_version", "")}


def parsed(text: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """INFO as a mapping, and the lines below each @name."""
    info: dict[str, str] = {}
    settings: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for raw in text.split("\n"):
        line = raw.rstrip("\r")
        if line.startswith("@"):
            lines = settings.setdefault(line[1:], [])
        elif lines is not None:
            lines.append(line)
        elif ":" in line and not line.startswith("#"):
            name, _, value = line.partition(":")
            info[name] = value
    return info, settings


def value_of(lines: list[str]) -> str:
    """CONFIG GET prints the name, then the value; an empty value is an empty line."""
    return lines[1] if len(lines) > 1 else ""


def keys_of(keyspace: str) -> int:
    """'keys=3,expires=1,avg_ttl=0' -> 3."""
    return int(keyspace.split(",")[0].removeprefix("keys="))


def milliseconds(time_lines: list[str]) -> int:
    seconds, microseconds = time_lines[0], time_lines[1]
    return int(seconds) * 1000 + int(microseconds) // 1000
