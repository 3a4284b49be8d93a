"""Which products look like this? A picture in, products out, each with why.

Nothing of a picture is kept: it is decoded in a process of its own, becomes vectors, and these go
back into the page. A product of the catalogue can be asked for as well, and is an address.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from thinslice.errors import InputError, NotFoundError
from thinslice.models.photos.pixels import as_jpeg
from thinslice.report.numbers import capital, plural
from thinslice.server.answers import answer
from thinslice.server.pages.address import View
from thinslice.server.pages.browse import Browser
from thinslice.server.pages.cards import Card, card, named
from thinslice.server.pages.photo_form import PhotoForm, from_field, like, to_field
from thinslice.server.pages.photo_words import PhotoWords, colour_chips, headline
from thinslice.server.pages.words import shorten
from thinslice.shelf.photos.gallery import PhotoWish

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from thinslice.domain import Product
    from thinslice.server.pages.site import Site
    from thinslice.shelf.photos.gallery import PhotoHit
    from thinslice.shelf.shelf import Shelf

N_EXAMPLES = 12
N_NEAREST = 10
"""Products that a kind is checked against."""

LOOK_SIDE = 96
_MOST_LOOK = 8_000
_NO_PICTURE = (
    "Choose a picture first, a JPEG, PNG or WebP file, say what you look for, or start from one of "
    "the products below."
)


@dataclass(frozen=True, slots=True)
class LookAlike:
    """A product that was found, and the address of what looks like it in turn."""

    card: Card
    like: str


@dataclass
class Answered:
    """What the page shows: what was asked, what was found, and what is wrong with the question."""

    form: PhotoForm
    product: Product | None = None
    look: str = ""
    words: PhotoWords | None = None
    found: list[LookAlike] | None = None
    wrong: str = ""
    examples: list[LookAlike] = field(default_factory=list)

    @property
    def asked(self) -> bool:
        return self.product is not None or bool(self.form.seen) or self.form.by_words


class PhotoPage:
    """The page, and what its form and its script ask for."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._turns = site.decoders.turns
        self._browsers: dict[str, Browser] = {}
        self._most_bytes = site.engine.settings.max_photo_bytes

    async def show(self, request: Request) -> Response:
        """Where to begin, or what looks like a product of the catalogue."""
        shelf = self._shelf(request)
        if not shelf.photo_search.is_built():
            return self._site.page(request, "photo_missing.html", missing=missing(shelf))
        form = replace(PhotoForm.of(request.query_params), seen="")
        with self._turns.turn():
            found = await asyncio.to_thread(self._answered, shelf, form, None)
            return await asyncio.to_thread(self._page, request, shelf, found)

    async def find(self, request: Request) -> Response:
        """What looks like a picture that was sent, or like the one that the page remembers."""
        shelf = self._shelf(request)
        if not shelf.photo_search.is_built():
            return await self.show(request)
        self._turns.check()
        async with request.form(max_files=2, max_part_size=self._most_bytes) as sent:
            form, photo, look = PhotoForm.of(sent), await _photo(sent), _look(sent)
        with self._turns.turn():
            try:
                if not (photo or form.seen or form.product or form.text):
                    raise InputError(_NO_PICTURE)
                pixels = await self._pixels(shelf, photo) if photo else None
                found = await asyncio.to_thread(self._answered, shelf, form, pixels)
            except InputError as error:
                found = await asyncio.to_thread(self._wrong, shelf, form, error)
            found.look = found.look or (look if found.form.seen else "")
            if "application/json" in request.headers.get("accept", ""):
                return answer(await asyncio.to_thread(self._parts, request, shelf, found))
            page = await asyncio.to_thread(self._page, request, shelf, found)
        page.status_code = 422 if found.wrong else 200
        return page

    async def _pixels(self, shelf: Shelf, photo: bytes) -> NDArray[np.uint8]:
        served = await asyncio.to_thread(shelf.photo_search.served)
        return await self._site.decoders.decode(photo, served.encoder.side)

    def _answered(
        self, shelf: Shelf, form: PhotoForm, pixels: NDArray[np.uint8] | None
    ) -> Answered:
        """What is found; what is wrong with the question stands beside it, and examples below."""
        search = shelf.photo_search
        found = Answered(form)
        try:
            if pixels is not None:
                vectors = search.encode(pixels)
                seen = to_field(vectors, search.served().encoder)
                found.form, found.look = replace(form, product="", seen=seen), _small(pixels)
            elif form.seen:
                vectors = from_field(form.seen, search.served().encoder)
            elif form.product:
                vectors = search.vectors_of(form.product)
                found.product = named(shelf.catalog.all(), form.product)
            elif form.text:
                wish = form.wish(shelf.shop.currency)
                hits = search.by_words(form.text, wish)
                found.found = [look_alike(shelf, hit) for hit in hits]
                return found
            else:
                found.examples = examples(shelf, form.others)
                return found
            wish = found.form.wish(shelf.shop.currency)
            hits = (
                search.similar(found.product.id, wish)
                if found.product
                else search.search(vectors, wish)
            )
            nearest = [hit.product for hit in search.search(vectors, PhotoWish(n=N_NEAREST))]
            found.words = PhotoWords.of(search.tag(vectors), nearest, found.product)
            found.found = [look_alike(shelf, hit) for hit in hits]
        except (InputError, NotFoundError) as error:
            found = self._wrong(shelf, form, error)
        return found

    def _wrong(self, shelf: Shelf, form: PhotoForm, error: Exception) -> Answered:
        """What is wrong with the question, and where else to begin."""
        message = str(error)
        form = replace(form, product="", seen="", text="")
        return Answered(form, wrong=capital(message), examples=examples(shelf, form.others))

    def _page(self, request: Request, shelf: Shelf, found: Answered) -> Response:
        return self._site.page(request, "photo.html", **self._shown(shelf, found))

    def _parts(self, request: Request, shelf: Shelf, found: Answered) -> dict[str, Any]:
        """What the script puts in the place of what was there; nothing for what is wrong."""
        parts: Any = self._site.templates_in("en").get_template("photo_parts.html").module
        shown = self._shown(shelf, found)
        html = {}
        if not found.wrong:
            html = {
                "top": str(parts.top(shown["headline"], found)),
                "told": str(parts.told(found)),
                "found": str(parts.found(found, shown["currency"])),
            }
        link = found.form.link(shelf.shop.id)
        return {"parts": html, "wrong": found.wrong, "seen": found.form.seen, "link": link}

    def _shown(self, shelf: Shelf, found: Answered) -> dict[str, Any]:
        about = shelf.photo_search.describe()
        quality = about["quality"]
        return {
            "a": found,
            "form": found.form,
            "headline": headline(found.form, found.product, found.words, found.found),
            "photos": about["photos"],
            "rough": quality["sentence"] if quality["is_rough"] else "",
            "chips": colour_chips(about["colours"], shelf.catalog.all()),
            "categories": [(c.path, shorten(c.name, 40)) for c in self._browser(shelf).leaves],
            "currency": shelf.shop.currency,
            "opened": like(shelf.shop.id, found.product.id) if found.product else "",
            "source": (
                card(shelf.shop.id, found.product, _open(shelf, found.product.id))
                if found.product
                else None
            ),
            "most_bytes": self._most_bytes,
            "others": found.form.others + 1,
        }

    def _browser(self, shelf: Shelf) -> Browser:
        products = shelf.catalog.all()
        known = self._browsers.get(shelf.shop.id)
        if known is None or known.products is not products:
            known = self._browsers[shelf.shop.id] = Browser(products)
        return known

    def _shelf(self, request: Request) -> Shelf:
        return self._site.engine.shelf(str(request.path_params["shop"]))


