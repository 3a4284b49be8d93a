"""One immutable piece of an index on disk: ids, and per part vectors and their sketch.

FOLDER/
├── manifest.json            parts, encoder, hyperplanes, segments with a SHA-256 per file,
│                            and the rows that were removed; replaced in one step
├── planes-<k>/<part>.npy    the mean and the hyperplanes of each part
└── segment-<k>/
    ├── ids.json             product ids by row
    ├── <part>.npy           (rows, dim) float16, unit vectors
    ├── bits.npy             (words of all parts, rows) uint64
    └── codes.faiss          codes of a very large segment, where faiss was asked to make them
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.errors import StorageError
from thinslice.index.accelerated import FILE, Codes, faiss_or_none, write_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.index.sketch import Hyperplanes


@dataclass(frozen=True, eq=False)
class Segment:
    """A segment as it is mapped; `bits` has the words of all parts below one another.

    `rows` finds a product's row; `alive` is False for rows that were removed.
    """

    name: str
    ids: list[str]
    vectors: Mapping[str, NDArray[np.float16]]
    bits: NDArray[np.uint64]
    alive: NDArray[np.bool_]

    rows: Mapping[str, int]
    codes: Codes | None = None

    def without(self, removed: Sequence[int]) -> Segment:
        """The same segment, in which exactly these rows are not found."""
        alive = np.ones(len(self.ids), bool)
        alive[list(removed)] = False
        return replace(self, alive=alive)


def write_segment(
    folder: Path,
    ids: Sequence[str],
    vectors: Mapping[str, NDArray[np.floating[Any]]],
    planes: Mapping[str, Hyperplanes],
    *,
    codes: bool = False,
) -> None:
    """Write a segment's files; the caller syncs and publishes the folder. `codes` needs faiss."""
    folder.mkdir()
    (folder / "ids.json").write_text(json.dumps(list(ids)), encoding="utf-8")
    for part, rows in vectors.items():
        np.save(folder / f"{part}.npy", rows.astype(np.float16), allow_pickle=False)
    bits = np.concatenate([planes[part].sketch(rows) for part, rows in vectors.items()])
    np.save(folder / "bits.npy", bits, allow_pickle=False)
    if codes:
        write_codes(folder, vectors)


def read_segment(folder: Path, parts: Sequence[str]) -> Segment:
    """Map a segment's files. Raises StorageError for one that is damaged."""
    try:
        ids = json.loads((folder / "ids.json").read_text(encoding="utf-8"))
        vectors = {part: _mapped(folder / f"{part}.npy") for part in parts}
        bits = _mapped(folder / "bits.npy")
        if any(len(rows) != len(ids) for rows in vectors.values()) or bits.shape[1] != len(ids):
            raise ValueError("its files differ in their number of rows")
    except (OSError, ValueError) as error:
        raise StorageError(
            f"the photo index {folder} is damaged ({error}); build it again: thinslice build"
        ) from error
    rows = {product: row for row, product in enumerate(ids)}
    codes = None
    if (folder / FILE).exists() and faiss_or_none() is not None:
        codes = Codes(folder / FILE, {part: one.shape[1] for part, one in vectors.items()})
    return Segment(folder.name, ids, vectors, bits, np.ones(len(ids), bool), rows, codes)


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file of a folder, by name."""
    found = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def check(folder: Path, expected: Mapping[str, str]) -> None:
    """Raise StorageError unless the folder has exactly the bytes that were written."""
    found = digests(folder) if folder.is_dir() else {}
    wrong = [name for name in expected if found.get(name) != expected[name]]
    if wrong:
        raise StorageError(
            f"the photo index {folder} is damaged: {wrong[0]} is not what was written; build it "
            "again: thinslice build"
        )


def _mapped(path: Path) -> Any:
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
