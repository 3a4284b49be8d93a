"""Which shop a request speaks for: the API's keys, and from where they may come."""

from __future__ import annotations

import base64
import binascii
import threading
import time
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from thinslice.domain import Shop
from thinslice.store.control import ControlPlane, Key

LOOK_AGAIN_S = 2.0
"""How long a key is remembered; a revoked one is refused everywhere after as long."""

_REMEMBERED = 10_000
_UNKNOWN = "a key must be one of a shop's, got none that is known; make one: thinslice key write"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls the API: the shop comes from the key, never from what was sent."""

    shop: Shop
    key: Key
    origin: str | None = None

    @property
    def trusted(self) -> bool:
        """Whether it holds the secret key: a server of the shop, which may write history."""
        return self.key.kind == "secret"

    def headers(self) -> dict[str, str]:
        """What lets the shop's page, and no other, read the answer."""
        if self.origin is None:
            return {}
        return {"access-control-allow-origin": self.origin, "vary": "origin"}


class Keys:
    """Knows the keys without asking the control file for each request."""

    def __init__(self, control: ControlPlane) -> None:
        self._control = control
        self._known: dict[str, tuple[float, Caller | None]] = {}
        self._used: set[str] = set()
        self._lock = threading.Lock()

    def caller(self, headers: Headers, in_body: str = "", *, secret: bool = False) -> Caller:
        """Whose request it is; HTTPException 401 for no known key, 403 for one that may not.

        Raises 403 as well for an origin that is not the key's, and for a secret key sent by a
        browser, where everyone can read it.
        """
        found = self._find(key_in(headers) or in_body)
        if found is None:
            raise HTTPException(401, _UNKNOWN, {"www-authenticate": 'Basic realm="thinslice"'})
        origin = headers.get("origin")
        caller = Caller(found.shop, found.key, origin)
        if secret and not caller.trusted:
            raise HTTPException(
                403, "this needs the shop's secret key, got a write key; send the one with sk_"
            )
        if origin is not None and caller.trusted:
            raise HTTPException(
                403,
                f"a secret key stays on the shop's servers, got it from a page of {origin}; "
                "revoke it, and use a write key in pages",
            )
        if origin is not None and found.key.origins and origin not in found.key.origins:
            raise HTTPException(
                403,
                f"this key is for pages of {', '.join(found.key.origins)}, got {origin}; "
                "make a key with this origin",
            )
        return caller

    def take_used(self) -> set[str]:
        """The beginnings of the keys that were used since this was asked last."""
        with self._lock:
            used, self._used = self._used, set()
        return used

    def _find(self, plain: str) -> Caller | None:
        if not plain:
            return None
        now = time.monotonic()
        looked_at, caller = self._known.get(plain, (-1e9, None))
        if now - looked_at > LOOK_AGAIN_S:
            key = self._control.key(plain)
            caller = Caller(self._control.shop(key.shop), key) if key else None
            with self._lock:
                if len(self._known) > _REMEMBERED:
                    self._known.clear()
                self._known[plain] = (now, caller)
        if caller is not None and caller.key.prefix not in self._used:
            with self._lock:
                self._used.add(caller.key.prefix)
        return caller


def key_in(headers: Headers) -> str:
    """The key of `Authorization: Bearer KEY`, or the user of Basic as Segment's clients send it."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            return _basic_user(value)
    return ""


def _basic_user(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""
