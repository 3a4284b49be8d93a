"""How well, how surely and how fast titles get their category, beside scikit-learn pipelines.

    python benchmarks/titles.py --data FOLDER [--splits 1] [--only fashion] [--sample N] [--quick]
        [--unknown 5]

FOLDER holds one or both of

    catalog_fashion/products.csv         the public "Fashion Product Images" catalogue: columns
                                         articleType, productDisplayName
    titles_pricerunner/offers.csv.gz     "Product Classification and Clustering" (Akritidis, UCI
                                         837): columns title, category, cluster_id

A fifth of the groups is held out for the test, and nothing is chosen on it: a group is all equal
titles, or all offers of one product, so that neither stands on both sides. Categories with fewer
than 20 titles are left out. "masked" takes the last word of the category's own name out of every
title, in training and test alike. Bars are chosen for 99 % precision on the training side. Of
"kinds never seen" the classes are parted into `--unknown` parts; each is left out once, and what is
then taken over without a person, wrongly by construction, is counted, beside what the bar of the
confidence alone would take over. Times are of the processor,
on one core; a title alone is the median of 500.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import re
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from thinslice.config import Settings
from thinslice.domain import Product, Shop
from thinslice.engine import Engine
from thinslice.models.calibration import bar_for_precision, calibration_error
from thinslice.models.titles.classifier import TitleClassifier
from thinslice.models.titles.features import clean
from thinslice.models.titles.held_out import HeldOut
from thinslice.models.titles.novelty import LEAST_BAR, NO_LIMIT
from thinslice.models.titles.refit import refit_titles
from thinslice.models.titles.training import bars_of, learn_titles
from thinslice.shelf.titles.file import classify_file

FEWEST = 20
ALONE = 500
CSV_ROWS = 100_000


@dataclass(frozen=True)
class TitleSet:
    """Titles with their categories and groups."""

    name: str
    titles: list[str]
    categories: list[str]
    groups: list[str]

    def part(self, rows: Sequence[int]) -> TitleSet:
        def pick(values: list[str]) -> list[str]:
            return [values[i] for i in rows]

        return TitleSet(self.name, pick(self.titles), pick(self.categories), pick(self.groups))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of title sets")
    parser.add_argument("--splits", type=int, default=1, help="test parts, each another fifth")
    parser.add_argument("--only", default="", help="sets whose name has this in it")
    parser.add_argument("--sample", type=int, default=None, help="titles of a set; none: all")
    parser.add_argument("--quick", action="store_true", help="thinslice alone, no pipelines")
    parser.add_argument("--unknown", type=int, default=5, help="parts of the classes; 0: none")
    given = parser.parse_args()
    if given.data is None or not given.data.is_dir():
        print(f"not run: --data must be a folder of title sets, got {given.data}")
        return
    found = list(title_sets(given.data, given.sample))
    for titles in found:
        if given.only in titles.name:
            strangers = [s for s in found if s.name.split(",")[0] != titles.name.split(",")[0]]
            measure(titles, strangers[0].titles if strangers else [], given.splits, given.quick)
            if given.unknown and "masked" not in titles.name:
                measure_unknown(titles, given.unknown)
    for titles in found[:1]:
        if not given.only or given.only in titles.name:
            measure_refit(titles)
            measure_table(titles)


def title_sets(folder: Path, sample: int | None) -> list[TitleSet]:
    """The sets there are, the fashion titles masked as well."""
    found = []
    fashion = folder / "catalog_fashion" / "products.csv"
    if fashion.exists():
        with fashion.open(encoding="utf-8") as file:
            rows = [r for r in csv.DictReader(file) if r["productDisplayName"].strip()]
        whole = _set(
            "fashion",
            [r["productDisplayName"] for r in rows],
            [r["articleType"] for r in rows],
            [clean(r["productDisplayName"]) for r in rows],
        )
        found += [whole, masked(whole)]
    else:
        print(f"not run: fashion, {fashion} is missing")
    offers = folder / "titles_pricerunner" / "offers.csv.gz"
    if offers.exists():
        with gzip.open(offers, "rt", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        found.append(
            _set(
                "pricerunner",
                [r["title"] for r in rows],
                [r["category"] for r in rows],
                [r["cluster_id"] for r in rows],
            )
        )
    else:
        print(f"not run: pricerunner, {offers} is missing")
    rng = np.random.default_rng(0)
    if sample:
        found = [s.part(rng.permutation(len(s.titles))[:sample].tolist()) for s in found]
    return found


def _set(name: str, titles: list[str], categories: list[str], groups: list[str]) -> TitleSet:
    count = Counter(categories)
    kept = [i for i, c in enumerate(categories) if count[c] >= FEWEST]
    return TitleSet(name, titles, categories, groups).part(kept)


def masked(titles: TitleSet) -> TitleSet:
    """Every title without the last word of its category's name, in whatever form it stands."""
    new = []
    for title, category in zip(titles.titles, titles.categories, strict=True):
        noun = re.sub(r"\W+", "", category.casefold().split()[-1]).removesuffix("s")
        letters = r"[\W_]?".join(map(re.escape, noun))
        new.append(re.sub(rf"(?<!\w){letters}\w*", " ", title, flags=re.IGNORECASE))
    return TitleSet(f"{titles.name}, masked", new, titles.categories, titles.groups)


