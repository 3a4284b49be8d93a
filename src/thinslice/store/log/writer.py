"""Group commit: everything that waits goes to disk together, then everyone hears of it.

Lines that nobody waits for, such as exposures, give others a moment to come along: a commit each
would cost more than answering.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from thinslice.domain import Event
from thinslice.errors import InputError, StorageError
from thinslice.store.log.hot_log import HotLog, Row, rows_of

Done = Callable[[Exception | None], None]
"""Called from the writer's thread after the commit with None, else with what went wrong."""

GATHER_S = 0.01
"""How long lines that nobody waits for may wait for others to be committed with."""

_log = logging.getLogger(__name__)


class Writer(threading.Thread):
    """The thread that owns a hot log; the one door through which a process writes events."""

    def __init__(self, log: HotLog, on_error: Callable[[Exception], None] | None = None) -> None:
        super().__init__(name="event writer", daemon=True)
        self._hot = log
        self._on_error = on_error
        self._arrived = threading.Condition()
        self._queue: list[_Submission] = []
        self._waiting = 0
        self._awaited = False
        self._closed = False

    @property
    def waiting(self) -> int:
        """Lines that were submitted and are not on disk yet."""
        return self._waiting

    def submit(self, shop: str, events: Sequence[Event], done: Done | None) -> None:
        """Queue the events for the next commit; `done` None means that nobody waits for them.

        Without `done`, an error goes to the writer's `on_error`.
        """
        submission = _Submission(rows_of(shop, events), done)
        with self._arrived:
            if self._closed:
                raise StorageError("the writer is closed, and takes no more events; start it anew")
            self._queue.append(submission)
            self._waiting += len(submission.rows)
            if done is not None:
                self._awaited = True
            if self._awaited or len(self._queue) == 1:
                self._arrived.notify()

    def close(self) -> None:
        """Write what waits, close the hot file and end the thread."""
        with self._arrived:
            self._closed = True
            self._arrived.notify()
        if self.ident is None:
            self.run()
        else:
            self.join()

    def run(self) -> None:
        try:
            while (submissions := self._take()) is not None:
                self._commit(submissions)
                self._hot.rotate_if_due()
        finally:
            self._hot.close()

    def _take(self) -> list[_Submission] | None:
        """What waits now; an empty list when it is time to rotate, None when all is done."""
        with self._arrived:
            if not self._queue and not self._closed:
                due_s = self._hot.seconds_until_due()
                self._arrived.wait(3600 if due_s is None else min(due_s, 3600))
            if self._queue and not self._awaited and not self._closed:
                self._arrived.wait(GATHER_S)
            taken, self._queue, self._awaited = self._queue, [], False
            return None if self._closed and not taken else taken

    def _commit(self, submissions: list[_Submission]) -> None:
        """All in one transaction; if one holds a bad value, each by itself: only that one fails."""
        error = self._append([row for s in submissions for row in s.rows])
        apart = isinstance(error, InputError) and len(submissions) > 1
        for submission in submissions:
            self._answer(submission, self._append(submission.rows) if apart else error)

    def _append(self, rows: list[Row]) -> Exception | None:
        try:
            self._hot.append_rows(rows)
        except Exception as error:  # whatever it is, those who wait must hear of it
            return error
        return None

    def _answer(self, submission: _Submission, error: Exception | None) -> None:
        with self._arrived:
            self._waiting -= len(submission.rows)
        hear = submission.done or (self._on_error if error else None)
        try:
            if hear:
                hear(error)  # type: ignore[arg-type]
        except Exception:
            _log.exception("what waited for an event's commit failed")


class _Submission(NamedTuple):
    rows: list[Row]
    done: Done | None
