"""The plan: what would count as success, agreed before the work.

One plan for the whole product. For a shop's lists it says which KPI decides, what must not get
worse and what an order is worth; for a model's predictions what each outcome is worth (`payoff`).
For both: against what it is compared, what it must beat and what it costs. Agreeing on it dates and
hashes it; a later change shows.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from textwrap import wrap
from typing import Any

from thinslice.domain import KPI_NAMES, MICROSECONDS
from thinslice.errors import InputError
from thinslice.profit.columns import vector
from thinslice.profit.payoff import Payoff
from thinslice.profit.ranges import Range, number

BASELINES = ("incumbent", "popular", "item_to_item")
PREDICTION_BASELINES = ("nothing", "all", "random")

COMMENTS = {
    "question": "What do we want to know? One sentence, as you would ask it aloud.",
    "kpi": f"The number that decides. One of: {', '.join(KPI_NAMES)}.",
    "guardrail": "The number that must not get worse, from the same list; null if there is none.",
    "max_worse": "How much worse the guardrail may at most be: 0.02 is 2 %.",
    "baseline": (
        "What it is compared with: incumbent (what the shop shows today), popular (what sells "
        "most), item_to_item, or list:NAME for a list of your own."
    ),
    "currency": "The currency of every amount below, in three letters.",
    "click_value": (
        "What one more click on a list is worth by itself, beyond the orders it leads to: low, "
        "likely, high. Leave it at 0 unless clicks are paid for."
    ),
    "order_value": (
        "What the shop keeps of one order after the cost of goods: low, likely, high. Without it "
        "(null) no money can be stated."
    ),
    "sessions_per_month": (
        "Visits a month in which the list would be shown. null takes it from the experiment."
    ),
    "must_beat": "What it must earn a year, at least, to ship as more than a small win.",
    "fixed_cost": "What building and running it costs a year.",
    "agreed": "When this plan was agreed on; written by thinslice.",
    "digest": "The fingerprint of all of the above, to show later changes; written by thinslice.",
}
"""The line above each field of the file, for whoever reads it."""

PREDICTION_COMMENTS = {
    "payoff": (
        "What each outcome of a prediction is worth: tp acting on a positive, fp acting on a "
        "negative, fn leaving a positive alone, tn leaving a negative alone. Numbers, columns, "
        "arithmetic of columns, or low, likely, high. Money in is positive."
    ),
    "threshold": (
        "Act on scores of at least this; 'expected payoff' decides row by row from probabilities; "
        "null tunes the threshold on other rows than it is judged on."
    ),
    "capacity": "The most rows that can be acted on, of rows like those evaluated; null is any.",
    "per_year": "How many times a year such a set of rows is decided on; 12 for a month of rows.",
    "discount": (
        "How much less money in a year is worth than money today: 0.08 is 8 %. A year's money "
        "comes half a year from now on average; the fixed cost is paid today."
    ),
}
"""The same for the fields that only predictions need; a file has them when it has a payoff."""

BASELINE_OF_PREDICTIONS = (
    "What it is compared with: nothing, all, random, or column:NAME for a column of the decisions "
    "or scores of what runs today."
)

SHOP_ONLY = "kpi guardrail max_worse click_value order_value sessions_per_month".split()
EXPECTED = "expected payoff"
SHOP_QUESTION = "Do recommendations from the running visit sell more than what we show today?"
PREDICTION_QUESTION = "Does acting on the model's predictions earn more than the baseline?"


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What would count as success. Amounts are in units of `currency`, per year where they recur.

    With a `payoff` it is a plan for predictions, and `baseline` is "nothing" unless stated: or
    "all", "random", "column:NAME", decisions, scores, or a fitted model. `agreed_us` and `digest`
    are empty until `agree`; `problem` says when a plan was changed since. Raises `InputError` for a
    value that makes no sense, with what to write instead.
    """

    payoff: Payoff | None = None
    question: str = SHOP_QUESTION
    kpi: str = "conversion"
    guardrail: str | None = "revenue_per_session"
    max_worse: float = 0.02
    baseline: Any = ""
    currency: str = ""
    click_value: Range = Range(0, 0, 0)
    order_value: Range | None = None
    sessions_per_month: float | None = None
    must_beat: float = 0.0
    fixed_cost: float = 0.0
    threshold: float | str | None = None
    capacity: float | None = None
    per_year: float = 1.0
    discount: float = 0.0
    agreed_us: int | None = None
    digest: str = ""

    def __post_init__(self) -> None:
        for name, value in {**_defaults(self), **_checked_payoff(self)}.items():
            object.__setattr__(self, name, value)
        for name, value in _checked(self).items():
            object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.fingerprint(), self.agreed_us, self.digest))

    # agreeing

    def agree(self, now_us: int) -> Plan:
        """The same plan, dated and hashed."""
        return replace(self, agreed_us=now_us, digest=self.fingerprint())

    def fingerprint(self) -> str:
        """SHA-256 of the content without its date: the same for equal plans, however written."""
        text = json.dumps(self._content(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def agreed_on(self) -> str:
        """The date of the agreement in UTC, "not agreed yet" without one."""
        if self.agreed_us is None:
            return "not agreed yet"
        return _time(self.agreed_us).date().isoformat()

    @property
    def problem(self) -> str | None:
        """A sentence when the content is not what was agreed on; None when all is well."""
        if self.digest and self.digest != self.fingerprint():
            return f"This plan was changed after it was agreed on {self.agreed_on}."
        return None

    # handing on

    def yearly(self) -> float:
        """What the money of one set of rows is multiplied with for a year.

        A year's money comes half a year from now on average (the mid-year convention), so a yearly
        discount d divides it by the square root of 1 + d.
        """
        return float(self.per_year / math.sqrt(1 + self.discount))

    def terms(self) -> dict[str, Any]:
        """What an experiment is read by: kpi, guardrail, max_worse."""
        return {"kpi": self.kpi, "guardrail": self.guardrail, "max_worse": self.max_worse}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and pages, with `agreed` as a date and `problem`."""
        return {
            **self._content(whole=True),
            "agreed": self.agreed_on if self.agreed_us is not None else None,
            "agreed_us": self.agreed_us,
            "digest": self.digest,
            "problem": self.problem,
        }

    def to_yaml(self) -> str:
        """The plan as a file that a stakeholder can read, a comment above every field."""
        if not isinstance(self.baseline, str):
            raise InputError(
                "a baseline given as values is not kept in a plan's file; put its decisions or "
                "scores in a column and say baseline='column:NAME'"
            )
        agreed = _time(self.agreed_us).isoformat() if self.agreed_us is not None else None
        values = {**self._content(), "agreed": agreed, "digest": self.digest or None}
        words = {**COMMENTS, **PREDICTION_COMMENTS}
        if self.payoff is not None:
            words["baseline"] = BASELINE_OF_PREDICTIONS
        return "\n".join(_field(name, value, words[name]) for name, value in values.items())

    @classmethod
    def from_yaml(cls, text: str) -> Plan:
        """Read a plan; fields left out keep their defaults.

        Raises `InputError` for text that is no YAML, an unknown field (with the closest name) or a
        value that makes no sense.
        """
        import yaml

        try:
            found = yaml.safe_load(text) or {}
        except yaml.YAMLError as error:
            raise InputError(f"a plan is a YAML file with one field per line: {error}") from None
        if not isinstance(found, Mapping):
            raise InputError(f"a plan has fields such as 'kpi: conversion', got {found!r}")
        known = [*(f.name for f in fields(cls) if f.name != "agreed_us"), "agreed"]
        for name in found:
            if name not in known:
                raise InputError(_unknown("field", str(name), known))
        values = {name: value for name, value in found.items() if name != "agreed"}
        values["digest"] = values.get("digest") or ""
        return cls(**values, agreed_us=_agreed_us(found.get("agreed")))

    def save(self, path: Path | str) -> None:
        """Write the plan as YAML; `InputError` says why it cannot be written there."""
        try:
            Path(path).write_text(self.to_yaml(), encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot write the plan {path}: {error}") from None

    @classmethod
    def load(cls, path: Path | str) -> Plan:
        """Read a plan from a file; `InputError` says what is wrong with it."""
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read the plan {path}: {error}") from None
        try:
            return cls.from_yaml(text)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    def _content(self, whole: bool = False) -> dict[str, Any]:
        """What the fingerprint covers: only what this kind of plan is about, unless `whole`."""
        predicts = self.payoff is not None
        content: dict[str, Any] = {}
        for field in fields(self):
            name, value = field.name, getattr(self, field.name)
            if name in ("agreed_us", "digest") or (name in PREDICTION_COMMENTS and not predicts):
                continue
            if predicts and not whole and name in SHOP_ONLY and value == field.default:
                continue
            content[name] = _as_kept(value)
        return content


def _as_kept(value: Any) -> Any:
    if isinstance(value, Range | Payoff):
        return value.to_dict()
    if value is None or isinstance(value, str | int | float):
        return value
    if hasattr(value, "predict"):
        return f"the model {type(value).__name__}"
    data = vector(value, "baseline")
    text = json.dumps([str(x) for x in data.tolist()])
    return f"{len(data)} values, SHA-256 {hashlib.sha256(text.encode()).hexdigest()}"


def _field(name: str, value: Any, words: str) -> str:
    import yaml

    comment = "".join(f"# {line}\n" for line in wrap(words, 95))
    if name == "payoff":
        return comment + yaml.safe_dump(
            {name: value}, allow_unicode=True, sort_keys=False, default_flow_style=None, width=1000
        )
    if isinstance(value, dict):
        ends = ", ".join(f"{end}: {_plain(amount)}" for end, amount in value.items())
        return f"{comment}{name}: {{{ends}}}\n"
    return comment + yaml.safe_dump({name: _plain(value)}, allow_unicode=True, width=1000)


def _plain(value: Any) -> Any:
    """50000.0 as a person writes it: 50000."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _defaults(plan: Plan) -> dict[str, Any]:
    """What is left open and depends on the kind of plan."""
    predicts = plan.payoff is not None
    found: dict[str, Any] = {}
    if predicts and plan.question == SHOP_QUESTION:
        found["question"] = PREDICTION_QUESTION
    if isinstance(plan.baseline, str) and plan.baseline == "":
        found["baseline"] = "nothing" if predicts else "incumbent"
    if plan.currency == "":
        found["currency"] = getattr(plan.payoff, "currency", "EUR")
    return found


def _checked_payoff(plan: Plan) -> dict[str, Any]:
    """The fields of a plan for predictions, in their proper types."""
    payoff = plan.payoff
    if isinstance(payoff, Mapping):
        payoff = Payoff.from_dict(payoff)
    if payoff is None:
        for name in PREDICTION_COMMENTS:
            if getattr(plan, name) != Plan.__dataclass_fields__[name].default:
                raise InputError(
                    f"{name} is for predictions; say what their outcomes are worth as payoff"
                )
        return {}
    if not isinstance(payoff, Payoff):
        raise InputError(f"payoff is a Payoff, got {payoff!r}; write Payoff(tp=..., fp=...)")
    if plan.currency and plan.currency.upper() != payoff.currency:
        raise InputError(
            f"the plan is in {plan.currency} and its payoff in {payoff.currency}; name one currency"
        )
    found: dict[str, Any] = {"payoff": payoff, "currency": payoff.currency}
    for name in ("per_year", "discount"):
        found[name] = _amount(getattr(plan, name), name)
    if not found["per_year"]:
        raise InputError("per_year must be above 0; 12 for a month of rows, 1 for a year of them")
    if plan.capacity is not None:
        found["capacity"] = _amount(plan.capacity, "capacity")
    if plan.threshold is not None and plan.threshold != EXPECTED:
        if isinstance(plan.threshold, str):
            raise InputError(
                f"threshold is a number or {EXPECTED!r}, got {plan.threshold!r}; leave it out to "
                "tune it"
            )
        found["threshold"] = number(plan.threshold, "threshold")
    return found


def _checked(plan: Plan) -> dict[str, Any]:
    """The fields that need it, in their proper types."""
    if not isinstance(plan.question, str) or not plan.question.strip():
        raise InputError("question must be a sentence, got nothing; ask what you want to know")
    for field in ("kpi", "guardrail"):
        value = getattr(plan, field)
        if value not in KPI_NAMES and not (field == "guardrail" and value is None):
            raise InputError(_unknown(field, str(value), KPI_NAMES))
    if isinstance(plan.baseline, str):
        _check_baseline(plan.baseline, predicts=plan.payoff is not None)
    code = plan.currency
    if not (isinstance(code, str) and len(code) == 3 and code.isalpha() and code.isascii()):
        raise InputError(f"currency is three letters such as EUR, got {code!r}")
    max_worse = number(plan.max_worse, "max_worse")
    if not 0 <= max_worse < 1:
        raise InputError(
            f"max_worse is a share from 0 up to 1, got {max_worse:g}; 2 % is written 0.02"
        )
    return {
        "currency": code.upper(),
        "max_worse": max_worse,
        "click_value": _payoff(plan.click_value, "click_value"),
        "order_value": _payoff(plan.order_value, "order_value")
        if plan.order_value is not None
        else None,
        "sessions_per_month": (
            _amount(plan.sessions_per_month, "sessions_per_month")
            if plan.sessions_per_month is not None
            else None
        ),
        "must_beat": _amount(plan.must_beat, "must_beat"),
        "fixed_cost": _amount(plan.fixed_cost, "fixed_cost"),
    }


def _check_baseline(baseline: str, *, predicts: bool) -> None:
    known = PREDICTION_BASELINES if predicts else BASELINES
    prefix = "column:" if predicts else "list:"
    if baseline not in known and not baseline.startswith(prefix):
        raise InputError(_unknown("baseline", baseline, (*known, f"{prefix}NAME")))


def _payoff(value: Any, name: str) -> Range:
    try:
        payoff = Range.of(value)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    _amount(payoff.low, f"{name}: low")
    return payoff


def _amount(value: Any, name: str) -> float:
    amount = number(value, name)
    if amount < 0:
        raise InputError(
            f"{name} must be at least 0, got {amount:g}; costs are written as they are"
        )
    return amount


def _unknown(what: str, name: str, known: tuple[str, ...] | list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"no {what} of a plan is called {name!r}; {hint}There are: {', '.join(known)}"


def _agreed_us(value: Any) -> int | None:
    """YAML gives an unquoted time as datetime and a quoted one as text."""
    if value is None or value == "":
        return None
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise InputError(
            f"agreed is written by thinslice, like 2026-03-01T12:00:00+00:00, got {value!r}; "
            "leave it empty and agree again"
        ) from None
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    since = time - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * MICROSECONDS + since.microseconds


def _time(us: int) -> datetime:
    return datetime.fromtimestamp(us // MICROSECONDS, UTC).replace(microsecond=us % MICROSECONDS)
