"""What is to be said of an SQL dump that could be read: findings from its summary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.dumps import Dump
from orchestrator.findings import Finding
from orchestrator.summaries import SqlSummary

# Tables that every release from 2.11 to 2.15 has.
TABLES: Final = {
    "system-database": ["accounts", "users", "services", "cinstances", "plans", "metrics", "usage_limits", "proxies", "proxy_configs", "proxy_rules", "application_keys", "access_tokens", "service_tokens", "cms_templates", "invoices", "schema_migrations"],
    "zync": ["tenants", "providers", "services", "applications", "proxies", "clients", "integrations", "models", "entries", "que_jobs"],
}
ENGINES: Final = {"system-mysql-backup.gz": "mysql"}  # all others are PostgreSQL's
PROCEDURE: Final = "sp_invoices_friendly_id"
TERMINAL: Final = (
    "has CRLF line ends: it went through a terminal (`oc rsh` without `| gzip` inside, or Windows), which changes data"
)


def dump_findings(name: str, part: str, dump: Dump) -> Iterator[Finding]:
    """Everything to know about the file `name` of `part`."""
    if dump.fault:
        yield Finding(severity="error", subject=name, message=dump.fault)
    if dump.has_returns:
        yield Finding(severity="error", subject=name, message=TERMINAL)
    if dump.sql is None:
        return
    engine = ENGINES.get(name, "postgresql")
    if dump.sql.engine != engine:
        yield Finding(severity="error", subject=name, message=f"is a dump of {dump.sql.engine}, not of {engine}")
        return
    yield from table_findings(name, part, dump.sql)
    yield from safety_findings(name, dump.sql)
    if part == "system-database":
        yield from system_findings(name, dump.sql)
    for oddity in dump.oddities:
        yield Finding(severity="note", subject=name, message=oddity)


def table_findings(name: str, part: str, sql: SqlSummary) -> Iterator[Finding]:
    missing = [table for table in TABLES[part] if table not in sql.rows]
    if len(missing) > len(TABLES[part]) // 2:
        message = f"is no dump of 3scale's {part}: it lacks the tables {', '.join(missing)}"
        yield Finding(severity="error", subject=name, message=message)
    elif missing:
        message = f"lacks tables that every 3scale has: {', '.join(missing)}"
        yield Finding(severity="warning", subject=name, message=message)
    if not any(sql.rows.values()):
        yield Finding(severity="warning", subject=name, message="holds no rows: restoring it empties the database")


def safety_findings(name: str, sql: SqlSummary) -> Iterator[Finding]:
    """Whether it can be loaded twice, and into which database."""
    if not sql.has_drop_table and not sql.has_drop_database:
        if sql.engine == "mysql":
            message = "does not drop the tables it creates: loading it again from the start would not be safe"
            yield Finding(severity="warning", subject=name, message=message)
        else:
            message = "does not drop the tables it creates: it can be loaded into an empty database only"
            yield Finding(severity="note", subject=name, message=message)
    if sql.databases:
        message = f"switches databases itself ({', '.join(sql.databases)}): it goes there, whatever the client is told"
        severity = "note" if sql.flavour == "pg_dumpall" else "warning"
        yield Finding.model_validate({"severity": severity, "subject": name, "message": message})


def system_findings(name: str, sql: SqlSummary) -> Iterator[Finding]:
    if sql.masters is not None and sql.masters != 1:
        message = f"has {sql.masters} accounts that are the master: there is one in a whole database"
        yield Finding(severity="warning", subject=name, message=message)
    if sql.engine != "mysql":
        return
    if "invoices" in sql.rows and PROCEDURE not in sql.routines:
        message = f"lacks the procedure {PROCEDURE}, as mysqldump leaves routines out: `rake db:procedures` makes it anew"
        yield Finding(severity="warning", subject=name, message=message)
    others = [definer for definer in sql.definers if not definer.startswith("root@")]
    if others:
        message = f"has triggers, routines or views that run as {', '.join(others)}: who has to be there"
        yield Finding(severity="warning", subject=name, message=message)
