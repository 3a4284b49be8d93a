"""Is it worth shipping? An experiment's effect in, money with a range and a verdict out.

The judgement of past sessions, which never has money, is `judge_offline` in `offline.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thinslice.domain import Verdict, two_significant
from thinslice.profit.experiments.gain import (
    DRAWS,
    MONTHS,
    Effect,
    Gain,
    gain_per_year,
    more_visitors,
)
from thinslice.profit.experiments.judgement import Judgement
from thinslice.profit.experiments.offline import judge_offline
from thinslice.profit.money import say
from thinslice.profit.plan.plan import Plan

__all__ = ["Judgement", "judge_experiment", "judge_offline"]

DAYS_PER_MONTH = 30.4375
SEED = 0


def judge_experiment(readout: Mapping[str, Any], plan: Plan | None = None) -> Judgement:
    """An experiment's effect as money with a range, and the verdict by the plan's kill rule.

    `readout` is the dictionary of a readout. Extra orders per session (the absolute difference in
    conversion, with its uncertainty) times what an order is worth times the sessions of a month,
    less the fixed cost. Stop when the likely gain is below 0 (while it runs and proves nothing,
    when the high end is: half of all harmless ones look like a loss at first); ship when the low
    end is above 0 and the likely gain reaches `must_beat`; a small win below that; else not proven.
    A broken split, a broken guardrail or an experiment that proves nothing is never overruled by
    money. What being wrong would cost either way stands beside it.
    """
    agreed = plan or Plan()
    notes = [agreed.problem] if agreed.problem else []
    verdict = Verdict(readout["verdict"]) if readout["verdict"] else None
    if verdict is None:
        sentence = "No verdict can be given yet, and so no money."
        return Judgement(None, sentence, (str(readout["reason"]), *notes))
    sessions, source = _sessions_per_month(readout, agreed)
    missing = _no_money(readout, plan, agreed, sessions)
    if missing:
        word = f"{verdict.value[0].upper()}{verdict.value[1:]}"
        sentence = f"{word}. No money can be stated: {missing}"
        return Judgement(verdict, sentence, (str(readout["reason"]), missing, *notes))
    effects = _effects(readout, agreed)
    gain = gain_per_year(effects, sessions, agreed.fixed_cost, seed=SEED)
    final, why = _kill_rule(verdict, gain, readout, agreed, sessions)
    return Judgement(
        final,
        _headline(str(readout["treatment"]), gain, agreed.currency, final),
        (*why, *_wrong(gain, agreed.currency), *_assumptions(readout, source, sessions), *notes),
        _money(gain, effects[0], agreed, sessions, source),
    )


def _no_money(
    readout: Mapping[str, Any], plan: Plan | None, agreed: Plan, sessions: float
) -> str | None:
    if not sum(variant["orders"] for variant in readout["variants"]):
        return "there are no purchases in the log."
    if plan is None:
        return "no plan is agreed, so nothing says what an order is worth."
    if agreed.order_value is None:
        return "the plan does not say what an order is worth (order_value)."
    if agreed.currency != readout["currency"]:
        return f"the plan is in {agreed.currency} and the shop in {readout['currency']}."
    if _row(readout, "conversion")["change"] == "unknown":
        return "there are too few orders."
    if not sessions:
        return (
            "the experiment covers less than a day and the plan does not give the sessions of a "
            "month (sessions_per_month)."
        )
    return None


def _sessions_per_month(readout: Mapping[str, Any], plan: Plan) -> tuple[float, str]:
    """From the plan, else what the experiment saw, scaled to all visitors and a month.

    `traffic_days` are the days, each counted by the share of the visitors that took part.
    """
    if plan.sessions_per_month is not None:
        return plan.sessions_per_month, "plan"
    days = readout["period"]["days"]
    full_days = readout["period"].get("traffic_days", days)
    share = sum(variant["weight"] for variant in readout["variants"])
    seen = sum(variant["sessions"] for variant in readout["variants"])
    per_day = seen / share / full_days if days >= 1 and full_days else 0.0
    return per_day * DAYS_PER_MONTH, "experiment"


def _effects(readout: Mapping[str, Any], plan: Plan) -> list[Effect]:
    assert plan.order_value is not None
    effects = [Effect.from_interval(_row(readout, "conversion")["absolute"], plan.order_value)]
    clicks = _row(readout, "clicks_per_session")["absolute"]
    if plan.click_value.high > 0 and clicks["low"] is not None:
        effects.append(Effect.from_interval(clicks, plan.click_value))
    return effects


def _kill_rule(
    verdict: Verdict, gain: Gain, readout: Mapping[str, Any], plan: Plan, sessions: float
) -> tuple[Verdict, list[str]]:
    because = str(readout["reason"])
    if verdict is Verdict.STOP:
        return Verdict.STOP, [because, "That stands, whatever the money says."]
    undecided = verdict is Verdict.NOT_PROVEN and readout["period"].get("running", False)
    if gain.high <= 0 or (gain.likely < 0 and not undecided):
        again = _look_again(readout, plan, sessions)
        return Verdict.STOP, [
            f"More likely than not it costs more than it brings. {again}".strip(),
            because,
        ]
    if verdict is not Verdict.SHIP:
        return Verdict.NOT_PROVEN, [because]
    if gain.low <= 0:
        more = more_visitors(gain, sum(v["visitors"] for v in readout["variants"]))
        wait = f"About {say(more)} more visitors would settle it." if more else ""
        return Verdict.NOT_PROVEN, [f"It may still lose money. {wait}".strip(), because]
    if gain.likely < plan.must_beat:
        return Verdict.SMALL_WIN, [
            f"It earns, but likely less than the {plan.currency} {say(plan.must_beat)} a year that "
            "the plan asks for. Ship it with a fallback and a way back.",
            because,
        ]
    return Verdict.SHIP, [because]


def _look_again(readout: Mapping[str, Any], plan: Plan, sessions: float) -> str:
    assert plan.order_value is not None
    yearly = MONTHS * sessions * plan.order_value.likely
    found = 1000 * _row(readout, "conversion")["absolute"]["estimate"]
    if not yearly:
        return ""
    needed = 1000 * plan.fixed_cost / yearly
    return (
        f"Look again when it brings at least {say(needed)} more orders per 1,000 sessions; now it "
        f"is {say(found)}."
    )


def _headline(treatment: str, gain: Gain, currency: str, verdict: Verdict) -> str:
    likely = f"most likely {say(gain.likely)}"
    if gain.low >= 0:
        amount = (
            f"earns at least {currency} {say(gain.low)} a year, {likely}, at most {say(gain.high)}"
        )
    elif gain.high <= 0:
        amount = f"loses {currency} {say(-gain.high)} to {say(-gain.low)} a year"
    else:
        amount = f"may lose {currency} {say(-gain.low)} a year or earn {say(gain.high)}, {likely}"
    return f"{treatment[:1].upper()}{treatment[1:]} {amount}: {verdict.value}."


def _wrong(gain: Gain, currency: str) -> list[str]:
    """What each mistake costs: shipping what is in truth worse, or not shipping what is better."""
    said = []
    for wrong, costs in (("ship", "loses"), ("do_not_ship", "gives up")):
        risk = _risks(gain)[wrong]
        if risk["average"] is None:
            continue
        if wrong == "ship":
            what = "If you ship it and it is in truth worse"
        else:
            what = "If you leave it and it is in truth better"
        said.append(
            f"{what} ({_chance(risk['chance'])}), that {costs} {currency} {say(risk['average'])} "
            "a year on average."
        )
    return said


def _risks(gain: Gain) -> dict[str, dict[str, Any]]:
    """Per mistake: the chance that it is one, what it then costs on average, and their product."""
    parts = {
        "ship": (gain.chance_of_loss, gain.expected_loss),
        "do_not_ship": (1 - gain.chance_of_loss, gain.expected_forgone),
    }
    return {
        name: {
            "chance": chance,
            "average": expected / chance if chance and expected else None,
            "expected": expected,
        }
        for name, (chance, expected) in parts.items()
    }


def _chance(share: float) -> str:
    if share < 0.01:
        return "less than 1 in 100"
    return "more than 99 in 100" if share > 0.99 else f"{100 * share:.0f} in 100"


def _assumptions(readout: Mapping[str, Any], source: str, sessions: float) -> list[str]:
    basket = _row(readout, "average_order_value")
    said = [
        f"It assumes {say(sessions)} sessions a month"
        + (", as the plan says." if source == "plan" else ", as many as in the experiment.")
    ]
    moved = {"worse": "smaller", "better": "larger"}.get(basket["change"])
    if moved:
        said.append(
            f"Orders are clearly {moved} in {readout['treatment']}; what an order is worth may "
            "differ from the plan."
        )
    else:
        said.append("It assumes that an order is worth the same in both variants.")
    if readout.get("sequential"):
        said.append(
            "The money's range holds at every look, as the experiment's ranges do, so it is wider "
            "than that of one look at the end."
        )
    return said


def _money(gain: Gain, orders: Effect, plan: Plan, sessions: float, source: str) -> dict[str, Any]:
    year = {"low": gain.low, "likely": gain.likely, "high": gain.high}
    assert plan.order_value is not None
    return {
        "currency": plan.currency,
        "per_month": {name: amount / MONTHS for name, amount in year.items()},
        "per_year": year,
        "chance_of_loss": gain.chance_of_loss,
        "cost_of_being_wrong": _risks(gain),
        "extra_orders_per_session": {
            "estimate": orders.estimate,
            "standard_error": orders.standard_error,
        },
        "order_value": plan.order_value.to_dict(),
        "click_value": plan.click_value.to_dict(),
        "sessions_per_month": two_significant(sessions) if source == "experiment" else sessions,
        "sessions_from": source,
        "fixed_cost": plan.fixed_cost,
        "must_beat": plan.must_beat,
        "draws": DRAWS,
        "seed": SEED,
    }


def _row(readout: Mapping[str, Any], kpi: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(row for row in readout["rows"] if row["kpi"] == kpi)
    return found
