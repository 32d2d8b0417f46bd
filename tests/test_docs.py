"""What is written about the program is true of it: README, docs/, and the hints inside the code.

`python -m tests.test_docs --write` brings the generated parts of README.md up to date. A generated part
stands between `<!-- NAME -->` and `<!-- /NAME -->`.
"""

from __future__ import annotations

import ast
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer

from commands.exits import MEANINGS
from tests.commands.program import GROUP, ROOT, VERBS

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
CODE = sorted(path for package in ("commands", "journal", "orchestrator") for path in (ROOT / package).rglob("*.py"))
ENDS_A_COMMAND = {"|", "||", "&&", ";", ">", ">>", "<", "&", "\\"}


# ---- what a command line has to be ------------------------------------------------------------------


def misread(line: str) -> str:
    """Why the program would refuse the words of `restore …`; empty when it would take them."""
    words = words_of(line)
    if not words or words[0].startswith("-"):
        return unknown_options(GROUP, words)
    command = VERBS.get(words[0])
    if command is None:
        return f"there is no verb {words[0]}"
    try:
        command.make_context(words[0], words[1:]).close()
    except Exception as error:  # typer keeps the classes of its usage errors to itself
        return f"{type(error).__name__}: {error}"
    return ""


def mentioned_wrongly(line: str) -> str:
    """As misread, for a command that is only named: its arguments may be left out."""
    words = words_of(line)
    if words and words[0] not in VERBS:
        return f"there is no verb {words[0]}"
    return unknown_options(VERBS[words[0]], words[1:]) if words else ""


def words_of(line: str) -> list[str]:
    """The words after `restore`; of `done|not-done` the first; nothing of what the shell does."""
    words: list[str] = []
    for word in shlex.split(line, comments=True)[1:]:
        if word in ENDS_A_COMMAND:
            break
        words.append(word.strip("[]").split("|")[0])
    return words


def unknown_options(command: typer.core.TyperCommand | typer.core.TyperGroup, words: list[str]) -> str:
    names = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    names |= {"--help", "-h"}
    wrong = [word for word in words if word.startswith("-") and word.partition("=")[0] not in names]
    return f"there is no option {', '.join(wrong)}" if wrong else ""


# ---- the pages --------------------------------------------------------------------------------------


def commands_in(text: str) -> Iterator[str]:
    """`restore …` on the lines of fenced blocks, with or without a prompt, a path or variables before it."""
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            found = re.match(r"\s*(?:[$#] )?(?:\w+=\S+ +)*(?:\S*/)?(?:kubectl )?(restore(?: .*)?)$", line)
            if found and not found[1].startswith("restore: "):
                yield found[1]


def mentions_in(text: str) -> Iterator[str]:
    """`restore …` between backticks, in running text."""
    without_blocks = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"(?<!`)`(?:kubectl )?(restore(?: [^`\n]*)?)`", without_blocks)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_on_a_page(page: Path) -> None:
    text = page.read_text()
    wrong = [f"{line}: {why}" for line in commands_in(text) if (why := misread(line))]
    wrong += [f"{line}: {why}" for line in mentions_in(text) if (why := mentioned_wrongly(line))]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_a_page_names_exist(page: Path) -> None:
    text = page.read_text()
    linked = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    named = re.findall(r"(?<![\w/.])(?:deploy|benchmarks|docs|tests|\.ci)/[\w./-]*\w", text)
    missing = [name for name in linked if not (page.parent / name).exists()]
    assert missing + [name for name in named if not (ROOT / name).exists()] == []


# ---- what is guaranteed, and which test shows it ------------------------------------------------------


