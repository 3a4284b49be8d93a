"""What is it worth? A plan and predictions, or an effect, in; money with a range, a verdict out.

A room for each question, none of which knows one that stands below it here:

    rows/         what did people hand over?
    payoff/       what is each outcome worth?
    plan/         what does it have to beat?
    predictions/  what do predictions earn?
    experiments/  what is an experiment's effect worth?
    production/   does it keep its promise?

Open `predictions/evaluation.py` first. Beside the rooms stand `uncertainty.py` and `money.py`,
which they share, and what is called by itself: `decide`, `profit_scorer`, `guap`, `asking`.
"""

from typing import TYPE_CHECKING, Any

from thinslice.profit.deciding import decide
from thinslice.profit.experiments.worth import Judgement, judge_experiment, judge_offline
from thinslice.profit.payoff.payoff import Payoff
from thinslice.profit.payoff.ranges import Range
from thinslice.profit.plan.plan import Plan
from thinslice.profit.predictions.evaluation import Evaluation, evaluate
from thinslice.profit.scorer import profit_scorer

__all__ = [
    "Evaluation",
    "Judgement",
    "Payoff",
    "Plan",
    "Range",
    "decide",
    "evaluate",
    "judge_experiment",
    "judge_offline",
    "profit_scorer",
    "track",
]

if TYPE_CHECKING:
    from thinslice.profit.production.tracking import track


def __getattr__(name: str) -> Any:
    if name == "track":
        from thinslice.profit.production.tracking import track

        return track
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
