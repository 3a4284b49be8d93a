"""What is in force of one shop's photos? Photos in; products that look alike, and tags, out.

Open `search.py` first.
"""
