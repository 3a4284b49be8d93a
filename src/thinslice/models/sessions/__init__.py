"""What comes next in a session? Sessions in; scored products out. Open `bundle.py` first."""
