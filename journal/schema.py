"""The tables, triggers and views of a journal, and how an older file becomes a current one.

Migrations go forward only, one small function each, by sqlite-utils. It is imported inside the
functions because it is slow to import and needed only when a file is made or upgraded. The SQL is
written out, never generated, so that the text SQLite keeps has one digest on every machine.
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database, Migrations

APPLICATION_ID = 0x52_4A_52_4E  # "RJRN": what `file` and a careful reader recognise a journal by.
VERSION = 2

# STRICT tables would say the same, but SQLite 3.34 is still shipped by long-lived distributions.
# WITHOUT ROWID leaves one b-tree: no index can disagree with the facts.
FACTS = """
CREATE TABLE facts (
    run         TEXT NOT NULL CHECK (typeof(run) = 'text'),
    seq         INTEGER NOT NULL CHECK (typeof(seq) = 'integer'),
    recorded_at TEXT NOT NULL CHECK (typeof(recorded_at) = 'text'),
    epoch       INTEGER NOT NULL CHECK (typeof(epoch) = 'integer'),
    actor       TEXT NOT NULL CHECK (typeof(actor) = 'text'),
    type        TEXT NOT NULL CHECK (typeof(type) = 'text'),
    version     INTEGER NOT NULL CHECK (typeof(version) = 'integer'),
    step        TEXT CHECK (typeof(step) IN ('text', 'null')),
    attempt     INTEGER CHECK (typeof(attempt) IN ('integer', 'null')),
    data        TEXT NOT NULL CHECK (typeof(data) = 'text'),
    prev        TEXT NOT NULL CHECK (typeof(prev) = 'text'),
    digest      TEXT NOT NULL CHECK (typeof(digest) = 'text'),
    PRIMARY KEY (run, seq)
) WITHOUT ROWID
"""
OTHER_TABLES = (
    """
CREATE TABLE heads (run TEXT PRIMARY KEY NOT NULL, seq INTEGER NOT NULL, digest TEXT NOT NULL)
""",
    """
CREATE TABLE leases (
    run TEXT PRIMARY KEY NOT NULL, holder TEXT NOT NULL, epoch INTEGER NOT NULL, expires_at TEXT NOT NULL
)
""",
    """
CREATE TABLE blobs (sha256 TEXT PRIMARY KEY NOT NULL, data BLOB NOT NULL)
""",
    """
CREATE TABLE telemetry (run TEXT NOT NULL, step TEXT, name TEXT NOT NULL, value REAL NOT NULL, at TEXT NOT NULL)
""",
)

# The insert triggers also stop INSERT OR REPLACE, whose implied delete fires no trigger by default.
TRIGGERS = (
    """
CREATE TRIGGER facts_continue BEFORE INSERT ON facts
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM facts WHERE run = NEW.run)
BEGIN SELECT RAISE(ABORT, 'a fact must follow the last one of its run'); END
""",
    """
CREATE TRIGGER facts_never_change BEFORE UPDATE ON facts
BEGIN SELECT RAISE(ABORT, 'a fact never changes'); END
""",
    """
CREATE TRIGGER facts_never_leave BEFORE DELETE ON facts
BEGIN SELECT RAISE(ABORT, 'a fact is never deleted'); END
""",
    """
CREATE TRIGGER blobs_never_replaced BEFORE INSERT ON blobs
WHEN EXISTS (SELECT 1 FROM blobs WHERE sha256 = NEW.sha256)
BEGIN SELECT RAISE(ABORT, 'a blob is written once'); END
""",
    """
CREATE TRIGGER blobs_never_change BEFORE UPDATE ON blobs
BEGIN SELECT RAISE(ABORT, 'a blob never changes'); END
""",
    """
CREATE TRIGGER blobs_never_leave BEFORE DELETE ON blobs
BEGIN SELECT RAISE(ABORT, 'a blob is never deleted'); END
""",
)

# The views know no vocabulary but one habit: what moves a step is a fact whose type begins with Step.
VIEWS = (
    """
CREATE VIEW runs AS
SELECT heads.run, opened.recorded_at AS opened_at, latest.recorded_at AS last_at, heads.seq AS facts,
       latest.type AS last_type, leases.epoch, leases.holder, leases.expires_at, heads.digest AS head
