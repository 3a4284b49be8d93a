from collections.abc import Callable

import pyarrow as pa
import pytest

from thinslice.domain import Event, Experiment, Variant
from thinslice.store.log.schema import to_table

SECOND = 1_000_000
MINUTE = 60 * SECOND


class Log:
    """Events written by hand. Time is in seconds; a visitor has one session unless told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.sessions: list[str] = []

    def add(self, visitor: str, type: str, at: float, *, session: str = "", **more: object) -> None:
        fields = {"message_id": f"m{len(self.events)}", "time_us": int(at * SECOND), **more}
        self.events.append(Event(type=type, visitor=visitor, **fields))  # type: ignore[arg-type]
        self.sessions.append(session or f"{visitor}/1")

    def shown(
        self, visitor: str, variant: str, at: float = 10, *, id: str = "", session: str = ""
    ) -> str:
        id = id or f"x{len(self.events)}"
        self.add(
            visitor,
            "Recommendation Served",
            at,
            session=session,
            message_id=id,
            exposure_id=id,
            experiment="e",
            variant=variant,
        )
        return id

    def order(self, visitor: str, at: float, revenue: int | None = 1000, **more: object) -> None:
        more.setdefault("order_id", f"o{len(self.events)}")
        self.add(visitor, "Order Completed", at, revenue_minor=revenue, **more)  # type: ignore[arg-type]

    def table(self) -> pa.Table:
        keys = pa.array(self.sessions, pa.string())
        return to_table(self.events).append_column("session_key", keys)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def experiment() -> Callable[..., Experiment]:
    def make(*weights: float, **more: object) -> Experiment:
        weights = weights or (0.5, 0.5)
        policies = ("list:incumbent", "session", "popular")
        variants = tuple(Variant("ABC"[i], policies[i], weight) for i, weight in enumerate(weights))
        fields = {"started_us": 0, "salt": "salt", **more}
        return Experiment("e", "shop", "Does it sell more?", variants, **fields)  # type: ignore[arg-type]

    return make
