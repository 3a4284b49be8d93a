"""The money page: what is typed stays, what is wrong is said beside it, sums are the library's."""

from __future__ import annotations

import asyncio
import html
import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import numpy as np
import pytest
from starlette.applications import Starlette

from thinslice.config import Settings
from thinslice.demo.predictions import EXAMPLE_PLAN, predictions
from thinslice.domain import Shop
from thinslice.engine import Engine
from thinslice.profit import Payoff, Plan, Range, evaluate
from thinslice.server.access import Viewer
from thinslice.server.pages.money import MOST_ROWS
from thinslice.server.pages.money_form import FIELDS, MoneyForm, place_of
from thinslice.server.pages.routes import routes
from thinslice.server.pages.site import Site

ROWS = "churned,score,worth\n" + "".join(
    f"{'yes' if k % 10 >= 6 and k % 2 else 'no'},{(k % 10) / 10},{k % 7 + 1}.25\n"
    for k in range(400)
)


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def headline(self) -> str:
        found = re.search(r"<h1[^>]*>(.*?)</h1>", self.text, re.S)
        return found[1] if found else ""

    def typed(self, name: str) -> str:
        """What stands in a field of the page."""
        field = re.search(rf'<input[^>]* name="{name}"[^>]*>', self.text)
        value = re.search(r'value="([^"]*)"', field[0]) if field else None
        return html.unescape(value[1]) if value else ""

    def wrong(self, name: str) -> str:
        """What stands beside a field because of what is wrong with it."""
        found = re.search(rf'data-wrong="{name}"[^>]*>(.*?)</span>', self.text)
        return html.unescape(found[1]) if found else ""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    engine = Engine(Settings(data=tmp_path_factory.mktemp("money")))
    engine.control.add_shop(Shop("small", "Small"))
    return Site(engine)


def call(
    site: Site,
    method: str,
    address: str,
    body: bytes = b"",
    viewer: Viewer | None = None,
    **headers: str,
) -> Reply:
    path, _, query = address.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
        "server": ("localhost", 80),
        "scheme": "http",
        "root_path": "",
        "thinslice.viewer": viewer or Viewer(local=True),
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(Starlette(routes=routes(site))(scope, receive, send))
    content = b"".join(m.get("body", b"") for m in sent[1:])
    found = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return Reply(sent[0]["status"], found, content.decode("utf-8", "replace"))


