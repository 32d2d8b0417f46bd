"""Stands for curl: `curl [--head] [--fail] [--silent] [--output FILE] http://SERVICE:PORT/PATH`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from orchestrator.rehearsal.standins.services import Unreachable, request

WITH_VALUE = {"-o": "--output", "--output": "--output", "-H": "--header", "--header": "--header"}
FLAGS = {"-I": "--head", "--head": "--head", "-f": "--fail", "--fail": "--fail", "-s": "--silent", "--silent": "--silent"}
UNKNOWN_OPTION, UNREACHABLE, HTTP_ERROR = 2, 7, 22


def main(arguments: Sequence[str]) -> int:
    options: dict[str, str] = {}
    url, words = "", iter(arguments)
    for word in words:
        if word in WITH_VALUE:
            options[WITH_VALUE[word]] = next(words, "")
        elif word in FLAGS:
            options[FLAGS[word]] = "yes"
        elif word.startswith("-"):
            sys.stderr.write(f"curl: option {word}: is unknown to this stand-in\n")
            return UNKNOWN_OPTION
        else:
            url = word
    return _fetched(url, options)


def _fetched(url: str, options: dict[str, str]) -> int:
    found = urlsplit(url)
    try:
        status, text = request("HEAD" if "--head" in options else "GET", found.hostname or "", found.path or "/")
    except Unreachable as error:
        if "--silent" not in options:
            sys.stderr.write(f"curl: (7) {error}\n")
        return UNREACHABLE
    if "--fail" in options and status >= 400:
        return HTTP_ERROR
    if "--output" not in options:
        sys.stdout.write(f"HTTP/1.0 {status}\n" if "--head" in options else text)
    return 0
