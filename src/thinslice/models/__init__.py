"""What can be learned? Sessions, titles and photos in; scores, labels and vectors out.

A room for each: `sessions/bundle.py`, `titles/classifier.py` and `photos/encoder.py` are the files
to open first. What the three share lies here: versions on disk, and confidences that mean it.
"""
