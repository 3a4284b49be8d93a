"""A generated shop and its shoppers, whose tastes are known.

In: a seed. Out: a catalogue with drawn pictures, visitors who browse it, and a client that sends
what they do to a running service, so that the right answer of every step is known by construction.
Open `shoppers.py` first.
"""
