"""What is found of products that appear for the first time, and what visitors see who are new.

    python benchmarks/cold_starts.py [--data FOLDER]

The generated shop is played first: a tenth of its products are taken out of the earlier sessions,
as if they had come into the shop on the day when the later ones begin. With `--data`, every
invoice table `*.parquet` in the folder or right below it (InvoiceNo, StockCode, Description,
InvoiceDate) is played as well: a basket is a session, a description a title, and new is what no
earlier basket has. HitRate@20 over all steps, over those whose next product is new, and over those
whose latest product is new; the product at hand is removed for everyone.

Then the first product of every later session is foreseen, for who has viewed nothing yet: by plain
popularity, and by the settings that the earlier sessions chose (`models/sessions/entries.py`), both
with the window of live sessions following. Of the generated shop, and of every split with times in
the folder (`session_splits.py`), such as Serenade's example log, or the clicks of YooChoose that
session-rec prepared (`yoochoose-clicks-100k_train_full.txt` as `train.txt`, `_test.txt` as
`test.txt`).

Ranges of 95 % are over sessions, and differences are paired by session.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from live import sessions_of
from session_splits import Click, has_times, session_log, some_sessions, splits
from thinslice.config import Settings
from thinslice.demo.pictures import draw_pictures
from thinslice.demo.world import World, make_world
from thinslice.domain import BROWSING, DAY_US, Interval, Product, SessionLog, Shop
from thinslice.engine import Engine
from thinslice.evaluation.intervals import ratio_interval
from thinslice.evaluation.splits import Split, split_by_time
from thinslice.interfaces import Recommender
from thinslice.models.sessions.bundle import learn, untuned
from thinslice.models.sessions.choice import Choice
from thinslice.models.sessions.entries import EntrySettings, choose_entries
from thinslice.models.sessions.live import LiveSessions
from thinslice.shelf.newcomers import NewcomerSearch, WithNewcomers

LENGTH = 20


def generated(folder: Path) -> tuple[str, Split, Mapping[str, Product], NewcomerSearch]:
    """The generated shop with its drawn pictures; a tenth of its products came late."""
    world = make_world(7)
    products = {product.id: product for product in world.catalogue.products}
    late = set(np.random.default_rng(1).choice(sorted(products), len(products) // 10, False))
    whole = split_by_time(visits_of(world), test_share=0.2)
    engine = Engine(Settings(data=folder / "data"))
    engine.control.add_shop(Shop("demo", "Demo"))
    shelf = engine.shelf("demo")
    shelf.catalog.upsert(products.values())
    pictures = folder / "pictures"
    pictures.mkdir()
    for product, picture in draw_pictures(world.catalogue):
        (pictures / f"{product}.jpg").write_bytes(picture)
    engine.import_photos("demo", pictures)
    shelf.photo_search.build()
    split = Split(without(whole.train, late), whole.test, whole.cut_us)
    return "generated shop", split, shelf.catalog.all(), NewcomerSearch(shelf.photo_search.nearest)


def visits_of(world: World) -> SessionLog:
    clicks: list[Click] = []
    for visit in world.visits(6000, 0, 28 * DAY_US):
        for act in world.shoppers.live(visit, world.shown_today):
            if act.type in BROWSING:
                clicks += [(f"{visit.number:06}", p, act.time_us / 1e6) for p in act.products]
    return session_log(clicks)


def without(log: SessionLog, late: set[str]) -> SessionLog:
    """The sessions as if the late products had not been there."""
    session_of = np.repeat(np.arange(log.n_sessions), np.diff(log.offsets))
    return session_log(
        (f"{session:06}", log.products[code], at / 1e6)
        for session, code, at in zip(session_of, log.codes, log.times_us, strict=True)
        if log.products[code] not in late
    )


def invoices(file: Path) -> tuple[str, Split, Mapping[str, Product], NewcomerSearch]:
    """Baskets in the order of time; codes that begin with a digit are products."""
    table = pq.read_table(file).to_pydict()
    lines = zip(
        *(table[c] for c in ("InvoiceNo", "StockCode", "Description", "InvoiceDate")), strict=True
    )
    titles: dict[str, str] = {}
    clicks: list[Click] = []
    for invoice, code, title, date in lines:
        if str(invoice).startswith("C") or not str(code)[:1].isdigit() or not title:
            continue
        titles.setdefault(str(code), str(title))
        seconds = np.datetime64(str(date)[:19].replace(" ", "T"), "s").astype(int)
        clicks.append((str(invoice), str(code), float(seconds)))
    products = {code: Product(code, title) for code, title in titles.items()}
    split = split_by_time(session_log(clicks), test_share=0.2)
    split = Split(split.train, some_sessions(split.test, 600), split.cut_us)
    return file.parent.name, split, products, NewcomerSearch(lambda _, n: [])


def play(name: str, split: Split, products: Mapping[str, Product], search: NewcomerSearch) -> None:
    """New products: the lists with those that they look like, and without."""
    model = learn(split.train, Settings(), replace(untuned(Settings()), tier="blend"))
    known = set(model.products.ids)
    while search.look(products, known.__contains__, model.version, at_a_time=1000):
        pass
    new = len(products.keys() - known)
    print(
        f"{name}: {len(known):,} known products, {new:,} new ones, of which "
        f"{len(search.found.looks_like):,} were looked at and "
        f"{sum(map(bool, search.found.looks_like.values())):,} look like a known one"
    )
    without = model.recommenders["session"]
    found = WithNewcomers("session", without, lambda: search.found)
    compare("without", played(without, split.test, known), "with", played(found, split.test, known))


Sums = dict[str, tuple[list[float], list[float]]]
"""What was gained and how many steps there were, session by session, for each measure."""

KINDS = ("all steps", "next is new", "latest is new")


def played(maker: Recommender, test: SessionLog, known: set[str]) -> Sums:
    sums: Sums = {f"HitRate@20, {kind}": ([], []) for kind in KINDS} | {"MRR@20": ([], [])}
    for s in range(test.n_sessions):
        for gained, steps in sums.values():
            gained.append(0.0)
            steps.append(0.0)
        codes = test.codes[test.offsets[s] : test.offsets[s + 1]]
        seen = [test.products[c] for c in codes[np.flatnonzero(np.diff(codes, prepend=-1))]][:30]
        for step in range(1, len(seen)):
            listed = [x.product for x in maker.recommend(seen[:step], LENGTH)]
            place = listed.index(seen[step]) + 1 if seen[step] in listed else 0
            add(sums, "MRR@20", 1 / place if place else 0.0)
            counts = (True, seen[step] not in known, seen[step - 1] not in known)
            for kind, is_one in zip(KINDS, counts, strict=True):
                if is_one:
                    add(sums, f"HitRate@20, {kind}", float(place > 0))
    return sums


def add(sums: Sums, measure: str, gained: float) -> None:
    sums[measure][0][-1] += gained
    sums[measure][1][-1] += 1


def compare(before: str, a: Sums, after: str, b: Sums) -> None:
    for measure, (gained, steps) in a.items():
        if not sum(steps):
            continue
        old, new = (ratio_interval(np.array(g), np.array(steps)) for g in (gained, b[measure][0]))
        gap = ratio_interval(np.array(b[measure][0]) - gained, np.array(steps), low=-1.0)
        print(
            f"  {measure:<26} {before} {ranged(old)}, {after} {ranged(new)}, "
            f"difference {gap.estimate:+.4f} ({gap.low:+.4f} to {gap.high:+.4f}), "
            f"{sum(steps):,.0f} steps"
        )


def ranged(found: Interval) -> str:
    return f"{found.estimate:.4f} ({found.low:.4f} to {found.high:.4f})"


def begin(name: str, split: Split) -> None:
    """New visitors: how later sessions begin, each foreseen from all that was before it."""
    earlier = split_by_time(split.train, test_share=0.1)
    chosen, report = choose_entries(
        earlier.train, earlier.test, partial(ratio_interval, low=-1.0), EntrySettings()
    )
    print(f"{name}, how visits begin: chosen {chosen or 'as usual'}; {report}")
    sides = [
        begun(split, replace(untuned(Settings()), entries=entries)) for entries in (None, chosen)
    ]
    compare("popular", sides[0], "chosen", sides[1])


def begun(split: Split, choice: Choice) -> Sums:
    live = LiveSessions()
    popular = learn(split.train, Settings(), choice).with_live(live)["popular"]
    sums: Sums = {"HitRate@20": ([], []), "MRR@20": ([], [])}
    for touches, _ in sessions_of(split.test):
        listed = [s.product for s in popular.recommend((), LENGTH, now_us=touches[0].time_us)]
        first = touches[0].product
        place = listed.index(first) + 1 if first in listed else 0
        for measure, gained in (("HitRate@20", place > 0), ("MRR@20", 1 / place if place else 0)):
            sums[measure][0].append(float(gained))
            sums[measure][1].append(1.0)
        live.add(touches)
    return sums


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        play(*generated(Path(folder)))
    if args.data:
        for file in sorted([*args.data.glob("*.parquet"), *args.data.glob("*/*.parquet")]):
            if {"InvoiceNo", "StockCode", "Description"} <= set(pq.read_schema(file).names):
                play(*invoices(file))
    begin("generated shop", split_by_time(visits_of(make_world(7)), test_share=0.2))
    for name, split in splits(args.data) if args.data else ():
        if has_times(split.train):
            begin(name, split)


if __name__ == "__main__":
    main()
