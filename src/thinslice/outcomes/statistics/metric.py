"""A metric: what is summed over what, which way is better, and what it is asked to show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from thinslice.errors import InputError
from thinslice.outcomes.statistics.moments import Estimate, Moments, ratio

Better = Literal["higher", "lower"]
Unit = Literal["share", "money", "number"]

VISITOR = "visitor"
"""`per` of a figure per visitor."""


@dataclass(frozen=True, slots=True)
class Metric:
    """The sum of one column over the sum of another, or per visitor, and what is asked of it.

    What is asked follows Spotify's rule (`decision.py`):

    - With `max_worse` it is a guardrail: worse by more than that share must be ruled out.
    - Without, it is a success metric: shipping needs at least one of them to be clearly better.
    - `decides=True` makes a guardrail a success metric as well; `decides=False` makes a metric
      neither. It is then only watched: where it clearly deteriorates, shipping waits. With
      `holds_back=False` it is only shown.

    numerator   the column that is summed
    per         the column by whose sum it is divided; "visitor" (or None) counts visitors
    cap         the quantile at which a visitor's value is capped, such as 0.99
    covariate   a column known before the experiment, or two of which the first is divided by the
                second, to take out noise (CUPED). One that was measured after the first exposure
                would take out the effect as well
    may_be_negative  whether a row may be below 0, such as a margin or a refund; else it is an error
    counts      the column that says how much there is to go by: below ten in both variants
                together nothing is concluded
    name        how it is asked for; "clicks per views" unless stated
    label       how it is called in a sentence
    definition  the formula with its edge cases, in words

    Raises `InputError` for a `max_worse`, a `cap` or a `better` that makes no sense.
    """

    numerator: str
    per: str | None = VISITOR
    better: Better = "higher"
    max_worse: float | None = None
    cap: float | None = None
    covariate: str | tuple[str, str] | None = None
    may_be_negative: bool = False
    unit: Unit = "number"
    decides: bool | None = None
    holds_back: bool = True
    counts: str | None = None
    name: str = ""
    label: str = ""
    definition: str = ""

    def __post_init__(self) -> None:
        _check(self)
        if self.per == VISITOR:
            object.__setattr__(self, "per", None)
        if isinstance(self.covariate, list):
            object.__setattr__(self, "covariate", tuple(self.covariate))
        over = self.per or VISITOR
        words = self.numerator.replace("_", " ")
        defaults = {
            "name": f"{self.numerator} per {over}",
            "label": f"{words} per {over.replace('_', ' ')}".capitalize(),
            "definition": f"Sum of {self.numerator} / {f'sum of {over}' if self.per else over}.",
        }
        for field, value in defaults.items():
            if not getattr(self, field):
                object.__setattr__(self, field, value)

    @property
    def is_guardrail(self) -> bool:
        return self.max_worse is not None

    @property
    def is_success(self) -> bool:
        return self.max_worse is None if self.decides is None else self.decides

    @property
    def is_watched(self) -> bool:
        """Neither success metric nor guardrail, and yet its deterioration holds shipping back."""
        return self.holds_back and not self.is_success and not self.is_guardrail

    @property
    def sign(self) -> int:
        """1 when higher is better, -1 when lower is."""
        return 1 if self.better == "higher" else -1

    @property
    def verb(self) -> str:
        """What follows the label in a sentence.

        >>> Metric("clicks", per="views").verb, Metric("gross").verb, Metric("revenue").verb
        ('are', 'is', 'is')
        """
        subject = re.split(r",| (?:per|of|by|at|in|with|after|on|for|from) ", self.label)[0]
        return "are" if re.search(r"[^aisu]s$", subject) else "is"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it is computed from, each once."""
        before = self.before if self.covariate else ()
        named = (self.numerator, self.per, *before, self.counts)
        return tuple(dict.fromkeys(name for name in named if name))

    @property
    def figure(self) -> tuple[str, str | None]:
        """Numerator and denominator; the denominator is None for a figure per visitor."""
        return self.numerator, self.per

    @property
    def before(self) -> tuple[str, str | None]:
        """The same of the covariate; only for a metric that has one."""
        assert self.covariate is not None
        return (self.covariate, None) if isinstance(self.covariate, str) else self.covariate

    def estimate(self, moments: Moments) -> Estimate:
        """The figure over these visitors; nan when the denominator sums to 0."""
        return ratio(moments, *self.figure)


