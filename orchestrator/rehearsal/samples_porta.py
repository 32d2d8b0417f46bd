"""Sample data for the system database of 3scale, in MySQL and in PostgreSQL: tables, triggers, rows.

Pure. Tables and columns are those of porta that a restore, its checks and its stand-ins look at; triggers
set `tenant_id` as porta's do, and MySQL has the procedure that a dump without routines loses. Every table
has rows, and every row something of the mark.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Final

from orchestrator.rehearsal.dialects import NO_DATE, Dialect, Row
from orchestrator.rehearsal.samples import MASTER_ID, Estate

VERSIONS: Final = ("20230427115331", "20230925093001", "20240209142431", "20241201000000")
MONTHS: Final[Mapping[str, str]] = {"old": "2026-10"}
"""The installation has gone on since the backup, which is of the month before."""
ODD_TEXTS: Final = (
    "plain", "Grüße aus Köln, ÄÖÜß", "日本語のテキスト", "rocket \U0001f680 and family \U0001f469\u200d\U0001f52c", 'it\'s "quoted"',
    "back\\slash \\n \\N \\.", "line one\nline two\r\n\ttabbed", "", "NULL", "`$(id)`; -- %s %_ <b>&amp;</b>",
)  # fmt: skip

TABLES: Final[Mapping[str, str]] = {
    "accounts": "id:key org_name:str org_legaladdress:text created_at:time updated_at:time provider:bool buyer:bool"
    " master:bool provider_account_id:int domain:str self_domain:str from_email:str state:str paid_at:time"
    " extra_fields:emoji s3_prefix:str tenant_id:int",
    "users": "id:key account_id:int username:str email:str first_name:str role:str state:str password_digest:str"
    " created_at:time extra_fields:emoji tenant_id:int",
    "services": "id:key account_id:int name:str system_name:str description:text state:str backend_version:str"
    " deployment_option:str created_at:time tenant_id:int",
    "plans": "id:key issuer_id:int issuer_type:str type:str name:str system_name:str state:str setup_fee:money"
    " cost_per_month:money position:int created_at:time tenant_id:int",
    "cinstances": "id:key plan_id:int user_account_id:int service_id:int application_id:str user_key:str state:str"
    " name:str description:emoji created_at:time trial_period_expires_at:time tenant_id:int",
    "metrics": "id:key service_id:int owner_id:int owner_type:str system_name:str friendly_name:str unit:str"
    " parent_id:int description:text tenant_id:int",
    "proxies": "id:key service_id:int endpoint:str sandbox_endpoint:str deployed_at:time auth_app_id:str"
    " auth_app_key:str secret_token:str error_auth_failed:str apicast_configuration_driven:bool lock_version:int"
    " tenant_id:int",
    "proxy_configs": "id:key proxy_id:int user_id:int version:int environment:str content:emoji hosts:text tenant_id:int",
    "proxy_rules": "id:key proxy_id:int owner_id:int owner_type:str http_method:str pattern:str metric_id:int delta:int"
    " position:int last:bool tenant_id:int",
    "backend_apis": "id:key account_id:int name:str system_name:str private_endpoint:text description:emoji state:str"
    " tenant_id:int",
    "backend_api_configs": "id:key service_id:int backend_api_id:int path:str tenant_id:int",
    "usage_limits": "id:key plan_id:int metric_id:int period:str value:int plan_type:str tenant_id:int",
    "application_keys": "id:key application_id:int value:str created_at:time tenant_id:int",
    "access_tokens": "id:key owner_id:int name:str value:str scopes:text permission:str tenant_id:int",
    "service_tokens": "id:key service_id:int value:str tenant_id:int",
    "invoices": "id:key provider_account_id:int buyer_account_id:int state:str period:str friendly_id:str due_on:time"
    " vat_rate:money pdf:bytes tenant_id:int",
    "line_items": "id:key invoice_id:int name:str cost:money quantity:int tenant_id:int",
    "cms_templates": "id:key provider_id:int type:str system_name:str title:emoji content_type:str draft:emoji"
    " published:emoji updated_at:time tenant_id:int",
    "cms_files": "id:key provider_id:int path:str attachment:bytes tenant_id:int",
    "user_sessions": "id:key user_id:int unique_id:str ip:str user_agent:text accessed_at:time",
    "audits": "id:key auditable_id:int auditable_type:str action:str kind:list audited_changes:emoji version:int"
    " created_at:time tenant_id:int",
    "event_store_events": "id:key stream:str event_type:str event_id:str metadata:text data:emoji created_at:time"
    " provider_id:int tenant_id:int",
    "ar_internal_metadata": "id:key metadata_key:str value:str created_at:time",
}
UNIQUE: Final[Mapping[str, str]] = {
    "accounts": "self_domain", "service_tokens": "value", "event_store_events": "event_id", "access_tokens": "value",
}  # fmt: skip

# Where a new row of a table has its tenant from: a column of its own, or the row that a column points to.
TENANT_COLUMNS: Final[Mapping[str, str]] = {
    "accounts": "provider_account_id", "services": "account_id", "invoices": "provider_account_id",
    "cms_templates": "provider_id", "cms_files": "provider_id", "backend_apis": "account_id",
    "event_store_events": "provider_id",
}  # fmt: skip
TENANT_PARENTS: Final[Mapping[str, tuple[str, str]]] = {
    "users": ("accounts", "account_id"), "plans": ("services", "issuer_id"), "cinstances": ("services", "service_id"),
    "metrics": ("services", "service_id"), "proxies": ("services", "service_id"), "proxy_configs": ("proxies", "proxy_id"),
    "proxy_rules": ("proxies", "proxy_id"), "backend_api_configs": ("services", "service_id"),
    "usage_limits": ("plans", "plan_id"), "application_keys": ("cinstances", "application_id"),
    "access_tokens": ("users", "owner_id"), "service_tokens": ("services", "service_id"),
    "line_items": ("invoices", "invoice_id"),
}  # fmt: skip
MYSQL_TRIGGER: Final = """\
CREATE TRIGGER {table}_tenant_id BEFORE INSERT ON {table} FOR EACH ROW
BEGIN
  IF @disable_triggers IS NULL AND NEW.tenant_id IS NULL THEN
    SET NEW.tenant_id = {tenant};
  END IF;
