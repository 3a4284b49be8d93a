"""The plan: what would count as success, agreed before the work.

One plan for the whole product. For a shop's lists it says which KPI decides, what must not get
worse and what an order is worth; for a model's predictions what each outcome is worth (`payoff`).
For both: against what it is compared, what it must beat and what it costs. Agreeing on it dates and
hashes it; a later change shows. Its file is `plan_file.py`, what a field may be `plan_fields.py`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from thinslice.domain import MICROSECONDS
from thinslice.errors import InputError
from thinslice.profit.payoff.payoff import Payoff
from thinslice.profit.payoff.ranges import Range
from thinslice.profit.plan.fields import (
    EXPECTED,
    PREDICTION_ONLY,
    SHOP_ONLY,
    SHOP_QUESTION,
    guarded,
    settled,
    unknown,
)
from thinslice.profit.plan.file import COMMENTS, PREDICTION_COMMENTS, read_fields, written
from thinslice.profit.rows.columns import vector

__all__ = ["COMMENTS", "EXPECTED", "PREDICTION_COMMENTS", "Plan"]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What would count as success. Amounts are in units of `currency`, per year where they recur.

    `guardrails` are the KPIs that must not get worse, each with how much worse it may at most be
    (0.02 is 2 %). With a `payoff` it is a plan for predictions, and `baseline` is "nothing" unless
    stated: or "all", "random", "column:NAME", decisions, scores, or a fitted model. `constraints`
    such as "precision >= 0.3" are kept whatever it earns. `agreed_us` and `digest` are empty until
    `agree`; `problem` says when a plan was changed since. Raises `InputError` for a value that
    makes no sense, with what to write instead.
    """

    payoff: Payoff | None = None
    question: str = SHOP_QUESTION
    kpi: str = "conversion"
    guardrails: Mapping[str, float] | None = None
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
    constraints: Sequence[str] = ()
    agreed_us: int | None = None
    digest: str = ""

    def __new__(cls, *args: Any, **given: Any) -> Plan:
        """A field that is misspelt is told with the closest name, as in a file."""
        known = [field.name for field in fields(cls)]
        for name in given:
            if name not in known:
                raise InputError(unknown("field", name, known))
        return object.__new__(cls)

    def __post_init__(self) -> None:
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        defaults = {field.name: field.default for field in fields(self)}
        stated = [name for name in PREDICTION_ONLY if given[name] != defaults[name]]
        for name, value in settled(given, stated).items():
            object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.fingerprint(), self.agreed_us, self.digest))

    # agreeing

    def agree(self, now_us: int) -> Plan:
        """The same plan, dated and hashed; `InputError` while nothing says what success is worth.

        That is a payoff, what an order is worth, or what a click is worth.
        """
        if self.payoff is None and self.order_value is None and not self.click_value.high:
            raise InputError(
                "nobody can agree on a plan without money; fill in order_value, what the shop "
                "keeps of one order, such as order_value: {low: 8, likely: 12, high: 18} (a wide "
                "guess will do)"
            )
        return replace(self, agreed_us=now_us, digest=self.fingerprint())

    def fingerprint(self) -> str:
        """SHA-256 of the content without its date: the same for equal plans, however written."""
        content = _in_first_words(self._content())
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
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
        if bool(self.digest) != (self.agreed_us is not None):
            there, gone = ("fingerprint", "date") if self.digest else ("date", "fingerprint")
            return f"This plan has a {there} and no {gone}, so it was changed; agree on it again."
        return None

    # handing on

    def yearly(self) -> float:
        """What the money of one set of rows is multiplied with for a year.

        A year's money comes half a year from now on average (the mid-year convention), so a yearly
        discount d divides it by the square root of 1 + d.
        """
        return float(self.per_year / math.sqrt(1 + self.discount))

    def terms(self) -> dict[str, Any]:
        """What an experiment is read by: kpi, and guardrails as name and how much worse at most."""
        return {"kpi": self.kpi, "guardrails": dict(self.guardrails or {})}

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
        return written(values, predicts=self.payoff is not None)

    @classmethod
    def from_yaml(cls, text: str) -> Plan:
        """Read a plan; fields left out keep their defaults.

        Raises `InputError` for text that is no YAML, a field that is unknown (with the closest
        name) or stands there twice, or a value that makes no sense.
        """
        found = read_fields(text)
        known = [*(f.name for f in fields(cls) if f.name != "agreed_us"), "agreed"]
        for name in found:
            if name not in known:
                raise InputError(unknown("field", str(name), known))
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
            if name in ("agreed_us", "digest"):
                continue
            if name in PREDICTION_ONLY and not predicts and not whole:
                continue
            if name == "constraints" and not value and not whole:
                continue
            usual = guarded(None, self.kpi) if name == "guardrails" else field.default
            if predicts and not whole and name in SHOP_ONLY and value == usual:
                continue
            content[name] = _as_kept(value)
        return content


def _as_kept(value: Any) -> Any:
    if isinstance(value, Range | Payoff):
        return value.to_dict()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return list(value)
    if value is None or isinstance(value, str | int | float):
        return value
    if hasattr(value, "predict"):
        return f"the model {type(value).__name__}"
    rows = value if isinstance(value, list) else vector(value, "baseline").tolist()
    text = json.dumps([str(x) for x in rows])
    return f"{len(rows)} values, SHA-256 {hashlib.sha256(text.encode()).hexdigest()}"


def _in_first_words(content: dict[str, Any]) -> dict[str, Any]:
    """At most one guardrail is hashed as in the first plans, so that theirs still hold."""
    guardrails = content.get("guardrails")
    if guardrails is None or len(guardrails) > 1:
        return content
    name, max_worse = next(iter(guardrails.items()), (None, 0.02))
    rest = {field: value for field, value in content.items() if field != "guardrails"}
    return {**rest, "guardrail": name, "max_worse": max_worse}


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
