"""A browser for the pages: what any of them must not do is looked for in all of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
WAIT_MS = 60_000
"""Long enough for a machine that is busy with other things."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def init_script() -> str:
    """What runs before the scripts of a page; a module may have one of its own."""
    return ""


@pytest.fixture
def open_page(chromium: Any, home: str, init_script: str) -> Iterator[Callable[..., Any]]:
    """Open `home` and what is added to it; at the end no dialog, no script error and no refused
    style was seen."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_(more: str = "", **how: Any) -> Any:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **how})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("dialog", lambda d: (complaints.append(d.message), d.dismiss()))
        page.on("pageerror", lambda e: complaints.append(str(e)))
        page.on("console", lambda m: m.type == "error" and complaints.append(m.text))
        if init_script:
            page.add_init_script(init_script)
        page.goto(home + more, wait_until="networkidle")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []
