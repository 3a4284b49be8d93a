"""Did it work, and did it hurt anything? Exposures and purchases in; KPIs and readouts out.

Open `readout.py` first.
"""
