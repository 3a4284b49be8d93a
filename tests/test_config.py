from __future__ import annotations

from pathlib import Path

import pytest

from thinslice.config import read_settings
from thinslice.errors import InputError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_is_given_goes_before_the_environment_and_that_before_the_file(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere / "thinslice.toml").write_text('port = 1\nworkers = 1\nhost = "::1"\n')
    monkeypatch.setenv("THINSLICE_PORT", "2")
    monkeypatch.setenv("THINSLICE_WORKERS", "2")
    settings = read_settings(port=3)
    assert (settings.port, settings.workers, settings.host) == (3, 2, "::1")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("port", "99999", "port must be less than or equal to 65535, got '99999'"),
        ("workers", "0", "workers must be greater than or equal to 1, got '0'"),
        ("port", "x", "port must be a valid integer"),
        ("session_gap_minutes", "inf", "session_gap_minutes must be a finite number"),
        ("seal_seconds", "nan", "seal_seconds must be"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_where_to_correct_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(f"THINSLICE_{name.upper()}", value)
    with pytest.raises(InputError) as told:
        read_settings()
    assert says in str(told.value)
    assert f"THINSLICE_{name.upper()}" in str(told.value)


def test_a_setting_that_there_is_not_is_told_with_the_one_that_was_meant(elsewhere: Path) -> None:
    (elsewhere / "thinslice.toml").write_text("prot = 1\n")
    with pytest.raises(InputError, match="no setting 'prot'.* did you mean port?"):
        read_settings()


def test_a_file_that_is_no_toml_says_where_it_breaks(elsewhere: Path) -> None:
    (elsewhere / "thinslice.toml").write_text("port = \n")
    with pytest.raises(InputError, match=r"thinslice\.toml .*line 1"):
        read_settings()
