from __future__ import annotations

import pytest

from thinslice.errors import BusyError
from thinslice.server.photo_turns import FEWEST, PhotoTurns


def served(turns: PhotoTurns, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many photos together as there is room for, each answered after so many seconds."""
    now = [turns._shrunk_at + 1.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    open_ = [turns.turn() for _ in range(int(turns.limit))]
    for turn in open_:
        turn.__enter__()
    with pytest.raises(BusyError, match="come back"), turns.turn():
        pass
    now[0] += seconds
    for turn in open_:
        turn.__exit__(None, None, None)


def test_more_are_taken_on_while_answers_come_in_time_and_fewer_when_they_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns = PhotoTurns(goal_s=0.15)
    first = turns.limit
    for _ in range(40):
        served(turns, 0.1, monkeypatch)
    grown = turns.limit
    assert grown > first + 10
    served(turns, 0.2, monkeypatch)
    assert turns.limit == pytest.approx(grown * 0.8)
    for _ in range(30):
        served(turns, 0.2, monkeypatch)
    assert turns.limit == FEWEST
    assert turns.taken == 0


def test_one_crowd_of_late_answers_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = PhotoTurns(goal_s=0.15)
    turns.limit = 20.0
    served(turns, 1.0, monkeypatch)
    assert turns.limit == pytest.approx(16.0)


def test_a_turn_that_fails_is_given_back() -> None:
    turns = PhotoTurns()
    with pytest.raises(ValueError, match="broken"), turns.turn():
        raise ValueError("broken")
    assert turns.taken == 0
