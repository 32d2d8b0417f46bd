"""What every test shares: counts that belong into the run's output, printed at its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.disk import built

Tally = Callable[[str], None]


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Tally:
    """Say one line at the end of the test run, such as how many deaths were survived."""
    return lambda line: record_property("tally", line)


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that makes a process's disk fail: see tests/disk.py."""
    return built(tmp_path_factory.mktemp("disk"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = [
        value
        for report in terminalreporter.getreports("passed")
        for key, value in getattr(report, "user_properties", [])
        if key == "tally" and report.when == "call"
    ]
    if lines:
        terminalreporter.section("counted")
        for line in sorted(map(str, lines)):
            terminalreporter.write_line(line)
