"""One self-contained page: the question, what was found, the verdict, the money."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup

from thinslice.report import drawing, numbers, profit, sentences, words
from thinslice.report.locales import ENGLISH, Marks, localised, marks_of
from thinslice.report.summary import agreed_late, summarise

HERE = Path(__file__).parent
STYLESHEET = HERE / "static" / "thinslice.css"


class Result(Protocol):
    """Anything with plain values, such as a model's `Evaluation`."""

    def to_dict(self) -> dict[str, Any]: ...


def page(found: Mapping[str, Any] | Result, locale: str = "en") -> str:
    """One self-contained page.

    From a model's evaluation (or its `to_dict()`): what it is worth, on one sheet. From an
    experiment's `Trial` or `Readout`: what it says. From what
    `Engine.findings` knows: the report on a shop, in which missing parts say what is next. Numbers
    are written as the `locale` does, such as "de" or "fr-CA".
    """
    values = found if isinstance(found, Mapping) else found.to_dict()
    templates = environment(marks_of(locale))
    if profit.is_evaluation(values):
        return templates.get_template("profit_page.html").render(e=values, style=Markup(style()))
    if is_experiment(values):
        return templates.get_template("experiment_page.html").render(
            r=values, style=Markup(style())
        )
    template = templates.get_template("one_page.html")
    return template.render(**context(values), style=Markup(style()))


def is_experiment(values: Mapping[str, Any]) -> bool:
    """Whether these are the values of one experiment: a `Trial` or a `Readout`."""
    return "srm" in values and "rows" in values


def context(findings: Mapping[str, Any]) -> dict[str, Any]:
    """What `article.html`, the text of the report, is drawn from, here and by the server."""
    summary = summarise(findings)
    speaks = [summary.speaks] if summary.speaks else []
    return {
        **findings,
        "readouts": [*speaks, *summary.others],
        "summary": summary,
        "late": agreed_late(findings),
        "earlier": max(len(findings.get("plans", ())) - 1, 0),
    }


def environment(marks: Marks = ENGLISH) -> Environment:
    """A fresh template environment with the macros, the filters and every safety on.

    The server overlays it with its own templates:
    `env.loader = ChoiceLoader([FileSystemLoader(own), env.loader])`.
    """
    env = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=_compiled(marks),
    )
    env.filters.update(localised(numbers.FILTERS, marks))
    env.filters.update(words.FILTERS)
    env.filters.update(profit.FILTERS)
    env.globals.update(drawing.FUNCTIONS)
    env.globals.update(profit.FUNCTIONS)
    env.globals.update(sentences.FUNCTIONS)
    return env


class Compiled(BytecodeCache):
    """Templates compiled once per process: that takes longer than everything else of a page."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key, bucket.checksum] = bucket.code


@cache
def _compiled(marks: Marks) -> Compiled:
    """One for each way of writing numbers, as a number in a template is written when compiled."""
    return Compiled()


@cache
def style() -> str:
    """The stylesheet as it stands inside the page, with the line breaks a browser would see."""
    return STYLESHEET.read_text(encoding="utf-8")


def style_hash() -> str:
    """The stylesheet's hash in the form that a content security policy takes."""
    digest = sha256(style().encode()).digest()
    return f"sha256-{b64encode(digest).decode()}"


def csp() -> str:
    """The content security policy of the page: its own style, and nothing else."""
    return (
        f"default-src 'none'; style-src '{style_hash()}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
