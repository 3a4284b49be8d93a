"""The API of the rules that every list keeps to, for the shop's own servers."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from thinslice.domain import MICROSECONDS, ListRules, RulesChange
from thinslice.ranking.rule_words import told
from thinslice.server.answers import answer
from thinslice.server.api.experiments import BY_KEY
from thinslice.server.api.schemas import (
    RulesAnswer,
    RulesBody,
    RulesChangeAnswer,
    decode,
    without_unset,
)
from thinslice.server.keys import Keys

if TYPE_CHECKING:
    from thinslice.engine import Engine

_FIELDS = tuple(field.name for field in fields(ListRules))


class RulesApi:
    """Everything here needs the secret key. A change is in force everywhere within two seconds."""

    def __init__(self, engine: Engine, keys: Keys) -> None:
        self._engine = engine
        self._keys = keys

    def routes(self) -> list[Route]:
        return [
            Route("/v1/rules", self.show, methods=["GET"]),
            Route("/v1/rules", self.change, methods=["PATCH"]),
        ]

    async def show(self, request: Request) -> Response:
        """The rules in force and their history."""
        shop = self._keys.caller(request.headers, secret=True).shop.id
        return answer(await run_in_threadpool(self._as_it_is, shop))

    async def change(self, request: Request) -> Response:
        """Change those that are sent; the others stay."""
        shop = self._keys.caller(request.headers, secret=True).shop.id
        body = decode(await request.body(), RulesBody)
        sent = without_unset(body, _FIELDS)
        changes: dict[str, Any] = {
            n: tuple(v) if isinstance(v, list) else v for n, v in sent.items()
        }
        await run_in_threadpool(
            self._engine.shelf(shop).change_rules,
            lambda before: replace(before, **changes),
            who=body.who or BY_KEY,
            why=body.why,
        )
        return answer(await run_in_threadpool(self._as_it_is, shop))

    def _as_it_is(self, shop: str) -> RulesAnswer:
        history = self._engine.control.rules_history(shop)
        rules = history[-1].rules if history else ListRules()
        products = self._engine.shelf(shop).catalog.all()
        return RulesAnswer(
            pinned=list(rules.pinned),
            buried=list(rules.buried),
            price_from=rules.price_from,
            price_to=rules.price_to,
            most_of_category=rules.most_of_category,
            least_categories=rules.least_categories,
            no_near_duplicates=rules.no_near_duplicates,
            objective=rules.objective,
            history=[
                RulesChangeAnswer(_time(change), change.who, change.why, list(did))
                for change, did in told(history, products)
            ],
        )


def _time(change: RulesChange) -> str:
    return datetime.fromtimestamp(change.at_us // MICROSECONDS, UTC).isoformat()
