import hashlib
from collections import Counter
from dataclasses import replace

import pytest

from thinslice.domain import Query
from thinslice.errors import InputError, NotFoundError
from thinslice.outcomes.assignment import assign, is_held_out, place
from thinslice.outcomes.statistics.sample_ratio import sample_ratio


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


def test_a_ramp_brings_visitors_in_and_moves_nobody(experiment):
    visitors = [f"v{i}" for i in range(5_000)]
    before: dict[str, str] = {}
    for traffic in (0.05, 0.2, 0.5, 1.0):
        e = experiment(traffic=traffic)
        now = {v: a.name for v in visitors if (a := assign(e, v))}
        assert len(now) / len(visitors) == pytest.approx(traffic, abs=0.03)
        assert before.items() <= now.items()
        before = now


def test_a_ramped_experiment_may_be_pooled_where_changed_weights_would_lie():
    """Nothing works on either day; busy buyers come on the second. Pooled, a ramp still says so."""
    rate = {1: 0.1, 2: 0.5}
    ramp = {1: (50, 50), 2: (500, 500)}
    weights = {1: (900, 100), 2: (500, 500)}

    def pooled(visitors, arm):
        orders = sum(n[arm] * rate[day] for day, n in visitors.items())
        return orders / sum(n[arm] for n in visitors.values())

    assert pooled(ramp, 1) == pytest.approx(pooled(ramp, 0))
    assert pooled(weights, 1) > 1.5 * pooled(weights, 0)


def test_the_split_is_as_meant_at_every_step_of_a_ramp(experiment):
    for traffic in (0.05, 0.3, 1.0):
        e = experiment(traffic=traffic)
        seen = Counter(a.name for i in range(40_000) if (a := assign(e, f"v{i}")))
        assert sample_ratio([seen["A"], seen["B"]], [0.5, 0.5]).p_value > 0.01


def test_who_takes_no_part_sees_the_controls_list_and_does_not_count(experiment):
    placed = place([experiment(traffic=1e-9)], Query(visitor="anna"))
    assert (placed.policy, placed.experiment, placed.variant, placed.left_out) == (
        *("list:incumbent", "e", None),
        "not_in_traffic",
    )
    assert place([experiment()], Query(visitor="")).left_out == "not_in_traffic"


def test_a_paused_experiment_shows_everyone_the_controls_list(experiment):
    paused = [experiment(traffic=0.0)]
    placed = [place(paused, Query(visitor=f"v{i}")) for i in range(50)]
    assert {(p.policy, p.left_out) for p in placed} == {("list:incumbent", "paused")}


def test_a_stopped_experiment_leaves_in_place_what_was_chosen(experiment):
    query = Query(visitor="anna")
    assert place([], query).policy == "session"
    kept = experiment(stopped_us=10, after="A")
    assert place([kept], query).policy == "list:incumbent"
    shipped = replace(kept, stopped_us=20, after="B")
    assert place([shipped, kept], query).policy == "session"
    assert place([kept], Query(visitor="anna", placement="cart")).policy == "session"


def test_the_holdout_sees_todays_list_whatever_runs(experiment):
    runs = [experiment()]
    held = [v for i in range(4_000) if is_held_out("shop", v := f"v{i}", 0.1)]
    assert 0.08 < len(held) / 4_000 < 0.12
    placed = place(runs, Query(visitor=held[0]), shop="shop", holdout=0.1)
    assert (placed.policy, placed.left_out) == ("list:incumbent", "holdout")
    shipped = [replace(runs[0], stopped_us=1, after="B")]
    kept = place(shipped, Query(visitor=held[0]), shop="shop", holdout=0.1)
    assert (kept.policy, kept.experiment) == ("list:incumbent", None)


def test_the_holdout_is_independent_of_the_split_and_another_in_each_shop(experiment):
    visitors = [f"v{i}" for i in range(8_000)]
    left = [v for v in visitors if not is_held_out("shop", v, 0.2)]
    seen = Counter(assign(experiment(), v).name for v in left)
    assert sample_ratio([seen["A"], seen["B"]], [0.5, 0.5]).p_value > 0.01
    here, there = ({v for v in visitors if is_held_out(s, v, 0.2)} for s in ("a", "b"))
    assert len(here & there) / len(visitors) == pytest.approx(0.04, abs=0.01)


def test_a_preview_shows_the_variant_and_does_not_count(experiment):
    for name, policy in (("A", "list:incumbent"), ("B", "session")):
        placed = place([experiment()], Query(visitor="anna", preview=("e", name)))
        assert (placed.policy, placed.variant, placed.left_out) == (policy, name, "qa")
    with pytest.raises(NotFoundError, match="there is e: A, B"):
        place([experiment()], Query(preview=("e", "C")))


def test_what_was_asked_for_by_name_is_part_of_no_experiment(experiment):
    placed = place([experiment()], Query(visitor="anna", policy="popular"))
    assert (placed.policy, placed.experiment, placed.left_out) == ("popular", None, None)
