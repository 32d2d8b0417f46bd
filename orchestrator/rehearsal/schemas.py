"""The fields of the built-in kinds and their types: what a decoder knows before any rule is applied.

`schemas.json` is generated (tests/rehearsal/schema_generator.py). Type notation: `string`, `int`, `bool`,
`number`, `int|string`, `any`, `[T]` a list, `{T}` a map, else the name of another type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

SCALARS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "int": (int,),
    "bool": (bool,),
    "number": (int, float),
    "int|string": (int, str),
}
GO_NAMES = {str: "string", int: "number", float: "number", bool: "bool", list: "array", dict: "object"}


class WrongType(ValueError):
    """A value that cannot be decoded into its field."""


@cache
def _types() -> Mapping[str, Mapping[str, str]]:
    loaded: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "schemas.json").read_text())
    return loaded


def has_schema(kind: str) -> bool:
    return kind in _types()


def prune(value: Any, form: str, path: str = "", owner: str = "") -> list[str]:
    """Removes fields unknown to `form` from `value`, in place, and returns their paths. WrongType otherwise.

    Null fits everywhere: it reads as left out.
    """
    if value is None or form == "any":
        return []
    if form in SCALARS:
        _check_scalar(value, form, path, owner)
        return []
    if form.startswith("["):
        _check(isinstance(value, list), value, f"[]{form[1:-1]}", path, owner)
        return [
            gone
            for index, item in enumerate(value)
            for gone in prune(item, form[1:-1], f"{path}[{index}]", owner)
        ]
    _check(
        isinstance(value, dict), value, form if form[0] != "{" else f"map[string]{form[1:-1]}", path, owner
    )
    if form.startswith("{"):
        return [
            gone for key, item in value.items() for gone in prune(item, form[1:-1], _join(path, key), owner)
        ]
    return _prune_object(value, form, path)


def _prune_object(value: dict[str, Any], form: str, path: str) -> list[str]:
    fields = _types()[form]
    unknown = [key for key in value if key not in fields]
    for key in unknown:
        del value[key]
    gone = [_join(path, key) for key in unknown]
    for key, item in value.items():
        gone += prune(item, fields[key], _join(path, key), form)
    return gone


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _check_scalar(value: Any, form: str, path: str, owner: str) -> None:
    fits = isinstance(value, SCALARS[form]) and (form == "bool" or not isinstance(value, bool))
    _check(fits, value, {"int": "int32", "int|string": "intstr.IntOrString"}.get(form, form), path, owner)


def _check(fits: bool, value: Any, wanted: str, path: str, owner: str) -> None:
    if not fits:
        given = GO_NAMES.get(type(value), "value")
        raise WrongType(
            f"json: cannot unmarshal {given} into Go struct field {owner}.{path} of type {wanted}"
        )
