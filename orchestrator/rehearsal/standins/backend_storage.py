"""What `backend:storage:rewrite` writes from system's database into backend-redis, as apisonator's redis_keys.md names it.

Services, applications, metrics and provider keys of live providers. Keys are written, never deleted; one
that holds what it should stays as it is. Application keys, referrer filters and limits are left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.rehearsal.resp import Command, RedisClient
from orchestrator.rehearsal.standins.raking import TaskFailed
from orchestrator.rehearsal.standins.services import redis
from orchestrator.rehearsal.standins.sql import Database, text

SERVICES = """\
SELECT services.id, accounts.id, services.backend_version, (
    SELECT MAX(bought.user_key) FROM cinstances AS bought JOIN services AS masters ON masters.id = bought.service_id
    JOIN accounts AS owners ON owners.id = masters.account_id WHERE owners.master AND bought.user_account_id = accounts.id
) FROM services JOIN accounts ON accounts.id = services.account_id
WHERE (accounts.provider OR accounts.master) AND accounts.state = 'approved' {only} ORDER BY services.id;"""
APPLICATIONS = """\
SELECT service_id, application_id, user_key, state, plan_id FROM cinstances WHERE service_id IN ({ids}) ORDER BY id;"""
METRICS = "SELECT service_id, id, system_name FROM metrics WHERE service_id IN ({ids}) ORDER BY id;"


def rewrite(database: Database, url: str, provider: str = "") -> int:
    """Returns how many commands were sent. `provider` limits them to one account."""
    if provider and not provider.isdecimal():
        raise TaskFailed(f"PROVIDER_ID={provider}: not a number")
    services = database.run(SERVICES.format(only=f"AND accounts.id = {provider}" if provider else ""))
    if not services:
        return 0
    ids = ", ".join(row[0] for row in services)
    with redis(url) as client:
        commands = [command for row in services for command in _service(client, *row)]
        commands += _applications(database.run(APPLICATIONS.format(ids=ids)))
        commands += _metrics(database.run(METRICS.format(ids=ids)))
        client.load(commands)
    return len(commands)


def _service(client: RedisClient, service: str, account: str, version: str, bought: str) -> Iterator[Command]:
    """The master buys from nobody: its key is the one that backend knows already, or a new one."""
    known = client.call("GET", f"service/id:{service}/provider_key")
    key = text(bought) or (known.decode() if known else f"provider-key-{account}")
    yield "SET", f"service/id:{service}/provider_key", key
    yield "SET", f"service/id:{service}/backend_version", text(version) or "1"
    yield "SET", f"service/id:{service}/state", "active"
    yield "SADD", "services_set", service
    yield "SADD", "provider_keys_set", key
    yield "SADD", f"service/provider_key:{key}/ids", service
    yield "SETNX", f"service/provider_key:{key}/id", service


def _applications(rows: list[list[str]]) -> Iterator[Command]:
    for service, application, user_key, state, plan in rows:
        yield "SADD", f"service_id:{service}/applications", application
        prefix = f"application/service_id:{service}/id:{application}"
        yield "SET", f"{prefix}/state", "active" if state == "live" else state
        yield "SET", f"{prefix}/plan_id", plan
        if text(user_key):
            yield "SET", f"application/service_id:{service}/key:{user_key}/id", application


def _metrics(rows: list[list[str]]) -> Iterator[Command]:
    for service, metric, name in rows:
        yield "SADD", f"metrics/service_id:{service}/ids", metric
        yield "SET", f"metric/service_id:{service}/id:{metric}/name", name
        yield "SET", f"metric/service_id:{service}/name:{name}/id", metric
