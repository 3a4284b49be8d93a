"""What do the shop's own experiments say? Events of its log in; readouts, alarms and dates out.

Open `readout.py` first.
"""
