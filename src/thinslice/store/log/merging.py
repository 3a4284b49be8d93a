"""The housekeeper's second job: the many small segments of a day become one (compaction).

Each closed hot file leaves a segment per shop and day, so that months would leave thousands of
small files. Whoever merges holds the lock of whoever seals or adopts. Killed after any step, each
line counts once:

1. The parts are sorted into one file in a scratch folder, which the next process clears.
2. The fingerprints of all, and `merged-<id>.replaces.json`, the list of the parts, are published.
   Both count only if their segment is there; without it they are removed by the next round.
3. `merged-<id>.parquet` is published, by one rename. From that moment the parts do not count:
   whoever sees a merged segment leaves out what its list names.
4. In a round `keep_s` later the parts are deleted and, once that is on disk, the list. After a
   crash the list is still there, and the next round goes on.

Readers take no lock. One that listed the folder before step 3 reads the parts, which stay for
`keep_s`; if it takes longer than that, a part is gone when it is opened, and the reader begins
again. One that listed it later finds the list, or finds it gone: then the parts are gone, too,
and if it still has their names from before, it begins again as well.

Two rules keep a list true. A day is merged again only after step 4, so that no list is deleted
with its segment while its parts are there. And no name is used twice, so that a list never names
a segment that came after it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from thinslice.durable import publish_file, sync_folder, write_durably
from thinslice.errors import StorageError
from thinslice.store.directory import DataDirectory
from thinslice.store.log.fingerprints import to_npy
from thinslice.store.log.hot_log import new_hot_id
from thinslice.store.log.segments import (
    LIST,
    MERGED,
    clean,
    day_segments,
    list_path,
    prints_of,
    prints_path,
    replaced_by,
)
from thinslice.store.log.sorting import sort_by_time

_MOST_OF_TODAY = 50
_SMALL_LINES = 500_000
_MERGED_LINES = 2_000_000
_MEMORY = "300MB"
_ROUND_S = 20.0
_DAY_S = 86_400


def merge_days(
    directory: DataDirectory, *, most: int, keep_s: float, now_s: float, round_s: float = _ROUND_S
) -> tuple[int, list[str]]:
    """Merge the small segments of days that have more than `most`; (parts merged, problems).

    A day counts as over `keep_s` after its end, and may have 50 until then. No day is begun when
    `round_s` have passed, so that sealing goes on; the next round continues.
    """
    merged, problems = 0, []
    until = time.monotonic() + round_s
    for day in _days_to_look_at(directory.events, most):
        try:
            clean(day)
            if _delete_replaced(day, now_s - keep_s):
                is_over = _end_s(day) <= now_s - keep_s
                limit = most if is_over else max(most, _MOST_OF_TODAY)
                merged += _merge_day(directory, day, limit)
        except Exception as error:  # whatever it is, the other days are merged
            problems.append(f"the segments in {day} could not be merged: {error}")
        if time.monotonic() > until:
            break
    return merged, problems


def _days_to_look_at(events: Path, most: int) -> Iterator[Path]:
    """The days with more than `most` segments, or with a list."""
    for shop in sorted(events.glob("shop=*")):
        for day in sorted(shop.glob("day=*")):
            names = os.listdir(day)  # noqa: PTH208 (months of days, every round)
            if sum(name.endswith(".parquet") for name in names) > most or any(
                name.endswith(LIST) for name in names
            ):
                yield day


def _end_s(day: Path) -> float:
    number = np.datetime64(day.name.removeprefix("day="), "D").astype(np.int64)
    return (float(number) + 1) * _DAY_S


def _delete_replaced(day: Path, before_s: float) -> bool:
    """Delete the parts of what was merged before; false while it is too early for that."""
    for merged in day.glob(f"{MERGED}*.parquet"):
        if not list_path(merged).exists():
            continue
        if merged.stat().st_mtime >= before_s:
            return False
        sync_folder(day)  # the merged segment is on disk, whatever happened when it was published
        for name in replaced_by(merged):
            part = merged.with_name(name)
            part.unlink(missing_ok=True)
            prints_path(part).unlink(missing_ok=True)
        sync_folder(day)
        list_path(merged).unlink()
        sync_folder(day)
    return True


def _merge_day(directory: DataDirectory, day: Path, limit: int) -> int:
    lines = {part: pq.read_metadata(part).num_rows for part in day_segments(day)}
    small = [part for part in lines if lines[part] < _SMALL_LINES]
    if len(small) <= limit:
        return 0
    totals = np.cumsum([lines[part] for part in small])
    parts = small[: int(np.searchsorted(totals, _MERGED_LINES, "right"))]
    merged = day / f"{MERGED}{new_hot_id()}.parquet"
    with directory.scratch() as folder:
        in_order = folder / "in-order.parquet"
        sort_by_time(parts, in_order, memory=_MEMORY, threads=1)
        prints = np.concatenate([prints_of(part) for part in parts], axis=1)
        found = {pq.read_metadata(in_order).num_rows, prints.shape[1]}
        if found != {int(totals[len(parts) - 1])}:
            raise StorageError(
                f"the {len(parts)} segments have {totals[len(parts) - 1]} lines, and merged "
                f"{sorted(found)}; they are left as they are; check the disk"
            )
        write_durably(prints_path(merged), to_npy(prints))
        write_durably(list_path(merged), json.dumps([part.name for part in parts]).encode())
        publish_file(in_order, merged)
    return len(parts)
