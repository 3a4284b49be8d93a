import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from thinslice.errors import ColumnError, InputError
from thinslice.profit import Payoff, Range
from thinslice.profit.payoff.expressions import Expression
from thinslice.profit.payoff.priced import Priced
from thinslice.profit.rows.columns import Columns

Y = np.array([0, 0, 1, 1])


def money(payoff, decided, data=None):
    return Priced.of(payoff, 4, data).worth(Y, np.array(decided)).tolist()


def test_each_cell_is_paid_where_it_happens():
    # rows: tn, fp, fn, tp
    assert money(Payoff(tp=5, fp=-2, fn=-3, tn=1), [0, 1, 0, 1]) == [1, -2, -3, 5]
    assert money(Payoff.from_matrix([[1, -2], [-3, 5]]), [0, 1, 0, 1]) == [1, -2, -3, 5]


def test_a_column_an_expression_and_an_array_say_the_same():
    data = {"clv": [10, 20, 30, 40], "customer value": [-8.0, -5.0, -2.0, 1.0]}
    by_text = money(Payoff(tp="clv * 0.3 - 11", fp=-11), [1, 1, 1, 1], data)
    assert by_text == pytest.approx([-11, -11, -2, 1])
    assert money(Payoff(tp="customer value", fp=-11), [1] * 4, data) == by_text
    assert money(Payoff(tp=[-8, -5, -2, 1], fp=-11), [1] * 4) == by_text


def test_a_guessed_payoff_counts_with_its_mean():
    payoff = Payoff(tp=Range(6, 12, 18), fp=scipy.stats.norm(-2, 1))
    assert money(payoff, [0, 1, 0, 1]) == pytest.approx([0, -2, 0, 12])
    assert money(Payoff(tp=Range(0, 0, 6)), [0, 0, 0, 1]) == [0, 0, 0, 1]  # (0 + 4 * 0 + 6) / 6


def test_three_classes_are_rows_true_and_columns_decided():
    payoff = Payoff.from_matrix([[1, 2, 3], [4, 5, 6], [7, 8, 9]], labels=["a", "b", "c"])
    priced = Priced.of(payoff, 3)
    assert priced.worth(np.array([0, 1, 2]), np.array([2, 0, 1])).tolist() == [3, 4, 8]


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "dictionary"])
def test_frames_of_all_kinds_give_the_same_money(kind):
    columns = {"clv": [10.0, 20.0, 30.0, 40.0]}
    if kind == "pandas":
        data = __import__("pandas").DataFrame(columns)
    elif kind == "polars":
        data = __import__("polars").DataFrame(columns)
    else:
        data = pa.table(columns) if kind == "arrow" else columns
    assert money(Payoff(tp="clv / 10"), [0, 1, 0, 1], data) == [0, 0, 0, 4]


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"tp_benefit": 3}, "did you mean 'tp'"),
        ({"curency": "EUR"}, "did you mean 'currency'"),
        ({"tp": None}, "tp is a number"),
        ({"tp": float("nan")}, "tp is a number"),
        ({"tp": True}, "tp is a number"),
        ({"currency": "Euro"}, "three letters"),
        ({"labels": ["a"]}, "labels are the 2 classes"),
        ({"labels": ["a", "a"]}, "labels are the 2 classes"),
    ],
)
def test_a_payoff_that_makes_no_sense_is_an_error(given_, says):
    with pytest.raises(InputError, match=says):
        Payoff(**given_)


@pytest.mark.parametrize("wrong", [5, [1, 2], [[1, 2, 3], [4, 5, 6]], [[1]], "tp"])
def test_a_matrix_of_another_shape_is_an_error_that_states_the_layout(wrong):
    with pytest.raises(InputError, match="rows are what was true"):
        Payoff.from_matrix(wrong)


def test_a_misspelt_column_names_the_closest():
    with pytest.raises(ColumnError, match="did you mean 'clv'") as error:
        money(Payoff(tp="clw * 2"), [1] * 4, {"clv": [1, 2, 3, 4], "age": [1, 2, 3, 4]})
    assert "tp" in str(error.value)
    with pytest.raises(ColumnError, match="as data="):
        money(Payoff(tp="clv"), [1] * 4)


@pytest.mark.parametrize("clv", [[1, None, 3, 4], [1, float("nan"), 3, 4], [1, float("inf"), 3, 4]])
def test_money_that_is_missing_names_its_row(clv):
    with pytest.raises(InputError, match="row 1"):
        money(Payoff(tp="clv * 2"), [1] * 4, {"clv": clv})


def test_a_division_by_zero_names_its_row():
    with pytest.raises(InputError, match="row 2"):
        money(Payoff(tp="1 / clv"), [1] * 4, {"clv": [1, 2, 0, 4]})


