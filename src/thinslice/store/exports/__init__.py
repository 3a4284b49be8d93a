"""A stranger's files: tables of any common format in; events, products and lists out.

Open `staging.py` first.
"""
