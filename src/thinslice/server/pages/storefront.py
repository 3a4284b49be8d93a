"""What does a visitor see? One visit, beside what everyone sees and what the shop shows today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from thinslice.domain import INCUMBENT, Exposure, Filters, Product, Query, Recommendation
from thinslice.errors import ThinsliceError
from thinslice.ranking.rules import leaf
from thinslice.server.pages.address import View, photo_address, write_trail
from thinslice.server.pages.browse import Browser, Category
from thinslice.server.pages.cards import Card, card, named, stock
from thinslice.server.pages.photo_form import like
from thinslice.server.pages.words import count, looked_at, shorten
from thinslice.shelf.photos.gallery import PhotoWish

if TYPE_CHECKING:
    from thinslice.engine import Engine
    from thinslice.server.pages.site import Site
    from thinslice.shelf.shelf import Shelf

N_SHOWN = 8
"""Products of each list."""
N_FOUND = 48
"""Products that a search or a category shows."""
N_CATEGORIES = 24
N_RULINGS = 40
_FOR_ALL = ("popular", "catalogue", "pinned")
"""Sources of products that no visit speaks for."""
_INCUMBENT_POLICY = f"list:{INCUMBENT}"


@dataclass(frozen=True, slots=True)
class Shown:
    """One list of the three, ready to be drawn."""

    title: str
    about: str
    cards: tuple[Card, ...]


class Storefront:
    """The storefront of all shops; keeps each catalogue prepared for looking things up."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._browsers: dict[str, Browser] = {}

    async def __call__(self, request: Request) -> Response:
        shop = request.path_params["shop"]
        values = storefront(self._site.engine, View.of(shop, request.query_params), self._browser)
        return self._site.page(request, "shop.html", **values)

    def _browser(self, shop: str, products: Mapping[str, Product]) -> Browser:
        known = self._browsers.get(shop)
        if known is None or known.products is not products:
            known = self._browsers[shop] = Browser(products)
        return known


def storefront(engine: Engine, view: View, browser_of: Any) -> dict[str, Any]:
    """Everything that the page shows, as values."""
    shelf = engine.shelf(view.shop)
    stage = _Stage(engine, shelf, view)
    browser: Browser = browser_of(view.shop, stage.products)
    values: dict[str, Any] = {
        "view": view,
        "trail": stage.trail_links(),
        "opened": stage.opened(),
        "trail_field": write_trail(view.trail),
        "categories": stage.category_links(browser.first),
        "filter_categories": [(c.path, shorten(c.name, 40)) for c in browser.leaves[:200]],
        "currency": shelf.shop.currency,
        "start_again": View(view.shop).href,
        "here": replace(view, search="", browse="").href,
        "no_filters": View(view.shop, view.trail).href,
        "found": None,
        "more": 0,
        "below": [],
        "note": "",
        "lists": [],
        "incumbent": False,
        "offline": None,
        "alike": (),
        "by_photo": "",
        "learned": stage.learned,
        "rules": shelf.list_rules(),
        "rulings": (),
    }
    if view.search or view.browse:
        return values | stage.found(browser)
    if not view.trail:
        return values | stage.beginning(browser)
    return values | stage.compared()


