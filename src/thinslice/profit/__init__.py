"""What is it worth? The plan and an effect in; money with a range and a verdict out.

Open `plan.py` first, then `worth.py`.
"""

from thinslice.profit.plan import Plan
from thinslice.profit.ranges import Range
from thinslice.profit.worth import Judgement, judge_experiment, judge_offline

__all__ = ["Judgement", "Plan", "Range", "judge_experiment", "judge_offline"]
