"""The house rules that a machine can see. Whoever needs an exception writes it here, with its reason."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import orchestrator.steps
from orchestrator import effects, events
from orchestrator.steps import AnyStep, Step

ROOT = Path(__file__).parents[1]
PACKAGES = ("journal", "orchestrator", "commands")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 400
LONG_MODULES = {
    "orchestrator/events.py": "the list of all facts, to be read in one place",
}
CLOCKS = {
    "orchestrator/clock.py": "the only `now` of the product",
    "commands/run.py": "the day in a run's id",
    "orchestrator/foresight.py": "a dry run has no clock of a run",
}
CLOCK_PACKAGES = ("orchestrator/rehearsal/",)  # a cluster of its own, with its own time


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def calls_in(path: Path) -> Iterator[str]:
    """Every call as it is written: `print`, `datetime.now`."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_what_it_is_and_is_not_long(path: Path) -> None:
    text = path.read_text()
    if text.strip():
        assert ast.get_docstring(tree_of(path)), "it has no docstring"
    is_long = len(text.splitlines()) > MODULE_LINES_MAX
    assert is_long == (name_of(path) in LONG_MODULES)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_function_is_long(path: Path) -> None:
    functions = [n for n in ast.walk(tree_of(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {n.name: (n.end_lineno or n.lineno) - n.lineno + 1 for n in functions}
    assert [name for name, lines in lengths.items() if lines > FUNCTION_LINES_MAX] == []


def test_only_the_printer_prints() -> None:
    printing = {name_of(path) for path in MODULES if "print" in calls_in(path)}
    assert printing <= {"commands/printer.py"}


def test_only_the_clock_tells_the_time() -> None:
    telling = {
        name_of(path)
        for path in MODULES
        if {"datetime.now", "datetime.utcnow", "time.time", "date.today"} & set(calls_in(path))
    }
    assert {name for name in telling if not name.startswith(CLOCK_PACKAGES)} <= set(CLOCKS)


def test_the_core_reaches_nothing_but_itself() -> None:
    """No clock, no randomness, no file, no socket in what decides."""
    core = ["events", "state", "decide", "moves", "plan", "effects", "redis_conf", "installation", "port"]
    paths = [ROOT / "orchestrator" / f"{name}.py" for name in core]
    paths += sorted((ROOT / "orchestrator" / "steps").glob("*.py"))
    paths += sorted((ROOT / "orchestrator" / "runbooks").glob("*.py"))
    world = {"os", "io", "socket", "random", "secrets", "time", "threading", "subprocess", "pathlib", "kubernetes"}
    for path in paths:
        imported = {alias.name.split(".")[0] for n in ast.walk(tree_of(path)) if isinstance(n, ast.Import) for alias in n.names}
        imported |= {(n.module or "").split(".")[0] for n in ast.walk(tree_of(path)) if isinstance(n, ast.ImportFrom)}
        assert imported & world == set(), name_of(path)


# ---- catalogues ----------------------------------------------------------------------------------


def test_every_step_kind_is_in_the_catalogue() -> None:
    union = get_args(AnyStep)[0]
    catalogue = {kind.__module__.rpartition(".")[2] for kind in get_args(union)}
    files = {module.name for module in pkgutil.iter_modules(orchestrator.steps.__path__)} - {"base", "serving"}
    assert files == catalogue


def test_no_pattern_repeats_a_group_possessively() -> None:
    """Debian 12 has Python 3.11.2, where such a pattern does not match what it should (python/cpython#106052)."""
    possessive = re.compile(r"\)(?:[*+?]|\{[\d,]+\})\+|\(\?>")
    found = [
        f"{name_of(path)}: {node.value!r}"
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes) and possessive.search(as_text(node.value))
    ]
    assert found == []


def as_text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def test_every_step_kind_has_its_tables() -> None:
    files = {module.name for module in pkgutil.iter_modules(orchestrator.steps.__path__)} - {"base", "serving"}
    tables = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / "steps").glob("test_*.py")}
    assert files == tables


def test_a_step_kind_is_named_after_its_file() -> None:
    for kind in get_args(get_args(AnyStep)[0]):
        assert issubclass(kind, Step)
        assert kind.model_fields["kind"].default == kind.__module__.rpartition(".")[2]


def test_every_effect_is_in_the_closed_list() -> None:
    bases = {effects.EffectBase, effects.InPod}
    found = {
        thing
        for thing in vars(effects).values()
        if isinstance(thing, type) and issubclass(thing, effects.EffectBase) and thing not in bases
    }
    assert set(get_args(effects.Effect)) == found


def test_every_fact_can_be_written_and_is_named_as_its_class() -> None:
    for name, kind in events.FACTS.items():
        assert name == kind.__name__
        assert kind.sentence is not events.Fact.sentence, f"{name} is no sentence"


def test_every_module_can_be_imported_by_itself() -> None:
    for path in MODULES:
        if path.name != "__main__.py":
            importlib.import_module(name_of(path).removesuffix(".py").replace("/", ".").removesuffix(".__init__"))
