import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from thinslice.errors import ColumnError, InputError
from thinslice.outcomes.notebook.rows import read_rows, sum_rows
from thinslice.outcomes.statistics.metric import Metric
from thinslice.outcomes.statistics.moments import Moments

TABLE = {"arm": ["A", "B", "A", "B", "B"], "x": [1, 2, 3, 4, 5], "y": [0.5, 0.0, 1.5, 2.0, 2.5]}
KINDS = [dict, pd.DataFrame, pl.DataFrame, pa.table]
RATIO = [Metric("x", per="y")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_of_any_kind_gives_the_moments_of_its_columns(kind):
    found = sum_rows(read_rows(kind(TABLE), RATIO, "arm"))
    assert found["A"] == Moments.of({"x": [1.0, 3.0], "y": [0.5, 1.5]})
    assert found["B"] == Moments.of({"x": [2.0, 4.0, 5.0], "y": [0.0, 2.0, 2.5]})


def test_many_rows_are_summed_in_pieces_that_add_up():
    rng = np.random.default_rng(1)
    table = {"arm": rng.choice(["A", "B"], 20_001), "x": rng.integers(0, 9, 20_001)}
    found = sum_rows(read_rows(table, [Metric("x")], "arm"))
    for arm, moments in found.items():
        x = table["x"][table["arm"] == arm]
        assert (moments.n, moments.total("x")) == (len(x), x.sum())
        assert moments.covariance("x", "x") == pytest.approx(x.var(ddof=1))


def test_without_arms_everyone_is_one():
    assert sum_rows(read_rows(TABLE, [Metric("x")])) == {"": Moments.of({"x": [1.0, 2, 3, 4, 5]})}


def test_a_constant_has_no_spread_however_it_is_rounded():
    found = sum_rows(read_rows({"x": [0.1] * 10_007}, [Metric("x")]))[""]
    assert found.covariance("x", "x") == 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_rows_of_a_visitor_are_added_up_and_what_was_known_before_is_not(kind):
    table = kind({
        "id": ["u", "u", "v", "w", "w"],
        "arm": ["A", "A", "B", "A", "A"],
        "x": [1, 2, 3, 4, 5],
        "before": [7.0, 7.0, 8.0, 9.0, 9.0],
    })  # fmt: skip
    found = sum_rows(read_rows(table, [Metric("x", covariate="before")], "arm", unit="id"))
    assert found["A"].sums == (12, 16)
    assert found["A"].product("x", "x") == 3**2 + 9**2
    assert found["B"] == Moments.of({"x": [3.0], "before": [8.0]})


@pytest.mark.parametrize("kind", KINDS)
def test_a_visitor_in_two_arms_is_an_error(kind):
    table = kind({"id": [1, 1, 2], "arm": ["A", "B", "A"], "x": [1, 2, 3]})
    with pytest.raises(InputError, match="1 have rows in several, such as 1"):
        read_rows(table, [Metric("x")], "arm", unit="id")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("x, says", [([1, None, 3], "nan in row 1"), ([1, 5, -3], "-3 in row 2")])
def test_the_sum_of_a_visitor_hides_no_row_that_is_missing_or_below_0(kind, x, says):
    table = kind({"id": ["u", "v", "v"], "arm": ["A", "B", "B"], "x": x})
    with pytest.raises(InputError, match=says):
        read_rows(table, [Metric("x")], "arm", unit="id")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["x", "arm", "id"])
def test_a_missing_value_is_an_error(kind, name):
    table = {"id": [1, 2, 3], "arm": ["A", "B", "A"], "x": [1, 2, 3]}
    table[name] = [*table[name][:2], None]
    with pytest.raises(InputError, match="row 2|no arm in 'arm'|1 rows have no 'id'"):
        sum_rows(read_rows(kind(table), [Metric("x")], "arm", unit="id" if name == "id" else None))


def test_values_that_make_no_sense_are_errors():
    def read(x, metric=Metric("x"), **more):  # noqa: B008
        return sum_rows(read_rows({"x": x, **more}, [metric]))

    with pytest.raises(InputError, match="at least 0, got -3 in row 1 .*may_be_negative=True"):
        read([1, -3])
    assert read([1, -3], Metric("x", may_be_negative=True))[""].total("x") == -2
    with pytest.raises(InputError, match="'d' must be at least 0, got -1"):
        read([1, 2], Metric("x", per="d", may_be_negative=True), d=[1, -1])
    with pytest.raises(InputError, match="must hold numbers, got values such as '1'"):
        read(["1", "a lot"])
    with pytest.raises(InputError, match="must hold numbers, got times such as 2026-01-01"):
        read(np.array(["2026-01-01"], dtype="datetime64[D]"))
    with pytest.raises(InputError, match="got inf in row 0"):
        read([np.inf, 1.0])
    with pytest.raises(InputError, match="too large to be added up"):
        read([1e200, 1e200])


def test_a_table_that_is_none_is_an_error():
    with pytest.raises(ColumnError, match="no column is called 'revnue'; did you mean 'revenue'"):
        read_rows({"revenue": [1]}, [Metric("revnue")])
    with pytest.raises(InputError, match="pandas, Polars or Arrow.*got builtins.list"):
        read_rows([1, 2], [Metric("x")])
    with pytest.raises(InputError, match="collect a lazy one"):
        read_rows(pl.LazyFrame(TABLE), [Metric("x")])
    with pytest.raises(InputError, match="lists of one length"):
        read_rows({"x": [1], "y": [1, 2]}, [Metric("x")])
    with pytest.raises(InputError, match="two columns of the data have the same name"):
        read_rows(pd.DataFrame([[1, 2]], columns=["x", "x"]), [Metric("x")])
    with pytest.raises(InputError, match="too many for the arms"):
        read_rows({"x": list(range(30))}, [Metric("x")], "x")
