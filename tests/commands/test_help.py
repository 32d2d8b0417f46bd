"""What the program says about itself."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from commands.app import app
from commands.exits import MEANINGS
from tests.commands.program import VERBS


def help_of(*words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--help"])
    assert done.exit_code == 0, done.output
    return done.output


def test_every_verb_is_listed_with_what_it_does() -> None:
    text = help_of()
    for name, command in VERBS.items():
        assert re.search(rf"^ +{name} +\S+ \S+", text, re.MULTILINE), name
        assert command.help


def test_the_exit_codes_are_listed_once() -> None:
    text = " ".join(help_of().split())
    _, _, table = text.partition("Exit status: ")
    assert table == ", ".join(f"{code} {meaning}" for code, meaning in MEANINGS.items()) + "."


@pytest.mark.parametrize("verb", VERBS)
def test_help_of(verb: str) -> None:
    text = help_of(verb)
    assert text == CliRunner().invoke(app, [verb, "-h"]).output
    assert f"{verb} [OPTIONS]" in text
    for parameter in VERBS[verb].params:
        assert getattr(parameter, "help", ""), f"{verb} {parameter.name} has no help"


@pytest.mark.parametrize("verb", VERBS)
def test_the_exit_codes_a_verb_names_are_in_the_table(verb: str) -> None:
    _, found, paragraph = (VERBS[verb].help or "").partition("Exit status:")
    named = {int(code) for code in re.findall(r"\b\d{1,3}\b", paragraph)}
    assert named <= MEANINGS.keys()
    assert named or not found, "an exit status without a number"
