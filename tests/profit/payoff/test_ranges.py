import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thinslice.errors import InputError
from thinslice.profit import Range

amounts = st.floats(-1e6, 1e6)


@given(st.tuples(amounts, amounts, amounts).map(sorted))
def test_every_draw_lies_in_the_range(ends):
    drawn = Range(*ends).sample(np.random.default_rng(0), 50)
    slack = 1e-9 * max(1.0, *map(abs, ends))
    assert drawn.min() >= ends[0] - slack
    assert drawn.max() <= ends[2] + slack


def test_the_mean_of_the_draws_is_that_of_pert():
    drawn = Range(8, 12, 18).sample(np.random.default_rng(0), 100_000)
    mean = (8 + 4 * 12 + 18) / 6
    assert abs(drawn.mean() - mean) < 3 * drawn.std() / np.sqrt(len(drawn))


def test_a_range_without_width_is_a_number():
    assert set(Range.of(5).sample(np.random.default_rng(0), 3)) == {5.0}


def test_a_range_reads_numbers_lists_and_names():
    assert Range.of([1, 2, 3]) == Range.of({"low": 1, "likely": 2, "high": 3}) == Range(1, 2, 3)


@pytest.mark.parametrize(
    "wrong",
    [[3, 2, 1], [1, 2], {"low": 1}, "12", True, [1, float("nan"), 3], [1, 2, float("inf")]],
)
def test_what_is_no_range_is_an_error(wrong):
    with pytest.raises(InputError):
        Range.of(wrong)
