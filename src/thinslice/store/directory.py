"""Where everything lies: one data directory."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from thinslice.durable import locked, make_folder
from thinslice.errors import InputError, StorageError

_SHOP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class DataDirectory:
    """The folder that holds everything, readable by its owner only; made when it is missing."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        make_folder(self.root)

    @property
    def control(self) -> Path:
        """The SQLite file of shops, keys, experiments and plans."""
        return self.root / "control.sqlite"

    @property
    def hot(self) -> Path:
        """The folder of the hot files, one per writer process."""
        return self._made("hot")

    @property
    def events(self) -> Path:
        """The folder of the segments, `shop=<shop>/day=<day>/*.parquet`."""
        return self._made("events")

    def catalog_file(self, shop: str) -> Path:
        """The SQLite file of one shop's products."""
        return self._made("catalog") / f"{shop_name(shop)}.sqlite"

    def photos(self, shop: str) -> Path:
        return self._made("photos", shop_name(shop))

    def models(self, shop: str) -> Path:
        return self._made("models", shop_name(shop))

    def titles(self, shop: str) -> Path:
        """The versions of the title classifier, and what people said about titles."""
        return self._made("titles", shop_name(shop))

    def photo_search(self, shop: str) -> Path:
        """What photos are searched and tagged with: vectors, heads, a fitted encoder."""
        return self._made("photo-search", shop_name(shop))

    def held_back(self, shop: str) -> Path:
        """The model of the latest evaluation, which learned from the earlier sessions only."""
        return self._made("held-back", shop_name(shop))

    def results(self, shop: str) -> Path:
        return self._made("results", shop_name(shop))

    def rejected(self, shop: str) -> Path:
        """The JSON lines of what came in and could not be kept."""
        return self._made("rejected") / f"{shop_name(shop)}.jsonl"

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A temporary folder on the same file system, removed afterwards.

        What a killed process left behind is removed by the next one to ask: each folder is
        locked by its owner for as long as the owner lives. Raises StorageError when the disk fills
        up meanwhile.
        """
        parent = self._made("scratch")
        folder = parent / uuid4().hex
        try:
            with locked(parent / ".lock"):
                _remove_abandoned(parent)
                folder.mkdir(mode=0o700)
                held = os.open(folder, os.O_RDONLY)
                fcntl.flock(held, fcntl.LOCK_EX)
        except OSError as error:
            raise StorageError(
                f"{folder} could not be made: {error}; free some space or check the disk"
            ) from error
        try:
            yield folder
        except Exception as error:
            if not _is_full(error):
                raise
            raise StorageError(
                f"the disk of {self.root} is full, so it was not finished; free some space and "
                "begin again, what was there before is kept"
            ) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)

    def _made(self, *names: str) -> Path:
        folder = self.root.joinpath(*names)
        make_folder(folder)
        return folder


def shop_name(shop: str) -> str:
    """The shop id, fit to be a part of a path.

    >>> shop_name("lamps-2")
    'lamps-2'
    """
    if not _SHOP_ID.fullmatch(shop):
        raise InputError(
            "a shop id must be 1 to 64 letters, digits, - or _, and begin with a letter or digit; "
            f"got {shop!r}; choose another id"
        )
    return shop


def _is_full(error: Exception) -> bool:
    """Whether Python, Arrow or DuckDB says that a disk has no room left."""
    out_of_room = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return out_of_room or os.strerror(errno.ENOSPC) in str(error)


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.iterdir():
        if not folder.is_dir():
            continue
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(descriptor)
