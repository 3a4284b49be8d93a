"""Is it worth testing? An evaluation on past sessions in, a judgement without money out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thinslice.domain import INCUMBENT, ITEM_TO_ITEM, POPULAR, SESSION, Verdict
from thinslice.profit.experiments.judgement import Judgement
from thinslice.profit.plan.plan import Plan

ENOUGH_TEST_SESSIONS = 30

NAMES = {
    f"list:{INCUMBENT}": "what the shop shows today",
    INCUMBENT: "what the shop shows today",
    POPULAR: "showing what is popular",
    ITEM_TO_ITEM: "showing what goes with the product",
}


def judge_offline(evaluation: Mapping[str, Any], plan: Plan | None = None) -> Judgement:
    """Is the session model worth an experiment? Never an amount: past clicks are no cause.

    `evaluation` is the dictionary of an offline evaluation: rows, differences, sizes. The paired
    interval of the MRR against the plan's baseline has to lie above 0, and the hit rate must not
    be clearly lower. Popularity must not win either, whatever the baseline.
    """
    plan = plan or Plan()
    reasons = [plan.problem] if plan.problem else []
    names = [row["name"] for row in evaluation["rows"]]
    if SESSION not in names:
        return _not_worth_testing(
            "No session model was evaluated; run: thinslice evaluate", reasons
        )
    baseline, note = _baseline(plan, names)
    reasons += [note] if note else []
    if baseline is None:
        return _not_worth_testing("There was nothing to compare the session model with.", reasons)
    sessions = _test_sessions(evaluation)
    if sessions is not None and sessions < ENOUGH_TEST_SESSIONS:
        return _not_worth_testing(
            f"Only {sessions} sessions were left to test on, and at least {ENOUGH_TEST_SESSIONS} "
            "are needed; collect more and evaluate again.",
            reasons,
        )
    for rival in dict.fromkeys((POPULAR, baseline)):
        lost = _lost(evaluation, rival, must_win=rival == baseline) if rival in names else None
        if lost:
            return _not_worth_testing(lost, reasons)
    found = _difference(evaluation, baseline, "MRR") or _difference(evaluation, baseline, "HitRate")
    assert found is not None  # or it would have lost
    sentence = (
        "Worth testing: the session list foresees what is looked at next better than "
        f"{_named(baseline)} ({found['metric']} {found['low']:+.3f} to {found['high']:+.3f})."
    )
    reasons.append(
        "It says what visitors would have looked at, not what they would have bought; what it is "
        "worth in money only an experiment can tell."
    )
    return Judgement(Verdict.WORTH_TESTING, sentence, tuple(reasons))


def _baseline(plan: Plan, names: list[str]) -> tuple[str | None, str | None]:
    wanted = f"list:{INCUMBENT}" if plan.baseline == INCUMBENT else plan.baseline
    if wanted in names:
        return wanted, None
    if POPULAR in names:
        return POPULAR, (
            f"The plan compares with {_named(wanted)}, which is not known here, so popularity "
            "stands in."
        )
    return None, None


def _lost(evaluation: Mapping[str, Any], rival: str, *, must_win: bool) -> str | None:
    """Why the session model does not pass against this rival, None when it does."""
    mrr = _difference(evaluation, rival, "MRR")
    hits = _difference(evaluation, rival, "HitRate")
    deciding = mrr or hits
    if deciding is None:
        return f"It was not compared with {_named(rival)}." if must_win else None
    spread = f"{deciding['metric']} {deciding['low']:+.3f} to {deciding['high']:+.3f}"
    if deciding["high"] < 0:
        return f"{_start(_named(rival))} predicts better than the session list ({spread})."
    if hits and hits["high"] < 0:
        return (
            f"{_start(_named(rival))} hits more often than the session list "
            f"({hits['metric']} {hits['low']:+.3f} to {hits['high']:+.3f})."
        )
    if must_win and deciding["low"] <= 0:
        return (
            f"The session list is not clearly better than {_named(rival)} ({spread}); more "
            "sessions may show it."
        )
    return None


def _difference(evaluation: Mapping[str, Any], rival: str, metric: str) -> dict[str, Any] | None:
    """Session model minus rival, whichever way round it was kept."""
    for found in evaluation.get("differences", ()):
        if not str(found["metric"]).startswith(metric):
            continue
        low, estimate, high = (found[key] for key in ("low", "estimate", "high"))
        if low is None or high is None:
            continue
        if (found["a"], found["b"]) == (SESSION, rival):
            return {"metric": found["metric"], "low": low, "estimate": estimate, "high": high}
        if (found["a"], found["b"]) == (rival, SESSION):
            return {"metric": found["metric"], "low": -high, "estimate": -estimate, "high": -low}
    return None


def _test_sessions(evaluation: Mapping[str, Any]) -> int | None:
    sizes = evaluation.get("sizes") or {}
    return next((int(sizes[key]) for key in ("test_sessions", "sessions") if key in sizes), None)


def _not_worth_testing(why: str, reasons: list[str]) -> Judgement:
    return Judgement(Verdict.NOT_WORTH_TESTING, f"Not worth testing yet. {why}", (why, *reasons))


def _named(name: str) -> str:
    return NAMES.get(name, f"the list {name.removeprefix('list:')}")


def _start(words: str) -> str:
    return words[:1].upper() + words[1:]
