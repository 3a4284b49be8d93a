"""What is it worth? A plan and predictions, or an effect, in; money with a range, a verdict out.

Open `payoff.py` first, then `evaluating.py`; for experiments `worth.py`.
"""

from typing import TYPE_CHECKING, Any

from thinslice.profit.deciding import decide
from thinslice.profit.evaluating import evaluate
from thinslice.profit.evaluation import Evaluation
from thinslice.profit.payoff import Payoff
from thinslice.profit.plan import Plan
from thinslice.profit.ranges import Range
from thinslice.profit.scorer import profit_scorer
from thinslice.profit.worth import Judgement, judge_experiment, judge_offline

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
    from thinslice.profit.tracking import track


def __getattr__(name: str) -> Any:
    if name == "track":
        from thinslice.profit.tracking import track

        return track
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
