"""What does it have to beat? Agreed before the work: dated, hashed, in a file people can read.

Open `plan.py` first.
"""