FROM heads
LEFT JOIN facts AS opened ON opened.run = heads.run AND opened.seq = 1
LEFT JOIN facts AS latest ON latest.run = heads.run AND latest.seq = heads.seq
LEFT JOIN leases ON leases.run = heads.run
ORDER BY heads.rowid DESC
""",
    """
CREATE VIEW steps AS
SELECT run, step, min(recorded_at) AS first_at, max(recorded_at) AS last_at, max(attempt) AS attempts,
       count(*) AS facts,
       (SELECT last.type FROM facts AS last
        WHERE last.run = facts.run AND last.step = facts.step AND last.type LIKE 'Step%'
        ORDER BY last.seq DESC LIMIT 1) AS last_type
FROM facts WHERE step IS NOT NULL
GROUP BY run, step ORDER BY run, min(seq)
""",
    """
CREATE VIEW timeline AS
SELECT run, seq, recorded_at AS at, coalesce(step, '') AS step, type, data
FROM facts ORDER BY run, seq
""",
)

# ---- version 2: views for a post-mortem, and retention ------------------------------------------------

# There is still no index upon the facts: each view reads them by their primary key, one run at a time.
VIEWS_2 = (
    """
CREATE VIEW runs AS
SELECT heads.run, opened.recorded_at AS opened_at, latest.recorded_at AS last_at,
       round((julianday(latest.recorded_at) - julianday(opened.recorded_at)) * 86400, 3) AS seconds,
       heads.seq AS facts, latest.type AS last_type, leases.epoch, leases.holder, leases.expires_at,
       heads.digest AS head
FROM heads
LEFT JOIN facts AS opened ON opened.run = heads.run AND opened.seq = 1
LEFT JOIN facts AS latest ON latest.run = heads.run AND latest.seq = heads.seq
LEFT JOIN leases ON leases.run = heads.run
WHERE heads.run <> 'journal'
ORDER BY heads.rowid DESC
""",
    """
CREATE VIEW steps AS
SELECT told.run, told.step, told.first_at, told.last_at,
       round((julianday(told.last_at) - julianday(told.first_at)) * 86400, 3) AS seconds,
       told.attempts, told.facts, last.type AS last_type
FROM (
    SELECT run, step, min(seq) AS first_seq, min(recorded_at) AS first_at, max(recorded_at) AS last_at,
           max(attempt) AS attempts, count(*) AS facts, max(CASE WHEN type LIKE 'Step%' THEN seq END) AS last_seq
    FROM facts WHERE step IS NOT NULL GROUP BY run, step
) AS told
LEFT JOIN facts AS last ON last.run = told.run AND last.seq = told.last_seq
ORDER BY told.run, told.first_seq
""",
    """
CREATE VIEW timeline AS
SELECT facts.run, facts.seq, facts.recorded_at AS at,
       round((julianday(facts.recorded_at) - julianday(earlier.recorded_at)) * 86400, 3) AS seconds_since,
       coalesce(facts.step, '') AS step, facts.attempt, facts.epoch, facts.actor, facts.type, facts.data
FROM facts
LEFT JOIN facts AS earlier ON earlier.run = facts.run AND earlier.seq = facts.seq - 1
ORDER BY facts.run, facts.seq
""",
    """
CREATE VIEW decisions AS
SELECT run, seq, recorded_at AS at, coalesce(step, '') AS step, type, json_extract(data, '$.verdict') AS verdict,
       coalesce(json_extract(data, '$.reason'), json_extract(data, '$.question')) AS reason,
       coalesce(json_extract(data, '$.by'), actor) AS by
FROM facts WHERE type LIKE 'Decision%' ORDER BY run, seq
""",
    """
CREATE VIEW retries AS
SELECT run, seq, recorded_at AS at, coalesce(step, '') AS step, attempt,
       json_extract(data, '$.failures') AS failures, json_extract(data, '$.reason') AS reason,
       json_extract(data, '$.not_before') AS not_before
FROM facts WHERE type LIKE 'Retry%' ORDER BY run, seq
""",
)

# What is known of a run whose facts were removed: the end of its chain. `unreferenced` holds the blobs
# that a removal takes with it, and is empty outside its transaction.
RETENTION = (
    """
CREATE TABLE pruned (
    run TEXT PRIMARY KEY NOT NULL, seq INTEGER NOT NULL, digest TEXT NOT NULL, opened_at TEXT NOT NULL,
    last_at TEXT NOT NULL, pruned_at TEXT NOT NULL
)
""",
    """
