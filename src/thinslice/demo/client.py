"""A shop's server, as seen by thinslice: a few calls over HTTP with the secret key."""

from __future__ import annotations

import http.client
import json
import time
from base64 import b64encode
from typing import Any
from urllib.parse import urlsplit

TRIES = 40


class ServiceError(Exception):
    """The service answered something else than yes."""


class ShopClient:
    """One kept-open connection to the service; make one per thread."""

    def __init__(self, base_url: str, key: str, timeout_s: float = 30) -> None:
        parts = urlsplit(base_url)
        self._http = http.client.HTTPConnection(
            parts.hostname or "127.0.0.1", parts.port or 80, timeout=timeout_s
        )
        self._headers = {
            "Authorization": "Basic " + b64encode(f"{key}:".encode()).decode(),
            "Content-Type": "application/json",
        }

    def put_products(self, products: list[dict[str, Any]]) -> Any:
        """Add products to the catalogue or replace them."""
        return self._call("PUT", "/v1/products", {"products": products})

    def send(self, batch: list[dict[str, Any]]) -> None:
        """Send events; when this returns, all of them are on the service's disk."""
        answer = self._call("POST", "/v1/batch", {"batch": batch})
        if answer["rejected"]:
            raise ServiceError(f"the service keeps no such event: {answer['rejected'][0]}")

    def recommend(self, **query: Any) -> Any:
        """Ask for a list of products, as its exposure."""
        return self._call("POST", "/v1/recommendations", query)

    def get(self, path: str) -> str:
        """A page's text."""
        return self._answer("GET", path, None).decode()

    def __enter__(self) -> ShopClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def _call(self, method: str, path: str, body: Any) -> Any:
        answer = self._answer(method, path, json.dumps(body, separators=(",", ":")))
        return json.loads(answer or b"null")

    def _answer(self, method: str, path: str, body: str | None) -> bytes:
        """Ask, and ask again when the service is busy, as it says in Retry-After."""
        for _ in range(TRIES):
            try:
                self._http.request(method, path, body, self._headers)
                response = self._http.getresponse()
                answer = response.read()
            except (ConnectionError, http.client.HTTPException):
                self._http.close()
                time.sleep(0.1)
                continue
            if response.status == 503:
                time.sleep(min(1.0, float(response.headers.get("Retry-After", 1))))
                continue
            if response.status >= 300:
                raise ServiceError(f"{method} {path} answered {response.status}: {answer[:500]!r}")
            return answer
        raise ServiceError(f"{method} {path} got no answer in {TRIES} tries")
