"""What can be learned? Sessions in; scored products out. Open `bundle.py` first."""
