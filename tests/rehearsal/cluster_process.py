"""A cluster with pods as a process of its own: `python cluster_process.py ROOT [kubernetes]`.

It prints `ready` once it listens, and ends on SIGTERM.
"""

import asyncio
import logging
import signal
import sys
from pathlib import Path

from orchestrator.rehearsal.server import serve
from orchestrator.rehearsal.workloads import Workloads


async def run(root: Path, *, kubernetes: bool) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    server = await serve(root, kubernetes=kubernetes, extensions=[Workloads(openshift=not kubernetes)])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await ended.wait()
    await server.stop()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(run(Path(sys.argv[1]), kubernetes="kubernetes" in sys.argv[2:]))
