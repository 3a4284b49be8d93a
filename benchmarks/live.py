"""What live sessions are worth: a model of yesterday, the same with what happened since, and one
learned anew.

    python benchmarks/live.py --data FOLDER
    python benchmarks/live.py --cost

For every log of `session_splits.py` in the folder, the later sessions are played in the order of
time against a model that has learned from the earlier ones. `stale` answers with that model,
`live` with that model and the window, `anew` with a model that is learned anew after every
hundredth of the later sessions, as a reference. Steps are the honest protocol's: repeats
collapsed, the product at hand removed. `--test` plays the test part; without it the last tenth of
the training part is played, on which the window's settings were chosen.

`--cost` needs no data: what a full window of made-up visits takes in memory, what taking up a touch
takes, and what following the log of a shop takes of a core while nothing happens.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recommend_http import trees_of
from session_splits import splits
from thinslice.config import Settings
from thinslice.domain import Event, SessionLog, Shop
from thinslice.engine import Engine
from thinslice.evaluation.splits import Split, split_by_time
from thinslice.interfaces import Recommender
from thinslice.models.sessions.bundle import learn, untuned
from thinslice.models.sessions.choice import RERANKED
from thinslice.models.sessions.live import MOST_TOUCHES, LiveSessions, LiveSettings
from thinslice.shelf.following import LOOK_S

LENGTH = 20


@dataclass(frozen=True, slots=True)
class Touch:
    """A step of a session, as the log would tell it."""

    visitor: str
    time_us: int
    product: str
    file: str = ""
    line: int = 0
    session: str = ""


class Score:
    """HitRate@20 and MRR@20 over steps, and over those whose product the model does not know."""

    def __init__(self, known: frozenset[str]) -> None:
        self.known = known
        self.places: list[int] = []
        self.new: list[bool] = []
        self.seconds: list[float] = []

    def step(self, maker: Recommender, seen: list[str], target: str, now_us: int) -> None:
        began = time.thread_time()
        listed = [s.product for s in maker.recommend(seen, LENGTH, now_us=now_us)]
        self.seconds.append(time.thread_time() - began)
        self.places.append(listed.index(target) + 1 if target in listed else 0)
        self.new.append(target not in self.known)

    def line(self, name: str) -> str:
        places, new = np.array(self.places), np.array(self.new)
        hits, reciprocal = places > 0, np.where(places > 0, 1 / np.maximum(places, 1), 0)
        micros = np.percentile(self.seconds, (50, 99)) * 1e6 if self.seconds else (0, 0)
        on_new = f"{hits[new].mean():.4f} of {new.sum():,}" if new.any() else "none"
        return (
            f"  {name:<14} HitRate@20 {hits.mean():.4f}  MRR@20 {reciprocal.mean():.4f}  "
            f"new products hit {on_new}  CPU p50 {micros[0]:.0f} us, p99 {micros[1]:.0f} us"
        )


def play(split: Split, args: argparse.Namespace) -> None:
    """Print the scores of one log."""
    choice = replace(untuned(Settings()), tier=args.tier)
    if args.tier == RERANKED:
        choice = replace(choice, trees=trees_of(split.train, choice))
    model = learn(split.train, Settings(), choice)
    known = frozenset(model.products.ids)
    live = LiveSessions(settings=LiveSettings(**dict(args.set)))
    with_live = model.with_live(live)["session"]
    stale, fresh, anew = Score(known), Score(known), Score(known)
    latest = model
    every = max(1, split.test.n_sessions // 100)
    for number, (touches, now_us) in enumerate(sessions_of(split.test)):
        if args.anew and number % every == 0:
            latest = learn(joined(split, number), Settings(), choice)
        if number % args.nth == 0:
            for step in range(1, len(touches)):
                seen = [t.product for t in touches[:step]]
                target = touches[step].product
                stale.step(model.recommenders["session"], seen, target, now_us)
                fresh.step(with_live, seen, target, now_us)
                if args.anew:
                    anew.step(latest.recommenders["session"], seen, target, now_us)
        live.add(touches)
    print(stale.line("stale"))
    print(fresh.line("live"))
    if args.anew:
        print(anew.line("anew"))


def sessions_of(log: SessionLog) -> Iterator[tuple[list[Touch], int]]:
    """Each session's steps, consecutive repeats as one, and when it ended."""
    for s in range(log.n_sessions):
        lo, hi = int(log.offsets[s]), int(log.offsets[s + 1])
        codes = log.codes[lo:hi]
        kept = np.flatnonzero(np.diff(codes, prepend=-1)) + lo
        yield (
            [
                Touch(log.ids[s], int(log.times_us[e]), log.products[log.codes[e]])
                for e in kept.tolist()
            ],
            int(log.times_us[hi - 1]),
        )


