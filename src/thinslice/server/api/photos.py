"""Find it by photo over HTTP: search by a photo or by a product, and ask what a photo shows."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from thinslice.domain import Shop, minor_digits
from thinslice.engine import Engine
from thinslice.errors import InputError
from thinslice.models.photos.classifier import PhotoTag
from thinslice.server.answers import answer
from thinslice.server.api.api import preflight
from thinslice.server.api.photo_schemas import (
    ClassifyImageAnswer,
    FoundProduct,
    LikelyLabel,
    PhotoLabel,
    SearchImageAnswer,
    SimilarAnswer,
)
from thinslice.server.decoding import DecodingPool
from thinslice.server.keys import Keys
from thinslice.server.pages.address import photo_address
from thinslice.server.photo_questions import (
    CLASSIFY,
    MOST_CHARACTERS,
    OF_A_PHOTO,
    PhotoDesk,
    region_of,
    wish_of,
)
from thinslice.shelf.photos.gallery import PhotoHit


class PhotosApi:
    """The handlers over one engine."""

    def __init__(self, engine: Engine, keys: Keys, decoders: DecodingPool) -> None:
        self._engine = engine
        self._keys = keys
        self._desk = PhotoDesk(engine, decoders)

    def routes(self) -> list[Route]:
        """To stand before the address of a product, which takes every longer address as its id."""
        routes = [
            Route("/v1/search/image", self.search, methods=["POST"]),
            Route("/v1/search", self.by_words, methods=["GET"]),
            Route("/v1/products/{product:path}/similar", self.similar, methods=["GET"]),
            Route("/v1/classify/image", self.classify, methods=["POST"]),
        ]
        asked_first = [Route(route.path, preflight, methods=["OPTIONS"]) for route in routes]
        return [*routes, *asked_first]

    async def search(self, request: Request) -> Response:
        """The products that look most like a photo."""
        caller = self._keys.caller(request.headers)
        said = dict(request.query_params)
        wish, region = wish_of(said, caller.shop.currency), region_of(said)
        found = await self._desk.search(
            caller.shop.id, await self._desk.photo_in(request), wish, region
        )
        return answer(
            SearchImageAnswer(_products(caller.shop, found.hits), _labels(found.tags), found.note),
            headers=caller.headers(),
        )

    async def similar(self, request: Request) -> Response:
        """The products that look most like one of the catalogue."""
        caller = self._keys.caller(request.headers)
        said = dict(request.query_params)
        if "region" in said:
            raise InputError("a region is of a photo that is sent, not of a product; leave it out")
        wish = wish_of(said, caller.shop.currency, n=8)
        hits = await self._desk.similar(caller.shop.id, request.path_params["product"], wish)
        return answer(SimilarAnswer(_products(caller.shop, hits)), headers=caller.headers())

    async def by_words(self, request: Request) -> Response:
        """The products that words describe; a photo is not needed."""
        caller = self._keys.caller(request.headers)
        said = dict(request.query_params)
        if unfit := [name for name in OF_A_PHOTO if name in said]:
            raise InputError(f"{unfit[0]} is for a photo, and here are words only; leave it out")
        wish = wish_of(said, caller.shop.currency)
        if not wish.text:
            raise InputError("a search by words needs some; say them as ?text=red+summer+dress")
        hits = await self._desk.by_words(caller.shop.id, wish)
        return answer(SimilarAnswer(_products(caller.shop, hits)), headers=caller.headers())

    async def classify(self, request: Request) -> Response:
        """What a photo shows, for the shop's own systems."""
        caller = self._keys.caller(request.headers, secret=True)
        said = dict(request.query_params)
        if unknown := [name for name in said if name not in CLASSIFY]:
            raise InputError(
                f"there is no parameter {unknown[0][:50]!r}; there are {', '.join(CLASSIFY)}"
            )
        shop, photo = caller.shop.id, await self._desk.photo_in(request)
        title, queue = said.get("title", "")[:MOST_CHARACTERS], said.get("queue") == "true"
        tags = await self._desk.classify(shop, photo, region_of(said), title=title, queue=queue)
        heads = self._engine.photo_search(shop).served().heads
        return answer(ClassifyImageAnswer(heads.version if heads else None, _labels(tags)))


def _products(shop: Shop, hits: Iterable[PhotoHit]) -> list[FoundProduct]:
    one = 10 ** minor_digits(shop.currency)
    return [
        FoundProduct(
            product_id=hit.product.id,
            title=hit.product.title,
            category=hit.product.category,
            price=None if hit.product.price_minor is None else hit.product.price_minor / one,
            currency=shop.currency,
            url=hit.product.url,
            photo=photo_address(shop.id, hit.product.id),
            score=round(hit.score, 4),
            why=hit.why,
            by_part={part: round(cosine, 4) for part, cosine in hit.by_part.items()},
        )
        for hit in hits
    ]


def _labels(tags: dict[str, PhotoTag]) -> list[PhotoLabel]:
    return [
        PhotoLabel(
            tag.attribute,
            tag.label,
            tag.confidence,
            tag.needs_person,
            [LikelyLabel(label, sure) for label, sure in tag.alternatives],
        )
        for tag in tags.values()
    ]
