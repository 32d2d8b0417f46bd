"""One writer per run: taking, renewing and giving back a lease, and refusing who lost it.

Wall time is only a hint for when a lease may be taken over. What protects the chain is the epoch: it
goes up with every taking and is compared in the transaction that appends. The functions expect
to run inside a transaction of the caller's.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from journal.errors import LeaseLost, RunHeld
from journal.holders import holder_in_words, holder_is_alive
from journal.records import Lease, timestamp

NOBODY = ""  # A lease given back keeps its row, for the epoch must never go down.


def take(
    db: sqlite3.Connection, run: str, holder: str, *, ttl_seconds: float, steal: bool, now: datetime
) -> Lease:
    """The run's lease with the next epoch; raises RunHeld while another holder may still act."""
    if not holder:
        raise ValueError("a lease needs a holder")
    row = db.execute("SELECT holder, epoch, expires_at FROM leases WHERE run = ?", (run,)).fetchone()
    former, epoch, expires_at = row or (NOBODY, 0, "")
    if not steal and former not in (NOBODY, holder) and _may_act(former, expires_at, now):
        raise RunHeld(run, former, epoch, expires_at, _since(db, run, epoch))
    lease = Lease(run, holder, epoch + 1, now + timedelta(seconds=ttl_seconds))
    db.execute(
        "INSERT INTO leases (run, holder, epoch, expires_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (run) DO UPDATE SET holder = excluded.holder, epoch = excluded.epoch,"
        " expires_at = excluded.expires_at",
        (run, holder, lease.epoch, timestamp(lease.expires_at)),
    )
    return lease


def renew(db: sqlite3.Connection, lease: Lease, *, ttl_seconds: float, now: datetime) -> None:
    """Moves the expiry; an expired lease that nobody took may be renewed. Raises LeaseLost."""
    check(db, lease)
    expires_at = timestamp(now + timedelta(seconds=ttl_seconds))
    db.execute("UPDATE leases SET expires_at = ? WHERE run = ?", (expires_at, lease.run))


def release(db: sqlite3.Connection, lease: Lease) -> None:
    """Gives the lease back; does nothing when it is no longer ours to give."""
    db.execute(
        "UPDATE leases SET holder = ? WHERE run = ? AND holder = ? AND epoch = ?",
        (NOBODY, lease.run, lease.holder, lease.epoch),
    )


def check(db: sqlite3.Connection, lease: Lease) -> None:
    """Raises LeaseLost unless this very taking is the run's newest."""
    row = db.execute("SELECT holder, epoch FROM leases WHERE run = ?", (lease.run,)).fetchone()
    if row != (lease.holder, lease.epoch):
        holder, epoch = row or (NOBODY, 0)
        raise LeaseLost(
            f"the lease of the run {lease.run} (epoch {lease.epoch}) is lost:"
            f"{_taker(db, lease)} it is now held by {holder_in_words(holder)} (epoch {epoch})"
        )


def _since(db: sqlite3.Connection, run: str, epoch: int) -> str:
    """When the first fact of this epoch was recorded."""
    found = db.execute(
        "SELECT recorded_at FROM facts WHERE run = ? AND epoch = ? ORDER BY seq LIMIT 1", (run, epoch)
    ).fetchone()
    return str(found[0]) if found else ""


def _taker(db: sqlite3.Connection, lease: Lease) -> str:
    """Who recorded the first fact after this taking."""
    found = db.execute(
        "SELECT actor, recorded_at FROM facts WHERE run = ? AND epoch > ? ORDER BY seq LIMIT 1", (lease.run, lease.epoch)
    ).fetchone()
    return f" {found[0] or 'somebody'} has taken it over at {found[1]}, and" if found else ""


def _may_act(holder: str, expires_at: str, now: datetime) -> bool:
    # A holder seen dead on this machine cannot act, whatever its lease says.
    return timestamp(now) < expires_at and holder_is_alive(holder) is not False
