"""Who may see the pages of a shop, and what every page tells the browser.

Three ways in:

- this computer: the client's address and the Host header are loopback and nothing forwarded it;
- a link: a signed, expiring, read-only token in `?key=…`, which becomes a cookie and disappears
  from the address;
- the shop's secret key, typed into the sign-in form, which becomes a cookie as well.

A page asks `viewer_of(request)` who is looking. The API does not come this way: its keys are
checked in `api.py`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import ipaddress
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from thinslice.errors import BusyError, StorageError
from thinslice.store.control import ControlPlane

OPEN = frozenset({"v1", "static", "healthz", "readyz", "openapi.json", "favicon.ico"})
"""First parts of addresses that show no shop's pages: the API has its keys, the rest no secrets."""

PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
        "object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "geolocation=(), microphone=()",
}

OWNER_HOURS = 12
_OUT_OF_ORDER = (
    "Who may see this page cannot be looked up at this moment. Nothing was lost; try again, and "
    "tell the person who runs the service if it stays."
)
_SIGN_IN_BYTES = 4096
_COOKIE = "thinslice-"
_FORWARDED = ("forwarded", "via", "x-real-ip", "x-client-ip", "cf-connecting-ip", "true-client-ip")
_SIGNED_FOR = b"thinslice page access 1\0"


@dataclass(frozen=True, slots=True)
class Pass:
    """What a token says: one shop, who it was given to, until when, and the owner's key if any."""

    shop: str
    label: str
    expires_s: int
    owner_prefix: str = ""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at a page. `local` sees every shop; others those that they have a pass for."""

    local: bool = False
    passes: tuple[Pass, ...] = ()

    def sees(self, shop: str) -> bool:
        return self.local or any(p.shop == shop for p in self.passes)

    def changes(self, shop: str) -> bool:
        """Whether they may change anything but leave feedback; a link never may."""
        return self.local or any(p.shop == shop and p.owner_prefix for p in self.passes)

    def who(self, shop: str) -> str:
        """A name for feedback and visits: the label of the link that was used."""
        labels = [p.label for p in self.passes if p.shop == shop]
        return labels[0] if labels else "this computer" if self.local else ""


NOBODY = Viewer()


def viewer_of(request: Request) -> Viewer:
    """Who is looking, as the gate below found out."""
    viewer = request.scope.get("thinslice.viewer", NOBODY)
    return viewer if isinstance(viewer, Viewer) else NOBODY


def link_token(control: ControlPlane, shop: str, label: str, hours: float) -> str:
    """A read-only token for one shop's pages; the link is noted beside who opened what."""
    expires_s = int(time.time() + hours * 3600)
    control.add_link(shop, label, expires_s * 1_000_000)
    return sign(Pass(shop, label, expires_s), control.signing_secret())


def sign(what: Pass, secret: bytes) -> str:
    """The pass as text that nobody without the secret can make or change."""
    payload = json.dumps([what.shop, what.label, what.expires_s, what.owner_prefix]).encode()
    return f"{_to_text(payload)}.{_to_text(_mac(payload, secret))}"


def read(token: str, secret: bytes, now_s: float) -> Pass | None:
    """The pass that a token holds; None if it is forged, damaged or expired."""
    try:
        payload, mac = (_to_bytes(part) for part in token.split("."))
        if not hmac.compare_digest(mac, _mac(payload, secret)):
            return None
        found = Pass(*json.loads(payload))
    except (ValueError, TypeError):
        return None
    return found if found.expires_s > now_s else None


def is_this_computer(scope: Scope) -> bool:
    """Whether the request was made on this machine, by its own name, with nothing in between.

    The Host header counts because a page elsewhere can have its own name resolve to 127.0.0.1.
    """
    headers = Headers(scope=scope)
    if any(name in headers for name in _FORWARDED):
        return False
    if any(name.startswith("x-forwarded-") for name in headers):
        return False
    client = scope.get("client") or ("", 0)
    return _is_loopback(client[0]) and _is_loopback(_host_name(headers))


def is_from_own_page(headers: Headers) -> bool:
    """Whether a form was sent from a page of this service, as every browser tells."""
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = headers.get("origin")
    if origin is None:
        return site == "same-origin"
    return origin.partition("://")[2].lower() == headers.get("host", "").lower()


