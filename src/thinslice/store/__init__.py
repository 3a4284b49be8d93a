"""What happened? Wire formats and exports in; events, products and sessions out.

Open `log/event_log.py` first; `exports/` reads what shops export.
"""
