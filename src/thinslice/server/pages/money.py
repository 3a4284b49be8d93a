"""What is it worth? Predictions and what each outcome is worth in; money with a verdict out.

The rows live in the page. Every question sends them along and nothing of them is kept here, so it
makes no difference which worker answers, and a link holds the plan alone.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from thinslice.demo.predictions import predictions
from thinslice.errors import InputError, NotEnoughDataError
from thinslice.report.locales import preferred
from thinslice.report.page import csp
from thinslice.report.page import page as one_sheet
from thinslice.server.admission import MONEY_BYTES
from thinslice.server.answers import answer
from thinslice.server.pages.money_form import FieldError, MoneyForm, place_of

if TYPE_CHECKING:
    from thinslice.profit.predictions.table import JudgedTable
    from thinslice.server.pages.site import Site
    from thinslice.store.exports.whole_tables import WholeTable

MOST_ROWS = 50_000
AT_ONCE = 2
"""Questions that one worker answers at the same time; the others wait their turn."""


@dataclass
class Judged:
    """What is shown: the form as typed, the rows as text, and either a result or what is wrong."""

    form: MoneyForm
    rows: str
    made_up: bool
    read: str = ""
    columns: list[str] = field(default_factory=list)
    judged: JudgedTable | None = None
    wrong: dict[str, str] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, Any] | None:
        """The evaluation as plain values, None where there is none."""
        return self.judged.to_dict() if self.judged else None


class MoneyPage:
    """The page, what its sliders ask for, and what can be taken away from it."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def show(self, request: Request) -> Response:
        """The example, or the plan of a link over the example's rows."""
        query = request.query_params
        form = MoneyForm.of(query) if query else MoneyForm.example()
        if query.get("take") == "plan":
            return _plan_file(form)
        async with self._turn:
            judged = await asyncio.to_thread(judge, form, b"", "")
            return await asyncio.to_thread(self._page, request, judged)

    async def ask(self, request: Request) -> Response:
        """The same for rows that were sent: as a page, as parts of one, or as a file to keep."""
        async with request.form(max_files=1, max_part_size=MONEY_BYTES) as sent:
            upload = sent.get("file")
            file = await upload.read() if isinstance(upload, UploadFile) else b""
            typed, take = str(sent.get("rows") or ""), sent.get("take")
            form = MoneyForm.of(sent)
        async with self._turn:
            judged = await asyncio.to_thread(judge, form, file, typed)
            if take == "page" and judged.judged is not None:
                return await asyncio.to_thread(_sheet, judged.judged, _locale(request))
            if "application/json" in request.headers.get("accept", ""):
                parts = await asyncio.to_thread(self._parts, request, judged, bool(file))
                return answer(parts)
            page = await asyncio.to_thread(self._page, request, judged)
        page.status_code = 422 if judged.wrong else 200
        return page

    def _page(self, request: Request, judged: Judged) -> Response:
        return self._site.page(
            request, "money.html", _locale(request), **self._shown(request, judged)
        )

    def _parts(self, request: Request, judged: Judged, new_rows: bool) -> dict[str, Any]:
        """What the script puts in the place of what was there; nothing for what is wrong."""
        template = self._site.templates_in(_locale(request)).get_template("money_parts.html")
        parts: Any = template.module
        shown = self._shown(request, judged)
        values = shown["e"]
        html = {"rows": str(parts.rows(judged))}
        if values is not None:
            html["top"] = str(parts.top(values))
            html["brief"] = str(parts.brief(values))
            html["people"] = str(parts.people(values))
            html["rest"] = str(parts.rest(values, shown["accuracy"], shown["link"]))
        return {
            "parts": html,
            "wrong": judged.wrong,
            "link": shown["link"],
            "rows": judged.rows if new_rows and not judged.wrong.get("rows") else None,
            "evaluation": values,
        }

    def _shown(self, request: Request, judged: Judged) -> dict[str, Any]:
        from thinslice.profit.predictions.accuracy import accuracy

        shop = str(request.path_params["shop"])
        return {
            "j": judged,
            "form": judged.form.fields,
            "wrong": judged.wrong,
            "e": judged.values,
            "accuracy": accuracy(judged.judged.evaluation) if judged.judged else None,
            "link": f"/{shop}/money?{judged.form.query}",
            "most_bytes": MONEY_BYTES,
            "most_rows": MOST_ROWS,
        }


def warm_up(site: Site) -> None:
    """Judge the example once: what that imports and compiles takes a second of a worker's life."""
    from thinslice.profit.predictions.accuracy import accuracy

    judged = judge(MoneyForm.example(), b"", "")
    assert judged.judged is not None, judged.wrong
    accuracy(judged.judged.evaluation)
    one_sheet(judged.judged, "en")
    for name in ("money.html", "money_parts.html", "base.html"):
        site.templates_in("en").get_template(name)


def judge(form: MoneyForm, file: bytes, typed: str) -> Judged:
    """Everything the page says, from what was typed and sent; errors stand at their fields."""
    from thinslice.engine import judge_predictions, read_predictions
    from thinslice.store.exports.whole_tables import to_csv

    made_up = not file and (not typed.strip() or typed.replace("\r\n", "\n") == predictions())
    found = Judged(form, typed if not made_up else predictions(), made_up)
    try:
        data = file or found.rows.encode()
        table = read_predictions(data, most_rows=MOST_ROWS)
        found.rows = to_csv(table) if file else found.rows
        found.columns = list(table.columns)
        found.read = _read(table, made_up)
        plan = form.plan(found.columns)
        found.judged = judge_predictions(table, plan, **form.columns())
    except FieldError as error:
        found.wrong[error.field] = str(error)
    except (InputError, NotEnoughDataError) as error:
        found.wrong[place_of(str(error))] = str(error)
    return found


def _read(table: WholeTable, made_up: bool) -> str:
    broken = f"; left out: {'; '.join(map(str, table.skipped[:3]))}" if table.skipped else ""
    return f"{table.rows:,} {'made-up ' * made_up}rows, {table.kind}{broken}."


def _sheet(judged: JudgedTable, locale: str) -> Response:
    """The one page for a manager, to keep."""
    return HTMLResponse(one_sheet(judged, locale), headers=_as_file("money.html", csp()))


def _plan_file(form: MoneyForm) -> Response:
    """The plan as the file that `thinslice profit --plan` reads."""
    try:
        text = form.plan().to_yaml()
    except InputError as error:
        return PlainTextResponse(f"This plan cannot be kept yet: {error}", 422)
    return PlainTextResponse(text, headers=_as_file("plan.yml"), media_type="application/yaml")


def _as_file(name: str, policy: str = "") -> dict[str, str]:
    headers = {"content-disposition": f"attachment; filename={name}"}
    return headers | ({"content-security-policy": policy} if policy else {})


def _locale(request: Request) -> str:
    return preferred(request.headers.get("accept-language", ""))
