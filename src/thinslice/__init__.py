"""thinslice: clicks, titles and photos become a prototype to try and an answer in money."""

__version__ = "0.1.0"
