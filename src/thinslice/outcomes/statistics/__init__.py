"""How sure is a difference? Sums of two groups of visitors in; ranges and a verdict out.

Open `comparison.py` first: a metric of both groups becomes a row. `decision.py` reads the rows.
"""
