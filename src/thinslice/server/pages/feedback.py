"""Was this right? What people said about a page, kept with its address, beside who opened what."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from thinslice.domain import Product
from thinslice.server.access import viewer_of
from thinslice.server.pages.address import View
from thinslice.server.pages.cards import named
from thinslice.server.pages.words import shorten
from thinslice.store.people import Feedback, Visit

if TYPE_CHECKING:
    from thinslice.server.pages.site import Site

_MAX_BODY = 24_000
_MAX_PER_MINUTE = 60
_ANSWERS = {"yes": True, "no": False}
PAGES = {
    "": "The first page",
    "shop": "What a visitor sees",
    "photo": "Find it by photo",
    "photo/review": "Photos that need a look",
    "title": "Which category?",
    "title/review": "Titles for a person",
    "title/bar": "When a person is asked",
    "replay": "A real visit, step by step",
    "audit": "Do we have the data?",
    "plan": "What would count as success?",
    "evaluate": "Would it have worked?",
    "readout": "Did it work?",
    "experiments": "What was tried",
    "report": "What is it worth?",
    "money": "What are predictions worth?",
    "feedback": "What people said",
    "share": "A link for a colleague",
}


@dataclass(frozen=True, slots=True)
class Person:
    """One link and what was done with it."""

    who: str
    opened: int
    tried: str
    latest_us: int


class FeedbackPage:
    """Takes what people say, and shows it to the team."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._kept: dict[str, deque[float]] = {}

    async def keep(self, request: Request) -> Response:
        """Keep an answer and go back to the page it was about.

        That the form comes from one of our own pages is checked at the gate (`access.py`).
        """
        shop = str(request.path_params["shop"])
        fields = parse_qs((await _body(request)).decode("utf-8", "replace"))
        address = own_address(shop, _first(fields, "address"))
        right, text = _ANSWERS.get(_first(fields, "right")), _first(fields, "expected").strip()
        if right is None and not text:
            return RedirectResponse(f"{address}#feedback", 303)
        self._count(shop)
        said = Feedback(
            page=_page_of(address),
            state=address,
            right=right,
            text=text,
            who=viewer_of(request).who(shop),
        )
        await asyncio.to_thread(self._site.engine.control.add_feedback, shop, said)
        return RedirectResponse(f"{address}#thanks", 303)

    async def read(self, request: Request) -> Response:
        """What was said, and who opened and tried what."""
        shop = str(request.path_params["shop"])
        control = self._site.engine.control
        said, visits = await asyncio.to_thread(
            lambda: (control.feedback(shop, 200), control.visits(shop, 2000))
        )
        products = self._site.engine.shelf(shop).catalog.all()
        return self._site.page(request, "feedback.html", **read_back(said, visits, products))

    def _count(self, shop: str) -> None:
        """Refuse what no office can write by hand."""
        now = monotonic()
        kept = self._kept.setdefault(shop, deque())
        while kept and now - kept[0] > 60:
            kept.popleft()
        if len(kept) >= _MAX_PER_MINUTE:
            raise HTTPException(429)
        kept.append(now)


def read_back(
    said: list[Feedback], visits: list[Visit], products: Mapping[str, Product]
) -> dict[str, Any]:
    """The values of the page: the headline counts, the rest is what was said and done."""
    tally = Counter(s.right for s in said)
    return {
        "headline": _headline(len(said), tally[True], tally[False]),
        "said": [
            {
                "answer": {True: "yes", False: "no", None: ""}[s.right],
                "text": s.text,
                "who": s.who or "someone",
                "page": PAGES.get(s.page, s.page),
                "about": about(s.state, products),
                "address": s.state,
                "time_us": s.time_us,
            }
            for s in said
        ],
        "people": people(visits),
        "visits": [
            {
                "who": v.who or "someone",
                "page": PAGES.get(v.page, v.page),
                "about": about(v.state, products),
                "address": v.state,
                "time_us": v.time_us,
            }
            for v in visits[:50]
        ],
    }


def about(address: str, products: Mapping[str, Product]) -> str:
    """What a page was opened with: a product of the storefront, a search, an experiment.

    >>> lamp = Product("p1", "Desk lamp")
    >>> about("/nord/shop?trail=p0,p1", {"p1": lamp}), about("/nord/shop?q=socks", {})
    ('Desk lamp', '“socks”')
    """
    fields = dict(parse_qsl(urlsplit(address).query))
    view = View.of("", fields)
    if view.search or view.browse:
        return f"“{shorten(view.search or view.browse)}”"
    if view.trail:
        return shorten(named(products, view.trail[-1]).title)
    return shorten(fields.get("experiment", ""))


def people(visits: list[Visit]) -> list[Person]:
    """One line per link, the latest first."""
    by_who: dict[str, list[Visit]] = {}
    for visit in visits:
        by_who.setdefault(visit.who or "someone", []).append(visit)
    found = [
        Person(who, len(theirs), _tried(theirs), max(v.time_us for v in theirs))
        for who, theirs in by_who.items()
    ]
    return sorted(found, key=lambda person: -person.latest_us)


def own_address(shop: str, address: str) -> str:
    """The address if it is a page of this shop, else the shop's first page.

    >>> own_address("nord", "/nord/shop?trail=a"), own_address("nord", "//evil.example/nord/")
    ('/nord/shop?trail=a', '/nord/')
    """
    home = f"/{quote(shop, safe='')}/"
    try:
        parts = urlsplit(address.split("#")[0][:2000])
    except ValueError:  # half an IPv6 address
        return home
    ours = not parts.scheme and not parts.netloc and parts.path.startswith(home)
    if not ours or "\\" in address or any(ord(c) < 33 for c in address):
        return home
    query = quote(parts.query, safe="=&%+,~/:;@!$'()*?-._")
    return quote(parts.path, safe="/%~") + (f"?{query}" if query else "")


def _page_of(address: str) -> str:
    return urlsplit(address).path.split("/", 2)[2]


def _tried(visits: list[Visit]) -> str:
    counts = Counter(PAGES.get(v.page, v.page) for v in visits)
    return ", ".join(f"{page} ({n})" if n > 1 else page for page, n in counts.most_common(4))


def _headline(n: int, yes: int, no: int) -> str:
    if n == 0:
        return "Nobody has said anything yet."
    if yes + no == 0:
        return f"{n} {'person wrote' if n == 1 else 'remarks'}, without a yes or no."
    share = "Everyone" if no == 0 else "Nobody" if yes == 0 else f"{yes} of {yes + no}"
    if yes + no == 1:
        return "One person answered: it was right." if yes else "One person answered: not right."
    return f"{share} who answered found it right."


def _first(fields: dict[str, list[str]], name: str) -> str:
    return fields.get(name, [""])[0]


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            raise HTTPException(413)
    return body
