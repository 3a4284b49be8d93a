"""Titles that wait for a person: one at a time, decided with a key, learned from within seconds.

Two lists: titles whose answer is not sure enough, and products of the catalogue that may be filed
wrongly. Each worker keeps the head of a list for a while, and leaves out what was decided since.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

from thinslice.errors import AccessError, InputError
from thinslice.report.numbers import plural
from thinslice.server.access import viewer_of
from thinslice.server.answers import answer
from thinslice.server.pages.title_words import LONGEST, sure_words, tabs, word_strengths
from thinslice.server.pages.titles import needs_categories
from thinslice.store.exports.title_rows import to_csv

if TYPE_CHECKING:
    from thinslice.server.pages.site import Site
    from thinslice.shelf.titles import Titles

LISTS = ("waiting", "doubts")
KEEP_S = 20.0
"""How long a worker keeps the head of a list before it asks for it anew."""

_HEAD = 200
_NOTHING_DONE = {"title": "", "product": "", "said": "", "wrong": ""}
_MAX_BODY = 24_000
Form = Mapping[str, str]


@dataclass(frozen=True)
class Turn:
    """One title and what can be said of it; `filed` is where the catalogue has it."""

    title: str
    options: list[tuple[str, float | None]]
    why: str
    words: list[dict[str, Any]]
    product: str = ""
    filed: str = ""
    times: int = 1


class TitleReviewPage:
    """The page, and what its keys and buttons do."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._heads: dict[tuple[str, str], tuple[float, list[tuple[str, str, str, int]]]] = {}

    async def show(self, request: Request) -> Response:
        """The next title of a list; `take=decided` is what was decided, as a file."""
        query = request.query_params
        titles = self._site.engine.titles(str(request.path_params["shop"]))
        if not await asyncio.to_thread(titles.is_learned):
            return needs_categories(self._site, request)
        if query.get("take") == "decided":
            return await asyncio.to_thread(_decided_file, titles)
        if query.get("take") == "doubts":
            return await asyncio.to_thread(_doubts_file, titles)
        return await self._answer(request, titles, dict(query), {})

    async def act(self, request: Request) -> Response:
        """Keep what a person said, and show the next title."""
        shop = str(request.path_params["shop"])
        viewer = viewer_of(request)
        if not viewer.changes(shop):
            raise AccessError("a link opens the pages for reading; the shop's key may decide")
        titles = self._site.engine.titles(shop)
        if not await asyncio.to_thread(titles.is_learned):
            return needs_categories(self._site, request)
        form = _fields((await request.body())[:_MAX_BODY])
        try:
            done = await asyncio.to_thread(_do, titles, form, viewer.who(shop))
        except InputError as error:
            done = {"wrong": str(error)}
        return await self._answer(request, titles, form, done)

    async def _answer(
        self, request: Request, titles: Titles, form: Form, done: dict[str, str]
    ) -> Response:
        """The page, or the parts of it that change, in the same words."""
        values = await asyncio.to_thread(
            self._values, titles, str(request.path_params["shop"]), form
        )
        values |= {
            "done": {**_NOTHING_DONE, **done},
            "shop_home": f"/{request.path_params['shop']}/",
        }
        if "application/json" in request.headers.get("accept", ""):
            may = viewer_of(request).changes(str(request.path_params["shop"]))
            parts: Any = self._site.templates_in("en").get_template("title_parts.html").module
            return answer(
                {
                    "turn": str(parts.turn({**values, "may_change": may})),
                    "status": str(parts.status({**values, "may_change": may})),
                }
            )
        page = self._site.page(
            request,
            "title_review.html",
            headline=headline(values["left"]),
            tabs=tabs(str(request.path_params["shop"]), "review"),
            classes=titles.class_report(),
            categories=await asyncio.to_thread(titles.categories),
            listed=titles.confusions(50),
            **values,
        )
        page.status_code = 400 if done.get("wrong") else 200
        return page

    def _values(self, titles: Titles, shop: str, form: Form) -> dict[str, Any]:
        kind = form["list"] if form.get("list") in LISTS else ""
        left = {name: self._left(titles, shop, name) for name in LISTS}
        kind = kind or ("waiting" if left["waiting"] or not left["doubts"] else "doubts")
        skip = _whole(form.get("skip", "")) if left[kind] else 0
        rows = left[kind]
        wanted = form.get("title", "") if not form.get("act") else ""
        row = rows[skip % len(rows)] if rows else None
        if wanted.strip():
            row = next((r for r in rows if r[0] == wanted), (wanted[:LONGEST], "", "", 1))
        return {
            "kind": kind,
            "skip": skip,
            "left": {name: len(found) for name, found in left.items()},
            "most": _HEAD,
            "turn": _turn(titles, row) if row else None,
            "decided": len(titles.model().decided),
            "unlearned": titles.unlearned(),
        }

    def _left(self, titles: Titles, shop: str, kind: str) -> list[tuple[str, str, str, int]]:
        """(title, product, filed under, times) of a list's head that nobody has spoken on."""
        taken, rows = self._heads.get((shop, kind), (-1e9, []))
        if time.monotonic() - taken > KEEP_S:
            rows = _head(titles, kind)
            self._heads[shop, kind] = (time.monotonic(), rows)
        spoken = titles.spoken_on()
        return [row for row in rows if not spoken(row[0])]


