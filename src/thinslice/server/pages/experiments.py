"""The log of experiments, and the forms that start, ramp, pause, stop, kill and conclude one.

That a form comes from one of our own pages is checked at the gate (`access.py`); that its sender
may change anything, here.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from thinslice.domain import SESSION, policy_name
from thinslice.errors import AccessError, InputError
from thinslice.outcomes.readouts.track_record import offline_difference
from thinslice.report.drawing import change_range
from thinslice.report.numbers import capital, plural
from thinslice.server.access import viewer_of
from thinslice.server.pages.findings import FindingPages
from thinslice.server.pages.words import count

if TYPE_CHECKING:
    from thinslice.engine import Engine
    from thinslice.server.pages.site import Site

_MAX_BODY = 24_000
Form = Mapping[str, str]


class ExperimentPages:
    """What was tried, and running what is being tried."""

    def __init__(self, site: Site, findings: FindingPages) -> None:
        self._site = site
        self._findings = findings

    async def show(self, request: Request) -> Response:
        """The log, and where one may, the form that starts another."""
        return await self._page(request)

    async def act(self, request: Request) -> Response:
        """Do what a form asks for, and show what came of it."""
        shop = str(request.path_params["shop"])
        viewer = viewer_of(request)
        if not viewer.changes(shop):
            raise AccessError("a link opens the pages for reading; the shop's key may do more")
        form = fields_of((await request.body())[:_MAX_BODY])
        try:
            await asyncio.to_thread(_do, self._site.engine, shop, form, viewer.who(shop))
        except InputError as error:
            answer = await self._page(request, str(error), form)
            answer.status_code = 400
            return answer
        experiment = form.get("experiment") or form.get("id")
        if not experiment:
            return RedirectResponse(f"/{shop}/experiments", 303)
        return RedirectResponse(f"/{shop}/readout?experiment={quote(experiment)}", 303)

    async def _page(self, request: Request, wrong: str = "", form: Form | None = None) -> Response:
        shop = str(request.path_params["shop"])
        engine = self._site.engine
        found = await self._findings.found(shop)
        log = [_line(r) for r in reversed(found["readouts"])]
        return self._site.page(
            request,
            "experiments.html",
            headline=headline([r["state"] for r in found["readouts"]]),
            log=log,
            track_record=found["track_record"],
            holdout=await asyncio.to_thread(engine.control.holdout, shop),
            makers=_makers(engine, shop),
            wrong=wrong,
            form=form or {},
        )


def headline(states: list[str]) -> str:
    """How many there are, in one sentence.

    >>> headline([]), headline(["stopped", "running", "stopped"])
    ('Nothing has been tried yet.', 'Three experiments: one runs, two are over.')
    >>> headline(["stopped", "stopped"])
    'Two experiments: both are over.'
    """
    if not states:
        return "Nothing has been tried yet."
    said = [
        f"{count(n)} {one if n == 1 else many}"
        for state, one, many in (
            ("running", "runs", "run"),
            ("paused", "is paused", "are paused"),
            ("stopped", "is over", "are over"),
        )
        if (n := states.count(state))
    ]
    noun = "experiment" if len(states) == 1 else "experiments"
    if len(said) == 1 and len(states) > 1:
        said = [f"{'both' if len(states) == 2 else 'all'} {said[0].split(' ', 1)[1]}"]
    return f"{capital(count(len(states)))} {noun}: {', '.join(said)}."


def _do(engine: Engine, shop: str, form: Form, who: str) -> None:
    """One action, by the name that its form gives it."""
    control, name, why = engine.control, form.get("experiment", ""), form.get("why", "")
    match form.get("act"):
        case "start":
            engine.start_experiment(
                shop,
                form.get("id", ""),
                control=form.get("control", ""),
                treatment=form.get("treatment", ""),
                question=form.get("question", "")[:300],
                placement=form.get("placement", "")[:63] or "product",
                traffic=_share(form, "traffic"),
                sequential=form.get("once") != "yes",
                who=who,
            )
        case "ramp":
            control.ramp_experiment(shop, name, _share(form, "traffic"), who=who, why=why)
        case "pause":
            control.ramp_experiment(shop, name, 0, who=who, why=why)
        case "stop":
            ship = form.get("after") == "ship"
            engine.stop_experiment(shop, name, ship=ship, who=who, why=why)
        case "kill":
            control.stop_experiment(shop, name, who=who, why=why, killed=True)
        case "learned":
            control.conclude_experiment(shop, name, form.get("text", ""), who=who)
        case "holdout":
            control.set_holdout(shop, _share(form, "share"), who)
        case act:
            raise InputError(
                f"a form must say what it asks for, got {str(act)[:40]!r}; open the page again"
            )


def _share(form: Form, field: str) -> float:
    """A percentage that someone typed, as a share."""
    typed = form.get(field, "")
    try:
        percent = float(typed.replace(",", ".").replace("%", "").strip())
    except ValueError:
        percent = math.nan
    if not 0 <= percent <= 100:
        raise InputError(
            f"a percentage is a number from 0 to 100 such as 5 or 12.5, got {typed[:40]!r}; type "
            "it again"
        )
    return percent / 100


def _makers(engine: Engine, shop: str) -> list[tuple[str, str]]:
    """The list makers that there are, by what they are called."""
    known = engine.shelf(shop).ranker().recommenders
    first = sorted(known, key=lambda policy: (not policy.startswith("list:"), policy != SESSION))
    return [(policy, capital(policy_name(policy))) for policy in first]


def _line(r: Mapping[str, Any]) -> dict[str, Any]:
    """One experiment as a line of the log."""
    deciding = next(row for row in r["rows"] if row["is_deciding"])
    known = r["srm"]["ok"] and deciding["change"] != "unknown"
    started = r["period"]["start_us"]
    return {
        "id": r["experiment"],
        "question": r["question"] or r["experiment"],
        "arms": f"{capital(r['treatment'])} against {r['control']}, "
        f"{plural(sum(v['visitors'] for v in r['variants']), 'visitor')}",
        "started_us": started,
        "stopped_us": r["period"]["end_us"] if r["state"] == "stopped" else None,
        "state": r["state"],
        "traffic": r["traffic"],
        "after": r["after"],
        "verdict": r["judgement"]["verdict"] or "no verdict",
        "effect": change_range(deciding) if known else "",
        "kpi": deciding["label"],
        "offline": offline_difference(r),
        "learned": r["learned"],
    }


def fields_of(body: bytes) -> dict[str, str]:
    """What was sent by a form, each field once."""
    found = parse_qs(body.decode("utf-8", "replace"), max_num_fields=50)
    return {name: values[0].strip() for name, values in found.items()}