def split(titles: TitleSet, number: int) -> tuple[TitleSet, TitleSet]:
    """All but one fifth of the groups, and that fifth."""
    groups = sorted(set(titles.groups))
    order = np.random.default_rng(17).permutation(len(groups))
    fifth = {groups[i] for i in order[number % 5 :: 5].tolist()}
    rows = range(len(titles.titles))
    train = [i for i in rows if titles.groups[i] not in fifth]
    test = [i for i in rows if titles.groups[i] in fifth]
    return titles.part(train), titles.part(test)


# how well


def measure(titles: TitleSet, strangers: list[str], splits: int, quick: bool) -> None:
    classes = len(set(titles.categories))
    print(f"\n{titles.name}: {len(titles.titles):,} titles, {classes} categories", flush=True)
    print(f"{'':14}{'top 1':>8}{'top 3':>8}{'one title':>12}{'size':>9}{'learning':>10}")
    rows: dict[str, list[list[float]]] = {}
    sure: list[list[float]] = []
    alone_sure: list[list[float]] = []
    for number in range(splits):
        train, test = split(titles, number)
        began = time.process_time()
        model, found = learn_titles(train.titles, train.categories, groups=train.groups)
        learning = time.process_time() - began
        answers = model.classify_many(test.titles)
        guesses = [[a.likeliest, *(c for c, _ in a.alternatives)] for a in answers]
        figures = [*right(guesses, test), alone(model.classify, test), size(model), learning]
        rows.setdefault("thinslice", []).append(figures)
        sure.append(certainty(model, answers, test, strangers))
        plain = bar_alone(model, found)
        alone_sure.append(certainty(plain, plain.classify_many(test.titles), test, strangers))
        if not quick:
            for name, pipeline in pipelines().items():
                rows.setdefault(name, []).append(peer(pipeline, train, test))
    for name, figures_of in rows.items():
        top1, top3, one, megabytes, learning = np.mean(figures_of, axis=0).tolist()
        print(
            f"{name:14}{top1:8.2%}{top3:8.2%}{one * 1000:9.3f} ms{megabytes:6.1f} MB"
            f"{learning:8.1f} s"
        )
    if not quick:
        ratio = np.mean(rows["word + char"], axis=0)[2] / np.mean(rows["thinslice"], axis=0)[2]
        print(f"one title: {ratio:.0f} times as fast as word + char")
    accepted, precision, error, unknown, n = np.mean(sure, axis=0).tolist()
    print(
        f"at 99 % precision chosen on the training side: {accepted:.2%} accepted, of which "
        f"{precision:.2%} right; calibration error {error:.4f}; {n:,.0f} test titles a split"
    )
    by_bar = np.mean(alone_sure, axis=0).tolist()
    print(f"by the bar alone: {by_bar[0]:.2%} accepted, of which {by_bar[1]:.2%} right")
    print("right per split: " + ", ".join(f"{s[1]:.2%}" for s in sure))
    if strangers:
        print(f"of titles of another shop {unknown:.1%} are for a person", flush=True)


