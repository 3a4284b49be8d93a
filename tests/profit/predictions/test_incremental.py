import json

import numpy as np
import pytest

from thinslice.domain import Verdict
from thinslice.errors import InputError, NotEnoughDataError
from thinslice.profit import Payoff, Plan, Range, evaluate

OFFER = Payoff(tp=9, fp=-1, fn=10)  # a purchase is worth 10, an offer costs 1


def trial(n=4000, seed=0, share=0.5):
    """Offers move only those with a high score; who buys anyway has a low one."""
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    treated = (rng.random(n) < share).astype(int)
    chance = np.where(score > 0.5, 0.1 + 0.3 * treated, 0.5)
    return (rng.random(n) < chance).astype(int), score, treated


def test_the_numbers_by_hand():
    # 100 treated of whom 40 buy, 100 left alone of whom 20 buy: 0.2 * 10 - 1 = 1 a head.
    y = [1] * 40 + [0] * 60 + [1] * 20 + [0] * 80
    treated = [1] * 100 + [0] * 100
    found = evaluate(y, y_pred=[1] * 200, plan=Plan(OFFER), treatment=treated)
    assert found.profit.total == pytest.approx(200 * (0.4 * 10 - 1))
    assert found.rivals["nothing"].total == pytest.approx(200 * 0.2 * 10)
    assert found.gain.likely == pytest.approx(200)
    error = np.sqrt(200**2 * 100 * (0.4 * 0.6 + 0.2 * 0.8) / 100)
    assert found.gain.low == pytest.approx(200 - 1.645 * error, abs=0.05 * error)


def test_the_gain_is_the_difference_between_the_arms_for_those_chosen():
    y, score, treated = trial(20_000)
    found = evaluate(y, score, Plan(OFFER, threshold=0.5), treatment=treated)
    chosen = score >= 0.5
    arms = [y[chosen & (treated == t)].mean() for t in (0, 1)]
    by_hand = chosen.sum() * (10 * (arms[1] - arms[0]) - 1)
    assert found.gain.likely == pytest.approx(by_hand, rel=0.02)
    assert found.gain.low < by_hand < found.gain.high


def test_an_offer_to_those_who_would_have_bought_anyway_is_no_profit():
    y, score, treated = trial()
    plain = evaluate(y, 1 - score, Plan(Payoff(tp=9, fp=-1), threshold=0.5))
    caused = evaluate(y, 1 - score, Plan(OFFER, threshold=0.5), treatment=treated)
    assert plain.gain.low > 0
    assert caused.verdict is Verdict.STOP


def test_the_sentence_about_causes_disappears():
    y, score, treated = trial()
    found = evaluate(y, score, Plan(OFFER), treatment=treated)
    assert found.assumptions[0].startswith("It counts what acting causes")
    assert not any("not what acting causes" in said for said in found.assumptions)
    told = json.loads(json.dumps(found.to_dict()))
    assert set(told["baselines"]) == {"nothing", "all", "random"}  # nobody can know the best
    assert found.threshold == pytest.approx(0.5, abs=0.1)
    assert sum(found.profit.by_class.values()) == pytest.approx(found.profit.total)


def test_a_look_again_names_the_cost_and_never_what_a_purchase_is_worth():
    y, score, treated = trial()
    spend = np.where(y == 1, 10.0, 0.0)
    payoff = Payoff(tp="spend - 4", fp=-4, fn="spend")
    plan = Plan(payoff, threshold=0.5)
    found = evaluate(y, score, plan, data={"spend": spend}, treatment=treated)
    assert found.verdict is Verdict.STOP
    assert "each wrong action costs at most EUR " in found.reason
    assert found.break_even().multiples == {}


def test_an_uneven_split_counts_what_an_even_one_does():
    even, uneven = (trial(40_000, share=share) for share in (0.5, 0.2))
    gains = [
        evaluate(y, score, Plan(OFFER, threshold=0.5), treatment=treated).gain
        for y, score, treated in (even, uneven)
    ]
    assert gains[1].likely == pytest.approx(gains[0].likely, rel=0.15)
    assert gains[1].high - gains[1].low > gains[0].high - gains[0].low


def test_a_guessed_cost_moves_the_gain_by_the_number_of_offers():
    y, score, treated = trial()
    payoff = Payoff(tp=Range(8, 9, 10), fp=Range(-2, -1, 0), fn=10)
    found = evaluate(y, score, Plan(payoff, threshold=0.5), treatment=treated)
    bars = {bar.name: bar for bar in found.tornado()}
    offers = (bars["fp"].width + bars["tp"].width) / 2
    assert offers == pytest.approx((score >= 0.5).sum(), rel=0.05)
    known = evaluate(y, score, Plan(OFFER, threshold=0.5), treatment=treated)
    assert found.profit.total == pytest.approx(known.profit.total)


def test_the_treatment_may_be_a_column_and_money_one_per_row():
    y, score, treated = trial()
    spend = np.where(y == 1, 10.0, 0.0)
    payoff = Payoff(tp="spend - 1", fp=-1, fn="spend")
    data = {"spend": spend, "offer": treated.astype(bool)}
    found = evaluate(y, score, Plan(payoff, threshold=0.5), data=data, treatment="offer")
    same = evaluate(y, score, Plan(OFFER, threshold=0.5), treatment=treated)
    assert found.gain.likely == pytest.approx(same.gain.likely)


def test_each_customer_doubled_is_no_new_evidence_with_a_cluster():
    y, score, treated = trial(1000)
    twice = np.tile(np.arange(1000), 2)
    plan = Plan(OFFER, threshold=0.5)
    once = evaluate(y, score, plan, treatment=treated).gain
    apart = evaluate(y[twice], score[twice], plan, treatment=treated[twice], cluster=twice).gain
    assert apart.high - apart.low == pytest.approx(2 * (once.high - once.low), rel=1e-6)


Y, SCORE, TREATED = trial(400)


@pytest.mark.parametrize(
    ("plan", "treatment", "says"),
    [
        (Plan(OFFER), np.ones(400, int), "only 0 rows were left alone"),
        (Plan(OFFER), ["yes", "no"] * 200, "1 or 0, True or False; got 'yes' in row 0"),
        (Plan(OFFER), [1, None] * 200, "got .* in row 1"),
        (Plan(OFFER), [1, 0], "treatment has 2 rows"),
        (Plan(OFFER), "offer", "no column is called 'offer'|needs the column 'offer'"),
        (Plan(Payoff(tp=9, fp=-1)), TREATED, "counts too, and the payoff says it is worth nothing"),
        (Plan(OFFER, threshold="expected payoff"), TREATED, "not known row by row"),
        (Plan(OFFER), (SCORE > 0.6).astype(int), "not treated at random"),
    ],
)
def test_a_misuse_is_an_error_that_says_what_to_do(plan, treatment, says):
    with pytest.raises((InputError, NotEnoughDataError), match=says):
        evaluate(Y, SCORE, plan, treatment=treatment)


def test_more_than_two_classes_have_no_treatment():
    payoff = Payoff.from_matrix([[0, 1, 2]] * 3, labels=[0, 1, 2])
    with pytest.raises(InputError, match="two classes"):
        evaluate([0, 1, 2] * 40, y_pred=[0, 1, 2] * 40, plan=Plan(payoff), treatment=[0, 1] * 60)
