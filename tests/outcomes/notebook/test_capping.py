import numpy as np
import pytest

from thinslice.errors import InputError
from thinslice.outcomes.notebook.capping import cap_rows
from thinslice.outcomes.notebook.rows import Rows
from thinslice.outcomes.statistics.metric import Metric


def rows(**columns):
    n = len(next(iter(columns.values())))
    arms = {"A": np.arange(n) % 2 == 0, "B": np.arange(n) % 2 == 1}
    return Rows({name: np.asarray(values) for name, values in columns.items()}, arms)


def test_the_cap_is_one_quantile_of_both_arms_together():
    found, (metric,) = cap_rows(rows(x=[1, 2, 3, 4, 5, 6, 7, 8, 9, 1000]), [Metric("x", cap=0.8)])
    assert found.columns[metric.numerator].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 9]
    assert metric.name == "x per visitor"
    assert "Capped at the 0.8 quantile" in metric.definition


def test_numerator_and_denominator_are_capped_over_the_same_visitors():
    table = rows(x=[0, 0, 1, 2, 3, 90], d=[1, 1, 1, 1, 5, 50])
    found, (metric,) = cap_rows(table, [Metric("x", per="d", cap=0.7)])
    assert found.columns[metric.numerator].tolist() == [0, 0, 1, 2, 3, 3]
    assert found.columns[metric.per].tolist() == [1, 1, 1, 1, 5, 5]


def test_other_metrics_of_the_same_column_stay_as_they_are():
    capped, plain = Metric("x", cap=0.5), Metric("x", name="plain")
    found, (first, second) = cap_rows(rows(x=[1, 2, 3, 4]), [capped, plain])
    assert found.columns[second.numerator].tolist() == [1, 2, 3, 4]
    assert first.numerator != second.numerator


def test_a_cap_of_0_is_refused_with_one_that_works():
    x = np.zeros(1000)
    x[:20] = np.arange(1, 21)
    with pytest.raises(InputError, match=r"2\.00% of visitors have any.*cap=0\.998 caps"):
        cap_rows(rows(x=x), [Metric("x", cap=0.9)])
    found, (metric,) = cap_rows(rows(x=x), [Metric("x", cap=0.998)])
    assert found.columns[metric.numerator].max() == 19


def test_a_missing_value_is_named_before_it_becomes_a_cap():
    with pytest.raises(InputError, match="got nan in row 1"):
        cap_rows(rows(x=[1.0, np.nan, 2.0]), [Metric("x", cap=0.9)])


def test_a_column_of_nothing_stays_one():
    found, (metric,) = cap_rows(rows(x=[0, 0]), [Metric("x", cap=0.5)])
    assert found.columns[metric.numerator].tolist() == [0, 0]
