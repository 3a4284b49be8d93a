from __future__ import annotations

from pathlib import Path

import pytest

from thinslice.config import Settings
from thinslice.domain import Event, EventType
from thinslice.store.directory import DataDirectory
from thinslice.store.log import tail as tail_module
from thinslice.store.log.event_log import EventLog


def viewed(message: str, product: str | None = "lamp", kind: str = "Product Viewed") -> Event:
    return Event(message, kind, int(message), "visitor", product=product)


@pytest.fixture
def logs(tmp_path: Path):
    """Two writers over one folder."""
    directory = DataDirectory(tmp_path / "data")
    found = [EventLog(directory, Settings(data=directory.root)) for _ in range(2)]
    yield found
    for log in found:
        log.close()


def messages(touches) -> list[int]:
    return [touch.time_us for touch in touches]


def test_it_tells_what_every_writer_acknowledged_once_and_by_time(logs):
    tail = logs[0].tail()
    logs[0].append("shop", [viewed("1"), viewed("3")])
    logs[1].append("shop", [viewed("2")])
    assert messages(tail.look()) == [1, 2, 3]
    assert tail.look() == []
    logs[1].append("other", [viewed("4")])
    assert [(t.shop, t.time_us, t.product) for t in tail.look()] == [("other", 4, "lamp")]


def test_it_follows_a_file_through_its_life(logs):
    tail = logs[0].tail()
    logs[0].append("shop", [viewed("1")])
    tail.look()
    logs[0].append("shop", [viewed("2")])
    logs[0].close()
    assert messages(tail.look()) == [2]
    logs[0].seal()
    assert tail.look() == []


def test_only_touches_of_products_are_told(logs):
    tail = logs[0].tail()
    served = viewed("1", kind=str(EventType.RECOMMENDATION_SERVED))
    logs[0].append("shop", [served, viewed("2", product=None), viewed("3", product="")])
    assert tail.look() == []


def test_a_new_follower_begins_with_the_newest_lines(logs, monkeypatch):
    monkeypatch.setattr(tail_module, "CATCH_UP_LINES", 3)
    logs[0].append("shop", [viewed(str(n)) for n in range(5)])
    logs[1].append("shop", [viewed(str(n)) for n in range(5, 7)])
    assert messages(logs[0].tail().look()) == [4, 5, 6]


def test_a_file_that_cannot_be_read_keeps_no_other_from_being_followed(logs, tmp_path):
    logs[0].append("shop", [viewed("1")])
    (tmp_path / "data" / "hot" / "0000000000000001-x.sqlite").write_bytes(b"no database" * 100)
    assert messages(logs[0].tail().look()) == [1]


def test_a_position_knows_what_was_read_before_it(logs):
    logs[0].append("shop", [viewed("1"), viewed("2")])
    position = logs[0].position()
    logs[0].append("shop", [viewed("3")])
    logs[1].append("shop", [viewed("4")])
    fresh = [t.time_us for t in logs[0].tail().look() if t.line > position.until(t.file)]
    assert fresh == [3, 4]
    assert position.until("0000000000000001-gone") > 10**12  # sealed and deleted long ago
    assert type(position).from_dict(position.to_dict()) == position


def test_more_is_there_when_something_came_after_the_position(logs):
    logs[0].append("shop", [viewed("1")])
    position = logs[0].position()
    assert not logs[0].has_more("shop", position)
    logs[1].append("other", [viewed("2")])
    assert not logs[0].has_more("shop", position)
    logs[1].append("shop", [viewed("3")])
    assert logs[0].has_more("shop", position)


def test_more_is_there_when_it_was_sealed_and_its_file_is_gone(logs, tmp_path):
    position = logs[0].position()
    logs[0].append("shop", [viewed("1")])
    logs[0].close()
    logs[1].seal()
    for file in (tmp_path / "data" / "hot").iterdir():
        file.unlink()
    assert logs[1].has_more("shop", position)
