"""A restore whose process stops itself at the worst moment: `… asleep WHERE N JOURNAL KUBECONFIG NAMESPACE BUNDLE PART`.

WHERE is `pods` or `rest`. Right after the N-th look at whether the run is still its own, and right before the request
that this look was for, the process stops as by SIGSTOP. It sends that request when it is continued.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from commands import printer, wiring
from commands.exits import exit_code
from commands.options import Output
from commands.run import start
from orchestrator.errors import RestoreError
from orchestrator.fencing import Fence


class Drowsy(Fence):
    """The fence of a cluster, asked as it is; then, once, sleep."""

    def __init__(self, fence: Fence, number: int) -> None:
        self._fence, self._left, self._lock = fence, number, threading.Lock()

    @property
    def run(self) -> str:  # type: ignore[override]
        return self._fence.run

    @property
    def epoch(self) -> int:  # type: ignore[override]
        return self._fence.epoch

    def check(self) -> None:
        self._fence.check()
        if not self._fence.run:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGSTOP)


def main(where: str, number: int, journal: Path, kubeconfig: str, namespace: str, bundle: Path, part: str) -> None:
    said = wiring.options_of([part])
    report = wiring.sound_bundle(bundle, said)
    with wiring.live_cluster(kubeconfig, "", namespace, bundle) as cluster:
        door: Any = getattr(cluster, where)
        door.fence = Drowsy(cluster.fence, number)
        made, found, _ = wiring.sound_plan(cluster, report, said, is_to_run=True)
        start(made, found, report, cluster, wiring.open_journal(journal, write=True, create=True), verbose=False, output=Output.table)


if __name__ == "__main__":
    place, count, *words = sys.argv[1:]
    journal, kubeconfig, namespace, bundle, part = words
    try:
        main(place, int(count), Path(journal), kubeconfig, namespace, Path(bundle), part)
    except RestoreError as error:
        printer.error(error.message, hint=error.hint)
        sys.exit(exit_code(error))
