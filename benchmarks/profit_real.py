"""What is a model worth on real customers? Plans fixed beforehand, rows that no model has seen.

    python benchmarks/profit_real.py --data DIR     the folder that has cost_sensitive/ in it
    python benchmarks/profit_real.py --data DIR --only "bank marketing"

Three data sets with money in their rows, each as one would bring it to those who decide: the plan,
an ordinary model of scikit-learn, scores of rows it was not fitted on, the verdict. Beside it what
empulse gives for the same rows and decisions: savings, which must agree, and the highest profit.

Sources: TV churn (Correa Bahnsen et al. 2015, costs in the rows), bank marketing (Moro et al.
2014), credit scoring (Give Me Some Credit 2011); where the file has no costs, the formulas of
Correa Bahnsen et al. 2014 and 2015, stated below. What they assume, the verdict assumes too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from empulse.metrics import CostMatrix, EmpiricalMaxProfit, Metric, savings_score
from numpy.typing import NDArray
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from thinslice.profit import Evaluation, Payoff, Plan, Range, evaluate, track

SEED = 0
Others = dict[str, Evaluation]
Trial = Callable[[Path], tuple[Evaluation, Others]]


def tv_churn(folder: Path) -> tuple[Evaluation, Others]:
    """Whom to make an offer to stay? One decision on all customers, every half year."""
    rows = pd.read_csv(folder / "churn_tv_subscriptions.csv.gz")
    plan = Plan(
        Payoff(tp="-C_TP", fp="-C_FP", fn="-C_FN", tn="-C_TN", currency="USD"),
        question="Does an offer to those who may leave cost less than the customers it keeps?",
        baseline="nothing",
        must_beat=20_000,
        fixed_cost=10_000,
        per_year=2,
    )
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    features = rows.filter(regex=r"^x\d+$")
    score = out_of_fold(model, features, rows["target"])
    found = evaluate(rows["target"], score, plan, data=rows)
    boosted = HistGradientBoostingClassifier(max_depth=3, learning_rate=0.05, random_state=SEED)
    second = out_of_fold(boosted, features, rows["target"])
    by_row = replace(plan, threshold="expected payoff")
    return found, {
        "boosted trees": evaluate(rows["target"], second, plan, data=rows),
        "boosted trees, row by row": evaluate(rows["target"], second, by_row, data=rows),
    }


def bank_marketing(folder: Path) -> tuple[Evaluation, Others]:
    """Whom to call? Learned on the first 60 of 100 calls, judged on the later ones, then followed.

    `duration` is how long the call took: nobody knows it before calling, and it says nearly all.
    """
    rows = pd.read_csv(folder / "bankmarketing.csv.gz", sep=";").drop(columns="duration")
    rows["margin"] = np.maximum(rows["balance"] * 0.25 * 0.02463333, 1)
    plan = Plan(
        Payoff(tp="margin - 1", fp=Range(-2, -1, -0.5), currency="EUR"),
        question="Does calling fewer clients earn more than calling everyone, as today?",
        baseline="all",
        must_beat=2_000,
        fixed_cost=1_000,
    )
    rows["time"] = call_months(rows["month"])
    first = int(0.6 * len(rows))
    early, late = rows[:first], rows[first:].reset_index(drop=True)
    features = rows.columns.difference(["y", "margin", "time"])
    words = make_column_selector(dtype_include=[object, "string", "category"])
    model = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), words),
            remainder=StandardScaler(),
        ),
        LogisticRegression(max_iter=1000),
    ).fit(early[features], early["y"] == "yes")
    score = model.predict_proba(late[features])[:, 1]
    found = evaluate(late["y"], score, plan, data=late, pos_label="yes")
    follow(late.assign(y_score=score), replace(plan, threshold=0.02, baseline="nothing"))
    return found, {}


def call_months(names: pd.Series) -> Any:
    """The first day of each call's month: the file is ordered by date and begins in May 2008."""
    number = pd.to_datetime(names, format="%b").dt.month
    year = 2008 + (number.diff() < -6).cumsum()
    return pd.to_datetime({"year": year, "month": number, "day": 1})


def follow(log: pd.DataFrame, plan: Plan) -> None:
    """As if in production: the outcomes of the last three months have not arrived."""
    log = log.sort_values("time", kind="stable")
    recent = log["time"] >= sorted(log["time"].unique())[-3]
    seen = track(log.assign(y=log["y"].mask(recent)), plan, y_true="y", pos_label="yes")
    truth = track(log, plan, y_true="y", pos_label="yes")
    print(f"  followed: {seen.sentence}")
    for warning in seen.warnings:
        print(f"    look: {warning}")
    for then, now in zip(truth.rows, seen.rows, strict=True):
        assert then.gain is not None and now.gain is not None
        amounts = (now.gain.low, now.gain.high, then.gain.likely)
        low, high, out = (f"{amount:>8,.0f}" for amount in amounts)
        print(
            f"    {now.words:<15} {now.rows:>6,} rows  {now.kind:<9} {low} to {high}   "
            f"turned out {out}   foreseen {then.foreseen or 0:>8,.0f}"
        )