def test_columns_of_another_length_are_an_error():
    with pytest.raises(InputError, match="3 rows and y_true has 4"):
        money(Payoff(tp="clv"), [1] * 4, {"clv": [1, 2, 3]})


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "clv.__class__",
        "clv[0]",
        "lambda: 1",
        "clv ** 9",
        "open('x')",
        "max(clv, key=abs)",
        "[x for x in clv]",
        "clv if clv else 1",
        "'a' * 9",
        "True",
        "1j",
        "clv := 2",
        "(" * 90 + "1" + ")" * 90 + "a" * 600,
        "-" * 480 + "1 1",
        "abs()",
        "max()",
    ],
)
def test_an_expression_is_never_run_as_code(text):
    with pytest.raises(InputError, match="arithmetic of columns"):
        Expression.parse(text)


def test_brackets_order_and_the_functions():
    expression = Expression.parse("max(0, (a - 2) * 3, min(a, 1)) / -abs(b)")
    found = expression.value({"a": np.array([1.0, 4.0]), "b": np.array([-2.0, 3.0])})
    assert found.tolist() == [-0.5, -2.0]
    assert expression.columns == ("a", "b")


numbers = st.floats(-100, 100).map(lambda x: round(x, 2))


@given(st.lists(numbers, min_size=4, max_size=4), numbers)
def test_profit_is_linear_in_the_payoff(cells, factor):
    tn, fp, fn, tp = cells
    one = money(Payoff(tp=tp, fp=fp, fn=fn, tn=tn), [0, 1, 0, 1])
    many = money(
        Payoff(tp=tp * factor, fp=fp * factor, fn=fn * factor, tn=tn * factor), [0, 1, 0, 1]
    )
    assert many == pytest.approx([x * factor for x in one])


def test_a_payoff_survives_its_plain_form():
    for payoff in (
        Payoff(tp="clv * 0.3 - 11", fp=Range(-15, -11, -8), labels=["stay", "churn"]),
        Payoff(tp=scipy.stats.norm(3, 1), fp=-1, currency="usd"),
        Payoff.from_matrix([[0, 1, 2]] * 3, labels=["a", "b", "c"], nothing="a"),
    ):
        assert Payoff.from_dict(payoff.to_dict()) == payoff
    with pytest.raises(InputError, match="put them in a column"):
        Payoff.from_dict(Payoff(tp=[1, 2]).to_dict())
    with pytest.raises(InputError, match="rows are what was true"):
        Payoff.from_dict({"matrix": 3})
    with pytest.raises(InputError, match="cannot be made"):
        Payoff.from_dict({"tp": {"distribution": "norm", "args": [1, 2, 3, 4]}})
    with pytest.raises(InputError, match="tp: norm cannot be made"):
        Payoff.from_dict({"tp": {"distribution": "norm", "args": ["a"]}})
    with pytest.raises(InputError, match="the distributions are"):
        Payoff.from_dict({"tp": {"distribution": "rv_discrete"}})


@pytest.mark.parametrize("amount", [1e200, -1e200, 1e16, scipy.stats.norm(1e20, 1)])
def test_an_amount_that_no_money_is_is_an_error(amount):
    with pytest.raises(InputError, match=r"1e\+15"):
        Payoff(tp=amount)
    if isinstance(amount, float):
        with pytest.raises(InputError, match=r"1e\+15"):
            Range(min(amount, 0), 0, max(amount, 0))


@pytest.mark.parametrize("text", ["worth", "worth * 10", "worth * 1e300"])
def test_an_amount_of_a_row_that_no_money_is_is_an_error(text):
    with pytest.raises(InputError, match="row 1 "):
        Priced.of(Payoff(tp=text), 2, {"worth": [0.0, 1e200]})


def test_a_column_whose_name_is_no_word_is_named():
    data = {"customer value": [1.0, 2.0]}
    payoff = Payoff(tp="customer value * 0.3")
    with pytest.raises(InputError, match="rename the column, such as 'customer_value'"):
        Priced.of(payoff, 2, data)
    assert Priced.of(Payoff(tp="customer value"), 2, data).amounts[1][1].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("kind", ["pandas", "arrow"])
def test_two_columns_of_one_name_are_an_error(kind):
    frame = pd.DataFrame([[1.0, 2.0, 3.0]], columns=["worth", "worth", "b"])
    table = pa.table([pa.array([1.0])] * 3, names=["worth", "worth", "b"])
    with pytest.raises(InputError, match="more than one column called 'worth'; rename"):
        Columns(frame if kind == "pandas" else table)
