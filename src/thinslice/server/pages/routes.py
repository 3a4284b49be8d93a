"""Which address shows which page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from thinslice.errors import ThinsliceError
from thinslice.server.pages import files
from thinslice.server.pages.experiments import ExperimentPages
from thinslice.server.pages.feedback import FeedbackPage
from thinslice.server.pages.findings import FindingPages
from thinslice.server.pages.money import MoneyPage
from thinslice.server.pages.photo_review import PhotoReviewPage
from thinslice.server.pages.photo_search import PhotoPage
from thinslice.server.pages.photos import photo
from thinslice.server.pages.replay import ReplayPage
from thinslice.server.pages.rules import RulesPage
from thinslice.server.pages.share import SharePage
from thinslice.server.pages.site import Site
from thinslice.server.pages.start import StartPage
from thinslice.server.pages.storefront import Storefront
from thinslice.server.pages.title_bar import TitleBarPage
from thinslice.server.pages.title_review import TitleReviewPage
from thinslice.server.pages.titles import TitlePage

Handler = Callable[[Request], Awaitable[Response]]


def routes(site: Site) -> list[BaseRoute]:
    """Every page; `/static` holds the style and the few lines of script, which are no secret."""
    start, findings = StartPage(site), FindingPages(site)
    experiments = ExperimentPages(site, findings)
    feedback, share, money = FeedbackPage(site), SharePage(site), MoneyPage(site)
    title, title_review, title_bar = TitlePage(site), TitleReviewPage(site), TitleBarPage(site)

    by_photo, rules = PhotoPage(site), RulesPage(site)

    async def with_slash(request: Request) -> Response:
        shop = site.engine.shelf(str(request.path_params["shop"])).shop
        return RedirectResponse(f"/{shop.id}/", 308)

    async def photo_of(request: Request) -> Response:
        return photo(site.engine.shelf(str(request.path_params["shop"])), request)

    pages: dict[str, Handler] = {
        "": start.steps,
        "shop": Storefront(site),
        "rules": rules.show,
        "photo": by_photo.show,
        "photo/review": PhotoReviewPage(site).show,
        "title": title.show,
        "title/review": title_review.show,
        "title/bar": title_bar.show,
        "replay": ReplayPage(site),
        "audit": findings.audit,
        "plan": findings.plan,
        "evaluate": findings.evaluate,
        "readout": findings.readout,
        "money": money.show,
        "experiments": experiments.show,
        "report": findings.report,
        "feedback": feedback.read,
        "share": share.show,
    }
    forms: dict[str, Handler] = {
        "feedback": feedback.keep,
        "money": money.ask,
        "photo": by_photo.find,
        "title": title.ask,
        "title/table": title.table,
        "title/review": title_review.act,
        "title/bar": title_bar.agree,
        "share": share.make,
        "rules": rules.act,
        "audit": findings.look_again,
        "experiments": experiments.act,
    }
    return [
        Route("/", _told(site, start.shops)),
        Route("/static/{name}", files.static),
        Route("/{shop}", _told(site, with_slash)),
        *(Route(f"/{{shop}}/{name}", _told(site, page)) for name, page in pages.items()),
        *(
            Route(f"/{{shop}}/{name}", _told(site, form), methods=["POST"])
            for name, form in forms.items()
        ),
        Route("/{shop}/photos/{product:path}", _told(site, photo_of)),
    ]


def _told(site: Site, page: Handler) -> Handler:
    """The page, or the page that says what went wrong with it."""

    async def answer(request: Request) -> Response:
        try:
            return await page(request)
        except (ThinsliceError, HTTPException) as error:
            return site.problem(request, error)

    return answer
