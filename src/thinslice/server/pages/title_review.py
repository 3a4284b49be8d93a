"""Titles and photos that wait for a person: one at a time, decided with a key, learned from soon.

Three lists: what is not sure enough, products of the catalogue that may be filed wrongly, and
photos of which a colour or another label is open. Each worker keeps the head of a list for a while,
and leaves out what was decided since.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from thinslice.errors import AccessError, InputError, NotFoundError
from thinslice.report.numbers import plural
from thinslice.server.access import viewer_of
from thinslice.server.answers import answer
from thinslice.server.pages.address import photo_address
from thinslice.server.pages.title_words import LONGEST, sure_words, tabs, word_strengths
from thinslice.server.pages.titles import needs_categories
from thinslice.shelf.photos.decisions import ASKED
from thinslice.shelf.reviews import CATEGORY, Question
from thinslice.store.exports.title_rows import to_csv

if TYPE_CHECKING:
    from thinslice.models.titles.classifier import TitleAnswer
    from thinslice.server.pages.site import Site
    from thinslice.shelf.shelf import Shelf
    from thinslice.shelf.titles.titles import Titles

LISTS = ("waiting", "doubts", "colours")
KEEP_S = 20.0
"""How long a worker keeps the head of a list before it asks for it anew."""

_HEAD = 200
_NOTHING_DONE = {
    **dict.fromkeys(("title", "product", "photo", "attribute"), ""),
    "said": "",
    "wrong": "",
}
_MAX_BODY = 24_000
Form = Mapping[str, str]


@dataclass(frozen=True)
class Turn:
    """One title or photo and what can be said of it; `filed` is where the catalogue has it."""

    title: str
    options: list[tuple[str, float | None]]
    why: str
    words: list[dict[str, Any]]
    product: str = ""
    filed: str = ""
    times: int = 1
    photo: str = ""
    picture: str = ""
    attribute: str = CATEGORY


class TitleReviewPage:
    """The page, and what its keys and buttons do."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._heads: dict[tuple[str, str], tuple[float, list[Question]]] = {}

    async def show(self, request: Request) -> Response:
        """The next question of a list; `take` is what was decided, or doubted, as a file."""
        query = request.query_params
        shelf = self._site.engine.shelf(str(request.path_params["shop"]))
        if not await asyncio.to_thread(_is_learned, shelf):
            return needs_categories(self._site, request)
        if query.get("take") == "decided":
            return await asyncio.to_thread(_decided_file, shelf)
        if query.get("take") == "doubts":
            return await asyncio.to_thread(_doubts_file, shelf)
        if query.get("take") == "picture":
            return _picture(shelf, query.get("photo", ""))
        return await self._answer(request, shelf, dict(query), {})

    async def act(self, request: Request) -> Response:
        """Keep what a person said, and show the next question."""
        shop = str(request.path_params["shop"])
        viewer = viewer_of(request)
        if not viewer.changes(shop):
            raise AccessError("a link opens the pages for reading; the shop's key may decide")
        shelf = self._site.engine.shelf(shop)
        if not await asyncio.to_thread(_is_learned, shelf):
            return needs_categories(self._site, request)
        form = _fields((await request.body())[:_MAX_BODY])
        try:
            done = await asyncio.to_thread(_do, shelf, form, viewer.who(shop))
        except InputError as error:
            done = {"wrong": str(error)}
        return await self._answer(request, shelf, form, done)

    async def _answer(
        self, request: Request, shelf: Shelf, form: Form, done: dict[str, str]
    ) -> Response:
        """The page, or the parts of it that change, in the same words."""
        values = await asyncio.to_thread(self._values, shelf, form)
        values |= {
            "done": {**_NOTHING_DONE, **done},
            "shop_home": f"/{shelf.shop.id}/",
        }
        if "application/json" in request.headers.get("accept", ""):
            may = viewer_of(request).changes(shelf.shop.id)
            parts: Any = self._site.templates_in("en").get_template("title_parts.html").module
            return answer(
                {
                    "turn": str(parts.turn({**values, "may_change": may})),
                    "status": str(parts.status({**values, "may_change": may})),
                }
            )
        learned = shelf.titles.is_learned()
        page = self._site.page(
            request,
            "title_review.html",
            headline=headline(values["left"], values["noun"]),
            tabs=tabs(shelf.shop.id, "review"),
            classes=shelf.titles.class_report() if learned else [],
            labels=await asyncio.to_thread(_labels, shelf),
            listed=shelf.titles.confusions(50) if learned else [],
            **values,
        )
        page.status_code = 400 if done.get("wrong") else 200
        return page

    def _values(self, shelf: Shelf, form: Form) -> dict[str, Any]:
        kind = form["list"] if form.get("list") in LISTS else ""
        left = {name: self._left(shelf, name) for name in LISTS}
        kind = kind or next((name for name in LISTS if left[name]), "waiting")
        skip = _whole(form.get("skip", "")) if left[kind] else 0
        rows = left[kind]
        wanted = form.get("title", "") if not form.get("act") else ""
        row = rows[skip % len(rows)] if rows else None
        if wanted.strip():
            row = next((r for r in rows if r.title == wanted), Question(wanted[:LONGEST]))
        titles, photos = shelf.titles, shelf.photo_search
        learned, built = titles.is_learned(), photos.is_built()
        of_photos = [r for r in left["waiting"] if r.photo]
        return {
            "kind": kind,
            "skip": skip,
            "left": {name: len(found) for name, found in left.items()},
            "noun": "title or photo" if of_photos else "title",
            "most": _HEAD,
            "turn": _turn(shelf, row) if row else None,
            "decided": (len(titles.model().decided) if learned else 0)
            + (len(photos.decisions.rows()) if built else 0),
            "unlearned": (titles.unlearned() if learned else 0)
            + (photos.unlearned() if built else 0),
        }

    def _left(self, shelf: Shelf, kind: str) -> list[Question]:
        """What of a list's head nobody has spoken on."""
        taken, rows = self._heads.get((shelf.shop.id, kind), (-1e9, []))
        if time.monotonic() - taken > KEEP_S:
            lists = shelf.reviews
            ask = {"waiting": lists.waiting, "doubts": lists.doubts, "colours": lists.colours}
            rows = ask[kind](_HEAD)
            self._heads[shelf.shop.id, kind] = (time.monotonic(), rows)
        spoken = shelf.reviews.spoken_on()
        return [row for row in rows if not spoken(row)]


