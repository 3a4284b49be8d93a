"""Which category? A title is typed and answered; a table is dropped and comes back with categories.

Nothing that is asked here is kept: titles come in the body of a request, never in an address, and
a table lives in memory until its answer is sent. Only who may change the shop can have the rows
for a person put on the review queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec
from starlette.concurrency import iterate_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from thinslice.errors import AccessError, InputError, NotEnoughDataError, NotFoundError
from thinslice.report.numbers import plural
from thinslice.server.access import viewer_of
from thinslice.server.admission import TITLES_BYTES
from thinslice.server.answers import answer
from thinslice.server.pages.title_table import MOST_ROWS, AnsweredTable
from thinslice.server.pages.title_words import LONGEST, shown, tabs

if TYPE_CHECKING:
    from thinslice.server.pages.site import Site
    from thinslice.shelf.titles.titles import Titles

AT_ONCE = 2
"""Tables that one worker answers at the same time; the others wait their turn."""

_encode = msgspec.json.Encoder().encode


class TitlePage:
    """The page, the answer while someone types, and the table."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def show(self, request: Request) -> Response:
        """The page with an example of the shop's own, or with the title of a link."""
        return await self._page(request, request.query_params.get("title"))

    async def ask(self, request: Request) -> Response:
        """The answer to what was typed: as a page, or as the part of one that changes."""
        fields = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=10)
        title = fields.get("title", [""])[0]
        if "application/json" not in request.headers.get("accept", ""):
            return await self._page(request, title)
        titles = _titles(self._site, request)
        parts: Any = self._site.templates_in("en").get_template("title_parts.html").module
        return answer({"answer": str(parts.answer(shown(titles, title)))})

    async def table(self, request: Request) -> Response:
        """A table with categories: as a file, or line by line with the progress."""
        streamed = "application/x-ndjson" in request.headers.get("accept", "")
        async with request.form(max_files=1, max_part_size=TITLES_BYTES) as sent:
            upload = sent.get("file")
            data = await upload.read() if isinstance(upload, UploadFile) else b""
            name = (upload.filename or "") if isinstance(upload, UploadFile) and data else ""
            typed, column = str(sent.get("rows") or ""), str(sent.get("column") or "").strip()
            queue = sent.get("queue") == "yes"
        if queue and not viewer_of(request).changes(str(request.path_params["shop"])):
            raise AccessError("a link opens the pages for reading; the queue is the shop's own")
        titles = _titles(self._site, request)
        try:
            async with self._turn:
                table = await asyncio.to_thread(
                    AnsweredTable.read, titles, data, typed, column[:500] or None
                )
        except InputError as error:
            return await self._refused(request, str(error), typed, streamed)
        if streamed:
            lines = self._lines(table, titles if queue else None, name)
            return StreamingResponse(lines, media_type="application/x-ndjson")
        async with self._turn:
            await asyncio.to_thread(_finish, table, titles if queue else None)
        disposition = f'attachment; filename="{_file_name(name)}"'
        return Response(
            table.csv(), headers={"content-disposition": disposition}, media_type="text/csv"
        )

    async def _lines(
        self, table: AnsweredTable, queue: Titles | None, name: str
    ) -> AsyncIterator[bytes]:
        async with self._turn:
            async for line in iterate_in_threadpool(_progress(table, queue, name)):
                yield line

    async def _refused(self, request: Request, why: str, typed: str, streamed: bool) -> Response:
        if streamed:
            return Response(_encode({"wrong": why}) + b"\n", media_type="application/x-ndjson")
        page = await self._page(request, None, wrong=why, typed=typed)
        page.status_code = 422
        return page

    async def _page(
        self, request: Request, title: str | None, wrong: str = "", typed: str = ""
    ) -> Response:
        shop = str(request.path_params["shop"])
        titles = self._site.engine.titles(shop)
        if not await asyncio.to_thread(titles.is_learned):
            return needs_categories(self._site, request)
        asked, filed = (
            (title, "") if title is not None else await asyncio.to_thread(self._example, shop)
        )
        return self._site.page(
            request,
            "title.html",
            tabs=tabs(shop, "title"),
            a=shown(titles, asked, filed),
            longest=LONGEST,
            most_rows=MOST_ROWS,
            most_bytes=TITLES_BYTES,
            sample=titles.model().meta["counts"]["titles"],
            wrong=wrong,
            typed=typed,
        )

    def _example(self, shop: str) -> tuple[str, str]:
        """A title of the shop's own catalogue, and what it is filed under."""
        products = self._site.engine.shelf(shop).catalog.all().values()
        filed = [p for p in products if p.title.strip() and p.category and not p.hidden]
        sure = self._site.engine.titles(shop).classify([p.title for p in filed[:100]])
        ranks = [
            (not a.needs_person and a.category == p.category, min(len(p.title.split()), 6))
            for p, a in zip(filed, sure, strict=False)
        ]
        if not ranks:
            return "", ""
        first = filed[ranks.index(max(ranks))]
        return first.title, first.category


def needs_categories(site: Site, request: Request) -> Response:
    """What a shop whose categories were not learned needs."""
    shop = str(request.path_params["shop"])
    return site.page(
        request,
        "title_missing.html",
        tabs=tabs(shop, ""),
        products=len(site.engine.shelf(shop).catalog.all()),
        can_learn=site.engine.titles(shop).can_learn(),
        option=f" --shop {shop}" if len(site.engine.control.shops()) > 1 else "",
    )


def _titles(site: Site, request: Request) -> Titles:
    titles = site.engine.titles(str(request.path_params["shop"]))
    if not titles.is_learned():
        raise NotEnoughDataError("the categories of this shop were not learned yet")
    return titles


def _finish(table: AnsweredTable, queue: Titles | None) -> None:
    for _ in table.work(queue):
        pass


def _progress(table: AnsweredTable, queue: Titles | None, name: str) -> Iterator[bytes]:
    """A line of JSON for every part that is done, and at the end one with the file."""
    try:
        for done in table.work(queue):
            yield _encode({"done": done, "rows": table.rows}) + b"\n"
    except NotFoundError as error:
        yield _encode({"wrong": str(error)}) + b"\n"
        return
    found: Mapping[str, Any] = {
        "said": said(table),
        "review": table.to_review,
        "first": table.first,
        "name": _file_name(name),
        "csv": table.csv(),
    }
    yield _encode(found) + b"\n"


def said(table: AnsweredTable) -> str:
    """What became of a table, in a sentence or two."""
    broken = f" {plural(table.skipped, 'row')} could not be read." if table.skipped else ""
    look = "none needs a person" if not table.to_review else f"{table.to_review:,} for a person"
    where = ", which stand on top" if table.to_review else ""
    return (
        f"{plural(table.rows, 'title')} of the column “{table.column}” have a category; "
        f"{look}{where}.{broken}"
    )


def _file_name(source: str) -> str:
    """The name of the file that comes back.

    >>> _file_name('C:\\\\new "lamps".xlsx'), _file_name("")
    ('new-lamps-with-categories.csv', 'titles-with-categories.csv')
    """
    stem = source.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in stem)
    short = "-".join(part for part in kept.split("-") if part)[:60]
    return f"{short or 'titles'}-with-categories.csv"
