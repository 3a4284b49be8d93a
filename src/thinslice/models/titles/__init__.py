"""Which category is this title? Titles in; categories with a confidence out.

Open `classifier.py` first.
"""
