"""The schemas of system and zync as their programs make them where there is none, and what is seeded then.

Tables, triggers and procedure are those of the sample data. All releases have the same ones here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from orchestrator.rehearsal import samples_porta as porta
from orchestrator.rehearsal import samples_zync as zync
from orchestrator.rehearsal.dialects import DIALECTS, POSTGRESQL, Dialect, Row
from orchestrator.rehearsal.standins.sql import Database

JOB_CLASS = "ProcessIntegrationEntryJob"
RECORDS = {
    "Provider": ("providers", ("id", "tenant_id", "domain", "admin_domain")),
    "Proxy": ("proxies", ("id", "tenant_id", "service_id", "endpoint", "sandbox_endpoint")),
}
"""What zync hears of -> its table, and which of the words it hears are columns there."""
NEWEST = max(porta.VERSIONS)
"""The newest migration of system."""


def dialect_of(database: Database) -> Dialect:
    return DIALECTS["mysql" if database.is_mysql else "postgresql"]


def make_system(database: Database, seed: Mapping[str, str]) -> None:
    """One master, one tenant with one API. `seed` is the environment of a container of system."""
    dialect = dialect_of(database)
    script = [porta.definition(dialect, table) for table in porta.TABLES]
    script += ["CREATE TABLE schema_migrations (version varchar(255) PRIMARY KEY);\n", *porta.triggers(dialect)]
    for table, (columns, rows) in _seeds(seed).items():
        script += dialect.inserts(table, columns.split(), rows)
        if not database.is_mysql and columns.startswith("id "):
            script.append(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}));\n")
    database.run("".join(script))


def make_zync(database: Database) -> None:
    version = "INSERT INTO schema_migrations VALUES ('20230803125601');\n"
    database.run(zync.SCHEMA + version + "COMMIT;\n")


def procedure_script(dialect: Dialect) -> str:
    if dialect.name == "mysql":
        return f"DROP PROCEDURE IF EXISTS sp_invoices_friendly_id;\nDELIMITER //\n{porta.MYSQL_PROCEDURE}DELIMITER ;\n"
    return f"DROP FUNCTION IF EXISTS sp_invoices_friendly_id(bigint);\n{porta.POSTGRESQL_PROCEDURE}"


def trigger_script(dialect: Dialect) -> str:
    """All triggers anew; the procedure comes with them."""
    tables = (*porta.TENANT_COLUMNS, *porta.TENANT_PARENTS)
    if dialect.name == "mysql":
        drops = "".join(f"DROP TRIGGER IF EXISTS {table}_tenant_id;\n" for table in tables)
        return drops + "DROP PROCEDURE IF EXISTS sp_invoices_friendly_id;\n" + "".join(porta.triggers(dialect))
    drops = "".join(f"DROP FUNCTION IF EXISTS {table}_tenant_id() CASCADE;\n" for table in tables)
    return drops + "DROP FUNCTION IF EXISTS sp_invoices_friendly_id(bigint);\n" + "".join(porta.triggers(dialect))


def _seeds(seed: Mapping[str, str]) -> dict[str, tuple[str, list[Row]]]:
    domain, tenant = seed["THREESCALE_SUPERDOMAIN"], seed["TENANT_NAME"]
    master, portal, admin = f"{seed['MASTER_DOMAIN']}.{domain}", f"{tenant}.{domain}", f"{tenant}-admin.{domain}"
    staging, production = (f"https://api-{tenant}-apicast-{which}.{domain}:443" for which in ("staging", "production"))
    return {
        "accounts": ("id org_name provider master provider_account_id domain self_domain state", [
            (1, "Master Account", True, True, 1, master, master, "approved"),
            (2, "Provider Name", True, False, 1, portal, admin, "approved"),
        ]),
        "users": ("id account_id username email state", [
            (1, 1, seed["MASTER_USER"], f"master@{master}", "active"), (2, 2, seed["USER_LOGIN"], seed["USER_EMAIL"], "active"),
        ]),
        "services": ("id account_id name system_name state backend_version deployment_option", [
            (1, 1, "Master Service", "master_service", "incomplete", "1", "self_managed"),
            (2, 2, "API", "api", "incomplete", "1", "hosted"),
        ]),
        "plans": ("id issuer_id issuer_type type name", [
            (1, 1, "Service", "ApplicationPlan", "Enterprise"), (2, 2, "Service", "ApplicationPlan", "Basic"),
        ]),
        "cinstances": ("id plan_id user_account_id service_id application_id user_key state", [
            (1, 1, 2, 1, "provider-app", seed["SECRET_KEY_BASE"][:12] + "-provider-key", "live"),
        ]),
        "metrics": ("id service_id owner_id owner_type system_name", [(1, 1, 1, "Service", "hits"), (2, 2, 2, "Service", "hits")]),
        "proxies": ("id service_id endpoint sandbox_endpoint", [(2, 2, production, staging)]),
        "access_tokens": ("id owner_id name value", [
            (1, 1, "Master Token", seed["MASTER_ACCESS_TOKEN"]), (2, 2, "Administration", seed["ADMIN_ACCESS_TOKEN"]),
        ]),
        "schema_migrations": ("version", [(version,) for version in porta.VERSIONS]),
    }  # fmt: skip


def note_script(data: Mapping[str, object]) -> Iterator[str]:
    """What zync writes down of one thing it hears: the record, a model, an entry, and a job to act on it."""
    value = POSTGRESQL.value
    kind, number, tenant = str(data["type"]), int(str(data["id"])), int(str(data["tenant_id"]))
    yield "BEGIN;\n"
    yield f"INSERT INTO tenants VALUES ({tenant}, 'http://system-master:3000', 'none', now()) ON CONFLICT DO NOTHING;\n"
    if kind == "Proxy":
        service = int(str(data["service_id"]))
        yield f"INSERT INTO services (id, tenant_id, created_at) VALUES ({service}, {tenant}, now()) ON CONFLICT DO NOTHING;\n"
    table, columns = RECORDS[kind]
    values = ", ".join(value(data[column]) for column in columns)  # type: ignore[arg-type]
    updates = ", ".join(f"{column} = EXCLUDED.{column}" for column in columns[1:])
    yield f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values}) ON CONFLICT (id) DO UPDATE SET {updates};\n"
    model = f"record_type = {value(kind)} AND record_id = {number}"
    yield f"INSERT INTO models (tenant_id, record_type, record_id) VALUES ({tenant}, {value(kind)}, {number}) ON CONFLICT DO NOTHING;\n"
    yield (
        f"INSERT INTO entries (data, tenant_id, model_id, created_at) SELECT {value(_json(data))}, {tenant}, id, now() "
        f"FROM models WHERE {model};\n"
    )
    yield f"INSERT INTO que_jobs (run_at, job_class, args) VALUES (now(), {value(JOB_CLASS)}, {value(_json([data]))});\nCOMMIT;\n"


def _json(thing: object) -> str:
    return json.dumps(thing, ensure_ascii=False)