def ask(site: Site, fields: dict[str, str], file: bytes = b"", **headers: str) -> Reply:
    """Send the form as a browser does; with a file where one was chosen."""
    edge = "edge-of-a-part"
    parts = [
        f'--{edge}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{edge}\r\ncontent-disposition: form-data; name="file"; filename="p.csv"\r\n'
    parts.append(f"{head}content-type: text/csv\r\n\r\n".encode() + file + b"\r\n")
    body = b"".join(parts) + f"--{edge}--\r\n".encode()
    kind = f"multipart/form-data; boundary={edge}"
    return call(site, "POST", "/small/money", body, content_type=kind, **headers)


def parts(site: Site, fields: dict[str, str], **more: Any) -> Any:
    """The answer that the script gets."""
    return ask(site, fields, accept="application/json", **more).json()


def test_the_page_opens_with_an_example_whose_first_sentence_is_the_answer(site: Site) -> None:
    page = call(site, "GET", "/small/money")
    assert page.status == 200
    assert re.match(r"It (gains at least|may lose|loses) €", page.headline)
    assert "made up" in page.text
    assert "C00001," in page.text
    assert page.typed("tp") == str(EXAMPLE_PLAN["payoff"]["tp"]["likely"])


def test_the_numbers_are_the_library_s_to_the_cent(site: Site) -> None:
    fields = {
        "rows": ROWS,
        "tp_low": "10",
        "tp": "20",
        "tp_high": "40",
        "fp_by": "-worth",
        "fn": "-1.5",
        "per_year": "12",
        "fixed_cost": "100",
        "must_beat": "1000",
    }
    found = parts(site, fields)["evaluation"]
    assert found.pop("columns") == {"true": "churned", "score": "score", "positive": "yes"}
    cells = [line.split(",") for line in ROWS.split()[1:]]
    y, score, worth = zip(*cells, strict=True)
    data = {"worth": np.array(worth, float)}
    plan = Plan(
        Payoff(tp=Range(10, 20, 40), fp="-worth", fn=-1.5),
        per_year=12,
        fixed_cost=100,
        must_beat=1000,
    )
    same = evaluate(list(y), [float(x) for x in score], plan, data=data, pos_label="yes")
    assert found == json.loads(json.dumps(same.to_dict()))


def test_a_slider_gets_the_moving_parts_and_a_link_without_the_rows(site: Site) -> None:
    found = parts(site, {"rows": ROWS, "tp": "20", "fp": "-3"})
    assert set(found["parts"]) == {"top", "brief", "people", "rest", "rows"}
    assert "people</b>" in found["parts"]["people"]
    assert parse_qs(urlsplit(found["link"]).query) == {"tp": ["20"], "fp": ["-3"]}
    assert found["rows"] is None


def test_a_link_opens_the_same_plan(site: Site) -> None:
    link = parts(site, {"rows": ROWS, "tp": "33", "fp": "-3", "question": "Ü & <b>?"})["link"]
    page = call(site, "GET", link)
    assert page.typed("tp") == "33"
    assert page.typed("question") == "Ü & <b>?"
    assert "<b>?" not in page.text


def test_without_script_a_plain_form_does_the_same(site: Site) -> None:
    fields = {"rows": ROWS, "tp": "20", "fp": "-3"}
    page = ask(site, fields)
    assert page.status == 200
    assert page.headline in parts(site, fields)["parts"]["top"]
    assert "yes,0.9," in page.text


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("tp", "a lot", "a number is needed, got 'a lot'"),
        ("tp", "nan", "a number is needed, got 'nan'"),
        ("tp", "1e300", "at most 1,000,000,000,000"),
        ("tp_low", "5", "fill in all of them"),
        ("tp_by", "__import__('os').system('true')", "is neither"),
        ("tp_by", "=cmd|' /C calc'!A0", "cannot be read"),
        ("tp_by", "wroth * 2", "did you mean 'worth'?"),
        ("tp_by", "worth / 0", "must be a number in every row"),
        ("capacity", "-1", "capacity must be at least 0"),
        ("per_year", "0", "per_year must be above 0"),
        ("currency", "€", "three letters"),
        ("baseline", "yesterday", "no baseline of a plan is called 'yesterday'"),
        ("threshold", "high", "a number is needed, got 'high'"),
        ("true", "chruned", "did you mean 'churned'?"),
        ("positive", "maybe", "'churned' has no 'maybe'"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_typed_is_lost(
    site: Site, field: str, typed: str, said: str
) -> None:
    fields = {"rows": ROWS, "fp": "-3", field: typed}
    page = ask(site, fields)
    outcome = field.removesuffix("_low").removesuffix("_by")
    place = outcome if outcome not in ("true", "positive") else "rows"
    assert page.status == 422
    assert said in page.wrong(place)
    assert page.typed(field) == typed
    assert page.typed("fp") == "-3"
    assert "yes,0.9," in page.text
    assert set(parts(site, fields)["wrong"]) == {place}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("churned,score\nyes,0.5\n" * 60, "which of"),
        ("churned,score\n" + "no,0.5\nno,0.6\n" * 40, "rows of both kinds"),
        ("churned,score\n" + "yes,0.5\nno,\n" * 40, "'score' is empty in row 3"),
        ("churned,score\nyes,0.5\nno,0.4\n", "at least 50 rows"),
        ("just some words", "got no row"),
        ("churned,score\n" + "a,0.5\nb,0.4\nc,0.1\n" * 30, "is for two"),
        ("a,b\n\x00\x01", "zero bytes"),
        ("churned,score\n" + "yes,0.5\n" * (MOST_ROWS + 1), "at most 50,000 rows"),
    ],
)
def test_rows_that_cannot_be_judged_are_told_why(site: Site, rows: str, said: str) -> None:
    found = parts(site, {"rows": rows, "tp": "20"})
    assert said in found["wrong"]["rows"]
    assert found["evaluation"] is None


def test_markup_and_formulas_in_a_table_stay_text(site: Site) -> None:
    evil = "<img src=x onerror=alert(1)>"
    rows = ROWS.replace("worth", f'"{evil}"').replace("yes", "=HYPERLINK(1)")
    page = ask(site, {"rows": rows, "tp": "20", "fp": "-3", "positive": "=HYPERLINK(1)"})
    assert page.status == 200
    assert evil not in page.text
    assert html.escape(evil) in page.text


