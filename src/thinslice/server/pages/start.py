"""Where are we? The seven steps from "do we have the data?" to "what is it worth?"."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from thinslice.domain import INCUMBENT, Shop
from thinslice.report.numbers import capital, day, plural, prose
from thinslice.server.access import viewer_of
from thinslice.server.pages.findings import read_out_headline
from thinslice.server.pages.site import STEPS

if TYPE_CHECKING:
    from thinslice.engine import Engine
    from thinslice.server.pages.site import Site
    from thinslice.shelf.shelf import Shelf

_LATEST = 500
"""Visits of pages that the first page looks back at."""


class StartPage:
    """The way in: the shops that a person may see, and the first page of each."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def shops(self, request: Request) -> Response:
        """The shops that this visitor may see; the only one is opened."""
        engine, viewer = self._site.engine, viewer_of(request)
        seen = [shop for shop in engine.control.shops() if viewer.sees(shop.id)]
        if len(seen) == 1:
            return RedirectResponse(f"/{seen[0].id}/", 303)
        return self._site.page(request, "shops.html", **all_shops(engine, seen))

    async def steps(self, request: Request) -> Response:
        """Where one shop stands on the path."""
        values = await asyncio.to_thread(
            path_of, self._site.engine, str(request.path_params["shop"])
        )
        return self._site.page(request, "start.html", **values)


@dataclass(frozen=True, slots=True)
class Found:
    """What a step has to say: whether it is done, its result in a sentence, what to run if not."""

    done: bool
    text: str
    command: str = ""


def path_of(engine: Engine, shop_id: str) -> dict[str, Any]:
    """The seven steps of one shop, as values of its first page."""
    shelf = engine.shelf(shop_id)
    several = len(engine.control.shops()) > 1
    option = f" --shop {shop_id}" if several else ""
    found = [
        _audit(shelf, option),
        _plan(engine, shop_id, option),
        _learned(shelf, option),
        _evaluated(engine, shelf, option),
        _tried(engine, shelf),
        _read_out(engine, shelf, option),
        _worth(shelf, option),
    ]
    upcoming = next((i for i, step in enumerate(found) if not step.done), None)
    steps = [
        {
            "key": page,
            "question": question,
            "href": f"/{shop_id}/{page}" if page != "learned" else "",
            "text": step.text,
            "command": step.command if not step.done else "",
            "state": "done" if step.done else "next" if i == upcoming else "",
            "also": _also(page, shop_id),
            "action": _ACTIONS[page] if page in _ACTIONS and (step.done or page == "shop") else "",
        }
        for i, ((page, question, _), step) in enumerate(zip(STEPS, found, strict=True))
    ]
    return {"steps": steps, "headline": _headline(found, upcoming)}


def all_shops(engine: Engine, shops: Sequence[Shop]) -> dict[str, Any]:
    """The shops that a person may open."""
    return {
        "shops": [
            {
                "shop": shop,
                "href": f"/{shop.id}/",
                "products": len(engine.shelf(shop.id).catalog.all()),
                "learned": engine.shelf(shop.id).model.get() is not None,
            }
            for shop in shops
        ]
    }


def _also(page: str, shop_id: str) -> list[dict[str, str]]:
    """The other pages of a step."""
    more = {
        "shop": {
            "photo": "Take a picture, and see the products that look like it",
            "title": "Which category a product title gets",
        },
        "report": {"money": "What a model's predictions are worth, with your own amounts"},
    }
    found = more.get(page, {})
    return [{"href": f"/{shop_id}/{name}", "label": label} for name, label in found.items()]


_ACTIONS = {"shop": "Try it as a visitor", "report": "Read the report"}


def _headline(found: Sequence[Found], upcoming: int | None) -> str:
    done = sum(step.done for step in found)
    if upcoming is None:
        return "All seven questions have an answer."
    if done == 0:
        return "Seven questions, from the first look at the data to what it is worth."
    question = STEPS[upcoming][1]
    are = "question is" if done == 1 else "questions are"
    return f"{_NUMBERS[done]} {are} answered. Next: {question[0].lower()}{question[1:]}"


_NUMBERS = ("None", "One", "Two", "Three", "Four", "Five", "Six", "Seven")


