"""Does it keep its promise? A log of decisions and the plan in; realised and expected money out.

Open `tracking.py` first, then `course.py`, which has the periods.
"""
