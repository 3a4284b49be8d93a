from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from thinslice.config import Settings
from thinslice.domain import Product, Shop
from thinslice.engine import Engine
from thinslice.errors import InputError, NotEnoughDataError, NotFoundError
from thinslice.profit.asking import AskingTerms
from thinslice.shelf.titles.file import classify_file
from thinslice.shelf.titles.titles import Titles

NOUNS = {
    "Home > Lighting > Lamps": "lamp",
    "Home > Lighting > Bulbs": "bulb",
    "Home > Kitchen > Mugs": "mug",
    "Wear > Shoes > Boots": "boot",
}
STYLES = "red blue green plain striped dotted small large old new wide soft bright dark".split()


def products(n: int = 240) -> list[Product]:
    """Products whose noun says the category; each fortieth is filed under mugs by mistake."""
    rng = np.random.default_rng(0)
    found = []
    for i in range(n):
        path = list(NOUNS)[i % len(NOUNS)]
        one, two = rng.choice(STYLES, 2, replace=False)
        filed = "Home > Kitchen > Mugs" if i % 40 == 0 else path
        found.append(Product(f"p{i}", f"{one} {two} {NOUNS[path]} {i}", category=filed))
    return found


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Engine]:
    def engine() -> Engine:
        made = Engine(Settings(data=tmp_path_factory.mktemp("data")))
        made.control.add_shop(Shop("shop", "Shop"))
        made.shelf("shop").catalog.upsert(products())
        return made

    return engine


@pytest.fixture
def engine(make: Callable[[], Engine]) -> Engine:
    made = make()
    made.titles("shop").learn()
    return made


@pytest.fixture
def titles(engine: Engine) -> Titles:
    return engine.titles("shop")


def test_before_a_build_the_next_step_is_named(tmp_path: Path) -> None:
    engine = Engine(Settings(data=tmp_path))
    engine.control.add_shop(Shop("shop", "Shop"))
    assert not engine.titles("shop").is_learned()
    with pytest.raises(NotFoundError, match="thinslice build --titles"):
        engine.titles("shop").classify(["red lamp"])
    with pytest.raises(NotEnoughDataError, match="categories"):
        engine.titles("shop").learn()


def test_the_catalogue_teaches_the_categories(titles: Titles) -> None:
    (answer,) = titles.classify(["soft old lamp 9"])
    assert answer.likeliest == "Home > Lighting > Lamps"
    assert "categories from 240 titles" in titles.model().sentence()


def test_mislabelled_products_lead_the_list_of_suspects(titles: Titles) -> None:
    listed = titles.confusions()
    assert {s["product"] for s in listed[:5]} <= {f"p{i}" for i in range(0, 240, 40)}
    assert listed[0]["likeliest"] != listed[0]["filed"] == "Home > Kitchen > Mugs"


def test_the_dearest_mistake_is_listed_first(titles: Titles) -> None:
    titles.agree_terms(AskingTerms(wrong_cost=4, look_cost=1, wrong_costs={"Home > Kitchen": 40}))
    assert titles.queue() == []
    titles.wait_for_person(titles.classify(["odd thing", "weird mug bulb"]))
    costs = [q.cost for q in titles.queue()]
    assert costs == sorted(costs, reverse=True)


def test_what_was_asked_and_unsure_waits_for_a_person(titles: Titles) -> None:
    answers = titles.classify(["quantum flux capacitor", "soft old lamp 9"])
    assert titles.wait_for_person(answers) == sum(a.needs_person for a in answers)
    first = titles.queue()[0]
    assert (first.answer.title, first.source) == ("quantum flux capacitor", "asked")
    titles.none_fits("quantum flux capacitor")
    assert all(q.answer.title != "quantum flux capacitor" for q in titles.queue())


def test_a_product_without_a_category_waits_too(engine: Engine) -> None:
    engine.shelf("shop").catalog.upsert([Product("new", "quantum flux capacitor")])
    (queued,) = engine.titles("shop").queue()
    assert (queued.product, queued.source) == ("new", "catalogue")


def test_a_correction_is_kept_learned_and_served(titles: Titles) -> None:
    said = [(f"{style} torch {i}", "Home > Lighting > Lamps") for i, style in enumerate(STYLES)]
    assert titles.correct(said, who="Ada") == len(said)
    assert titles.unlearned() == len(said)
    before = titles.model().version
    titles.refit()
    assert titles.unlearned() == 0
    assert titles.model().version != before
    assert titles.classify([said[0][0]])[0].verdict == "decided"
    assert titles.classify(["large torch 77"])[0].likeliest == "Home > Lighting > Lamps"
    assert titles.reviews.corrections()[0].who == "Ada"


