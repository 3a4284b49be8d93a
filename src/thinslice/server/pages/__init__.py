"""What does a person see? A shop and an address in, one page out. Open `site.py` first."""

from thinslice.server.pages.site import Site, routes

__all__ = ["Site", "routes"]
