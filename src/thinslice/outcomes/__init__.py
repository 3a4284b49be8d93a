"""Did it work, and did it hurt anything? Exposures and purchases in; KPIs and readouts out.

A room for each question, none of which knows one that stands below it here:

    assignment.py  who is shown what?
    statistics/    how sure is a difference?
    counting/      what did visitors do?
    kpi.py         what is measured? (`kpi_page.py` makes the page of it)
    notebook/      what does a table of visitors say, and how many does it take?
    readouts/      what do the shop's own experiments say, and when?

In a notebook open `notebook/experiment.py` first, for the shop's own event log
`readouts/readout.py`.
"""

from thinslice.outcomes.notebook.design import Design
from thinslice.outcomes.notebook.experiment import experiment
from thinslice.outcomes.notebook.sizing import design
from thinslice.outcomes.notebook.trial import Trial
from thinslice.outcomes.statistics.metric import Metric
from thinslice.outcomes.statistics.moments import Moments

__all__ = ["Design", "Metric", "Moments", "Trial", "design", "experiment"]
