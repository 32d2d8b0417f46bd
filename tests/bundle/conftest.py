"""The servers that the dumps of these tests come from, each started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bundle import sql_samples, sql_servers
from tests.bundle.sql_servers import MariaDb, PostgreSql


@pytest.fixture(scope="session")
def mysql() -> Iterator[MariaDb]:
    """MariaDB with a database `system`, shaped like 3scale's as far as a check looks at it."""
    with sql_servers.mariadb() as server:
        server.sql("CREATE DATABASE `system`; CREATE DATABASE other; CREATE DATABASE fuzz")
        server.sql(sql_samples.MYSQL, "system")
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSql]:
    """PostgreSQL with databases `system` and `zync_production`."""
    with sql_servers.postgresql() as server:
        for database in ("system", "zync_production", "fuzz"):
            server.sql(f"CREATE DATABASE {database}")
        server.sql("CREATE ROLE zync LOGIN")
        server.sql(sql_samples.POSTGRESQL, "system")
        server.sql(sql_samples.ZYNC, "zync_production")
        yield server