def measure_unknown(titles: TitleSet, parts: int) -> None:
    """Leave out each part of the classes once, and ask for all their titles."""
    classes = sorted(set(titles.categories))
    order = np.random.default_rng(3).permutation(len(classes))
    taken: dict[str, list[bool]] = {}
    by_bar: list[bool] = []
    for part in range(parts):
        missing = {classes[i] for i in order[part::parts].tolist()}
        rows = range(len(titles.titles))
        train = titles.part([i for i in rows if titles.categories[i] not in missing])
        test = titles.part([i for i in rows if titles.categories[i] in missing])
        model, found = learn_titles(train.titles, train.categories, groups=train.groups)
        here = [not a.needs_person for a in model.classify_many(test.titles)]
        there = [not a.needs_person for a in bar_alone(model, found).classify_many(test.titles)]
        for accepted, category in zip(here, test.categories, strict=True):
            taken.setdefault(category, []).append(accepted)
        by_bar += there
        print(
            f"kinds never seen, part {part + 1}: {statistics.mean(here):.1%} of {len(here):,} "
            f"titles taken over, {statistics.mean(there):.1%} by the bar alone",
            flush=True,
        )
    shares = {category: statistics.mean(found) for category, found in taken.items()}
    whole = statistics.mean(accepted for found in taken.values() for accepted in found)
    most = sorted(shares, key=lambda category: -shares[category])[:5]
    print(
        f"of titles of kinds never seen {whole:.1%} are taken over without a person (by the bar "
        f"alone {statistics.mean(by_bar):.1%}), of the mean kind "
        f"{statistics.mean(shares.values()):.1%}; most of "
        + ", ".join(f"{category} {shares[category]:.0%}" for category in most),
        flush=True,
    )


def bar_alone(model: TitleClassifier, found: HeldOut) -> TitleClassifier:
    """The model that asks by its confidence alone, but where nothing at all is familiar."""
    bar = max(LEAST_BAR, bar_for_precision(found.confidences[:, 0], found.hit, 0.99))
    nodes = np.asarray(model.arrays["class_nodes"])
    return model.with_bars(bars_of(len(model.nodes), nodes, bar, 0.99), strange=NO_LIMIT)


def right(guesses: list[list[str]], test: TitleSet) -> list[float]:
    """Shares of test titles put right by the first and by one of the first three guesses."""
    pairs = list(zip(guesses, test.categories, strict=True))
    return [
        statistics.mean(g[0] == c for g, c in pairs),
        statistics.mean(c in g[:3] for g, c in pairs),
    ]


def certainty(
    model: TitleClassifier, answers: Any, test: TitleSet, strangers: list[str]
) -> list[float]:
    hit = np.array([a.likeliest == c for a, c in zip(answers, test.categories, strict=True)])
    accepted = np.array([not a.needs_person for a in answers])
    confidence = np.array([a.confidence for a in answers])
    unknown = [a.needs_person for a in model.classify_many(strangers[::10])] or [False]
    return [
        float(accepted.mean()),
        float(hit[accepted].mean()),
        calibration_error(confidence, hit),
        statistics.mean(unknown),
        len(hit),
    ]


def alone(classify: Callable[[str], Any], test: TitleSet) -> float:
    """Seconds of the processor that one title takes by itself."""
    classify(test.titles[0])
    seconds = []
    for title in test.titles[:ALONE]:
        began = time.thread_time_ns()
        classify(title)
        seconds.append((time.thread_time_ns() - began) / 1e9)
    return statistics.median(seconds)


def size(model: TitleClassifier) -> float:
    """Megabytes of a published version, meta.json included."""
    with tempfile.TemporaryDirectory() as folder:
        version = model.publish(Path(folder))
        return sum(f.stat().st_size for f in (Path(folder) / version).iterdir()) / 1e6


# the pipelines that are usual


