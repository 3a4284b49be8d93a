"""What is an experiment's effect worth? A readout and the plan in; money and a verdict out.

Open `worth.py` first; `offline.py` says what is worth testing at all.
"""
