"""What may a program ask? JSON in; JSON out, described by `openapi.py`. Open `api.py` first."""
