"""Who asks? HTTP in; JSON or a page out. Open `app.py` first."""
