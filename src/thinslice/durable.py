"""Bytes that survive a power cut: the ways in which a file or a folder becomes final.

Whatever must last is written under a temporary name, synced, renamed and its folder synced, so
that a reader sees the old content or the new content and never half of one. And a lock that ends
with the process which holds it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from thinslice.errors import StorageError


def write_durably(path: Path, data: bytes) -> None:
    """Replace the file's content so that a crash leaves the old or the new, never a mixture."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageError(
            f"{path} could not be written: {error}; free some space or check the disk"
        ) from error


def publish_file(temporary: Path, final: Path) -> None:
    """Sync a finished file and give it its final name, in the same file system."""
    try:
        _sync_file(temporary)
        temporary.replace(final)
        sync_folder(final.parent)
    except OSError as error:
        raise StorageError(
            f"{final} could not be written: {error}; free some space or check the disk"
        ) from error


def publish_folder(temporary: Path, final: Path) -> None:
    """Sync a finished folder and give it its final name; `final` must not exist yet."""
    try:
        for path in sorted(temporary.rglob("*"), reverse=True):
            sync_folder(path) if path.is_dir() else _sync_file(path)
        sync_folder(temporary)
        temporary.rename(final)
        sync_folder(final.parent)
    except OSError as error:
        raise StorageError(
            f"{final} could not be published: {error}; free some space or check the disk"
        ) from error


def make_folder(folder: Path) -> None:
    """Make the folder and its parents so that they, too, survive a power cut."""
    if folder.is_dir():
        return
    if not folder.parent.is_dir():
        make_folder(folder.parent)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder.parent)
    except OSError as error:
        raise StorageError(
            f"the folder {folder} could not be made: {error}; choose another with THINSLICE_DATA"
        ) from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    _sync_file(folder)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file exclusively, waiting for it; the lock ends with the process."""
    descriptor = _open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def try_lock(path: Path) -> int | None:
    """The descriptor of the lock file if nobody else holds it, else None; close it to let go."""
    descriptor = _open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(
            f"{path} could not be opened: {error}; check the disk and its permissions"
        ) from error


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
