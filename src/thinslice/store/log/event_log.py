"""What happened: one interface over the hot files and the segments of a data directory."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from thinslice.config import Settings
from thinslice.domain import Event, SessionLog
from thinslice.durable import locked
from thinslice.errors import InputError, StorageError
from thinslice.store.directory import DataDirectory
from thinslice.store.log.fingerprints import fingerprints, sorted_set
from thinslice.store.log.hot_files import MovedError, RunningSessions, again_if_moved, unsealed_rows
from thinslice.store.log.hot_log import HotLog, new_hot_id
from thinslice.store.log.schema import COLUMNS, EVENT_SCHEMA, REQUIRED, rows_to_table
from thinslice.store.log.sealing import SealReport, housekeeping_lock, seal
from thinslice.store.log.segments import MERGED, Segments, overlapping, without_known
from thinslice.store.log.sessions import (
    ORDER,
    browsing_sessions,
    session_log,
    sessionise,
)
from thinslice.store.log.sorting import sort_by_time
from thinslice.store.log.tail import LogPosition, Tail, log_position, touched_since
from thinslice.store.log.writer import Writer

if TYPE_CHECKING:
    import duckdb
    import ibis

Progress = Callable[[int, int | None], None]
"""Called with (lines done, lines in all or None)."""

Expression = Callable[["ibis.Table", Callable[["ibis.Table"], "ibis.Table"]], "ibis.Table"]
"""From the events, and what adds `session_key` to them, to what is wanted of them. Hashable: equal
ones are compiled once."""

_T = TypeVar("_T")

_ADOPT_MEMORY = "700MB"
_ADOPT_LINES = 500_000
_KEEP_SEALED_MINUTES = 5


class EventLog:
    """The events of all shops in one data directory; fulfils `interfaces.EventStore`.

    Any number of processes may open one at the same time. Threads may share one.
    """

    def __init__(self, directory: DataDirectory, settings: Settings) -> None:
        self._directory = directory
        self._settings = settings
        self._gap_us = round(settings.session_gap_minutes * 60_000_000)
        self._running = RunningSessions(directory.hot, self._gap_us)
        self._own = self._hot_log()
        self._own_lock = threading.Lock()
        weakref.finalize(self, _close, os.getpid(), self._own, self._running)

    def append(self, shop: str, events: Sequence[Event]) -> int:
        """Keep the events on disk, then return how many lines were written.

        A line whose `(message_id, line)` is known already changes no later answer.
        """
        with self._own_lock:
            return self._own.append([(shop, events)])

    def writer(self, on_error: Callable[[Exception], None] | None = None) -> Writer:
        """A running thread that commits what many callers submit, in groups; close it at the end.

        `on_error` hears of events that nobody waits for and that could not be kept.
        """
        writer = Writer(self._hot_log(), on_error)
        writer.start()
        return writer

    def events(
        self, shop: str, *, since_us: int | None = None, until_us: int | None = None
    ) -> pa.Table:
        """The shop's events with since_us <= time_us < until_us, each once, by time and id."""
        return self._answer(shop, since_us, until_us, _SELECT).cast(EVENT_SCHEMA)

    def sessions(
        self, shop: str, *, since_us: int | None = None, until_us: int | None = None
    ) -> SessionLog:
        """The sessions of the same events: views, carts and purchases of products."""
        most = self._settings.session_max_products
        return session_log(
            self._computed(
                shop,
                since_us,
                until_us,
                lambda events: browsing_sessions(events, self._gap_us, most),
            )
        )

    def ask(
        self,
        shop: str,
        steps: Mapping[str, Expression],
        tables: Mapping[str, pa.Table],
        wanted: Sequence[str],
        *,
        since_us: int | None = None,
        until_us: int | None = None,
    ) -> dict[str, pa.Table]:
        """What Ibis expressions make of the events of a period, computed where these lie.

        Each step is given the events, and a function that adds `session_key` to some of them; it
        may use the `tables` and the steps before it by their names. Only the columns that are used
        are read, and only the steps that are `wanted` come back.
        """
        queries = {name: _compiled(step, self._gap_us) for name, step in steps.items()}

        def answer(con: duckdb.DuckDBPyConnection) -> dict[str, pa.Table]:
            for name, table in tables.items():
                con.register(name, table)
            for name, query in queries.items():
                con.sql(query).to_table(name)
            return {name: con.table(name).to_arrow_table() for name in wanted}

        return self._with_events(shop, since_us, until_us, answer)

    def running_session(self, shop: str, *, visitor: str = "", session: str = "") -> list[Event]:
        """The recent events of one visitor or session, oldest first; empty when unknown."""
        return self._running.find(shop, visitor, session)

    def tail(self) -> Tail:
        """What follows the log as any writer makes it grow; for one thread, and cheap to ask."""
        return Tail(self._directory.hot)

    def position(self) -> LogPosition:
        """Where the log ends now; a model keeps it, to know later what it has learned from."""
        return log_position(self._directory.hot)

    def has_more(self, shop: str, position: LogPosition) -> bool:
        """Whether the shop may have touches beyond a position, sealed meanwhile or not yet.

        Yes by mistake where lines that had been read were sealed since.
        """
        return touched_since(self._directory.hot, shop, position) or any(
            segment.stat().st_mtime_ns // 1000 > position.at_us
            for segment in Segments(self._directory.events, shop).files()
            if not segment.name.startswith(MERGED)
        )

    def adopt(self, shop: str, staged: Path, progress: Progress | None = None) -> int:
        """Take staged Parquet in `EVENT_SCHEMA` into the segments; return how many lines are new.

        A file or a folder of them, in any order, larger than memory if need be. Killed at any
        moment and started again, it ends in the same state. Raises `StorageError`.
        """
        files = [staged] if staged.is_file() else sorted(staged.rglob("*.parquet"))
        total = sum(pq.read_metadata(file).num_rows for file in files)
        if total == 0:
            return 0
        done = new = 0
        with self._directory.scratch() as folder:
            in_order = folder / "in-order.parquet"
            sort_by_time(files, in_order, memory=_ADOPT_MEMORY)
            with locked(housekeeping_lock(self._directory)):
                hot = rows_to_table(unsealed_rows(self._directory.hot, shop))
                publisher = Segments(self._directory.events, shop).publisher(
                    sorted_set(fingerprints(hot))
                )
                for chunk in _chunks(in_order):
                    new += publisher.publish(chunk, new_hot_id())
                    done += chunk.num_rows
                    if progress:
                        progress(done, total)
        return new

    def seal(self) -> SealReport:
        """The housekeeper's round: closed hot files become segments, small segments one."""
        keep_minutes = self._settings.session_gap_minutes + _KEEP_SEALED_MINUTES
        most = self._settings.day_max_segments
        return seal(self._directory, keep_s=keep_minutes * 60, day_max_segments=most)

    def close(self) -> None:
        """Hand over what this process wrote by `append`; also done when the process ends."""
        with self._own_lock:
            _close(os.getpid(), self._own, self._running)

    def _hot_log(self) -> HotLog:
        return HotLog(
            self._directory.hot,
            max_events=self._settings.hot_max_events,
            max_minutes=self._settings.hot_max_minutes,
        )

    def _with_events(
        self,
        shop: str,
        since_us: int | None,
        until_us: int | None,
        answer: Callable[[duckdb.DuckDBPyConnection], _T],
    ) -> _T:
        """What `answer` makes of a connection with a view `events`: the period, each line once.

        The hot files are read before the segments are listed, and the hot lines are compared with
        just those segments, so that sealing at the same time neither hides nor doubles a line. A
        segment that was merged and deleted before it was read sends all back to the start.
        """
        import duckdb

        def ask() -> _T:
            hot = rows_to_table(unsealed_rows(self._directory.hot, shop, since_us, until_us))
            segments = Segments(self._directory.events, shop).files()
            files = [str(file) for file in overlapping(segments, since_us, until_us)]
            with (
                _all_there(segments),
                self._directory.scratch() as spill,
                duckdb.connect(config={"temp_directory": str(spill)}) as con,
            ):
                con.register("hot", without_known(hot, segments))
                if files:
                    con.read_parquet(files).create_view("segments")
                else:
                    con.register("segments", EVENT_SCHEMA.empty_table())
                lines = con.sql(_LINES).filter(_between(*_bounds(since_us, until_us)))
                lines.create_view("events")
                return answer(con)

        return again_if_moved(ask)

    def _answer(
        self, shop: str, since_us: int | None, until_us: int | None, query: str
    ) -> pa.Table:
        return self._with_events(
            shop, since_us, until_us, lambda con: con.sql(query).to_arrow_table()
        )

    def _computed(
        self,
        shop: str,
        since_us: int | None,
        until_us: int | None,
        expression: Callable[[ibis.Table], ibis.Table],
    ) -> pa.Table:
        """What an Ibis expression makes of the events, computed by DuckDB."""
        import ibis

        events = ibis.table(ibis.Schema.from_pyarrow(EVENT_SCHEMA), name="events")
        query = str(ibis.to_sql(expression(events), dialect="duckdb"))
        return self._answer(shop, since_us, until_us, query)


