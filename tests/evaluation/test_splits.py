from __future__ import annotations

import numpy as np
import pytest
from tests.contracts.session_logs import checkerboard, log_of

from thinslice.errors import InputError, NotEnoughDataError
from thinslice.evaluation.splits import split_by_time


def ends(log):
    return log.times_us[log.offsets[1:] - 1]


def sessions_of(log):
    return [
        [log.products[code] for code in log.codes[start:end]]
        for start, end in zip(log.offsets[:-1], log.offsets[1:], strict=True)
    ]


def test_the_test_is_the_latest_share_of_the_sessions():
    split = split_by_time(checkerboard(50), test_share=0.2)
    assert (split.train.n_sessions, split.test.n_sessions) == (40, 10)
    assert ends(split.train).max() < split.cut_us <= ends(split.test).min()


def test_nothing_is_lost_or_renamed():
    log = checkerboard(10)
    split = split_by_time(log)
    assert sessions_of(split.train) + sessions_of(split.test) == sessions_of(log)
    assert split.train.ids + split.test.ids == log.ids


def test_training_does_not_know_products_of_the_future():
    split = split_by_time(log_of([["a", "b"], ["a", "b"], ["b", "new"]]), test_share=0.3)
    assert split.train.products == ("a", "b")
    assert "new" in split.test.products


def test_sessions_that_end_together_are_not_torn_apart():
    log = log_of([["a", "b"]] * 4)
    log.times_us[2:6] = log.times_us[5]
    split = split_by_time(log, test_share=0.5)
    assert (split.train.n_sessions, split.test.n_sessions) == (1, 3)


def test_a_session_is_where_it_ended_wherever_it_began():
    log = log_of([["a", "b"], ["a", "b"]])
    split = split_by_time(log, cut_us=int(log.times_us[3]))
    assert split.test.ids == ("s1",)


@pytest.mark.parametrize("n_sessions", [0, 1])
def test_too_little_to_split_is_an_answer(n_sessions):
    with pytest.raises(NotEnoughDataError, match="import more"):
        split_by_time(log_of([["a", "b"]] * n_sessions))


def test_sessions_of_one_moment_cannot_be_split():
    log = log_of([["a", "b"]] * 3)
    log.times_us[:] = 7
    with pytest.raises(NotEnoughDataError):
        split_by_time(log)


@pytest.mark.parametrize("share", [0, 1, -0.1, 2, np.nan])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(InputError, match="between 0 and 1"):
        split_by_time(checkerboard(), test_share=share)
