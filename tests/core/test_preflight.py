"""(installation, bundle, options) -> what speaks against a restore: one row an error, a warning, a note."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.drills.model import ModelCluster, WholeCluster
from orchestrator.findings import BundleReport, Finding
from orchestrator.installation import Installation
from orchestrator.port import ObjectSeen
from orchestrator.runbooks.options import Options
from orchestrator.runbooks.threescale import preflight

Change = Callable[[Installation, BundleReport], tuple[Installation, BundleReport]]


def as_it_is(found: Installation, bundle: BundleReport) -> tuple[Installation, BundleReport]:
    return found, bundle


def found_with(**changes: Any) -> Change:
    return lambda found, bundle: (found.model_copy(update=changes), bundle)


def manager_with(**changes: Any) -> Change:
    def change(found: Installation, bundle: BundleReport) -> tuple[Installation, BundleReport]:
        assert found.manager
        return found.model_copy(update={"manager": found.manager.model_copy(update=changes)}), bundle

    return change


def one_with(field: str, name: str, **changes: Any) -> Change:
    """One of the installation's workloads changed."""

    def change(found: Installation, bundle: BundleReport) -> tuple[Installation, BundleReport]:
        those = tuple(w.model_copy(update=changes) if w.name == name else w for w in getattr(found, field))
        return found.model_copy(update={field: those}), bundle

    return change


def redis_with(**changes: Any) -> Change:
    return one_with("workloads", "backend-redis", **changes)


def mysql_with(**changes: Any) -> Change:
    return one_with("databases", "system-mysql", **changes)


def zync_with(**changes: Any) -> Change:
    return one_with("databases", "zync-database", **changes)


def app_with(name: str, **changes: Any) -> Change:
    return one_with("apps", name, **changes)


def storage_with(**changes: Any) -> Change:
    def change(found: Installation, bundle: BundleReport) -> tuple[Installation, BundleReport]:
        assert found.storage
        return found.model_copy(update={"storage": found.storage.model_copy(update=changes)}), bundle

    return change


def dump_with(part: str, **changes: Any) -> Change:
    """The summary of a part's dump changed."""

    def change(found: Installation, bundle: BundleReport) -> tuple[Installation, BundleReport]:
        files = []
        for file in bundle.files:
            kind = "rdb" if file.rdb else "sql"
            summary = getattr(file, kind)
            is_it = file.part == part
            files.append(file.model_copy(update={kind: summary.model_copy(update=changes)}) if is_it else file)
        return found, bundle.model_copy(update={"files": tuple(files)})

    return change


def without(part: str) -> Change:
    return lambda found, bundle: (
        found, bundle.model_copy(update={"files": tuple(f for f in bundle.files if f.part != part)})
    )  # fmt: skip


def findings(change: Change, options: Options = Options()) -> list[Finding]:  # noqa: B008
    cluster = WholeCluster("2.15")
    found, bundle = change(cluster.installation(), cluster.bundle())
    return [f for f in preflight(found, bundle, options) if f.severity != "note"]


@pytest.mark.parametrize("release", ["2.11", "2.13", "2.14", "2.15"])
def test_nothing_speaks_against_what_is_as_it_should_be(release: str) -> None:
    cluster = WholeCluster(release)
    (note,) = preflight(cluster.installation(), cluster.bundle())
    assert (note.severity, note.subject) == ("note", "zync-database")
    assert "emptyDir" in note.message
    assert "not restarted" in note.message
    redis = ModelCluster()
    assert preflight(redis.installation(), redis.bundle()) == []


