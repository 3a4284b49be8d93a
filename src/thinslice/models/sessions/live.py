"""What visitors do since the model was learned: sessions that speak within a second.

A window of the newest touches, linked both ways: to the touch of the same product before, and to
the neighbours in the session. A new touch costs a few writes, whatever is in the window; the
oldest makes room. For a session's different products j by lag, with heard(j) the touches of j in
the window that have another beside them, and known(j) the sessions that the model learned j from,

    share(j, i)  = trust * heard(j) / (trust * heard(j) + known(j))
                   where i is new to the model, at least heard(j) / (heard(j) + doubt)
    votes(i)     = mean over j, weighed by exp(-lag(j) / lag_decay): share(j, i)
                   * mean over the touches of j: exp(-(steps - 1) / near) for i after it,
                     times `backward` for i before it
    weight       = mean of share(j) alike

    score(i)     = (1 - weight) * the model's score + loud * votes(i) * the model's largest score

A few new sessions move a product with thousands of old ones as little as they should; a product
that the model does not know is spoken for by the window alone, which has all there is of it.

Nothing of this is on disk: the log is, and the next model learns from the same sessions. What a
model has learned is forgotten here.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from thinslice.models.sessions.live_kernels import add_touches, empty_window, speak

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.models.sessions.products import ProductCodes

MOST_TOUCHES = 50_000
"""Touches that a window holds, some 400 bytes each; older ones wait for the next model."""


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """What the formula leaves open; chosen on the last training days of public logs.

    `loud_over_trees` is `loud` where trees put the model's list in order: their scores fall more
    slowly from place to place.
    """

    lag_decay: float = 1.5
    near: float = 2.0
    reach: int = 4
    backward: float = 0.7
    look_at: int = 100
    trust: float = 3.0
    doubt: float = 2.0
    loud: float = 2.0
    loud_over_trees: float = 1.0
    query_products: int = 10


class LiveTouch(Protocol):
    """A product that a visitor touched, and the line of the log that says so."""

    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def visitor(self) -> str: ...
    @property
    def session(self) -> str: ...
    @property
    def time_us(self) -> int: ...
    @property
    def product(self) -> str: ...


class Spoken(NamedTuple):
    """Products with their votes and who spoke for them, best first; `weight` is from 0 to 1."""

    products: list[str]
    votes: list[float]
    because: list[str]
    weight: float


class Known:
    """In how many of a model's sessions each product is; in none where there is no model."""

    def __init__(self, products: ProductCodes | None, sessions: NDArray[Any] | None) -> None:
        self._of = products.of if products else lambda _: None
        self._sessions = sessions
        self._new: tuple[_Window | None, NDArray[np.bool_], int] = (None, np.zeros(0, np.bool_), 0)

    def sessions(self, product: str) -> float:
        code = self._of(product)
        return 0.0 if code is None or self._sessions is None else float(self._sessions[code])

    def new_in(self, window: _Window) -> NDArray[np.bool_]:
        """By the window's codes: the products that the model does not know."""
        known_window, is_new, n = self._new
        if known_window is not window:
            is_new, n = np.zeros(2 * window.most, np.bool_), 0
        for code in range(n, len(window.ids)):
            is_new[code] = self.sessions(window.ids[code]) == 0
            n = code + 1
        self._new = (window, is_new, n)
        return is_new