def _head(titles: Titles, kind: str) -> list[tuple[str, str, str, int]]:
    if kind == "waiting":
        return [(q.answer.title, q.product or "", "", q.times) for q in titles.queue(_HEAD)]
    return [(s["title"], s["product"], s["filed"], 1) for s in titles.confusions(_HEAD)]


def _turn(titles: Titles, row: tuple[str, str, str, int]) -> Turn:
    """What stands on the card: up to three categories, the likeliest first."""
    title, product, filed, times = row
    (found,) = titles.classify([title])
    sure = found.confidence if found.category == found.likeliest else None
    options: dict[str, float | None] = {found.likeliest: sure}
    if filed:
        suspected = next(
            (s for s in titles.confusions(_HEAD) if s["title"] == title and s["filed"] == filed), {}
        )
        options = {suspected.get("likeliest", found.likeliest): suspected.get("confidence", sure)}
        options[filed] = None
    for category, chance in found.alternatives:
        options.setdefault(category, chance)
    why, first = found.why, next(iter(options.values()))
    if filed and first is not None:
        why = f"models that had not seen it read it as another category, {sure_words(first)} right"
    return Turn(
        title,
        list(options.items())[:3],
        why,
        word_strengths(found),
        product,
        filed,
        times,
    )


def _do(titles: Titles, form: Form, who: str) -> dict[str, str]:
    """One action of a form; what was done, for the line that offers to undo it."""
    title, product = form.get("title", ""), form.get("product", "")
    act, category = form.get("act", ""), form.get("category", "").strip()
    if act == "learn":
        titles.refit()
        return {"said": "Learned from every decision."}
    if not title.strip():
        raise InputError("a decision is about a title, got none; open the page again")
    if act == "undo":
        titles.take_back(title, product=product, who=who)
        return {"said": "Taken back; the title is on its list again."}
    if act == "none":
        titles.none_fits(title)
        return {"title": title, "product": product, "said": "No category fits"}
    if act == "later":
        return {}
    if act != "file":
        raise InputError(f"a form says what it asks for, got {act[:40]!r}; open the page again")
    if not category:
        raise InputError("a title is filed under a category, got none; choose one, or press n")
    if category not in titles.categories() and form.get("new") != "yes":
        raise InputError(
            f"there is no category {category[:200]!r} yet; choose one of the list, or tick "
            "“it is a new one”"
        )
    titles.correct([(title, category)], who=who, products=[product])
    return {"title": title, "product": product, "said": f"Filed under {category}"}


def _decided_file(titles: Titles) -> Response:
    """What people decided, the latest word on each title, as a table."""
    latest = {c.key: c for c in titles.reviews.corrections()}
    rows = [["product", "title", "was", "category", "who"]]
    rows += [[c.product or "", c.title, c.was, c.category, c.who] for c in latest.values()]
    return _as_csv([row for row in rows if row[3]], "decided.csv")


def _doubts_file(titles: Titles) -> Response:
    names = ("product", "title", "filed", "likeliest", "confidence")
    rows = [[str(s[name]) for name in names] for s in titles.confusions(500)]
    return _as_csv([list(names), *rows], "filed-wrongly.csv")


def _as_csv(rows: list[list[str]], name: str) -> Response:
    headers = {"content-disposition": f"attachment; filename={name}"}
    return Response("\ufeff" + to_csv(rows), headers=headers, media_type="text/csv")


def headline(left: Mapping[str, int], most: int = _HEAD) -> str:
    """How much there is to do, in a sentence.

    >>> headline({"waiting": 3, "doubts": 0}), headline({"waiting": 0, "doubts": 1})
    ('3 titles wait for a person.', 'No title waits; 1 product may be filed wrongly.')
    """
    waiting, doubts = left["waiting"], left["doubts"]
    if waiting:
        more = " or more" if waiting >= most else ""
        verb = "waits" if waiting == 1 else "wait"
        return f"{plural(waiting, 'title')}{more} {verb} for a person."
    if doubts:
        return f"No title waits; {plural(doubts, 'product')} may be filed wrongly."
    return "No title waits for a person."


def _whole(text: str) -> int:
    return int(text[:6]) if text.isascii() and text.isdigit() else 0


def _fields(body: bytes) -> dict[str, str]:
    found = parse_qs(body.decode("utf-8", "replace"), max_num_fields=20, keep_blank_values=True)
    return {name: values[0] for name, values in found.items()}
