"""A link that colleagues on the same network can open, as text and as a QR code."""

from __future__ import annotations

import io
import socket
from dataclasses import dataclass

import segno

from thinslice.server.access import link_token
from thinslice.store.control import ControlPlane


@dataclass(frozen=True, slots=True)
class SharedLink:
    """An address that opens one shop's pages, for reading, until it expires."""

    address: str

    def for_terminal(self) -> str:
        """The QR code in characters; light modules are drawn, so it reads on a dark terminal."""
        drawing = io.StringIO()
        segno.make(self.address, error="l").terminal(drawing, compact=True)
        return drawing.getvalue()

    def as_svg(self) -> str:
        """The QR code as an SVG picture without any style of its own."""
        drawing = io.BytesIO()
        segno.make(self.address, error="l").save(
            drawing, kind="svg", scale=4, xmldecl=False, title="QR code of the link"
        )
        return drawing.getvalue().decode()


def share(
    control: ControlPlane, shop: str, *, port: int, hours: float, label: str = "shared link"
) -> SharedLink:
    """A new link to the shop's start page at this machine's address in its network."""
    token = link_token(control, shop, label, hours)
    return SharedLink(f"http://{bracketed(network_address())}:{port}/{shop}/?key={token}")


def network_address() -> str:
    """This machine's address in the local network; loopback where it has none.

    Asking for a route sends nothing: a datagram socket that is connected only chooses its own end.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def bracketed(host: str) -> str:
    """The host as an address has it.

    >>> bracketed("::1"), bracketed("127.0.0.1")
    ('[::1]', '127.0.0.1')
    """
    return f"[{host}]" if ":" in host else host
