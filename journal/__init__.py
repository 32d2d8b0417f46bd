"""An append-only ledger in one SQLite file.

What it promises:

- a fact is durable when `append` returns; a transaction is there whole or not at all;
- the facts of a run are numbered from 1 without gaps, and each carries the digest of the one before;
- nothing changes or deletes a fact: triggers refuse it, and `verify` finds what was done without them;
- old runs can be removed whole: the end of each chain is kept, and the removal is itself a fact;
- one lease per run: whoever lost it cannot append, checked in the transaction that appends.

The map: `records` (shapes, encoding, digest) · `errors` · `schema` (tables, migrations) · `files`
(opening) · `holders` (is that process alive) · `leases` · `store` (Journal) · `writer` (many threads,
shared commits) · `verification` · `retention` (removing old runs).

It knows nothing about what the facts mean.
"""

from journal.errors import (
    JournalDamaged,
    JournalError,
    JournalMissing,
    JournalTooNew,
    JournalUnwritable,
    LeaseLost,
    RunHeld,
    RunMissing,
    RunPruned,
)
from journal.holders import holder_in_words, holder_is_alive, process_of, this_holder
from journal.records import OWN_CHAIN, Draft, Head, Lease, Outline, Pruned, Record, Verdict
from journal.store import Journal
from journal.verification import blobs_in
from journal.writer import GroupWriter

__all__ = [
    "OWN_CHAIN",
    "Draft",
    "GroupWriter",
    "Head",
    "Journal",
    "JournalDamaged",
    "JournalError",
    "JournalMissing",
    "JournalTooNew",
    "JournalUnwritable",
    "Lease",
    "LeaseLost",
    "Outline",
    "Pruned",
    "Record",
    "RunHeld",
    "RunMissing",
    "RunPruned",
    "Verdict",
    "blobs_in",
    "holder_in_words",
    "holder_is_alive",
    "process_of",
    "this_holder",
]