class _Stage:
    """One view of one shop, on the way to becoming the values of a page."""

    def __init__(self, engine: Engine, shelf: Shelf, view: View) -> None:
        self.engine, self.shelf, self.view = engine, shelf, view
        self.products = shelf.catalog.all()
        self.learned = shelf.model.get() is not None

    def product(self, product_id: str) -> Product:
        return named(self.products, product_id)

    def card(self, product: Product, reason: str = "", badge: str = "") -> Card:
        return card(self.view.shop, product, self.view.opened(product.id).href, reason, badge)

    def trail_links(self) -> list[dict[str, str]]:
        here = replace(self.view, search="", browse="")
        return [
            {
                "title": shorten(self.product(id_).title, 40),
                "href": replace(here, trail=self.view.trail[: position + 1]).href,
                "photo": photo_address(self.view.shop, id_),
                "without": self.view.without(position).href,
            }
            for position, id_ in enumerate(self.view.trail)
        ]

    def category_links(self, categories: Sequence[Category]) -> list[dict[str, Any]]:
        """Categories as links that keep the visit."""
        return [
            {
                "path": c.path,
                "name": c.name,
                "products": c.products,
                "href": replace(self.view, search="", browse=c.path).href,
            }
            for c in categories[:N_CATEGORIES]
        ]

    def opened(self) -> dict[str, Any] | None:
        """The product just opened, None at the beginning of a visit."""
        if not self.view.trail:
            return None
        product = self.product(self.view.trail[-1])
        parts = [part.strip() for part in product.category.split(">") if part.strip()]
        paths = [" > ".join(parts[: depth + 1]) for depth in range(len(parts))]
        return {
            "card": self.card(product),
            "stock": stock(product),
            "known": product.id in self.products,
            "categories": [
                {"name": part, "href": replace(self.view, search="", browse=path).href}
                for part, path in zip(parts, paths, strict=True)
            ],
        }

    def list(
        self,
        policy: str,
        items: tuple[str, ...],
        filters: Filters,
        *,
        n: int = N_SHOWN,
        trace: bool = False,
        ruled: bool = True,
    ) -> Exposure:
        query = Query(items, n, filters=filters, policy=policy, trace=trace, ruled=ruled)
        return self.engine.recommend(self.view.shop, query)

    def found(self, browser: Browser) -> dict[str, Any]:
        """Products to go on with: those with the words, or those of the category."""
        view = self.view
        if view.search:
            products, total = browser.search(view.search, N_FOUND)
            what = f"“{shorten(view.search, 60)}”"
            headline = f"{count(total).capitalize()} {_products(total)} with {what}."
            below = []
        else:
            filters = Filters(in_stock=False, category=view.browse)
            best = self.list("popular", (), filters, n=N_FOUND).recommendations
            products, total = [self.product(r.product) for r in best], browser.within(view.browse)
            name = shorten(leaf(view.browse), 60)
            headline = f"{count(total).capitalize()} {_products(total)} in {name}."
            below = self.category_links(browser.below(view.browse))
        return {
            "headline": headline,
            "found": [self.card(p) for p in products],
            "more": max(0, total - len(products)),
            "below": below,
        }

    def beginning(self, browser: Browser) -> dict[str, Any]:
        """A visit of nobody we know: what is popular."""
        if not self.products and not self.learned:
            return {"headline": "This shop has no products yet.", "found": []}
        popular = self.list("popular", (), self.view.filters(self.shelf.shop.currency), n=12)
        cards = [self.card(self.product(r.product), r.reason) for r in popular.recommendations]
        return {
            "headline": "Open a product, and watch what this visitor is shown.",
            "found": cards,
            "note": self.note(popular),
        }

    def compared(self) -> dict[str, Any]:
        """The three lists side by side, and the sentence that says what changed."""
        view, filters = self.view, self.view.filters(self.shelf.shop.currency)
        mine = self.list("session", view.trail, filters, trace=True)
        everyone = self.list("popular", view.trail, filters)
        theirs = {r.product for r in everyone.recommendations}
        lists = [
            self.mine(mine, theirs),
            self.shown("Everyone sees", everyone, "The same for every visitor"),
        ]
        has_incumbent = INCUMBENT in self.shelf.catalog.list_names()
        if has_incumbent:
            today = self.list(_INCUMBENT_POLICY, view.trail, filters, ruled=False)
            lists.append(self.shown("The shop shows today", today))
        return {
            "headline": self.headline(mine.recommendations, theirs),
            "lists": lists,
            "incumbent": has_incumbent,
            "offline": offline_warning(self.engine, view.shop),
            "alike": self.alike(filters),
            "by_photo": like(view.shop, view.trail[-1]),
            "rulings": self.rulings(mine),
        }

    def rulings(self, exposure: Exposure) -> tuple[dict[str, str], ...]:
        """What the rules did to a list, product by product; the product at hand needs no rule."""
        told = [r for r in exposure.trace if r.rule != "at_hand"][:N_RULINGS]
        return tuple(
            {"title": shorten(self.product(r.product).title, 60), "did": r.did} for r in told
        )

    def alike(self, filters: Filters) -> tuple[Card, ...]:
        """Products that look like the one that is open; none where its photo is not indexed."""
        photos = self.shelf.photo_search
        if not photos.is_built():
            return ()
        try:
            found = photos.similar(self.view.trail[-1], PhotoWish(n=N_SHOWN, filters=filters))
        except ThinsliceError:  # the shop is open whatever becomes of its photos
            return ()
        return tuple(self.card(self.product(hit.product.id), hit.why) for hit in found)

    def mine(self, exposure: Exposure, everyone: set[str]) -> Shown:
        """This visitor's list; what not everyone sees stands out."""
        cards = tuple(
            self.card(self.product(r.product), r.reason, self.badge(r.product, everyone))
            for r in exposure.recommendations
        )
        about = (
            "Chosen for this visit, click by click." if self.learned else "The catalogue as it is."
        )
        return Shown("This visitor sees", self.note(exposure) or about, cards)

    def shown(self, title: str, exposure: Exposure, about: str = "") -> Shown:
        """A list to compare with; a reason that all of it shares is said once."""
        reasons = {r.reason for r in exposure.recommendations}
        shared = shorten(reasons.pop(), 120) if len(reasons) == 1 else ""
        cards = tuple(
            self.card(self.product(r.product), "" if shared else r.reason)
            for r in exposure.recommendations
        )
        said = ". ".join(part for part in (shared, about) if part)
        return Shown(title, self.note(exposure) or f"{said}.", cards)

    def note(self, exposure: Exposure) -> str:
        """Why the list is not as asked for; without a filter only the stock keeps products out."""
        if self.view.filtered or not self.learned:
            return exposure.note if self.learned else ""
        kept_out = (
            (" match the filters", " are in stock"),
            (" matches the filters", " is in stock"),
        )
        note = exposure.note
        for filtered, in_stock in kept_out:
            note = note.replace(filtered, in_stock)
        return note

    def badge(self, product: str, everyone: set[str]) -> str:
        """What sets a product of this visitor's list apart."""
        if product in everyone:
            return ""
        return "seen before" if product in self.view.trail else "new for you"

    def headline(self, mine: Sequence[Recommendation], everyone: set[str]) -> str:
        """What changed, and because of what."""
        if not mine:
            if self.view.filtered:
                return "No product passes these filters."
            return "There is no other product to show beside this one."
        if not self.learned:
            return "Nothing is learned yet, so every visitor sees the same."
        last = self.view.trail[-1]
        changed = [r for r in mine if r.product not in everyone]
        spoke = [self.product(r.because or last) for r in changed if r.source not in _FOR_ALL]
        if not spoke:
            title = shorten(self.product(last).title, 60)
            return f"This visitor sees what everyone sees: “{title}” changed nothing."
        how_many = f"{count(len(spoke)).capitalize()} of {count(len(mine))}"
        if len(spoke) == len(mine):
            how_many = f"All {count(len(mine))}" if len(mine) > 1 else "The only"
        return (
            f"{how_many} {_products(len(mine))} changed because this visitor looked at "
            f"{looked_at(spoke)}."
        )


def offline_warning(engine: Engine, shop: str) -> str | None:
    """What the evaluation on past sessions says against these lists, None where nothing does."""
    judgement = engine.judge_offline(shop)
    if judgement is None:
        return None
    found = judgement.to_dict()
    return None if found["verdict"] == "worth testing" else str(found["sentence"])


def _products(number: int) -> str:
    return "product" if number == 1 else "products"
