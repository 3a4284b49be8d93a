"""What did people hand over? Lists, numpy, pandas, Polars or Arrow in; checked arrays out.

Open `columns.py` first.
"""