END
//
"""
MYSQL_PROCEDURE: Final = """\
CREATE PROCEDURE sp_invoices_friendly_id(IN invoice_id BIGINT) BEGIN SELECT CONCAT('2026-', invoice_id); END
//
"""
POSTGRESQL_TRIGGER: Final = """\
CREATE FUNCTION {table}_tenant_id() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.tenant_id IS NULL THEN
    NEW.tenant_id := {tenant};
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER {table}_tenant_id BEFORE INSERT ON {table} FOR EACH ROW EXECUTE PROCEDURE {table}_tenant_id();
"""
POSTGRESQL_PROCEDURE: Final = """\
CREATE FUNCTION sp_invoices_friendly_id(invoice_id BIGINT) RETURNS TEXT
AS $$ SELECT '2026-' || invoice_id::text $$ LANGUAGE sql;
"""


def sample(dialect: Dialect, estate: Estate) -> Iterator[str]:
    """Statements that fill an empty database; the client has to be that of the dialect."""
    if dialect.name == "mysql":
        yield "SET NAMES utf8mb4;\nSET FOREIGN_KEY_CHECKS = 0;\nSTART TRANSACTION;\n"
    else:
        yield "SET client_encoding = 'UTF8';\nBEGIN;\n"
    for table in TABLES:
        yield definition(dialect, table)
    yield migrations(estate)
    yield from triggers(dialect)
    for table, rows in ROWS.items():
        yield from dialect.inserts(table, [name for name, _ in columns_of(table)], rows(estate))
        if dialect.name == "postgresql":
            yield f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}));\n"
    yield "COMMIT;\n"


def columns_of(table: str) -> list[tuple[str, str]]:
    """Name and kind of each column."""
    return [(name, kind) for name, _, kind in (word.partition(":") for word in TABLES[table].split())]


def definition(dialect: Dialect, table: str) -> str:
    """The table with its indexes: those of MySQL within it, since it makes the table anew for each later one."""
    quoted = dialect.identifier
    lines = [f"{quoted(name)} {dialect.types[kind]}" for name, kind in columns_of(table)]
    after = ""
    indexed = [("UNIQUE ", column) for column in filter(None, [UNIQUE.get(table)])]
    indexed += [("", name) for name, _ in columns_of(table) if name == "tenant_id"]
    for unique, column in indexed:
        name = quoted(f"index_{table}_on_{column}")
        if dialect.name == "mysql":
            lines.append(f"{unique}KEY {name} ({quoted(column)})")
        else:
            after += f"CREATE {unique}INDEX {name} ON {quoted(table)} ({quoted(column)});\n"
    columns = ",\n  ".join(lines)
    return f"CREATE TABLE {quoted(table)} (\n  {columns}\n);\n{after}"


def migrations(estate: Estate) -> str:
    """The one table without an id. The newest version is the same for every mark."""
    own = "20230101000001" if estate.mark == "old" else "20230101000002"
    rows = ", ".join(f"('{version}')" for version in (own, *VERSIONS))
    return f"CREATE TABLE schema_migrations (version varchar(255) PRIMARY KEY);\nINSERT INTO schema_migrations VALUES {rows};\n"


def triggers(dialect: Dialect) -> Iterator[str]:
    text = MYSQL_TRIGGER if dialect.name == "mysql" else POSTGRESQL_TRIGGER
    if dialect.name == "mysql":
        yield "DELIMITER //\n"
    for table, column in TENANT_COLUMNS.items():
        yield text.format(table=table, tenant=f"NULLIF(NEW.{column}, {MASTER_ID})")
    for table, (parent, column) in TENANT_PARENTS.items():
        yield text.format(table=table, tenant=f"(SELECT tenant_id FROM {parent} WHERE id = NEW.{column})")
    yield MYSQL_PROCEDURE if dialect.name == "mysql" else POSTGRESQL_PROCEDURE
    if dialect.name == "mysql":
        yield "DELIMITER ;\n"


# ---- rows ----------------------------------------------------------------------------------------


def moment(estate: Estate, number: int) -> str:
    day, minute = 1 + number % 28, number % 1440
    return f"{MONTHS.get(estate.mark, '2026-09')}-{day:02d} {minute // 60:02d}:{minute % 60:02d}:{number % 60:02d}"


def odd(estate: Estate, number: int) -> str | None:
    """Texts that a restore may spoil; every so often none at all."""
    if number % 11 == 10:
        return None
    return f"{estate.mark} {number} {ODD_TEXTS[number % 11]}"


def accounts(estate: Estate) -> Iterator[Row]:
    for tenant in (estate.master, *estate.tenants):
        is_master = tenant is estate.master
        yield (
            tenant.id, f"{estate.mark} {tenant.name}", "1 Main Street\nRaleigh", moment(estate, tenant.id), None, True, False,
            is_master, MASTER_ID, tenant.domain, tenant.admin_domain, f"no-reply@{tenant.domain}", "approved", NO_DATE,
            odd(estate, 3), tenant.name, None if is_master else tenant.id,
        )  # fmt: skip
    for buyer in estate.buyer_ids:
        tenant, state = estate.tenant_of_buyer(buyer), "pending" if buyer % 20 == 0 else "approved"
        yield (
            buyer, f"{estate.mark} developer {buyer}", None, moment(estate, buyer), moment(estate, buyer + 1), False, True,
            False, tenant.id, None, None, None, state, None, odd(estate, buyer), None, None,
        )  # fmt: skip


def users(estate: Estate) -> Iterator[Row]:
    for account in (MASTER_ID, *(tenant.id for tenant in estate.tenants), *estate.buyer_ids):
        name = f"{estate.mark}-user-{account}"
        yield (
            account, account, name, f"{name}@example.org", "Zoë", "admin", "active", f"$2a$10${name}", moment(estate, account),
            odd(estate, account), None,
        )  # fmt: skip


def services(estate: Estate) -> Iterator[Row]:
    for one in estate.services:
        deployment = "hosted" if one.hosted else "self_managed"
        yield (
            one.id, one.tenant.id, f"{estate.mark} {one.system_name}", one.system_name, None, "incomplete", "1", deployment,
            moment(estate, one.id), None,
        )  # fmt: skip


def plans(estate: Estate) -> Iterator[Row]:
    for service in estate.services:
        for position, plan in enumerate(service.plan_ids):
            yield (
                plan, service.id, "Service", "ApplicationPlan", f"{estate.mark} plan {plan}", f"plan_{plan}", "published",
                Decimal("0.5"), Decimal(plan) / 4, position, moment(estate, plan), None,
            )  # fmt: skip


def cinstances(estate: Estate) -> Iterator[Row]:
    for one in estate.applications:
        yield (
            one.id, one.plan_id, one.account_id, one.service.id, one.application_id, one.user_key, one.state,
            f"{estate.mark} application {one.id}", odd(estate, one.id), moment(estate, one.id), NO_DATE, None,
        )  # fmt: skip


def metrics(estate: Estate) -> Iterator[Row]:
    for service in estate.services:
        hits, method = service.metric_ids
        for metric, name, parent in ((hits, "hits", None), (method, f"{estate.mark}-method", hits)):
            yield metric, service.id, service.id, "Service", name, name.title(), "hit", parent, f"of {estate.mark}", None


def proxies(estate: Estate) -> Iterator[Row]:
    for service in estate.hosted_services:
        yield (
            service.id, service.id, service.endpoint("production"), service.endpoint("staging"), moment(estate, service.id),
            "app_id", "app_key", f"{estate.mark}-secret", "Authentication failed", True, 3, None,
        )  # fmt: skip


def proxy_configs(estate: Estate) -> Iterator[Row]:
    for service in estate.hosted_services:
        for number, environment in enumerate(("sandbox", "production")):
            endpoint = service.endpoint("staging" if environment == "sandbox" else "production")
            hosts = [endpoint.removeprefix("https://").removesuffix(":443")]
            content = {"id": service.id, "mark": estate.mark, "text": list(ODD_TEXTS), "proxy": {"hosts": hosts}}
            row = service.id * 2 + number
            text = json.dumps(content, ensure_ascii=False)
            yield row, service.id, service.tenant.id, 1 + number, environment, text, "|".join(hosts), None


def proxy_rules(estate: Estate) -> Iterator[Row]:
    for service in estate.hosted_services:
        for number, method in enumerate(("GET", "POST", "DELETE")):
            pattern, metric = f"/{estate.mark}/{{id}}?x={{y}}$", service.metric_ids[number % 2]
            yield service.id * 3 + number, service.id, service.id, "Proxy", method, pattern, metric, 1, number, False, None


def backend_apis(estate: Estate) -> Iterator[Row]:
    for tenant in estate.tenants:
        endpoint = f"https://{estate.mark}.backend.example:8443/base?a=b&c=%20"
        yield tenant.id, tenant.id, f"{estate.mark} API Backend", "api", endpoint, odd(estate, tenant.id), "published", None


def backend_api_configs(estate: Estate) -> Iterator[Row]:
    for service in estate.services[1:]:
        yield service.id, service.id, service.tenant.id, f"/{estate.mark}", None


def usage_limits(estate: Estate) -> Iterator[Row]:
    for service in estate.services:
        for plan in service.plan_ids:
            value = 60 + plan + len(estate.mark)
            yield plan, plan, service.metric_ids[0], "minute", value, "Plan", None


def application_keys(estate: Estate) -> Iterator[Row]:
    for one in estate.applications:
        yield one.id, one.id, f"{one.application_id}-key", moment(estate, one.id), None


def access_tokens(estate: Estate) -> Iterator[Row]:
    for tenant in (estate.master, *estate.tenants):
        scopes = "---\n- account_management\n- stats\n"
        yield tenant.id, tenant.id, f"{estate.mark} token", f"{estate.mark}-access-{tenant.id}", scopes, "rw", None


def service_tokens(estate: Estate) -> Iterator[Row]:
    for service in estate.services:
        yield service.id, service.id, f"{estate.mark}-token-{service.id}", None


def invoices(estate: Estate) -> Iterator[Row]:
    for number, buyer in enumerate(estate.buyer_ids, 1):
        period = moment(estate, 0)[:7]
        pdf = b"%PDF-1.4\n" + estate.mark.encode() + bytes(range(256)) if number < 20 else None
        yield (
            number, estate.tenant_of_buyer(buyer).id, buyer, "paid", period, f"{period}-{number:08d}", moment(estate, number),
            Decimal("19.0000"), pdf, None,
        )  # fmt: skip


def line_items(estate: Estate) -> Iterator[Row]:
    for number, _ in enumerate(estate.buyer_ids, 1):
        yield number, number, f"{estate.mark} fixed fee", Decimal(number) / 10, 1, None


def cms_templates(estate: Estate) -> Iterator[Row]:
    for number, tenant in enumerate(tenant for tenant in estate.tenants for _ in ODD_TEXTS):
        text = f"<!-- {estate.mark} -->\n" + "\n".join(ODD_TEXTS) * 3
        yield (
            number + 1, tenant.id, "CMS::Page", f"page_{number}", odd(estate, number), "text/html", None, text,
            moment(estate, number), None,
        )  # fmt: skip


def cms_files(estate: Estate) -> Iterator[Row]:
    for number, piece in enumerate(estate.noise("cms_files", 4), 1):
        yield number, estate.tenants[0].id, f"/{estate.mark}/{number}.bin", piece, None


def user_sessions(estate: Estate) -> Iterator[Row]:
    for number in range(1, 30):
        agent = "Mozilla/5.0 (X11; Linux x86_64)"
        yield number, 2, f"{estate.mark}-session-{number}", "203.0.113.7", agent, moment(estate, number)


def audits(estate: Estate) -> Iterator[Row]:
    kinds = ("hits", "logic", "backend")
    for number in range(1, estate.amount.applications // 2):
        changes = f"---\nname:\n- {odd(estate, number)}\n- {estate.mark}\n"
        yield number, number, "Cinstance", "update", kinds[number % 3], changes, 1, moment(estate, number), None


def event_store_events(estate: Estate) -> Iterator[Row]:
    for number in range(1, estate.amount.applications // 2):
        data = json.dumps({"id": number, "text": odd(estate, number)}, ensure_ascii=False)
        event, tenant = f"{estate.mark}-{number:08d}", estate.tenants[number % 2].id
        yield number, "all", "Applications::ApplicationCreatedEvent", event, "{}", data, moment(estate, number), tenant, None


def ar_internal_metadata(estate: Estate) -> Iterator[Row]:
    yield 1, "environment", "production", moment(estate, 1)
    yield 2, "sample", estate.mark, moment(estate, 2)


ROWS: Final[Mapping[str, Callable[[Estate], Iterator[Row]]]] = {
    "accounts": accounts, "users": users, "services": services, "plans": plans, "cinstances": cinstances,
    "metrics": metrics, "proxies": proxies, "proxy_configs": proxy_configs, "proxy_rules": proxy_rules,
    "backend_apis": backend_apis, "backend_api_configs": backend_api_configs, "usage_limits": usage_limits,
    "application_keys": application_keys, "access_tokens": access_tokens, "service_tokens": service_tokens,
    "invoices": invoices, "line_items": line_items, "cms_templates": cms_templates, "cms_files": cms_files,
    "user_sessions": user_sessions, "audits": audits, "event_store_events": event_store_events,
    "ar_internal_metadata": ar_internal_metadata,
}  # fmt: skip
