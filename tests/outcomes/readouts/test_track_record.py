import pytest

from thinslice.outcomes.readouts.track_record import Foretold, foretold, track_record


def record(*pairs):
    return track_record([Foretold(str(i), *pair) for i, pair in enumerate(pairs)])


def test_below_five_experiments_nothing_is_said():
    few = record((0.1, 0.2), (0.2, 0.3))
    assert (few.agree, few.rank) == (None, None)
    assert "there are 2, and 5 is the least" in few.sentence


def test_a_measure_that_always_points_the_right_way_is_worth_asking():
    always = record(*((i / 10, i / 20) for i in range(1, 9)))
    share, low, high = always.agree
    assert (share, round(low, 3), round(high, 3)) == (1.0, 0.676, 1.0)  # Wilson, 8 of 8
    assert always.rank[0] == pytest.approx(1.0)
    assert always.sentence.endswith("worth asking before an experiment.")


def test_a_measure_that_points_either_way_is_no_better_than_chance():
    mixed = record((0.1, 0.1), (0.2, -0.1), (0.3, 0.3), (-0.1, 0.2), (-0.2, -0.3), (0.1, -0.2))
    assert mixed.agree[0] == pytest.approx(0.5)
    assert "no better than chance" in mixed.sentence


def test_the_rank_correlation_is_spearmans():
    pairs = [(1.0, 2.0), (2.0, 1.0), (3.0, 4.0), (4.0, 3.0), (5.0, 5.0), (5.0, 9.0)]
    from scipy.stats import spearmanr

    rank, low, high = record(*pairs).rank
    assert rank == pytest.approx(spearmanr(*zip(*pairs, strict=True)).statistic)
    assert low < rank < high


def test_a_list_against_itself_foretells_nothing():
    def readout(treatment, verdict="ship"):
        return {
            "experiment": "e",
            "control": "A",
            "treatment": "B",
            "verdict": verdict,
            "variants": [{"name": "A", "policy": "popular"}, {"name": "B", "policy": treatment}],
            "rows": [{"is_deciding": True, "relative": {"estimate": 0.1}}],
            "offline": {
                "n": 20,
                "rows": [
                    {"name": name, "metrics": {"HitRate@20": {"estimate": rate}}}
                    for name, rate in (("popular", 0.2), ("session", 0.5))
                ],
            },
        }

    given = [readout("session"), readout("popular"), readout("list:x"), readout("session", None)]
    (found,) = foretold(given)
    assert (found.offline, found.online) == (pytest.approx(0.3), 0.1)
