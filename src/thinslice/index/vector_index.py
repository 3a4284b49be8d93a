"""The index of a shop's photos: append, remove, search under filters, exact when asked.

A product has several vectors, its *parts* (style, identity, colour), and a query weighs them. A
search counts differing bits over all rows and scores the nearest few hundred exactly; below some
millions of products that beats a graph, which must be rebuilt, cannot filter and forgets nothing.
Segments never change: adding writes another, removing marks rows in the manifest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from copy import copy, deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.durable import locked, make_folder, publish_folder
from thinslice.errors import InputError, StorageError
from thinslice.index.accelerated import faiss_or_none, require_faiss
from thinslice.index.manifest import (
    new_manifest,
    read_manifest,
    read_planes,
    remove_unnamed,
    write_manifest,
    write_planes,
)
from thinslice.index.search import Near, SketchedQuery, check_allowed, nearest, weights_of
from thinslice.index.segment import Segment, check, digests, read_segment, write_segment
from thinslice.index.sketch import Hyperplanes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.floating[Any]]

RESCORED = 512
"""At least this many of the nearest sketches are scored exactly."""

MOST_SEGMENTS = 8
"""More are merged into one when something is added."""


class VectorIndex:
    """Unit vectors of products in several parts, on disk and mapped into memory.

    One process at a time writes (a lock file sees to it); any number read, and notice by
    `refresh` what was written. Vectors of another encoder are refused.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self.folder = folder
        self.encoder: str = manifest["encoder"]
        self.bits: dict[str, int] = manifest["bits"]
        self.segments: tuple[Segment, ...] = ()
        self._planes: dict[str, Hyperplanes] = {}
        self._manifest = manifest
        self._looked_at = time.monotonic()
        self._adopting = threading.Lock()
        self._adopt(manifest)

    @classmethod
    def create(cls, folder: Path, *, encoder: str, bits: Mapping[str, int]) -> VectorIndex:
        """Begin an empty index, in place of what is there. `bits` per part is a multiple of 64."""
        odd = [part for part, count in bits.items() if count % 64 or count <= 0]
        if odd or not bits:
            raise InputError(
                f"an index needs parts with a multiple of 64 bits each, got {dict(bits)}; "
                "256 bits serve an embedding well"
            )
        make_folder(folder)
        with locked(folder / ".lock"):
            manifest = new_manifest(encoder, bits)
            write_manifest(folder, manifest)
            remove_unnamed(folder, manifest)
        return cls(folder, manifest)

    @classmethod
    def open(cls, folder: Path, *, encoder: str | None = None) -> VectorIndex:
        """Open an index, every byte checked. Raises StorageError where there is none to open and
        InputError where it holds another encoder's vectors."""
        manifest = read_manifest(folder)
        if encoder is not None and manifest["encoder"] != encoder:
            raise InputError(
                f"the photo index of {folder} was made with encoder {manifest['encoder']} and the "
                f"query with {encoder}; vectors of two encoders cannot be compared, so build the "
                "index again: thinslice build"
            )
        return cls(folder, manifest)

    @staticmethod
    def exists(folder: Path) -> bool:
        return (folder / "manifest.json").exists()

    def __len__(self) -> int:
        """Products that can be found."""
        return int(sum(segment.alive.sum() for segment in self.segments))

    def __contains__(self, product: str) -> bool:
        return self._place(product) is not None

    @property
    def ids(self) -> list[str]:
        """Product ids by row, those that were removed included: the order of `allowed`."""
        return [product for segment in self.segments for product in segment.ids]

    @property
    def revision(self) -> int:
        """Changes with every addition and removal."""
        return int(self._manifest["revision"])

    def as_it_is(self) -> VectorIndex:
        """The index as it is now, to be searched under a mask that fits it, whatever is written
        meanwhile; it is not to be written to."""
        with self._adopting:
            return copy(self)

    def vectors_of(self, product: str) -> dict[str, NDArray[np.float32]] | None:
        """The vectors of one product by part, None for one that is not there."""
        place = self._place(product)
        if place is None:
            return None
        segment, row = place
        return {part: segment.vectors[part][row].astype(np.float32) for part in self.bits}

    def add(self, ids: Sequence[str], vectors: Mapping[str, Vectors]) -> None:
        """Add products, or replace those that are there: durable and searchable on return.

        `vectors` has (n, dim) unit vectors for every part. Raises InputError for other parts,
        another number of rows, a repeated id or values that are not finite.
        """
        self._check_new(ids, vectors)
        if not ids:
            return
        with locked(self.folder / ".lock"):
            self.refresh(force=True)
            self._publish(self._with_segment(self._without(ids), ids, vectors))
            if len(self.segments) > MOST_SEGMENTS:
                self._publish(self._merged())

    def remove(self, ids: Iterable[str]) -> int:
        """Let products be found no more; returns how many there were."""
        with locked(self.folder / ".lock"):
            self.refresh(force=True)
            before = len(self)
            self._publish(self._without(ids))
        return before - len(self)

    def merge(self) -> None:
        """Fold all segments into one, without the rows that were removed, and sketch anew."""
        with locked(self.folder / ".lock"):
            self.refresh(force=True)
            self._publish(self._merged())

    def accelerate(self) -> None:
        """Fold all segments into one that faiss searches by its codes, for very many products. What
        is added later is scanned beside it. Raises InputError where faiss is not installed."""
        require_faiss()
        with locked(self.folder / ".lock"):
            self.refresh(force=True)
            self._publish(self._merged(codes=True))

    def refresh(self, *, force: bool = False, every_seconds: float = 0.2) -> None:
        """Take notice of what another process has written."""
        now = time.monotonic()
        if not force and now - self._looked_at < every_seconds:
            return
        self._looked_at = now
        with self._adopting:
            manifest = read_manifest(self.folder)
            while manifest["revision"] != self._manifest["revision"]:
                try:
                    self._adopt(manifest)
                except StorageError:
                    newer = read_manifest(self.folder)  # merged away while it was being mapped
                    if newer["revision"] == manifest["revision"]:
                        raise
                    manifest = newer

    def search(
        self,
        query: Mapping[str, Vectors],
        n: int,
        *,
        weights: Mapping[str, float] | None = None,
        allowed: NDArray[np.bool_] | None = None,
        rescored: int | None = None,
    ) -> list[Near]:
        """The n products nearest to the query's unit vectors (dim,), best first.

        `weights` per part, 1 where not named, 0 leaves a part out; `allowed` (rows,) in the order
        of `ids` is the filter. The nearest `rescored` sketches are scored exactly: at least 512,
        8 n and a thousandth of the rows where it is not said.
        """
        wanted = weights_of(list(self.bits), query, weights)
        check_allowed(self.segments, allowed)
        if not self._planes:
            return []
        rows = sum(len(segment.ids) for segment in self.segments)
        passed = rescored or max(RESCORED, 8 * n, rows // 1000)
        sketched = SketchedQuery.of(query, wanted, self._planes, passed)
        return nearest(self.segments, query, wanted, allowed, n, sketched)

    def exact(
        self,
        query: Mapping[str, Vectors],
        n: int,
        *,
        weights: Mapping[str, float] | None = None,
        allowed: NDArray[np.bool_] | None = None,
    ) -> list[Near]:
        """The same as `search` by scoring every row: the truth that it is measured against."""
        wanted = weights_of(list(self.bits), query, weights)
        check_allowed(self.segments, allowed)
        return nearest(self.segments, query, wanted, allowed, n, None)

    def _place(self, product: str) -> tuple[Segment, int] | None:
        for segment in reversed(self.segments):
            row = segment.rows.get(product)
            if row is not None and segment.alive[row]:
                return segment, row
        return None

    def _check_new(self, ids: Sequence[str], vectors: Mapping[str, Vectors]) -> None:
        if set(vectors) != set(self.bits):
            raise InputError(
                f"the index has the parts {', '.join(self.bits)}, got {', '.join(vectors)}; "
                "give one array of vectors for each"
            )
        if len(set(ids)) != len(ids):
            twice = next(product for product in ids if list(ids).count(product) > 1)
            raise InputError(f"product {twice!r} is given twice; give each product once")
        for part, rows in vectors.items():
            known = self._planes[part].planes.shape[1] if self._planes else rows.shape[-1]
            if rows.ndim != 2 or rows.shape != (len(ids), known):
                raise InputError(
                    f"part {part!r} needs an array of {len(ids)} x {known}, got {rows.shape}"
                )
            if not np.isfinite(rows).all():
                raise InputError(f"part {part!r} has values that are not finite; check the encoder")

    def _without(self, ids: Iterable[str]) -> dict[str, Any]:
        """The manifest with the rows of these products removed."""
        manifest = deepcopy(self._manifest)
        entries = {entry["name"]: entry for entry in manifest["segments"]}
        for product in ids:
            place = self._place(product)
            if place is not None:
                segment, row = place
                entries[segment.name]["removed"].append(row)
        return manifest

    def _with_segment(
        self,
        manifest: dict[str, Any],
        ids: Sequence[str],
        vectors: Mapping[str, Vectors],
        *,
        codes: bool = False,
    ) -> dict[str, Any]:
        """The manifest with one more segment, whose files are on disk by then."""
        rows = {part: np.asarray(vectors[part]) for part in self.bits}
        planes = self._planes
        if manifest["planes"] is None:
            planes = {part: Hyperplanes.learn(rows[part], self.bits[part]) for part in self.bits}
            manifest["planes"] = write_planes(self.folder, planes)
        name = f"segment-{time.time_ns()}"
        temporary = self.folder / f".{name}"
        write_segment(temporary, ids, rows, planes, codes=codes)
        publish_folder(temporary, self.folder / name)
        files = digests(self.folder / name)
        manifest["segments"].append({"name": name, "files": files, "removed": []})
        return manifest

    def _merged(self, *, codes: bool | None = None) -> dict[str, Any]:
        """The manifest with all that can be found in one segment, with codes where there were."""
        if codes is None:
            had = any(segment.codes is not None for segment in self.segments)
            codes = had and faiss_or_none() is not None
        manifest = {**self._manifest, "segments": [], "planes": None}
        alive = [(segment, np.flatnonzero(segment.alive)) for segment in self.segments]
        ids = [segment.ids[row] for segment, rows in alive for row in rows]
        if not ids:
            return manifest
        vectors = {
            part: np.concatenate([segment.vectors[part][rows] for segment, rows in alive])
            for part in self.bits
        }
        return self._with_segment(manifest, ids, vectors, codes=codes)

    def _publish(self, manifest: dict[str, Any]) -> None:
        manifest["revision"] = time.time_ns()
        write_manifest(self.folder, manifest)
        with self._adopting:
            self._adopt(manifest)
        remove_unnamed(self.folder, manifest)

    def _adopt(self, manifest: dict[str, Any]) -> None:
        """Map what the manifest names; of what is mapped already only the removals are new."""
        known = {segment.name: segment for segment in self.segments}
        segments = []
        for entry in manifest["segments"]:
            segment = known.get(entry["name"])
            if segment is None:
                check(self.folder / entry["name"], entry["files"])
                segment = read_segment(self.folder / entry["name"], list(self.bits))
            segments.append(segment.without(entry["removed"]))
        if manifest["planes"] != self._manifest["planes"] or not self._planes:
            self._planes = read_planes(self.folder, manifest)
        self._manifest = manifest
        self.segments = tuple(segments)