def test_a_file_becomes_rows_in_the_page_and_stays_nowhere_else(site: Site) -> None:
    before = sorted(site.engine.settings.data.rglob("*"))
    file = ROWS.replace(",", ";").replace("yes", "ja").replace("no", "nein").encode("cp1252")
    found = parts(site, {"rows": "", "tp": "20", "fp": "-3"}, file=file)
    assert found["wrong"] == {}
    assert found["rows"].startswith("churned,score,worth\nnein,0,1.25\n")
    assert "semicolon-separated" in found["parts"]["rows"]
    assert sorted(site.engine.settings.data.rglob("*")) == before


def test_numbers_follow_the_reader_s_language(site: Site) -> None:
    german = call(site, "GET", "/small/money", accept_language="de-DE,de;q=0.9,en;q=0.5")
    assert "€\xa05.000" in german.text
    assert "€\xa05,000" not in german.text


def test_the_plan_and_the_page_can_be_taken_away(site: Site) -> None:
    plan = call(site, "GET", "/small/money?take=plan&tp_low=10&tp=20&tp_high=40&fp_by=-worth")
    assert plan.headers["content-disposition"] == "attachment; filename=plan.yml"
    assert Plan.from_yaml(plan.text).payoff == Payoff(tp=Range(10, 20, 40), fp="-worth")
    page = ask(site, {"rows": ROWS, "tp": "20", "fp": "-3", "take": "page"})
    assert page.headers["content-disposition"] == "attachment; filename=money.html"
    assert "How to check this" in page.text
    wrong = call(site, "GET", "/small/money?take=plan&tp=x")
    assert wrong.status == 422


def test_ten_thousand_rows_are_answered_while_a_slider_moves(site: Site) -> None:
    rng = np.random.default_rng(0)
    score = rng.random(10_000)
    rows = "y,score\n" + "".join(f"{int(s > rng.random())},{s:.4f}\n" for s in score)
    fields = {"rows": rows, "tp_low": "10", "tp": "20", "tp_high": "40", "fp": "-9"}
    parts(site, fields)
    took = []
    for _ in range(5):
        before = time.process_time()
        parts(site, fields)
        took.append(time.process_time() - before)
    assert min(took) < 0.25  # seconds of a processor; it is about 0.1


def test_a_worker_that_is_ready_imports_nothing_for_the_first_answer(tmp_path: Path) -> None:
    """Before, the first person waited a second for it."""
    probe = f"""
import sys
from pathlib import Path
from thinslice.config import Settings
from thinslice.demo.predictions import predictions
from thinslice.engine import Engine
from thinslice.server.app import Worker
from thinslice.server.pages.money import judge
from thinslice.server.pages.money_form import MoneyForm
Worker(Engine(Settings(data=Path({str(tmp_path)!r}))))._warm_up()
before = set(sys.modules)
assert judge(MoneyForm.example(), b"", predictions(3000)).judged
print(sorted(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_an_amount_copied_from_the_page_is_a_number() -> None:
    form = MoneyForm.of({"tp": "30", "fp": "\N{MINUS SIGN}7"})
    assert form.plan() == MoneyForm.of({"tp": "30", "fp": "-7"}).plan()


def test_a_long_field_is_cut_and_an_unknown_one_ignored() -> None:
    form = MoneyForm.of({"question": "x" * 9000, "evil": "1"})
    assert len(form.fields["question"]) == 500
    assert set(form.fields) == set(FIELDS)


def test_errors_of_the_library_find_their_field() -> None:
    assert place_of("tp: 'a / b' must be a number in every row") == "tp"
    assert place_of("the baseline has 3 rows and y_true has 4") == "baseline"
    assert place_of("y_true is empty; there is nothing to judge") == "rows"


def test_the_example_is_the_same_at_every_look() -> None:
    assert predictions() == predictions()
    assert len(predictions().splitlines()) == 2001


def test_a_body_beyond_the_cap_is_refused_before_it_is_read(lamps: Any) -> None:
    own = {"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}
    body = urlencode({"rows": ROWS, "tp": "20"}).encode()
    assert lamps.call("POST", "/lamps/money", body, headers=own).status == 200
    assert lamps.call("POST", "/lamps/money", body).status == 403
    long = own | {"content-length": "4000001"}
    assert lamps.call("POST", "/lamps/money", b"x", headers=long).status == 413
