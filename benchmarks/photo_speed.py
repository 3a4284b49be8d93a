"""How fast photos are encoded and searched, beside exact search and other indexes.

    python benchmarks/photo_speed.py [--rows 100000 1000000] [--queries 50]

Vectors are made here, 500 around each of many centres, one part of 192 dimensions; the peers see
the same. Times are of one thread, the median and the 95th percentile of the queries; recall is the
share of the exact ten nearest that are found. A peer that is not installed is not run.
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=50)
    given = parser.parse_args()
    encoding()
    whole_way(given.queries)
    for rows in given.rows:
        searching(rows, given.queries)


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


def searching(rows: int, queries: int) -> None:
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
    truth = exact(vectors, asked, None)
    within = exact(vectors, asked, mask)
    times = [timed(partial(_ten_nearest, vectors, q)) for q in asked]
    print(f"  numpy, exact      search {spread(times)}")
    with tempfile.TemporaryDirectory() as folder:
        index = VectorIndex.create(Path(folder) / "i", encoder="made", bits={"style": 256})
        ids = [str(i) for i in range(rows)]
        started = time.perf_counter()
        index.add(ids, {"style": vectors})
        print(f"  thinslice         build {time.perf_counter() - started:.1f} s")
        our_search(index, asked, mask, truth, within)
        if importlib.util.find_spec("faiss"):
            started = time.perf_counter()
            index.accelerate()
            print(f"  … with faiss      build {time.perf_counter() - started:.1f} s more")
            our_search(index, asked, mask, truth, within)
    for name, peer in PEERS.items():
        try:
            module = importlib.import_module(name)
        except ImportError:
            print(f"  {name:17} not run: not installed")
            continue
        started = time.perf_counter()
        ask = peer(module, vectors)
        built = time.perf_counter() - started
        found, times = [], []
        for q in asked:
            started = time.perf_counter()
            found.append(ask(q))
            times.append((time.perf_counter() - started) * 1e3)
        print(
            f"  {name:17} build {built:.1f} s, search {spread(times)}, "
            f"recall@10 {recall(found, truth):.3f}"
        )


def our_search(index: VectorIndex, asked: Any, mask: Any, truth: Any, within: Any) -> None:
    """Over all rows, and over the tenth that a mask leaves."""
    index.search({"style": asked[0]}, 10)
    for name, allowed, right in (("all", None, truth), ("a tenth", mask, within)):
        found, times = [], []
        for q in asked:
            started = time.perf_counter()
            near = index.search({"style": q}, 10, allowed=allowed)
            times.append((time.perf_counter() - started) * 1e3)
            found.append([int(n.product) for n in near])
        print(f"    of {name:8} search {spread(times)}, recall@10 {recall(found, right):.3f}")


def _faiss(module: Any, vectors: Any) -> Callable[[Any], list[int]]:
    module.omp_set_num_threads(1)
    index = module.IndexFlatIP(DIM)
    index.add(vectors)
    return lambda q: index.search(q[None], 10)[1][0].tolist()


def _hnswlib(module: Any, vectors: Any) -> Callable[[Any], list[int]]:
    index = module.Index("ip", DIM)
    index.init_index(len(vectors), M=16, ef_construction=100)
    index.set_num_threads(1)
    index.add_items(vectors)
    index.set_ef(64)
    return lambda q: index.knn_query(q, 10)[0][0].tolist()


def _usearch(module: Any, vectors: Any) -> Callable[[Any], list[int]]:
    index = importlib.import_module("usearch.index").Index(ndim=DIM, metric="ip", dtype="f16")
    index.add(np.arange(len(vectors)), vectors, threads=1)
    return lambda q: index.search(q, 10).keys.tolist()


PEERS = {"faiss": _faiss, "hnswlib": _hnswlib, "usearch": _usearch}


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


def recall(found: list[list[int]], right: list[list[int]]) -> float:
    return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, right, strict=True)]))


def unit(rows: Any) -> Any:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def timed(act: Callable[[], Any]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1e3


def spread(times: list[float]) -> str:
    return f"{np.median(times):.2f} ms (p95 {np.percentile(times, 95):.2f})"


if __name__ == "__main__":
    main()
