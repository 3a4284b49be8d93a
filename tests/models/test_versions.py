from __future__ import annotations

import json

import numpy as np
import pytest

from thinslice.errors import NotFoundError, StorageError
from thinslice.models.versions import (
    current,
    read_version,
    remove_old,
    set_current,
    versions,
    write_version,
)

ARRAYS = {"ids": np.arange(5, dtype=np.int32)}
SECOND_US = 1_000_000


def test_what_is_written_is_read_back_and_served(tmp_path):
    version = write_version(tmp_path, ARRAYS, {"seed": 7}, now_us=SECOND_US)
    arrays, meta = read_version(tmp_path, version)
    assert current(tmp_path) == version
    assert arrays["ids"].tolist() == [0, 1, 2, 3, 4]
    assert not arrays["ids"].flags.writeable
    assert (meta["seed"], meta["version"]) == (7, version)
    assert not list(tmp_path.glob("*.tmp"))


def test_a_folder_without_a_version_serves_none(tmp_path):
    assert current(tmp_path / "nothing") is None
    assert versions(tmp_path / "nothing") == []


def test_names_sort_by_age_even_when_the_clock_is_set_back(tmp_path):
    written = [write_version(tmp_path, ARRAYS, {}, now_us=t * SECOND_US) for t in (30, 20, 20)]
    assert versions(tmp_path) == written


def test_the_three_newest_versions_are_kept(tmp_path):
    written = [write_version(tmp_path, ARRAYS, {}, now_us=t * SECOND_US) for t in range(5)]
    assert versions(tmp_path) == written[2:]


def test_going_back_is_setting_current_and_keeps_that_version(tmp_path):
    first, *_ = [write_version(tmp_path, ARRAYS, {}, now_us=t * SECOND_US) for t in range(3)]
    set_current(tmp_path, first)
    remove_old(tmp_path, keep=1)
    assert current(tmp_path) == first
    assert first in versions(tmp_path)


def test_current_cannot_name_a_version_that_is_not_there(tmp_path):
    with pytest.raises(NotFoundError, match="none yet"):
        set_current(tmp_path, "20260101T000000000000-00000000")


@pytest.mark.parametrize("name", ["../elsewhere", "", "20260101T000000000000-00000000"])
def test_a_version_that_is_not_there_is_not_found(tmp_path, name):
    with pytest.raises(NotFoundError):
        read_version(tmp_path, name)


def damage_a_byte(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("ids.npy", damage_a_byte),
        ("ids.npy", lambda path: path.write_bytes(path.read_bytes()[:-4])),
        ("ids.npy", lambda path: path.unlink()),
        ("meta.json", lambda path: path.write_text("{")),
        ("meta.json", lambda path: path.write_text("[]")),
        ("meta.json", lambda path: path.unlink()),
    ],
)
def test_a_damaged_version_is_refused(tmp_path, name, damage):
    version = write_version(tmp_path, ARRAYS, {}, now_us=SECOND_US)
    damage(tmp_path / version / name)
    with pytest.raises(StorageError, match="thinslice build"):
        read_version(tmp_path, version)


def test_a_version_of_another_format_is_refused(tmp_path):
    version = write_version(tmp_path, ARRAYS, {}, now_us=SECOND_US)
    meta = tmp_path / version / "meta.json"
    meta.write_text(json.dumps({**json.loads(meta.read_text()), "format": 999}))
    with pytest.raises(StorageError, match="format 999"):
        read_version(tmp_path, version)


def test_a_pickle_is_never_read(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        write_version(tmp_path, {"bad": np.array([{}], object)}, {}, now_us=SECOND_US)


def test_what_a_crash_left_half_written_is_no_version(tmp_path):
    version = write_version(tmp_path, ARRAYS, {}, now_us=SECOND_US)
    (tmp_path / version).rename(tmp_path / "123-456.tmp")
    assert versions(tmp_path) == []
    assert write_version(tmp_path, ARRAYS, {}, now_us=SECOND_US) == version


def test_a_disk_that_refuses_is_a_storage_error_and_what_was_served_stays(tmp_path):
    version = write_version(tmp_path, ARRAYS, {}, now_us=SECOND_US)
    folder = tmp_path / "CURRENT" / "below-a-file"
    with pytest.raises(StorageError, match="could not be written"):
        write_version(folder, ARRAYS, {}, now_us=SECOND_US)
    assert current(tmp_path) == version