def _is_learned(shelf: Shelf) -> bool:
    """Whether titles or photos can be asked about at all."""
    photos = shelf.photo_search
    return shelf.titles.is_learned() or (photos.is_built() and photos.served().heads is not None)


def _labels(shelf: Shelf) -> dict[str, tuple[str, ...]]:
    """What can be chosen, by attribute."""
    reviews = shelf.reviews
    return {name: reviews.labels(name) for name in (CATEGORY, *reviews.attributes())}


def _turn(shelf: Shelf, row: Question) -> Turn:
    """What stands on the card: up to three labels, the likeliest first."""
    options: dict[str, float | None] = dict(row.options)
    why, words = row.why, []
    of_title = row.attribute == CATEGORY and not row.photo.startswith(ASKED)
    if of_title and shelf.titles.is_learned():
        (found,) = shelf.titles.classify([row.title])
        words = word_strengths(found)
        if not options:
            options, why = _by_title(shelf.titles, row, found)
    if row.filed:
        first, *others = options.items()
        options = dict([first, (row.filed, None), *others])
    picture = ""
    if row.photo.startswith(ASKED):
        picture = f"/{shelf.shop.id}/title/review?take=picture&photo={row.photo}"
    elif row.photo:
        picture = photo_address(shelf.shop.id, row.photo)
    return Turn(
        row.title,
        list(options.items())[:3],
        why,
        words,
        *(row.product, row.filed, row.times, row.photo, picture, row.attribute),
    )


def _by_title(
    titles: Titles, row: Question, found: TitleAnswer
) -> tuple[dict[str, float | None], str]:
    sure = found.confidence if found.category == found.likeliest else None
    options: dict[str, float | None] = {found.likeliest: sure}
    why = found.why
    if row.filed:
        listed = titles.confusions(_HEAD)
        suspected = next(
            (s for s in listed if s["title"] == row.title and s["filed"] == row.filed), {}
        )
        options = {suspected.get("likeliest", found.likeliest): suspected.get("confidence", sure)}
        if (first := next(iter(options.values()))) is not None:
            why = f"models that had not seen it read it as another category, {sure_words(first)} "
            why += "right"
    for category, chance in found.alternatives:
        options.setdefault(category, chance)
    return options, why