def look_alike(shelf: Shelf, hit: PhotoHit) -> LookAlike:
    """A product that was found, its picture leading to its page in the shop."""
    shop, product = shelf.shop.id, hit.product
    shown = card(shop, named({product.id: product}, product.id), _open(shelf, product.id), hit.why)
    return LookAlike(shown, like(shop, product.id))


def examples(shelf: Shelf, turn: int) -> list[LookAlike]:
    """Products with a photo to start from, no two of one category while there are others."""
    kinds: dict[str, list[Product]] = {}
    for product in shelf.catalog.all().values():
        if product.has_photo and product.in_stock:
            kinds.setdefault(product.category, []).append(product)
    largest = sorted(kinds.values(), key=len, reverse=True)
    chosen: list[Product] = []
    for step in range(N_EXAMPLES):
        chosen += [kind[(turn + step * 7) * 13 % len(kind)] for kind in largest if step < len(kind)]
        if len(chosen) >= N_EXAMPLES:
            break
    unlike = list(dict.fromkeys(chosen))[:N_EXAMPLES]
    shop = shelf.shop.id
    found = [(named({p.id: p}, p.id), like(shop, p.id)) for p in unlike]
    return [LookAlike(card(shop, product, place), place) for product, place in found]


def missing(shelf: Shelf) -> dict[str, str]:
    """What a shop without searchable photos has to do first."""
    if not shelf.catalog.all():
        return {
            "headline": "Photos are searched once there are products.",
            "text": "Bring in the catalogue first, and then a photo for each product.",
            "command": "thinslice import --products PRODUCTS.csv --photos FOLDER-OR-ZIP",
        }
    if not shelf.photo_search.can_build():
        return {
            "headline": "No product has a photo yet.",
            "text": "A folder or a zip file of pictures is needed, each named by the id of its "
            f"product; there are {plural(len(shelf.catalog.all()), 'product')}.",
            "command": "thinslice import --photos FOLDER-OR-ZIP",
        }
    photos = sum(product.has_photo for product in shelf.catalog.all().values())
    return {
        "headline": "The photos are here, and nobody has looked at them yet.",
        "text": f"{plural(photos, 'photo')} will be compared with each other; this takes seconds "
        "for some thousand.",
        "command": "thinslice build --photos",
    }


async def _photo(sent: FormData) -> bytes:
    """The picture of whichever of the two fields has one."""
    for upload in sent.getlist("photo"):
        if isinstance(upload, UploadFile) and (data := await upload.read()):
            return data
    return b""


def _look(sent: Mapping[str, Any]) -> str:
    """The small picture that the page shows of what was asked, if it is one."""
    text = sent.get("look")
    if not isinstance(text, str) or len(text) > _MOST_LOOK:
        return ""
    try:
        is_jpeg = base64.b64decode(text, validate=True).startswith(b"\xff\xd8\xff")
    except ValueError:
        return ""
    return text if is_jpeg else ""


def _small(pixels: NDArray[np.uint8]) -> str:
    """What the encoder saw, as JPEG in base64."""
    return base64.b64encode(as_jpeg(pixels, LOOK_SIDE)).decode()


def _open(shelf: Shelf, product: str) -> str:
    return View(shelf.shop.id).opened(product).href
