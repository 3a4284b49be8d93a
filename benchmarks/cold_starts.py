"""What is found of products that appear for the first time: with what they look like, and without.

    python benchmarks/cold_starts.py [--data FOLDER]

The generated shop is played first: a tenth of its products are taken out of the earlier sessions,
as if they had come into the shop on the day when the later ones begin. With `--data`, every
invoice table `*.parquet` in the folder or right below it (InvoiceNo, StockCode, Description,
InvoiceDate) is played as well: a basket is a session, a description a title, and new is what no
earlier basket has. HitRate@20 over all steps, over those whose next product is new, and over those
whose latest product is new; the product at hand is removed for everyone.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from session_splits import Click, session_log, some_sessions
from thinslice.config import Settings
from thinslice.demo.pictures import draw_pictures
from thinslice.demo.world import World, make_world
from thinslice.domain import BROWSING, DAY_US, Product, SessionLog, Shop
from thinslice.engine import Engine
from thinslice.evaluation.splits import Split, split_by_time
from thinslice.interfaces import Recommender
from thinslice.models.sessions.bundle import learn, untuned
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
    makers: dict[str, Recommender] = {
        "without": model.recommenders["session"],
        "with": WithNewcomers("session", model.recommenders["session"], lambda: search.found),
    }
    for label, maker in makers.items():
        print(f"  {label:<8} {score(maker, split.test, known)}")


def score(maker: Recommender, test: SessionLog, known: set[str]) -> str:
    hits: dict[str, list[float]] = {"all steps": [], "next is new": [], "latest is new": []}
    ranks: list[float] = []
    for s in range(test.n_sessions):
        codes = test.codes[test.offsets[s] : test.offsets[s + 1]]
        seen = [test.products[c] for c in codes[np.flatnonzero(np.diff(codes, prepend=-1))]][:30]
        for step in range(1, len(seen)):
            listed = [x.product for x in maker.recommend(seen[:step], LENGTH)]
            hit = float(seen[step] in listed)
            ranks.append(1 / (listed.index(seen[step]) + 1) if hit else 0.0)
            hits["all steps"].append(hit)
            if seen[step] not in known:
                hits["next is new"].append(hit)
            if seen[step - 1] not in known:
                hits["latest is new"].append(hit)
    found = [f"{k} {np.mean(v):.4f} of {len(v):,}" for k, v in hits.items() if v]
    return f"HitRate@20: {', '.join(found)}; MRR@20 {np.mean(ranks):.4f}"


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


if __name__ == "__main__":
    main()
