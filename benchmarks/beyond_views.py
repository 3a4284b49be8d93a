"""What carts and purchases say: foreseeing what is viewed next, and what goes into the cart next.

    python benchmarks/beyond_views.py [--data FOLDER]

Pairs of products are counted with a weight for what a session put in the cart or bought
(`cart_weight` of the linear model: 1 is no difference). For each weight the linear tier and the
blend of all sources, learned from the earlier sessions, foresee the later ones, the product at hand
removed: the product viewed next, and the next one that goes into the cart or is bought and had not
been yet. Lines of an order for what the visit had touched before are no steps: nothing is foreseen
in them. Of the generated shop (a short and a long history) and, with `--data`, of every
`*.csv[.gz]` in the folder or right below it in the form of REES46's logs (event_time, event_type,
product_id, user_session).

Differences are against weight 1, paired by session, with ranges of 95 %.
"""

from __future__ import annotations

import argparse
import csv
import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from session_splits import session_log
from thinslice.demo.world import make_world
from thinslice.domain import BROWSING, DAY_US, EventType, SessionLog
from thinslice.evaluation.intervals import ratio_interval
from thinslice.evaluation.splits import Split, split_by_time
from thinslice.models.sessions.candidates import Candidates, learn_candidates
from thinslice.models.sessions.item_table import lag_weights
from thinslice.models.sessions.linear import LinearSettings
from thinslice.models.sessions.places import (
    hits,
    places_as_listed,
    reciprocals,
    table_places,
)
from thinslice.models.sessions.products import ProductCodes
from thinslice.models.sessions.session_knn import KnnSettings
from thinslice.models.sessions.steps import Steps

WEIGHTS = (1.0, 2.0, 4.0)
VIEW = BROWSING.index(EventType.PRODUCT_VIEWED)
REES46 = {
    "view": VIEW,
    "cart": BROWSING.index(EventType.PRODUCT_ADDED),
    "purchase": BROWSING.index(EventType.ORDER_COMPLETED),
}

Line = tuple[str, str, float, int]
"""Session, product, seconds, type."""


def generated(visits: int) -> SessionLog:
    world, lines = make_world(7), list[Line]()
    for visit in world.visits(visits, 0, 28 * DAY_US):
        for act in world.shoppers.live(visit, world.shown_today):
            if act.type in BROWSING:
                kind, seconds = BROWSING.index(act.type), act.time_us / 1e6
                lines += [(f"{visit.number:07}", p, seconds, kind) for p in act.products]
    return typed_log(lines)


def rees46(file: Path) -> SessionLog:
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as text:
        return typed_log(
            [
                (
                    row["user_session"],
                    row["product_id"],
                    datetime.strptime(row["event_time"], "%Y-%m-%d %H:%M:%S %Z")
                    .replace(tzinfo=UTC)
                    .timestamp(),
                    REES46[row["event_type"]],
                )
                for row in csv.DictReader(text)
                if row["user_session"] and row["event_type"] in REES46
            ]
        )


def typed_log(lines: list[Line]) -> SessionLog:
    """The sessions of the lines, with the type of each event."""
    plain = session_log((session, product, seconds) for session, product, seconds, _ in lines)
    sessions: dict[str, list[tuple[float, int, int]]] = {}
    for number, (session, _, seconds, kind) in enumerate(lines):
        sessions.setdefault(session, []).append((seconds, number, kind))
    plain.types[:] = [kind for session in plain.ids for _, _, kind in sorted(sessions[session])]
    return plain


def play(name: str, log: SessionLog) -> None:
    split = split_by_time(log, test_share=0.2)
    kinds = np.bincount(log.types, minlength=len(BROWSING)).tolist()
    print(f"{name}: {log.n_sessions:,} sessions, views, carts and order lines {kinds}")
    products = ProductCodes(split.train.products)
    questions = {
        "viewed next": steps(split, products, viewed_next),
        "in the cart next": steps(split, products, wanted_next),
    }
    before: dict[tuple[str, str], NDArray[np.int64]] = {}
    for weight in WEIGHTS:
        linear = LinearSettings(cart_weight=weight)
        candidates = learn_candidates(split.train, products, KnnSettings(), linear)
        for what, asked in questions.items():
            for tier, places in foreseen(candidates, asked).items():
                show(f"{what}, {tier}", weight, asked, places, before.get((what, tier)))
                before.setdefault((what, tier), places)


