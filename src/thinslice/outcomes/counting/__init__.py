"""What did visitors do? Events in; one row per visitor, then sums of rows, out.

Open `attribution.py` first: it puts the steps together.
"""
