"""Session logs whose answers are known by construction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thinslice.domain import MICROSECONDS, SessionLog

MINUTE_US = 60 * MICROSECONDS


def log_of(sessions: Sequence[Sequence[str]], *, start_us: int = 0) -> SessionLog:
    """One session after the other, one product a minute; products are numbered alphabetically."""
    products = tuple(sorted({product for session in sessions for product in session}))
    code_of = {product: code for code, product in enumerate(products)}
    codes = [code_of[product] for session in sessions for product in session]
    return SessionLog(
        products=products,
        offsets=np.cumsum([0, *map(len, sessions)]).astype(np.int64),
        codes=np.array(codes, np.int32),
        times_us=start_us + MINUTE_US * np.arange(len(codes), dtype=np.int64),
        types=np.zeros(len(codes), np.int8),
        ids=tuple(f"s{number}" for number in range(len(sessions))),
    )


def checkerboard(n_sessions: int = 60, n_products: int = 12) -> SessionLog:
    """Shoppers of one kind look at one kind of product: lamps beside lamps, sofas beside sofas.

    Session s starts somewhere in its kind and looks at three products in a row.
    """
    kinds = ("lamp", "sofa")
    per_kind = n_products // 2
    return log_of(
        [
            [f"{kinds[s % 2]}-{(s // 2 + step) % per_kind}" for step in range(3)]
            for s in range(n_sessions)
        ]
    )


def kind(product: str) -> str:
    return product.split("-")[0]
