"""What a stage may ask of another, as protocols of two to four methods.

Each has a suite in `tests/contracts/` that every implementation passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from thinslice.domain import Event, Product, Scored, SessionLog


class EventStore(Protocol):
    """Keeps events; what it has acknowledged is never lost and never counted twice."""

    def append(self, shop: str, events: Sequence[Event]) -> int:
        """Keep the events on disk, then return how many lines were written.

        A line whose `(message_id, line)` is known already changes no later answer.
        """
        ...

    def events(
        self, shop: str, *, since_us: int | None = None, until_us: int | None = None
    ) -> pa.Table:
        """The shop's events with since_us <= time_us < until_us, each once, by time and id."""
        ...

    def sessions(
        self, shop: str, *, since_us: int | None = None, until_us: int | None = None
    ) -> SessionLog:
        """The sessions of the same events: views, carts and purchases of products."""
        ...

    def running_session(self, shop: str, *, visitor: str = "", session: str = "") -> list[Event]:
        """The recent events of one visitor or session, oldest first; empty when unknown."""
        ...


class Catalog(Protocol):
    """The products of one shop."""

    def upsert(self, products: Iterable[Product]) -> int:
        """Add the products or replace those with the same id; return how many."""
        ...

    def get(self, product_id: str) -> Product | None: ...

    def all(self) -> Mapping[str, Product]:
        """Every product by id, as of at most a second ago."""
        ...


class Recommender(Protocol):
    """Turns the running session into scored candidates."""

    name: str

    def recommend(
        self, session: Sequence[str], n: int, *, now_us: int | None = None
    ) -> list[Scored]:
        """The n best products for a session (oldest first), best first, ties by product code.

        Unknown products are ignored. The session's last product is never in the answer. An empty
        session, or one of unknown products only, gets an empty list unless the model needs none.
        """
        ...


class Encoder(Protocol):
    """Turns photos into vectors. An index keeps the `hash` of the encoder whose vectors it holds,
    which covers the model and how pixels are prepared, and is never searched with another's.
    """

    folder: Path
    hash: str

    @property
    def side(self) -> int:
        """It reads photos of side x side pixels."""
        ...

    @property
    def dimensions(self) -> Mapping[str, int]:
        """The dimensions of each part: style, shape and colour, and where there is one identity."""
        ...

    def encode_images(self, pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Unit vectors (n, dim) by part, of (n, side, side, 3) pixels."""
        ...
