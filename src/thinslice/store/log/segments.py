"""The events for good: immutable Parquet files, `shop=<shop>/day=<UTC day>/<name>.parquet`.

A line stands in one segment only. Each segment has its fingerprints beside it, and they are
published first: a fingerprint file counts if its segment is there, so that both become valid with
one rename. A crash before the rename leaves a fingerprint file without a segment, which nobody
reads and the next round removes; its lines are still where they came from. A crash after it
leaves a valid pair, and the next round finds those lines known and skips them. Fingerprints that
are missing or damaged beside a valid segment are computed again from the segment.

A merged segment takes the place of others. Until those are deleted, their names stand in a list
beside it, and whoever sees the merged one leaves them out (`merging` tells the protocol).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from thinslice.domain import DAY_US
from thinslice.durable import make_folder, publish_file, write_durably
from thinslice.errors import StorageError
from thinslice.store.directory import shop_name
from thinslice.store.log.fingerprints import (
    Fingerprints,
    fingerprints,
    first_of_each,
    from_npy,
    is_known,
    sorted_set,
    to_npy,
)

MERGED = "merged-"
"""How the name of a merged segment begins."""

LIST = ".replaces.json"
"""How the name of the list of what a merged segment replaces ends."""

_PRINTS = ".fingerprints.npy"


class Segments:
    """One shop's segments. Anyone may read; whoever publishes holds the housekeeper's lock."""

    def __init__(self, events_folder: Path, shop: str) -> None:
        self._folder = events_folder / f"shop={shop_name(shop)}"

    def files(self) -> list[Path]:
        """The segments that count now, by day.

        They are immutable, but one may be merged and deleted before it is opened: list again.
        """
        return [file for day in sorted(self._folder.glob("day=*")) for file in day_segments(day)]

    def publisher(self, *also_known: Fingerprints) -> Publisher:
        """What adds segments; `also_known` are sets of lines that are kept elsewhere already."""
        for day in self._folder.glob("day=*"):
            clean(day)
        return Publisher(self._folder, self.files(), list(also_known))


def day_segments(day: Path) -> list[Path]:
    """The segments of a day's folder without those that a merged one replaces.

    The folder is listed before the lists are opened: where a list is gone by then, what it named
    is gone, too, and cannot be opened.
    """
    files = sorted(day.glob("[!.]*.parquet"))
    merged = [file for file in files if file.name.startswith(MERGED)]
    replaced = {name for file in merged for name in replaced_by(file)}
    return [file for file in files if file.name not in replaced]


def replaced_by(merged: Path) -> list[str]:
    """The names of the segments in whose place it stands, none when they have been deleted."""
    try:
        names: list[str] = json.loads(list_path(merged).read_bytes())
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise StorageError(
            f"{list_path(merged)} must list the segments that {merged.name} replaces, and cannot "
            "be read; delete it if the merged segment is the only one there, else restore it from "
            "a backup"
        ) from error
    return names


def clean(day: Path) -> None:
    """Remove what a crash left unfinished in a day's folder; the housekeeper's lock is held."""
    for path in day.iterdir():
        if path.name.endswith(".tmp") or _is_stray(path):
            path.unlink()


def without_known(lines: pa.Table, segments: list[Path]) -> pa.Table:
    """The lines, each once, that none of the segments has."""
    if lines.num_rows == 0:
        return lines
    prints = fingerprints(lines)
    return lines.filter(first_of_each(prints) & ~is_known(prints, map(prints_of, segments)))


def overlapping(segments: list[Path], since_us: int | None, until_us: int | None) -> list[Path]:
    """Those segments that may hold a line with since_us <= time_us < until_us."""
    return [file for file in segments if _overlaps(file.parent, since_us, until_us)]


class Publisher:
    """Adds lines to a shop's segments, each line once."""

    def __init__(self, folder: Path, segments: list[Path], also_known: list[Fingerprints]) -> None:
        self._folder = folder
        self._segments = segments
        self._also_known = also_known

    def publish(self, lines: pa.Table, name: str) -> int:
        """Publish those lines of a table, sorted by time_us, that are not known; return how many.

        All of them are durable when this returns. Raises `StorageError` when the disk refuses;
        some days may be published then, and publishing the same again completes them.
        """
        prints = fingerprints(lines)
        known = chain(self._also_known, map(prints_of, self._segments))  # one mapped at a time
        fresh = first_of_each(prints) & ~is_known(prints, known)
        lines, prints = lines.filter(fresh), prints[:, fresh]
        days = lines.column("time_us").to_numpy() // DAY_US
        for start, stop in _runs(days):
            day = _day_name(days[start])
            self._publish_day(day, lines.slice(start, stop - start), prints[:, start:stop], name)
        return int(lines.num_rows)

    def _publish_day(self, day: str, lines: pa.Table, prints: Fingerprints, name: str) -> None:
        folder = self._folder / f"day={day}"
        make_folder(folder)
        segment = folder / f"{name}-{uuid4().hex[:8]}.parquet"  # a name that was never there
        temporary = segment.with_name(f".{segment.name}.tmp")
        try:
            pq.write_table(lines, temporary, compression="zstd")
            write_durably(prints_path(segment), to_npy(prints))
            publish_file(temporary, segment)
        except OSError as error:
            raise StorageError(
                f"{segment} could not be written: {error}; free some space or check the disk"
            ) from error
        finally:
            temporary.unlink(missing_ok=True)
            if segment.exists():  # even if its folder could not be synced
                self._segments.append(segment)


def prints_of(segment: Path) -> Fingerprints:
    """The fingerprints of a segment, as a sorted set."""
    prints = from_npy(prints_path(segment))
    if prints is None:
        prints = sorted_set(fingerprints(pq.read_table(segment, columns=["message_id", "line"])))
    return prints


def prints_path(segment: Path) -> Path:
    return segment.with_name(segment.stem + _PRINTS)


def list_path(merged: Path) -> Path:
    return merged.with_name(merged.stem + LIST)


def _is_stray(path: Path) -> bool:
    """Whether it belongs to a segment that is not there."""
    for ending in (_PRINTS, LIST):
        if path.name.endswith(ending):
            return not path.with_name(path.name.removesuffix(ending) + ".parquet").exists()
    return False


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