CREATE TABLE unreferenced (sha256 TEXT PRIMARY KEY NOT NULL)
""",
    """
CREATE INDEX telemetry_by_run ON telemetry (run)
""",
    """
CREATE TRIGGER facts_never_leave BEFORE DELETE ON facts
WHEN NOT EXISTS (SELECT 1 FROM pruned WHERE run = OLD.run)
BEGIN SELECT RAISE(ABORT, 'a fact is never deleted'); END
""",
    """
CREATE TRIGGER facts_never_return BEFORE INSERT ON facts
WHEN EXISTS (SELECT 1 FROM pruned WHERE run = NEW.run)
BEGIN SELECT RAISE(ABORT, 'the facts of this run were removed: it cannot go on'); END
""",
    """
CREATE TRIGGER blobs_never_leave BEFORE DELETE ON blobs
WHEN NOT EXISTS (SELECT 1 FROM unreferenced WHERE sha256 = OLD.sha256)
BEGIN SELECT RAISE(ABORT, 'a blob is never deleted'); END
""",
    """
CREATE TRIGGER pruned_never_replaced BEFORE INSERT ON pruned
WHEN EXISTS (SELECT 1 FROM pruned WHERE run = NEW.run)
BEGIN SELECT RAISE(ABORT, 'a run is removed once'); END
""",
    """
CREATE TRIGGER pruned_never_change BEFORE UPDATE ON pruned
BEGIN SELECT RAISE(ABORT, 'the head of a removed run never changes'); END
""",
    """
CREATE TRIGGER pruned_never_leave BEFORE DELETE ON pruned
BEGIN SELECT RAISE(ABORT, 'the head of a removed run is never deleted'); END
""",
)

# What `schema_digest` gives for each version, so that opening needs neither sqlite-utils nor a copy.
DIGESTS = {
    1: "ca5c344041c70c4594ace45fa4bffd43aee114290e03571010f130f8e255c4d4",
    2: "786021eb2dfa33225c1d6f8c07be48899f3d996b2b2a160d83f20596976b61e0",
}


def migrations() -> Migrations:
    """Every migration in order; `VERSION` is their number."""
    from sqlite_utils import Migrations

    steps = Migrations("journal")

    @steps()
    def first_tables(db: Database) -> None:
        for statement in (FACTS, *OTHER_TABLES, *TRIGGERS, *VIEWS):
            db.execute(statement)

    @steps()
    def views_and_retention(db: Database) -> None:
        for kind, name in (("VIEW", "runs"), ("VIEW", "steps"), ("VIEW", "timeline"),
                           ("TRIGGER", "facts_never_leave"), ("TRIGGER", "blobs_never_leave")):
            db.execute(f"DROP {kind} {name}")
        for statement in (*RETENTION, *VIEWS_2):
            db.execute(statement)

    return steps


def migrate(db: sqlite3.Connection) -> None:
    """Brings the file to `VERSION` in one exclusive transaction: a second process waits, then finds it done."""
    from sqlite_utils import Database

    db.execute("BEGIN EXCLUSIVE")
    try:
        if (stored_version(db) or 0) < VERSION:
            migrations().apply(Database(db, recursive_triggers=False))
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def stored_version(db: sqlite3.Connection) -> int | None:
    """The schema version of the file: 0 for a new one, None when it is something else than a journal."""
    application_id = int(db.execute("PRAGMA application_id").fetchone()[0])
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    (objects,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application_id == APPLICATION_ID:
        return version
    return None if application_id or version or objects else 0


def schema_digest(db: sqlite3.Connection) -> str:
    """SHA-256 over the text of our tables, views, and of every trigger and index upon them."""
    ours = ("facts", "heads", "leases", "blobs", "telemetry", "runs", "steps", "timeline", "decisions", "retries",
            "pruned", "unreferenced")
    rows = db.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master"
        f" WHERE tbl_name IN ({','.join('?' * len(ours))}) AND sql IS NOT NULL ORDER BY type, name",
        ours,
    ).fetchall()
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def difference(db: sqlite3.Connection) -> str | None:
    """What is wrong with the schema of the file, or None. A newer version cannot be judged."""
    version = stored_version(db)
    if version is None:
        return "it is an SQLite file, but not a journal"
    if version > VERSION or schema_digest(db) == DIGESTS.get(version):
        return None
    return "its tables, triggers or views are not the ones it was made with"
