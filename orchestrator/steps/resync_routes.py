"""Have zync make the missing routes, and wait until every one of them is admitted.

Guide 9.5.8.2-1. The task returns before any route exists: it leaves events that sidekiq, zync and zync-que
carry on. So done is seen in the routes: every host that 3scale's own database names below the wildcard
domain, and the six that the operator's status waits for, each by a route that the router has admitted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast

from orchestrator.effects import DeleteRoute, Effect, Engine
from orchestrator.events import Confirmation, RouteAdmitted
from orchestrator.port import PodJobSeen, Reader, RouteSeen, Seen, WorkloadSeen
from orchestrator.steps.base import (
    CLEAR,
    DONE,
    Context,
    KnownBy,
    Standing,
    Step,
    address,
    at_rest,
    busy,
    exited,
    job_name,
    left_jobs,
    settled,
)
from orchestrator.steps.run_rake import job_standing, rake

NAMED_MAX = 3  # hosts that a sentence names
PATIENCE_SECONDS = 300.0  # on the way back, with a route that nobody makes


class RoutesPicture(Seen):
    workload: WorkloadSeen | None
    job: PodJobSeen | None = None
    routes: tuple[RouteSeen, ...] = ()
    hosts: tuple[str, ...] | None = None  # that the database names; None while it does not answer


class ResyncRoutes(Step):
    Picture = RoutesPicture
    known_by = KnownBy("probe", "the task's job in the pod, and the routes themselves")
    kind: Literal["resync_routes"] = "resync_routes"
    workload_kind: str
    workload: str
    task: str
    hosts: tuple[str, ...]  # that have to be there in any case
    domain: str  # hosts of the database count below it
    database_kind: str = ""  # the workload of the system database; "" where it is elsewhere
    database_workload: str = ""
    engine: Engine = "mysql"
    database: str = ""

    @property
    def undo_note(self) -> str:
        return "delete the routes that were made for hosts which had none"

    def probe(self, reader: Reader, ctx: Context) -> RoutesPicture:
        workload = reader.workload(self.workload_kind, self.workload)
        routes = reader.routes()
        if workload is None or not workload.is_complete:
            return RoutesPicture(workload=workload, routes=routes)
        job = reader.pod_job(workload, "", job_name(self, ctx))
        return RoutesPicture(workload=workload, job=job, routes=routes, hosts=self.look_for_hosts(reader))

    def look_for_hosts(self, reader: Reader) -> tuple[str, ...] | None:
        if not self.database_workload:
            return ()
        database = reader.workload(self.database_kind, self.database_workload)
        if database is None or not database.is_complete:
            return None
        return reader.hosts(database, self.engine, self.database)

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(RoutesPicture, seen)
        if waiting := settled(picture.workload, self.workload):
            return waiting
        assert picture.job is not None
        if picture.hosts is None:
            return busy(f"the database server of {self.database_workload} does not answer yet")
        if waiting := job_standing(picture.job, self.task, ctx):
            return waiting
        missing = self.missing(picture)
        if not missing:
            return DONE
        more = f" and {len(missing) - NAMED_MAX} more" if len(missing) > NAMED_MAX else ""
        return busy(f"no admitted route yet for {', '.join(missing[:NAMED_MAX])}{more}")

    def missing(self, picture: RoutesPicture) -> list[str]:
        """Hosts without an admitted route, and why where the router says it."""
        admitted = {route.host for route in picture.routes if route.is_admitted}
        reasons = {route.host: route.reason for route in picture.routes if route.reason}
        hosts = sorted(self.wanted(picture) - admitted)
        return [f"{host} ({reasons[host]})" if host in reasons else host for host in hosts]

    def wanted(self, picture: RoutesPicture) -> set[str]:
        return {*self.hosts, *(host for host in picture.hosts or () if host.endswith(f".{self.domain}"))}

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        where = address(self.workload_kind, self.workload, cast(RoutesPicture, seen).workload)
        yield rake(self, self.task, where, ctx)

    def confirm(self, seen: Seen, standing: Standing, ctx: Context) -> Iterator[Confirmation]:
        picture, before = cast(RoutesPicture, seen), cast("RoutesPicture | None", self.picture(ctx.before))
        if picture.job is not None:
            yield from exited(self, picture.job, picture.workload, ctx)
        if standing is not DONE:
            return
        known = {route.name for route in before.routes if route.is_admitted} if before else set()
        for route in picture.routes:
            if route.is_admitted and route.name not in known:
                yield RouteAdmitted(step=self.id, attempt=ctx.attempt, host=route.host, route=route.name)

    def restored(self, seen: Seen, ctx: Context) -> Standing:
        """Not before zync has ended: a route that it makes later would stay."""
        picture = cast(RoutesPicture, seen)
        if not ctx.undo_attempt and (waiting := self.still_made(picture, ctx)):
            return waiting
        return CLEAR if self.created(picture, ctx) else DONE

    def still_made(self, picture: RoutesPicture, ctx: Context) -> Standing | None:
        job = picture.job
        if job is not None and job.state == "running":
            return busy(f"rake {self.task} is running")
        has_ended_well = job is not None and job.state == "exited" and job.code == 0
        unmade = sorted(self.wanted(picture) - {route.host for route in picture.routes})
        if has_ended_well and unmade and ctx.waited_seconds < PATIENCE_SECONDS:
            return busy(f"zync may still make the route of {unmade[0]}")
        return None

    def created(self, picture: RoutesPicture, ctx: Context) -> list[RouteSeen]:
        """The routes that were made for the hosts in question. Others are somebody else's.

        One that took the place of an older one of its host stays: there was a route before.
        """
        before = cast("RoutesPicture | None", self.picture(ctx.before))
        if before is None:
            return []
        uids, hosts = {route.uid for route in before.routes}, {route.host for route in before.routes}
        kept = {route.host for route in picture.routes if route.uid in uids}
        ours = self.wanted(before) | self.wanted(picture)
        new = [route for route in picture.routes if route.uid not in uids and route.host in ours]
        return [route for route in new if route.host not in hosts or route.host in kept]

    def undo(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        for route in self.created(cast(RoutesPicture, seen), ctx):
            yield DeleteRoute(route=route.name, host=route.host, uid=route.uid)

    def leftovers(self, reader: Reader, ctx: Context) -> Iterator[Effect]:
        workload = at_rest(reader, self.workload_kind, self.workload)
        yield from left_jobs(reader, workload, self.workload, ctx)

    def shell(self, tool: str) -> tuple[str, ...]:
        where = f"{self.workload_kind.lower()}/{self.workload}"
        return (f"{tool} exec {where} -- bash -c 'bundle exec rake {self.task}'", f"{tool} get routes --watch")
