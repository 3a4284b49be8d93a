"""The API that a shop plugs into its site: events in, recommendations out, products kept current.

Every address is listed in `openapi.py`. The handlers are raw Starlette over msgspec, since a
framework's checks would cost several times what the work itself does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import UnsetType
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from thinslice.domain import (
    Exposure,
    Filters,
    Product,
    Query,
    minor_digits,
)
from thinslice.engine import clock_us
from thinslice.errors import InputError, NotFoundError
from thinslice.server.acknowledge import Acknowledger
from thinslice.server.answers import answer
from thinslice.server.api.openapi import document
from thinslice.server.api.running import RunningVisit, running_visit
from thinslice.server.api.schemas import (
    BatchAnswer,
    FilterBody,
    ProductAnswer,
    ProductBody,
    ProductChange,
    ProductChangesBody,
    ProductsAnswer,
    ProductsBody,
    RecommendationsAnswer,
    RecommendationsBody,
    RecommendedProduct,
    RejectedEvent,
    RulingAnswer,
    decode,
    without_unset,
)
from thinslice.server.keys import Caller, Keys
from thinslice.server.pages.address import photo_address
from thinslice.server.preview import read_preview
from thinslice.store.rejected import RejectedEvents
from thinslice.store.wire import decode_batch, read_batch
from thinslice.store.wire_values import history_us, minor_of

if TYPE_CHECKING:
    from thinslice.engine import Engine
    from thinslice.shelf.shelf import Shelf
    from thinslice.store.log.writer import Writer

BATCH_EVENTS = 100
TRUSTED_BATCH_EVENTS = 1000

PREFLIGHT = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "authorization, content-type",
    "access-control-max-age": "600",
}
"""The answer to a browser's question in advance, which names no key: what a page may try. Whether
it may is decided by its key. Products are changed by servers, so PUT and PATCH are not in it."""


@dataclass(frozen=True, slots=True)
class Log:
    """The way of one worker's events to the disk."""

    writer: Writer
    acknowledger: Acknowledger


class Api:
    """The handlers over one engine; `log` gives the worker's writer once it runs."""

    def __init__(self, engine: Engine, keys: Keys, log: Callable[[], Log]) -> None:
        self._engine = engine
        self._keys = keys
        self._log = log

    def routes(self) -> list[Route]:
        routes = [
            Route("/v1/batch", self.batch, methods=["POST"]),
            Route("/v1/recommendations", self.recommend, methods=["POST"]),
            Route("/v1/products", self.put_products, methods=["PUT"]),
            Route("/v1/products", self.change_products, methods=["PATCH"]),
            Route("/v1/products/{product:path}", self.product, methods=["GET"]),
        ]
        asked_first = [Route(route.path, preflight, methods=["OPTIONS"]) for route in routes]
        return [*routes, *asked_first, Route("/openapi.json", _openapi)]

    async def batch(self, request: Request) -> Response:
        """Keep events; answered when they are on disk. Broken ones are set aside and named."""
        batch = decode_batch(await body_of(request))
        caller = self._keys.caller(request.headers, batch.write_key)
        allowed = TRUSTED_BATCH_EVENTS if caller.trusted else BATCH_EVENTS
        if len(batch.items) > allowed:
            raise InputError(
                f"a batch has at most {allowed} events, got {len(batch.items)}; send it in parts"
            )
        received_us = clock_us()
        events, rejected = read_batch(
            batch,
            received_us=received_us,
            trusted=caller.trusted,
            default_currency=caller.shop.currency,
            max_event_bytes=self._engine.settings.max_event_bytes,
        )
        if rejected:
            file = RejectedEvents(self._engine.directory.rejected(caller.shop.id))
            await run_in_threadpool(file.append, rejected, received_us)
        if events:
            await self._log().acknowledger.on_disk(caller.shop.id, events)
        return answer(
            BatchAnswer(
                accepted=len(batch.items) - len(rejected),
                rejected=[RejectedEvent(r.position, r.rule) for r in rejected],
            ),
            headers=caller.headers(),
        )

    async def recommend(self, request: Request) -> Response:
        """One explained list, recorded as an exposure without waiting for the disk."""
        wanted = decode(await body_of(request), RecommendationsBody)
        caller = self._keys.caller(request.headers, wanted.write_key)
        if not caller.trusted and (wanted.policy or wanted.timestamp or wanted.trace):
            raise HTTPException(
                403,
                "policy, timestamp and trace need the secret key, got a write key; leave them out",
            )
        query = await self._query(caller, wanted)
        now_us = None if wanted.timestamp is None else history_us(wanted.timestamp, clock_us())
        exposure = self._engine.recommend(caller.shop.id, query, now_us)
        self._log().writer.submit(caller.shop.id, [exposure.to_event()], None)
        shelf = self._engine.shelf(caller.shop.id)
        found = _recommendations(shelf, exposure)
        if wanted.trace:
            found.trace = [RulingAnswer(*ruling) for ruling in exposure.trace]
        return answer(found, headers=caller.headers())

    async def put_products(self, request: Request) -> Response:
        """Add products or replace those with the same id."""
        caller = self._keys.caller(request.headers, secret=True)
        body = decode(await body_of(request), ProductsBody)
        currency = caller.shop.currency
        products = [_product(p, currency) for p in body.products]
        catalog = self._engine.shelf(caller.shop.id).catalog
        await run_in_threadpool(catalog.upsert, products)
        return answer(ProductsAnswer(changed=len(products)))

    async def change_products(self, request: Request) -> Response:
        """Change the price, the stock or other fields of products that exist."""
        caller = self._keys.caller(request.headers, secret=True)
        body = decode(await body_of(request), ProductChangesBody)
        currency = caller.shop.currency
        changes = [(c.product_id, _changes(c, currency)) for c in body.products]
        catalog = self._engine.shelf(caller.shop.id).catalog
        unknown = await run_in_threadpool(catalog.patch_all, changes)
        return answer(ProductsAnswer(len(changes) - len(unknown), unknown))

    async def product(self, request: Request) -> Response:
        """A product as it stands."""
        caller = self._keys.caller(request.headers, secret=True)
        product_id = request.path_params["product"]
        product = self._engine.shelf(caller.shop.id).catalog.get(product_id)
        if product is None:
            raise NotFoundError(
                f"a product must be in the catalogue, there is no {product_id[:200]!r}; "
                "add it with PUT /v1/products"
            )
        return answer(_as_answer(caller, product))

    async def _query(self, caller: Caller, wanted: RecommendationsBody) -> Query:
        """What was asked, with the running session of the log where no products were sent."""
        visitor = wanted.visitor_id or wanted.anonymousId
        visit = RunningVisit(tuple(wanted.items or ()))
        if wanted.items is None and (visitor or wanted.session_id):
            visit = await run_in_threadpool(
                self._running_visit, caller.shop.id, visitor, wanted.session_id
            )
        bought = visit.bought | frozenset(wanted.bought)
        return Query(
            items=visit.items,
            n=wanted.n,
            visitor=visitor,
            session=wanted.session_id or None,
            filters=_filters(wanted.filters, caller.shop.currency),
            placement=wanted.placement,
            policy=wanted.policy,
            preview=self._preview(caller, wanted.preview) if wanted.preview else None,
            trace=wanted.trace,
            bought=frozenset() if self._engine.settings.buy_again else bought,
            cart=visit.cart | frozenset(wanted.cart),
            category=wanted.category or visit.category,
        )

    def _preview(self, caller: Caller, text: str) -> tuple[str, str]:
        secret = self._engine.control.signing_secret()
        return read_preview(text, secret, caller.shop.id, trusted=caller.trusted)

    def _running_visit(self, shop: str, visitor: str, session: str) -> RunningVisit:
        log = self._engine.log
        return running_visit(log.running_session(shop, visitor=visitor, session=session))


