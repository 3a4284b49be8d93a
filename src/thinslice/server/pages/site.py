"""The pages of all shops: their addresses, their templates and what every one of them shows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from jinja2 import ChoiceLoader, Environment, PackageLoader
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from thinslice.errors import ThinsliceError
from thinslice.report.page import environment as report_environment
from thinslice.server.access import viewer_of
from thinslice.server.pages import files, problems, words
from thinslice.server.pages.feedback import FeedbackPage
from thinslice.server.pages.findings import FindingPages
from thinslice.server.pages.photos import photo
from thinslice.server.pages.replay import ReplayPage
from thinslice.server.pages.share import SharePage
from thinslice.server.pages.start import STEPS, all_shops, path_of
from thinslice.server.pages.storefront import Storefront

if TYPE_CHECKING:
    from thinslice.domain import Shop
    from thinslice.engine import Engine

Handler = Callable[[Request], Awaitable[Response]]


def routes(engine: Engine) -> list[BaseRoute]:
    """Every page; `/static` holds the style and the few lines of script, which are no secret."""
    return Site(engine).routes()


class Site:
    """The engine behind the pages, and the templates in front of it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.templates = environment()

    def routes(self) -> list[BaseRoute]:
        findings, feedback, share = FindingPages(self), FeedbackPage(self), SharePage(self)
        pages: dict[str, Handler] = {
            "": self.start,
            "shop": Storefront(self),
            "replay": ReplayPage(self),
            "audit": findings.audit,
            "plan": findings.plan,
            "evaluate": findings.evaluate,
            "readout": findings.readout,
            "report": findings.report,
            "feedback": feedback.read,
            "share": share.show,
        }
        return [
            Route("/", self._told(self.shops)),
            Route("/static/{name}", files.static),
            Route("/{shop}", self._told(self.with_slash)),
            *(Route(f"/{{shop}}/{name}", self._told(page)) for name, page in pages.items()),
            Route("/{shop}/feedback", self._told(feedback.keep), methods=["POST"]),
            Route("/{shop}/share", self._told(share.make), methods=["POST"]),
            Route("/{shop}/audit", self._told(findings.look_again), methods=["POST"]),
            Route("/{shop}/photos/{product:path}", self._told(self.photo)),
        ]

    async def shops(self, request: Request) -> Response:
        """The shops that this visitor may see; the only one is opened."""
        viewer = viewer_of(request)
        seen = [shop for shop in self.engine.control.shops() if viewer.sees(shop.id)]
        if len(seen) == 1:
            return RedirectResponse(f"/{seen[0].id}/", 303)
        return self.page(request, "shops.html", **all_shops(self.engine, seen))

    async def start(self, request: Request) -> Response:
        values = await asyncio.to_thread(path_of, self.engine, _shop_id(request))
        return self.page(request, "start.html", **values)

    async def photo(self, request: Request) -> Response:
        return photo(self.engine.shelf(_shop_id(request)), request)

    async def with_slash(self, request: Request) -> Response:
        self.engine.shelf(_shop_id(request))
        return RedirectResponse(f"/{_shop_id(request)}/", 308)

    def page(self, request: Request, template: str, **values: Any) -> HTMLResponse:
        """One page of a shop, or of none."""
        values = {**self._house(request), **values}
        return HTMLResponse(self.templates.get_template(template).render(values))

    def problem(self, request: Request, error: Exception) -> Response:
        """What went wrong, in plain words and in the style of the other pages."""
        values = problems.explain(error)
        answer = self.page(request, "problem.html", **values)
        answer.status_code = int(values["status"])
        answer.headers.update(problems.headers_of(error))
        return answer

    def sign_in(self, request: Request, message: str) -> Response:
        """How to get in, for someone whom nothing has let in yet."""
        return self.page(request, "sign_in.html", **problems.sign_in(request, message))

    def _house(self, request: Request) -> dict[str, Any]:
        """What every page needs; nothing of the shop for someone who may not see it."""
        viewer = viewer_of(request)
        shop = self._shop_of(request)
        address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        shop = shop if shop and viewer.sees(shop.id) else None
        home = f"/{shop.id}/" if shop else "/"
        may_change = shop is not None and viewer.changes(shop.id)
        page = request.url.path.rstrip("/").rpartition("/")[2]
        return {
            "shop": shop,
            "home": home,
            "nav": navigation(home) if shop else [],
            "footer": footer(home, may_change) if shop else [],
            "may_change": may_change,
            "current": "evaluate" if page == "replay" else page,
            "address": address[:2000],
            "icon": files.address("icon.svg"),
            "style": files.address("thinslice.css"),
            "page_style": files.address("pages.css"),
            "script": files.address("pages.js"),
        }

    def _shop_of(self, request: Request) -> Shop | None:
        shop = request.scope.get("path_params", {}).get("shop")
        try:
            return self.engine.shelf(shop).shop if shop else None
        except ThinsliceError:
            return None

    def _told(self, page: Handler) -> Handler:
        """The page, or the page that says what went wrong with it."""

        async def answer(request: Request) -> Response:
            try:
                return await page(request)
            except (ThinsliceError, HTTPException) as error:
                return self.problem(request, error)

        return answer


def environment() -> Environment:
    """The templates: those of the pages, and those that they share with the report."""
    found = report_environment()
    assert found.loader is not None
    own = PackageLoader("thinslice.server", "templates")
    found.loader = ChoiceLoader([own, found.loader])
    found.filters["shorten"] = words.shorten
    return found


def navigation(home: str) -> list[dict[str, str]]:
    """The seven steps as links; learning has no page of its own, it is told on the first one."""
    return [
        {"key": page, "label": name, "href": home + (page if page != "learned" else "#learned")}
        for page, _, name in STEPS
    ]


def footer(home: str, may_share: bool) -> list[dict[str, str]]:
    """The pages that are no step of the path."""
    share = [{"label": "Show it to a colleague", "href": f"{home}share"}] if may_share else []
    return [
        {"label": "All steps", "href": home},
        {"label": "A real visit, step by step", "href": f"{home}replay"},
        {"label": "What people said", "href": f"{home}feedback"},
        *share,
    ]


def _shop_id(request: Request) -> str:
    return str(request.path_params["shop"])
