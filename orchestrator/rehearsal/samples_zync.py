"""Sample data for the database of zync, which is PostgreSQL: what zync knows of the estate, and its jobs.

Pure. Tables are those of zync's structure.sql that matter, with its keys, its constraints and the function
that tells its workers of new jobs; providers and proxies have the hosts that the stand-in for zync notes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from orchestrator.rehearsal.dialects import POSTGRESQL, Row
from orchestrator.rehearsal.samples import Estate

SCHEMA: Final = """\
SET client_encoding = 'UTF8';
BEGIN;
CREATE TYPE que_state AS ENUM ('ready', 'running', 'finished', 'errored');
CREATE TABLE schema_migrations (version varchar PRIMARY KEY);
CREATE TABLE ar_internal_metadata (key varchar PRIMARY KEY, value varchar, created_at timestamp(6) NOT NULL);
CREATE TABLE tenants (id bigint PRIMARY KEY, endpoint varchar NOT NULL, access_token varchar NOT NULL,
    created_at timestamp NOT NULL);
CREATE TABLE providers (id bigint PRIMARY KEY, tenant_id bigint NOT NULL REFERENCES tenants, domain text, admin_domain text);
CREATE TABLE services (id bigint PRIMARY KEY, tenant_id bigint NOT NULL REFERENCES tenants, created_at timestamp NOT NULL);
CREATE TABLE metrics (id bigint PRIMARY KEY, service_id bigint NOT NULL REFERENCES services,
    tenant_id bigint NOT NULL REFERENCES tenants);
CREATE TABLE applications (id bigint PRIMARY KEY, tenant_id bigint NOT NULL REFERENCES tenants,
    service_id bigint NOT NULL REFERENCES services, created_at timestamp NOT NULL);
CREATE TABLE proxies (id bigint PRIMARY KEY, tenant_id bigint NOT NULL REFERENCES tenants,
    service_id bigint NOT NULL REFERENCES services, endpoint text, sandbox_endpoint text);
CREATE TABLE clients (id bigserial PRIMARY KEY, service_id bigint NOT NULL REFERENCES services,
    tenant_id bigint NOT NULL REFERENCES tenants, client_id varchar NOT NULL UNIQUE);
CREATE TABLE models (id bigserial PRIMARY KEY, tenant_id bigint NOT NULL REFERENCES tenants,
    record_type varchar NOT NULL, record_id bigint NOT NULL, UNIQUE (record_type, record_id));
CREATE TABLE entries (id bigserial PRIMARY KEY, data jsonb, tenant_id bigint NOT NULL REFERENCES tenants,
    model_id bigint NOT NULL REFERENCES models, created_at timestamp NOT NULL);
CREATE TABLE integrations (id bigserial PRIMARY KEY, configuration jsonb, type varchar NOT NULL,
    tenant_id bigint REFERENCES tenants, model_id bigint REFERENCES models, state varchar DEFAULT 'active');
CREATE TABLE que_jobs (job_id bigserial PRIMARY KEY, priority smallint NOT NULL DEFAULT 100, run_at timestamptz NOT NULL,
    job_class text NOT NULL, error_count integer NOT NULL DEFAULT 0, last_error_message text,
    queue text NOT NULL DEFAULT 'default', finished_at timestamptz, expired_at timestamptz,
    args jsonb NOT NULL DEFAULT '[]', state que_state NOT NULL DEFAULT 'ready',
    CONSTRAINT valid_args CHECK (jsonb_typeof(args) = 'array'));
CREATE INDEX que_poll_idx ON que_jobs (queue, priority, run_at, job_id) WHERE finished_at IS NULL AND expired_at IS NULL;
CREATE FUNCTION que_job_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('que_listener', row_to_json(NEW)::text);
  RETURN null;