LIMITS = ROOT / "docs" / "limits.md"
NODE = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def section(text: str, title: str) -> str:
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows_in(text: str) -> list[list[str]]:
    """The rows of a table, without its head."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return rows[2:]


def collected_from(path: Path) -> set[str]:
    """The tests that pytest would collect from a file: functions of the module whose names begin with test_."""
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def unproven(text: str) -> list[str]:
    """Guarantees that name no test, or one that is not there, or an assumption that is not."""
    known = {row[0] for row in rows_in(section(text, "Assumptions"))}
    wrong = [f"there is no {file}::{name}" for file, name in NODE.findall(text)
             if not (ROOT / file).exists() or name not in collected_from(ROOT / file)]
    for what, assumed, shown in rows_in(section(text, "Guarantees")):
        wrong += [f"{what}: there is no assumption {one}" for one in assumed.split() if one not in known]
        if not what.startswith("**") and not NODE.search(shown):
            wrong.append(f"{what}: no test shows it")
    return wrong


def test_every_guarantee_names_a_test_that_is_there() -> None:
    text = LIMITS.read_text()
    assert len(rows_in(section(text, "Guarantees"))) > 20
    assert unproven(text) == []


def test_a_guarantee_without_a_test_is_found() -> None:
    row = "| It is good | A1 | `tests/test_docs.py::test_that_is_not_there` |\n| It is better | A77 | |"
    page = f"\n## Guarantees\n| what | as long as | shown by |\n|---|---|---|\n{row}\n\n## Assumptions\n| | a | b |\n|---|---|---|\n| A1 | x | y |\n"
    assert unproven(page) == [
        "there is no tests/test_docs.py::test_that_is_not_there", "It is better: there is no assumption A77",
        "It is better: no test shows it",
    ]


# ---- the generated parts ----------------------------------------------------------------------------


def exit_codes() -> str:
    rows = [f"| {code} | {meaning} |" for code, meaning in MEANINGS.items()]
    return "\n".join(["| code | means |", "|---|---|", *rows])


def verb_table() -> str:
    summaries = {name: (command.help or "").partition("\n")[0] for name, command in VERBS.items()}
    rows = [f"| `restore {name}` | {summary} |" for name, summary in summaries.items()]
    return "\n".join(["| command | does |", "|---|---|", *rows])


GENERATED: dict[str, Callable[[], str]] = {"exit-codes": exit_codes, "verbs": verb_table}


def generated_parts(text: str) -> dict[str, str]:
    """The content of each generated part that is there, by its name."""
    parts = re.findall(r"<!-- ([\w-]+) -->\n(.*?)\n?<!-- /\1 -->", text, re.DOTALL)
    return {name: content.strip() for name, content in parts}


def test_the_readme_has_the_exit_codes() -> None:
    parts = generated_parts(README.read_text())
    assert parts.get("exit-codes") == exit_codes(), "bring it up to date: python -m tests.test_docs --write"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_generated_parts_are_what_would_be_generated(page: Path) -> None:
    parts = generated_parts(page.read_text())
    wanted = {name: GENERATED[name]() if name in GENERATED else "nobody generates this" for name in parts}
    assert parts == wanted, "bring it up to date: python -m tests.test_docs --write"


def write(page: Path) -> None:
    """The page with its generated parts as they should be; README gets the exit codes where it has none."""
    text = page.read_text()
    if page == README and "<!-- exit-codes -->" not in text:
        text = text.rstrip() + "\n\n## Exit status\n\n<!-- exit-codes -->\n<!-- /exit-codes -->\n"
    for name, generate in GENERATED.items():
        part = f"<!-- {name} -->\n{generate()}\n<!-- /{name} -->"
        text = re.sub(rf"<!-- {name} -->.*?<!-- /{name} -->", part.replace("\\", r"\\"), text, flags=re.DOTALL)
    page.write_text(text)


# ---- the code ---------------------------------------------------------------------------------------


def texts_of(node: ast.AST) -> Iterator[str]:
    """The strings in an expression; what an f-string fills in stands as VALUE."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "VALUE" for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from texts_of(child)


def hints_in(tree: ast.AST) -> Iterator[str]:
    """What is passed or assigned as `hint`, or follows "with: ", and is a command of this program."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "hint":
            yield from (text for text in texts_of(node.value) if text.startswith("restore "))
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "hint" for target in node.targets):
            yield from (text for text in texts_of(node.value) if text.startswith("restore "))
    for text in texts_of(tree):
        yield from re.findall(r" with: (restore .*)", text)


def test_every_hint_is_a_command_that_the_program_takes() -> None:
    hints = [(path.name, hint) for path in CODE for hint in hints_in(ast.parse(path.read_text()))]
    assert len(hints) > 20
    assert [f"{name}: {hint}: {why}" for name, hint in hints if (why := misread(hint))] == []


def test_every_command_that_the_code_mentions_exists() -> None:
    texts = [(path.name, text) for path in CODE for text in texts_of(ast.parse(path.read_text()))]
    mentions = [(name, line) for name, text in texts for line in mentions_in(text)]
    assert len(mentions) > 5
    assert [f"{name}: {line}: {why}" for name, line in mentions if (why := mentioned_wrongly(line))] == []


# ---- that all this can fail -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "restore restart", "restore status", "restore status RUN --tomorrow", "restore rehearse --release 3",
        "restore resolve RUN STEP --as maybe --reason TEXT", "restore --versions", "restore check A B",
    ],
)
def test_a_wrong_command_is_found(line: str) -> None:
    assert list(commands_in(f"```sh\n$ {line} | less\n```\n")) == [f"{line} | less"]
    assert misread(f"{line} | less")


def test_a_right_command_is_taken() -> None:
    page = "```console\n$ RESTORE_JOURNAL=j .venv/bin/restore status RUN -o json | jq .\nrestore: error: no\n```\n"
    assert [misread(line) for line in commands_in(page)] == [""]
    assert not misread("restore resolve RUN STEP --as done|not-done|skip --reason TEXT")
    assert not misread("restore --help")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python -m tests.test_docs --write")
    for one in PAGES:
        write(one)
