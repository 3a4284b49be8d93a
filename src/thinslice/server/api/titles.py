"""Categories for titles over HTTP: one or many asked, and people's corrections kept.

Both need the secret key: they are for the shop's own systems, not for its pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from thinslice.errors import InputError
from thinslice.server.answers import answer
from thinslice.server.api.api import body_of, preflight
from thinslice.server.api.schemas import decode
from thinslice.server.api.title_schemas import (
    Alternative,
    ClassifyTitleAnswer,
    ClassifyTitleBody,
    CorrectTitlesAnswer,
    CorrectTitlesBody,
    SpokenWord,
    TitleCategory,
)
from thinslice.server.keys import Keys

if TYPE_CHECKING:
    from thinslice.engine import Engine
    from thinslice.models.titles.classifier import TitleAnswer, TitleClassifier

AT_ONCE = 20
"""Titles that are answered on the spot; more go to a thread, so that nobody else waits."""


class TitlesApi:
    """The handlers over one engine."""

    def __init__(self, engine: Engine, keys: Keys) -> None:
        self._engine = engine
        self._keys = keys

    def routes(self) -> list[Route]:
        return [
            Route("/v1/classify/title", self.classify, methods=["POST"]),
            Route("/v1/classify/title", preflight, methods=["OPTIONS"]),
            Route("/v1/corrections/title", self.correct, methods=["POST"]),
            Route("/v1/corrections/title", preflight, methods=["OPTIONS"]),
        ]

    async def classify(self, request: Request) -> Response:
        """The category of one title or of many."""
        body = decode(await body_of(request), ClassifyTitleBody)
        caller = self._keys.caller(request.headers, secret=True)
        titles = [body.title, *body.titles] if body.title is not None else body.titles
        if not titles:
            raise InputError(
                'a body has a title or titles, got neither; send {"title": "red table lamp"}'
            )
        model = self._engine.titles(caller.shop.id).model()
        if len(titles) > AT_ONCE:
            return _answer(model, await run_in_threadpool(model.classify_many, titles))
        return _answer(model, model.classify_many(titles))

    async def correct(self, request: Request) -> Response:
        """Keep corrections; answered when they are on disk."""
        body = decode(await body_of(request), CorrectTitlesBody)
        caller = self._keys.caller(request.headers, secret=True)
        said = [(c.title, c.category) for c in body.corrections]
        products = [c.product_id or "" for c in body.corrections]
        titles = self._engine.titles(caller.shop.id)

        def keep() -> int:
            return titles.correct(said, who=body.who, products=products)

        return answer(CorrectTitlesAnswer(await run_in_threadpool(keep)))


def _answer(model: TitleClassifier, found: list[TitleAnswer]) -> Response:
    return answer(ClassifyTitleAnswer(model.version, [_category(each) for each in found]))


def _category(found: TitleAnswer) -> TitleCategory:
    return TitleCategory(
        found.category,
        found.confidence,
        found.needs_person,
        found.verdict,
        found.why,
        found.likeliest,
        [Alternative(name, sure) for name, sure in found.alternatives],
        [SpokenWord(word, weight) for word, weight in found.words],
    )
