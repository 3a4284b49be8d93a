"""A visitor's events become sessions, as one Ibis expression that runs on any of its engines.

It gives the same answer on DuckDB, Spark and Postgres because of six rules: time is int64
microseconds; a boolean becomes a number by `ifelse(1, 0)`; money is minor units; every order
ends in (time_us, message_id, line), which is unique; nothing asks for a time zone; and a session
has a greatest length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from thinslice.domain import BROWSING, SessionLog

if TYPE_CHECKING:
    import ibis

ORDER = ("time_us", "message_id", "line")
"""The one order of events: by time, ties by identity."""

SESSION_COLUMNS = ("message_id", "line", "type", "time_us", "visitor", "session", "product")
"""All that sessions are made of."""


def sessionise(events: ibis.Table, gap_us: int) -> ibis.Table:
    """The events with a column `session_key`: which session of which visitor each belongs to.

    `visitor/session` where the shop gave a session id: ids need only be unique per visitor, so
    that counters work, and two visitors never share a session. Else `visitor#1`, `visitor#2` and
    so on: a pause longer than `gap_us` begins the next one. In the visitor's name %, / and # are
    written %25, %2F and %23, so that two names never make the same key.
    """
    import ibis

    given = events.session.notnull() & (events.session != "")
    marked = events.mutate(_given=given.ifelse(1, 0))
    own = {"group_by": ["visitor", "_given"], "order_by": list(ORDER)}
    before = marked.time_us.lag().over(ibis.window(**own))
    begins = (before.isnull() | (marked.time_us > before + gap_us)).ifelse(1, 0)
    begun = marked.mutate(_begins=begins)
    number = begun._begins.sum().over(ibis.cumulative_window(**own))
    numbered = begun.mutate(_number=number.cast("int64"))
    visitor = numbered.visitor.replace("%", "%25").replace("/", "%2F").replace("#", "%23")
    key = (numbered._given == 1).ifelse(
        visitor + "/" + numbered.session, visitor + "#" + numbered._number.cast("string")
    )
    return numbered.mutate(session_key=key).drop("_given", "_begins", "_number")


def browsing_sessions(events: ibis.Table, gap_us: int, max_products: int) -> ibis.Table:
    """The products touched, session by session: session_key, time_us, product, type.

    Views, carts and purchases of a product; the newest `max_products` of each session. Sessions
    come in the order in which they ended, ties by key; inside, oldest first.
    """
    import ibis

    keyed = sessionise(events.select(*SESSION_COLUMNS), gap_us)
    touched = keyed.filter(
        keyed.type.isin([str(kind) for kind in BROWSING]),
        keyed.product.notnull(),
        keyed.product != "",
    )
    newest_first = [ibis.desc(name) for name in ORDER]
    ranked = touched.mutate(
        _age=ibis.row_number().over(group_by="session_key", order_by=newest_first),
        _ended=touched.time_us.max().over(group_by="session_key"),
    )
    kept = ranked.filter(ranked._age < max_products)
    ordered = kept.order_by("_ended", "session_key", *ORDER)
    return ordered.select("session_key", "time_us", "product", "type")


def session_log(rows: pa.Table) -> SessionLog:
    """The table of `browsing_sessions` in compressed sparse rows; codes by sorted product id."""
    keys = _flat(rows.column("session_key").cast(pa.large_string()))
    starts = _starts(keys)
    products, codes = _coded(rows.column("product"))
    kinds = pa.array([str(kind) for kind in BROWSING], rows.schema.field("type").type)
    types = pc.index_in(rows.column("type"), value_set=kinds)
    return SessionLog(
        products=products,
        offsets=np.append(starts, rows.num_rows).astype(np.int64),
        codes=codes,
        times_us=_flat(rows.column("time_us")).to_numpy().astype(np.int64),
        types=_flat(types).to_numpy(zero_copy_only=False).astype(np.int8),
        ids=tuple(keys.take(pa.array(starts)).to_pylist()),
    )


def _starts(keys: pa.Array) -> Any:
    """(S,) where a key differs from the one before."""
    if len(keys) == 0:
        return np.empty(0, dtype=np.int64)
    differs = pc.not_equal(keys[1:], keys[:-1]).to_numpy(zero_copy_only=False)
    return np.append(0, np.flatnonzero(differs) + 1)


def _coded(products: pa.ChunkedArray) -> tuple[tuple[str, ...], Any]:
    """(the sorted distinct ids, (E,) int32 positions among them)."""
    coded = _flat(products.dictionary_encode().unify_dictionaries())
    if len(coded) == 0:
        return (), np.empty(0, dtype=np.int32)
    names = np.array(coded.dictionary.to_pylist(), dtype=object)
    order = np.argsort(names)
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    return tuple(names[order].tolist()), place[coded.indices.to_numpy()]


def _flat(column: pa.ChunkedArray) -> Any:
    """One array of the chunks."""
    joined = column.combine_chunks()
    if isinstance(joined, pa.ChunkedArray):
        return joined.chunk(0) if joined.num_chunks else pa.array([], joined.type)
    return joined
