"""Event lines in Parquet, however many, brought into the order of time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from thinslice.store.log.schema import COLUMNS
from thinslice.store.log.sessions import ORDER


def sort_by_time(
    files: Sequence[Path], in_order: Path, *, memory: str, threads: int | None = None
) -> None:
    """Write the lines of all the files to one, by time and identity.

    What does not fit into `memory` is spilled beside `in_order`, whose folder is to be a scratch
    one.
    """
    import duckdb

    config: dict[str, str | int] = {
        "memory_limit": memory,
        "temp_directory": str(in_order.with_name("spill")),
    }
    if threads:
        config["threads"] = threads
    with duckdb.connect(config=config) as con:
        con.execute(_COPY, {"files": [str(f) for f in files], "to": str(in_order)}).fetchall()


_NAMES = ", ".join(COLUMNS)
_COPY = f"""
    copy (
        select {_NAMES} from read_parquet($files, union_by_name = true) order by {", ".join(ORDER)}
    )
    to $to (format parquet, compression zstd)
"""  # noqa: S608 (names of columns)