@lru_cache(maxsize=64)
def _compiled(expression: Expression, gap_us: int) -> str:
    """The expression in DuckDB's SQL; it takes longer than many a query."""
    import ibis

    events = ibis.table(ibis.Schema.from_pyarrow(EVENT_SCHEMA), name="events")
    wanted = expression(events, lambda some: sessionise(some, gap_us))
    return str(ibis.to_sql(wanted, dialect="duckdb"))


def _close(process: int, own: HotLog, running: RunningSessions) -> None:
    if process == os.getpid():  # a forked child must not hand over what its parent writes
        own.close()
        running.close()


def _bounds(since_us: int | None, until_us: int | None) -> tuple[int, int]:
    """The least and the greatest time, both included."""
    return (
        -(2**63) if since_us is None else since_us,
        2**63 - 1 if until_us is None else until_us - 1,
    )


def _between(low: int, high: int) -> duckdb.Expression:
    import duckdb

    limits = (duckdb.ConstantExpression(low), duckdb.ConstantExpression(high))
    return duckdb.ColumnExpression("time_us").between(*limits)


@contextmanager
def _all_there(segments: list[Path]) -> Iterator[None]:
    """Tell a segment that was deleted while it was to be read, and a damaged one, from the rest."""
    import duckdb

    try:
        yield
    except Exception as error:
        if "No files found" in str(error) or not all(file.exists() for file in segments):
            raise MovedError from error
        broken = (duckdb.InvalidInputException, duckdb.IOException, pa.ArrowInvalid)
        if isinstance(error, broken) and ".parquet" in str(error):
            raise StorageError(
                f"a segment of the log is damaged: {error}; restore it from a backup, or move it "
                "away and import its events again"
            ) from error
        raise


def _chunks(in_order: Path) -> Iterator[pa.Table]:
    """The lines in tables of at most `_ADOPT_LINES`."""
    with pq.ParquetFile(in_order) as file:
        for batch in file.iter_batches(batch_size=_ADOPT_LINES):
            chunk = pa.Table.from_batches([batch]).cast(EVENT_SCHEMA)
            for name in REQUIRED:
                if chunk.column(name).null_count:
                    raise InputError(
                        f"every staged line must have a {name}, got null; stage it anew"
                    )
            yield chunk


_NAMES = ", ".join(COLUMNS)
_ORDER = ", ".join(ORDER)
# ruff: noqa: S608 -- what is put into the text are the names of columns
_LINES = f"select {_NAMES} from segments union all select {_NAMES} from hot"
_SELECT = f"select {_NAMES} from events order by {_ORDER}"
