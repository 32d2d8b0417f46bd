"""Real processes killed with SIGKILL at boundaries of a real restore, and brought to the right end.

In the ordinary run every so many-th boundary (STRIDES), from a first one that changes daily, each way on one release
which changes daily too; with RESTORE_EXHAUSTIVE=1 every one of them on both (`RESTORE_EXHAUSTIVE=1 .venv/bin/python -m pytest tests/drills/test_deaths.py -n 2`).
"""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from tests.conftest import Tally

IS_EXHAUSTIVE = os.environ.get("RESTORE_EXHAUSTIVE") == "1"
STRIDES = {"redis": 1, "whole": 1} if IS_EXHAUSTIVE else {"redis": 64, "whole": 320}
SAID = {
    "resumed": "killed at {deaths} boundaries of a restore, resumed: same end, three rollouts each, nothing done twice",
    "rolled-back": "killed at {deaths} boundaries of a restore, rolled back: as in the beginning",
    "rollback-resumed": "killed at {deaths} boundaries of a rollback, resumed: as in the beginning",
}


TODAY = datetime.date.today().toordinal()
CASES = [
    (way, scope, release)
    for (i, way), (j, scope), (k, release) in product(enumerate(SAID), enumerate(STRIDES), enumerate(("2.13", "2.15")))
    if IS_EXHAUSTIVE or (TODAY + i + j + k) % 2
]


@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("way", "scope", "release"), CASES)
def test_sigkill(way: str, scope: str, release: str, tmp_path: Path, tally: Tally) -> None:
    stride = STRIDES[scope]
    first = 1 if IS_EXHAUSTIVE else 2 + TODAY % stride
    command = [sys.executable, "-m", "orchestrator.drills.processes", way, release, scope, str(first), str(stride), str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{' '.join(command)}\n{ran.stderr[-4000:]}"
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["failures"] == {} and found["deaths"] > 0
    assert found["boundaries"] > 100, "too few boundaries to be a whole restore"
    assert set(found["rollouts"].values()) == {3}
    said = SAID[way].format(deaths=found["deaths"])
    what = f"{release} {scope}, SIGKILL, first {first}, every {stride}"
    tally(f"{what}: {said} (boundaries: {found['boundaries']})")