class PageGate:
    """ASGI: lets a request through to the pages with its viewer, or shows the sign-in form."""

    def __init__(
        self,
        app: ASGIApp,
        control: Callable[[], ControlPlane],
        sign_in: Callable[[Request, str], Response] | None = None,
    ) -> None:
        self._app = app
        self._control = control
        self._form = sign_in or plain_sign_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _first_part(scope) in OPEN:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            answer = await self._answer(request)
        except (StorageError, BusyError):
            answer = HTMLResponse(_OUT_OF_ORDER, 503, {"retry-after": "5"})
        await (answer or self._app)(scope, receive, _with_page_headers(send))

    async def _answer(self, request: Request) -> Response | None:
        """The gate's own answer, or None when the request may go on to its page."""
        if request.method not in ("GET", "HEAD") and not is_from_own_page(request.headers):
            return HTMLResponse("A form must be sent from its own page; open it again.", 403)
        if request.scope["path"] == "/sign-in":
            return await self._sign_in(request)
        if request.method == "GET" and "key" in request.query_params:
            return self._open_link(request)
        viewer = self._viewer(request)
        request.scope["thinslice.viewer"] = viewer
        shop = _first_part(request.scope)
        if viewer.local or (viewer.passes if not shop else viewer.sees(shop)):
            return None
        return self._refuse(request, "")

    def _viewer(self, request: Request) -> Viewer:
        control = self._control()
        secret, now_s = control.signing_secret(), time.time()
        tokens = [v for name, v in request.cookies.items() if name.startswith(_COOKIE)]
        found = [p for token in tokens[:50] if (p := read(token, secret, now_s))]
        passes = tuple(p for p in found if not p.owner_prefix or _is_open(control, p))
        return Viewer(is_this_computer(request.scope), passes)

    def _open_link(self, request: Request) -> Response:
        found = read(request.query_params["key"], self._control().signing_secret(), time.time())
        if found is None:
            return self._refuse(request, "This link has expired or is not complete.")
        rest = [(k, v) for k, v in request.query_params.multi_items() if k != "key"]
        path = _local_path(request.scope["path"])
        return self._admit(request, found, path + (f"?{urlencode(rest)}" if rest else ""))

    async def _sign_in(self, request: Request) -> Response:
        if request.method != "POST":
            return self._form(request, "")
        fields = parse_qs((await _body(request, _SIGN_IN_BYTES)).decode("ascii", "replace"))
        plain = fields.get("key", [""])[0].strip()
        key = self._control().key(plain)
        if key is None or key.kind != "secret":
            return self._refuse(request, "That key opens nothing here. It begins with sk_.")
        expires_s = int(time.time() + OWNER_HOURS * 3600)
        after = _local_path(fields.get("next", [""])[0] or f"/{key.shop}/")
        return self._admit(request, Pass(key.shop, "owner", expires_s, key.prefix), after)

    def _admit(self, request: Request, what: Pass, address: str) -> Response:
        answer = RedirectResponse(address, 303)
        answer.set_cookie(
            _COOKIE + what.shop,
            sign(what, self._control().signing_secret()),
            max_age=max(0, what.expires_s - int(time.time())),
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        answer.headers["cache-control"] = "no-store"
        return answer

    def _refuse(self, request: Request, message: str) -> Response:
        answer = self._form(request, message)
        answer.status_code = 403
        return answer


def plain_sign_in(request: Request, message: str) -> Response:
    """The sign-in form with no design; the pages bring a better one."""
    after = html.escape(_local_path(request.query_params.get("next") or request.scope["path"]))
    said = f"<p role=alert>{html.escape(message)}</p>" if message else ""
    return HTMLResponse(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Sign in · thinslice</title>"
        f"<link rel=stylesheet href=/static/thinslice.css><main><h1>Sign in</h1>{said}"
        "<p>This page opens with a link that someone shared, or with the shop's secret key.</p>"
        '<form method="post" action="/sign-in"><label>Secret key '
        '<input name="key" type="password" autocomplete="current-password" required></label> '
        f'<input type="hidden" name="next" value="{after}"><button>Open</button></form></main>'
    )


def _with_page_headers(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in PAGE_HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return with_headers


def _is_open(control: ControlPlane, what: Pass) -> bool:
    return any(
        k.prefix == what.owner_prefix and k.kind == "secret" and k.revoked_us is None
        for k in control.keys(what.shop)
    )


async def _body(request: Request, limit: int) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            return b""
    return body


def _local_path(address: str) -> str:
    """The address if it is one of this service, else the start page."""
    path, _, query = address.partition("?")
    if not path.startswith("/") or path.startswith(("//", "/\\", "/sign-in")):
        return "/"
    return quote(path, safe="/%") + (f"?{quote(query, safe='=&%+')}" if query else "")


def _first_part(scope: Scope) -> str:
    path: str = scope["path"]
    return path.split("/", 2)[1] if path.startswith("/") else ""


def _host_name(headers: Headers) -> str:
    """The Host header without its port: `[::1]:8080` is `::1`."""
    host = headers.get("host", "")
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _mac(payload: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, _SIGNED_FOR + payload, hashlib.sha256)


def _to_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _to_bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
