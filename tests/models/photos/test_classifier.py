from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from thinslice.errors import InputError, NotEnoughDataError
from thinslice.models.photos.classifier import ImageClassifier, learn_photos
from thinslice.models.versions import read_version, write_version


def photos(n: int = 600, seed: int = 0) -> tuple[dict[str, np.ndarray], list[str], list[str]]:
    """Vectors of things whose kind is in `style` and whose colour is in `colour`, with noise."""
    rng = np.random.default_rng(seed)
    centres, tints = rng.normal(size=(4, 12)), rng.normal(size=(3, 6))
    kind, colour = rng.integers(4, size=n), rng.integers(3, size=n)
    style = centres[kind] + 0.8 * rng.normal(size=(n, 12))
    tone = tints[colour] + 0.8 * rng.normal(size=(n, 6))
    vectors = {"style": style.astype(np.float32), "colour": tone.astype(np.float32)}
    kinds, colours = ("bag", "hat", "mug", "shoe"), ("blue", "green", "red")
    return vectors, [kinds[k] for k in kind], [colours[c] for c in colour]


def test_each_attribute_is_told_far_better_than_by_the_most_frequent_label() -> None:
    vectors, kinds, colours = photos()
    model, held = learn_photos(vectors, {"category": kinds, "colour": colours}, encoder="e")
    for attribute in ("category", "colour"):
        measured = model.heads[attribute].measured
        assert measured["accuracy"] > measured["most_frequent"] + 0.3
        assert len(held[attribute].rows) == 600
    fresh, kinds, colours = photos(seed=0)
    tags = model.tag(fresh)
    assert np.mean([t["category"].label == k for t, k in zip(tags, kinds, strict=True)]) > 0.8
    assert np.mean([t["colour"].label == c for t, c in zip(tags, colours, strict=True)]) > 0.7


def test_a_confidence_is_how_often_such_an_answer_is_right() -> None:
    vectors, kinds, _ = photos(2000)
    half = {part: rows[:1000] for part, rows in vectors.items()}
    rest = {part: rows[1000:] for part, rows in vectors.items()}
    model, _ = learn_photos(half, {"category": kinds[:1000]}, encoder="e")
    tags = [tag["category"] for tag in model.tag(rest)]
    right = np.array([t.label == k for t, k in zip(tags, kinds[1000:], strict=True)])
    confidence = np.array([t.confidence for t in tags])
    assert confidence.mean() == pytest.approx(right.mean(), abs=0.03)
    sure = ~np.array([t.needs_person for t in tags])
    assert right[sure].mean() > 0.92
    assert len(tags[0].alternatives) == 2


def test_twins_are_never_on_both_sides() -> None:
    rng = np.random.default_rng(1)
    once = rng.normal(size=(150, 200)).astype(np.float32)
    vectors = {"style": np.repeat(once, 4, axis=0)}
    labels = [f"l{k}" for k in np.repeat(rng.integers(3, size=150), 4)]
    groups = [str(i // 4) for i in range(600)]
    apart, _ = learn_photos(vectors, {"category": labels}, encoder="e", groups=groups)
    mixed, _ = learn_photos(vectors, {"category": labels}, encoder="e")
    assert apart.heads["category"].measured["accuracy"] < 0.5
    assert mixed.heads["category"].measured["accuracy"] > 0.9


def test_it_is_kept_and_read_back_the_same(tmp_path: Path) -> None:
    vectors, kinds, colours = photos(300)
    model, _ = learn_photos(vectors, {"category": kinds, "colour": colours}, encoder="e")
    version = model.publish(tmp_path)
    again = ImageClassifier.load(tmp_path, version)
    assert again.encoder == "e"
    assert again.tag(vectors) == model.tag(vectors)


def test_heads_that_an_earlier_version_published_are_read(tmp_path: Path) -> None:
    vectors, kinds, colours = photos(300)
    model, _ = learn_photos(vectors, {"category": kinds, "colour": colours}, encoder="e")
    version = model.publish(tmp_path)
    arrays, meta = read_version(tmp_path, version)
    earlier = {name.removeprefix("linear_"): array for name, array in arrays.items()}
    assert "weights0" in earlier
    before = write_version(tmp_path, earlier, meta, now_us=1)
    assert ImageClassifier.load(tmp_path, before).tag(vectors) == model.tag(vectors)


def test_only_photos_that_the_encoder_has_not_seen_judge_a_head() -> None:
    vectors, kinds, _ = photos(600)
    unseen = np.arange(600) % 4 == 0
    model, held = learn_photos(vectors, {"category": kinds}, encoder="e", unseen=unseen)
    assert model.heads["category"].measured["held_out"] == 150
    assert (held["category"].judged == unseen[held["category"].rows]).all()
    few, _ = learn_photos(vectors, {"category": kinds}, encoder="e", unseen=np.arange(600) < 40)
    assert few.heads["category"].measured["held_out"] == 600


def test_too_little_to_learn_from_is_said() -> None:
    vectors, kinds, _ = photos(40)
    with pytest.raises(NotEnoughDataError, match="two with at least"):
        learn_photos(vectors, {"category": ["bag"] * 40}, encoder="e")
    with pytest.raises(InputError, match="each of 40"):
        learn_photos(vectors, {"category": kinds[:10]}, encoder="e")
    model, _ = learn_photos(
        photos()[0], {"category": photos()[1], "season": [None] * 600}, encoder="e"
    )
    assert list(model.heads) == ["category"]


def test_parts_are_read_in_one_order_however_they_are_handed_over() -> None:
    vectors, kinds, colours = photos()
    model, _ = learn_photos(vectors, {"category": kinds, "colour": colours}, encoder="e")
    turned = {part: vectors[part] for part in reversed(vectors)}
    assert list(turned) != list(vectors)
    assert model.tag(turned) == model.tag(vectors)
