"""What must every list keep to? Pin this product, bury that one, and the mix of categories.

That a form comes from one of our own pages is checked at the gate (`access.py`); that its sender
may change anything, here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from thinslice.domain import CLICKS, ListRules
from thinslice.errors import AccessError, InputError
from thinslice.ranking.rule_words import sentences, told
from thinslice.report.numbers import capital
from thinslice.server.access import viewer_of
from thinslice.server.pages.address import View
from thinslice.server.pages.browse import Browser
from thinslice.server.pages.cards import Card, card, named
from thinslice.server.pages.experiments import fields_of
from thinslice.server.pages.words import count

if TYPE_CHECKING:
    from thinslice.server.pages.site import Site
    from thinslice.shelf.shelf import Shelf

_MAX_BODY = 24_000
N_FOUND = 12
Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the history."""

    at_us: int
    who: str
    why: str
    did: str


class RulesPage:
    """The rules in force, the forms that change them, and who changed what."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        """The rules, and the products that were looked for."""
        return await self._page(request)

    async def act(self, request: Request) -> Response:
        """Do what a form asks for, and go back to where it was."""
        shop = str(request.path_params["shop"])
        viewer = viewer_of(request)
        if not viewer.changes(shop):
            raise AccessError("a link opens the pages for reading; the shop's key may do more")
        form = fields_of((await request.body())[:_MAX_BODY])
        shelf = self._site.engine.shelf(shop)
        try:
            change = _change(form)
            await asyncio.to_thread(
                shelf.change_rules, change, who=viewer.who(shop), why=form.get("why", "")
            )
        except InputError as error:
            answer = await self._page(request, str(error), form)
            answer.status_code = 400
            return answer
        trail = form.get("trail", "")
        back = f"shop?{urlencode({'trail': trail})}" if trail else "rules"
        return RedirectResponse(f"/{shop}/{back}", 303)

    async def _page(self, request: Request, wrong: str = "", form: Form | None = None) -> Response:
        shelf = self._site.engine.shelf(str(request.path_params["shop"]))
        query = request.query_params.get("q", "").strip()[:200]
        values = await asyncio.to_thread(self._values, shelf, query, form)
        return self._site.page(request, "rules.html", wrong=wrong, query=query, **values)

    def _values(self, shelf: Shelf, query: str, form: Form | None) -> dict[str, Any]:
        history = self._site.engine.control.rules_history(shelf.shop.id)
        rules = history[-1].rules if history else ListRules()
        products = shelf.catalog.all()

        def cards(ids: tuple[str, ...]) -> list[Card]:
            return [
                card(shelf.shop.id, product, View(shelf.shop.id).opened(product.id).href)
                for product in (named(products, i) for i in ids)
            ]

        found = Browser(products).search(query, N_FOUND)[0] if query else []
        return {
            "headline": headline(rules),
            "rules": rules,
            "said": [f"{capital(said)}." for said in sentences(rules)],
            "pinned": cards(rules.pinned),
            "buried": cards(rules.buried),
            "found": cards(tuple(product.id for product in found)),
            "form": _typed(form) if form and form.get("act") == "set" else _as_typed(rules),
            "history": [
                Change(change.at_us, change.who, change.why, capital(", ".join(did)))
                for change, did in told(history, products)
            ],
        }


def headline(rules: ListRules) -> str:
    """What every list keeps to, in one sentence.

    >>> headline(ListRules()), headline(ListRules(pinned=("a",), buried=("b", "c")))
    ('Lists are shown as they are made.', 'One product comes first, two come last.')
    """
    parts = [
        f"{count(len(ids))} {'come' if len(ids) > 1 else 'comes'} {where}"
        for ids, where in ((rules.pinned, "first"), (rules.buried, "last"))
        if ids
    ]
    if parts:
        noun = "product" if len(rules.pinned or rules.buried) == 1 else "products"
        first, _, rest = parts[0].partition(" ")
        parts[0] = f"{first} {noun} {rest}"
    if n := len(sentences(rules)):
        parts.append(f"{count(n)} {'rule holds' if n == 1 else 'rules hold'} for every list")
    return f"{capital(', '.join(parts))}." if parts else "Lists are shown as they are made."


def _change(form: Form) -> Any:
    """The change that a form asks for, as a function of the rules in force."""
    product = form.get("product", "")
    match form.get("act"):
        case "pin":
            return lambda rules: rules.pin(product)
        case "bury":
            return lambda rules: rules.bury(product)
        case "free":
            return lambda rules: rules.free(product)
        case "set":
            mix = {
                "price_from": _share(form, "price_from"),
                "price_to": _share(form, "price_to"),
                "most_of_category": _whole(form, "most_of_category"),
                "least_categories": _whole(form, "least_categories"),
                "no_near_duplicates": form.get("no_near_duplicates") == "yes",
                "objective": form.get("objective") or CLICKS,
            }
            return lambda rules: replace(rules, **mix)
        case act:
            raise InputError(
                f"a form must say what it asks for, got {str(act)[:40]!r}; open the page again"
            )


def _share(form: Form, field: str) -> float | None:
    """A percentage that someone typed, as a share; None where the field is empty."""
    typed = form.get(field, "").replace(",", ".").replace("%", "").strip()
    if not typed:
        return None
    try:
        return float(typed) / 100
    except ValueError:
        raise InputError(
            f"a percentage is a number such as 50 or 200, got {typed[:40]!r}; type it again"
        ) from None


def _whole(form: Form, field: str) -> int | None:
    typed = form.get(field, "").strip()
    if not typed:
        return None
    try:
        return int(typed)
    except ValueError:
        raise InputError(
            f"a number of products or categories is whole, got {typed[:40]!r}; type it again"
        ) from None


def _typed(form: Form) -> dict[str, str]:
    """The fields of the form as they were sent."""
    return {name: form.get(name, "") for name in _as_typed(ListRules())}


def _as_typed(rules: ListRules) -> dict[str, str]:
    """The fields of the form as somebody would have typed them."""
    return {
        "price_from": "" if rules.price_from is None else f"{rules.price_from * 100:g}",
        "price_to": "" if rules.price_to is None else f"{rules.price_to * 100:g}",
        "most_of_category": str(rules.most_of_category or ""),
        "least_categories": str(rules.least_categories or ""),
        "no_near_duplicates": "yes" if rules.no_near_duplicates else "",
        "objective": rules.objective,
    }
