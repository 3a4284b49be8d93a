"""The addresses that are asked all day go straight to their handlers.

A router that looks through all addresses, and layers made for pages, would cost as much as the
answer does. What can go wrong is answered as everywhere else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from thinslice.errors import ThinsliceError

Handler = Callable[[Request], Awaitable[Response]]
Problem = Callable[[Request, Exception], Response]


class Straight:
    """ASGI: `handlers` by method and path; every other request goes on to the application."""

    def __init__(
        self, app: ASGIApp, handlers: Mapping[tuple[str, str], Handler], problem: Problem
    ) -> None:
        self._app = app
        self._handlers = handlers
        self._problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = None
        if scope["type"] == "http":
            handler = self._handlers.get((scope["method"], scope["path"]))
        if handler is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await handler(request)
        except (ThinsliceError, HTTPException) as error:
            response = self._problem(request, error)
        except ClientDisconnect:
            raise  # nobody is there to be told anything
        except Exception as error:
            await self._problem(request, error)(scope, receive, send)
            raise  # so that it is in the log
        await response(scope, receive, send)
