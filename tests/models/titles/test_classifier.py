from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from thinslice.errors import NotEnoughDataError, StorageError
from thinslice.models.titles.classifier import TitleClassifier
from thinslice.models.titles.refit import refit_titles
from thinslice.models.titles.training import HeldOut, learn_titles
from thinslice.models.versions import current

NOUNS = {
    "Home > Lighting > Lamps": ("lamp", "lantern"),
    "Home > Lighting > Bulbs": ("bulb", "tube"),
    "Home > Kitchen > Mugs": ("mug", "beaker"),
    "Wear > Shoes > Boots": ("boot", "wader"),
    "Wear > Shoes > Sandals": ("sandal", "clog"),
}
STYLES = "red blue green plain striped dotted small large old new wide soft bright dark".split()
BRANDS = "ostrelle halvin marisken plumbrook fennimoor mossaby varnika".split()


def catalogue(n: int = 400, seed: int = 0) -> tuple[list[str], list[str]]:
    """Titles whose noun says the category; one in twenty has no noun of its own."""
    rng = np.random.default_rng(seed)
    titles, categories = [], []
    for _ in range(n):
        path = list(NOUNS)[rng.integers(len(NOUNS))]
        noun = rng.choice(NOUNS[path]) if rng.random() > 0.05 else "thing"
        brand, one, two = rng.choice(BRANDS), *rng.choice(STYLES, 2, replace=False)
        titles.append(f"{brand.title()} {one} {two} {noun.title()} {rng.integers(100)}")
        categories.append(path)
    return titles, categories


@pytest.fixture(scope="module")
def learned() -> tuple[TitleClassifier, HeldOut]:
    return learn_titles(*catalogue(), precision=0.97)


@pytest.fixture(scope="module")
def model(learned: tuple[TitleClassifier, HeldOut]) -> TitleClassifier:
    return learned[0]


def test_a_title_with_a_known_noun_is_put_right_without_a_person(model: TitleClassifier) -> None:
    answer = model.classify("Halvin striped large Lamp 7")
    assert answer.category == "Home > Lighting > Lamps"
    assert not answer.needs_person
    assert answer.spoke_for(1) == ("lamp",)


def test_the_words_and_the_intercept_add_up_to_the_score(model: TitleClassifier) -> None:
    titles = catalogue(30, seed=5)[0]
    for answer in model.classify_many(titles):
        total = answer.intercept + sum(weight for _, weight in answer.words)
        assert total == pytest.approx(answer.score, abs=1e-4)


def test_one_by_one_and_all_at_once_give_the_same_answers(model: TitleClassifier) -> None:
    titles = [*catalogue(20, seed=6)[0], "", "🎉", "lamp " * 400]
    assert model.classify_many(titles) == [model.classify(t) for t in titles]


def test_an_unknown_kind_of_product_is_for_a_person(model: TitleClassifier) -> None:
    answer = model.classify("quantum flux capacitor assembly kit")
    assert answer.verdict == "unknown"
    assert answer.needs_person


@pytest.mark.parametrize("title", ["", "   ", "🎉🎉", "\x00\x01", "<br>", "\ud800"])
def test_a_title_without_words_is_for_a_person(model: TitleClassifier, title: str) -> None:
    answer = model.classify(title)
    assert answer.verdict == "no words"
    assert answer.confidence == 0


@pytest.mark.parametrize(
    "title",
    ["x" * 100_000, "' OR 1=1 --", "=HYPERLINK(1)", "男士蓝色衬衫", "مصباح أحمر", "&" * 5000],
)
def test_whatever_is_typed_gets_an_answer(model: TitleClassifier, title: str) -> None:
    assert model.classify(title).category in model.nodes


def test_where_the_leaf_is_unsure_the_level_above_is_answered(model: TitleClassifier) -> None:
    answer = model.classify("Halvin plain small lamp bulb 7")
    assert answer.verdict == "broad"
    assert answer.category == "Home > Lighting"
    assert answer.needs_person
    assert "this level" in answer.why


def test_alternatives_are_the_next_two_classes(model: TitleClassifier) -> None:
    answer = model.classify("Halvin plain small lamp bulb 7")
    names = [answer.likeliest, *(name for name, _ in answer.alternatives)]
    assert len(set(names)) == 3
    assert answer.alternatives[0][1] >= answer.alternatives[1][1]


