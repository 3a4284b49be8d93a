"""A table of visitors in; a verdict, or the size of an experiment, out. Open `experiment.py`."""
