"""Everything that can go wrong and is worth a sentence.

    ThinsliceError
    ├── InputError              what came in breaks a rule: a file, a row, a request, a setting
    │   ├── ColumnError         an export lacks a column that is needed, or the map names none
    │   └── EventError          one event of a batch is not valid
    ├── NotFoundError           no such shop, model, experiment, page
    ├── AccessError             the key or link does not open this
    ├── NotEnoughDataError      the question is fair and the data cannot answer it
    ├── StorageError            the disk refused, or a file is damaged
    └── BusyError               more work than can be kept in order; try again in `retry_after_s`

A message has the rule, the value received and the next step.
"""

from __future__ import annotations


class ThinsliceError(Exception):
    """Base of all errors that are meant to be read by the person who caused them."""


class InputError(ThinsliceError):
    """What came in breaks a rule."""


class ColumnError(InputError):
    """An export lacks a column that is needed, or the column map names one it does not have."""


class EventError(InputError):
    """One event of a batch is not valid; `position` counts from 0."""

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message)
        self.position = position


class NotFoundError(ThinsliceError):
    """No such shop, model, experiment or page."""


class AccessError(ThinsliceError):
    """The key or link does not open this."""


class NotEnoughDataError(ThinsliceError):
    """The question is fair and the data cannot answer it."""


class StorageError(ThinsliceError):
    """The disk refused, or a file is damaged."""


class BusyError(ThinsliceError):
    """More work has come than can be kept in order."""

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
