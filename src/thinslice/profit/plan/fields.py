"""What each field of a plan may be, and what it is when it is left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from thinslice.domain import KPI_NAMES
from thinslice.errors import InputError
from thinslice.profit.payoff.payoff import Payoff
from thinslice.profit.payoff.ranges import Range, number
from thinslice.profit.plan.constraints import Constraint
from thinslice.profit.rows.lists import rows_of

SHOP_ONLY = "kpi guardrails click_value order_value sessions_per_month".split()
PREDICTION_ONLY = "payoff threshold capacity per_year discount constraints".split()
BASELINES = ("incumbent", "popular", "item_to_item")
PREDICTION_BASELINES = ("nothing", "all", "random")
LIST_BASELINES = ("popular", "nothing", "random")
EXPECTED = "expected payoff"
SHOP_QUESTION = "Do recommendations from the running visit sell more than what we show today?"
PREDICTION_QUESTION = "Does acting on the model's predictions earn more than the baseline?"
LIST_QUESTION = "Do these lists hold more of what people go on to choose than the baseline's?"
USUAL_MAX_WORSE = 0.02


def settled(given: Mapping[str, Any], stated: Collection[str]) -> dict[str, Any]:
    """Every field that needs it, in its proper type; `InputError` says what to write instead.

    `given` has all fields by name; `stated` are those for predictions that were not left out.
    """
    payoff = _payoff(given["payoff"], stated)
    question = given["question"]
    if payoff is not None and question == SHOP_QUESTION:
        question = LIST_QUESTION if payoff.ranks else PREDICTION_QUESTION
    if not isinstance(question, str) or not question.strip():
        raise InputError("question must be a sentence, got nothing; ask what you want to know")
    if given["kpi"] not in KPI_NAMES:
        raise InputError(unknown("kpi", str(given["kpi"]), KPI_NAMES))
    order, sessions = given["order_value"], given["sessions_per_month"]
    return {
        "payoff": payoff,
        "question": question,
        "guardrails": guarded(given["guardrails"], given["kpi"]),
        "baseline": _baseline(given["baseline"], payoff),
        "currency": _currency(given["currency"], payoff),
        "click_value": _value(given["click_value"], "click_value"),
        "order_value": None if order is None else _value(order, "order_value"),
        "sessions_per_month": None if sessions is None else _amount(sessions, "sessions_per_month"),
        "must_beat": _amount(given["must_beat"], "must_beat"),
        "fixed_cost": _amount(given["fixed_cost"], "fixed_cost"),
        **(_of_predictions(given, payoff) if payoff is not None else {}),
    }


def guarded(guardrails: Any, kpi: str) -> dict[str, float]:
    """The KPIs that must not get worse and by how much they may.

    Left out, it is the revenue per session by 2 %, or the conversion where that one decides.
    """
    if guardrails is None:
        usual = "revenue_per_session"
        return {usual if kpi != usual else "conversion": USUAL_MAX_WORSE}
    if not isinstance(guardrails, Mapping):
        raise InputError(
            "guardrails are KPIs and how much worse each may be, such as {bounce_rate: 0.05}; "
            f"got {guardrails!r}"
        )
    found = {}
    for name, share in guardrails.items():
        if name not in KPI_NAMES:
            raise InputError(unknown("guardrail", str(name), KPI_NAMES))
        if name == kpi:
            raise InputError(
                f"{kpi} decides, so it is no guardrail as well; name another number that must not "
                "get worse, or none: guardrails: {}"
            )
        found[name] = number(share, f"guardrails: {name}")
        if not 0 <= found[name] < 1:
            raise InputError(
                f"guardrails: how much worse {name} may be is a share from 0 up to 1, got "
                f"{found[name]:g}; 2 % is written 0.02"
            )
    return found


def unknown(what: str, name: str, known: Sequence[str]) -> str:
    """The sentence for a name that is none of those there are, with the closest."""
    close = get_close_matches(name, known, n=1) or [each for each in known if name and name in each]
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"no {what} of a plan is called {name!r}; {hint}There are: {', '.join(known)}"


def _payoff(given: Any, stated: Collection[str]) -> Payoff | None:
    if given is None:
        for name in stated:
            raise InputError(
                f"{name} is for predictions; say what their outcomes are worth as payoff"
            )
        return None
    payoff = Payoff.from_dict(given) if isinstance(given, Mapping) else given
    if not isinstance(payoff, Payoff):
        raise InputError(f"payoff is a Payoff, got {payoff!r}; write Payoff(tp=..., fp=...)")
    return payoff


def _baseline(baseline: Any, payoff: Payoff | None) -> Any:
    baseline = "" if baseline is None else baseline
    if not isinstance(baseline, str):
        return rows_of(baseline, "baseline") if payoff is not None and payoff.ranks else baseline
    predicts = payoff is not None
    if payoff is not None and payoff.ranks:
        if baseline and baseline not in LIST_BASELINES:
            raise InputError(unknown("baseline", baseline, LIST_BASELINES))
        return baseline or "popular"
    if baseline == "":
        return "nothing" if predicts else "incumbent"
    known = PREDICTION_BASELINES if predicts else BASELINES
    prefix = "column:" if predicts else "list:"
    if baseline not in known and not baseline.startswith(prefix):
        raise InputError(unknown("baseline", baseline, (*known, f"{prefix}NAME")))
    return baseline


def _currency(code: Any, payoff: Payoff | None) -> str:
    if code == "":
        return payoff.currency if payoff is not None else "EUR"
    if not (isinstance(code, str) and len(code) == 3 and code.isalpha() and code.isascii()):
        raise InputError(f"currency is three letters such as EUR, got {code!r}")
    if payoff is not None and code.upper() != payoff.currency:
        raise InputError(
            f"the plan is in {code} and its payoff in {payoff.currency}; name one currency"
        )
    return code.upper()


def _of_predictions(given: Mapping[str, Any], payoff: Payoff) -> dict[str, Any]:
    found: dict[str, Any] = {name: _amount(given[name], name) for name in ("per_year", "discount")}
    if not found["per_year"]:
        raise InputError("per_year must be above 0; 12 for a month of rows, 1 for a year of them")
    if found["discount"] >= 1:
        raise InputError(
            f"discount is a share below 1, got {found['discount']:g}; 8 % is written 0.08"
        )
    found["constraints"] = _constraints(given["constraints"], payoff)
    if given["capacity"] is not None:
        found["capacity"] = _amount(given["capacity"], "capacity")
        if payoff.ranks and not (found["capacity"] >= 1 and found["capacity"].is_integer()):
            raise InputError(
                "capacity is how many items of a list count, a whole number from 1 on; got "
                f"{found['capacity']:g}"
            )
        if 0 < found["capacity"] < 1:
            raise InputError(
                f"capacity is a number of rows, such as 100, got {found['capacity']:g}; for a "
                "share write it as a condition: constraints: [share_acted <= "
                f"{found['capacity']:g}]"
            )
    threshold = given["threshold"]
    if threshold is not None and payoff.ranks:
        raise InputError("lists have no threshold; capacity says how many items of a list count")
    if threshold is not None and threshold != EXPECTED:
        if isinstance(threshold, str):
            raise InputError(
                f"threshold is a number or {EXPECTED!r}, got {threshold!r}; leave it out to tune it"
            )
        found["threshold"] = number(threshold, "threshold")
    return found


def _constraints(given: Any, payoff: Payoff) -> tuple[str, ...]:
    """Each in its plain form; `InputError` where there is nothing they could be about."""
    if given is None or given == () or given == []:
        return ()
    if not isinstance(given, str | list | tuple):
        raise InputError(f"constraints are a list such as ['precision >= 0.3'], got {given!r}")
    if payoff.ranks or payoff.classes > 2:
        raise InputError("constraints are for two classes; leave them out of this plan")
    rows = [given] if isinstance(given, str) else list(given)
    return tuple(str(Constraint.parse(each)) for each in rows)


def _value(value: Any, name: str) -> Range:
    try:
        found = Range.of(value)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    _amount(found.low, f"{name}: low")
    return found


def _amount(value: Any, name: str) -> float:
    amount = number(value, name)
    if amount < 0:
        raise InputError(
            f"{name} must be at least 0, got {amount:g}; costs are written as they are"
        )
    return amount