def test_a_build_learns_from_corrections_for_good(titles: Titles) -> None:
    wrong = titles.confusions()[0]
    titles.correct([(wrong["title"], wrong["likeliest"])], products=[wrong["product"]])
    titles.learn()
    assert titles.unlearned() == 0
    assert wrong["product"] not in {s["product"] for s in titles.confusions()}
    assert titles.classify([wrong["title"]])[0].category == wrong["likeliest"]


def test_many_refits_begin_at_the_same_build(titles: Titles) -> None:
    for i in range(5):
        titles.correct([(f"torch {i}", "Home > Lighting > Lamps")])
        titles.refit()
    assert len(titles.model().decided) == 5


def test_a_correction_without_words_is_refused(titles: Titles) -> None:
    with pytest.raises(InputError, match="must have words"):
        titles.correct([("🎉", "Home > Lighting > Lamps")])


def test_terms_in_money_move_the_bars_and_are_kept(titles: Titles) -> None:
    titles.agree_terms(AskingTerms(wrong_cost=10, look_cost=1))
    assert titles.model().arrays["bars"] == pytest.approx(0.9)
    assert titles.terms().wrong_cost == 10
    titles.learn()
    assert titles.model().arrays["bars"] == pytest.approx(0.9)


def test_the_trade_off_says_what_the_bars_give_on_a_sample(titles: Titles) -> None:
    found = titles.trade_off(AskingTerms(wrong_cost=10, look_cost=1))
    assert found["sample"] == 240
    assert found["precision_low"] <= found["precision"] <= found["precision_high"]
    assert [p["accepted"] for p in found["points"]] == sorted(
        p["accepted"] for p in found["points"]
    )


def test_who_expects_more_new_kinds_is_asked_sooner(titles: Titles) -> None:
    few = titles.trade_off(AskingTerms(unknown_share=0.0))
    many = titles.trade_off(AskingTerms(unknown_share=0.2))
    assert many["unknown_accepted"] <= few["unknown_accepted"]
    assert (few["unknown_share"], many["unknown_share"]) == (0.0, 0.2)
    assert titles.trade_off()["unknown_share"] == 0.05  # four kinds in 240 titles
    titles.agree_terms(AskingTerms(unknown_share=0.2))
    assert titles.terms().unknown_share == 0.2
    assert not titles.classify(["red soft mug 7"])[0].needs_person
    for kind in ("teapot", "necklace", "zebra"):
        assert titles.classify([f"red soft {kind} 7"])[0].needs_person


def test_another_process_sees_the_new_version(engine: Engine) -> None:
    other = Engine(engine.settings).titles("shop")
    assert other.classify(["odd torch"])[0].verdict != "decided"
    engine.titles("shop").correct([("odd torch", "Home > Lighting > Lamps")])
    engine.titles("shop").refit()
    other._served.refresh()
    assert other.classify(["odd torch"])[0].verdict == "decided"


def test_the_classes_worth_a_word_are_told(make: Callable[[], Engine]) -> None:
    engine = make()
    rng = np.random.default_rng(1)
    engine.shelf("shop").catalog.upsert(
        Product(f"q{i}", f"{rng.choice(STYLES)} beaker {i}", category=f"Home > Cups {i % 2}")
        for i in range(80)
    )
    engine.titles("shop").learn()
    told = {a["category"]: a for a in engine.titles("shop").class_report()}
    assert told["Home > Cups 0"]["advice"] == "merge or tell apart"
    assert told["Home > Cups 0"]["other"] == "Home > Cups 1"
    assert "Home > Cups 1" in told["Home > Cups 0"]["sentence"]


def test_a_table_comes_back_with_categories_and_the_rows_for_a_person_on_top(
    titles: Titles, tmp_path: Path
) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    titles.agree_terms(AskingTerms(precision=0.9))
    source.write_text("sku;title\n1;soft old lamp 9\n2;quantum flux capacitor\n3;=1+1\n")
    report = classify_file(titles, source, out, queue=True)
    lines = out.read_text("utf-8-sig").splitlines()
    assert lines[0].startswith("sku;title;category;confidence;review;why")
    assert [line.split(";")[0] for line in lines[1:]] == ["2", "3", "1"]
    assert lines[2].split(";")[1] == "'=1+1"
    assert (report.rows, report.to_review) == (3, 2)
    assert {q.answer.title for q in titles.queue()} == {"quantum flux capacitor", "=1+1"}


def test_corrections_come_from_a_table_too(titles: Titles, tmp_path: Path) -> None:
    (tmp_path / "said.csv").write_text("title,category\nodd torch,Home > Lighting > Lamps\n,\n")
    assert titles.correct_from(tmp_path / "said.csv", who="Ada") == 1
    assert titles.unlearned() == 1
