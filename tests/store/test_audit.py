from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from thinslice.domain import Event, EventType
from thinslice.errors import NotEnoughDataError
from thinslice.store.audit import Audit, audit_events
from thinslice.store.exports.import_report import ImportReport, SkippedRow
from thinslice.store.log.schema import to_table

MINUTE = 60_000_000
DAY = 1440 * MINUTE
START = 1_700_000_000_000_000 - 1_700_000_000_000_000 % DAY + DAY // 2  # noon UTC


def _event(visitor: str, minute: int, product: str | None = "a", **more: Any) -> Event:
    time_us = START + minute * MINUTE
    kind = more.pop("type", EventType.PRODUCT_VIEWED)
    identity = more.pop("message_id", f"{visitor}-{minute}-{product}-{kind}")
    return Event(identity, str(kind), time_us, visitor, product=product, **more)


def _audit(*events: Event, report: ImportReport | None = None, zone: str = "UTC") -> Audit:
    return audit_events(to_table(events), gap_minutes=30, time_zone=zone, report=report)


def test_sessions_end_at_a_pause_and_are_counted() -> None:
    audit = _audit(
        _event("u", 0, "a"),
        _event("u", 29, "b"),
        _event("u", 90, "a"),
        _event("v", 0, "a"),
        _event("v", 1, "a"),
    )
    assert (audit.events, audit.visitors, audit.sessions, audit.products) == (5, 2, 3, 2)
    assert audit.bounce_rate == pytest.approx(1 / 3)
    assert audit.anonymous_share == pytest.approx(1 / 2)
    assert audit.learnable_sessions == 1
    assert audit.repeat_share == pytest.approx(1 / 5)
    assert audit.events_per_session == pytest.approx(5 / 3)


def test_orders_and_their_money_are_counted_once() -> None:
    bought: dict[str, Any] = {
        "type": EventType.ORDER_COMPLETED,
        "order_id": "1",
        "message_id": "m",
        "currency": "EUR",
    }
    audit = _audit(
        _event("u", 0),
        _event("u", 1, "a", line=1, revenue_minor=1000, quantity=1, **bought),
        _event("u", 1, "b", line=2, revenue_minor=500, **bought),
        _event("v", 0),
        _event("w", 0, type=EventType.ORDER_COMPLETED),
    )
    assert (audit.orders, audit.revenue) == (2, {"EUR": 1500})
    assert audit.orders_without_revenue == 1
    assert audit.conversion == pytest.approx(2 / 3)
    assert audit.missing["quantity"] == pytest.approx(2 / 3)
    assert "Revenue can be measured: the orders add up to EUR 15.00." in audit.can
    assert "50.0% of the orders have no amount and count as no revenue." in audit.cannot


def test_a_log_without_purchases_says_that_no_money_can_be_stated() -> None:
    audit = _audit(_event("u", 0))
    assert audit.orders == 0 and audit.orders_without_revenue == 0
    assert "There are no purchases, so no money can be stated." in audit.cannot
    assert not any("measured" in s for s in audit.can if "Conversion" in s or "Revenue" in s)


def test_rows_that_repeat_are_counted_once_and_said(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    pq.write_table(to_table([_event("u", 0), _event("u", 0), _event("u", 1, "b")]), path)
    audit = audit_events(path, gap_minutes=30, time_zone="UTC")
    assert (audit.events, audit.duplicates, audit.sessions) == (2, 1, 1)
    assert any(s.startswith("1 row repeats another row exactly") for s in audit.cannot)


def test_days_are_the_shops_and_gaps_are_named() -> None:
    late = 11 * 60 + 30  # 23:30 in UTC, the next day in Berlin
    events = [_event("u", late), _event("u", late + 3 * 1440)]
    utc, berlin = _audit(*events), _audit(*events, zone="Europe/Berlin")
    assert utc.days == berlin.days == 4 and len(utc.quiet_days) == 2
    assert sorted(utc.daily)[0] < sorted(berlin.daily)[0]
    assert any(s.startswith("2 of the 4 days have no events") for s in utc.cannot)


def test_a_log_of_sessions_only_says_nothing_about_returning_visitors() -> None:
    audit = _audit(*(_event("s1", m, p, session="s1") for m, p in enumerate("ab")))
    assert audit.anonymous_share is None and not audit.has_visitor_ids
    assert any("no visitor ids" in s for s in audit.cannot)
    assert any("short visits seem to have been left out" in s for s in audit.cannot)
    assert "visitors" not in audit.sentence()


def test_what_the_service_recorded_itself_is_left_out() -> None:
    served = _event("u", 5, None, type=EventType.RECOMMENDATION_SERVED)
    audit = _audit(_event("u", 0), served)
    assert audit.events == 1 and audit.bounce_rate == 1.0


def test_an_order_book_is_not_taken_for_a_click_log() -> None:
    audit = _audit(
        *(_event("u", m, p, type=EventType.ORDER_COMPLETED) for m, p in enumerate("ab")),
        _event("u", 9, type=EventType.ORDER_REFUNDED),
    )
    assert not any("Conversion" in s for s in audit.can)
    assert any("no views" in s for s in audit.cannot)
    assert any(s.startswith("1 row is a refund") for s in audit.cannot)


def test_the_import_s_words_stand_in_the_audit() -> None:
    report = ImportReport(columns={"product": "sku"}, notes=["Times are read as seconds."])
    report.skip(SkippedRow(2, "time", "x", "a time must be a date"))
    audit = _audit(_event("u", 0), report=report)
    assert audit.skipped == 1 and audit.columns == {"product": "sku"}
    assert "  product is read from sku" in audit.lines()
    assert "1 row could not be read and is left out." in audit.cannot


def test_an_audit_is_plain_values() -> None:
    said = _audit(_event("u", 0, price_minor=100, currency="EUR"), _event("u", 1, "b")).to_dict()
    assert json.loads(json.dumps(said)) == said
    assert said["period"]["days"] == 1 and said["missing"]["price"] == 0.5
    assert said["sentence"].startswith("2 events of 1 visitors in 1 sessions on 2 products")


def test_a_log_without_events_is_not_audited() -> None:
    with pytest.raises(NotEnoughDataError, match="at least one event"):
        _audit()
