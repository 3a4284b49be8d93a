from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from tests.contracts.session_logs import checkerboard, log_of

from thinslice.config import Settings
from thinslice.errors import NotEnoughDataError
from thinslice.models.sessions.bundle import Bundle, CurrentBundle, learn
from thinslice.models.sessions.choice import Choice
from thinslice.models.sessions.entries import EntrySettings
from thinslice.models.sessions.live import LiveSessions, with_live_visit
from thinslice.models.versions import set_current

SECOND_US = 1_000_000


def published(folder: Path, n_sessions: int = 60, now_us: int = SECOND_US) -> Bundle:
    bundle = learn(checkerboard(n_sessions), Settings())
    bundle.publish(folder, now_us=now_us)
    return bundle


def served(current: CurrentBundle, version: str | None) -> bool:
    """Whether the version is served soon, asking as a server would."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        bundle = current.get()
        if bundle is not None and bundle.version == version:
            return True
        time.sleep(0.005)
    return False


def damage(folder: Path, version: str | None) -> None:
    file = folder / str(version) / "knn.codes.npy"
    file.write_bytes(file.read_bytes()[:-1] + b"\xff")


def test_a_loaded_bundle_answers_as_the_learned_one(tmp_path):
    learned = published(tmp_path)
    loaded = Bundle.load(tmp_path, str(learned.version))
    assert list(loaded.recommenders) == ["session", "item_to_item", "popular"]
    for name, recommender in learned.recommenders.items():
        answer = loaded.recommenders[name].recommend(["lamp-0", "lamp-1"], 10)
        assert answer == recommender.recommend(["lamp-0", "lamp-1"], 10)


def test_a_published_bundle_tells_a_visit_that_begins_from_one_that_runs(tmp_path):
    log = log_of([["home", "lamp", "lamp"], ["home", "lamp", "bulb"]])
    choice = Choice(entries=EntrySettings(half_life_days=1.0, later_events=0.1))
    bundle = learn(log, Settings(), choice)
    bundle.publish(tmp_path)
    loaded = Bundle.load(tmp_path, bundle.version)
    assert loaded.choice.entries == choice.entries
    assert loaded.chosen().endswith("Who has viewed nothing yet gets what visits begin with.")
    for makers in (loaded.recommenders, loaded.with_live(LiveSessions())):
        assert makers["popular"].recommend((), 1)[0].product == "home"
        assert makers["popular"].recommend(("bulb",), 1)[0].product == "lamp"


def test_a_choice_of_before_there_were_such_settings_is_served_as_it_was():
    kept = {k: v for k, v in Choice().to_dict().items() if k != "entries"}
    kept["linear"] = {k: v for k, v in kept["linear"].items() if k != "cart_weight"}
    choice = Choice.from_dict(kept, None)
    assert choice.entries is None
    assert choice.linear.cart_weight == 1.0


def test_what_is_looked_at_now_counts_for_visits_that_begin(tmp_path):
    choice = Choice(entries=EntrySettings(later_events=0.1))
    bundle = learn(log_of([["home", "lamp"]] * 3), Settings(), choice)
    live = with_live_visit(["lamp", "bulb"] * 20, bundle.meta["span"]["last_us"])
    assert bundle.with_live(live)["popular"].recommend((), 1)[0].product == "lamp"


def test_ids_in_any_script_survive(tmp_path):
    bundle = learn(log_of([["läufer", "灯", ""], ["灯", "läufer"]]), Settings())
    bundle.publish(tmp_path)
    assert Bundle.load(tmp_path, str(bundle.version)).products.ids == bundle.products.ids


def test_it_records_what_it_was_learned_from(tmp_path):
    meta = Bundle.load(tmp_path, str(published(tmp_path).version)).meta
    assert meta["counts"]["sessions"] == 60
    assert meta["counts"]["events"] == 180
    assert meta["span"]["first_us"] < meta["span"]["last_us"]
    assert {"settings", "seed", "code_version", "built_us", "files"} <= set(meta)


def test_the_same_log_gives_the_same_files(tmp_path):
    first, second = published(tmp_path / "a"), published(tmp_path / "b")
    assert first.version == second.version
    assert first.meta["counts"] == second.meta["counts"]


def test_learning_from_nothing_names_the_next_step():
    with pytest.raises(NotEnoughDataError, match="thinslice import"):
        learn(log_of([]), Settings())


def test_a_log_of_single_product_sessions_still_gives_a_bundle(tmp_path):
    bundle = learn(log_of([["a"], ["b"]]), Settings())
    bundle.publish(tmp_path)
    loaded = Bundle.load(tmp_path, str(bundle.version))
    assert loaded.recommenders["session"].recommend(["a"], 5) == []
    assert len(loaded.recommenders["popular"].recommend(["a"], 5)) == 1


def test_nothing_is_served_before_the_first_version_and_that_one_at_once(tmp_path):
    current = CurrentBundle(tmp_path / "models")
    assert current.get() is None
    bundle = published(tmp_path / "models")
    assert current.get().version == bundle.version


def test_a_new_version_is_noticed(tmp_path):
    published(tmp_path, 20)
    current = CurrentBundle(tmp_path, check_seconds=0.01)
    current.get()
    newer = published(tmp_path, 40, now_us=2 * SECOND_US)
    assert served(current, newer.version)
    assert current.problem is None


def test_going_back_is_noticed_too(tmp_path):
    old = published(tmp_path, 20)
    published(tmp_path, 40, now_us=2 * SECOND_US)
    current = CurrentBundle(tmp_path, check_seconds=0.01)
    current.get()
    set_current(tmp_path, str(old.version))
    assert served(current, old.version)


def test_a_damaged_version_is_refused_and_the_old_one_keeps_serving(tmp_path):
    old = published(tmp_path, 20)
    current = CurrentBundle(tmp_path)
    current.get()
    broken = published(tmp_path, 40, now_us=2 * SECOND_US)
    damage(tmp_path, broken.version)
    assert current.refresh().version == old.version
    assert str(broken.version) in current.problem
    assert current.get().recommenders["session"].recommend(["lamp-0"], 3)


def test_the_problem_is_gone_once_a_good_version_is_served(tmp_path):
    published(tmp_path, 20)
    current = CurrentBundle(tmp_path)
    current.get()
    damage(tmp_path, published(tmp_path, 40, now_us=2 * SECOND_US).version)
    current.refresh()
    good = published(tmp_path, 60, now_us=3 * SECOND_US)
    assert current.refresh().version == good.version
    assert current.problem is None


def test_the_problem_is_gone_once_current_is_set_back(tmp_path):
    old = published(tmp_path, 20)
    current = CurrentBundle(tmp_path, check_seconds=0.0)
    current.get()
    damage(tmp_path, published(tmp_path, 40, now_us=2 * SECOND_US).version)
    current.refresh()
    assert current.problem
    set_current(tmp_path, str(old.version))
    current.get()
    assert current.problem is None


def test_a_process_that_starts_on_a_damaged_version_serves_the_one_before(tmp_path):
    old = published(tmp_path, 20)
    damage(tmp_path, published(tmp_path, 40, now_us=2 * SECOND_US).version)
    current = CurrentBundle(tmp_path)
    assert current.get().version == old.version
    assert "damaged" in current.problem


def test_a_process_whose_only_version_is_damaged_serves_none_and_says_so(tmp_path):
    damage(tmp_path, published(tmp_path).version)
    current = CurrentBundle(tmp_path)
    assert current.get() is None
    assert "no model" in current.problem


@pytest.mark.parametrize("part", ["known", "popular", "cosine", "knn"])
def test_a_version_that_lacks_a_part_is_refused_in_words(tmp_path, part):
    bundle = learn(checkerboard(60), Settings())
    del bundle.parts[part]
    bundle.publish(tmp_path)
    current = CurrentBundle(tmp_path)
    assert current.get() is None
    assert "lacks a part" in current.problem
    assert "thinslice build" in current.problem


def test_every_answer_during_swaps_is_from_a_whole_version(tmp_path):
    """Readers ask all the time while versions are published; none gets a mixture or nothing."""
    published(tmp_path, 10)
    current = CurrentBundle(tmp_path, check_seconds=0.001)
    current.get()
    answers: list[tuple[str, int]] = []
    problems: list[BaseException] = []
    stop = threading.Event()

    def ask() -> None:
        try:
            while not stop.is_set():
                bundle = current.get()
                scored = bundle.recommenders["session"].recommend(["lamp-0", "lamp-1"], 3)
                assert scored
                answers.append((bundle.version, bundle.meta["counts"]["sessions"]))
                time.sleep(0.0002)
        except BaseException as problem:  # a thread's failure has to reach the test
            problems.append(problem)

    readers = [threading.Thread(target=ask) for _ in range(3)]
    for reader in readers:
        reader.start()
    learned = {}
    for number in range(1, 9):
        bundle = published(tmp_path, 10 * number, now_us=number * SECOND_US)
        learned[bundle.version] = 10 * number
        assert served(current, bundle.version)
    stop.set()
    for reader in readers:
        reader.join()
    assert problems == []
    assert len({version for version, _ in answers}) > 1
    assert all(learned.get(version, sessions) == sessions for version, sessions in answers)


def test_arrays_are_stored_without_pickle(tmp_path):
    version = published(tmp_path).version
    for file in (tmp_path / str(version)).glob("*.npy"):
        assert np.load(file, allow_pickle=False) is not None
