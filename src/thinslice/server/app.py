"""One worker: the engine, its writer, and everything that answers over them.

request -> Door -> Gate (503, 413) -> Straight -> events, lists and titles
                                          └-> PageGate (who may see it) -> NoteVisits
                                                                        -> API and pages
"""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from thinslice.config import Settings
from thinslice.engine import Engine
from thinslice.errors import ThinsliceError
from thinslice.server.access import PageGate
from thinslice.server.acknowledge import Acknowledger
from thinslice.server.admission import READABLE_ELSEWHERE, Gate
from thinslice.server.answers import answer, explain
from thinslice.server.api.api import Api, Log
from thinslice.server.api.experiments import ExperimentsApi
from thinslice.server.api.photos import PhotosApi
from thinslice.server.api.rules import RulesApi
from thinslice.server.api.titles import TitlesApi
from thinslice.server.keys import Keys
from thinslice.server.pages import money
from thinslice.server.pages.routes import routes
from thinslice.server.pages.site import Site
from thinslice.server.straight import Straight
from thinslice.server.visits import NoteVisits, VisitBook

DISK_FLOOR_BYTES = 100_000_000
"""Free space below which a worker says that it is not ready."""

_JSON_PATHS = ("/v1/", "/healthz", "/readyz", "/openapi.json")
_log = logging.getLogger(__name__)


def create_app() -> ASGIApp:
    """The factory that the server calls in each worker; the settings come from its environment."""
    return Worker(Engine(Settings())).asgi()


class Worker:
    """What one process keeps while it serves."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.keys = Keys(engine.control)
        self.visits = VisitBook(engine.control, self.keys.take_used)
        self.site = Site(engine)
        self._log: Log | None = None

    def asgi(self) -> ASGIApp:
        api = Api(self.engine, self.keys, self._running_log)
        titles = TitlesApi(self.engine, self.keys)
        app = Starlette(
            routes=[
                Route("/healthz", self.health),
                Route("/readyz", self.ready),
                *PhotosApi(self.engine, self.keys, self.site.decoders).routes(),
                *api.routes(),
                *titles.routes(),
                *ExperimentsApi(self.engine, self.keys).routes(),
                *RulesApi(self.engine, self.keys).routes(),
                *routes(self.site),
            ],
            lifespan=self.lifespan,
            exception_handlers={
                HTTPException: self.problem,
                ThinsliceError: self.problem,
                Exception: self.problem,
            },
        )
        pages = PageGate(
            NoteVisits(app, self.visits), lambda: self.engine.control, self.site.sign_in
        )
        straight = {
            ("POST", "/v1/batch"): api.batch,
            ("POST", "/v1/recommendations"): api.recommend,
            ("POST", "/v1/classify/title"): titles.classify,
        }
        return Gate(
            Straight(pages, straight, self.problem),
            self.engine.settings,
            self._waiting_lines,
            self.site.decoders.turns,
        )

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Warm up, write, and at the end flush what waits."""
        end_with_parent()
        await run_in_threadpool(self._warm_up)
        writer = self.engine.log.writer(on_error=_say)
        self._log = Log(writer, Acknowledger(writer, asyncio.get_running_loop()))
        self.visits.start()
        follower = self.engine.follow()
        follower.start()
        if await run_in_threadpool(self._has_photos):
            self.site.decoders.start()
        try:
            yield
        finally:
            await self.site.decoders.close()
            await run_in_threadpool(follower.close)
            await run_in_threadpool(writer.close)
            await run_in_threadpool(self.visits.close)

    def _has_photos(self) -> bool:
        """Whether anyone may send a photo soon."""
        engine = self.engine
        return any(engine.photo_search(shop.id).is_built() for shop in engine.control.shops())

    async def health(self, _: Request) -> Response:
        """The process answers."""
        return answer({"status": "ok", "process": os.getpid()})

    async def ready(self, _: Request) -> Response:
        """It can do its work: events can be written, and there is room for them."""
        problems = await run_in_threadpool(self._problems)
        return answer(
            {"status": "not ready" if problems else "ready", "problems": problems},
            503 if problems else 200,
        )

    def problem(self, request: Request, error: Exception) -> Response:
        """What went wrong, as JSON or as a page."""
        if request.scope["path"].startswith(_JSON_PATHS):
            response = explain(error)
            if response.status_code not in (401, 403):
                response.headers.update(READABLE_ELSEWHERE)
            return response
        return self.site.problem(request, error)

    def _problems(self) -> list[str]:
        found = []
        if self._log is None or not self._log.writer.is_alive():
            found.append("the writer of events is not running; restart the service")
        root = self.engine.directory.root
        if not os.access(root, os.W_OK):
            found.append(f"{root} cannot be written; look at its permissions")
        if (free := shutil.disk_usage(root).free) < DISK_FLOOR_BYTES:
            found.append(f"{free:,} bytes are free on the disk of {root}; make room")
        return found

    def _warm_up(self) -> None:
        """Answer one query with every shop's model, and one about money, before anyone waits.

        What is loaded then stays: the garbage collector need not look at it again and again.
        """
        for shop in self.engine.control.shops():
            try:
                self.engine.shelf(shop.id).ranker().warm_up()
                self.engine.titles(shop.id).is_learned()
                self.engine.photo_search(shop.id).warm_up()
            except ThinsliceError as error:
                _log.warning("shop %s is served without its model: %s", shop.id, error)
        money.warm_up(self.site)
        gc.collect()
        gc.freeze()

    def _running_log(self) -> Log:
        assert self._log is not None, "no request comes before the start"
        return self._log

    def _waiting_lines(self) -> int:
        return self._log.writer.waiting if self._log else 0


def end_with_parent() -> None:
    """Stop this process in order when the one that started it is gone."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="watch parent", daemon=True).start()


def _say(error: Exception) -> None:
    _log.error("an exposure could not be written: %s", error)
