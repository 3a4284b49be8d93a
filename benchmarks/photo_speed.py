"""How fast photos are encoded and searched, beside exact search and other indexes.

    python benchmarks/photo_speed.py [--rows 100000 1000000] [--queries 50] [--only-search]
        [--graphs 200000] [--cpu]

Vectors are made here, 500 around each of many centres, one part of 192 dimensions; the peers see
the same. Times are of one thread, the median and the 95th percentile of the queries, over all rows
and over a tenth that a mask leaves; "x" is how many times as fast as numpy's exact search of the
same run. Recall is the share of the exact ten nearest that are found. A peer that is not installed
is not run, and graphs (hnswlib, usearch), whose building takes minutes for a million rows, only up
to `--graphs` rows. On a machine that is busy with other things, `--cpu` measures the time of the
processor.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import importlib
import importlib.util
import io
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from thinslice.index.vector_index import VectorIndex
from thinslice.models.photos.encoder import ImageEncoder
from thinslice.models.photos.pixels import decode
from thinslice.shelf.photos.weights import BITS, WEIGHTS

DIM, AROUND = 192, 500
CLOCK: Callable[[], float] = time.perf_counter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--only-search", action="store_true", help="no encoding, no whole way")
    parser.add_argument("--graphs", type=int, default=200_000, help="most rows of a graph")
    parser.add_argument("--cpu", action="store_true", help="time of the processor, not the clock")
    given = parser.parse_args()
    if given.cpu:
        global CLOCK
        CLOCK = time.process_time
    if not given.only_search:
        encoding()
        whole_way(given.queries)
    for rows in given.rows:
        searching(rows, given.queries, given.graphs)


def encoding() -> None:
    """Milliseconds a photo, all four parts."""
    encoder = ImageEncoder()
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 64, 3), dtype=np.uint8)
    encoder.encode_images(pixels)
    batch = [timed(lambda: encoder.encode_images(pixels)) / 64 for _ in range(20)]
    alone = [timed(lambda: encoder.encode_images(pixels[:1])) for _ in range(100)]
    learned = [
        timed(lambda: encoder._session.run(["style", "identity"], {"pixels": pixels[:1]}))
        for _ in range(100)
    ]
    print(f"encode, in batches of 64: {spread(batch)} a photo")
    print(f"encode, a photo alone:    {spread(alone)}, of which the net {spread(learned)}")


def whole_way(queries: int) -> None:
    """From a 12-megapixel JPEG to 24 products among 100,000."""
    encoder, rng = ImageEncoder(), np.random.default_rng(1)
    small = rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)
    photo = Image.fromarray(small).resize((4000, 3000), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=88)
    data = out.getvalue()
    dims = encoder.dimensions
    with tempfile.TemporaryDirectory() as folder:
        index = VectorIndex.create(Path(folder) / "i", encoder=encoder.hash, bits=BITS)
        index.add(
            [str(i) for i in range(100_000)],
            {
                part: unit(rng.standard_normal((100_000, dim), np.float32))
                for part, dim in dims.items()
            },
        )
        seen = encoder.encode_images(decode(data)[None])
        query = {part: rows[0] for part, rows in seen.items()}

        def ask() -> None:
            vectors = encoder.encode_images(decode(data)[None])
            index.search({part: rows[0] for part, rows in vectors.items()}, 24, weights=WEIGHTS)

        ask()
        print(
            f"12 megapixels ({len(data) / 1e6:.1f} MB) to 24 of 100,000 products: "
            f"{spread([timed(ask) for _ in range(queries)])}"
        )
        print(
            f"  of which decoding {spread([timed(lambda: decode(data)) for _ in range(queries)])}"
        )
        search = [timed(lambda: index.search(query, 24, weights=WEIGHTS)) for _ in range(queries)]
        print(f"  of which search in four parts {spread(search)}")


def searching(rows: int, queries: int, graphs: int) -> None:
    """Build and search, beside the peers."""
    rng = np.random.default_rng(2)
    centres = unit(rng.standard_normal((rows // AROUND, DIM), np.float32))
    vectors = np.empty((rows, DIM), np.float32)
    for first in range(0, rows, 100_000):
        size = min(100_000, rows - first)
        noise = rng.standard_normal((size, DIM), np.float32) * 0.05
        vectors[first : first + size] = unit(centres[rng.integers(0, len(centres), size)] + noise)
    asked = unit(
        vectors[rng.integers(0, rows, queries)]
        + 0.03 * rng.standard_normal((queries, DIM), np.float32)
    )
    mask = rng.random(rows) < 0.1
    print(f"\n{rows:,} vectors of {DIM} dimensions")
    cases = [
        Case("all", None, exact(vectors, asked, None), partial(_ten_nearest, vectors), asked),
        Case(
            "a tenth", mask, exact(vectors, asked, mask), partial(_ten_within, vectors, mask), asked
        ),
    ]
    for case in cases:
        print(f"  {'numpy, exact':17} of {case.name:8} search {spread(case.numpy_ms)}")
    with tempfile.TemporaryDirectory() as folder:
        index = VectorIndex.create(Path(folder) / "i", encoder="made", bits={"style": 256})
        ids = [str(i) for i in range(rows)]
        built = timed(lambda: index.add(ids, {"style": vectors}))
        tell("thinslice", built, partial(_ours, index), asked, cases)
        if importlib.util.find_spec("faiss"):
            tell("… with faiss", timed(index.accelerate), partial(_ours, index), asked, cases)
    for name, (peer, is_graph) in PEERS.items():
        try:
            module = importlib.import_module(name)
        except ImportError:
            print(f"  {name:17} not run: not installed")
            continue
        if is_graph and rows > graphs:
            print(f"  {name:17} not run: a graph of more than {graphs:,} rows takes minutes")
            continue
        started = CLOCK()
        ask = peer(module, vectors)
        tell(name, (CLOCK() - started) * 1e3, ask, asked, cases)


class Case:
    """Rows that may be found, the right ten of each query, and how long numpy takes for them."""

    def __init__(
        self, name: str, mask: Any, right: Any, numpy: Callable[[Any], Any], asked: Any
    ) -> None:
        self.name, self.mask, self.right = name, mask, right
        self.numpy_ms = [timed(partial(numpy, q)) for q in asked]


def tell(name: str, built_ms: float, ask: Ask, asked: Any, cases: list[Case]) -> None:
    """How long it took to build, and how it searches in each case."""
    print(f"  {name:17} build {built_ms / 1e3:.1f} s")
    for case in cases:
        try:
            ask(asked[0], case.mask)
        except NotImplementedError:
            print(f"    of {case.name:8} not run: it has no filter")
            continue
        found, times = [], []
        for q in asked:
            started = CLOCK()
            found.append(ask(q, case.mask))
            times.append((CLOCK() - started) * 1e3)
        faster = np.median(case.numpy_ms) / np.median(times)
        print(
            f"    of {case.name:8} search {spread(times)}, {faster:.1f}x, "
            f"recall@10 {recall(found, case.right):.3f}"
        )


Ask = Callable[[Any, Any], list[int]]
"""A query and a mask, or None, in; the rows that were found out."""


def _ours(index: VectorIndex, query: Any, mask: Any) -> list[int]:
    return [int(near.product) for near in index.search({"style": query}, 10, allowed=mask)]


def _faiss(module: Any, vectors: Any) -> Ask:
    module.omp_set_num_threads(1)
    index = module.IndexFlatIP(DIM)
    index.add(vectors)

    def ask(query: Any, mask: Any) -> list[int]:
        if mask is None:
            return index.search(query[None], 10)[1][0].tolist()
        bits = np.packbits(mask, bitorder="little")
        chosen = module.IDSelectorBitmap(len(mask), module.swig_ptr(bits))
        params = module.SearchParameters(sel=chosen)
        return index.search(query[None], 10, params=params)[1][0].tolist()

    return ask


def _hnswlib(module: Any, vectors: Any) -> Ask:
    index = module.Index("ip", DIM)
    index.init_index(len(vectors), M=16, ef_construction=100)
    index.set_num_threads(1)
    index.add_items(vectors)
    index.set_ef(64)

    def ask(query: Any, mask: Any) -> list[int]:
        only = None if mask is None else lambda row: bool(mask[row])
        return index.knn_query(query, 10, num_threads=1, filter=only)[0][0].tolist()

    return ask


def _usearch(module: Any, vectors: Any) -> Ask:
    index = importlib.import_module("usearch.index").Index(ndim=DIM, metric="ip", dtype="f16")
    index.add(np.arange(len(vectors)), vectors, threads=1)

    def ask(query: Any, mask: Any) -> list[int]:
        if mask is not None:
            raise NotImplementedError
        return index.search(query, 10).keys.tolist()

    return ask


PEERS = {"faiss": (_faiss, False), "hnswlib": (_hnswlib, True), "usearch": (_usearch, True)}


def exact(vectors: Any, asked: Any, mask: Any) -> list[list[int]]:
    found = []
    for q in asked:
        scores = vectors @ q
        if mask is not None:
            scores[~mask] = -2
        found.append(np.argpartition(scores, -10)[-10:].tolist())
    return found


def _ten_nearest(vectors: Any, query: Any) -> Any:
    return np.argpartition(vectors @ query, -10)[-10:]


def _ten_within(vectors: Any, mask: Any, query: Any) -> Any:
    """Of the rows that pass, gathered first where that is less work."""
    rows = np.flatnonzero(mask)
    return rows[np.argpartition(vectors[rows] @ query, -10)[-10:]]


def recall(found: list[list[int]], right: list[list[int]]) -> float:
    return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, right, strict=True)]))


def unit(rows: Any) -> Any:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def timed(act: Callable[[], Any]) -> float:
    """Milliseconds."""
    started = CLOCK()
    act()
    return (CLOCK() - started) * 1e3


def spread(times: list[float]) -> str:
    return f"{np.median(times):.2f} ms (p95 {np.percentile(times, 95):.2f})"


if __name__ == "__main__":
    main()
