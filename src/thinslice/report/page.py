"""One self-contained page: the question, what was found, the verdict, the money."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from thinslice.report import drawing, numbers, sentences, words
from thinslice.report.summary import agreed_late, summarise

HERE = Path(__file__).parent
STYLESHEET = HERE / "static" / "thinslice.css"


def page(findings: Mapping[str, Any]) -> str:
    """The report on one shop, from what `Engine.findings` knows; missing parts say what is next."""
    template = environment().get_template("one_page.html")
    return template.render(**context(findings), style=Markup(style()))


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


def environment() -> Environment:
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
    )
    env.filters.update(numbers.FILTERS)
    env.filters.update(words.FILTERS)
    env.globals.update(drawing.FUNCTIONS)
    env.globals.update(sentences.FUNCTIONS)
    return env


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
