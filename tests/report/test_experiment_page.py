from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from thinslice.outcomes import Metric, experiment
from thinslice.report.drawing import toward_better
from thinslice.report.page import page
from thinslice.report.sentences import known_when

N = 2_000


def trial(worse: float = 0.0, lost: int = 0):
    rng = np.random.default_rng(3)
    arm = np.array(["A", "B"] * N)[lost:]
    bounced = rng.random(len(arm)) < np.where(arm == "B", 0.3 + worse, 0.3)
    rows = {"arm": arm, "bounced": bounced.astype(int), "orders": rng.poisson(0.2, len(arm))}
    metrics = [Metric("orders"), Metric("bounced", better="lower", max_worse=0.1)]
    return experiment(rows, variant="arm", control="A", metrics=metrics, sequential=True)


def test_the_result_of_a_notebook_is_one_page() -> None:
    html = page(trial())
    assert html.count("<h1>") == 1
    assert "Orders per visitor" in html
    assert 'class="limit"' in html
    assert "made for looking every day" in html
    assert "style=" not in html.split("</style>")[1]


def test_a_guardrail_that_is_broken_lies_left_of_its_limit() -> None:
    found = trial(worse=0.15)
    row = next(r for r in found.to_dict()["rows"] if r["is_guardrail"])
    drawn = toward_better(row)
    assert drawn["high"] < drawn["limit"] == -0.1
    assert "Worse by more than allowed" in page(found)


def test_a_broken_split_shows_no_effect() -> None:
    rows = {"arm": ["A"] * 1500 + ["B"] * 1000, "orders": [0, 1] * 1250}
    html = page(experiment(rows, variant="arm", control="A", metrics=Metric("orders")))
    assert "The split of visitors is broken" in html
    assert 'class="chart interval' not in html


@pytest.mark.parametrize("nth", [0, 2])
def test_the_headline_is_what_visitors_did_and_money_stands_below(
    findings: dict[str, Any], nth: int
) -> None:
    r = findings["readouts"][nth]
    assert r["verdict"] == r["judgement"]["verdict"]
    html = page(r)
    assert re.match("Conversion is .* with visit", _headline(html))
    assert "a month, likely" in html
    assert "a year on average" in html[html.index("If we are wrong") :]


def test_money_is_the_headline_where_it_changes_the_verdict(findings: dict[str, Any]) -> None:
    r = findings["readouts"][1]
    assert (r["verdict"], r["judgement"]["verdict"]) == ("not proven", "stop")
    html = page(r)
    assert re.search("may lose .* a year or earn .*: stop", _headline(html))
    wrong = html[html.index("If we are wrong") :]
    assert "If you ship it and it is in truth worse" in wrong
    assert "If you leave it and it is in truth better" in wrong


def test_the_course_and_who_was_left_out_stand_before_anything_folded(
    findings: dict[str, Any],
) -> None:
    r = {**findings["readouts"][0], "left_out": {"robots": 12}}
    before_folds = page(r).split("<details")[0]
    assert "How it settled: conversion" in before_folds
    assert "Left out: visitors that look like robots (12)." in before_folds


def test_a_doubtful_split_is_said(findings: dict[str, Any]) -> None:
    r = findings["readouts"][0]
    srm = {**r["srm"], "p": 0.0086, "doubtful": True}
    assert "hardly as large as they were meant to be" in page({**r, "srm": srm})


def test_the_day_is_said_before_anyone_has_joined() -> None:
    foreseen = {"visitors": 0, "per_day": 20.0, "needed": 1234, "basis": "design"}
    days = {"known_us": 1_772_496_000_000_000, "with_everyone_us": 1_770_000_000_000_000}
    said = known_when({**foreseen, **days, "worth_finding": 0.1})
    assert " ".join(said.split()) == (
        "No visitor has joined yet. About 20 a day could have in the weeks before; at that pace a "
        "change of 10% is found around 3 March 2026, for which about 1,200 are needed. With all "
        "visitors it would be around 2 February 2026."
    )


@pytest.mark.parametrize(
    ("needed", "known_us", "expected"),
    [
        (1234, 1_772_496_000_000_000, "it takes about 1,200 more to settle"),
        (1234, None, "more than three years"),
        (0, None, "enough to settle"),
        (None, None, "it cannot be said yet how many are needed"),
    ],
)
def test_when_it_will_be_known_is_a_sentence(
    needed: int | None, known_us: int | None, expected: str
) -> None:
    outlook = {"visitors": 50, "per_day": 10.0, "needed": needed, "known_us": known_us}
    assert expected in known_when({**outlook, "basis": "looks", "worth_finding": 0.1})


def _headline(html: str) -> str:
    found = re.search("<h1>(.*?)</h1>", html)
    assert found
    return found.group(1)
