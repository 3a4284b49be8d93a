"""What happened? Wire formats and exports in; events, products and sessions out.

Open `event_log.py` first.
"""
