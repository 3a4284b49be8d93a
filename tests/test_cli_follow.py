"""`thinslice follow` on the command line."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from thinslice import cli

PLAN = "payoff: {tp: value, fp: -10, currency: EUR}\nper_year: 12\nmust_beat: 600\n"
LOG = "date,left,decided,value\n" + "".join(
    f"2026-0{month}-05,{left},{decided},50\n"
    for month, left, decided in [
        (1, "yes", "yes"),
        (1, "no", "yes"),
        (1, "yes", "no"),
        (2, "yes", "yes"),
        (3, "", "yes"),
    ]
)
COLUMNS = ["--time", "date", "--true", "left", "--decision", "decided", "--pos-label", "yes"]


@pytest.fixture
def said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> object:
    """What a command line prints in a folder with a log and a plan."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.csv").write_text(LOG)
    (tmp_path / "plan.yml").write_text(PLAN)

    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["thinslice", "follow", *words])
        with suppress(SystemExit):
            cli.main()
        printed = capsys.readouterr()
        return printed.out + printed.err

    return run


def test_a_log_is_followed_month_by_month(said: object) -> None:
    assert callable(said)
    found = json.loads(said("log.csv", "--plan", "plan.yml", *COLUMNS, "--json"))
    assert [row["kind"] for row in found["table"]] == ["realised", "realised", "waiting"]
    assert [row["gain"]["likely"] for row in found["table"][:2]] == pytest.approx([40, 50])


def test_what_is_realised_is_read_as_a_sentence(said: object) -> None:
    assert callable(said)
    text = said("log.csv", "--plan", "plan.yml", *COLUMNS)
    assert "In 2 months, January to February 2026, it earned" in text
    assert "The plan asks for EUR 100 in this time" in text
    assert "March 2026 cannot be valued before labels arrive." in text


def test_labels_of_numbers_with_empty_cells_are_numbers(said: object, tmp_path: Path) -> None:
    assert callable(said)
    (tmp_path / "log.csv").write_text(LOG.replace("yes", "1").replace("no", "0"))
    text = said("log.csv", "--plan", "plan.yml", *COLUMNS[:-2])
    assert "In 2 months, January to February 2026, it earned" in text


def test_what_was_evaluated_is_the_plan(said: object, tmp_path: Path) -> None:
    assert callable(said)
    planned = {"gain": {"low": 1200, "likely": 2400, "high": 3600}, "rows": 2, "threshold": None}
    (tmp_path / "agreed.json").write_text(json.dumps(planned))
    text = said("log.csv", "--plan", "plan.yml", *COLUMNS, "--planned", "agreed.json")
    assert "Planned was EUR 200 to 600" in text
    (tmp_path / "agreed.json").write_text("{}")
    text = said("log.csv", "--plan", "plan.yml", *COLUMNS, "--planned", "agreed.json")
    assert "is no evaluation" in " ".join(text.split())
