"""The manager's page: one sheet on what acting on a model's predictions is worth."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jinja2 import Environment

from thinslice.profit import Evaluation, Payoff, Plan, Range, evaluate
from thinslice.report import page
from thinslice.report.locales import Marks, localise
from thinslice.report.page import _compiled
from thinslice.report.profit import curve_shape, outcomes, tornado_shape, toughest

AGREED_US = 1_772_323_200_000_000  # 1 March 2026
N = 1000


def evaluation(plan: Plan | None = None, **more: Any) -> Evaluation:
    """Scores from 0 to 1; of those from a half on every other person is a case, of others none."""
    score = np.arange(N) / N
    y = np.where((score >= 0.5) & (np.arange(N) % 2 == 0), "leaves", "stays")
    asked = plan or Plan(
        Payoff(tp=Range(15, 20, 30), fp=-5),
        question="Do calls <b>pay</b>?",
        threshold=0.5,
        per_year=12,
        fixed_cost=2_000,
        must_beat=10_000,
    ).agree(AGREED_US)
    return evaluate(y, score, asked, pos_label="leaves", **more)


def text_of(html: str) -> str:
    bare = re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.S)
    return re.sub(r"\s+", " ", bare.replace("\xa0", " "))


def test_the_first_sentence_is_the_answer_and_the_low_end_comes_first() -> None:
    r = evaluation()
    html = page(r)
    headline = re.search(r"<h1>(.*?)</h1>", html)
    assert headline is not None
    assert headline[1].startswith("It earns at least €\xa0")
    assert headline[1].endswith(": ship.")
    assert "at least" in text_of(html).partition("likely")[0]


def test_cells_are_people_times_money_in_words() -> None:
    cells = {cell["name"]: cell for cell in outcomes(evaluation().to_dict())}
    assert [cells[name]["count"] for name in ("tp", "fp", "fn", "tn")] == [250, 250, 0, 500]
    assert cells["fp"]["each"] == -5
    assert cells["fp"]["total"] == -1250
    said = text_of(page(evaluation()))
    assert "250 people were not, and we act. −€ 5.00 each −€ 1,200" in said
    assert "250 people were “leaves”, and we act. € 21 each, as a guess € 15 to € 30" in said


def test_the_sheet_has_everything_a_manager_asks_for() -> None:
    said = text_of(page(evaluation()))
    for words in (
        "Plan agreed on 1 March 2026, fingerprint",
        "Put it to work.",
        "Doing nothing",
        "Acting on everyone",
        "Knowing the truth beforehand",
        "Only an experiment shows the difference.",
        "It breaks even when 21% of those acted on are",  # 5 / (20.83 + 5), and the fixed cost
        "1,000 rows like these, 12 times a year",
        "luck: other people in the sample".capitalize(),
        'Plan.load("plan.yml")',
        evaluation().plan.digest,
    ):
        assert words in said, words


def test_a_plan_that_was_never_agreed_says_so() -> None:
    said = text_of(page(evaluation(Plan(Payoff(tp=20, fp=-5), threshold=0.5))))
    assert "The plan was not agreed before the work" in said
    assert "thinslice profit --agree plan.yml" in said


def test_what_people_typed_is_text_and_never_markup() -> None:
    html = page(evaluation())
    assert "Do calls &lt;b&gt;pay&lt;/b&gt;?" in html
    assert "<b>pay" not in html
    assert "<script" not in html


def test_numbers_are_written_as_the_reader_writes_them() -> None:
    english, german, french = (text_of(page(evaluation(), x)) for x in ("en", "de", "fr"))
    assert "€ 10,000" in english
    assert "€ 10.000" in german
    assert "€ 10 000" in french
    digest = evaluation().plan.digest
    assert digest in german
    assert "10,000" not in german + french


def test_a_model_that_acting_on_everyone_matches_is_held_against_that() -> None:
    r = evaluation(Plan(Payoff(tp=20, fp=-1), threshold=0.0))
    assert toughest(r.to_dict())["words"] == "acting on everyone"
    assert "More money a year than acting on everyone, which needs no model and" in text_of(page(r))
    own = evaluation(Plan(Payoff(tp=20, fp=-10), threshold=0.5)).to_dict()
    assert toughest(own)["words"] == "doing nothing"
    assert toughest(own)["gain"] == own["gain"]


def test_curve_and_tornado_have_words_and_numbers_beside_them() -> None:
    found = evaluation().to_dict()
    curve, bars = curve_shape(found), tornado_shape(found)
    assert curve is not None
    assert bars is not None
    assert curve["best"]["acted"] >= 250
    assert curve["everybody"]["acted"] == N
    assert [point["acted"] for point in curve["table"]][0] == 0
    assert {bar["name"] for bar in bars["bars"]} == {"tp", "fp", "luck of the sample"}
    html = page(evaluation())
    assert html.count('role="img"') >= 5
    assert all("aria-label" in svg for svg in re.findall(r'<[^>]*role="img"[^>]*>', html))


def test_decisions_and_more_classes_have_a_page_too() -> None:
    y = np.array(["a", "b", "c"] * 40)
    decided = np.array(["a", "b", "a"] * 40)
    payoff = Payoff.from_matrix(
        [[5, -1, -1], [-1, 5, -1], [-1, -1, 5]], labels=["a", "b", "c"], nothing="a"
    )
    html = page(evaluate(y, plan=Plan(payoff), y_pred=decided))
    assert "How many rows of each class" in html
    assert "Deciding “b” for everyone" in html
    assert "y_pred=rows" in html


def test_marks_are_exchanged_in_numbers_alone() -> None:
    german = Marks(".", ",")
    assert localise("1,200.5 to 3, or v1.2.3 on 2026-03-01", german) == (
        "1.200,5 to 3, or v1.2.3 on 2026-03-01"
    )


@pytest.mark.browser
@pytest.mark.parametrize("locale", ["en", "de"])
def test_it_prints_on_one_sheet(tmp_path: Path, locale: str) -> None:
    everything = Plan(
        Payoff(tp=Range(15, 20, 30), fp=Range(-9, -5, -2), fn=Range(-2, -1, 0), tn=Range(0, 0, 1)),
        question="Do calls to customers who may leave earn more than they cost? " * 2,
        per_year=12,
        fixed_cost=2_000,
        must_beat=10_000,
        capacity=700,
        discount=0.08,
    ).agree(AGREED_US)
    (tmp_path / "page.html").write_text(page(evaluation(everything), locale), encoding="utf-8")
    chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
        + [f"--print-to-pdf={tmp_path / 'page.pdf'}", f"file://{tmp_path / 'page.html'}"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    assert len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "page.pdf").read_bytes())) == 1


def test_recommended_lists_have_a_page_that_counts_what_they_held() -> None:
    bought = [["a"], ["b"], [], ["a"]] * 30
    lists = [["a", "b"], ["b", "c"], ["c", "a"], ["c", "b"]] * 30
    said = text_of(page(evaluate(bought, lists, Plan(Payoff.ranking(purchase=3), per_year=12))))
    assert "What people went on to choose by themselves" in said
    assert "Purchase 60 30 € 180" in said
    assert "evaluate(happened, lists" in said


def test_cells_of_those_treated_at_random_say_that_they_stand_for_all() -> None:
    rng = np.random.default_rng(0)
    score, treated = rng.random(N), rng.integers(0, 2, N)
    y = (rng.random(N) < 0.1 + 0.3 * treated * score).astype(int)
    plan = Plan(Payoff(tp=19, fp=-1, fn=20), threshold=0.5)
    assert "treated at random stand for all" in text_of(
        page(evaluate(y, score, plan, treatment=treated))
    )


def test_a_warning_of_the_library_stands_below_the_verdict() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(N) < 0.2).astype(int)
    weak = evaluate(y, 0.2 * y + rng.normal(size=N), Plan(Payoff(tp=4, fp=-1)))
    before, _, after = text_of(page(weak)).partition("Look: The score ranks little better")
    assert "Do not" in before and "low end" in after
    assert "Look:" not in text_of(page(evaluation()))


def test_lists_are_held_against_lists() -> None:
    plan = Plan(Payoff.ranking(click=1), baseline="nothing")
    said = text_of(page(evaluate([["a"], ["b"]] * 50, [["a"], ["a"]] * 50, plan)))
    assert "Do these lists hold more of what people go on to choose" in said
    assert "Showing no list" in said and "As many items, at random" in said


def test_a_page_is_compiled_once_for_each_way_of_writing_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiled: list[str] = []
    compile_one = Environment.compile

    def noted(self: Environment, source: str, *rest: Any, **more: Any) -> Any:
        compiled.append(source)
        return compile_one(self, source, *rest, **more)

    monkeypatch.setattr(Environment, "compile", noted)
    _compiled.cache_clear()
    r = evaluation()
    page(r, "fr")
    once = len(compiled)
    page(r, "fr")
    assert len(compiled) == once > 0
