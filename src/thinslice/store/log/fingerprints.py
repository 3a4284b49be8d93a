"""128 bits per line, by which a line that is known already is recognised for ever.

The fingerprint of a line is BLAKE2b of `message_id:line`. Among 10^9 lines of a shop, any two
share one with a chance of 10^-21. A set of n is a (2, n) uint64 array, sorted by its first row
and then its second, kept as .npy and mapped into memory for a look-up.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Fingerprints = NDArray[np.uint64]
"""(2, n): the upper and the lower 64 bits."""


def fingerprints(lines: pa.Table) -> Fingerprints:
    """One column per row of a table with `message_id` and `line`, in the order of the rows."""
    ids, numbers = (lines.column(name).to_pylist() for name in ("message_id", "line"))
    digests = [
        blake2b(f"{id}:{number}".encode(), digest_size=16).digest()
        for id, number in zip(ids, numbers, strict=True)
    ]
    halves = np.frombuffer(b"".join(digests), dtype=">u8").reshape(-1, 2)
    return np.ascontiguousarray(halves.T, dtype=np.uint64)


def sorted_set(prints: Fingerprints) -> Fingerprints:
    """The same in the order of a set."""
    return np.ascontiguousarray(prints[:, np.lexsort((prints[1], prints[0]))])


def first_of_each(prints: Fingerprints) -> NDArray[np.bool_]:
    """(n,) true where a fingerprint is there for the first time."""
    order, begins = _runs(prints)
    first = np.zeros(len(order), dtype=np.bool_)
    first[order[begins]] = True
    return first


def is_known(prints: Fingerprints, known: Iterable[Fingerprints]) -> NDArray[np.bool_]:
    """(n,) true where one of the sorted sets has the fingerprint.

    The smaller side is looked up in the larger, so that many small sets cost no more than one.
    """
    order, begins = _runs(prints)
    sought = np.ascontiguousarray(prints[:, order[begins]])
    found = np.zeros(sought.shape[1], dtype=np.bool_)
    for one in known:
        if one.shape[1] < sought.shape[1]:
            found[_places(one, sought)[1]] = True
        else:
            found[_places(sought, one)[0]] = True
    result = np.empty(len(order), dtype=np.bool_)
    result[order] = found[np.cumsum(begins) - 1]
    return result


def to_npy(prints: Fingerprints) -> bytes:
    """The set as the content of an .npy file."""
    buffer = BytesIO()
    np.save(buffer, sorted_set(prints), allow_pickle=False)
    return buffer.getvalue()


def from_npy(path: Path) -> Fingerprints | None:
    """The set mapped from an .npy file, None where the file is missing or damaged."""
    try:
        prints = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    fits = prints.dtype == np.uint64 and prints.ndim == 2 and prints.shape[0] == 2
    return prints if fits else None


def _runs(prints: Fingerprints) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """(the order of a set, true where the next fingerprint begins); equal ones stay in order."""
    order = np.lexsort((prints[1], prints[0]))  # a stable sort
    in_order = prints[:, order]
    begins = np.ones(len(order), dtype=np.bool_)
    begins[1:] = (in_order[:, 1:] != in_order[:, :-1]).any(axis=0)
    return order, begins


def _places(needles: Fingerprints, hay: Fingerprints) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(positions in needles, positions in hay) of what both have; hay is sorted."""
    needle = np.arange(needles.shape[1])
    place = np.searchsorted(hay[0], needles[0])
    hits_needle, hits_place = [], []
    while needle.size:  # again only where the upper halves agree and the lower ones do not
        inside = place < hay.shape[1]
        needle, place = needle[inside], place[inside]
        same_upper = hay[0][place] == needles[0][needle]
        needle, place = needle[same_upper], place[same_upper]
        same = hay[1][place] == needles[1][needle]
        hits_needle.append(needle[same])
        hits_place.append(place[same])
        needle, place = needle[~same], place[~same] + 1
    return _joined(hits_needle), _joined(hits_place)


def _joined(parts: list[NDArray[np.intp]]) -> NDArray[np.intp]:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.intp)
