"""Other recommenders for `sessions.py`, each in an environment of its own. None is shipped here.

The folder given as `--peers` may hold, for each, a Python environment and what it needs:

    session-rec/   a clone of https://github.com/rn5l/session-rec
    python/        an environment with numpy, pandas, scipy, implicit for session-rec and implicit
    illoominate/   an environment of Python 3.10 with pandas and illoominate 1.0.0

for example `uv venv python; uv pip install --python python/bin/python "numpy<2" "pandas<2.2" scipy
implicit psutil pympler`. A peer reads `train.tsv` and `prefixes.json` and writes `lists.json`; run
by its own Python, this file is both sides of that. illoominate gives no lists, only its own
figures, for which the product at hand is always removed: it has no paired ranges.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

PEERS = ("SR", "VSKNN", "STAN", "VSTAN", "implicit cosine", "illoominate VMIS")
LENGTH = 21
"""One more than is compared, since the product at hand may be removed."""


class Listed(NamedTuple):
    """A product of a list, with the attributes of `thinslice.domain.Scored`."""

    product: str
    score: float
    because: None


class PeerLists:
    """The lists that a peer gave for the prefixes, as a recommender."""

    name = "peer"

    def __init__(self, lists: dict[tuple[str, ...], list[str]]) -> None:
        self._lists = lists

    def recommend(self, session: Sequence[str], n: int, *, now_us: int | None = None) -> list[Any]:
        listed = self._lists.get(tuple(session), [])[:n]
        return [Listed(product, 1.0 / place, None) for place, product in enumerate(listed, 1)]


def ask_peer(
    peer: str, folder: Path | None, split: Any, protocol: str
) -> PeerLists | dict[str, float] | str:
    """The peer's lists for every prefix of the split's test, its figures where it gives no lists,
    or why there is neither.
    """
    if folder is None:
        return "--peers names no folder"
    place = folder / ("illoominate" if peer.startswith("illoominate") else "python")
    python = place / "bin" / "python"
    if not python.exists():
        return f"there is no {python}"
    if peer in ("SR", "VSKNN", "STAN", "VSTAN") and not (folder / "session-rec").exists():
        return f"there is no {folder / 'session-rec'}"
    prefixes = sorted(set(_prefixes(split.test, protocol)))
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        _write_log(split.train, scratch / "train.tsv", split.train.products)
        _write_log(split.test, scratch / "test.tsv", split.train.products, protocol == "honest")
        (scratch / "prefixes.json").write_text(json.dumps(prefixes))
        command = [python, __file__, peer, str(scratch), str(folder)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            return (ran.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        lists = json.loads((scratch / "lists.json").read_text())
    if isinstance(lists, dict):
        return lists
    return PeerLists(dict(zip(prefixes, lists, strict=True)))


def _prefixes(log: Any, protocol: str) -> Iterator[tuple[str, ...]]:
    for start, end in zip(log.offsets[:-1].tolist(), log.offsets[1:].tolist(), strict=True):
        products = [log.products[code] for code in log.codes[start:end].tolist()]
        if protocol == "honest":
            products = [
                p for place, p in enumerate(products) if place == 0 or p != products[place - 1]
            ]
        for step in range(1, len(products)):
            yield tuple(products[:step])


def _write_log(log: Any, path: Path, products: Sequence[str], collapse: bool = False) -> None:
    """SessionId, ItemId and Time in whole numbers, as the peers want them.

    An item is its position among `products`, or beyond them where it is unknown.
    """
    code_of = {product: code for code, product in enumerate(products)}
    codes = [code_of.get(p, len(products) + place) for place, p in enumerate(log.products)]
    with path.open("w") as file:
        file.write("SessionId\tItemId\tTime\n")
        for s in range(log.n_sessions):
            start, end = int(log.offsets[s]), int(log.offsets[s + 1])
            for event in range(start, end):
                if collapse and event > start and log.codes[event] == log.codes[event - 1]:
                    continue
                seconds = int(log.times_us[start]) // 1_000_000 + event - start
                file.write(f"{s}\t{codes[log.codes[event]]}\t{seconds}\n")
    path.with_name("products.json").write_text(json.dumps(products))


def answer() -> None:
    """The peer's side: learn, answer every prefix, write the lists."""
    peer, scratch, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    import pandas

    train = pandas.read_csv(scratch / "train.tsv", sep="\t")
    if peer.startswith("illoominate"):
        test = pandas.read_csv(scratch / "test.tsv", sep="\t")
        (scratch / "lists.json").write_text(json.dumps(_illoominate(train, test)))
        return
    products = json.loads((scratch / "products.json").read_text())
    code_of = {product: code for code, product in enumerate(products)}
    make = _implicit if peer == "implicit cosine" else _session_rec
    recommend = make(peer, train, folder)
    lists = []
    for number, prefix in enumerate(json.loads((scratch / "prefixes.json").read_text())):
        codes = [code_of[product] for product in prefix if product in code_of]
        found = recommend(number, codes) if codes else []
        lists.append([products[code] for code in found[:LENGTH]])
    (scratch / "lists.json").write_text(json.dumps(lists))


