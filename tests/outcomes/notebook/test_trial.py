import json
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from markupsafe import escape

from thinslice.domain import Verdict
from thinslice.errors import ColumnError, InputError
from thinslice.outcomes import Metric, Moments, experiment
from thinslice.report import page

METRICS = [
    Metric("revenue", cap=0.999, covariate="before"),
    Metric("clicks", per="views"),
    Metric("bounced", better="lower", max_worse=0.1),
]


def shoppers(n=8000, lift=0.2, seed=1, arms=("A", "B")):
    """A shop whose treatment, the last arm, sells by `lift` more and bounces nobody away."""
    rng = np.random.default_rng(seed)
    arm = rng.choice(arms, n)
    more = 1 + lift * (arm == arms[-1])
    before = rng.gamma(2, 10, n)
    views = 1 + rng.poisson(4, n)
    return {
        "arm": arm.tolist(),
        "before": before,
        "revenue": (before + rng.gamma(2, 10, n)) * more,
        "views": views,
        "clicks": rng.binomial(views, 0.05 * more),
        "bounced": (rng.random(n) < 0.4).astype(int),
        "visitor": np.arange(n),
    }


def read(table=None, **more):
    more = {"variant": "arm", "metrics": METRICS, **more}
    return experiment(shoppers() if table is None else table, **more)


def test_a_treatment_that_sells_more_and_harms_nothing_ships():
    found = read()
    assert found.verdict is Verdict.SHIP
    assert found.sentence.startswith("Revenue per visitor is 19% higher with B (+")
    assert found.sentence.endswith("bounced per visitor is not worse by more than 10%.")
    assert "every guardrail is shown to be harmless" in found.reason


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_frames_of_every_kind_say_the_same(kind):
    table = shoppers()
    assert read(kind(table)).to_dict() == read(table).to_dict()


def test_several_rows_of_a_visitor_say_the_same_as_one():
    table = {name: np.asarray(values) for name, values in shoppers(lift=0.05).items()}
    twice = {name: np.concatenate([values, values]) for name, values in table.items()}
    for name in ("revenue", "views", "clicks", "bounced"):
        first = table[name] // 2
        twice[name] = np.concatenate([first, table[name] - first])
    once, added = read(table), read(twice, unit="visitor")
    assert added.visitors == once.visitors
    for row, same in zip(once.rows, added.rows, strict=True):
        assert (same.relative.low, same.relative.high) == pytest.approx(
            (row.relative.low, row.relative.high)
        )


def test_the_table_is_plain_rows():
    frame = pd.DataFrame(read().table)
    assert frame.metric.tolist() == [metric.name for metric in METRICS]
    assert frame.asked.tolist() == ["better", "better", "at most 10% worse"]
    assert frame.confidence.tolist() == [0.975, 0.975, 0.9]
    assert (frame.low < frame.change).all() and (frame.change < frame.high).all()


def test_it_prints_as_a_page_of_text():
    text = repr(read())
    assert text.startswith("ship: Revenue per visitor is 19% higher with B")
    assert "bounced per visitor  at most 10% worse" in text
    assert "split as meant: p = " in text


def test_the_dictionary_is_json_in_the_shape_of_a_readout():
    found = read(question="Does it sell more?", currency="EUR").to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["verdict"] == "ship"
    assert [row["is_deciding"] for row in found["rows"]] == [True, True, False]
    assert found["rows"][2]["unit"] == "share"
    control = found["variants"][0]
    assert (control["name"], control["is_control"]) == ("A", True)
    assert control["visitors"] == found["srm"]["observed"]["A"]


def test_sums_alone_are_enough():
    table = shoppers()
    whole = read(table, metrics=METRICS[1:])
    columns = ("clicks", "views", "bounced")
    by_arm = {
        arm: Moments.of({c: table[c][np.asarray(table["arm"]) == arm].tolist() for c in columns})
        for arm in "AB"
    }
    assert experiment(by_arm, metrics=METRICS[1:]).to_dict() == whole.to_dict()


