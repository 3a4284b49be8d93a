"""Which folder is in force? The one that CURRENT names, looked at again a few times a second."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from thinslice.errors import NotFoundError, StorageError
from thinslice.models.versions import current
from thinslice.shelf.photos.served import Served

_LOOK_AGAIN_S = 0.2


class InForce:
    """What is in force of a shop's photos. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._served: Served | None = None
        self._looked_at = -1e9
        self._looking = threading.Lock()

    def served(self) -> Served:
        """With the index as it is by now; NotFoundError before the first build."""
        served = self.newest()
        try:
            served.index.refresh()
        except StorageError:
            served = self.newest(force=True)  # another was put in force at this moment
            served.index.refresh()
        return served

    def newest(self, *, force: bool = False) -> Served:
        """As it was when it was looked at last, or with `force` as it is now."""
        with self._looking:
            if force or time.monotonic() - self._looked_at > _LOOK_AGAIN_S:
                name = current(self._folder)
                if name and (self._served is None or self._served.folder.name != name):
                    self._served = Served.load(self._folder / name)
                elif self._served is not None:
                    self._served = self._served.with_newest_heads()
                self._looked_at = time.monotonic()
            if self._served is None:
                raise NotFoundError(
                    "photos are searched once they were indexed, and they were not yet; import "
                    "photos and build: thinslice import --photos FOLDER, then thinslice build"
                )
            return self._served
