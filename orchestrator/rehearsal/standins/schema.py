"""The tables of system and zync, as far as the stand-ins read and write them, and what a fresh schema is seeded with.

The real schemas have many more. Statements here are such that MySQL and PostgreSQL take them alike.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.rehearsal.standins.sql import quoted

VERSIONS = {"2.11": "20210601000000", "2.12": "20220301000000", "2.13": "20230201000000", "2.14": "20231101000000", "2.15": "20240901000000"}
"""Release -> the newest migration of system's schema."""
SYSTEM_TABLES = {
    "schema_migrations": "version VARCHAR(255) NOT NULL PRIMARY KEY",
    "accounts": "id BIGINT NOT NULL PRIMARY KEY, org_name VARCHAR(255), master BOOLEAN, provider BOOLEAN, state VARCHAR(255), "
    "domain VARCHAR(255), self_domain VARCHAR(255)",
    "services": "id BIGINT NOT NULL PRIMARY KEY, account_id BIGINT, system_name VARCHAR(255), state VARCHAR(255)",
    "plans": "id BIGINT NOT NULL PRIMARY KEY, issuer_id BIGINT, name VARCHAR(255)",
    "cinstances": "id BIGINT NOT NULL PRIMARY KEY, service_id BIGINT, plan_id BIGINT, application_id VARCHAR(255), "
    "user_key VARCHAR(255), state VARCHAR(255)",
    "metrics": "id BIGINT NOT NULL PRIMARY KEY, service_id BIGINT, system_name VARCHAR(255)",
    "proxies": "id BIGINT NOT NULL PRIMARY KEY, service_id BIGINT, endpoint VARCHAR(255), sandbox_endpoint VARCHAR(255)",
    "access_tokens": "id BIGINT NOT NULL PRIMARY KEY, owner_id BIGINT, name VARCHAR(255), value VARCHAR(255)",
    "users": "id BIGINT NOT NULL PRIMARY KEY, account_id BIGINT, username VARCHAR(255), email VARCHAR(255)",
}
ZYNC_TABLES = {
    "providers": "id BIGINT PRIMARY KEY, tenant_id BIGINT, domain TEXT, admin_domain TEXT",
    "services": "id BIGINT PRIMARY KEY, tenant_id BIGINT",
    "applications": "id BIGINT PRIMARY KEY, tenant_id BIGINT, service_id BIGINT",
    "proxies": "id BIGINT PRIMARY KEY, tenant_id BIGINT, service_id BIGINT, endpoint TEXT, sandbox_endpoint TEXT",
    "entries": "id BIGSERIAL PRIMARY KEY, data JSONB, tenant_id BIGINT, model_id BIGINT, created_at TIMESTAMP DEFAULT now()",
    "que_jobs": "priority SMALLINT DEFAULT 100, run_at TIMESTAMPTZ DEFAULT now(), job_id BIGSERIAL PRIMARY KEY, job_class TEXT, "
    "args JSONB, error_count INTEGER DEFAULT 0, last_error TEXT, queue TEXT DEFAULT ''",
}


def create_script(tables: Mapping[str, str]) -> str:
    return "".join(f"CREATE TABLE IF NOT EXISTS {name} ({columns});\n" for name, columns in tables.items())


def seed_script(seed: Mapping[str, str], superdomain: str, version: str) -> str:
    """One master, one tenant with one API. `seed` is the environment that the Secret system-seed gives."""
    tenant = seed["TENANT_NAME"]
    master = f"{seed['MASTER_DOMAIN']}.{superdomain}"
    rows: dict[str, list[tuple[object, ...]]] = {
        "accounts": [
            (1, "Master Account", True, True, "approved", master, master),
            (2, "Provider Name", False, True, "approved", f"{tenant}.{superdomain}", f"{tenant}-admin.{superdomain}"),
        ],
        "services": [(1, 1, "master_service", "incomplete"), (2, 2, "api", "incomplete")],
        "plans": [(1, 1, "enterprise"), (2, 2, "Basic")],
        "cinstances": [(1, 1, 1, "master-app", "provider-key-2", "live"), (2, 2, 2, "first-app", "first-user-key", "live")],
        "metrics": [(1, 1, "hits"), (2, 2, "hits")],
        "proxies": [(1, 2, f"https://api-{tenant}-apicast-production.{superdomain}:443",
                     f"https://api-{tenant}-apicast-staging.{superdomain}:443")],
        "access_tokens": [(1, 1, "Master Token", seed["MASTER_ACCESS_TOKEN"]), (2, 2, "Admin", seed["ADMIN_ACCESS_TOKEN"])],
        "users": [(1, 1, seed["MASTER_USER"], ""), (2, 2, seed["USER_LOGIN"], seed["USER_EMAIL"])],
        "schema_migrations": [(version,)],
    }  # fmt: skip
    columns = {"accounts": "(id, org_name, master, provider, state, domain, self_domain)",
               "cinstances": "(id, service_id, plan_id, application_id, user_key, state)"}  # fmt: skip
    return "".join(
        f"INSERT INTO {table} {columns.get(table, '')} VALUES ({', '.join(literal(value) for value in row)});\n"
        for table, found in rows.items()
        for row in found
    )


def literal(value: object) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return str(value) if isinstance(value, int) else quoted(str(value))
