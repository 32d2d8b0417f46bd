"""The table of lanes on a terminal: redrawn in place while a run is carried out, or watched.

Elsewhere than on a terminal nothing of this is used: then each step is one line when it ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING

from orchestrator.progress import Lane, Meter, clock_of
from orchestrator.sizes import in_words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from orchestrator.state import RunState

REDRAWN_EVERY_SECONDS = 0.25
GONE = (OSError, ValueError)  # what a terminal that was closed answers: no reason to end a run


class LanesTable:
    """Redraws until it is left. `state` and `now` are asked for at each redrawing."""

    def __init__(self, meter: Meter, state: Callable[[], RunState], now: Callable[[], datetime]) -> None:
        from rich.console import Console
        from rich.live import Live

        self._meter, self._state, self._now = meter, state, now
        self.console: Console = Console(stderr=True, highlight=False)
        self._live = Live(console=self.console, auto_refresh=False, transient=True)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._redraw_often, name="table", daemon=True)

    def __enter__(self) -> LanesTable:
        with suppress(*GONE):
            self._live.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        with suppress(*GONE):
            self._live.__exit__(kind, value, trace)

    def tell(self, text: str) -> None:
        """A line above the table, which stays."""
        with suppress(*GONE):
            self.console.print(text, markup=False, soft_wrap=True)

    def redraw(self) -> None:
        state = self._state()
        if state.phase != "unopened":
            with suppress(*GONE):
                self._live.update(drawn(list(self._meter.lanes(state, self._now()))), refresh=True)

    def _redraw_often(self) -> None:
        while not self._ended.wait(REDRAWN_EVERY_SECONDS):
            self.redraw()


def drawn(lanes: list[Lane]) -> Table:
    """Lane, how much of it has ended, the step it is at, bytes, rate, and when it will be there."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, options in COLUMNS.items():
        table.add_column(name, **options)  # type: ignore[arg-type]
    for lane in lanes:
        table.add_row(*cells(lane), style=STYLES.get(lane.word, ""))
    return table


COLUMNS: dict[str, dict[str, object]] = {
    "LANE": {"no_wrap": True},
    "STEPS": {"justify": "right", "no_wrap": True},
    "NOW": {"ratio": 1, "no_wrap": True, "overflow": "ellipsis"},
    "BYTES": {"justify": "right", "no_wrap": True},
    "RATE": {"justify": "right", "no_wrap": True},
    "ETA": {"justify": "right", "no_wrap": True},
    "FOR": {"justify": "right", "no_wrap": True},
}
STYLES = {"done": "dim", "waiting": "dim", "failed": "red", "stuck": "red", "asks": "yellow"}


def cells(lane: Lane) -> tuple[str, ...]:
    amount = lane.amount
    now = lane.title if lane.word in ("under way", "done") else f"{lane.word}: {lane.title}"
    eta = amount.eta_seconds if amount else None
    size = ""
    if amount is not None:
        size = in_words(amount.done_bytes) + (f" of {in_words(amount.total_bytes)}" if amount.total_bytes else "")
    return (
        lane.name or "-", f"{lane.ended}/{lane.steps}", now + (f" ({lane.reason})" if lane.reason else ""), size,
        f"{in_words(amount.rate)}/s" if amount and amount.rate else "", clock_of(eta) if eta is not None else "",
        clock_of(lane.seconds) if lane.seconds is not None else "",
    )