@pytest.mark.parametrize(
    ("change", "severity", "subject", "message"),
    [
        pytest.param(found_with(holder="run x of ann"), "error", "lease", "being worked on: run x of ann", id="held"),
        pytest.param(found_with(release="2.16"), "warning", "release", "3scale 2.16 is none of", id="other-release"),
        pytest.param(found_with(operator="it is scaled to 0"), "error", "operator", "nobody else starts 3scale again", id="operator-down"),
        pytest.param(manager_with(preflights="mysql too old"), "error", "operator", "preflights fail: mysql too old", id="operators-preflights"),
        pytest.param(found_with(manager=None), "warning", "operator", "no APIManager is to be seen", id="no-manager"),
        pytest.param(found_with(superdomain="old.example"), "warning", "domain", "has old.example, the APIManager has apps.example", id="superdomain"),
        pytest.param(
            dump_with("system-database", hosts=("3scale.old.example",)), "warning", "system-mysql-backup.gz",
            "not below apps.example (such as 3scale.old.example)", id="hosts-of-another-domain",
        ),
        pytest.param(app_with("system-app", replicas=0), "warning", "system-app", "is left at 0 in the end", id="already-stopped"),
        pytest.param(app_with("zync-que", replicas=0), "warning", "zync-que", "routes that are missing are not made", id="nobody-makes-routes"),
        # ---- databases
        pytest.param(dump_with("system-database", engine="postgresql"), "error", "system-mysql", "is a dump of postgresql; this is mysql", id="other-engine"),
        pytest.param(dump_with("system-database", databases=("other",)), "error", "system-mysql", "no database system, only other", id="other-database"),
        pytest.param(dump_with("zync", server_version="15.4"), "error", "zync-database", "is of PostgreSQL 15.4", id="newer-postgresql"),
        pytest.param(dump_with("system-database", server_version="11.4.2-MariaDB"), "warning", "system-mysql", "the server is older", id="newer-mysql"),
        pytest.param(mysql_with(missing_tools=("gzip",)), "error", "system-mysql", "its pod lacks gzip", id="database-tools"),
        pytest.param(mysql_with(free_bytes=5), "error", "system-mysql", "5 bytes free, 11 are needed: the dump", id="database-room"),
        pytest.param(
            zync_with(free_bytes=19, size_bytes=18), "error", "zync-database",
            "19 bytes free, 29 are needed with the safety copy of what is there. Without a copy the load cannot be taken back: "
            "--no-safety-copy zync --accept-irreversible zync", id="zync-room",
        ),
        pytest.param(
            zync_with(free_bytes=19, size_bytes=18, home="/home", home_free_bytes=8), "error", "zync-database",
            "nor is there room in HOME /home (8 free)", id="zync-room-at-home",
        ),
        pytest.param(mysql_with(volume="emptyDir"), "warning", "system-mysql", "survives a restart (emptyDir)", id="database-volume"),
        # ---- files
        pytest.param(found_with(storage=None), "error", "system-storage", "no running pod has it mounted", id="no-storage"),
        pytest.param(storage_with(missing_tools=("ln",)), "error", "system-storage", "the pod of system-sidekiq lacks ln", id="storage-tools"),
        pytest.param(storage_with(free_bytes=2), "error", "system-storage", "2 bytes free, 3 may be needed", id="storage-room"),
        # ---- Redis
        pytest.param(redis_with(redis_version="6.2.7"), "error", "backend-redis", "loads versions up to 9", id="older-redis"),
        pytest.param(redis_with(databases=1), "error", "backend-redis", "keys in database 1; this Redis has 1 databases", id="few-databases"),
        pytest.param(redis_with(volume="emptyDir"), "error", "backend-redis", "survives a restart", id="redis-volume"),
        pytest.param(redis_with(replicas=0), "error", "backend-redis", "0 replicas; one is needed", id="redis-scaled-down"),
        pytest.param(redis_with(missing_tools=("sha256sum",)), "error", "backend-redis", "lacks sha256sum", id="redis-tools"),
        pytest.param(redis_with(free_bytes=5), "error", "backend-redis", "5 bytes free, 6 are needed", id="redis-room"),
        pytest.param(redis_with(strategy="RollingUpdate"), "warning", "backend-redis", "not Recreate", id="two-servers-at-once"),
    ],
)  # fmt: skip
def test_what_speaks_against_it(change: Change, severity: str, subject: str, message: str) -> None:
    (finding,) = findings(change)
    assert (finding.severity, finding.subject) == (severity, subject)
    assert message in finding.message


