"""`thinslice profit`: from an example to a dated plan, a verdict and a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from thinslice.cli import app
from thinslice.errors import InputError
from thinslice.profit import Plan


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["profit", *map(str, words)])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the example in it."""
    monkeypatch.chdir(tmp_path)
    assert run("--example").exit_code == 0
    return tmp_path


def test_the_example_is_judged_and_every_guess_is_told(folder: Path) -> None:
    said = run("predictions.csv", "--plan", "plan.yml", "-o", "page.html").stdout
    assert "2,000 rows, comma-separated" in said
    assert "The truth is taken from the column 'leaving'." in said
    assert "knowing the truth beforehand" in said
    assert "was not agreed before the work" in said
    assert "<h1>" in (folder / "page.html").read_text()


def test_a_plan_is_dated_once_and_the_page_shows_it(folder: Path) -> None:
    assert run("--agree", "plan.yml").exit_code == 0
    agreed = Plan.load(folder / "plan.yml")
    assert agreed.digest == agreed.fingerprint()
    assert "was agreed on" in run("predictions.csv", "--plan", "plan.yml").stdout
    assert isinstance(run("--agree", "plan.yml").exception, InputError)


def test_json_is_all_there_is_and_nothing_else(folder: Path) -> None:
    found = json.loads(run("predictions.csv", "--plan", "plan.yml", "--json").stdout)
    assert found["columns"] == {"true": "leaving", "score": "score", "positive": "yes"}
    assert found["rows"] == 2000
    assert set(found["baselines"]) == {"nothing", "all", "random", "oracle"}


def test_the_page_is_written_in_the_locale_asked_for(folder: Path) -> None:
    run("predictions.csv", "--plan", "plan.yml", "-o", "page.html", "--locale", "de")
    assert "€\xa05.000" in (folder / "page.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "profit needs predictions"),
        (["predictions.csv"], "thinslice profit --example"),
        (["--example"], "exists and is not overwritten"),
        (["nowhere.csv", "--plan", "plan.yml"], "there is no file nowhere.csv"),
        (["predictions.csv", "--plan", "nowhere.yml"], "cannot read the plan nowhere.yml"),
        (["predictions.csv", "--plan", "plan.yml", "--score", "skore"], "did you mean 'score'"),
        (["predictions.csv", "--plan", "plan.yml", "--pos-label", "yess"], "did you mean 'yes'"),
        (["predictions.csv", "--plan", "plan.yml", "-o", "no/page.html"], "cannot write"),
    ],
)
def test_what_is_wrong_is_one_sentence(folder: Path, words: list[str], said: str) -> None:
    error = run(*words).exception
    assert isinstance(error, InputError)
    assert said in str(error)