def joined(split: Split, n: int) -> SessionLog:
    """The earlier sessions and the first n of the later ones."""
    parts = (split.train, split.test)
    products = tuple(sorted({p for log in parts for p in log.products}))
    code_of = {product: code for code, product in enumerate(products)}
    end = split.test.offsets[n]
    recoded = [np.array([code_of[p] for p in log.products], np.int32)[log.codes] for log in parts]
    return SessionLog(
        products,
        np.concatenate(
            [split.train.offsets, len(split.train.codes) + split.test.offsets[1 : n + 1]]
        ),
        np.concatenate([recoded[0], recoded[1][:end]]),
        np.concatenate([split.train.times_us, split.test.times_us[:end]]),
        np.concatenate([split.train.types, split.test.types[:end]]),
        split.train.ids + split.test.ids[:n],
    )


def cost() -> None:
    """Print memory and CPU of a full window, and of following a log to which nothing is added."""
    LiveSessions(most_touches=2).add([Touch("a", 0, "x"), Touch("a", 1, "y")])  # compiles
    rng, live, before, seconds = np.random.default_rng(0), LiveSessions(), rss_mb(), 0.0
    for first in range(0, 2 * MOST_TOUCHES, 100):
        visitors, products = rng.integers(0, 20_000, (2, 100)).tolist()
        touches = [
            Touch(f"visitor {v}", first + n, f"product {p}")
            for n, (v, p) in enumerate(zip(visitors, products, strict=True))
        ]
        began = time.thread_time()
        live.add(touches)
        seconds += time.thread_time() - began
    print(
        f"a window of {len(live):,} touches: {rss_mb() - before:.0f} MB, "
        f"{1e6 * seconds / (2 * MOST_TOUCHES):.1f} us of CPU to take up one"
    )
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Settings(data=Path(folder)))
        engine.control.add_shop(Shop("shop", "Shop"))
        events = (
            Event(str(n), "Product Viewed", 10**15 + n, f"v{n % 500}", product=f"p{n % 99}")
            for n in range(5_000)
        )
        engine.log.append("shop", list(events))
        follower = engine.follow()
        follower.look()
        began, looks = time.thread_time(), 200
        for _ in range(looks):
            follower.look()
        each_s = (time.thread_time() - began) / looks
        engine.log.close()
    print(
        f"a look at a log where nothing is new: {1e6 * each_s:.0f} us of CPU, "
        f"{each_s / LOOK_S:.2%} of a core"
    )


def rss_mb() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def setting(text: str) -> tuple[str, float | int]:
    name, _, value = text.partition("=")
    return name, int(value) if value.isdigit() else float(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a folder of splits")
    parser.add_argument("--cost", action="store_true", help="memory and CPU, and nothing else")
    parser.add_argument("--only", help="a log by its name")
    parser.add_argument("--tier", default="blend", help="knn, linear, blend or reranked")
    parser.add_argument("--test", action="store_true", help="play the test part")
    parser.add_argument("--anew", action="store_true", help="and learn anew, which takes long")
    parser.add_argument("--nth", type=int, default=1, help="predict every nth session only")
    parser.add_argument("--set", type=setting, action="append", default=[], metavar="NAME=VALUE")
    args = parser.parse_args()
    if args.cost:
        cost()
        return
    if args.data is None or not args.data.is_dir():
        print(f"not run: --data must be a folder of splits, got {args.data}")
        return
    for name, split in splits(args.data):
        if args.only in (None, name):
            played = split if args.test else split_by_time(split.train, test_share=0.1)
            print(f"{name}: {played.test.n_sessions:,} sessions after {played.train.n_sessions:,}")
            play(played, args)


if __name__ == "__main__":
    main()