@pytest.mark.parametrize(
    ("change", "options"),
    [
        pytest.param(without("system-database"), Options(), id="what-the-bundle-lacks-the-bundle-says"),
        pytest.param(manager_with(external=("system-database",)), Options(), id="elsewhere-and-not-named"),
        pytest.param(manager_with(is_s3=True), Options(), id="an-object-store"),
        pytest.param(found_with(operator="down"), Options(only=("backend-redis",)), id="no-operator-is-needed-for-a-redis"),
        pytest.param(redis_with(free_bytes=0), Options(only=("zync",)), id="a-part-that-is-not-asked-for"),
        pytest.param(dump_with("system-database", server_version="8.0.30"), Options(), id="mysql-and-mariadb-count-apart"),
        pytest.param(dump_with("system-database", databases=("other", "system")), Options(), id="one-of-several-databases"),
    ],
)  # fmt: skip
def test_what_does_not(change: Change, options: Options) -> None:
    assert findings(change, options) == []


def test_a_password_that_a_database_does_not_know_is_a_warning_where_secrets_are_replaced() -> None:
    there = ObjectSeen(is_there=True, differing=("DATABASE_URL", "SECRET_KEY_BASE"))
    change = found_with(objects={"Secret zync": there, "Secret system-smtp": there})
    assert findings(change) == []
    (finding,) = findings(change, Options(with_objects=True))
    assert (finding.severity, finding.subject) == ("warning", "zync")
    assert "its DATABASE_URL would be replaced" in finding.message


@pytest.mark.parametrize("part", ["system-database", "zync", "backend-redis", "system-redis"])
def test_a_part_that_is_named_and_elsewhere_is_refused(part: str) -> None:
    (finding,) = findings(manager_with(external=(part,)), Options(only=(part,)))
    assert (finding.severity, finding.subject) == ("error", part)
    assert "cannot be restored here" in finding.message


def test_a_database_that_nobody_knows_of_is_refused() -> None:
    subjects = [f.subject for f in findings(found_with(databases=(), workloads=()))]
    assert subjects == ["system-database", "zync", "backend-redis", "system-redis"]


def test_what_this_user_may_not_do_is_refused() -> None:
    cluster = WholeCluster("2.15")
    found = preflight(cluster.installation(), cluster.bundle(), forbidden=("patch apimanagers", "delete routes"))
    assert [f.message for f in found if f.subject == "rights"] == [
        "this user may not patch apimanagers in namespace model", "this user may not delete routes in namespace model"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "subject", "message"),
    [
        pytest.param(found_with(serves_managers=False), "operator", "serves no APIManager", id="no-operator"),
        pytest.param(found_with(operator="it is scaled to 0"), "operator", "does not run: it is scaled to 0", id="operator-down"),
        pytest.param(without("objects"), "objects", "the bundle has none to create", id="no-apimanager-in-the-bundle"),
    ],
)
def test_a_new_installation(change: Change, subject: str, message: str) -> None:
    cluster = WholeCluster("2.15", is_fresh=True)
    assert preflight(cluster.installation(), cluster.bundle()) == []
    (finding,) = preflight(*change(cluster.installation(), cluster.bundle()))
    assert (finding.severity, finding.subject) == ("error", subject)
    assert message in finding.message


@pytest.mark.parametrize(
    ("change", "options"),
    [
        pytest.param(zync_with(free_bytes=20), Options(), id="all-on-the-volume"),
        pytest.param(zync_with(free_bytes=11, home="/home", home_free_bytes=9), Options(), id="the-copy-at-home"),
        pytest.param(zync_with(free_bytes=19), Options(), id="the-copy-on-this-machine"),
        pytest.param(zync_with(free_bytes=11, size_bytes=99), Options(no_safety_copy=("zync",)), id="no-copy"),
    ],
)
def test_there_is_room_enough(change: Change, options: Options) -> None:
    assert findings(change, options) == []