def test_the_published_mean_and_variance_of_two_groups_are_enough():
    groups = {
        "A": Moments.from_summary("spend", 1000, 10.0, 25.0),
        "B": Moments.from_summary("spend", 1000, 11.0, 25.0),
    }
    found = experiment(groups, metrics=Metric("spend"))
    # 1 ± 1.96 · sqrt(25/1000 + 25/1000) = 1 ± 0.43826
    assert found.rows[0].absolute.low == pytest.approx(1 - 0.43826, abs=1e-5)
    assert found.verdict is Verdict.SHIP


def test_each_of_several_treatments_is_set_against_the_control_with_a_part_of_alpha():
    found = read(shoppers(12_000, arms=("A", "B", "C")))
    verdicts = {c.treatment: c.decision.verdict for c in found.comparisons}
    assert verdicts == {"B": Verdict.NOT_PROVEN, "C": Verdict.SHIP}
    assert (found.best.treatment, found.verdict) == ("C", Verdict.SHIP)
    assert found.rows[0].absolute.confidence == pytest.approx(1 - 0.05 / 4)
    assert found.to_dict(treatment="B")["verdict"] == "not proven"
    with pytest.raises(InputError, match="there are: B, C"):
        found.to_dict(treatment="D")


def test_to_look_every_day_takes_wider_ranges():
    once, daily = read(), read(sequential=True)
    assert daily.rows[0].relative.low < once.rows[0].relative.low
    assert daily.tuned_for == 10_000
    assert read(tuned_for=5000).tuned_for == 5000
    assert daily.to_dict()["sequential"]


def test_a_broken_split_withholds_the_verdict_and_a_doubtful_one_raises_the_alarm():
    table = {name: np.asarray(values) for name, values in shoppers().items()}
    in_b = np.flatnonzero(table["arm"] == "B")
    for dropped, verdict in ((400, None), (220, Verdict.SHIP)):
        kept = np.delete(np.arange(8000), in_b[:dropped])
        found = read({name: values[kept] for name, values in table.items()})
        assert found.verdict is verdict, found.split
    assert 0.001 < found.split.p_value < 0.01
    assert found.notes[0].startswith("Alarm: the split of visitors is doubtful")
    assert "Alarm" in repr(found)
    uneven = {"A": 0.5, "B": 0.5 - 400 / 8000}
    kept = np.delete(np.arange(8000), in_b[:400])
    meant = read({name: values[kept] for name, values in table.items()}, weights=uneven)
    assert meant.split.ok


def test_a_covariate_measured_after_the_first_exposure_withholds_the_verdict():
    found = read(metrics=Metric("bounced", covariate="revenue"))
    assert found.verdict is None
    assert "The covariate of bounced per visitor (revenue) differs" in found.reason


def test_too_few_who_buy_get_no_verdict():
    table = shoppers(400)
    table["revenue"] = np.where(np.arange(400) < 7, table["revenue"], 0.0)
    found = read(table, metrics=Metric("revenue"))
    assert found.verdict is None
    assert "needs at least 10 visitors with revenue" in found.reason
    assert read(shoppers(8)).verdict is None


def test_nothing_that_varies_gets_no_verdict():
    found = experiment({"variant": ["A", "B"] * 50, "x": [0.1] * 100}, metrics=Metric("x"))
    assert found.verdict is None
    assert found.rows[0].reading == "too little data"


