"""What the API answers: JSON, and one form for everything that can go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from thinslice.errors import (
    AccessError,
    BusyError,
    InputError,
    NotEnoughDataError,
    NotFoundError,
    StorageError,
    ThinsliceError,
)

RETRY_STORAGE_S = 5

_encode = msgspec.json.Encoder().encode
_STATUS: dict[type[ThinsliceError], int] = {
    InputError: 400,
    AccessError: 403,
    NotFoundError: 404,
    NotEnoughDataError: 409,
    StorageError: 503,
    BusyError: 503,
}
_HTTP_RULES = {
    404: "an address must be one of the API's; see /openapi.json",
    405: "an address takes the methods that /openapi.json names for it; see there",
}


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The value as JSON."""
    return Response(_encode(value), status, headers, "application/json")


def problem(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """`{"error": {"rule": …, "next": …}}` from a message of the form "rule, value; next step"."""
    rule, _, next_step = message.rpartition("; ")
    error = {"rule": rule, "next": next_step} if rule else {"rule": next_step, "next": ""}
    return answer({"error": error}, status, headers)


def explain(error: Exception) -> Response:
    """The answer to a request that failed with this error."""
    if isinstance(error, HTTPException):
        message = _HTTP_RULES.get(error.status_code, error.detail)
        if error.detail not in ("Not Found", "Method Not Allowed"):
            message = error.detail
        return problem(error.status_code, message, error.headers)
    if isinstance(error, BusyError):
        return problem(503, str(error), {"retry-after": str(error.retry_after_s)})
    if isinstance(error, StorageError):
        message = "what is acknowledged must be on disk, and the disk refused; send it again later"
        return problem(503, message, {"retry-after": str(RETRY_STORAGE_S)})
    for kind, status in _STATUS.items():
        if isinstance(error, kind):
            return problem(status, str(error))
    return problem(500, "something broke here, and it is in the log of the service; try again")


async def explained(request: Request, error: Exception) -> Response:
    """The same as a handler of exceptions."""
    return explain(error)