def credit_scoring(folder: Path) -> tuple[Evaluation, Others]:
    """Whom to refuse a loan? A bad loan loses 75 % of its line, a good one earns its interest."""
    rows = pd.read_csv(folder / "creditscoring1.csv.gz").drop(columns="id", errors="ignore")
    rows = rows[(rows["MonthlyIncome"] > 0) & (rows["DebtRatio"] < 1)].reset_index(drop=True)
    rows["line"], rows["interest"] = credit_line(rows["MonthlyIncome"], rows["DebtRatio"])
    rows = rows[rows["line"] > 0].reset_index(drop=True)
    plan = Plan(
        Payoff(tn="interest", fn="-0.75 * line", currency="EUR"),
        question="Does refusing the riskiest applicants earn more than a loan for everyone?",
        baseline="nothing",
        must_beat=1_000_000,
        fixed_cost=200_000,
        per_year=0.5,
    )
    truth = rows.pop("SeriousDlqin2yrs")
    features = rows.drop(columns=["line", "interest"])
    model = HistGradientBoostingClassifier(max_depth=4, learning_rate=0.1, random_state=SEED)
    score = out_of_fold(model, features, truth)
    found = evaluate(truth, score, plan, data=rows)
    by_row = replace(plan, threshold="expected payoff")
    return found, {"row by row": evaluate(truth, score, by_row, data=rows)}


def credit_line(income: Any, debt: Any) -> tuple[Any, Any]:
    """Three months' income, 25,000 at most, and no more than what is left a month pays back.

    24 months at 4.79 % a year, refinanced at 2.94 % (Correa Bahnsen et al. 2014); the interest is
    the present value of the payments less the line.
    """
    rate, cost, term = 0.0479 / 12, 0.0294 / 12, 24
    payment = rate * (1 + rate) ** term / ((1 + rate) ** term - 1)
    left = np.maximum(1 - debt, 0) * income
    line = np.minimum(np.minimum(3 * income, 25_000), left / payment)
    return line, line * (payment / cost * (1 - (1 + cost) ** -term) - 1)


def out_of_fold(model: Any, features: pd.DataFrame, truth: Any) -> NDArray[np.float64]:
    """The score of each row from a model that has not seen it."""
    folds = StratifiedKFold(5, shuffle=True, random_state=SEED)
    found = cross_val_predict(model, features, truth, cv=folds, method="predict_proba")
    return np.asarray(found[:, 1])


def report(found: Evaluation, others: Others) -> None:
    """What those who decide would read, then what a data scientist would ask."""
    plan = found.plan
    print(f"  {plan.question}")
    print(f"  {found.sentence}")
    print(f"  {found.reason}")
    profit, needed = found.profit, found.break_even()
    print(
        f"  on {found.n:,} rows: {profit.total:,.0f} {profit.currency} "
        f"({profit.low:,.0f} to {profit.high:,.0f}), {profit.per_prediction:.2f} a row; "
        f"chance to beat the baseline {found.p_beats:.0%}"
    )
    for name, rival in found.rivals.items():
        gain = rival.gain
        print(
            f"    {name:<10} {rival.total:>14,.0f}   the model's gain a year "
            f"{gain.low:>12,.0f} {gain.likely:>12,.0f} {gain.high:>12,.0f}"
        )
    print(f"  acts on scores from {found.threshold:.4f}; optimism {found.optimism:,.0f}")
    if needed.precision is not None:
        print(
            f"  break-even: {needed.precision:.2%} of those acted on positive, "
            f"now {needed.precision_now:.2%}"
        )
    widest = ", ".join(f"{bar.name} {bar.width:,.0f}" for bar in found.tornado()[:3])
    print(f"  what moves the gain most: {widest}")
    for name, other in others.items():
        print(f"  {name}: {other.sentence} The first against it: {found.compare(other).sentence}")
    assert found.policy.score is not None
    print(f"  AUC {roc_auc_score(found.y, found.policy.score):.3f}")
    peer(found)


def peer(found: Evaluation) -> None:
    """Savings and the highest profit of empulse for the same rows, beside ours."""
    (tn, fp), (fn, tp) = (
        [np.broadcast_to(np.asarray(amount, float), found.n) for amount in row]
        for row in found.priced.amounts
    )
    costs = {"tp_cost": -tp, "fp_cost": -fp, "fn_cost": -fn, "tn_cost": -tn}
    name, theirs = ("nothing", "zero") if found.rivals["nothing"].total else ("all", "one")
    before = found.rivals[name].total
    saved = savings_score(found.y, found.policy.decided, baseline=theirs, **costs)
    ours = 1 - found.profit.total / before
    print(f"  savings over {name}: {ours:.4f}, empulse {saved:.4f}")
    act = np.where(found.y == 1, tp - fn, tn - fp)
    metric = Metric(CostMatrix().add_tp_benefit("won").add_fp_cost("lost"), EmpiricalMaxProfit())
    best = found.n * float(metric(found.y, found.policy.score, won=act, lost=act))
    curve = found.curve()
    highest = float(curve.profit.max() - curve.profit[0])
    print(f"  highest profit over nothing, in hindsight: {highest:,.2f}, empulse {best:,.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", help="the name of one data set")
    given = parser.parse_args()
    folder = given.data / "cost_sensitive"
    trials: dict[str, Trial] = {
        "TV churn": tv_churn,
        "bank marketing": bank_marketing,
        "credit scoring": credit_scoring,
    }
    for name, trial in trials.items():
        if given.only not in (None, name):
            continue
        print(f"\n{name}")
        try:
            results = trial(folder)
        except FileNotFoundError as missing:
            print(f"  not run: {missing.filename} is not there", file=sys.stdout)
            continue
        report(*results)


if __name__ == "__main__":
    main()