def pipelines() -> dict[str, Any]:
    from sklearn.feature_extraction.text import (
        HashingVectorizer,
        TfidfTransformer,
        TfidfVectorizer,
    )
    from sklearn.linear_model import SGDClassifier
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    def words() -> Any:
        return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)

    def letters() -> Any:
        return TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)

    def hashed(**how: Any) -> Any:
        return HashingVectorizer(n_features=2**18, alternate_sign=False, **how)

    both = make_union(hashed(ngram_range=(1, 2)), hashed(analyzer="char_wb", ngram_range=(2, 5)))
    return {
        "word": make_pipeline(words(), LinearSVC(random_state=0)),
        "word + char": make_pipeline(make_union(words(), letters()), LinearSVC(random_state=0)),
        "hashed + SGD": make_pipeline(
            both,
            TfidfTransformer(),
            SGDClassifier(loss="modified_huber", alpha=3e-6, random_state=0),
        ),
    }


def peer(pipeline: Any, train: TitleSet, test: TitleSet) -> list[float]:
    began = time.process_time()
    pipeline.fit(train.titles, train.categories)
    learning = time.process_time() - began
    scores = pipeline.decision_function(test.titles)
    classes = pipeline.classes_
    best = np.argsort(-scores, axis=1)[:, :3]
    guesses = [[classes[c] for c in row] for row in best.tolist()]
    few = test.part(range(min(40, len(test.titles))))
    one = alone(lambda title: pipeline.predict([title]), few)
    linear = pipeline[-1]
    megabytes = (linear.coef_.nbytes + linear.intercept_.nbytes) / 1e6
    return [*right(guesses, test), one, megabytes, learning]


# what people do with it


def measure_refit(titles: TitleSet) -> None:
    """200 corrections of the least sure titles of one half of the test part."""
    train, test = split(titles, 0)
    model, _ = learn_titles(train.titles, train.categories, groups=train.groups)
    half = np.random.default_rng(0).permutation(len(test.titles))
    one, other = (test.part(rows.tolist()) for rows in np.array_split(half, 2))
    answers = model.classify_many(one.titles)
    least = sorted(range(len(answers)), key=lambda i: answers[i].confidence)[:200]
    said = [(one.titles[i], one.categories[i]) for i in least]
    began, began_wall = time.process_time(), time.perf_counter()
    new = refit_titles(model, train.titles, train.categories, said)
    seconds, wall = time.process_time() - began, time.perf_counter() - began_wall
    alike = new.with_decided({})

    def put_right(by: TitleClassifier, part: TitleSet) -> float:
        guesses = [[a.likeliest] for a in by.classify_many(part.titles)]
        return right(guesses, part)[0]

    told = one.part(least)
    print(
        f"\nrefit after {len(said)} corrections: {seconds:.2f} s ({wall:.2f} s on the wall); "
        f"corrected titles put right {put_right(model, told):.1%} before, "
        f"{put_right(alike, told):.1%} after by the weights alone; "
        f"others {put_right(model, other):.2%} before, {put_right(alike, other):.2%} after",
        flush=True,
    )


def measure_table(titles: TitleSet) -> None:
    """A table of 100,000 titles in, the same with categories out."""
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Settings(data=Path(folder) / "data"))
        engine.control.add_shop(Shop("bench", "Bench"))
        engine.shelf("bench").catalog.upsert(
            Product(str(i), title, category=category)
            for i, (title, category) in enumerate(
                zip(titles.titles[:5000], titles.categories, strict=False)
            )
        )
        of_shop = engine.titles("bench")
        began = time.process_time()
        of_shop.learn()
        print(f"build of 5,000 titles from the catalogue: {time.process_time() - began:.1f} s")
        source, output = Path(folder) / "in.csv", Path(folder) / "out.csv"
        with source.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["sku", "title"])
            writer.writerows((i, titles.titles[i % len(titles.titles)]) for i in range(CSV_ROWS))
        began, began_wall = time.process_time(), time.perf_counter()
        report = classify_file(of_shop, source, output)
        seconds, wall = time.process_time() - began, time.perf_counter() - began_wall
        print(
            f"{report.rows:,} titles from CSV to CSV: {seconds:.1f} s ({wall:.1f} s on the wall)",
            flush=True,
        )


if __name__ == "__main__":
    main()
