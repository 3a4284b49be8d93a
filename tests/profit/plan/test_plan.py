import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinslice.domain import KPI_NAMES
from thinslice.errors import InputError
from thinslice.outcomes.kpi import KPIS
from thinslice.profit import Payoff, Plan, Range
from thinslice.profit.plan.plan import COMMENTS, PREDICTION_COMMENTS

AGREED = 1_767_225_600_123_456  # 2026-01-01 00:00:00.123456 UTC

PLAN = Plan(order_value=Range(8, 12, 18))

money = st.floats(0, 1e9).map(lambda x: round(x, 2))
ranges = st.tuples(money, money, money).map(sorted).map(lambda ends: Range(*ends))
plans = st.builds(
    Plan,
    question=st.text(min_size=1).filter(lambda t: t.strip() and t.isprintable()),
    kpi=st.just("conversion"),
    guardrails=st.none()
    | st.dictionaries(
        st.sampled_from([name for name in KPI_NAMES if name != "conversion"]), st.floats(0, 0.99)
    ),
    baseline=st.sampled_from(["incumbent", "popular", "list:mine"]),
    order_value=ranges,
    click_value=ranges,
    sessions_per_month=st.none() | money,
    must_beat=money,
)


@settings(deadline=None)
@given(plans)
def test_a_plan_survives_its_file(plan):
    agreed = plan.agree(AGREED)
    assert Plan.from_yaml(agreed.to_yaml()) == agreed
    assert Plan.from_yaml(agreed.to_yaml()).problem is None


def test_a_plan_file_says_above_every_field_what_it_means(tmp_path):
    PLAN.agree(AGREED).save(tmp_path / "plan.yml")
    text = (tmp_path / "plan.yml").read_text()
    for name, comment in COMMENTS.items():
        block = next(b for b in text.split("\n\n") if f"\n{name}:" in b)
        assert " ".join(line[2:] for line in block.splitlines() if line[0] == "#") == comment
    assert Plan.load(tmp_path / "plan.yml") == PLAN.agree(AGREED)


def test_a_plan_changed_after_it_was_agreed_says_so():
    text = replace(PLAN, must_beat=50_000).agree(AGREED).to_yaml()
    changed = Plan.from_yaml(text.replace("must_beat: 50000", "must_beat: 500"))
    assert changed.problem == "This plan was changed after it was agreed on 2026-01-01."
    assert changed.to_dict()["problem"] == changed.problem
    assert changed.agree(AGREED).problem is None


def test_half_of_an_agreement_is_none():
    text = PLAN.agree(AGREED).to_yaml()
    for line, says in (("digest", "a date and no fingerprint"), ("agreed", "a fingerprint and no")):
        edited = re.sub(rf"^{line}: .*$", f"{line}: null", text, flags=re.M)
        assert says in (Plan.from_yaml(edited).problem or "")
    assert Plan.from_yaml(text).problem is None
    assert PLAN.problem is None


def test_the_date_is_no_part_of_the_fingerprint():
    assert PLAN.agree(AGREED).digest == PLAN.agree(AGREED + 1).digest == PLAN.fingerprint()


def test_a_comment_or_another_way_to_write_a_number_changes_nothing():
    text = Plan(order_value=Range(8, 12, 18)).agree(AGREED).to_yaml()
    other = "# agreed in the meeting\n" + text.replace("low: 8,", "low: 8.0,")
    assert Plan.from_yaml(other).problem is None


def test_a_partial_file_keeps_the_defaults():
    plan = Plan.from_yaml("order_value: [8, 12, 18]\nkpi: revenue_per_session\n")
    assert plan == Plan(order_value=Range(8, 12, 18), kpi="revenue_per_session")
    assert Plan.from_yaml("") == Plan()


def test_the_terms_are_those_an_experiment_is_read_by():
    assert Plan().terms() == {"kpi": "conversion", "guardrails": {"revenue_per_session": 0.02}}
    assert Plan(guardrails={}).terms()["guardrails"] == {}
    assert Plan(kpi="revenue_per_session").terms()["guardrails"] == {"conversion": 0.02}


def test_several_numbers_may_be_guarded(tmp_path):
    plan = Plan.from_yaml("order_value: 12\nguardrails: {click_through: 0.02, bounce_rate: 0.05}")
    assert plan.terms()["guardrails"] == {"click_through": 0.02, "bounce_rate": 0.05}
    agreed = plan.agree(AGREED)
    assert Plan.from_yaml(agreed.to_yaml()) == agreed
    relaxed = Plan.from_yaml(agreed.to_yaml().replace("bounce_rate: 0.05", "bounce_rate: 0.1"))
    assert relaxed.problem is not None


FIRST = """
question: Do recommendations from the running visit sell more than what we show today?
kpi: conversion
guardrail: bounce_rate
max_worse: 0.05
baseline: incumbent
order_value: {low: 8, likely: 12, high: 18}
agreed: '2026-01-01T00:00:00+00:00'
"""


