from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from thinslice.errors import InputError, StorageError
from thinslice.index.vector_index import MOST_SEGMENTS, VectorIndex

BITS = {"style": 256, "colour": 64}


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def clustered(n: int, dim: int, seed: int = 0) -> np.ndarray:
    """Products in families of about ten, as a catalogue is."""
    rng = np.random.default_rng(seed)
    families = rng.standard_normal((max(1, n // 10), dim))
    return unit(families[rng.integers(0, len(families), n)] + 0.5 * rng.standard_normal((n, dim)))


def made(folder: Path, n: int = 3000) -> tuple[VectorIndex, dict[str, np.ndarray]]:
    index = VectorIndex.create(folder, encoder="e1", bits=BITS)
    vectors = {"style": clustered(n, 96), "colour": clustered(n, 24, seed=1)}
    index.add([f"p{i}" for i in range(n)], vectors)
    return index, vectors


def query_of(vectors: dict[str, np.ndarray], row: int) -> dict[str, np.ndarray]:
    return {part: rows[row] for part, rows in vectors.items()}


def test_a_product_finds_itself_first(tmp_path: Path) -> None:
    index, vectors = made(tmp_path)
    for row in (0, 17, 2999):
        found = index.search(query_of(vectors, row), 3)
        assert found[0].product == f"p{row}"
        assert found[0].score == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("weights", [None, {"style": 1, "colour": 0}, {"style": 0.2, "colour": 1}])
def test_the_sketch_finds_what_the_exact_search_finds(
    tmp_path: Path, weights: dict[str, float] | None
) -> None:
    index, vectors = made(tmp_path)
    rng = np.random.default_rng(3)
    shared = 0
    for row in range(50):
        query = {
            part: unit(rows[row] + 0.05 * rng.standard_normal(rows.shape[1]))
            for part, rows in vectors.items()
        }
        truth = index.exact(query, 10, weights=weights)
        found = index.search(query, 10, weights=weights)
        shared += len({near.product for near in truth} & {near.product for near in found})
        assert all(near in truth for near in found[:1])
    assert shared / 500 > 0.97


def test_the_score_is_the_weighted_mean_of_the_cosines(tmp_path: Path) -> None:
    index, vectors = made(tmp_path, 300)
    near = index.search(query_of(vectors, 5), 4, weights={"style": 3, "colour": 1})[3]
    row = int(near.product[1:])
    style = float(vectors["style"][5] @ vectors["style"][row])
    colour = float(vectors["colour"][5] @ vectors["colour"][row])
    assert near.score == pytest.approx((3 * style + colour) / 4, abs=2e-3)
    assert near.by_part["colour"] == pytest.approx(colour, abs=2e-3)


def test_a_filter_leaves_only_what_it_allows_and_finds_as_much(tmp_path: Path) -> None:
    index, vectors = made(tmp_path)
    allowed = np.random.default_rng(4).random(3000) < 0.1
    query = query_of(vectors, 8)
    found = index.search(query, 10, allowed=allowed)
    assert len(found) == 10
    assert all(allowed[int(near.product[1:])] for near in found)
    assert [near.product for near in found] == [
        near.product for near in index.exact(query, 10, allowed=allowed)
    ]
    assert index.search(query, 10, allowed=np.zeros(3000, bool)) == []


def test_what_is_added_is_found_by_another_reader_at_once_and_after_opening(tmp_path: Path) -> None:
    index, _ = made(tmp_path, 400)
    reader = VectorIndex.open(tmp_path, encoder="e1")
    new = {"style": clustered(1, 96, seed=9), "colour": clustered(1, 24, seed=9)}
    index.add(["new"], new)
    reader.refresh(force=True)
    for one in (index, reader, VectorIndex.open(tmp_path)):
        assert one.search(query_of(new, 0), 1)[0].product == "new"
        assert len(one) == 401


def test_a_product_added_again_is_replaced_and_one_removed_is_gone(tmp_path: Path) -> None:
    index, vectors = made(tmp_path, 400)
    other = {"style": -vectors["style"][:1], "colour": -vectors["colour"][:1]}
    index.add(["p0"], other)
    assert len(index) == 400
    assert index.search(query_of(other, 0), 1)[0].product == "p0"
    assert index.search(query_of(vectors, 0), 1)[0].product != "p0"
    assert index.remove(["p0", "p1", "unknown"]) == 2
    reopened = VectorIndex.open(tmp_path)
    assert len(reopened) == 398
    assert "p1" not in reopened
    assert reopened.vectors_of("p1") is None


def test_many_small_additions_are_merged_and_lose_nothing(tmp_path: Path) -> None:
    index, vectors = made(tmp_path, 400)
    index.remove(["p3"])
    for i in range(MOST_SEGMENTS + 2):
        extra = {"style": clustered(2, 96, seed=i + 20), "colour": clustered(2, 24, seed=i + 20)}
        index.add([f"a{i}", f"b{i}"], extra)
    assert len(index.segments) <= MOST_SEGMENTS
    assert len(index) == 399 + 2 * (MOST_SEGMENTS + 2)
    assert "p3" not in index
    assert index.search(query_of(vectors, 7), 1)[0].product == "p7"
    folders = {entry.name for entry in tmp_path.iterdir() if entry.is_dir()}
    assert len(folders) == len(index.segments) + 1


def test_readers_see_whole_states_while_another_thread_writes(tmp_path: Path) -> None:
    index, vectors = made(tmp_path, 500)
    reader = VectorIndex.open(tmp_path)
    done = threading.Event()

    def write() -> None:
        for i in range(25):
            extra = {"style": clustered(1, 96, seed=i), "colour": clustered(1, 24, seed=i)}
            index.add([f"n{i}"], extra)
        done.set()

    writing = threading.Thread(target=write)
    writing.start()
    while not done.is_set():
        reader.refresh(force=True)
        assert reader.search(query_of(vectors, 2), 1)[0].product == "p2"
    writing.join()
    reader.refresh(force=True)
    assert len(reader) == 525


def test_a_merge_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, vectors = made(tmp_path, 400)
    blocked = tmp_path / "manifest.json"

    def full(*_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr("thinslice.index.vector_index.write_manifest", full)
    with pytest.raises(StorageError, match="full"):
        index.add(["x"], {"style": clustered(1, 96), "colour": clustered(1, 24)})
    assert len(index) == 400
    assert "x" not in index
    monkeypatch.undo()
    assert blocked.exists()
    index.add(["x"], {"style": clustered(1, 96), "colour": clustered(1, 24)})
    assert len(VectorIndex.open(tmp_path)) == 401


def test_a_damaged_file_is_named_and_another_encoder_refused(tmp_path: Path) -> None:
    made(tmp_path, 400)
    with pytest.raises(InputError, match="encoder e1"):
        VectorIndex.open(tmp_path, encoder="e2")
    victim = next(tmp_path.glob("segment-*/style.npy"))
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.write_bytes(bytes(data))
    with pytest.raises(StorageError, match=r"style\.npy"):
        VectorIndex.open(tmp_path)
    with pytest.raises(StorageError, match="no photo index"):
        VectorIndex.open(tmp_path / "none")


@pytest.mark.parametrize(
    ("ids", "change", "said"),
    [
        (["a", "a"], {}, "twice"),
        (["a", "b"], {"style": np.zeros((2, 5), np.float32)}, "2 x 96"),
        (["a", "b"], {"style": np.full((2, 96), np.nan, np.float32)}, "not finite"),
    ],
)
def test_odd_vectors_are_refused_in_words(
    tmp_path: Path, ids: list[str], change: dict[str, np.ndarray], said: str
) -> None:
    index, _ = made(tmp_path, 300)
    good = {"style": clustered(2, 96), "colour": clustered(2, 24)}
    with pytest.raises(InputError, match=said):
        index.add(ids, {**good, **change})
    assert len(index) == 300


def test_odd_queries_are_refused_in_words(tmp_path: Path) -> None:
    index, vectors = made(tmp_path, 300)
    query = query_of(vectors, 0)
    with pytest.raises(InputError, match="no part 'shape'"):
        index.search({**query, "shape": query["style"]}, 3)
    with pytest.raises(InputError, match="above 0"):
        index.search(query, 3, weights={"style": 0, "colour": 0})
    with pytest.raises(InputError, match="value per row"):
        index.search(query, 3, allowed=np.ones(5, bool))


def test_an_empty_index_answers_with_nothing(tmp_path: Path) -> None:
    index = VectorIndex.create(tmp_path, encoder="e1", bits=BITS)
    assert index.search({"style": np.ones(96, np.float32)}, 5) == []
    assert len(VectorIndex.open(tmp_path)) == 0


def share_found(
    index: VectorIndex, vectors: dict[str, np.ndarray], allowed: np.ndarray | None
) -> float:
    """The share of the exact ten nearest that are found, over forty distorted products."""
    rng, found = np.random.default_rng(3), 0
    weights = {"style": 1.0, "colour": 0.4}
    for row in range(40):
        query = {
            part: unit(rows[row] + 0.05 * rng.standard_normal(rows.shape[1]))
            for part, rows in vectors.items()
        }
        truth = index.exact(query, 10, weights=weights, allowed=allowed)
        near = index.search(query, 10, weights=weights, allowed=allowed)
        found += len({one.product for one in truth} & {one.product for one in near})
    return found / 400


def test_faiss_finds_what_the_exact_search_finds_under_filters_and_weights(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    index, vectors = made(tmp_path / "i", 20_000)
    index.accelerate()
    assert index.segments[0].codes is not None
    tenth = np.random.default_rng(5).random(20_000) < 0.1
    assert share_found(index, vectors, None) >= 0.98
    assert share_found(index, vectors, tenth) >= 0.98
    index.remove(["p3"])
    new = {part: unit(np.ones((1, rows.shape[1]))) for part, rows in vectors.items()}
    index.add(["new"], new)
    again = VectorIndex.open(tmp_path / "i")
    assert again.search(query_of(new, 0), 1)[0].product == "new"
    assert "p3" not in {near.product for near in again.search(query_of(vectors, 3), 20)}
    again.merge()
    assert len(again.segments) == 1
    assert again.segments[0].codes is not None
    assert again.search(query_of(new, 0), 1)[0].product == "new"


def test_codes_are_read_only_where_faiss_is_and_asking_for_them_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss")
    index, vectors = made(tmp_path / "i")
    index.accelerate()
    monkeypatch.setitem(sys.modules, "faiss", None)
    without = VectorIndex.open(tmp_path / "i")
    assert without.segments[0].codes is None
    assert without.search(query_of(vectors, 5), 1)[0].product == "p5"
    with pytest.raises(InputError, match=r"thinslice\[faiss\]"):
        without.accelerate()
