"""What is said of good and bad bundles."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from commands.options import Part
from orchestrator.bundle import inspect_bundle, stale_dumps
from orchestrator.findings import BundleReport, Finding
from orchestrator.parts import PARTS
from orchestrator.rdb import read_rdb
from tests.bundle.servers import redis_server

DATA = Path(__file__).parent / "data"
BOTH = frozenset({"backend-redis", "system-redis"})
BACKEND, SYSTEM = "backend-redis-dump.rdb", "system-redis-dump.rdb"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    shutil.copy(DATA / "redis-6.2.rdb", tmp_path / BACKEND)
    shutil.copy(DATA / "redis-6.2.rdb", tmp_path / SYSTEM)
    return tmp_path


def found(report: BundleReport, file: str) -> list[tuple[str, str]]:
    return [(one.severity, one.message) for one in report.findings if one.subject == file]


def test_a_good_bundle_has_no_findings(bundle: Path) -> None:
    report = inspect_bundle(bundle, BOTH)
    assert report.findings == ()
    assert [(file.part, file.name) for file in report.files] == [("backend-redis", BACKEND), ("system-redis", SYSTEM)]
    summary = read_rdb(bundle / BACKEND)
    file = report.file_of("backend-redis")
    assert file is not None
    assert (file.rdb, file.sha256, file.size_bytes) == (summary, summary.sha256, summary.size_bytes)


def test_the_report_survives_json(bundle: Path) -> None:
    report = inspect_bundle(bundle, BOTH)
    assert BundleReport.model_validate_json(report.model_dump_json()) == report


def test_the_digest_is_of_the_content_and_not_of_the_place(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("copy") / "bundle"
    shutil.copytree(bundle, elsewhere)
    (elsewhere / "notes.txt").write_text("not a handled file")
    before = inspect_bundle(bundle, BOTH).digest
    assert inspect_bundle(elsewhere, BOTH).digest == before
    assert inspect_bundle(elsewhere, frozenset({"backend-redis"})).digest != before
    shutil.copy(DATA / "redis-5.0.rdb", elsewhere / SYSTEM)
    assert inspect_bundle(elsewhere, BOTH).digest != before


def test_a_path_that_is_missing_or_no_directory(bundle: Path) -> None:
    missing = inspect_bundle(bundle / "none", BOTH)
    assert found(missing, f"{bundle}/none") == [("error", "does not exist")]
    file = inspect_bundle(bundle / BACKEND, BOTH)
    assert found(file, str(bundle / BACKEND)) == [("error", "is not a directory")]
    assert (missing.files, file.files) == ((), ())


def test_a_missing_file_a_directory_and_a_broken_link(bundle: Path) -> None:
    (bundle / BACKEND).unlink()
    assert found(inspect_bundle(bundle, BOTH), BACKEND) == [("error", "is missing")]
    (bundle / BACKEND).mkdir()
    assert found(inspect_bundle(bundle, BOTH), BACKEND) == [("error", "is not a file")]
    (bundle / BACKEND).rmdir()
    (bundle / BACKEND).symlink_to("nowhere")
    assert found(inspect_bundle(bundle, BOTH), BACKEND) == [("error", "is missing")]
    (bundle / BACKEND).unlink()
    (bundle / BACKEND).symlink_to(BACKEND)
    assert found(inspect_bundle(bundle, BOTH), BACKEND) == [
        ("error", "cannot be read: Too many levels of symbolic links")
    ]


def test_a_pipe_in_place_of_a_file_is_not_waited_for(bundle: Path) -> None:
    (bundle / SYSTEM).unlink()
    os.mkfifo(bundle / SYSTEM)
    assert found(inspect_bundle(bundle, BOTH), SYSTEM) == [("error", "is not a file")]


def test_an_empty_and_a_damaged_dump_are_errors_and_still_listed(bundle: Path) -> None:
    (bundle / BACKEND).write_bytes(b"")
    data = bytearray((bundle / SYSTEM).read_bytes())
    data[200] ^= 1
    (bundle / SYSTEM).write_bytes(data)
    report = inspect_bundle(bundle, BOTH)
    assert found(report, BACKEND) == [("error", "the file is empty")]
    assert [severity for severity, _ in found(report, SYSTEM)] == ["error"]
    assert [(file.name, file.rdb) for file in report.files] == [(BACKEND, None), (SYSTEM, None)]


def test_a_dump_without_keys_and_without_checksum_is_a_warning(bundle: Path) -> None:
    (bundle / SYSTEM).write_bytes(b"REDIS0009\xff" + bytes(8))
    report = inspect_bundle(bundle, BOTH)
    assert found(report, SYSTEM) == [
        ("warning", "has no checksum: damage inside it would not show"),
        ("warning", "holds no keys: restoring it empties the database"),
    ]
    assert report.errors == ()


def test_dumps_of_the_two_redis_that_were_mixed_up_are_an_error(bundle: Path) -> None:
    with TemporaryDirectory() as short, redis_server(Path(short)) as server:
        server.load([["SADD", "services_set", "2"], ["SET", "services_abc", "as long as it, and not it"]])
        dump = server.save()
        shutil.copy(dump, bundle / BACKEND)
        assert found(inspect_bundle(bundle, BOTH), BACKEND) == []
        (bundle / BACKEND).rename(bundle / SYSTEM)
        shutil.copy(DATA / "redis-6.2.rdb", bundle / BACKEND)
        wanted = ("error", "holds the services of backend-redis: were the dumps of the two mixed up?")
        assert wanted in found(inspect_bundle(bundle, BOTH), SYSTEM)


def test_a_dump_much_older_than_the_other_is_a_warning(bundle: Path) -> None:
    backend, system = inspect_bundle(bundle, BOTH).files
    assert backend.rdb is not None and system.rdb is not None and system.rdb.created_at is not None
    for hours, expected in ((5, []), (9, ["9 hours"]), (100, ["4 days"])):
        later = system.rdb.model_copy(update={"created_at": system.rdb.created_at + timedelta(hours=hours)})
        findings = list(stale_dumps([backend, system.model_copy(update={"rdb": later})]))
        wanted = f"was written {''.join(expected)} before the newest dump of this bundle"
        assert findings == ([Finding(severity="warning", subject=BACKEND, message=wanted)] if expected else [])


def test_other_files_of_the_bundle_are_named(bundle: Path) -> None:
    (bundle / "system-mysql-backup.gz").write_bytes(b"x")
    (bundle / "system").mkdir()
    (bundle / "system-smtp.json").write_text('{"kind": "Secret"}')
    (bundle / "system-seed.json").write_text("Error from server (NotFound)")
    (bundle / os.fsdecode(b"stray\xff\x1b.txt")).write_text("")
    report = inspect_bundle(bundle, frozenset({"backend-redis"}))
    not_asked_for = ("note", "is of a part that was not asked for")
    assert [(one.subject, one.severity, one.message) for one in report.findings] == [
        ("stray\\xff\\x1b.txt", "note", "is no file of the guide: left alone"),
        ("system", *not_asked_for),
        ("system-mysql-backup.gz", *not_asked_for),
        (SYSTEM, *not_asked_for),
        ("system-seed.json", "error", "is not JSON"),
        ("system-seed.json", *not_asked_for),
        ("system-smtp.json", "error", "is a Secret without a name"),
        ("system-smtp.json", *not_asked_for),
    ]
    assert [file.name for file in report.files] == [BACKEND]
    assert BundleReport.model_validate_json(report.model_dump_json()) == report


def test_an_unknown_part_is_a_mistake_of_the_caller(bundle: Path) -> None:
    with pytest.raises(ValueError, match="no such part of a bundle: system-mysq"):
        inspect_bundle(bundle, frozenset({"system-mysq"}))


def test_what_is_missing_of_a_whole_bundle_is_said(bundle: Path) -> None:
    report = inspect_bundle(bundle, frozenset(PARTS))
    assert [(one.subject, one.severity, one.message) for one in report.findings] == [
        ("system-mysql-backup.gz", "error", "is missing, and so is system-postgresql-backup.gz"),
        ("system", "error", "is missing"),
        ("zync-database-backup.gz", "error", "is missing"),
        ("objects", "warning",
         "no Secret, no ConfigMap and no APIManager is there: only an installation that still stands can be restored"),
    ]  # fmt: skip


def test_the_choices_of_the_command_line_are_the_parts() -> None:
    assert tuple(Part) == PARTS