def foreseen(candidates: Candidates, asked: Steps) -> dict[str, NDArray[np.int64]]:
    weights = lag_weights(candidates.linear.lag_decay, candidates.knn.settings.max_products)
    described = candidates.describe(asked, keep_missed=True, repeats=False)
    return {
        "linear": table_places(candidates.tables["linear"], weights, asked),
        "blend": places_as_listed(described),
    }


def show(
    what: str,
    weight: float,
    asked: Steps,
    places: NDArray[np.int64],
    before: NDArray[np.int64] | None,
) -> None:
    _, session = np.unique(asked.session_of, return_inverse=True)
    n = np.bincount(session).astype(float)
    found = []
    for measure, of in (("HitRate@20", hits), ("MRR@20", reciprocals)):
        text = f"{measure} {of(places).mean():.4f}"
        if before is not None:
            gap = ratio_interval(np.bincount(session, of(places) - of(before)), n, low=-1.0)
            text += f" {gap.estimate:+.4f} ({gap.low:+.4f} to {gap.high:+.4f})"
        found.append(text)
    print(f"  {what:<24} weight {weight:.0f}: {', '.join(found)}; {len(asked):,} steps", flush=True)


Targets = Callable[[NDArray[np.int32], NDArray[np.int8], NDArray[np.int64]], Iterator[int | None]]
"""From a session's codes and types, and where its steps are, what comes after each but the last."""


def viewed_next(
    codes: NDArray[np.int32], types: NDArray[np.int8], at: NDArray[np.int64]
) -> Iterator[int | None]:
    yield from codes[at[1:]].tolist()


def wanted_next(
    codes: NDArray[np.int32], types: NDArray[np.int8], at: NDArray[np.int64]
) -> Iterator[int | None]:
    wanted = types != VIEW
    for here, following in zip(at[:-1].tolist(), at[1:].tolist(), strict=True):
        had = {int(codes[here]), *codes[:following][wanted[:following]].tolist()}
        coming = codes[following:][wanted[following:]].tolist()
        yield next((product for product in coming if product not in had), None)


def steps(split: Split, products: ProductCodes, targets: Targets) -> Steps:
    test = split.test
    code_of = np.array([products.of(product, -1) for product in test.products])
    seen: list[NDArray[np.int64]] = []
    found: list[tuple[int, int, int]] = []
    for s in range(test.n_sessions):
        span = slice(int(test.offsets[s]), int(test.offsets[s + 1]))
        codes, types, times = test.codes[span], test.types[span], test.times_us[span]
        fresh = np.unique(codes, return_index=True)[1]
        is_step = (types == VIEW) | np.isin(np.arange(len(codes)), fresh)
        at = np.flatnonzero(is_step)
        at = at[np.flatnonzero(np.diff(codes[at], prepend=-1))]
        for end, target in zip(at[1:].tolist(), targets(codes, types, at), strict=True):
            if target is not None:
                before = codes[:end]
                seen.append(code_of[before[np.flatnonzero(np.diff(before, prepend=-1))]][-50:])
                found.append((int(code_of[target]), int(times[end - 1]), s))
    offsets = np.concatenate([[0], np.cumsum([len(codes) for codes in seen])])
    wanted, now_us, session_of = (np.array(column) for column in zip(*found, strict=True))
    return Steps(
        offsets.astype(np.int64),
        np.concatenate(seen).astype(np.int32),
        np.where(wanted < 0, -2, wanted).astype(np.int32),
        now_us,
        session_of,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    play("generated shop, 8,000 visits", generated(8_000))
    play("generated shop, 40,000 visits", generated(40_000))
    if given.data:
        for pattern in ("*.csv", "*.csv.gz", "*/*.csv", "*/*.csv.gz"):
            for file in sorted(given.data.glob(pattern)):
                if is_rees46(file):
                    play(file.parent.name, rees46(file))


def is_rees46(file: Path) -> bool:
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as text:
        head = text.readline()
    return {"event_time", "event_type", "user_session"} <= set(head.strip().split(","))


if __name__ == "__main__":
    main()
