import pytest

from thinslice.errors import InputError
from thinslice.outcomes.statistics.metric import Metric, asked, check_metrics


def test_a_metric_with_max_worse_is_a_guardrail_and_one_without_a_success_metric():
    guardrail, success = Metric("bounced", max_worse=0.02), Metric("revenue")
    assert (guardrail.is_guardrail, guardrail.is_success) == (True, False)
    assert (success.is_guardrail, success.is_success) == (False, True)


def test_what_else_can_be_asked_is_said():
    assert asked(Metric("a", decides=True, max_worse=0.1)) == "better and at most 10% worse"
    assert asked(Metric("a", decides=False)) == "not worse"
    assert asked(Metric("a", decides=False, holds_back=False)) == "nothing"


def test_a_metric_has_a_name_and_words_of_its_own():
    metric = Metric("added_to_cart", per="views")
    assert (metric.name, metric.label) == ("added_to_cart per views", "Added to cart per views")
    assert Metric("revenue", per="visitor") == Metric("revenue", per=None)
    assert Metric("revenue").name == "revenue per visitor"


def test_the_columns_of_a_metric_are_named_once():
    metric = Metric("clicks", per="views", covariate=("clicks_before", "views"), counts="clicks")
    assert metric.columns == ("clicks", "views", "clicks_before")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"max_worse": 1.0}, "share from 0 up to 1, got 1.0"),
        ({"max_worse": -0.1}, "0.02 allows 2 %"),
        ({"max_worse": "2%"}, "max_worse must be a number, got '2%'"),
        ({"covariate": ("a", "b", "c")}, "covariate names a column or two"),
        ({"per": ["views"]}, "per names a column, got"),
        ({"cap": 99}, "0.99 caps the largest 1 %"),
        ({"better": "more"}, "'higher' or 'lower', got 'more'"),
        ({"per": "revenue"}, "twice, which is 1"),
        ({"covariate": "revenue"}, "column from before the experiment"),
    ],
)
def test_what_makes_no_sense_is_an_error(wrong, words):
    with pytest.raises(InputError, match=words):
        Metric("revenue", **wrong)


def test_an_experiment_asks_something_of_metrics_with_different_names():
    with pytest.raises(InputError, match="needs a success metric or a guardrail"):
        check_metrics([Metric("a", decides=False)])
    with pytest.raises(InputError, match="two metrics are called 'a per visitor'"):
        check_metrics([Metric("a"), Metric("a", max_worse=0.1)])
    with pytest.raises(InputError, match="Metric objects"):
        check_metrics(["revenue"])
