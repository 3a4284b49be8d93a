"""The events for good: immutable Parquet files, `shop=<shop>/day=<UTC day>/<name>.parquet`.

A line stands in one segment only. Each segment has its fingerprints beside it, and they are
published first: a fingerprint file counts if its segment is there, so that both become valid with
one rename. A crash before the rename leaves a fingerprint file without a segment, which nobody
reads and the next round removes; its lines are still where they came from. A crash after it
leaves a valid pair, and the next round finds those lines known and skips them. Fingerprints that
are missing or damaged beside a valid segment are computed again from the segment.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from thinslice.domain import DAY_US
from thinslice.errors import StorageError
from thinslice.store.directory import make_folder, publish_file, shop_name, write_durably
from thinslice.store.fingerprints import (
    Fingerprints,
    fingerprints,
    first_of_each,
    from_npy,
    is_known,
    sorted_set,
    to_npy,
)

_PRINTS = ".fingerprints.npy"


class Segments:
    """One shop's segments. Anyone may read; whoever publishes holds the housekeeper's lock."""

    def __init__(self, events_folder: Path, shop: str) -> None:
        self._folder = events_folder / f"shop={shop_name(shop)}"

    def files(self) -> list[Path]:
        """The segments that are there now, by day."""
        days = sorted(self._folder.glob("day=*"))
        return [file for day in days for file in sorted(day.glob("[!.]*.parquet"))]

    def publisher(self, *also_known: Fingerprints) -> Publisher:
        """What adds segments; `also_known` are sets of lines that are kept elsewhere already."""
        self._clean()
        return Publisher(self._folder, [*map(_prints_of, self.files()), *also_known])

    def _clean(self) -> None:
        """Remove what a crash left unfinished."""
        for path in self._folder.glob("day=*/*"):
            stray = path.name.endswith(_PRINTS) and not _segment_of(path).exists()
            if path.name.endswith(".tmp") or stray:
                path.unlink()


def without_known(lines: pa.Table, segments: list[Path]) -> pa.Table:
    """The lines, each once, that none of the segments has."""
    if lines.num_rows == 0:
        return lines
    prints = fingerprints(lines)
    return lines.filter(first_of_each(prints) & ~is_known(prints, map(_prints_of, segments)))


def overlapping(segments: list[Path], since_us: int | None, until_us: int | None) -> list[Path]:
    """Those segments that may hold a line with since_us <= time_us < until_us."""
    return [file for file in segments if _overlaps(file.parent, since_us, until_us)]


class Publisher:
    """Adds lines to a shop's segments, each line once."""

    def __init__(self, folder: Path, known: list[Fingerprints]) -> None:
        self._folder = folder
        self._known = known

    def publish(self, lines: pa.Table, name: str) -> int:
        """Publish those lines of a table, sorted by time_us, that are not known; return how many.

        All of them are durable when this returns. Raises `StorageError` when the disk refuses;
        some days may be published then, and publishing the same again completes them.
        """
        prints = fingerprints(lines)
        fresh = first_of_each(prints) & ~is_known(prints, self._known)
        lines, prints = lines.filter(fresh), prints[:, fresh]
        days = lines.column("time_us").to_numpy() // DAY_US
        for start, stop in _runs(days):
            day = _day_name(days[start])
            self._publish_day(day, lines.slice(start, stop - start), prints[:, start:stop], name)
        return int(lines.num_rows)

    def _publish_day(self, day: str, lines: pa.Table, prints: Fingerprints, name: str) -> None:
        folder = self._folder / f"day={day}"
        make_folder(folder)
        segment = folder / f"{name}.parquet"
        if segment.exists():
            segment = folder / f"{name}-{uuid4().hex[:8]}.parquet"
        temporary = segment.with_name(f".{segment.name}.tmp")
        try:
            pq.write_table(lines, temporary, compression="zstd")
            write_durably(_prints_path(segment), to_npy(prints))
            publish_file(temporary, segment)
        except OSError as error:
            raise StorageError(
                f"{segment} could not be written: {error}; free some space or check the disk"
            ) from error
        finally:
            temporary.unlink(missing_ok=True)
        self._known.append(sorted_set(prints))


def _prints_of(segment: Path) -> Fingerprints:
    prints = from_npy(_prints_path(segment))
    if prints is None:
        prints = sorted_set(fingerprints(pq.read_table(segment, columns=["message_id", "line"])))
    return prints


def _prints_path(segment: Path) -> Path:
    return segment.with_name(segment.stem + _PRINTS)


def _segment_of(prints: Path) -> Path:
    return prints.with_name(prints.name.removesuffix(_PRINTS) + ".parquet")


def _runs(days: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """The stretches of equal days."""
    starts = np.flatnonzero(np.diff(days, prepend=days[:1] - 1)).tolist()
    return zip(starts, [*starts[1:], len(days)], strict=False)


def _day_name(day: int) -> str:
    return str(np.datetime64(int(day), "D"))


def _overlaps(folder: Path, since_us: int | None, until_us: int | None) -> bool:
    day = int(np.datetime64(folder.name.removeprefix("day="), "D").astype(np.int64))
    starts, ends = day * DAY_US, (day + 1) * DAY_US
    return (until_us is None or starts < until_us) and (since_us is None or ends > since_us)