def _audit(shelf: Shelf, option: str) -> Found:
    audit = shelf.results.load("audit")
    if audit is None and shelf.model.get() is not None:
        return Found(
            False, "The data are in; nobody has looked at them yet.", f"thinslice audit{option}"
        )
    if audit is None:
        return Found(
            False,
            "Look at an export of clicks before anything else: what is there, what is missing, "
            "what can be done with it.",
            f"thinslice audit EVENTS.csv{option}",
        )
    sessions, events = audit.get("sessions"), audit.get("events")
    counted = " and ".join(
        plural(number, noun)
        for number, noun in ((events, "event"), (sessions, "visit"))
        if isinstance(number, int | float)
    )
    said = next(iter(audit.get("can") or []), "")
    return Found(True, f"{counted[:1].upper()}{counted[1:]}. {said}" if counted else str(said))


def _plan(engine: Engine, shop_id: str, option: str) -> Found:
    plan = engine.plan(shop_id)
    if plan is None:
        return Found(
            False,
            "Agree on it before the work: which number decides, what must not get worse, and what "
            "a click and an order are worth.",
            f"thinslice plan{option}",
        )
    on = day(plan.agreed_us) if getattr(plan, "agreed_us", None) else "an unknown day"
    return Found(True, f"Agreed on {on}: {plan.question}")


def _learned(shelf: Shelf, option: str) -> Found:
    bundle = shelf.model.get()
    products = len(shelf.catalog.all())
    if bundle is not None:
        return Found(True, f"{bundle.sentence()} {_catalogue(products)}".strip())
    if shelf.results.names() or products:
        return Found(
            False,
            f"{_catalogue(products)} Nothing is learned yet.".strip(),
            f"thinslice build{option}",
        )
    return Found(
        False,
        "Bring in the clicks and the products, then let the model learn from the visits.",
        f"thinslice import EVENTS.csv --products PRODUCTS.csv{option}",
    )


def _catalogue(products: int) -> str:
    return f"{plural(products, 'product')} in the catalogue." if products else ""


def _evaluated(engine: Engine, shelf: Shelf, option: str) -> Found:
    judgement = engine.judge_offline(shelf.shop.id)
    if judgement is None:
        return Found(
            False,
            "Predict the latest visits from the earlier ones, beside what is popular and what the "
            "shop shows today.",
            f"thinslice evaluate{option}",
        )
    return Found(True, capital(prose(str(judgement.to_dict()["sentence"]))))


def _tried(engine: Engine, shelf: Shelf) -> Found:
    if shelf.model.get() is None:
        return Found(False, "Click through the shop as a visitor; it needs a model first.")
    opened = engine.control.visits(shelf.shop.id, _LATEST)
    tried = [v for v in opened if v.page == "shop"]
    if not tried:
        return Found(False, "Click through the shop as someone nobody knows, and see what changes.")
    who = {v.who for v in tried}
    beside = (
        ""
        if INCUMBENT in shelf.catalog.list_names()
        else (
            " What the shop shows today is not known yet: thinslice import --incumbent LISTS.csv."
        )
    )
    often = plural(len(tried), "time") + (" or more" if len(opened) == _LATEST else "")
    return Found(True, f"Tried {often} by {plural(len(who), 'person', 'people')}.{beside}")


def _read_out(engine: Engine, shelf: Shelf, option: str) -> Found:
    experiments = engine.control.experiments(shelf.shop.id)
    if not experiments:
        return Found(
            False,
            "Only an experiment shows what a list causes: half of the visitors keep the list of "
            "today, half get the new one.",
            f"thinslice experiment start NAME{option}",
        )
    read = [(e, shelf.results.load(f"readout-{e.id}")) for e in experiments]
    said = [f"{r.get('sentence', '')}" for _, r in read if r]
    if not said:
        running = sum(e.stopped_us is None for e in experiments)
        return Found(
            False,
            f"{plural(len(experiments), 'experiment')}, {running} running, not read yet.",
            f"thinslice readout{option}",
        )
    if len(said) == 1:
        return Found(True, capital(prose(said[0])))
    return Found(True, read_out_headline([r.get("verdict") for _, r in read if r]))


def _worth(shelf: Shelf, option: str) -> Found:
    if any(name.startswith("readout-") for name in shelf.results.names()):
        return Found(True, "One page with the question, what was found, the verdict and the money.")
    return Found(
        False,
        "The report is open at any time; it states an amount of money once an experiment has shown "
        "an effect.",
        f"thinslice report{option}",
    )
