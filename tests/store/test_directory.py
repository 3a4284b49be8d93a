from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from thinslice.durable import locked, publish_folder, try_lock, write_durably
from thinslice.errors import InputError, StorageError
from thinslice.store.directory import DataDirectory


def test_the_data_directory_is_made_and_is_its_owners_alone(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "new" / "data")
    assert directory.root.stat().st_mode & 0o077 == 0
    assert directory.hot.is_dir()
    assert directory.catalog_file("lamps") == directory.root / "catalog" / "lamps.sqlite"


@pytest.mark.parametrize("shop", ["", "..", "a/b", "a b", "-a", "ä", "x" * 65, "a\n"])
def test_a_shop_id_that_could_leave_its_folder_is_refused(tmp_path: Path, shop: str) -> None:
    with pytest.raises(InputError, match="a shop id must be"):
        DataDirectory(tmp_path).photos(shop)


def test_a_durable_write_replaces_the_content_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_durably(tmp_path / "a", b"old")
    write_durably(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_write_that_cannot_be_made_says_which_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="missing/a could not be written"):
        write_durably(tmp_path / "missing" / "a", b"x")


def test_a_folder_is_published_under_its_final_name_once(tmp_path: Path) -> None:
    for _ in range(2):
        (tmp_path / "tmp").mkdir()
        (tmp_path / "tmp" / "file").write_text("x")
        if not (tmp_path / "final").exists():
            publish_folder(tmp_path / "tmp", tmp_path / "final")
    with pytest.raises(StorageError, match="could not be published"):
        publish_folder(tmp_path / "tmp", tmp_path / "final")


def test_a_scratch_folder_is_gone_afterwards(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    with directory.scratch() as first, directory.scratch() as second:
        assert first != second
        assert first.is_dir() and second.is_dir()
    assert not first.exists() and not second.exists()


def test_a_disk_that_fills_up_while_something_is_worked_out_is_told(tmp_path: Path) -> None:
    import duckdb

    directory, full = DataDirectory(tmp_path), Path("/dev/full")
    with pytest.raises(StorageError, match="free some space"), directory.scratch():
        full.write_bytes(b"x")
    with pytest.raises(StorageError, match="free some space"), directory.scratch():
        duckdb.connect().execute(f"copy (select 1) to '{full}' (format parquet)")
    with pytest.raises(FileNotFoundError), directory.scratch() as folder:
        (folder / "nothing").read_bytes()
    assert not [path for path in (tmp_path / "scratch").iterdir() if path.is_dir()]


def test_a_lock_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageError, match="could not be opened"):
        try_lock(tmp_path / "file" / "lock")
    with pytest.raises(StorageError, match="could not be opened"), locked(tmp_path / "file" / "l"):
        pass


def test_what_a_killed_process_left_in_scratch_is_removed(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys; from thinslice.store.directory import DataDirectory\n"
        "with DataDirectory(pathlib.Path(sys.argv[1])).scratch() as folder:\n"
        "    (folder / 'big').write_text('x'); os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    left = [p for p in (tmp_path / "scratch").iterdir() if p.is_dir()]
    assert len(left) == 1
    with DataDirectory(tmp_path).scratch():
        assert not left[0].exists()