def test_held_out_answers_never_come_from_equal_titles(
    learned: tuple[TitleClassifier, HeldOut],
) -> None:
    titles = [f"{a} {b}" for a in BRANDS for b in ("lamp", "boot")] * 3
    categories = [str(i % 2) for i in range(len(titles))]  # noise that only a copy would know
    labels = np.random.default_rng(0).permutation(categories)
    kinds = {t: labels[i] for i, t in enumerate(titles)}
    _, found = learn_titles(titles, [kinds[t] for t in titles])
    assert found.hit.mean() < 0.9


def test_the_same_catalogue_gives_the_same_model() -> None:
    one, other = (learn_titles(*catalogue(120))[0] for _ in range(2))
    for name, array in one.arrays.items():
        assert np.array_equal(array, other.arrays[name])
    assert one.meta == other.meta


def test_two_categories_are_enough_and_one_is_not() -> None:
    titles, categories = catalogue(200)
    two = [(t, c) for t, c in zip(titles, categories, strict=True) if "Shoes" in c]
    model, _ = learn_titles(*zip(*two, strict=True))
    assert model.classify("Halvin soft boot 3").likeliest == "Wear > Shoes > Boots"
    with pytest.raises(NotEnoughDataError, match="at least two categories"):
        learn_titles(["red lamp"] * 9, ["Lamps"] * 9)


def test_a_category_with_few_titles_is_left_to_people() -> None:
    titles, categories = catalogue(120)
    model, _ = learn_titles([*titles, "rare kite"], [*categories, "Toys > Kites"])
    assert "Toys > Kites" not in model.classes
    assert model.meta["counts"]["titles_left_out"] == 1


def test_a_version_read_back_answers_the_same(model: TitleClassifier, tmp_path: Path) -> None:
    version = model.publish(tmp_path)
    again = TitleClassifier.load(tmp_path, version)
    titles = catalogue(10, seed=7)[0]
    assert again.classify_many(titles) == model.classify_many(titles)
    assert current(tmp_path) == version


def test_a_damaged_version_is_refused(model: TitleClassifier, tmp_path: Path) -> None:
    version = model.publish(tmp_path)
    weights = tmp_path / version / "weights.npy"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(StorageError, match="damaged"):
        TitleClassifier.load(tmp_path, version)


def test_many_threads_may_ask_at_once(model: TitleClassifier) -> None:
    titles = catalogue(100, seed=8)[0]
    expected = model.classify_many(titles)
    wrong: list[str] = []

    def ask() -> None:
        for title, answer in zip(titles, expected, strict=True):
            if model.classify(title) != answer:
                wrong.append(title)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_is_rather_wrong_than_right_is_never_accepted(model: TitleClassifier) -> None:
    assert model.arrays["bars"].min() >= 0.5


def test_corrections_are_learned_and_what_was_known_stays(model: TitleClassifier) -> None:
    titles, categories = catalogue()
    said = [(f"Mossaby {style} torch {i}", "Home > Lighting > Lamps")
            for i, style in enumerate(STYLES)]  # fmt: skip
    new = refit_titles(model, titles, categories, said)
    answer = new.classify("Varnika wide torch 50")
    assert answer.likeliest == "Home > Lighting > Lamps"
    before = [a.likeliest for a in model.classify_many(titles)]
    after = [a.likeliest for a in new.classify_many(titles)]
    assert np.mean([a == b for a, b in zip(before, after, strict=True)]) > 0.97


def test_a_title_that_a_person_decided_is_answered_as_decided(model: TitleClassifier) -> None:
    said = [("Halvin odd thing", "Toys > Kites"), ("halvin ODD thing!", "Wear > Shoes > Boots")]
    new = refit_titles(model, *catalogue(), said)
    answer = new.classify("HALVIN odd-thing")
    assert answer.verdict == "decided"
    assert answer.category == "Wear > Shoes > Boots"  # the later word stands
    assert not answer.needs_person


def test_a_refit_of_a_refit_begins_at_the_build(model: TitleClassifier, tmp_path: Path) -> None:
    model.publish(tmp_path)
    new = refit_titles(model, *catalogue(), [("odd thing", "Wear > Shoes > Boots")])
    assert new.meta["base_version"] == model.version
    assert len(new.arrays["idf"]) > len(model.arrays["idf"])