class LiveSessions:
    """The window of one shop. One thread adds; any number ask meanwhile.

    `session_products` is what a session counts with, so that a robot cannot own the window. A
    visitor's pause longer than `gap_us` ends a session that has no id.
    """

    def __init__(
        self,
        *,
        gap_us: int = 30 * 60 * 1_000_000,
        most_touches: int = MOST_TOUCHES,
        session_products: int = 50,
        settings: LiveSettings | None = None,
    ) -> None:
        self.settings = settings or LiveSettings()
        self._gap_us = gap_us
        self._session_products = session_products
        self._touches: deque[LiveTouch] = deque(maxlen=most_touches)
        self._window = _Window(most_touches)
        lags = np.arange(self.settings.query_products)
        self._lag_weights = np.exp(-lags / self.settings.lag_decay)
        self._near_weights = np.exp(-np.arange(self.settings.reach) / self.settings.near)
        self._local = threading.local()
        self.generation = 0
        """Rises with every change: within one, equal questions have equal answers."""
        self.newest_us = 0

    def __len__(self) -> int:
        """The touches in the window."""
        return len(self._touches)

    def add(self, touches: Sequence[LiveTouch]) -> None:
        """Take up touches, oldest first. A product touched twice in a row counts once."""
        self.newest_us = max((t.time_us for t in touches), default=self.newest_us)
        for first in range(0, len(touches), self._window.most):
            part = touches[first : first + self._window.most]
            if not self._window.has_room_for(len(part)):
                self._begin_anew()
            self._touches.extend(self._take(self._window, part))
        self.generation += 1

    def forget(self, learned_until: Callable[[str], int]) -> None:
        """Drop the sessions that a model has learned whole, and keep the others as they are.

        `learned_until` gives the last line learned of a file of the log.
        """
        until = {file: learned_until(file) for file in {t.file for t in self._touches}}
        unlearned = {(t.visitor, t.session) for t in self._touches if t.line > until[t.file]}
        kept = [t for t in self._touches if (t.visitor, t.session) in unlearned]
        if len(kept) < len(self._touches):
            self._touches = deque(kept, self._touches.maxlen)
            self._begin_anew()
            self.generation += 1

    def speak_for(self, session: Sequence[str], n: int, model: Known) -> Spoken | None:
        """What the window says to a session (oldest first), None where it has no part of it.

        All products may be spoken for but the last.
        """
        window = self._window
        if not window.count or n < 1:
            return None
        query = self._query(session, model)
        if not any(product in window.code_of for product, _ in query):
            return None
        best = np.empty(n, np.int32)
        found, votes, because, weight = speak(
            window.arrays, window.count,
            np.array([window.code_of.get(product, -1) for product, _ in query], np.int32),
            np.array([sessions for _, sessions in query], np.float64),
            model.new_in(window),
            self._lag_weights, self._near_weights, self.settings.backward, self.settings.look_at,
            self.settings.trust, self.settings.doubt, best, *self._scratch(window),
        )  # fmt: skip
        if found == 0:
            return None
        return Spoken(
            [window.ids[code] for code in best[:found].tolist()],
            votes.tolist(),
            [query[lag][0] for lag in because.tolist()],
            weight,
        )

    def most_touched(self, n: int) -> list[tuple[str, int]]:
        """The n products with the most touches in the window, with how many."""
        window = self._window
        touched = window.arrays[5][: len(window.ids)]
        order = np.argsort(-touched, kind="stable")[:n]
        return [(window.ids[code], int(touched[code])) for code in order.tolist() if touched[code]]

    def _query(self, session: Sequence[str], model: Known) -> list[tuple[str, float]]:
        """The session's latest different products that the model or the window knows."""
        codes, found = self._window.code_of, dict[str, float]()
        for product in reversed(session):
            if product not in found and ((sessions := model.sessions(product)) or product in codes):
                found[product] = sessions
                if len(found) == self.settings.query_products:
                    break
        return list(found.items())

    def _begin_anew(self) -> None:
        window = _Window(self._window.most)
        self._take(window, self._touches)
        self._window = window

    def _take(self, window: _Window, touches: Iterable[LiveTouch]) -> list[LiveTouch]:
        return window.add(touches, self._gap_us, self._session_products)

    def _scratch(self, window: _Window) -> tuple[NDArray[Any], ...]:
        """Arrays that one thread writes to; every call leaves them all zero."""
        size = len(window.arrays[4])
        if not hasattr(self._local, "scratch"):
            kinds = (np.float64, np.float64, np.int32, np.int32)
            self._local.scratch = tuple(np.zeros(size, kind) for kind in kinds)
        scratch: tuple[NDArray[Any], ...] = self._local.scratch
        return scratch


def with_live_visit(products: Sequence[str], time_us: int) -> LiveSessions:
    """A window with one visit in it, to be asked before anyone else asks: kernels are compiled."""
    live = LiveSessions(most_touches=len(products))
    live.add([_Visited("", 0, "", "", time_us, product) for product in products])
    return live


class _Visited(NamedTuple):
    file: str
    line: int
    visitor: str
    session: str
    time_us: int
    product: str


class _Last(NamedTuple):
    """A session's latest touch: its number, time and product, and how many there were."""

    number: int
    time_us: int
    code: int
    length: int


class _Window:
    """The arrays, and the names that stand in them: products by code, sessions by visitor."""

    def __init__(self, most_touches: int) -> None:
        self.most = most_touches
        self.arrays = empty_window(most_touches, 2 * most_touches)
        self.count = 0
        self.code_of: dict[str, int] = {}
        self.ids: list[str] = []
        self.sessions: dict[tuple[str, str], _Last] = {}

    def has_room_for(self, touches: int) -> bool:
        """Whether as many new names fit; what has left the window still has its name in here."""
        return max(len(self.ids), len(self.sessions)) + touches <= 2 * self.most

    def add(
        self, touches: Iterable[LiveTouch], gap_us: int, session_products: int
    ) -> list[LiveTouch]:
        """Append the touches that count, and return them."""
        counted: list[LiveTouch] = []
        codes: list[int] = []
        before: list[int] = []
        for touch in touches:
            key = (touch.visitor, touch.session)
            last = self.sessions.get(key, _NONE)
            if not touch.session and touch.time_us - last.time_us > gap_us:
                last = _NONE
            code = self._code(touch.product)
            if code == last.code or last.length == session_products:
                continue
            counted.append(touch)
            codes.append(code)
            before.append(last.number)
            self.sessions[key] = _Last(
                self.count + len(codes), touch.time_us, code, last.length + 1
            )
        add_touches(self.arrays, self.count, np.array(codes, np.int32), np.array(before, np.int64))
        self.count += len(codes)
        return counted

    def _code(self, product: str) -> int:
        code = self.code_of.get(product)
        if code is None:
            code = len(self.ids)
            self.ids.append(product)
            self.code_of[product] = code
        return code


_NONE = _Last(0, 0, -1, 0)
