"""What went wrong, said to someone who did not cause it."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from thinslice.errors import (
    AccessError,
    BusyError,
    InputError,
    NotEnoughDataError,
    NotFoundError,
    StorageError,
)

_WORDS: dict[int, tuple[str, str]] = {
    400: (
        "This address cannot be read.",
        "Something in it is not as it should be. Start again from the first page.",
    ),
    403: (
        "This page is not open to you.",
        "Ask the person who works with thinslice at your company for a link to it. A link opens "
        "the pages of one shop, for reading, until it expires.",
    ),
    404: (
        "There is no such page.",
        "The address may be mistyped, or what it showed is no longer there.",
    ),
    405: ("This page cannot be used like that.", "Open it again from the first page."),
    413: ("That was too much text.", "Keep it under two thousand characters, and send it again."),
    429: ("That was a lot at once.", "Wait a minute, and try again."),
    500: (
        "Something broke here.",
        "It is not your doing, and nothing was lost. It is written to the log of the service; try "
        "again, and tell the person who runs it if it stays.",
    ),
    503: (
        "Too many people are here at this moment.",
        "Nothing is broken. The page comes back by itself in a few seconds.",
    ),
}


def explain(error: Exception) -> dict[str, Any]:
    """The status, and the words of the page."""
    status = _status(error)
    headline, advice = _WORDS.get(status, _WORDS[500])
    detail = str(error) if _is_meant_for_readers(error) else ""
    if isinstance(error, NotEnoughDataError):
        headline, advice = "There is not enough data for this yet.", ""
    if isinstance(error, NotFoundError):
        advice = ""
    return {"headline": headline, "advice": advice, "detail": detail, "status": status}


def headers_of(error: Exception) -> dict[str, str]:
    """When to come back, where that is known; and what an earlier handler had to say."""
    if isinstance(error, BusyError):
        return {"retry-after": str(error.retry_after_s), "refresh": str(error.retry_after_s + 2)}
    if isinstance(error, HTTPException) and error.headers:
        return dict(error.headers)
    return {}


def sign_in(request: Request, message: str) -> dict[str, Any]:
    """The words of the page that lets people in."""
    path = request.scope["path"]
    wanted = request.query_params.get("next") or ("/" if path == "/sign-in" else path)
    return {"message": message, "wanted": wanted[:2000]}


def _status(error: Exception) -> int:
    match error:
        case HTTPException():
            return error.status_code
        case NotFoundError():
            return 404
        case AccessError():
            return 403
        case BusyError():
            return 503
        case InputError():
            return 400
        case NotEnoughDataError():
            return 200
    return 500


def _is_meant_for_readers(error: Exception) -> bool:
    return isinstance(error, NotFoundError | InputError | NotEnoughDataError | AccessError) and (
        not isinstance(error, StorageError)
    )
