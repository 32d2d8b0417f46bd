"""What all sample data of one mark agrees on: the tenants, their services, and who uses them.

Pure: the same words in, the same estate out. A mark, as "old" or "backup", is in every name, so that the
data of an old installation and of a backup can be told apart; the second tenant is another one, too.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Size = Literal["small", "medium", "large"]

FAR_AWAY_MS = 4_000_000_000_000  # the year 2096: none of it expires during a rehearsal
WILDCARD_DOMAIN = "apps.rehearsal.example"
NOISE_PIECE_BYTES = 1 << 20
MASTER_ID = 1
MASTER_SERVICE_ID = 1


class Amount(NamedTuple):
    """How much data: services, applications, and bytes of noise that no compression shrinks, for each database."""

    services: int
    applications: int
    noise_bytes: int


AMOUNTS: dict[Size, Amount] = {
    "small": Amount(4, 800, 64 << 10),
    "medium": Amount(12, 8_000, 32 << 20),
    "large": Amount(40, 40_000, 400 << 20),
}


@dataclass(frozen=True)
class Tenant:
    """A provider account, or the master."""

    id: int
    name: str

    @property
    def key(self) -> str:
        """What its programs use towards the backend: the user key of its own application with the master."""
        return f"provider-key-{self.id}"

    @property
    def domain(self) -> str:
        return f"{self.name}.{WILDCARD_DOMAIN}"

    @property
    def admin_domain(self) -> str:
        """The master has one domain for both."""
        return self.domain if self.id == MASTER_ID else f"{self.name}-admin.{WILDCARD_DOMAIN}"


@dataclass(frozen=True)
class Service:
    """A product of a tenant. Only a hosted one has gateways, and a proxy that says where."""

    id: int
    tenant: Tenant
    system_name: str
    hosted: bool

    @property
    def metric_ids(self) -> tuple[int, int]:
        """Hits, and one method of it."""
        return self.id * 10 + 1, self.id * 10 + 2

    @property
    def plan_ids(self) -> tuple[int, int]:
        return self.id * 10 + 1, self.id * 10 + 2

    def endpoint(self, environment: Literal["staging", "production"]) -> str:
        """`https://host:443`"""
        return f"https://{self.system_name}-{self.tenant.name}-apicast-{environment}.{WILDCARD_DOMAIN}:443"


@dataclass(frozen=True)
class Application:
    """Somebody's use of a service: porta's cinstance. `application_id` is what the backend knows it by."""

    id: int
    service: Service
    account_id: int
    plan_id: int
    application_id: str
    user_key: str
    state: str


class Estate:
    """Everything of one mark and size."""

    def __init__(self, mark: str, size: Size) -> None:
        self.mark = mark
        self.amount = AMOUNTS[size]
        self.master = Tenant(MASTER_ID, "master")
        self.tenants = (Tenant(2, "3scale"), Tenant(3, "globex") if mark == "old" else Tenant(4, "acme"))
        self.services: Sequence[Service] = tuple(self._services())
        self.applications: Sequence[Application] = tuple(self._applications())

    @property
    def hosted_services(self) -> list[Service]:
        return [service for service in self.services if service.hosted]

    @property
    def buyer_ids(self) -> range:
        """The accounts of developers, ten applications each."""
        return range(100, 100 + max(1, self.amount.applications // 10))

    def tenant_of_buyer(self, buyer_id: int) -> Tenant:
        return self.tenants[buyer_id % len(self.tenants)]

    def noise(self, name: str, divisor: int = 1) -> Iterator[bytes]:
        """Pieces of noise, other ones for each name; together the estate's amount divided by `divisor`."""
        source = random.Random(f"{name} {self.mark}")
        size_bytes = self.amount.noise_bytes // divisor
        for start in range(0, size_bytes, NOISE_PIECE_BYTES):
            yield source.randbytes(min(NOISE_PIECE_BYTES, size_bytes - start))

    def _services(self) -> Iterator[Service]:
        yield Service(MASTER_SERVICE_ID, self.master, "master_service", hosted=False)
        for number in range(self.amount.services - 1):
            tenant = self.tenants[number % len(self.tenants)]
            name = "api" if number < len(self.tenants) else f"{self.mark}-{number}"
            yield Service(10 + number, tenant, name, hosted=number % 3 != 2)

    def _applications(self) -> Iterator[Application]:
        """The tenants are customers of the master; the developers are customers of the tenants."""
        master = self.services[0]
        for tenant in self.tenants:
            name = f"{self.mark}-{tenant.name}"
            yield Application(tenant.id, master, tenant.id, master.plan_ids[0], name, tenant.key, "live")
        for number in range(self.amount.applications):
            buyer = self.buyer_ids[number // 10 % len(self.buyer_ids)]
            tenant = self.tenant_of_buyer(buyer)
            offered = [service for service in self.services if service.tenant == tenant]
            service = offered[number % len(offered)]
            name, state = f"{self.mark}{number}", "suspended" if number % 50 == 49 else "live"
            plan = service.plan_ids[number % 2]
            yield Application(1000 + number, service, buyer, plan, name, f"{name}-user-key", state)
