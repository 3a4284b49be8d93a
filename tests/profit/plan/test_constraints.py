import numpy as np
import pytest

from thinslice.domain import Verdict
from thinslice.errors import InputError
from thinslice.profit import Payoff, Plan, evaluate
from thinslice.profit.plan.constraints import Constraint

PAYOFF = Payoff(tp=10, fp=-1)


def rows(hits, misses, left=100):
    """Decisions that act on `hits` positives and `misses` negatives and leave the rest alone."""
    y = [1] * hits + [0] * misses + [0, 1] * (left // 2)
    return y, [1] * (hits + misses) + [0] * left


def judged(hits, misses, *constraints, payoff=PAYOFF):
    y, decided = rows(hits, misses)
    return evaluate(y, y_pred=decided, plan=Plan(payoff, constraints=constraints))


def test_a_condition_that_is_kept_changes_nothing():
    found = judged(300, 100, "precision >= 0.5", "recall >= 50 %", payoff=Payoff(tp=10, fp=-20))
    assert found.verdict is Verdict.SHIP
    assert [kept.surely_kept for kept in found.constraints] == [True, True]
    assert found.constraints[0].value == pytest.approx(0.75)
    assert found.to_dict()["constraints"][0]["text"] == "precision >= 0.5"


def test_a_condition_that_is_likely_broken_stops_it_although_it_earns():
    found = judged(100, 300, "precision >= 0.5")
    assert found.gain.low > 0
    assert found.verdict is Verdict.STOP
    assert "asks for precision >= 0.5, and it is 25% (22% to 29%)" in found.reason


def test_a_condition_that_may_be_broken_proves_nothing():
    found = judged(53, 47, "precision >= 0.52")
    assert found.verdict is Verdict.NOT_PROVEN
    assert "may break a condition" in found.reason


def test_what_needs_no_model_has_to_keep_the_condition_as_well():
    # Acting on everyone would earn 450 more, and acts on more than 70 of 100.
    assert judged(50, 50).simplest[0] == "acting on everyone"
    found = judged(50, 50, "share_acted <= 0.7")
    assert found.simplest[0] == "acting on as many at random"
    assert found.simplest[1].total == pytest.approx(450)


def test_the_tuned_threshold_is_the_best_of_those_that_keep_it():
    rng = np.random.default_rng(0)
    y = (rng.random(4000) < 0.2).astype(int)
    score = y + rng.normal(size=4000)
    free = evaluate(y, score, Plan(PAYOFF))
    strict = evaluate(y, score, Plan(PAYOFF, constraints=["precision >= 0.5"]))
    few = evaluate(y, score, Plan(PAYOFF, constraints=["share_acted <= 0.1"]))
    assert y[score >= free.threshold].mean() < 0.5
    assert y[score >= strict.threshold].mean() >= 0.5
    assert (score >= few.threshold).mean() <= 0.1
    assert strict.policy.optimum < free.policy.optimum
    best = max(
        np.where(y == 1, 10, -1)[score >= t].sum() for t in score if (score >= t).mean() <= 0.1
    )
    assert few.policy.optimum == pytest.approx(best)


def test_customers_of_several_rows_widen_its_range():
    y, decided = rows(60, 40)
    plan = Plan(PAYOFF, constraints=["precision >= 0.5"])
    alone = evaluate(y, y_pred=decided, plan=plan).constraints[0]
    who = np.arange(len(y)) // 4
    together = evaluate(y, y_pred=decided, plan=plan, cluster=who).constraints[0]
    assert together.value == alone.value
    assert together.low < alone.low


def test_a_plan_without_conditions_keeps_the_fingerprint_it_had():
    plan = Plan(PAYOFF, constraints=["precision>=30%"])
    assert plan.constraints == ("precision >= 0.3",)
    assert Plan.from_yaml(plan.to_yaml()) == plan
    assert "constraints: [precision >= 0.3]" in plan.to_yaml()
    assert "constraints" not in Plan(PAYOFF).to_yaml()
    assert plan.fingerprint() != Plan(PAYOFF).fingerprint()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("precision > 0.3", "one of precision, recall, share_acted"),
        ("precision >= 30", "30 % is 0.3"),
        ("accuracy >= 0.9", "one of precision"),
        ("__import__('os')", "one of precision"),
        (0.3, "one of precision"),
    ],
)
def test_anything_but_the_grammar_is_an_error(text, says):
    with pytest.raises(InputError, match=says):
        Constraint.parse(text)
    with pytest.raises(InputError, match=says):
        Plan(PAYOFF, constraints=[text])


def test_where_a_condition_means_nothing_it_is_an_error():
    three = Payoff.from_matrix([[0, 1, 2]] * 3, labels=["a", "b", "c"])
    for payoff in (three, Payoff.ranking(click=1)):
        with pytest.raises(InputError, match="for two classes"):
            Plan(payoff, constraints=["precision >= 0.3"])
    with pytest.raises(InputError, match="constraints is for predictions"):
        Plan(constraints=["precision >= 0.3"])
    y, decided = rows(50, 50)
    plan = Plan(Payoff(tp=9, fp=-1, fn=10), constraints=["precision >= 0.3"])
    with pytest.raises(InputError, match="only share_acted"):
        evaluate(y, y_pred=decided, plan=plan, treatment=[0, 1] * 100)
