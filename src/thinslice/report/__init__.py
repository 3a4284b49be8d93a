"""Can anyone read it? Results in; one self-contained page out. Open `page.py` first."""

from thinslice.report.page import page

__all__ = ["page"]