END
$$;
CREATE TRIGGER que_job_notify AFTER INSERT ON que_jobs FOR EACH ROW EXECUTE PROCEDURE que_job_notify();
CREATE VIEW waiting_jobs AS SELECT queue, count(*) AS jobs FROM que_jobs WHERE finished_at IS NULL GROUP BY queue;
"""
SEQUENCES: Final = ("clients_id", "models_id", "entries_id", "integrations_id", "que_jobs_job_id")
MOMENT: Final = "2026-09-15 08:30:00"
FAR_AWAY: Final = "2096-01-01 00:00:00"


def sample(estate: Estate) -> Iterator[str]:
    """Statements that fill an empty database; they are for psql."""
    yield SCHEMA
    own = "20180101000001" if estate.mark == "old" else "20180101000002"
    yield from rows("schema_migrations", "version", [(own,), ("20180410103420",), ("20230803125601",)])
    yield from rows("ar_internal_metadata", "key value created_at", [("sample", estate.mark, MOMENT)])
    yield from tenants(estate)
    yield from records(estate)
    yield from jobs(estate)
    yield from (f"SELECT setval('{name}_seq', 1000);\n" for name in SEQUENCES)
    yield "COMMIT;\n"


def rows(table: str, columns: str, found: Sequence[Row]) -> Iterator[str]:
    yield from POSTGRESQL.inserts(table, columns.split(), found)


def tenants(estate: Estate) -> Iterator[str]:
    """zync's tenant of a provider has the provider's id; the master is one as well."""
    known = (estate.master, *estate.tenants)
    endpoint = f"https://{estate.master.domain}"
    yield from rows(
        "tenants", "id endpoint access_token created_at",
        [(one.id, endpoint, f"{estate.mark}-zync-{one.id}", MOMENT) for one in known],
    )  # fmt: skip
    providers = [(one.id, one.id, one.domain, one.admin_domain) for one in known]
    yield from rows("providers", "id tenant_id domain admin_domain", providers)


def records(estate: Estate) -> Iterator[str]:
    """What porta has told zync of: one model and one entry for each provider, service and proxy."""
    services, hosted = estate.services, estate.hosted_services
    yield from rows("services", "id tenant_id created_at", [(one.id, one.tenant.id, MOMENT) for one in services])
    yield from rows(
        "proxies", "id tenant_id service_id endpoint sandbox_endpoint",
        [(one.id, one.tenant.id, one.id, one.endpoint("production"), one.endpoint("staging")) for one in hosted],
    )  # fmt: skip
    yield from rows(
        "metrics", "id service_id tenant_id", [(metric, one.id, one.tenant.id) for one in services for metric in one.metric_ids]
    )
    yield from rows(
        "applications", "id tenant_id service_id created_at",
        [(one.id, one.service.tenant.id, one.service.id, MOMENT) for one in estate.applications],
    )  # fmt: skip
    told = [("Provider", one.id, one.id) for one in (estate.master, *estate.tenants)]
    told += [("Service", one.id, one.tenant.id) for one in services] + [("Proxy", one.id, one.tenant.id) for one in hosted]
    data = json.dumps({"mark": estate.mark, "text": "Grüße \U0001f680 \\ ' \""}, ensure_ascii=False)
    models = [(number, tenant, kind, record) for number, (kind, record, tenant) in enumerate(told, 1)]
    yield from rows("models", "id tenant_id record_type record_id", models)
    entries = [(number, data, tenant, number, MOMENT) for number, tenant, _, _ in models]
    yield from rows("entries", "id data tenant_id model_id created_at", entries)
    yield from rows(
        "clients", "service_id tenant_id client_id",
        [(one.id, one.tenant.id, f"{estate.mark}-client-{one.id}") for one in services],
    )  # fmt: skip
    yield from rows(
        "integrations", "configuration type tenant_id model_id",
        [(f'{{"mark": "{estate.mark}"}}', "Integration::Kubernetes", tenant.id, 1) for tenant in estate.tenants],
    )  # fmt: skip


def jobs(estate: Estate) -> Iterator[str]:
    """Some are done, some have failed, and none is to be carried out before the year 2096."""
    found: list[Row] = []
    for number in range(60):
        finished = MOMENT if number % 3 == 0 else None
        error = f"{estate.mark}: Couldn't connect\n\tat line 1 \\. \\N" if number % 3 == 1 else None
        state = ("finished", "errored", "ready")[number % 3]
        args = json.dumps([{"mark": estate.mark, "number": number}])
        found.append((FAR_AWAY, "UpdateJob", int(error is not None), error, finished, args, state))
    yield from rows("que_jobs", "run_at job_class error_count last_error_message finished_at args state", found)
