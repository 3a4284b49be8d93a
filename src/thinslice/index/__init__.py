"""What is near? Vectors in; neighbours out, under filters, with weights per part.

Open `vector_index.py` first.
"""
