"""What system tells zync: one job for each provider and proxy, in sidekiq's queue `zync`."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from typing import Any

from orchestrator.rehearsal.standins.services import redis
from orchestrator.rehearsal.standins.sql import Database, text

QUEUE = "zync"
WORKER = "ZyncWorker"
PROVIDERS = """\
SELECT id, CASE WHEN master THEN 1 ELSE 0 END, domain, self_domain FROM accounts
WHERE (provider OR master) AND self_domain IS NOT NULL AND state = 'approved' ORDER BY id;"""
PROXIES = """\
SELECT proxies.id, services.account_id, services.id, proxies.endpoint, proxies.sandbox_endpoint
FROM proxies JOIN services ON services.id = proxies.service_id ORDER BY proxies.id;"""


def push(database: Database) -> int:
    """Returns how many jobs there are."""
    jobs = [json.dumps(job(data)) for data in notifications(database)]
    with redis(os.environ["REDIS_URL"]) as client:
        client.call("SADD", "queues", QUEUE)
        if jobs:
            client.call("LPUSH", f"queue:{QUEUE}", *jobs)
    return len(jobs)


def job(data: dict[str, Any]) -> dict[str, Any]:
    """In sidekiq's own form."""
    jid = uuid.uuid4().hex[:24]
    return {"class": WORKER, "args": [str(uuid.uuid4()), data], "queue": QUEUE, "jid": jid, "retry": True}


def notifications(database: Database) -> Iterator[dict[str, Any]]:
    for identifier, master, domain, admin in database.run(PROVIDERS):
        yield {
            "type": "Provider", "id": int(identifier), "tenant_id": int(identifier), "master": master == "1",
            "domain": domain, "admin_domain": admin,
        }  # fmt: skip
    for identifier, account, service, endpoint, sandbox in database.run(PROXIES):
        yield {
            "type": "Proxy", "id": int(identifier), "tenant_id": int(account), "service_id": int(service),
            "endpoint": text(endpoint), "sandbox_endpoint": text(sandbox),
        }  # fmt: skip
