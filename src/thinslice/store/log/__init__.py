"""The events themselves: acknowledged on disk, sealed into segments, read back once each.

Open `event_log.py` first.
"""
