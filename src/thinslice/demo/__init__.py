"""A generated shop and its shoppers, whose tastes are known. Open `shoppers.py` first."""