def test_a_plan_with_one_guardrail_in_the_words_of_the_first_plans_still_holds():
    plan = Plan.from_yaml(FIRST)
    assert plan.guardrails == {"bounce_rate": 0.05}
    content = {
        "question": plan.question,
        "kpi": "conversion",
        "guardrail": "bounce_rate",
        "max_worse": 0.05,
        "baseline": "incumbent",
        "currency": "EUR",
        "click_value": {"low": 0.0, "likely": 0.0, "high": 0.0},
        "order_value": {"low": 8.0, "likely": 12.0, "high": 18.0},
        "sessions_per_month": None,
        "must_beat": 0.0,
        "fixed_cost": 0.0,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert plan.fingerprint() == hashlib.sha256(text.encode()).hexdigest()
    assert "guardrails: {bounce_rate: 0.05}" in plan.to_yaml()
    assert Plan.from_yaml("guardrail: null").guardrails == {}
    assert Plan.from_yaml("max_worse: 0.1").guardrails == {"revenue_per_session": 0.1}


def test_nobody_agrees_on_a_plan_without_money():
    with pytest.raises(InputError, match="without money; fill in order_value"):
        Plan().agree(AGREED)
    assert Plan(click_value=Range(0, 0.1, 0.2)).agree(AGREED).digest
    assert Plan(Payoff(tp=1)).agree(AGREED).digest


def test_a_plan_names_the_kpis_that_are_defined():
    assert tuple(KPIS) == KPI_NAMES


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("must_beet: 3", "did you mean 'must_beat'"),
        ("kpi: conversions", "did you mean 'conversion'"),
        ("kpi: null", "There are: conversion"),
        ("guardrails: {revenue: 0.1}", "did you mean 'revenue_per_session'"),
        ("guardrail: revenue", "did you mean 'revenue_per_session'"),
        ("guardrails: {conversion: 0.1}", "conversion decides, so it is no guardrail as well"),
        ("guardrail: conversion", "conversion decides, so it is no guardrail as well"),
        ("guardrails: [bounce_rate]", "such as {bounce_rate: 0.05}"),
        ("guardrails: {bounce_rate: 5 %}", "guardrails: bounce_rate must be a number"),
        ("guardrails: {}\nguardrail: bounce_rate", "say the same as guardrails"),
        ("must_beat: 1\nmust_beat: 2", "'must_beat' stands there twice, again in line 2"),
        ("order_value: {low: 1, low: 2, high: 3}", "'low' stands there twice"),
        ("payoff: {tp: 1, tp: 2}", "'tp' stands there twice"),
        ("baseline: incumbant", "did you mean 'incumbent'"),
        ("order_value: [18, 12, 8]", "order_value: a range goes low <= likely <= high"),
        ("order_value: [-1, 2, 3]", "order_value: low must be at least 0, got -1"),
        ("fixed_cost: -200", "fixed_cost must be at least 0"),
        ("must_beat: fifty", "must_beat must be a number, got 'fifty'"),
        ("max_worse: 2", "2 % is written 0.02"),
        ("sessions_per_month: -1", "at least 0"),
        ("currency: Euro", "three letters such as EUR"),
        ("question: ''", "question must be a sentence"),
        ("agreed: yesterday", "agreed is written by thinslice"),
        ("- a list", "a plan has fields"),
        ("kpi: [", "YAML"),
    ],
)
def test_a_value_that_makes_no_sense_is_an_error_that_says_what_to_write(text, says):
    with pytest.raises(InputError) as error:
        Plan.from_yaml(text)
    assert says in str(error.value)


def test_an_error_names_the_file(tmp_path):
    (tmp_path / "plan.yml").write_text("must_beat: fifty")
    with pytest.raises(InputError, match=r"plan\.yml: must_beat"):
        Plan.load(tmp_path / "plan.yml")
    with pytest.raises(InputError, match="cannot read the plan"):
        Plan.load(tmp_path / "none.yml")


@pytest.mark.parametrize(
    "field",
    [name for name in {**COMMENTS, **PREDICTION_COMMENTS} if name not in ("agreed", "digest")],
)
def test_every_field_of_a_plan_is_documented(field):
    page = Path(__file__).parents[3] / "docs" / "profit.md"
    assert f"`{field}`" in page.read_text("utf-8")


def test_the_first_page_of_the_docs_runs_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[3] / "docs" / "profit.md").read_text("utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    rng = np.random.default_rng(0)
    churns = rng.random(200) < 0.3
    names = {
        "y_true": np.where(churns, "churn", "stay"),
        "y_score": np.clip(churns * 0.3 + rng.random(200) * 0.7, 0, 1),
        "df": {"clv": rng.exponential(100, 200)},
    }
    exec(code, names)  # noqa: S102 - our own page
    assert set(names["what_to_do"]) <= {"stay", "churn"}
    assert Plan.load("plan.yml") == names["plan"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"discount": 8}, "8 % is written 0.08"),
        ({"capacity": 0.1}, "constraints: [share_acted <= 0.1]"),
        ({"must_beat": 1e200}, "must_beat must be at most 1e+15"),
    ],
)
def test_a_share_and_an_amount_that_cannot_be_meant_are_errors(wrong, said):
    with pytest.raises(InputError) as error:
        Plan(Payoff(tp=10, fp=-1), **wrong)
    assert said in str(error.value)


def test_brackets_without_end_are_an_error_of_the_file():
    with pytest.raises(InputError, match="brackets within brackets"):
        Plan.from_yaml("question: " + "[" * 3000)


def test_a_misspelt_field_is_told_with_the_closest():
    with pytest.raises(InputError, match="did you mean 'must_beat'"):
        Plan(Payoff(tp=1), must_bet=3)
    assert Plan(Payoff(tp=1), baseline=None).baseline == "nothing"