def _do(shelf: Shelf, form: Form, who: str) -> dict[str, str]:
    """One action of a form; what was done, for the line that offers to undo it."""
    act, label = form.get("act", ""), form.get("category", "").strip()
    if act == "learn":
        if shelf.titles.is_learned() and shelf.titles.unlearned():
            shelf.titles.refit()
        if shelf.photo_search.is_built() and shelf.photo_search.unlearned():
            shelf.photo_search.refit()
        return {"said": "Learned from every decision."}
    row = _question(form)
    of = {name: form.get(name, "") for name in ("title", "product", "photo", "attribute")}
    if act == "undo":
        shelf.reviews.take_back(row, who=who)
        return {"said": "Taken back; it is on its list again."}
    if act == "none":
        shelf.reviews.none_fits(row)
        return {**of, "said": f"No {row.attribute} fits"}
    if act == "later":
        return {}
    if act != "file":
        raise InputError(f"a form says what it asks for, got {act[:40]!r}; open the page again")
    if not label:
        what = "a title is filed under a" if row.attribute == CATEGORY else "a photo has a"
        raise InputError(f"{what} {row.attribute}, got none; choose one, or press n")
    if label not in shelf.reviews.labels(row.attribute) and form.get("new") != "yes":
        raise InputError(
            f"there is no {row.attribute} {label[:200]!r} yet; choose one of the list, or tick "
            "“it is a new one”"
        )
    shelf.reviews.decide(row, label, who=who)
    return {**of, "said": f"Filed under {label}" if row.attribute == CATEGORY else f"Is {label}"}


def _question(form: Form) -> Question:
    """What a form is about."""
    title, photo = form.get("title", ""), form.get("photo", "")
    if not title.strip() and not photo:
        raise InputError("a decision is about a title or a photo, got none; open the page again")
    was = form.get("was", "")
    return Question(
        title,
        form.get("product", ""),
        photo,
        form.get("attribute") or CATEGORY,
        options=((was, 0.0),) if was else (),
    )


def _picture(shelf: Shelf, photo: str) -> Response:
    """A photo that was asked about."""
    path = shelf.photo_search.decisions.pictures.path(photo) if photo.startswith(ASKED) else None
    if path is None:
        raise NotFoundError("this photo is not kept any more; open the list again")
    headers = {"cache-control": "private, max-age=3600", "x-content-type-options": "nosniff"}
    return FileResponse(path, media_type="image/jpeg", headers=headers)


def _decided_file(shelf: Shelf) -> Response:
    """What people decided, the latest word on each title and photo, as a table."""
    latest = {c.key: c for c in shelf.titles.reviews.corrections() if c.category}
    rows = [["product", "title", "was", "category", "who", "attribute"]]
    rows += [
        [c.product or "", c.title, c.was, c.category, c.who, CATEGORY] for c in latest.values()
    ]
    by_title = {c.product for c in latest.values()} if shelf.titles.is_learned() else set()
    for photo, attribute, was, label, who in shelf.photo_search.decisions.rows():
        if attribute != CATEGORY or photo not in by_title:
            rows.append([photo, "", was, label, who, attribute])
    return _as_csv(rows, "decided.csv")


def _doubts_file(shelf: Shelf) -> Response:
    """Products that may be filed wrongly, by their title or their photo."""
    names = ["product", "title", "filed", "likeliest", "confidence"]
    titles = shelf.titles.confusions(500) if shelf.titles.is_learned() else []
    rows = [[str(s[name]) for name in names] for s in titles]
    rows += [
        [q.product, q.title, q.filed, q.options[0][0], str(q.options[0][1])]
        for q in shelf.reviews.doubts(500)
        if q.options
    ]
    return _as_csv([names, *rows], "filed-wrongly.csv")


def _as_csv(rows: list[list[str]], name: str) -> Response:
    headers = {"content-disposition": f"attachment; filename={name}"}
    return Response("\ufeff" + to_csv(rows), headers=headers, media_type="text/csv")


def headline(left: Mapping[str, int], noun: str = "title", most: int = _HEAD) -> str:
    """How much there is to do, in a sentence.

    >>> headline({"waiting": 3, "doubts": 0}), headline({"waiting": 0, "doubts": 1})
    ('3 titles wait for a person.', 'No title waits; 1 product may be filed wrongly.')
    """
    waiting, doubts, colours = left["waiting"], left["doubts"], left.get("colours", 0)
    if waiting:
        more = " or more" if waiting >= most else ""
        verb = "waits" if waiting == 1 else "wait"
        many = "titles and photos" if noun != "title" else "titles"
        return f"{plural(waiting, noun, many)}{more} {verb} for a person."
    if doubts:
        return f"No {noun} waits; {plural(doubts, 'product')} may be filed wrongly."
    if colours:
        return f"No {noun} waits; a colour or another label of {plural(colours, 'photo')} is open."
    return f"No {noun} waits for a person."


def _whole(text: str) -> int:
    return int(text[:6]) if text.isascii() and text.isdigit() else 0


def _fields(body: bytes) -> dict[str, str]:
    found = parse_qs(body.decode("utf-8", "replace"), max_num_fields=20, keep_blank_values=True)
    return {name: values[0] for name, values in found.items()}
