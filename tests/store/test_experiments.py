from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from thinslice.domain import Experiment, Planned, Shop, Variant
from thinslice.errors import InputError, NotFoundError
from thinslice.store.control import ControlPlane

ARMS = (Variant("control", "list:incumbent"), Variant("session", "session"))


@pytest.fixture
def control(tmp_path: Path) -> ControlPlane:
    plane = ControlPlane(tmp_path / "control.sqlite")
    plane.add_shop(Shop("lamps", "Lamps & more", "EUR", "Europe/Vienna"))
    return plane


def experiment(name: str, placement: str = "product", traffic: float = 1.0) -> Experiment:
    question = "Does it sell more?"
    return Experiment(
        name, "lamps", question, ARMS, "salt", 1000, placement=placement, traffic=traffic
    )


def test_a_placement_runs_one_experiment_at_a_time(control: ControlPlane) -> None:
    control.start_experiment(experiment("one"))
    with pytest.raises(InputError, match="stop it first"):
        control.start_experiment(experiment("two"))
    control.start_experiment(experiment("elsewhere", placement="cart"))
    control.stop_experiment("lamps", "one", now_us=5000)
    control.start_experiment(experiment("two"))
    assert [(e.id, e.stopped_us) for e in control.experiments("lamps")] == [
        ("elsewhere", None),
        ("one", 5000),
        ("two", None),
    ]


def test_an_experiment_comes_back_as_it_was_started(control: ControlPlane) -> None:
    started = control.start_experiment(experiment("one"))
    assert control.experiments("lamps") == [started]
    assert (started.state, started.traffic, started.changes[0].what) == ("running", 1.0, "started")


def test_what_was_foreseen_is_kept(control: ControlPlane) -> None:
    foreseen = replace(experiment("one"), planned=Planned(12_000, 430.5))
    control.start_experiment(foreseen)
    assert only(control).planned == Planned(12_000, 430.5)


def test_a_stopped_experiment_keeps_its_first_end(control: ControlPlane) -> None:
    control.start_experiment(experiment("one"))
    control.stop_experiment("lamps", "one", now_us=5)
    control.stop_experiment("lamps", "one", now_us=9)
    assert control.experiments("lamps")[0].stopped_us == 5
    with pytest.raises(NotFoundError, match="no 'two'"):
        control.stop_experiment("lamps", "two")


def only(control: ControlPlane) -> Experiment:
    (found,) = control.experiments("lamps")
    return found


def test_everything_that_was_done_is_kept_with_who_when_and_why(control: ControlPlane) -> None:
    control.start_experiment(experiment("one", traffic=0.05), "anna")
    control.ramp_experiment("lamps", "one", 0.5, who="ben", why="a quiet week", at_us=2000)
    control.ramp_experiment("lamps", "one", 0, who="ben", at_us=3000)
    control.ramp_experiment("lamps", "one", 0.5, at_us=4000)
    control.stop_experiment("lamps", "one", 5000, after="session", who="anna", why="it sells")
    control.conclude_experiment("lamps", "one", "Sells more.", who="anna", at_us=6000)
    kept = [(c.at_us, c.who, c.what, c.traffic, c.note) for c in only(control).changes]
    assert kept == [
        (1000, "anna", "started", 0.05, ""),
        (2000, "ben", "ramped", 0.5, "a quiet week"),
        (3000, "ben", "paused", 0.0, ""),
        (4000, "", "ramped", 0.5, ""),
        (5000, "anna", "stopped", None, "it sells"),
        (6000, "anna", "learned", None, "Sells more."),
    ]
    assert (only(control).after, only(control).learned) == ("session", "Sells more.")


def test_the_traffic_only_rises_except_for_a_pause(control: ControlPlane) -> None:
    control.start_experiment(experiment("one", traffic=0.2))
    control.ramp_experiment("lamps", "one", 0)
    assert only(control).state == "paused"
    with pytest.raises(InputError, match=r"only rises, it had 0.2"):
        control.ramp_experiment("lamps", "one", 0.1)
    control.ramp_experiment("lamps", "one", 0.3)
    assert (only(control).state, only(control).traffic) == ("running", 0.3)


@pytest.mark.parametrize("traffic", [-0.1, 1.1, float("nan")])
def test_a_traffic_that_is_no_share_is_refused(control: ControlPlane, traffic: float) -> None:
    control.start_experiment(experiment("one", traffic=0.2))
    with pytest.raises(InputError, match="share of the visitors from 0 to 1"):
        control.ramp_experiment("lamps", "one", traffic)
    with pytest.raises(InputError, match="above 0 and at most 1"):
        control.start_experiment(experiment("two", "cart", traffic=traffic))


def test_a_stopped_experiment_is_not_ramped(control: ControlPlane) -> None:
    control.start_experiment(experiment("one"))
    control.stop_experiment("lamps", "one")
    with pytest.raises(InputError, match="start a new one"):
        control.ramp_experiment("lamps", "one", 1.0)


def test_a_kill_brings_everyone_back_to_the_control(control: ControlPlane) -> None:
    control.start_experiment(experiment("one"))
    control.stop_experiment("lamps", "one", killed=True, who="anna")
    assert (only(control).state, only(control).after) == ("stopped", "control")
    assert only(control).changes[-1].what == "killed"


def test_what_was_shipped_can_still_be_taken_back(control: ControlPlane) -> None:
    control.start_experiment(experiment("one"))
    control.stop_experiment("lamps", "one", 5, after="session")
    control.stop_experiment("lamps", "one", 9)
    assert only(control).after == "session"
    control.stop_experiment("lamps", "one", 9, killed=True)
    assert (only(control).stopped_us, only(control).after) == (5, "control")
    with pytest.raises(InputError, match="choose 'control' or 'session'"):
        control.stop_experiment("lamps", "one", after="neither")


def test_of_two_who_start_at_once_one_is_told(control: ControlPlane) -> None:
    refused = []

    def start(name: str) -> None:
        try:
            control.start_experiment(experiment(name))
        except InputError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=start, args=(f"tab-{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(control.experiments("lamps")) == 1
    assert len(refused) == 7


def test_a_notice_is_found_once_and_waits_until_it_is_sent(control: ControlPlane) -> None:
    control.start_experiment(experiment("one"))
    assert control.notice("lamps", "one", "bounce_rate", "Bounce rate is worse.")
    assert not control.notice("lamps", "one", "bounce_rate", "Bounce rate is worse.")
    (waiting,) = control.unsent_notices()
    control.mark_notice(waiting.number, sent=False)
    (waiting,) = control.unsent_notices()
    assert (waiting.tries, waiting.about) == (1, "bounce_rate")
    control.mark_notice(waiting.number, sent=True)
    assert control.unsent_notices() == []
    assert [c.what for c in only(control).changes] == ["started", "noticed"]


def test_the_latest_holdout_is_in_force(control: ControlPlane) -> None:
    assert control.holdout("lamps") == 0
    control.set_holdout("lamps", 0.05, "anna")
    control.set_holdout("lamps", 0.1, "anna")
    assert control.holdout("lamps") == 0.1
    with pytest.raises(InputError, match="from 0 to 0.5"):
        control.set_holdout("lamps", 0.9)
    with pytest.raises(NotFoundError):
        control.set_holdout("nobody", 0.1)
