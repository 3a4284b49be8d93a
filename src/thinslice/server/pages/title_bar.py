"""When is a person asked? The terms that decide it, what each bar would give, and the one in force.

Terms are tried by their address (nothing changes), and put in force by a form of who may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from thinslice.errors import AccessError, InputError
from thinslice.profit.asking import AskingTerms
from thinslice.report.numbers import percent
from thinslice.server.access import viewer_of
from thinslice.server.pages.title_words import tabs
from thinslice.server.pages.titles import needs_categories

if TYPE_CHECKING:
    from thinslice.server.pages.site import Site

_NAMES = {
    "wrong_cost": "What a wrong category costs",
    "look_cost": "What a person's look costs",
    "looks_per_day": "Looks that people have a day",
    "titles_per_day": "Titles that come a day",
}
_OTHERS = ("precision", "wrong_costs", "unknown_share")
Form = Mapping[str, str]


class TitleBarPage:
    """The trade-off, and the form that moves the bar along it."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        """The bar in force, or what the terms of the address would give."""
        query = dict(request.query_params)
        try:
            terms = read_terms(query, self._currency(request)) if "by" in query else None
        except InputError as error:
            return await self._page(request, None, query, str(error))
        return await self._page(request, terms, query)

    async def agree(self, request: Request) -> Response:
        """Put the terms of a form in force."""
        shop = str(request.path_params["shop"])
        if not viewer_of(request).changes(shop):
            raise AccessError("a link opens the pages for reading; the shop's key may do more")
        form = {
            name: values[0]
            for name, values in parse_qs(
                (await request.body())[:24_000].decode("utf-8", "replace"), max_num_fields=20
            ).items()
        }
        titles = self._site.engine.titles(shop)
        try:
            terms = read_terms(form, self._currency(request))
        except InputError as error:
            return await self._page(request, None, form, str(error))
        await asyncio.to_thread(titles.agree_terms, terms)
        return RedirectResponse(f"/{shop}/title/bar#in-force", 303)

    async def _page(
        self, request: Request, tried: AskingTerms | None, form: Form, wrong: str = ""
    ) -> Response:
        shop = str(request.path_params["shop"])
        titles = self._site.engine.titles(shop)
        if not await asyncio.to_thread(titles.is_learned):
            return needs_categories(self._site, request)
        in_force = await asyncio.to_thread(titles.terms)
        found = await asyncio.to_thread(titles.trade_off, tried)
        typed = form if wrong or tried else typed_terms(in_force)
        page = self._site.page(
            request,
            "title_bar.html",
            tabs=tabs(shop, "bar"),
            headline=headline(found, tried=tried is not None),
            t=found,
            shape=shape_of(found),
            tried=tried is not None and tried != in_force,
            form={**dict.fromkeys((*_NAMES, *_OTHERS), ""), **typed},
            names=_NAMES,
            currency=self._currency(request),
            wrong=wrong,
        )
        page.status_code = 422 if wrong else 200
        return page

    def _currency(self, request: Request) -> str:
        return self._site.engine.shelf(str(request.path_params["shop"])).shop.currency


def headline(found: Mapping[str, Any], *, tried: bool) -> str:
    """What the bar gives, in a sentence.

    >>> headline({"accepted": 0.0}, tried=True)
    'Every title would need a person.'
    """
    accepted = found["accepted"]
    if not accepted:
        return "Every title would need a person." if tried else "Every title needs a person."
    ends = f"{percent(found['precision_low'])} to {percent(found['precision_high'])}"
    right = f"{percent(found['precision'])} of those are right ({ends})"
    if accepted == 1:
        return f"No title {'would need' if tried else 'needs'} a person; {right}."
    return (
        f"{percent(accepted)} of the titles {'would need' if tried else 'need'} no person; {right}."
    )


def shape_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """The points of the drawing and its scale: precision against the share that is accepted."""
    points = [p for p in found["points"] if p["precision"] is not None]
    later = [p for p in points if p["accepted"] >= 0.1] or points
    lowest = min((p["precision_low"] for p in later), default=0.0)
    bottom = max(0.0, int(lowest * 20) / 20)
    return {"points": later, "bottom": bottom, "table": _thinned(points)}


def _thinned(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    step = max(1, len(points) // 10)
    return points[::-1][::step][::-1]


def typed_terms(terms: AskingTerms) -> dict[str, str]:
    """Terms as they stand in the form.

    >>> typed_terms(AskingTerms(precision=0.985))["precision"]
    '98.5'
    """
    amounts = {name: getattr(terms, name) for name in _NAMES}
    return {
        "by": "money" if terms.in_money else "precision",
        "precision": f"{terms.precision * 100:g}",
        "unknown_share": "" if terms.unknown_share is None else f"{terms.unknown_share * 100:g}",
        "wrong_costs": "\n".join(f"{name} = {cost:g}" for name, cost in terms.wrong_costs.items()),
        **{name: "" if value is None else f"{value:g}" for name, value in amounts.items()},
    }


def read_terms(form: Form, currency: str) -> AskingTerms:
    """The terms that were typed; `InputError` says which field makes no sense."""
    new_kinds = _number(form.get("unknown_share", ""), "The share of new kinds")
    if new_kinds is not None and not 0 <= new_kinds <= 50:
        raise InputError(
            f"the share of new kinds is a percentage from 0 to 50, got {new_kinds:g}; leave it "
            "empty where nobody knows it"
        )
    expected = None if new_kinds is None else new_kinds / 100
    if form.get("by") != "money":
        typed = _number(form.get("precision", ""), "The share that must be right")
        if typed is None or not 50 <= typed < 100:
            raise InputError(
                "the share that must be right is a percentage from 50 to below 100, got "
                f"{form.get('precision', '')[:40]!r}; 99 accepts one wrong in a hundred"
            )
        return AskingTerms(precision=typed / 100, currency=currency, unknown_share=expected)
    wrong, look = _amount(form, "wrong_cost"), _amount(form, "look_cost")
    if wrong is None or look is None:
        raise InputError("by money, both costs are needed; fill in what is empty")
    return AskingTerms(
        wrong_cost=wrong,
        look_cost=look,
        looks_per_day=_amount(form, "looks_per_day"),
        titles_per_day=_amount(form, "titles_per_day"),
        wrong_costs=_own_costs(form.get("wrong_costs", "")),
        currency=currency,
        unknown_share=expected,
    )


def _own_costs(text: str) -> dict[str, float]:
    """A category and its cost on each line, "=" between them."""
    found = {}
    for line in filter(None, map(str.strip, text[:20_000].splitlines())):
        name, mark, amount = line.rpartition("=")
        cost = _number(amount, f"The cost of {name.strip()[:60]}") if mark else None
        if cost is None:
            raise InputError(
                f"a category's own cost is written Home > Lamps = 12, got {line[:80]!r}; correct it"
            )
        found[name.strip()] = cost
    return found


def _amount(form: Form, name: str) -> float | None:
    return _number(form.get(name, ""), _NAMES[name])


def _number(text: str, name: str) -> float | None:
    text = text.strip().replace(",", ".").removesuffix("%")
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{name} is a number, got {text[:40]!r}; type it again") from None
