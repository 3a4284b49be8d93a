"""The data, the plan, the comparison, the experiments and the report, drawn as in the report."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from thinslice.domain import Verdict
from thinslice.errors import AccessError, NotEnoughDataError, NotFoundError
from thinslice.report.page import context, csp, page
from thinslice.server.access import viewer_of
from thinslice.server.pages.words import count

if TYPE_CHECKING:
    from thinslice.engine import Engine
    from thinslice.server.pages.site import Site

_FRESH_S = 10.0
_REST = 10.0
"""Findings are good for ten seconds, or for ten times as long as they took to compute."""

Findings = dict[str, Any]


class FindingPages:
    """Pages over what the engine has found out; what takes long is computed once for everyone."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._findings = Kept(site.engine.findings)
        self._done: dict[str, tuple[tuple[str, int], ...]] = {}
        self._audits = Kept(lambda shop: site.engine.audit_shop(shop).to_dict())

    async def found(self, shop: str) -> Findings:
        """All that is known about a shop, anew when anything was done to its experiments.

        Whichever worker did it: the control file is asked each time.
        """
        known = await asyncio.to_thread(self._site.engine.control.experiments, shop)
        done = tuple((e.id, len(e.changes)) for e in known)
        again = self._done.get(shop) != done
        self._done[shop] = done
        return await self._findings.get(shop, again)

    async def audit(self, request: Request) -> Response:
        """Do we have the data? The first reader has it looked at; then the answer is kept."""
        shop = _shop(request)
        found = self._site.engine.shelf(shop).results.load("audit")
        if found is None:
            found = await self._look(shop)
        return self._site.page(request, "audit_page.html", audit=found)

    async def look_again(self, request: Request) -> Response:
        """Look at the data as they are now."""
        shop = _shop(request)
        if not viewer_of(request).changes(shop):
            raise AccessError("a link opens the pages for reading; the shop's key may do more")
        await self._look(shop, again=True)
        return RedirectResponse(f"/{shop}/audit", 303)

    async def plan(self, request: Request) -> Response:
        """What would count as success?"""
        values = planned(self._site.engine, _shop(request))
        return self._site.page(request, "plan_page.html", **values)

    async def evaluate(self, request: Request) -> Response:
        """Would it have worked?"""
        engine, shop = self._site.engine, _shop(request)
        found = engine.shelf(shop).results.load("evaluation")
        judgement = engine.judge_offline(shop) if found else None
        return self._site.page(
            request,
            "evaluate.html",
            evaluation=found,
            judgement=judgement.to_dict() if judgement else None,
        )

    async def readout(self, request: Request) -> Response:
        """Did it work? One experiment, or all of them."""
        findings = await self.found(_shop(request))
        asked = request.query_params.get("experiment")
        known = {r["experiment"]: r for r in findings["readouts"]}
        if asked is not None and asked not in known:
            raise NotFoundError(
                f"there is no experiment {asked!r} here; there is {', '.join(known) or 'none yet'}"
            )
        one = known[asked] if asked else next(iter(known.values())) if len(known) == 1 else None
        return self._site.page(
            request,
            "readout_page.html",
            readouts=sorted(known.values(), key=_running_first),
            one=one,
            track_record=findings["track_record"],
            headline=read_out_headline([r["judgement"]["verdict"] for r in known.values()]),
        )

    async def report(self, request: Request) -> Response:
        """What is it worth? With `?download` as the one page that stands alone."""
        shop = _shop(request)
        findings = await self.found(shop)
        if "download" not in request.query_params:
            return self._site.page(request, "report_page.html", **context(findings))
        text = await asyncio.to_thread(page, findings)
        name = f"attachment; filename=thinslice-{shop}.html"
        return HTMLResponse(
            text, headers={"content-security-policy": csp(), "content-disposition": name}
        )

    async def _look(self, shop: str, again: bool = False) -> Findings | None:
        try:
            return await self._audits.get(shop, again)
        except NotEnoughDataError:
            return None


@dataclass(slots=True)
class _Computed:
    findings: Findings
    at: float
    took: float


class Kept:
    """Something slow about a shop, computed by one request at a time and shared by the others."""

    def __init__(self, compute: Callable[[str], Findings]) -> None:
        self._compute = compute
        self._computed: dict[str, _Computed] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def get(self, shop: str, again: bool = False) -> Findings:
        """What was computed last if it is recent, else what is true now."""
        async with self._locks.setdefault(shop, asyncio.Lock()):
            known = self._computed.get(shop)
            if again or known is None or monotonic() - known.at > max(_FRESH_S, _REST * known.took):
                before = monotonic()
                findings = await asyncio.to_thread(self._compute, shop)
                now = monotonic()
                known = self._computed[shop] = _Computed(findings, now, now - before)
            return known.findings


def planned(engine: Engine, shop: str) -> dict[str, Any]:
    """The plan in force, how many came before it, and which experiments did not wait for it."""
    plan = engine.plan(shop)
    agreed = plan.agreed_us if plan else None
    return {
        "plan": plan.to_dict() if plan else None,
        "earlier": max(0, len(engine.control.plans(shop)) - 1),
        "late": [
            e.question or e.id
            for e in engine.control.experiments(shop)
            if agreed is not None and e.started_us < agreed
        ],
    }


def _running_first(readout: dict[str, Any]) -> tuple[bool, int]:
    """What runs before what is over, the latest first."""
    return readout["state"] == "stopped", -int(readout["period"]["start_us"])


def read_out_headline(verdicts: list[str | None]) -> str:
    """How the experiments went, in one sentence.

    >>> read_out_headline(["ship", "not proven", None])
    'Of three experiments, one should ship, one is not proven and one has no verdict.'
    """
    counted = [(verdicts.count(v), one, many) for v, one, many in _IN_WORDS if v in verdicts]
    parts = [f"{count(n)} {one if n == 1 else many}" for n, one, many in counted]
    if not parts:
        return "No experiment has run yet."
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    return f"Of {count(len(verdicts))} experiments, {listed}."


_IN_WORDS: tuple[tuple[str | None, str, str], ...] = (
    (Verdict.SHIP, "should ship", "should ship"),
    (Verdict.SMALL_WIN, "is a small win", "are small wins"),
    (Verdict.NOT_PROVEN, "is not proven", "are not proven"),
    (Verdict.STOP, "should stop", "should stop"),
    (None, "has no verdict", "have no verdict"),
)


def _shop(request: Request) -> str:
    return str(request.path_params["shop"])
