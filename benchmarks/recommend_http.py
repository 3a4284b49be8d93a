"""Recommendations over HTTP: 2,000 a second, waits from when each was due, then as many as go.

    python benchmarks/recommend_http.py [--data DIR [--only NAME]] [--tier linear] [--minutes 0]
        [--seconds 10] [--rate 2000] [--workers 2] [--clients 200] [--processes 2] [--plain]

A real service with real workers answers `POST /v1/recommendations` for prefixes of sessions, each
list with its reasons and a visitor of its own, under rules of the shop (one product pinned, one
buried, at most 4 of a category and at least 3 of them, no near-duplicates, prices up to four times
that of the product at hand) and with every list kept as an exposure; at the end it says how many
the log has. `--plain` leaves the rules out. First clients ask at the rate, each at
times drawn at random, whether they were answered or not: an open loop, and a wait counts from when
a question was due. Then they ask again as soon as they are answered: the ceiling.

`--data` is a folder with a public split (see `sessions.py`); without it sessions are made up.
`--only` takes the first whose name has that in it. `--tier` is how the session list is made, with
settings as they are before tuning; with `--minutes` tier and settings are chosen.
Clients share the machine's cores with the service, so that what they measure is an upper end; the
service's CPU per answer is not spoilt by that.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

import load
from session_splits import session_log, splits
from thinslice.config import Settings
from thinslice.domain import EventType, ListRules, Product, SessionLog, Shop
from thinslice.engine import Engine
from thinslice.evaluation.intervals import ratio_interval
from thinslice.evaluation.splits import Split, split_by_time
from thinslice.models.sessions.bundle import learn, untuned
from thinslice.models.sessions.candidates import learn_candidates
from thinslice.models.sessions.choice import BLEND, KNN, LINEAR, RERANKED, Choice
from thinslice.models.sessions.products import ProductCodes
from thinslice.models.sessions.reranker import learn_trees
from thinslice.models.sessions.steps import steps_of
from thinslice.models.sessions.trees import Trees
from thinslice.models.sessions.tuning import choose

SHOP = "shop"
REQUESTS = 2_000
RULES = ListRules(price_to=4.0, most_of_category=4, least_categories=3, no_near_duplicates=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a folder with a public split of sessions")
    parser.add_argument("--only", default="", help="a split whose name has this in it")
    parser.add_argument("--tier", choices=(KNN, LINEAR, BLEND, RERANKED), default=LINEAR)
    parser.add_argument("--minutes", type=float, default=0.0, help="to choose the tier in")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=float, default=2_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--plain", action="store_true", help="without rules of the shop")
    asked = parser.parse_args()
    found = ((n, s) for n, s in splits(asked.data) if asked.only in n) if asked.data else None
    name, split = next(found) if found else ("made up", split_by_time(made_up()))
    print(name)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        key = prepare(data, split, asked)
        settings = Settings(data=data, port=0, workers=asked.workers)
        with load.service(settings) as service:
            requests = questions(service.port, key, split.test)
            ask = {"seconds": asked.seconds, "processes": asked.processes}
            steady = load.office(
                service, requests, rate=asked.rate, clients=asked.clients, since_due=True, **ask
            )
            tell(f"open loop, {asked.rate:,.0f} asked a second", steady)
            full = load.at_capacity(service, requests, connections=32, **ask)
            tell("closed loop, 32 connections", full)
        events = Engine(Settings(data=data)).log.events(SHOP)
        kept = events["type"].to_pylist().count(EventType.RECOMMENDATION_SERVED)
        print(f"exposures kept: {kept:,} (the warm-ups' included)")


def prepare(data: Path, split: Split, asked: argparse.Namespace) -> str:
    """A shop with a catalogue, a model and rules; returns its write key."""
    engine = Engine(Settings(data=data))
    engine.control.add_shop(Shop(SHOP, "Shop"))
    rng = np.random.default_rng(0)
    products = split.train.products
    prices = np.exp(rng.normal(8, 0.7, len(products))).astype(int)
    engine.shelf(SHOP).catalog.upsert(
        Product(
            id=product,
            title=f"{'Brass Oak Wool Blue'.split()[n % 4]} thing {n // 2}",
            category=f"Home > Room {n % 40}",
            price_minor=int(prices[n]),
            stock=0 if n % 20 == 0 else 5,
        )
        for n, product in enumerate(products)
    )
    choice = replace(untuned(engine.settings), tier=asked.tier)
    if asked.tier == RERANKED:
        choice = replace(choice, trees=trees_of(split.train, choice))
    if asked.minutes:
        inner = split_by_time(split.train, test_share=0.1)
        compare = partial(ratio_interval, low=-1.0)
        choice = choose(inner.train, inner.test, compare, seconds=60 * asked.minutes)
    learn(split.train, engine.settings, choice).publish(engine.directory.models(SHOP))
    if not asked.plain:
        rules = replace(RULES, pinned=(products[1],), buried=(products[2],))
        engine.shelf(SHOP).change_rules(lambda _: rules, who="benchmark")
    print(
        f"{len(products):,} products, {split.train.n_sessions:,} sessions, list made by "
        f"{choice.tier}, rules {'off' if asked.plain else 'on'}, {asked.workers} workers"
    )
    return engine.control.create_key(SHOP, "write")


def trees_of(log: SessionLog, choice: Choice) -> Trees:
    """Grown on steps of the latest tenth, over sources that learned from what was before it."""
    inner = split_by_time(log, test_share=0.1)
    products = ProductCodes(inner.train.products)
    candidates = learn_candidates(inner.train, products, choice.knn, choice.linear)
    steps = steps_of(inner.test, products, repeats=False, at_most=10_000)
    return learn_trees(candidates.describe(steps, keep_missed=False, repeats=False))


def questions(port: int, key: str, log: SessionLog) -> list[bytes]:
    """Prefixes of later sessions, a visitor each."""
    found = []
    starts = log.offsets[:-1]
    for n, s in enumerate(np.linspace(0, log.n_sessions - 1, REQUESTS).astype(int)):
        codes = log.codes[starts[s] : log.offsets[s + 1]]
        seen = [log.products[c] for c in codes[: max(1, len(codes) - 1)]]
        body = {"items": seen[-20:], "n": 10, "visitor_id": f"v{n}"}
        found.append(
            load.post(
                "/v1/recommendations",
                port,
                json.dumps(body).encode(),
                f"Authorization: Bearer {key}\r\n",
            )
        )
    return found


def made_up(n_sessions: int = 50_000, n_products: int = 5_000) -> SessionLog:
    """Sessions of visitors who stay near the product they came for; some products are popular."""
    rng = np.random.default_rng(0)
    first = (rng.beta(0.5, 2.0, n_sessions) * n_products).astype(int)
    lengths = 2 + rng.poisson(2.5, n_sessions)
    return session_log(
        (str(s), f"p{(first[s] + int(step)) % n_products}", 1_700_000_000 + 60 * s + place)
        for s in range(n_sessions)
        for place, step in enumerate(rng.geometric(0.2, lengths[s]))
    )


def tell(what: str, seen: load.Seen) -> None:
    """What came of it, in two lines."""
    failed = int((seen.status != 200).sum())
    cpu_us = 1e6 / seen.served_per_cpu_s
    print(
        f"{what}: answered {seen.served_per_s:,.0f} a second, {failed} not; "
        f"the service worked {cpu_us:,.0f} us an answer"
    )
    waits = seen.wait_ms(200, 0.5, 0.9, 0.99, 0.999)
    if waits:
        print("  p50 {:.2f} ms, p90 {:.2f}, p99 {:.2f}, p99.9 {:.2f}".format(*waits), flush=True)


if __name__ == "__main__":
    main()
