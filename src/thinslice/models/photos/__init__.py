"""What does a photo show? Photos in; vectors, categories and colours out.

Open `encoder.py` first.
"""
