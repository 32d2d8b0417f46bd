"""`python -m orchestrator.rehearsal --root DIR --release 2.15`: an embedded cluster in the foreground."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from pathlib import Path

from orchestrator.rehearsal.installation import DATABASES, RELEASES, SCOPES
from orchestrator.rehearsal.running import Options, run


def main() -> None:
    """Runs a cluster until SIGTERM, SIGINT, or until nobody has asked it anything for a while."""
    parser = argparse.ArgumentParser(prog="orchestrator.rehearsal", description=main.__doc__)
    defaults = Options(Path(), RELEASES[-1])
    parser.add_argument("--root", type=Path, required=True, help="directory of everything the cluster has")
    parser.add_argument("--release", choices=RELEASES, default=defaults.release)
    parser.add_argument("--namespace", default=defaults.namespace)
    parser.add_argument("--scope", choices=SCOPES, default=defaults.scope)
    parser.add_argument("--database", choices=DATABASES, default=defaults.database)
    parser.add_argument("--fresh", action="store_true", help="the operator alone: nothing is installed yet")
    parser.add_argument("--port", type=int, default=defaults.port)
    parser.add_argument("--idle-minutes", type=float, default=defaults.idle_minutes)
    parser.add_argument("--operator-delay-seconds", type=float, default=defaults.operator_delay_seconds)
    arguments = parser.parse_args()
    os.umask(0o077)  # also for what the servers in the pods write
    arguments.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    arguments.root = arguments.root.resolve()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    asyncio.run(run(Options(**vars(arguments))))


if __name__ == "__main__":
    main()
