"""`python -m orchestrator.rehearsal.line …`: one line in the foreground, until SIGTERM or its owner's end.

It is spoken to through a port of the loopback address: one JSON document a line, the answer likewise. The
key in `line.json`, which only its owner can read, has to be in it.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import json
import os
import secrets
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

from orchestrator.rehearsal.lifecycle import started_ticks
from orchestrator.rehearsal.line.faults import Faults
from orchestrator.rehearsal.line.keeping import KUBECONFIG_FILE, LINE_FILE, written
from orchestrator.rehearsal.line.proxy import Proxy, listening


class Control:
    """What `keeping.Line` asks for."""

    def __init__(self, proxy: Proxy) -> None:
        self.key = secrets.token_hex(16)
        self._proxy = proxy

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(await reader.readline())
            if hmac.compare_digest(str(request["key"]).encode(), self.key.encode()):
                writer.write(json.dumps(self.done(request)).encode() + b"\n")
                await writer.drain()
        except (ValueError, KeyError, TypeError, ConnectionError):
            pass  # nobody who knows us says that
        finally:
            writer.close()

    def done(self, request: dict[str, Any]) -> dict[str, object]:
        """The counters, after what was asked for."""
        match request["do"]:
            case "change":
                self._proxy.change(Faults(**request["faults"]))
            case "cut":
                self._proxy.cut(request["ending"])
            case "stall":
                self._proxy.stall(request["seconds"])
        return {"faults": asdict(self._proxy.faults), **self._proxy.told()}


async def run(root: Path, faults: Faults, seed: int, port: int, owner_pid: int) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    loop.add_reader(os.pidfd_open(owner_pid), ended.set)
    told = (root / "kubeconfig").read_text()
    server = next(line.split()[1] for line in told.splitlines() if line.strip().startswith("server:"))
    host, _, target_port = server.removeprefix("https://").partition(":")
    proxy = Proxy((host, int(target_port)), faults, seed)
    control, socket = Control(proxy), listening(port)
    door = await asyncio.start_server(control.answer, "127.0.0.1", 0)
    ours = socket.getsockname()[1]
    written(root / KUBECONFIG_FILE, told.replace(server, f"https://127.0.0.1:{ours}"))
    described = {
        "pid": os.getpid(), "started_ticks": started_ticks(os.getpid()), "port": ours, "seed": seed,
        "control_port": door.sockets[0].getsockname()[1], "key": control.key, "owner_pid": owner_pid,
    }  # fmt: skip
    written(root / LINE_FILE, json.dumps(described))
    serving = asyncio.create_task(proxy.serve(socket))
    await asyncio.wait([serving, asyncio.create_task(ended.wait())], return_when=asyncio.FIRST_COMPLETED)
    serving.cancel()
    door.close()
    await asyncio.gather(serving, return_exceptions=True)


def main() -> None:
    """Carries every connection to the cluster in ROOT, with faults."""
    parser = argparse.ArgumentParser(prog="orchestrator.rehearsal.line", description=main.__doc__)
    parser.add_argument("--root", type=Path, required=True, help="the cluster's directory")
    parser.add_argument("--faults", required=True, help="as JSON: the fields of Faults")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--owner", type=int, required=True, help="the pid of the process that it ends with")
    given = parser.parse_args()
    os.umask(0o077)
    asyncio.run(run(given.root, Faults(**json.loads(given.faults)), given.seed, given.port, given.owner))


if __name__ == "__main__":
    main()
