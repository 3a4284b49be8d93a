"""Which photos need a look? Photos that look like another category, and photos that come twice.

Comparing every photo with every other takes seconds, so it is done once for a state of the photos,
beside the serving, and kept for all workers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from thinslice.ranking.rules import leaf
from thinslice.report.numbers import capital
from thinslice.server.pages.address import View
from thinslice.server.pages.cards import card, named
from thinslice.server.pages.photo_form import like
from thinslice.server.pages.photo_search import missing
from thinslice.server.pages.words import count

if TYPE_CHECKING:
    from thinslice.domain import Product
    from thinslice.server.pages.site import Site
    from thinslice.shelf.shelf import Shelf

MOST_SHOWN = 60
MOST_COUNTED = 500
MOST_COMPARED = 20_000
"""Photos above which comparing them all is for the command line; it takes minutes."""
PATIENCE_S = 1.5
"""A page waits this long for the comparison; then it comes back by itself."""


class PhotoReviewPage:
    """What somebody who keeps the catalogue should look at."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._comparing: dict[str, asyncio.Task[list[list[Any]]]] = {}

    async def show(self, request: Request) -> Response:
        """Both lists, the surest first."""
        shelf = self._site.engine.shelf(str(request.path_params["shop"]))
        if not shelf.photo_search.is_built():
            return self._site.page(request, "photo_missing.html", missing=missing(shelf))
        too_many = len(shelf.photo_search.served().index) > MOST_COMPARED
        pairs = [] if too_many else await self._twins(shelf)
        values = await asyncio.to_thread(reviewed, shelf, pairs)
        page = self._site.page(request, "photo_review.html", too_many=too_many, **values)
        if pairs is None:
            page.headers["refresh"] = "3"
        return page

    async def _twins(self, shelf: Shelf) -> list[list[Any]] | None:
        """Ids of products with all but the same photo, None while they are being compared."""
        shop = shelf.shop.id
        task = self._comparing.get(shop)
        if task is None:
            task = self._comparing[shop] = asyncio.create_task(asyncio.to_thread(shelf.photo_twins))
            task.add_done_callback(lambda _: self._comparing.pop(shop, None))
        try:
            return await asyncio.wait_for(asyncio.shield(task), PATIENCE_S)
        except TimeoutError:
            return None


def reviewed(shelf: Shelf, pairs: list[list[Any]] | None) -> dict[str, Any]:
    """Everything that the page shows, as values."""
    products = shelf.catalog.all()
    doubted = shelf.photo_search.disagreements(MOST_COUNTED)
    known = [(a, b) for a, b in pairs or () if a in products and b in products]
    return {
        "headline": _headline(len(doubted), None if pairs is None else len(known)),
        "disagreements": [_doubted(shelf, products, one) for one in doubted[:MOST_SHOWN]],
        "more_doubted": max(0, len(doubted) - MOST_SHOWN),
        "no_disagreements": (
            "No photo looks like another category than the one it is listed under."
            if "category" in shelf.photo_search.describe()["measured"]
            else "Too few products have a category for a model to learn what each looks like."
        ),
        "pairs": (
            None
            if pairs is None
            else [
                {"first": _card(shelf, products, a), "second": _card(shelf, products, b)}
                for a, b in known[:MOST_SHOWN]
            ]
        ),
        "more_pairs": max(0, len(known) - MOST_SHOWN),
        "currency": shelf.shop.currency,
    }


def _headline(doubted: int, pairs: int | None) -> str:
    """How much there is to look at, in a sentence.

    >>> _headline(2, 1), _headline(0, 0)
    ('Two photos look like another category, one photo is there twice.', 'No photo needs a look.')
    """
    said = [] if pairs is not None else ["the photos are being compared"]
    if doubted:
        noun = "photo looks" if doubted == 1 else "photos look"
        said.append(f"{_number(doubted)} {noun} like another category")
    if pairs:
        said.append(f"{_number(pairs)} {'photo is' if pairs == 1 else 'photos are'} there twice")
    return capital(", ".join(said)) + "." if said else "No photo needs a look."


def _number(n: int) -> str:
    return f"at least {n}" if n >= MOST_COUNTED else count(n)


def _doubted(
    shelf: Shelf, products: Mapping[str, Product], one: Mapping[str, Any]
) -> dict[str, Any]:
    same_leaf = leaf(one["listed"]) == leaf(one["seen"])
    return {
        "card": _card(shelf, products, one["product"]),
        "listed": one["listed"] if same_leaf else leaf(one["listed"]),
        "seen": one["seen"] if same_leaf else leaf(one["seen"]),
        "percent": min(99, round(100 * one["confidence"])),
        "like": like(shelf.shop.id, one["product"]),
    }


def _card(shelf: Shelf, products: Mapping[str, Product], product_id: str) -> Any:
    shop = shelf.shop.id
    return card(shop, named(products, product_id), View(shop).opened(product_id).href)