Answer = Callable[[int, list[int]], list[int]]


def _session_rec(peer: str, train: Any, folder: Path) -> Answer:
    """With the settings that its authors publish as best on these logs, the same for all."""
    sys.path.insert(0, str(folder / "session-rec"))
    import importlib

    import numpy as np

    module, name, settings = {
        "SR": ("baselines.sr", "SequentialRules", {"steps": 12, "weighting": "quadratic"}),
        "VSKNN": (
            "knn.vsknn",
            "VMContextKNN",
            {"k": 500, "sample_size": 5000, "weighting": "quadratic", "idf_weighting": 5},
        ),
        "STAN": (
            "knn.stan",
            "STAN",
            {"k": 500, "sample_size": 10000, "lambda_spw": 1.2, "lambda_snh": 20, "lambda_inh": 2},
        ),
        "VSTAN": (
            "knn.vstan",
            "VSKNN_STAN",
            {"k": 1500, "sample_size": 5000, "lambda_spw": 4.9, "lambda_snh": 40,
             "lambda_inh": 2, "lambda_ipw": 2, "lambda_idf": 5},
        ),
    }[peer]  # fmt: skip
    model = getattr(importlib.import_module(f"algorithms.{module}"), name)(**settings)
    model.fit(train)
    items = np.sort(train.ItemId.unique())
    now = int(train.Time.max()) + 1

    running: list[int] = []
    session = 10_000_000

    def recommend(number: int, codes: list[int]) -> list[int]:
        nonlocal running, session
        if codes[:-1] != running:  # it gathers neighbours from step to step: none may be skipped
            session += 1
            for code in codes[:-1]:
                model.predict_next(session, code, items, timestamp=now)
        scores = model.predict_next(session, codes[-1], items, timestamp=now)
        running = codes
        best = scores[scores > 0].sort_values(ascending=False, kind="stable")
        return [int(code) for code in best.index[:LENGTH]]

    return recommend


def _implicit(peer: str, train: Any, folder: Path) -> Answer:
    """Cosine of products, the session's products weighed by exp(-lag / 2.8)."""
    import numpy as np
    import scipy.sparse as sparse
    from implicit.nearest_neighbours import CosineRecommender

    shape = (train.SessionId.max() + 1, train.ItemId.max() + 1)
    ones = np.ones(len(train), np.float32)
    seen = sparse.csr_matrix((ones, (train.SessionId, train.ItemId)), shape=shape)
    seen.data[:] = 1
    model = CosineRecommender(K=200)
    model.fit(seen, show_progress=False)

    def recommend(number: int, codes: list[int]) -> list[int]:
        weights: dict[int, float] = {}
        for lag, code in enumerate(reversed(codes)):
            weights.setdefault(code, float(np.exp(-lag / 2.8)))
        row = sparse.csr_matrix(
            (list(weights.values()), ([0] * len(weights), list(weights))), shape=(1, shape[1])
        )
        best, scores = model.recommend(0, row, N=LENGTH, filter_already_liked_items=False)
        return [int(c) for c, score in zip(best, scores) if score > 0]  # noqa: B905

    return recommend


def _illoominate(train: Any, test: Any) -> dict[str, float]:
    """Serenade's VMIS-kNN by its author, with the settings of Serenade's example.

    Its own HitRate is 0 whatever the data, in version 1.0.0: only the MRR is stated, and the mean
    CPU microseconds of a query, which are what a longer test takes more.
    """
    import illoominate
    import pandas

    names = {"SessionId": "session_id", "ItemId": "item_id", "Time": "timestamp"}
    train, test = train.rename(columns=names), test.rename(columns=names)
    settings = {"m": 1502, "k": 288, "max_session_len": 4, "seed": 1}

    def evaluate(repeats: int) -> tuple[float, float]:
        """The MRR of the test, that many times over, and the CPU seconds that it took."""
        step = test.session_id.max() + 1
        tests = [test.assign(session_id=test.session_id + r * step) for r in range(repeats)]
        began = time.process_time()
        scores = illoominate.train_and_evaluate_for_sbr(
            train, pandas.concat(tests), "vmis", "mrr@20", settings
        )
        return float(scores["score"].iloc[0]), time.process_time() - began

    predictions = len(test) - test.session_id.nunique()
    more = 1 + max(1, 100_000 // predictions)
    (mrr, once), (_, often) = evaluate(1), evaluate(more)
    return {"MRR": mrr, "CPU us": 1e6 * (often - once) / ((more - 1) * predictions)}


if __name__ == "__main__":
    answer()
