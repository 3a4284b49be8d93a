"""What the stages found out about a small shop, through the stages themselves."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from thinslice.domain import DAY_US, Event, EventType, Experiment, Scored, SessionLog, Variant
from thinslice.evaluation.offline import evaluate
from thinslice.evaluation.splits import split_by_time
from thinslice.outcomes.readouts.readout import read_out
from thinslice.profit import Plan, Range, judge_experiment, judge_offline
from thinslice.store.audit import audit_events
from thinslice.store.log.schema import to_table

START = 1_772_323_200_000_000  # 1 March 2026
PLAN = Plan(
    question="Do recommendations from the running visit sell more?",
    guardrails={"bounce_rate": 0.05},
    order_value=Range(9, 12, 16),
    must_beat=10_000,
    fixed_cost=6_000,
    sessions_per_month=60_000,
).agree(START - DAY_US)


@pytest.fixture
def findings(everything: dict[str, Any]) -> dict[str, Any]:
    """All parts, of which a test may take away what it likes."""
    return copy.deepcopy(everything)


@pytest.fixture(scope="session")
def everything() -> dict[str, Any]:
    evaluation = _evaluation()
    _, table = _visits("helps", 0, (40, 80))
    return {
        "shop": {
            "id": "sunday",
            "name": "Sunday Goods",
            "currency": "EUR",
            "time_zone": "Europe/Berlin",
            "generated": False,
            "products": 4,
            "lists": [],
            "model": None,
        },
        "plan": PLAN.to_dict(),
        "audit": _audit(table),
        "evaluation": evaluation,
        "offline": judge_offline(evaluation, PLAN).to_dict(),
        "readouts": [
            readout("harms", 0, (80, 20)),
            readout("nothing", 1, (40, 40)),
            readout("helps", 2, (40, 80)),
        ],
    }


def _audit(table: pa.Table) -> dict[str, Any]:
    log = table.drop_columns(["session_key"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ibis 12 calls DuckDB 2 and pandas 3 by old names
        return audit_events(log, gap_minutes=30, time_zone="Europe/Berlin").to_dict()


def readout(
    name: str,
    day: int,
    orders: tuple[int, int],
    *,
    sizes: tuple[int, int] = (400, 400),
    policies: tuple[str, str] = ("list:incumbent", "session"),
) -> dict[str, Any]:
    """An experiment of which the first `orders` visitors of each variant ordered for 20 euros."""
    experiment, table = _visits(name, day, orders, sizes, policies)
    found = read_out(experiment, table, plan=PLAN.terms(), currency="EUR").to_dict()
    return {**found, "judgement": judge_experiment(found, PLAN).to_dict()}


def _visits(
    name: str,
    day: int,
    orders: tuple[int, int],
    sizes: tuple[int, int] = (400, 400),
    policies: tuple[str, str] = ("list:incumbent", "session"),
) -> tuple[Experiment, pa.Table]:
    start = START + day * DAY_US
    variants = (Variant("today", policies[0]), Variant("visit", policies[1]))
    experiment = Experiment(
        name, "sunday", f"Does it {name}?", variants, "salt", start, start + 11 * DAY_US
    )
    events = []
    for variant, size, ordering in zip(variants, sizes, orders, strict=True):
        for v in range(size):
            visitor, at = f"{name}-{variant.name}-{v}", start + v * 10 * DAY_US // size
            events += _visit(visitor, at, experiment, variant, v < ordering, v % 2 == 0)
    events.sort(key=lambda event: event.time_us)
    keys = pa.array([event.session for event in events])
    return experiment, to_table(events).append_column("session_key", keys)


def _visit(
    visitor: str, at: int, experiment: Experiment, variant: Variant, orders: bool, stays: bool
) -> list[Event]:
    def event(kind: EventType, seconds: int, **values: Any) -> Event:
        return Event(
            f"{visitor}-{seconds}",
            kind,
            at + seconds * 1_000_000,
            visitor,
            session=visitor,
            **values,
        )

    shown = event(
        EventType.RECOMMENDATION_SERVED,
        0,
        exposure_id=f"{visitor}-0",
        experiment=experiment.id,
        variant=variant.name,
    )
    seen = [event(EventType.PRODUCT_VIEWED, 1, product="lamp")]
    if stays:
        seen.append(event(EventType.PRODUCT_VIEWED, 2, product="sofa"))
    if orders:
        bought = {"order_id": visitor, "revenue_minor": 2000, "currency": "EUR", "product": "lamp"}
        seen.append(event(EventType.ORDER_COMPLETED, 3, **bought))
    return [shown, *seen]


class _Always:
    """Recommends the same products whatever was seen."""

    def __init__(self, name: str, *products: str) -> None:
        self.name = name
        self._products = products

    def recommend(
        self, session: Sequence[str], n: int, *, now_us: int | None = None
    ) -> list[Scored]:
        return [Scored(p, 1.0, None) for p in self._products if p != session[-1]][:n]


def _evaluation() -> dict[str, Any]:
    """300 visits from the lamp to the sofa; the first list maker knows, the others do not."""
    n = 300
    log = SessionLog(
        products=("lamp", "sofa", "rug", "vase"),
        offsets=np.arange(0, 2 * n + 1, 2),
        codes=np.tile([0, 1], n).astype(np.int32),
        times_us=START - 30 * DAY_US + np.arange(2 * n) * 60_000_000,
        types=np.zeros(2 * n, np.int8),
        ids=tuple(str(s) for s in range(n)),
    )
    rivals = {
        "session": _Always("session", "sofa"),
        "popular": _Always("popular", "lamp"),
        "list:incumbent": _Always("list:incumbent", "rug", "vase"),
    }
    return evaluate(rivals, split_by_time(log), n=2).to_dict()