def _recommendations(shelf: Shelf, exposure: Exposure) -> RecommendationsAnswer:
    products, currency = shelf.catalog.all(), shelf.shop.currency
    shown = []
    for r in exposure.recommendations:
        product = products.get(r.product) or Product(r.product, "")
        shown.append(
            RecommendedProduct(
                product_id=r.product,
                title=product.title,
                category=product.category,
                price=_major(product.price_minor, currency),
                currency=currency,
                url=product.url,
                photo=photo_address(shelf.shop.id, r.product) if product.has_photo else None,
                score=r.score,
                reason=r.reason,
                because=r.because,
                source=r.source,
            )
        )
    return RecommendationsAnswer(
        exposure_id=exposure.id,
        model_version=exposure.model_version,
        policy=exposure.policy,
        experiment=exposure.experiment if exposure.counts else None,
        variant=exposure.variant if exposure.counts else None,
        left_out=exposure.left_out,
        note=exposure.note,
        products=shown,
    )


def _filters(body: FilterBody, currency: str) -> Filters:
    return Filters(
        in_stock=body.in_stock,
        category=body.category,
        price_min_minor=minor_of(body.price_min, "price_min", currency),
        price_max_minor=minor_of(body.price_max, "price_max", currency),
        exclude=frozenset(body.exclude),
    )


def _product(body: ProductBody, currency: str) -> Product:
    return Product(
        id=body.product_id,
        title=body.title,
        category=body.category,
        brand=body.brand,
        colour=body.colour,
        price_minor=minor_of(body.price, "price", currency),
        stock=body.stock,
        url=body.url,
        hidden=body.hidden,
        cost_minor=minor_of(body.cost, "cost", currency),
        attributes=tuple(sorted(body.attributes.items())),
    )


def _changes(change: ProductChange, currency: str) -> dict[str, object]:
    fields = without_unset(
        change,
        ("title", "category", "brand", "colour", "price", "cost", "stock", "url", "hidden")
        + ("attributes",),
    )
    if not isinstance(change.attributes, UnsetType):
        fields["attributes"] = tuple(sorted(change.attributes.items()))
    for name in fields.keys() & {"price", "cost"}:
        fields[f"{name}_minor"] = minor_of(fields.pop(name), name, currency)
    return fields


def _as_answer(caller: Caller, product: Product) -> ProductAnswer:
    currency = caller.shop.currency
    return ProductAnswer(
        product_id=product.id,
        title=product.title,
        category=product.category,
        brand=product.brand,
        colour=product.colour,
        price=_major(product.price_minor, currency),
        currency=currency,
        stock=product.stock,
        url=product.url,
        photo=photo_address(caller.shop.id, product.id) if product.has_photo else None,
        hidden=product.hidden,
        attributes=dict(product.attributes),
    )


def _major(minor: int | None, currency: str) -> float | None:
    return None if minor is None else minor / 10 ** minor_digits(currency)


async def body_of(request: Request) -> bytes:
    """The body, of any content type: browsers send text/plain to be spared a preflight."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() not in ("identity", ""):
        raise HTTPException(
            415, f"a body is sent as it is, got {encoding[:50]}; do not compress it"
        )
    return await request.body()


async def preflight(_: Request) -> Response:
    return Response(status_code=204, headers=PREFLIGHT)


async def _openapi(_: Request) -> Response:
    return answer(document())
