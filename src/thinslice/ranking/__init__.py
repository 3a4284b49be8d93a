"""What to show? A query in; one explained list out. Open `ranker.py` first."""
