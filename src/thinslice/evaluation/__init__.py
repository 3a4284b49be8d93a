"""Would it have worked? Held-out sessions in; a score table out. Open `offline.py` first."""
