"""The program's first lines: whoever interrupts it while it is still reading itself gets no traceback.

The verbs are imported after that, in `main`; commands/app.py then answers signals as each verb needs it.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

INTERRUPTED = 130  # commands/exits.py, which is not imported yet


def leave(number: int, frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)  # nothing is open and nothing was begun


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, leave)
    from commands.app import main as run

    run()


if __name__ == "__main__":
    main()