def test_arms_may_be_numbers_or_truths():
    table = shoppers()
    is_b = np.asarray(table["arm"]) == "B"
    by_name = read(table)
    for arm, control in ((is_b.astype(int), 0), (is_b, False), (is_b.astype(float), 0)):
        found = read({**table, "arm": arm}, control=control)
        assert found.verdict is by_name.verdict
        assert found.control == str(control)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"control": "a"}, "no arm is called 'a'.*There are: A, B"),
        ({"control": "C"}, "no arm is called 'C'"),
        ({"weights": {"A": 0.5, "B": 0.3, "C": 0.2}}, "every arm needs visitors, but C has none"),
        ({"weights": {"A": 1}}, "weights say the share of each arm"),
        ({"weights": {"A": 1, "B": -1}}, "above 0, got"),
        ({"metrics": []}, "needs a success metric or a guardrail"),
        ({"alpha": 5}, "alpha is a share between 0 and 0.5"),
        ({"tuned_for": -5}, "tuned_for is a number of visitors above 0"),
        ({"sequential": 5000}, "True or False, got 5000; a number of visitors is tuned_for"),
        ({"weights": {"A": "half", "B": 1}}, "a weight must be a number, got 'half'"),
        ({"weights": [0.5, 0.5]}, "weights are a dictionary"),
        ({"weights": {"A": float("nan"), "B": 1}}, "above 0, got"),
        ({"weights": {"A": float("inf"), "B": 1}}, "above 0, got"),
        ({"tuned_for": float("inf")}, "tuned_for is a number of visitors above 0"),
        ({"unit": "arm"}, "id and arm are two columns"),
        ({"variant": None}, "names the column of the arms"),
    ],
)
def test_names_and_settings_that_make_no_sense_are_errors(more, words):
    with pytest.raises(InputError, match=words):
        read(**more)


def test_tables_that_make_no_sense_are_errors():
    with pytest.raises(ColumnError, match="did you mean 'arm'"):
        read(variant="arms")
    with pytest.raises(InputError, match="all visitors are in 'A'"):
        read({**shoppers(), "arm": ["A"] * 8000})
    with pytest.raises(InputError, match="the data have no rows"):
        read({name: values[:0] for name, values in shoppers().items()})
    with pytest.raises(InputError, match="every arm needs visitors, but B has none"):
        empty = {"A": Moments.of({"x": [1.0]}), "B": Moments.zero(["x"])}
        experiment(empty, metrics=Metric("x"))
    some = Moments.from_summary("x", 100, 1.0, 1.0)
    with pytest.raises(InputError, match="sums cannot be capped"):
        experiment({"A": some, "B": some}, metrics=Metric("x", cap=0.9))
    with pytest.raises(InputError, match="as Moments or none, but 'B'"):
        experiment({"A": some, "B": [1.0]}, metrics=Metric("x"))


@pytest.mark.parametrize(
    "metrics",
    [METRICS, METRICS[2], Metric("revenue", unit="money"), Metric("bounced", covariate="revenue")],
    ids=["several", "a guardrail alone", "money", "no verdict"],
)
@pytest.mark.parametrize("arms", [("A", "B"), ("A", "B", "<b>C</b>")])
def test_a_page_can_be_made_of_it(metrics, arms):
    found = read(shoppers(arms=arms), metrics=metrics, currency="EUR", question="Does it sell?")
    text = page(found)
    assert "Does it sell?" in text
    assert "<b>C</b>" not in text
    for other in found.to_dict()["notes"]:
        assert str(escape(other))[:20] in text


def test_importing_the_library_loads_no_table_library():
    code = (
        "import sys, thinslice.outcomes;"
        "print([m for m in ('ibis','duckdb','pandas','polars','pyarrow','numba','starlette',"
        "'sklearn') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_a_doubtful_split_is_not_called_as_meant():
    """Cookie Cats' groups, p = 0.0086: a verdict stands, beside an alarm."""
    kept = {"A": (44_700, 8_502), "B": (45_489, 8_279)}
    moments = {
        arm: Moments.from_summary("kept", n, k / n, k * (n - k) / n / (n - 1))
        for arm, (n, k) in kept.items()
    }
    found = experiment(moments, metrics=Metric("kept", max_worse=0.01))
    assert "split not as meant: p = 0.0086" in repr(found)
    assert found.verdict is not None
