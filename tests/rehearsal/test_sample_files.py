"""The sample files of the storage, and the picture of a directory."""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator.rehearsal.contents import tree
from orchestrator.rehearsal.samples import Estate
from orchestrator.rehearsal.samples_files import sample
from orchestrator.rehearsal.seed import fill_directory


def test_every_kind_of_name_and_of_file_is_there(tmp_path: Path) -> None:
    fill_directory(tmp_path, sample(Estate("backup", "small")))
    names = {os.fsencode(path.name) for path in (tmp_path / "odd names").iterdir()}
    assert {b"with\nnewline.txt", b"-rf", b"latin1-\xfc\xff.bin", b" ", b".hidden", "Müller & Söhne.pdf".encode()} <= names
    found = tree(tmp_path)
    assert found["empty directory"] == ["directory", "700"]
    assert found["links/within"] == ["link", "../odd names/with space.txt"]
    assert (tmp_path / "links" / "within").read_text().startswith("backup")
    assert len([path for path, entry in found.items() if entry[0] == "file"]) >= 30


def test_a_directory_is_emptied_first(tmp_path: Path) -> None:
    (tmp_path / "stale").mkdir()
    (tmp_path / "stale" / "file").write_text("x")
    (tmp_path / "link").symlink_to("nowhere")
    fill_directory(tmp_path, sample(Estate("old", "small")))
    first = tree(tmp_path)
    fill_directory(tmp_path, sample(Estate("old", "small")))
    assert tree(tmp_path) == first
    assert "stale" not in first


def test_the_picture_of_a_directory_shows_type_mode_content_and_target(tmp_path: Path) -> None:
    fill_directory(tmp_path, sample(Estate("old", "small")))
    before = tree(tmp_path)
    (tmp_path / "all bytes").write_bytes(b"other")
    (tmp_path / "empty directory").chmod(0o755)
    (tmp_path / "links" / "nowhere").unlink()
    (tmp_path / "links" / "nowhere").symlink_to("elsewhere")
    (tmp_path / "odd names" / " ").unlink()
    (tmp_path / "odd names" / " ").mkdir()
    after = tree(tmp_path)
    assert sorted(path for path in before if before[path] != after[path]) == [
        "all bytes", "empty directory", "links/nowhere", "odd names/ ",
    ]  # fmt: skip


def test_a_medium_storage_has_files_of_some_megabytes(tmp_path: Path) -> None:
    fill_directory(tmp_path, sample(Estate("backup", "medium")))
    assert max(path.stat().st_size for path in tmp_path.iterdir()) == 8 << 20
