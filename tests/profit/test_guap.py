"""What guap promised, with the right answer where it had none."""

import pytest

from thinslice.errors import InputError
from thinslice.profit import Payoff
from thinslice.profit.guap import guap_metric
from thinslice.profit.scorer import total_profit

TRUTH = ["cat", "ant", "cat", "cat", "ant", "bird"]
FOUND = ["ant", "ant", "cat", "cat", "ant", "cat"]
MATRIX = [[200, -1500], [0, 1000]]


def test_the_example_of_its_readme_is_3000_cell_by_cell_and_500_per_prediction():
    # ant: 2 tp, 1 fp, 3 tn; bird: 1 fn, 5 tn; cat: 2 tp, 1 fp, 1 fn, 2 tn
    # = 4 * 1000 - 2 * 1500 + 10 * 200 = 3000
    assert guap_metric(TRUTH, FOUND, MATRIX) == {"sum": 3000, "average": 500}


def test_an_average_is_no_integer():
    found = guap_metric([0, 1, 1], [0, 1, 1], [[4, 0], [0, 5]])
    assert found == {"sum": 14, "average": pytest.approx(14 / 3)}


def test_two_classes_count_every_row_once():
    y, decided = [0, 0, 1, 1], [0, 1, 0, 1]
    once = guap_metric(y, decided, [[50, 0], [0, 100]])
    assert once["sum"] == 150  # guap: 300, each row seen from both classes


def test_a_fold_of_one_class_is_2_where_the_labels_are_stated_and_an_error_else():
    # guap spreads a 1 x 1 confusion matrix over all four cells: 2222.
    matrix = [[1, 10], [100, 1000]]
    assert total_profit([0, 0], [0, 0], Payoff.from_matrix(matrix, labels=[0, 1])) == 2
    with pytest.raises(InputError, match="state both"):
        total_profit([0, 0], [0, 0], Payoff.from_matrix(matrix))


def test_the_positive_class_is_never_the_last_of_the_alphabet():
    y, decided = ["churn", "stay"], ["churn", "churn"]
    payoff = Payoff.from_matrix([[0, -1], [-10, 100]])
    with pytest.raises(InputError, match="which class is positive, 'churn', 'stay'"):
        total_profit(y, decided, payoff)
    assert total_profit(y, decided, payoff, pos_label="churn") == 99
    assert total_profit(y, decided, payoff, pos_label="stay") == -10


@pytest.mark.parametrize(
    ("y", "decided", "says"),
    [
        ([0, 1], [0, 2], "unknown label 2"),
        (["stay", "churn"], ["stay", "chrun"], "did you mean 'churn'"),
        ([0, float("nan"), 1], [0, 1, 1], "no label in row 1"),
        ([0, 1], [0.2, 0.9], "go into y_score"),
        ([0, 1], [0, 1, 1], "y_pred has 3 rows"),
    ],
)
def test_labels_that_make_no_sense_are_errors(y, decided, says):
    payoff = Payoff.from_matrix(MATRIX, labels=["stay", "churn"] if "stay" in y else None)
    with pytest.raises(InputError, match=says):
        total_profit(y, decided, payoff)


@pytest.mark.parametrize("matrix", [5, [1, 2, 3, 4], [[1, 2, 3], [4, 5, 6]]])
def test_a_matrix_is_never_stretched(matrix):
    with pytest.raises(InputError, match="rows are what was true"):
        guap_metric(TRUTH, FOUND, matrix)


def test_a_payoff_for_each_pair_of_classes_counts_every_row_once():
    payoff = Payoff.from_matrix(
        [[10, 0, -1], [0, 5, -2], [-3, -4, 8]], labels=["ant", "bird", "cat"]
    )
    # ant as ant twice, cat as ant, cat as cat twice, bird as cat: 20 - 3 + 16 - 2
    assert total_profit(TRUTH, FOUND, payoff) == 31
