"""Lists that somebody else made, per product: what the shop shows today is one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from thinslice.domain import Scored

EVERYWHERE = ""
"""The key of a list that is not beside a product, such as the one on the home page."""


class ListRecommender:
    """Shows the list kept for the session's latest product that has one."""

    def __init__(self, name: str, lists: Mapping[str, tuple[str, ...]]) -> None:
        self.name = name
        self.lists = lists

    def recommend(
        self, session: Sequence[str], n: int, *, now_us: int | None = None
    ) -> list[Scored]:
        """The first n of the list, in its own order; a product that stands twice counts once.

        A session without a listed product gets the list that is kept under "", if there is one.
        """
        last = session[-1] if session else None
        beside = next((product for product in reversed(session) if self.lists.get(product)), None)
        products = dict.fromkeys(self.lists.get(EVERYWHERE if beside is None else beside, ()))
        products.pop(last or EVERYWHERE, None)
        return [
            Scored(product, 1.0 / place, beside)
            for place, product in enumerate(list(products)[: max(n, 0)], start=1)
        ]
