"""What is each outcome worth? Amounts, columns, arithmetic or guesses in; money row by row out.

Open `payoff.py` first, then `priced.py`, where a payoff meets its rows.
"""
