"""What does a person see? A shop and an address in, one page out. Open `routes.py` first."""
