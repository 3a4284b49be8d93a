from __future__ import annotations

from pathlib import Path

from thinslice.store.rejected import RejectedEvents
from thinslice.store.wire import Rejected


def test_what_was_refused_can_be_read_with_its_rule(tmp_path: Path) -> None:
    file = RejectedEvents(tmp_path / "lamps.jsonl")
    file.append([Rejected(3, "price is at least 0", b'{"a":"\xff"}')], 0)
    (line,) = file.latest()
    assert line == {
        "received_at": "1970-01-01T00:00:00+00:00",
        "position": 3,
        "rule": "price is at least 0",
        "event": '{"a":"\\xff"}',
    }


def test_a_flood_of_rubbish_fills_two_files_and_no_more(tmp_path: Path) -> None:
    file = RejectedEvents(tmp_path / "lamps.jsonl", max_bytes=1000)
    for number in range(100):
        file.append([Rejected(number, "rule", b"x" * 100)], 0)
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) < 3000
    assert file.latest(1)[0]["position"] == 99


def test_a_line_that_a_crash_cut_short_hides_no_other(tmp_path: Path) -> None:
    file = RejectedEvents(tmp_path / "lamps.jsonl")
    file.append([Rejected(1, "rule", b"x")], 0)
    with file.path.open("a") as cut:
        cut.write('{"received')
    assert [line["position"] for line in file.latest()] == [1]
