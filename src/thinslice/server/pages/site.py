"""What every page shows: the engine behind the pages, and the templates in front of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import ChoiceLoader, Environment, PackageLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from thinslice.errors import ThinsliceError
from thinslice.report.locales import ENGLISH, Marks, marks_of
from thinslice.report.page import environment as report_environment
from thinslice.server.access import viewer_of
from thinslice.server.decoding import DecodingPool
from thinslice.server.pages import files, problems, words

if TYPE_CHECKING:
    from thinslice.domain import Shop
    from thinslice.engine import Engine

STEPS = (
    ("audit", "Do we have the data?", "The data"),
    ("plan", "What would count as success?", "The plan"),
    ("learned", "What can be learned from it?", "Learning"),
    ("evaluate", "Would it have worked?", "Looking back"),
    ("shop", "What does a visitor see?", "Try it"),
    ("readout", "Did it work, and did it hurt anything?", "Experiments"),
    ("report", "What is it worth?", "The report"),
)
"""The path: the page of each step, its question, and its name where there is little room."""

_STEP_OF = {"replay": "evaluate", "experiments": "readout", "rules": "shop"}


class Site:
    """The engine behind the pages, and the templates in front of it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.decoders = DecodingPool()
        self._templates: dict[Marks, Environment] = {}

    def templates_in(self, locale: str) -> Environment:
        """The templates, numbers written as the locale does; loaded once for each way."""
        marks = marks_of(locale)
        if marks not in self._templates:
            self._templates[marks] = environment(marks)
        return self._templates[marks]

    def page(
        self, request: Request, template: str, locale: str = "en", **values: Any
    ) -> HTMLResponse:
        """One page of a shop, or of none."""
        values = {**self._house(request), **values}
        return HTMLResponse(self.templates_in(locale).get_template(template).render(values))

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
        page = request.url.path.strip("/").partition("/")[2]
        return {
            "shop": shop,
            "home": home,
            "nav": navigation(home) if shop else [],
            "footer": footer(home, may_change) if shop else [],
            "may_change": may_change,
            "current": _STEP_OF.get(page, page.partition("/")[0]),
            "address": address[:2000],
            "icon": files.address("icon.svg"),
            "style": files.address("thinslice.css"),
            "page_style": files.address("pages.css"),
            "script": files.address("pages.js"),
            "money_script": files.address("money.js"),
            "title_script": files.address("title.js"),
            "photo_script": files.address("photo.js"),
            "photo_style": files.address("photo.css"),
            "review_script": files.address("title_review.js"),
        }

    def _shop_of(self, request: Request) -> Shop | None:
        shop = request.scope.get("path_params", {}).get("shop")
        try:
            return self.engine.shelf(shop).shop if shop else None
        except ThinsliceError:
            return None


def environment(marks: Marks = ENGLISH) -> Environment:
    """The templates: those of the pages, and those that they share with the report."""
    found = report_environment(marks)
    assert found.loader is not None
    own = PackageLoader("thinslice.server", "templates")
    found.loader = ChoiceLoader([own, found.loader])
    found.filters["shorten"] = words.shorten
    return found


def navigation(home: str) -> list[dict[str, Any]]:
    """The seven steps as links; learning has no page of its own, it is told on the first one.

    Trying has two more pages, photos and titles; the last step the money of predictions.
    """
    more = {
        "shop": (("photo", "By photo"), ("title", "Titles")),
        "report": (("money", "Money"),),
    }
    found: list[dict[str, Any]] = []
    for page, _, name in STEPS:
        place = home + (page if page != "learned" else "#learned")
        found.append({"key": page, "label": name, "href": place})
        for key, label in more.get(page, ()):
            found.append({"key": key, "label": label, "href": home + key, "no": False})
    return found


def footer(home: str, may_share: bool) -> list[dict[str, str]]:
    """The pages that are no step of the path."""
    share = [{"label": "Show it to a colleague", "href": f"{home}share"}] if may_share else []
    return [
        {"label": "All steps", "href": home},
        {"label": "Rules of the lists", "href": f"{home}rules"},
        {"label": "What was tried", "href": f"{home}experiments"},
        {"label": "A real visit, step by step", "href": f"{home}replay"},
        {"label": "What people said", "href": f"{home}feedback"},
        *share,
    ]
