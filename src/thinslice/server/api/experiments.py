"""The API of experiments, for the shop's own servers: what there is; start, ramp, stop, kill."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from thinslice.domain import MICROSECONDS, Change, Experiment
from thinslice.server.answers import answer
from thinslice.server.api.schemas import (
    ChangeAnswer,
    ExperimentAnswer,
    ExperimentBody,
    ExperimentsAnswer,
    KillBody,
    RampBody,
    StopBody,
    VariantAnswer,
    decode,
)
from thinslice.server.keys import Keys

if TYPE_CHECKING:
    from thinslice.engine import Engine

BY_KEY = "secret key"
"""Who did it, where a request does not say."""


class ExperimentsApi:
    """Everything here needs the secret key. A change is in force everywhere within two seconds."""

    def __init__(self, engine: Engine, keys: Keys) -> None:
        self._engine = engine
        self._keys = keys

    def routes(self) -> list[Route]:
        one = "/v1/experiments/{experiment}"
        return [
            Route("/v1/experiments", self.every, methods=["GET"]),
            Route("/v1/experiments", self.start, methods=["POST"]),
            Route(one, self.show, methods=["GET"]),
            Route(f"{one}/ramp", self.ramp, methods=["POST"]),
            Route(f"{one}/stop", self.stop, methods=["POST"]),
            Route(f"{one}/kill", self.kill, methods=["POST"]),
        ]

    async def every(self, request: Request) -> Response:
        """All experiments of the shop, and its holdout."""
        shop = self._shop(request)
        control = self._engine.control
        known = await run_in_threadpool(control.experiments, shop)
        holdout = await run_in_threadpool(control.holdout, shop)
        return answer(ExperimentsAnswer([_as_answer(e) for e in known], holdout))

    async def show(self, request: Request) -> Response:
        """One experiment as it is."""
        return await self._as_it_is(self._shop(request), _experiment(request))

    async def start(self, request: Request) -> Response:
        """Begin an experiment."""
        shop = self._shop(request)
        body = decode(await request.body(), ExperimentBody)
        started = await run_in_threadpool(
            self._engine.start_experiment,
            shop,
            body.id,
            control=body.control,
            treatment=body.treatment,
            question=body.question,
            placement=body.placement,
            traffic=body.traffic,
            sequential=body.sequential,
            who=body.who or BY_KEY,
        )
        return answer(_as_answer(started))

    async def ramp(self, request: Request) -> Response:
        """Change the share of the visitors that take part."""
        shop, experiment = self._shop(request), _experiment(request)
        body = decode(await request.body(), RampBody)
        await run_in_threadpool(
            self._engine.control.ramp_experiment,
            *(shop, experiment, body.traffic),
            who=body.who or BY_KEY,
            why=body.why,
        )
        return await self._as_it_is(shop, experiment)

    async def stop(self, request: Request) -> Response:
        """End it; everyone keeps the control's list or is given the new one."""
        shop, experiment = self._shop(request), _experiment(request)
        body = decode(await request.body() or b"{}", StopBody)
        await run_in_threadpool(
            self._engine.stop_experiment,
            *(shop, experiment),
            ship=body.ship,
            who=body.who or BY_KEY,
            why=body.why,
        )
        return await self._as_it_is(shop, experiment)

    async def kill(self, request: Request) -> Response:
        """Everyone back to the control's list; needs no body."""
        shop, experiment = self._shop(request), _experiment(request)
        body = decode(await request.body() or b"{}", KillBody)
        await run_in_threadpool(
            self._engine.control.stop_experiment,
            *(shop, experiment),
            who=body.who or BY_KEY,
            why=body.why,
            killed=True,
        )
        return await self._as_it_is(shop, experiment)

    def _shop(self, request: Request) -> str:
        return self._keys.caller(request.headers, secret=True).shop.id

    async def _as_it_is(self, shop: str, experiment: str) -> Response:
        shelf = self._engine.shelf(shop)
        return answer(_as_answer(await run_in_threadpool(shelf.experiment, experiment)))


def _experiment(request: Request) -> str:
    return str(request.path_params["experiment"])


def _as_answer(e: Experiment) -> ExperimentAnswer:
    return ExperimentAnswer(
        id=e.id,
        question=e.question,
        placement=e.placement,
        state=e.state,
        traffic=e.traffic,
        variants=[VariantAnswer(v.name, v.policy, v.weight) for v in e.variants],
        after=e.after,
        sequential=e.sequential,
        planned_visitors=e.planned.visitors if e.planned else None,
        planned_per_day=e.planned.per_day if e.planned else None,
        changes=[_change(c) for c in e.changes],
    )


def _change(change: Change) -> ChangeAnswer:
    at = datetime.fromtimestamp(change.at_us // MICROSECONDS, UTC).isoformat()
    return ChangeAnswer(at, change.who, change.what, change.note, change.traffic)
