import hashlib
from collections import Counter

import pytest

from thinslice.errors import InputError
from thinslice.outcomes.assignment import assign
from thinslice.outcomes.sample_ratio import sample_ratio


def test_a_visitor_always_gets_the_same_variant(experiment):
    first = [assign(experiment(), f"v{i}") for i in range(200)]
    assert first == [assign(experiment(), f"v{i}") for i in range(200)]


def test_the_variant_is_where_the_hash_says(experiment):
    digest = hashlib.sha256(b"4:saltanna").digest()
    place = int.from_bytes(digest[8:16], "big") / 2**64
    assert assign(experiment(), "anna").name == ("A" if place < 0.5 else "B")


def test_visitors_are_split_by_the_weights(experiment):
    e = experiment(0.2, 0.5, 0.3)
    seen = Counter(assign(e, f"visitor {i}").name for i in range(20_000))
    assert sample_ratio([seen["A"], seen["B"], seen["C"]], [0.2, 0.5, 0.3]).p_value > 0.01


def test_another_salt_splits_independently(experiment):
    one, two = experiment(salt="one"), experiment(salt="two")
    both = Counter((assign(one, f"v{i}").name, assign(two, f"v{i}").name) for i in range(8_000))
    assert sample_ratio(list(both.values()), [1, 1, 1, 1]).p_value > 0.01


def test_weights_below_one_leave_the_rest_out_and_a_ramp_moves_nobody(experiment):
    visitors = [f"v{i}" for i in range(5_000)]
    small = {v: a.name for v in visitors if (a := assign(experiment(0.1, 0.1), v))}
    large = {v: a.name for v in visitors if (a := assign(experiment(0.4, 0.4), v))}
    assert 0.17 < len(small) / len(visitors) < 0.23
    assert 0.77 < len(large) / len(visitors) < 0.83
    assert small.items() <= large.items()


def test_a_visitor_without_an_id_takes_no_part(experiment):
    assert assign(experiment(), "") is None


@pytest.mark.parametrize("weights", [(0.0, 0.0), (-0.1, 0.5), (0.7, 0.7)])
def test_weights_that_make_no_sense_are_an_error(experiment, weights):
    with pytest.raises(InputError, match="weights must be"):
        assign(experiment(*weights), "anna")
