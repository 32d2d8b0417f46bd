"""Sample data for the two Redis databases of 3scale: the same words in, the same commands out.

Pure. The names of keys are those that apisonator and porta use, services and applications are those of the
SQL samples of the same mark, and the types of values are all there are.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.rehearsal.resp import Command
from orchestrator.rehearsal.samples import FAR_AWAY_MS, Application, Estate, Service, Size

QUEUES_DATABASE = 1


def sample(workload: str, mark: str, size: Size) -> Iterator[Command]:
    """Commands that fill one database server: `backend-redis` or `system-redis`."""
    estate = Estate(mark, size)
    yield from {"backend-redis": backend, "system-redis": system}[workload](estate)
    yield from every_type(mark)
    yield ("SELECT", 0)
    for number, piece in enumerate(estate.noise(workload)):
        yield ("SET", f"noise:{number}", piece)


def backend(estate: Estate) -> Iterator[Command]:
    """What apisonator keeps: services and applications in database 0, its job queues in database 1."""
    yield ("SELECT", 0)
    yield ("SADD", "services_set", *(service.id for service in estate.services))
    yield ("SADD", "provider_keys_set", *(service.tenant.key for service in estate.services))
    for service in estate.services:
        yield from backend_service(estate.mark, service)
    for application in estate.applications:
        yield from backend_application(estate.mark, application)
    yield ("SELECT", QUEUES_DATABASE)
    for number in range(estate.amount.applications // 4):
        yield ("RPUSH", "resque:queue:priority", f'{{"class":"ReportJob","args":["{estate.mark}",{number}]}}')
    yield ("SADD", "resque:queues", "priority", "main", "stats")


def backend_service(mark: str, service: Service) -> Iterator[Command]:
    key, number = service.tenant.key, service.id
    yield ("SADD", f"service/provider_key:{key}/ids", number)
    yield ("SET", f"service/provider_key:{key}/id", number)
    for name, value in (("provider_key", key), ("backend_version", "1"), ("state", "active")):
        yield ("SET", f"service/id:{number}/{name}", value)
    yield ("HSET", f"service_token/token:{mark}-token-{number}/service_id:{number}", "provider_key", key)
    yield ("SADD", f"metrics/service_id:{number}/ids", *service.metric_ids)
    hits, method = service.metric_ids
    for metric, name in ((hits, "hits"), (method, f"{mark}-method")):
        yield ("SET", f"metric/service_id:{number}/id:{metric}/name", name)
        yield ("SET", f"metric/service_id:{number}/name:{name}/id", metric)
    yield ("SET", f"metric/service_id:{number}/id:{method}/parent_id", hits)
    for plan in service.plan_ids:
        yield ("SET", f"usage_limit/service_id:{number}/plan_id:{plan}/metric_id:{hits}/minute", 60 + plan)


def backend_application(mark: str, application: Application) -> Iterator[Command]:
    service, name = application.service.id, application.application_id
    prefix = f"application/service_id:{service}/id:{name}"
    yield ("SADD", f"service_id:{service}/applications", name)
    yield ("SET", f"{prefix}/state", "active" if application.state == "live" else application.state)
    yield ("SET", f"{prefix}/plan_id", application.plan_id)
    yield ("SET", f"{prefix}/plan_name", f"{mark} plan {application.plan_id}")
    yield ("SADD", f"{prefix}/keys", f"{name}-key")
    yield ("SET", f"application/service_id:{service}/key:{application.user_key}/id", name)
    stats = f"stats/{{service:{service}}}/cinstance:{name}/metric:{application.service.metric_ids[0]}/month:20261101"
    yield ("SET", stats, application.id, "PXAT", FAR_AWAY_MS + application.id)


def system(estate: Estate) -> Iterator[Command]:
    """What porta keeps: the queues of sidekiq, mostly in database 1, and caches in database 0."""
    mark = estate.mark
    yield ("SELECT", QUEUES_DATABASE)
    yield ("SADD", "queues", "default", "billing", "zync")
    for number in range(estate.amount.applications):
        yield ("LPUSH", "queue:default", f'{{"class":"ZyncWorker","jid":"{mark}{number}"}}')
        yield ("ZADD", "schedule", FAR_AWAY_MS / 1000 + number / 4, f'{{"jid":"{mark}-scheduled-{number}"}}')
        yield ("SET", f"uniquejobs:{mark}{number}", number, "PXAT", FAR_AWAY_MS + number)
        yield ("HSET", f"stat:{mark}:{number}", "processed", number, "failed", 0)
    yield ("SELECT", 0)
    for number in range(estate.amount.applications):
        yield ("SET", f"cache:{number}", f"{mark} {number}")


def every_type(mark: str) -> Iterator[Command]:
    """One value of each type and encoding, in a database that 3scale leaves alone."""
    yield ("SELECT", 7)
    yield ("SET", "text", f"{mark} öäü 日本\n")
    yield ("SET", b"bytes\x00\xff\r\n", mark.encode() + bytes(range(256)))
    yield ("SET", "number", 2**40)
    yield ("SET", "long text", f"{mark} " * 5000)
    yield ("RPUSH", "list", mark, 1, -70000, "x" * 9000)
    yield ("SADD", "numbers", *range(50))
    yield ("SADD", "words", *(f"{mark} {number}" for number in range(700)))
    yield ("ZADD", "scores", 1.5, mark, "-inf", "least", "+inf", "most")
    yield ("ZADD", "many scores", *(word for n in range(400) for word in (n / 7, f"{mark} {n}")))
    yield ("HSET", "fields", "mark", mark, "empty", "")
    yield ("HSET", "many fields", *(word for n in range(700) for word in (f"field {n}", f"{mark} {n}")))
    yield ("PFADD", "distinct", *(f"{mark} {number}" for number in range(100)))
    yield ("XADD", "events", "1-1", "mark", mark)
    yield ("XADD", "events", "2-1", "mark", mark, "more", "y" * 300)
    yield ("XGROUP", "CREATE", "events", "readers", 0)
    yield ("XREADGROUP", "GROUP", "readers", "ann", "COUNT", 1, "STREAMS", "events", ">")
    yield ("SET", "expires", mark, "PXAT", FAR_AWAY_MS)