def asked(metric: Metric) -> str:
    """What a metric is asked to show, in words.

    >>> asked(Metric("bounced", max_worse=0.02)), asked(Metric("revenue"))
    ('at most 2% worse', 'better')
    """
    parts = ["better"] if metric.is_success else []
    if metric.max_worse is not None:
        parts.append(f"at most {100 * metric.max_worse:.3g}% worse")
    return " and ".join(parts) or ("not worse" if metric.is_watched else "nothing")


def check_metrics(metrics: Metric | Sequence[Metric]) -> tuple[Metric, ...]:
    """The metrics of an experiment; `InputError` unless something is asked, by different names."""
    found = (metrics,) if isinstance(metrics, Metric) else tuple(metrics or ())
    if not all(isinstance(metric, Metric) for metric in found):
        raise InputError(f'metrics are Metric objects such as Metric("revenue"), got {found!r}')
    names = [metric.name for metric in found]
    if not any(metric.is_success or metric.is_guardrail for metric in found):
        raise InputError(
            "an experiment needs a success metric or a guardrail, got "
            f"{', '.join(names) or 'no metric'}; write metrics=[Metric('revenue')]"
        )
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"two metrics are called {name!r}; give one another name, or write one metric "
                "with decides=True and max_worse where both is meant"
            )
    return found


def with_unit(metric: Metric, arms: Iterable[Moments]) -> Metric:
    """A figure per visitor that is 0 or 1 for each of them is a share."""
    if metric.unit != "number" or metric.per is not None:
        return metric
    name = metric.numerator
    zero_or_one = all(sums.product(name, name) == sums.total(name) for sums in arms)
    return replace(metric, unit="share") if zero_or_one else metric


def _check(metric: Metric) -> None:
    _check_columns(metric)
    if metric.per == metric.numerator:
        raise InputError(f"a metric divides two columns, got {metric.per!r} twice, which is 1")
    if metric.covariate and metric.covariate in (metric.numerator, metric.per):
        raise InputError(
            f"the covariate of {metric.numerator!r} is a column from before the experiment, got "
            f"{metric.covariate!r}, which is what the metric measures"
        )
    if metric.better not in ("higher", "lower"):
        raise InputError(f"better is 'higher' or 'lower', got {metric.better!r}")
    if metric.max_worse is not None:
        check_max_worse(metric.max_worse)
    if metric.cap is not None and not 0 < number(metric.cap, "cap") < 1:
        raise InputError(
            f"a cap is a quantile between 0 and 1, got {metric.cap!r} for {metric.numerator!r}; "
            "0.99 caps the largest 1 % of visitors"
        )


def _check_columns(metric: Metric) -> None:
    before = metric.covariate if isinstance(metric.covariate, tuple) else (metric.covariate,)
    named = {"numerator": (metric.numerator,), "per": (metric.per,), "covariate": before}
    for field, names in named.items():
        absent = names == (None,) and field != "numerator"
        if absent or (len(names) <= 2 and all(name and isinstance(name, str) for name in names)):
            continue
        raise InputError(
            f"{field} names a column{' or two' if field == 'covariate' else ''}, got "
            f'{names if len(names) > 1 else names[0]!r}; write Metric("clicks", per="views")'
        )


def number(value: Any, what: str) -> float:
    """The value as a float; `InputError` where it is none."""
    if isinstance(value, bool | str) or not hasattr(value, "__float__"):
        raise InputError(f"{what} must be a number, got {value!r}")
    return float(value)


def check_max_worse(max_worse: float) -> None:
    """`InputError` unless it is a share from 0 up to 1."""
    if not 0 <= number(max_worse, "max_worse") < 1:
        raise InputError(
            f"max_worse is a share from 0 up to 1, got {max_worse}; 0.02 allows 2 % worse"
        )
