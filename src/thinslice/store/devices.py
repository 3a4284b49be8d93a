"""Which kind of device an event came from: all that is kept of what a browser says of itself."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_LONGEST = 1000
_BOT = re.compile(
    r"(?<!cu)bot\b|crawl|spider|slurp|headless|lighthouse|pingdom|facebookexternalhit|"
    r"monitor|python|curl|wget|java/|go-http|scrapy|phantomjs",
    re.IGNORECASE,
)
_TABLET = re.compile(r"iPad|Tablet|Kindle|Silk/|PlayBook|Android(?!.*Mobile)", re.IGNORECASE)
_PHONE = re.compile(r"Mobi|iPhone|iPod|Windows Phone", re.IGNORECASE)
_BROWSER = re.compile(r"Mozilla/|Opera/", re.IGNORECASE)


def device_of(user_agent: Any, device: Any = None) -> str | None:
    """One of "phone", "tablet", "computer" or "bot", from a user agent or Segment's context.device.

    None where neither says. A robot is taken at its word, and nobody else is called one.

    >>> device_of("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148 Safari")
    'phone'
    >>> device_of("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
    'bot'
    >>> device_of("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    'computer'
    """
    if isinstance(user_agent, str) and user_agent:
        return _of_text(user_agent[:_LONGEST])
    kind = device.get("type") if isinstance(device, dict) else None
    return {"ios": "phone", "android": "phone", "mobile": "phone"}.get(str(kind).lower())


@lru_cache(maxsize=1000)
def _of_text(user_agent: str) -> str | None:
    if _BOT.search(user_agent):
        return "bot"
    if _TABLET.search(user_agent):
        return "tablet"
    if _PHONE.search(user_agent):
        return "phone"
    return "computer" if _BROWSER.match(user_agent) else None
