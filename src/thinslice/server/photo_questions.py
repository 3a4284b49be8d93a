"""What is asked about a photo: the photo in a body, the wishes in an address, and the answer.

The parameters of an address say what is wished; what breaks a rule is told which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request

from thinslice.domain import Filters
from thinslice.errors import InputError
from thinslice.models.photos.classifier import PhotoTag
from thinslice.models.photos.pixels import Region, as_jpeg
from thinslice.server.decoding import DecodingPool
from thinslice.shelf.photos.gallery import PhotoHit, PhotoWish
from thinslice.shelf.photos.weights import balanced
from thinslice.store.wire_values import minor_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from thinslice.engine import Engine

WISHES = {
    "n": "How many products, 1 to 100; 24 where it is not said.",
    "category": "Only products of this category or below it.",
    "price_min": "Only products from this price on, in the shop's currency.",
    "price_max": "Only products up to this price.",
    "in_stock": "Whether only products in stock are shown: true, as it is, or false.",
    "text": "What it should be like, in words: what they describe comes first.",
    "words": "Only products with all of these words in title, brand or category.",
    "colour": "The same in this colour, whatever the colour of the photo.",
    "colour_share": "What counts, from 0 (shape) over 0.5 (as usual) to 1 (colour).",
    "weights": "What counts, by part: style:1,identity:0.7,shape:0.5,colour:0.35.",
    "region": "Only this part of the photo: left,top,width,height in shares of it.",
}
"""What may be said beside the photo, and what it means."""

OF_A_PHOTO = ("colour_share", "weights", "region")
"""What says nothing where only words are asked for."""

CLASSIFY = {
    "region": WISHES["region"],
    "title": "The product's title, to be read together with the photo.",
    "queue": "true keeps a photo that needs a person on the review list, made small.",
}
"""What may be said beside a photo that is classified."""

KEPT_SIDE = 320
"""Pixels of the side of a photo that is kept for a person to look at."""

MOST = 100
MOST_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class PhotoAnswer:
    """What was found for a photo, what the photo shows, and where results are rough, why."""

    hits: list[PhotoHit]
    tags: dict[str, PhotoTag]
    note: str


class PhotoDesk:
    """Answers questions about photos, for one event loop."""

    def __init__(self, engine: Engine, decoders: DecodingPool) -> None:
        self._engine = engine
        self._decoders = decoders

    async def photo_in(self, request: Request) -> bytes:
        """The photo of a body; BusyError before it is read where no more is taken on."""
        self._decoders.turns.check()
        return await photo_in(request)

    async def search(
        self, shop: str, photo: bytes, wish: PhotoWish, region: Region | None = None
    ) -> PhotoAnswer:
        """The products of a shop that look most like a photo, or a region of it.

        Raises InputError for what is no photo, NotFoundError before photos were indexed.
        """
        photos = self._engine.photo_search(shop)

        def ask() -> PhotoAnswer:
            vectors = photos.encode(pixels)
            quality = photos.served().meta["quality"]
            note = quality["sentence"] if quality["is_rough"] else ""
            return PhotoAnswer(photos.search(vectors, wish), photos.tag(vectors), note)

        with self._decoders.turns.turn():
            side = (await run_in_threadpool(photos.served)).encoder.side
            pixels = await self._decoders.decode(photo, side, region)
            return await run_in_threadpool(ask)

    async def classify(
        self,
        shop: str,
        photo: bytes,
        region: Region | None = None,
        *,
        title: str = "",
        queue: bool = False,
    ) -> dict[str, PhotoTag]:
        """What a photo shows: category, colour and more, as far as the shop's photos taught them;
        by photo and `title` together. `queue` has it looked at where it is not sure."""
        shelf = self._engine.shelf(shop)
        photos = shelf.photo_search

        def ask() -> dict[str, PhotoTag]:
            vectors = photos.encode(pixels)
            tags = photos.tag(vectors, title)
            if title and (both := shelf.photo_titles.tag(vectors, title)) is not None:
                tags["category"] = both
            return tags

        with self._decoders.turns.turn():
            side = (await run_in_threadpool(photos.served)).encoder.side
            pixels: NDArray[np.uint8] = await self._decoders.decode(photo, side, region)
            tags = await run_in_threadpool(ask)
            unsure = [tag.attribute for tag in tags.values() if tag.needs_person]
            if queue and unsure:
                seen = as_jpeg(await self._decoders.decode(photo, KEPT_SIDE, region))
                await run_in_threadpool(photos.decisions.wait, title, seen, unsure)
            return tags

    async def similar(self, shop: str, product: str, wish: PhotoWish) -> list[PhotoHit]:
        """The products that look most like one of the catalogue."""
        return await run_in_threadpool(self._engine.photo_search(shop).similar, product, wish)

    async def by_words(self, shop: str, wish: PhotoWish) -> list[PhotoHit]:
        """The products that the words of `wish.text` describe."""
        photos = self._engine.photo_search(shop)
        return await run_in_threadpool(photos.by_words, wish.text, wish)


async def photo_in(request: Request) -> bytes:
    """The photo of a body: the body itself, or the first file of a form. InputError for none."""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form(max_files=4, max_fields=20) as form:
            files = [value for value in form.values() if isinstance(value, UploadFile)]
            data = await files[0].read() if files else b""
    else:
        data = await request.body()
    if not data:
        raise InputError(
            "a body is a photo, or a form with one as a file, got an empty one; send a JPEG, PNG "
            "or WebP picture"
        )
    return data


def wish_of(said: Mapping[str, str], currency: str, n: int = 24) -> PhotoWish:
    """What is asked beside the photo, from the parameters of an address or the fields of a form.

    InputError names one that is not known or breaks its rule; one that is empty was not said.
    """
    unknown = [name for name in said if name not in WISHES]
    if unknown:
        raise InputError(
            f"there is no parameter {unknown[0][:50]!r}; there are {', '.join(WISHES)}"
        )
    wishes = {name: value.strip() for name, value in said.items() if value.strip()}
    weights = balanced(_number(wishes, "colour_share")) if "colour_share" in wishes else {}
    if "weights" in wishes:
        weights |= _weights(wishes["weights"])
    return PhotoWish(
        n=_count(wishes, n),
        weights=weights,
        filters=Filters(
            in_stock=_is_true(wishes.get("in_stock", "true")),
            category=wishes.get("category"),
            price_min_minor=minor_of(wishes.get("price_min"), "price_min", currency),
            price_max_minor=minor_of(wishes.get("price_max"), "price_max", currency),
        ),
        colour=wishes.get("colour"),
        words=wishes.get("words", "")[:200],
        text=wishes.get("text", "")[:200],
    )


def region_of(said: Mapping[str, str]) -> Region | None:
    """The region that was asked for, None for the whole photo."""
    text = said.get("region", "").strip()
    if not text:
        return None
    try:
        left, top, width, height = (float(value) for value in text.split(","))
    except ValueError:
        raise InputError(
            "a region is left,top,width,height in shares of the photo, such as 0.1,0.2,0.5,0.5, "
            f"got {text[:50]!r}; correct it"
        ) from None
    return Region(left, top, width, height)


def _count(wishes: Mapping[str, str], otherwise: int) -> int:
    n = _number(wishes, "n") if "n" in wishes else otherwise
    if not 1 <= n <= MOST or n != int(n):
        raise InputError(f"n is a whole number from 1 to {MOST}, got {n:g}; correct it")
    return int(n)


def _number(wishes: Mapping[str, str], name: str) -> float:
    try:
        return float(wishes[name])
    except ValueError:
        raise InputError(
            f"{name} is a number, got {wishes[name][:50]!r}; write it as 0.5"
        ) from None


def _weights(text: str) -> dict[str, float]:
    try:
        pairs = (pair.split(":") for pair in text.split(","))
        return {part.strip(): float(weight) for part, weight in pairs}
    except ValueError:
        raise InputError(
            f"weights are written as style:1,colour:0.5, got {text[:50]!r}; correct them"
        ) from None


def _is_true(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0", "on"):
        raise InputError(f"in_stock is true or false, got {text[:50]!r}; correct it")
    return text.lower() in ("true", "1", "on")
