from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import product
from typing import Any

import pytest

from thinslice.profit import Payoff, Plan, Range
from thinslice.report.page import csp, page, style, style_hash

VOID = {"meta", "link", "img", "input", "br", "hr"}
PARTS = ("plan", "audit", "evaluation", "readouts")


class Tags(HTMLParser):
    """Checks that what is opened is closed, in order, and collects what a policy would forbid."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.problems: list[str] = []
        self.ids: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        self.problems += [f"<{tag} {n}>" for n in names if n == "style" or n.startswith("on")]
        self.problems += [f"<{tag}> {n} twice" for n in set(names) if names.count(n) > 1]
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag == "script":
            self.problems.append("<script>")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes something else")

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)


def read(findings: dict[str, Any]) -> Tags:
    tags = Tags(page(findings))
    assert tags.problems == []
    assert tags.open == []
    assert len(tags.ids) == len(set(tags.ids))
    return tags


def said(findings: dict[str, Any]) -> str:
    return " ".join(" ".join(read(findings).text).split())


@pytest.mark.parametrize("missing", list(product((False, True), repeat=len(PARTS))))
def test_every_combination_of_missing_parts_is_a_sound_page(
    findings: dict[str, Any], missing: tuple[bool, ...]
) -> None:
    for part, gone in zip(PARTS, missing, strict=True):
        if gone:
            findings[part] = [] if part == "readouts" else None
    if not findings["evaluation"]:
        findings["offline"] = None
    assert "thinslice" in said(findings)


def test_a_missing_part_says_the_next_step(findings: dict[str, Any]) -> None:
    findings.update(plan=None, audit=None, evaluation=None, offline=None, readouts=[])
    text = said(findings)
    for command in ("thinslice plan", "thinslice audit", "thinslice evaluate"):
        assert command in text


def test_the_headline_is_the_verdict_of_the_latest_experiment(findings: dict[str, Any]) -> None:
    html = page(findings)
    headline = re.search("<h1>(.*?)</h1>", html)
    assert headline and headline[1].endswith("ship.") and "at least €" in headline[1]
    assert html.count("Worth testing") >= 1


def test_offline_results_never_come_with_money(findings: dict[str, Any]) -> None:
    findings.update(readouts=[], plan=None, audit=None)
    assert "€" not in said(findings)


def test_an_experiment_without_money_says_that_none_can_be_stated(findings: dict[str, Any]) -> None:
    only = findings["readouts"][-1]
    why = "No money can be stated: there are no purchases in the log."
    only["judgement"].update(money=None, sentence=f"{only['sentence']} {why}")
    findings["readouts"] = [only]
    assert why in said(findings)


def test_a_generated_shop_is_marked(findings: dict[str, Any]) -> None:
    assert "Generated data" not in said(findings)
    findings["shop"]["generated"] = True
    assert "Generated data" in said(findings)


def test_a_plan_agreed_after_the_experiment_began_is_marked(findings: dict[str, Any]) -> None:
    assert "Agreed late" not in said(findings)
    findings["plan"]["agreed_us"] = findings["readouts"][0]["period"]["start_us"] + 1
    assert "Agreed late" in said(findings)


def test_a_plan_changed_after_it_was_agreed_is_marked(findings: dict[str, Any]) -> None:
    findings["plan"]["problem"] = "This plan was changed after it was agreed on 2026-03-01."
    assert "Changed. This plan was changed after it was agreed" in said(findings)


HOSTILE = "\"'><script>alert(1)</script><b onclick=alert(2)>{{ 6 * 7 }}</b>\u202e"
FROM_OUTSIDE = {"name", "question", "sentence", "reason", "label", "treatment", "control", "id"}


def poisoned(value: Any, key: str = "") -> Any:
    """The same findings with hostile text wherever a shop or a person can put some."""
    if isinstance(value, dict):
        return {k: poisoned(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [poisoned(v, key) for v in value]
    return value + HOSTILE if isinstance(value, str) and key in FROM_OUTSIDE else value


def test_hostile_text_stays_text(findings: dict[str, Any]) -> None:
    tags = read(poisoned(findings))
    text = " ".join(tags.text)
    assert "<script>alert(1)</script>" in text
    assert "{{ 6 * 7 }}" in text


def test_a_figure_that_does_not_exist_is_a_dash(findings: dict[str, Any]) -> None:
    for row in findings["readouts"][0]["rows"]:
        for interval in (row["absolute"], row["relative"]):
            interval.update(low=None, estimate=None, high=None)
    for day in findings["readouts"][0]["daily"]:
        day["absolute"].update(low=None, estimate=None, high=None)
    text = said(findings)
    assert "not known" in text
    assert "nan" not in text.lower().split()


def test_the_policy_allows_the_style_inside_the_page_and_nothing_else(
    findings: dict[str, Any],
) -> None:
    html = page(findings)
    inside = re.search("<style>(.*?)</style>", html, re.DOTALL)
    assert inside and inside[1] == style()
    assert f"style-src '{style_hash()}'" in csp()
    assert "default-src 'none'" in csp()
    assert "http" not in re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)


def test_a_plan_shows_everything_that_is_guarded(findings: dict[str, Any]) -> None:
    plan = Plan(guardrails={"bounce_rate": 0.05, "click_through": 0.02}, order_value=Range(1, 2, 3))
    findings["plan"] = plan.to_dict()
    assert "bounce rate may get at most 5% worse, and click through" in said(findings)
    assert "bounce rate by more than 5%" in said(findings)


def test_a_plan_for_predictions_says_what_each_outcome_brings(findings: dict[str, Any]) -> None:
    payoff = Payoff(tp="clv * 0.3", fp=Range(-15, -11, -8))
    findings["plan"] = Plan(payoff, must_beat=50_000, capacity=100).to_dict()
    text = said(findings)
    assert "It has to earn € 50,000 a year more than doing nothing." in text
    assert "clv * 0.3, by row" in text
    assert "−€ 15 to −€ 8.00, likely −€ 11" in text
    assert "at most 100 of them" in text
