"""The plan: what would count as success, agreed before the work.

One plan for the whole product: it says which KPI decides, what must not get worse, against what
it is compared and what an order is worth. Agreeing on it dates and hashes it; a later change shows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from textwrap import wrap
from typing import Any

from thinslice.domain import KPI_NAMES, MICROSECONDS
from thinslice.errors import InputError
from thinslice.profit.ranges import Range, number

BASELINES = ("incumbent", "popular", "item_to_item")

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


@dataclass(frozen=True, slots=True)
class Plan:
    """What would count as success. Amounts are in units of `currency`, per year where they recur.

    `agreed_us` and `digest` are empty until `agree`; `problem` says when a plan was changed since.
    Raises `InputError` for a value that makes no sense, with what to write instead.
    """

    question: str = "Do recommendations from the running visit sell more than what we show today?"
    kpi: str = "conversion"
    guardrail: str | None = "revenue_per_session"
    max_worse: float = 0.02
    baseline: str = "incumbent"
    currency: str = "EUR"
    click_value: Range = Range(0, 0, 0)
    order_value: Range | None = None
    sessions_per_month: float | None = None
    must_beat: float = 0.0
    fixed_cost: float = 0.0
    agreed_us: int | None = None
    digest: str = ""

    def __post_init__(self) -> None:
        for name, value in _checked(self).items():
            object.__setattr__(self, name, value)

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

    def terms(self) -> dict[str, Any]:
        """What an experiment is read by: kpi, guardrail, max_worse."""
        return {"kpi": self.kpi, "guardrail": self.guardrail, "max_worse": self.max_worse}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and pages, with `agreed` as a date and `problem`."""
        return {
            **self._content(),
            "agreed": self.agreed_on if self.agreed_us is not None else None,
            "agreed_us": self.agreed_us,
            "digest": self.digest,
            "problem": self.problem,
        }

    def to_yaml(self) -> str:
        """The plan as a file that a stakeholder can read, a comment above every field."""
        agreed = _time(self.agreed_us).isoformat() if self.agreed_us is not None else None
        values = {**self._content(), "agreed": agreed, "digest": self.digest or None}
        return "\n".join(_field(name, value) for name, value in values.items())

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
        """Write the plan as YAML."""
        Path(path).write_text(self.to_yaml(), encoding="utf-8")

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

    def _content(self) -> dict[str, Any]:
        content = {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if f.name not in ("agreed_us", "digest")
        }
        return {n: v.to_dict() if isinstance(v, Range) else v for n, v in content.items()}


def _field(name: str, value: Any) -> str:
    import yaml

    comment = "".join(f"# {line}\n" for line in wrap(COMMENTS[name], 95))
    if isinstance(value, dict):
        ends = ", ".join(f"{end}: {_plain(amount)}" for end, amount in value.items())
        return f"{comment}{name}: {{{ends}}}\n"
    return comment + yaml.safe_dump({name: _plain(value)}, allow_unicode=True, width=1000)


def _plain(value: Any) -> Any:
    """50000.0 as a person writes it: 50000."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _checked(plan: Plan) -> dict[str, Any]:
    """The fields that need it, in their proper types."""
    if not isinstance(plan.question, str) or not plan.question.strip():
        raise InputError("question must be a sentence, got nothing; ask what you want to know")
    for field in ("kpi", "guardrail"):
        value = getattr(plan, field)
        if value not in KPI_NAMES and not (field == "guardrail" and value is None):
            raise InputError(_unknown(field, str(value), KPI_NAMES))
    if plan.baseline not in BASELINES and not str(plan.baseline).startswith("list:"):
        raise InputError(_unknown("baseline", str(plan.baseline), (*BASELINES, "list:NAME")))
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
