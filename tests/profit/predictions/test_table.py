"""A table of predictions: what is guessed, what is said, and what no guess is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from thinslice.errors import ColumnError, InputError
from thinslice.profit import Payoff, Plan, evaluate
from thinslice.profit.predictions.accuracy import accuracy
from thinslice.profit.predictions.table import choose_columns, judge_table

PLAN = Plan(Payoff(tp=20, fp=-5))


def table(n: int = 400, **more: Any) -> dict[str, Any]:
    """Whoever has a score of at least a half and an even number has left."""
    k = np.arange(n)
    score = (k % 100) / 100
    left = np.where((score >= 0.5) & (k % 2 == 0), "yes", "no").astype(object)
    return {"customer": k.astype(float), "left": left, "score": score, **more}


def test_names_and_values_tell_which_column_is_what() -> None:
    chosen = choose_columns(table(), PLAN)
    assert (chosen.true, chosen.score, chosen.positive) == ("left", "score", "yes")
    assert len(chosen.guesses) == 3
    assert "'yes' is taken as what the model looks for." in chosen.guesses


def test_what_is_named_is_not_guessed() -> None:
    chosen = choose_columns(table(), PLAN, true="left", score="score", positive="no")
    assert chosen.positive == "no"
    assert chosen.guesses == ()


def test_a_column_that_stands_there_twice_is_told() -> None:
    # A reader of tables calls the second one "score (2)".
    chosen = choose_columns(table(**{"score (2)": np.zeros(400)}), PLAN, true="left", score="score")
    assert "Two columns are called 'score'; the first of them is taken." in chosen.guesses


def test_noughts_and_ones_need_no_positive_class() -> None:
    rows = table()
    rows["y_true"] = (rows.pop("left") == "yes").astype(float)
    assert choose_columns(rows, PLAN).positive is None
    assert choose_columns(rows, PLAN, positive="0").positive == 0.0


def test_a_positive_class_that_nobody_can_know_is_asked_for() -> None:
    rows = table()
    rows["left"] = np.where(rows["left"] == "yes", "red", "blue").astype(object)
    with pytest.raises(InputError, match="which of 'blue', 'red' in 'left'"):
        choose_columns(rows, PLAN)


def test_two_columns_that_may_be_the_truth_are_asked_for() -> None:
    rows = table()
    rows["kind"], rows["group"] = rows.pop("left"), rows["customer"] % 2
    with pytest.raises(InputError, match="which column says what really happened"):
        choose_columns(rows, PLAN)


def test_a_misspelt_column_is_answered_with_the_closest() -> None:
    with pytest.raises(ColumnError, match="did you mean 'score'"):
        choose_columns(table(), PLAN, score="skore")


def test_a_column_of_labels_is_read_as_decisions() -> None:
    rows = table()
    rows["decision"] = np.where(rows.pop("score") >= 0.5, "yes", "no").astype(object)
    judged = judge_table(rows, PLAN)
    assert judged.chosen.decisions
    assert judged.evaluation.counts() == [[200, 100], [0, 100]]
    assert judged.evaluation.profit.total == 100 * 20 - 100 * 5


def test_the_money_is_that_of_the_library_to_the_cent() -> None:
    rows = table(worth=np.linspace(1, 50, 400))
    plan = Plan(Payoff(tp="worth", fp=-5), per_year=12)
    found = judge_table(rows, plan).to_dict()
    same = evaluate(rows["left"], rows["score"], plan, data=rows, pos_label="yes").to_dict()
    assert found.pop("columns") == {"true": "left", "score": "score", "positive": "yes"}
    assert found == same


def test_rows_of_the_same_person_count_together() -> None:
    rows = table()
    rows["customer"] = rows["customer"] // 8
    alone = judge_table(rows, PLAN).evaluation
    together = judge_table(rows, PLAN, id="customer").evaluation
    assert together.cluster is not None
    assert alone.cluster is None
    assert alone.profit.total != 0


def test_accuracy_and_roc_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import accuracy_score, precision_score, recall_score, roc_auc_score

    rng = np.random.default_rng(1)
    y = (rng.random(500) < 0.3).astype(int)
    score = np.round(rng.random(500) * 0.6 + 0.3 * y, 2)
    plan = Plan(Payoff(tp=20, fp=-5), threshold=0.5)
    found = accuracy(evaluate(y, score, plan))
    decided = score >= 0.5
    assert found is not None
    assert found.roc is not None
    assert found.auc == pytest.approx(roc_auc_score(y, score))
    assert found.accuracy == pytest.approx(accuracy_score(y, decided))
    assert found.precision == pytest.approx(precision_score(y, decided))
    assert found.recall == pytest.approx(recall_score(y, decided))
    assert (found.roc[0], found.roc[-1]) == ((0.0, 0.0), (1.0, 1.0))


def test_percentages_are_shares():
    table = {
        "y": np.array([0.0, 1.0] * 100),
        "score": np.array(["40%", "60,5 %"] * 100, dtype=object),
    }
    found = judge_table(table, Plan(Payoff(tp=2, fp=-1), threshold=0.605))
    assert not found.chosen.decisions
    assert found.evaluation.counts() == [[100, 0], [0, 100]]


@pytest.mark.parametrize("column", ["score", "worth"])
def test_an_empty_cell_is_told_as_a_spreadsheet_counts(column):
    table = {name: np.arange(200.0) % 2 for name in ("y", "score", "worth")}
    table[column] = np.where(np.arange(200) == 7, np.nan, table[column])
    with pytest.raises(InputError, match=f"{column!r} is empty in row 9 of the table"):
        judge_table(table, Plan(Payoff(tp="worth - 0.5", fp=-1), threshold=0.5))
