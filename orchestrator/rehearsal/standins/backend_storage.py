"""What `backend:storage:rewrite` writes from system's database into backend-redis, as apisonator's redis_keys.md names it.

Services, applications, metrics and provider keys of live providers. Keys are written, never deleted; one
that holds what it should stays as it is. Application keys, referrer filters and limits are left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.rehearsal.resp import Command
from orchestrator.rehearsal.standins.raking import TaskFailed
from orchestrator.rehearsal.standins.services import redis
from orchestrator.rehearsal.standins.sql import Database

SERVICES = """\
SELECT services.id, accounts.id FROM services JOIN accounts ON accounts.id = services.account_id
WHERE (accounts.provider OR accounts.master) AND accounts.state = 'approved' {only} ORDER BY services.id;"""
APPLICATIONS = """\
SELECT service_id, application_id, user_key, state, plan_id FROM cinstances WHERE service_id IN ({ids}) ORDER BY id;"""
METRICS = "SELECT service_id, id, system_name FROM metrics WHERE service_id IN ({ids}) ORDER BY id;"


def rewrite(database: Database, url: str, provider: str = "") -> int:
    """Returns how many commands were sent. `provider` limits them to one account."""
    if provider and not provider.isdecimal():
        raise TaskFailed(f"PROVIDER_ID={provider}: not a number")
    services = database.run(SERVICES.format(only=f"AND accounts.id = {provider}" if provider else ""))
    commands = list(_commands(database, services))
    with redis(url) as client:
        client.load(commands)
    return len(commands)


def _commands(database: Database, services: list[list[str]]) -> Iterator[Command]:
    ids = ", ".join(service for service, _ in services)
    if not ids:
        return
    for service, account in services:
        # Where a provider key is there already it is the provider's own, which these tables don't hold.
        yield "SETNX", f"service/id:{service}/provider_key", f"provider-key-{account}"
        yield "SADD", "services_set", service
        yield "SADD", "provider_keys_set", f"provider-key-{account}"
        yield "SETNX", f"service/id:{service}/backend_version", "1"
    for service, application, user_key, state, plan in database.run(APPLICATIONS.format(ids=ids)):
        yield "SADD", f"service_id:{service}/applications", application
        prefix = f"application/service_id:{service}/id:{application}"
        yield "SET", f"{prefix}/state", "active" if state == "live" else "suspended"
        yield "SET", f"{prefix}/plan_id", plan
        if user_key not in ("", "NULL"):
            yield "SET", f"application/service_id:{service}/key:{user_key}/id", application
    for service, metric, name in database.run(METRICS.format(ids=ids)):
        yield "SADD", f"metrics/service_id:{service}/ids", metric
        yield "SET", f"metric/service_id:{service}/id:{metric}/name", name
        yield "SET", f"metric/service_id:{service}/name:{name}/id", metric
