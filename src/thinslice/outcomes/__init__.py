"""Did it work, and did it hurt anything? Exposures and purchases in; KPIs and readouts out.

In a notebook open `trial.py` first, for the shop's own event log `readout.py`.
"""

from thinslice.outcomes.metric import Metric
from thinslice.outcomes.moments import Moments
from thinslice.outcomes.sizing import Design, design
from thinslice.outcomes.trial import Trial, experiment

__all__ = ["Design", "Metric", "Moments", "Trial", "design", "experiment"]
