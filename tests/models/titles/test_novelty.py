"""Is a kind told that was never learned? Classes are left out, so that the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from thinslice.models.titles.classifier import TitleClassifier
from thinslice.models.titles.novelty import (
    NO_LIMIT,
    Answers,
    limit_for_cost,
    limits_for_precision,
    unknown_share,
)
from thinslice.models.titles.training import learn_titles

NOUNS = "lamp mug boot chair shirt kettle scarf table".split()
STYLES = "red blue green plain striped dotted small large old new wide soft bright dark".split()


def titles_of(nouns: list[str], each: int = 60, seed: int = 0) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    made = [
        (f"{' '.join(rng.choice(STYLES, 3))} {noun}", noun) for noun in nouns for _ in range(each)
    ]
    return [title for title, _ in made], [noun for _, noun in made]


def said(
    confidence: list[float],
    hit: list[bool],
    novelty: list[float],
    unknown: list[tuple[float, float]],
) -> Answers:
    sure, strange = np.array(unknown, float).reshape(-1, 2).T
    nothing = np.zeros(len(hit), int), np.zeros(len(sure), int)
    return Answers(
        np.array(confidence),
        np.array(hit),
        np.array(novelty),
        nothing[0],
        sure,
        strange,
        nothing[1],
    )


@pytest.fixture(scope="module")
def model() -> TitleClassifier:
    return learn_titles(*titles_of(NOUNS))[0]


def test_a_kind_that_was_never_learned_is_for_a_person(model: TitleClassifier) -> None:
    answers = model.classify_many(titles_of(["teapot", "gloves", "zebra"], seed=1)[0])
    assert np.mean([a.needs_person for a in answers]) > 0.9
    assert {a.verdict for a in answers} <= {"unknown", "unsure"}


def test_kinds_that_were_learned_are_still_taken_over(model: TitleClassifier) -> None:
    titles, categories = titles_of(NOUNS, seed=2)
    answers = model.classify_many(titles)
    assert np.mean([not a.needs_person for a in answers]) > 0.9
    assert all(
        a.category == c for a, c in zip(answers, categories, strict=True) if not a.needs_person
    )


def test_a_title_without_a_known_word_is_always_for_a_person(model: TitleClassifier) -> None:
    sure = model.with_bars(np.zeros(len(model.nodes)), strange=NO_LIMIT)
    assert sure.classify("red lamp").verdict == "accepted"
    for title in ("lampe", "xylophonquartz", "男士蓝色衬衫", "12345", "مصباح"):
        assert sure.classify(title).verdict == "unknown"


def test_where_words_are_not_parted_letters_are_enough() -> None:
    rng = np.random.default_rng(0)
    marks = list("红蓝绿大小新旧宽软亮暗长短高低厚薄")
    made = [
        ("".join(rng.choice(marks, 6)) + noun, noun)
        for noun in ("台灯", "杯子", "靴子")
        for _ in range(60)
    ]
    model, _ = learn_titles([t for t, _ in made], [c for _, c in made])
    assert model.scores(["红大新软亮短台灯"])[1][0, 4] == 0  # its one word was never met
    assert not model.classify("红大新软亮短台灯").needs_person


def test_the_compiled_loop_and_the_formula_agree() -> None:
    titles, categories = titles_of(NOUNS)
    model, _ = learn_titles(titles, categories)
    cleaned = [*titles_of([*NOUNS, "teapot"], each=5, seed=3)[0]]
    scores, signs = model.scores(cleaned)
    answered = scores.argmax(axis=1)
    usual, weights = model.arrays["usual"], model.arrays["strangeness"]
    z = np.clip((signs[:, :4] - usual[0][answered]) * usual[1][answered], -3, 3)
    strangeness = z @ weights[:4] + (z[:, 2:] ** 2) @ weights[4:6] + weights[6]
    for limit in np.quantile(strangeness, [0.2, 0.5, 0.8]):
        tried = model.with_bars(np.zeros(len(model.nodes)), strange=float(limit))
        verdicts = [a.verdict == "unknown" for a in tried.classify_many(cleaned)]
        clear = np.abs(strangeness - limit) > 1e-3
        assert np.array_equal(np.array(verdicts)[clear], (strangeness > limit)[clear])


def test_limits_keep_the_precision_with_unknown_kinds_among_the_titles() -> None:
    rng = np.random.default_rng(0)
    n = 4000
    hit = rng.random(n) < 0.98
    known = rng.normal(0, 1, n)
    unknown = [(c, s) for c, s in zip(rng.uniform(0.6, 1, n), rng.normal(2, 1, n), strict=True)]
    answers = said(np.where(hit, rng.uniform(0.7, 1, n), rng.uniform(0.4, 0.9, n)).tolist(),
                   hit.tolist(), known.tolist(), unknown)  # fmt: skip
    for share in (0.0, 0.02, 0.1):
        bar, limit = limits_for_precision(answers, 0.99, share)
        over = (answers.confidence >= bar) & (answers.novelty <= limit)
        wrongly = (answers.unknown_confidence >= bar) & (answers.unknown_novelty <= limit)
        right = (1 - share) * (over & answers.hit).mean()
        assert right / ((1 - share) * over.mean() + share * wrongly.mean()) >= 0.99
    assert limits_for_precision(answers, 0.99, 0.0)[1] > limits_for_precision(answers, 0.99, 0.1)[1]


def test_a_limit_lies_in_the_middle_of_the_gap() -> None:
    answers = said([0.99] * 100, [True] * 100, np.linspace(0, 1, 100).tolist(), [(0.99, 4.0)] * 100)
    assert limits_for_precision(answers, 0.99, 0.05)[1] == pytest.approx(2.5)


def test_money_looks_where_a_mistake_costs_more_than_a_look() -> None:
    answers = said([0.99] * 100, [True] * 100, np.linspace(0, 1, 100).tolist(), [(0.99, 2.0)] * 100)
    bar, wrong = np.array([0.5]), np.array([100.0])
    limit = limit_for_cost(answers, bar, wrong, 1.0, 0.05)
    assert 1.0 <= limit < 2.0  # the known ones end at 1, the unknown stand at 2
    assert limit_for_cost(answers, bar, np.array([0.5]), 1.0, 0.05) == NO_LIMIT


def test_new_kinds_are_expected_as_they_came_until_now() -> None:
    assert unknown_share(10, 24_000) == pytest.approx(0.005)  # 10 kinds, 12 titles of each
    assert unknown_share(5, 100) == 0.05
