"""What is in force of one shop's titles? Titles in; categories out, or a person's turn.

Open `titles.py` first.
"""
