"""A bundle with everything in it, as the guide's backup chapter makes it, and the command that shows it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.bundle import inspect_bundle, stale_dumps
from orchestrator.findings import BundleFile, BundleReport
from orchestrator.parts import PARTS
from orchestrator.trees import read_tree
from tests.bundle.sql_samples import DOMAIN, HOSTS
from tests.bundle.sql_servers import MariaDb, PostgreSql, packed
from tests.bundle.test_objects import encoded, good_objects
from tests.commands.program import restore

RDB = Path(__file__).parent / "data" / "redis-6.2.rdb"
MYSQL, POSTGRESQL, ZYNC = "system-mysql-backup.gz", "system-postgresql-backup.gz", "zync-database-backup.gz"


@pytest.fixture(scope="module")
def made(mysql: MariaDb, postgres: PostgreSql, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("made")
    (directory / MYSQL).write_bytes(packed(mysql.dump("system")))
    (directory / ZYNC).write_bytes(packed(postgres.dump("pg_dump", "zync_production")))
    for name in ("backend-redis-dump.rdb", "system-redis-dump.rdb"):
        shutil.copy(RDB, directory / name)
    (directory / "system" / "provider").mkdir(parents=True)
    (directory / "system" / "provider" / "logo ü.png").write_bytes(b"logo")
    for name, document in good_objects().items():
        (directory / f"{name}.json").write_text(json.dumps(document))
    return directory


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "bundle", symlinks=True))


def inspect(bundle: Path) -> BundleReport:
    return inspect_bundle(bundle, frozenset(PARTS))


def file_of(report: BundleReport, part: str) -> BundleFile:
    file = report.file_of(part)
    assert file is not None
    return file


def warnings(report: BundleReport) -> list[tuple[str, str]]:
    return [(one.subject, one.message) for one in report.findings if one.severity != "note"]


def put(bundle: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    path = bundle / f"{name}.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_every_part_has_its_summary(bundle: Path, mysql: MariaDb) -> None:
    report = inspect(bundle)
    system, zync = file_of(report, "system-database").sql, file_of(report, "zync").sql
    assert system is not None and zync is not None
    assert (system.rows, system.hosts) == (mysql.counts("system"), HOSTS)
    assert zync.rows["que_jobs"] == 5000
    storage = file_of(report, "system-storage")
    tree = read_tree(bundle / "system").summary
    assert (storage.name, storage.tree, storage.sha256, storage.size_bytes) == ("system", tree, tree.digest, 4)
    assert len(report.files_of("objects")) == len(good_objects())
    assert [file.part for file in report.files][:5] == list(PARTS[:5])
    assert BundleReport.model_validate_json(report.model_dump_json()) == report


def test_a_bundle_as_the_guide_makes_it_has_no_errors(bundle: Path) -> None:
    said = [
        one for one in warnings(inspect(bundle)) if not one[1].startswith("was written")  # the RDB files are years old
    ]
    assert said == [
        (MYSQL, "lacks the procedure sp_invoices_friendly_id, as mysqldump leaves routines out: `rake db:procedures` makes it anew")
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda bundle: (bundle / "system" / "provider" / "logo ü.png").write_bytes(b"logo2"),
        lambda bundle: (bundle / "system" / "new").mkdir(),
        lambda bundle: (bundle / "zync.json").write_text((bundle / "zync.json").read_text() + "\n"),
        lambda bundle: shutil.copy(bundle / ZYNC, bundle / MYSQL),
    ],
    ids=["a-file-of-the-storage", "a-directory-of-the-storage", "an-object", "a-dump"],
)
def test_the_digest_is_of_every_part(change: Callable[[Path], object], bundle: Path) -> None:
    before = inspect(bundle).digest
    assert inspect(bundle).digest == before
    change(bundle)
    assert inspect(bundle).digest != before


def test_two_system_databases_are_an_error(bundle: Path, postgres: PostgreSql) -> None:
    (bundle / POSTGRESQL).write_bytes(packed(postgres.dump("pg_dump", "system")))
    assert (MYSQL, f"and {POSTGRESQL} are both there: an installation has one of them") in warnings(inspect(bundle))


def test_a_system_database_in_postgresql(bundle: Path, postgres: PostgreSql) -> None:
    (bundle / MYSQL).unlink()
    (bundle / POSTGRESQL).write_bytes(packed(postgres.dump("pg_dumpall", "-c", "--if-exists")))
    report = inspect(bundle)
    assert report.errors == ()
    assert file_of(report, "system-database").name == POSTGRESQL
    said = [message for subject, message in warnings(report) if subject == "system-database.json"]
    assert said == [f"its URL is of mysql, and {POSTGRESQL} is a dump of postgresql"]


def test_the_database_is_the_one_that_the_secret_names(bundle: Path, postgres: PostgreSql) -> None:
    (bundle / MYSQL).unlink()
    (bundle / POSTGRESQL).write_bytes(packed(postgres.dump("pg_dumpall")))
    url = "postgresql://value%20of%20DB_USER:value%20of%20DB_PASSWORD@system-postgresql/porta"
    put(bundle, "system-database", lambda document: document["data"].update(URL=encoded(url)))
    errors = [(one.subject, one.message[:38]) for one in inspect(bundle).errors]
    assert errors == [(POSTGRESQL, "holds no database porta: it has templa")]


def test_hosts_of_another_domain_are_a_warning(bundle: Path) -> None:
    for name, change in (
        ("apimanager", lambda document: document["spec"].update(wildcardDomain="new.example")),
        ("system-environment", lambda document: document["data"].update(THREESCALE_SUPERDOMAIN="new.example")),
    ):
        put(bundle, name, change)
    said = [message for subject, message in warnings(inspect(bundle)) if subject == MYSQL]
    assert f"5 of its 5 host names are not below new.example: {', '.join(HOSTS[:3])}, …" in said
    assert DOMAIN in HOSTS[0]


def test_storage_in_s3_is_not_missed(bundle: Path) -> None:
    shutil.rmtree(bundle / "system")
    assert [(one.subject, one.message) for one in inspect(bundle).errors] == [("system", "is missing")]
    storage = {"fileStorage": {"simpleStorageService": {"configurationSecretRef": {"name": "s3"}}}}
    put(bundle, "apimanager", lambda document: document["spec"].update(system=storage))
    assert inspect(bundle).errors == ()


def test_a_storage_that_holds_little(bundle: Path) -> None:
    (bundle / "system" / "provider" / "logo ü.png").unlink()
    (bundle / "system" / "provider").rename(bundle / "system" / "system")
    said = [message for subject, message in warnings(inspect(bundle)) if subject == "system"]
    assert said == [
        "holds no files", "holds nothing but a directory of its own name: was it copied one level too deep?",
    ]  # fmt: skip


def test_a_dump_of_a_database_much_older_than_the_others_is_a_warning(bundle: Path) -> None:
    report = inspect(bundle)
    system, redis = file_of(report, "system-database"), file_of(report, "system-redis")
    assert system.sql is not None and system.sql.completed_at is not None and redis.rdb is not None
    for hours, severities in ((5, []), (7, ["warning"])):
        written = redis.rdb.model_copy(update={"created_at": system.sql.completed_at + timedelta(hours=hours)})
        found = list(stale_dumps([system, redis.model_copy(update={"rdb": written})]))
        assert [(one.subject, one.severity) for one in found] == [(MYSQL, severity) for severity in severities]


def test_progress_is_told_of_every_file(bundle: Path) -> None:
    last: dict[str, tuple[int, int]] = {}
    report = inspect_bundle(bundle, frozenset(PARTS), lambda name, done, total: last.update({name: (done, total)}))
    wanted = {file.name: (file.size_bytes, file.size_bytes) for file in report.files if file.part != "objects"}
    assert last == wanted


# ---- restore check ------------------------------------------------------------------------------------


def test_check_shows_a_table_and_the_findings(bundle: Path, tmp_path: Path) -> None:
    done = restore("check", str(bundle), home=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = {line.split()[0]: " ".join(line.split()[2:]) for line in done.stdout.splitlines() if line.strip()}
    assert lines[ZYNC].startswith("pg_dump 15.") or lines[ZYNC].startswith("pg_dump 16.")
    assert lines[ZYNC].endswith("11 tables, 6006 rows")
    assert lines["system"] == "directory 1 files, 1 directories, 0 links"
    assert lines["zync.json"] == "Secret 4 keys"
    assert f"warning: {MYSQL}: lacks the procedure" in done.stdout


def test_check_gives_one_document(bundle: Path, tmp_path: Path) -> None:
    done = restore("check", str(bundle), "-o", "json", home=tmp_path)
    assert BundleReport.model_validate_json(done.stdout) == inspect(bundle)


def test_check_of_one_part_and_of_a_bundle_that_lacks_the_others(bundle: Path, tmp_path: Path) -> None:
    for name in (MYSQL, "system-redis-dump.rdb"):
        (bundle / name).unlink()
    done = restore("check", str(bundle), home=tmp_path)
    assert done.returncode == 20
    assert f"error: {MYSQL}: is missing, and so is {POSTGRESQL}" in done.stdout
    assert "error: system-redis-dump.rdb: is missing" in done.stdout
    for part in ("zync", "backend-redis", "system-storage", "objects"):
        assert restore("check", str(bundle), "--only", part, home=tmp_path).returncode == 0
