"""The version of a model that answers, and how a newer one takes its place."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from thinslice.errors import ThinsliceError
from thinslice.models.versions import CURRENT, current, versions


class Versioned(Protocol):
    """A model that knows its version, None until it is published."""

    version: str | None


Model = TypeVar("Model", bound=Versioned)


class Current(ABC, Generic[Model]):
    """The version that CURRENT names, looked at again every `check_seconds`.

    A new version is loaded in a thread of its own while the old one answers, and then one
    reference is replaced. `problem` says why a version named by CURRENT is not the one served.
    """

    def __init__(self, folder: Path, check_seconds: float = 0.2) -> None:
        self.folder = Path(folder)
        self.problem: str | None = None
        self._check_seconds = check_seconds
        self._retry_seconds = max(5.0, check_seconds)
        self._model: Model | None = None
        self._refused: tuple[str, float] = ("", 0.0)
        self._looked_at = 0.0
        self._loading = threading.Lock()

    @abstractmethod
    def load(self, version: str) -> Model:
        """A version, checked and ready to answer; ThinsliceError where it cannot."""

    def get(self) -> Model | None:
        """The model to answer with; None while no version was ever published."""
        if self._model is None:
            return self.refresh()
        if time.monotonic() - self._looked_at >= self._check_seconds:
            self._looked_at = time.monotonic()
            if self._is_news(self._named()) and not self._loading.locked():
                threading.Thread(target=self.refresh, name="load-model", daemon=True).start()
        return self._model

    def refresh(self) -> Model | None:
        """Look at CURRENT now, load what it names, and return the model to answer with."""
        with self._loading:
            version = self._named()
            if version is not None and self._is_news(version):
                self._load(version)
            self._looked_at = time.monotonic()
            return self._model

    def _named(self) -> str | None:
        """What CURRENT names; None, with the problem told, where it cannot be read."""
        try:
            version = current(self.folder)
        except OSError as error:
            self.problem = f"{self.folder / CURRENT} cannot be read: {error}"
            return None
        if self._model is not None and version == self._model.version:
            self.problem = None
        return version

    def _is_news(self, version: str | None) -> bool:
        if version is None or (self._model is not None and version == self._model.version):
            return False
        refused, until = self._refused
        return version != refused or time.monotonic() >= until

    def _load(self, version: str) -> None:
        try:
            self._model = self.load(version)
            self.problem = None
        except ThinsliceError as error:
            self._refused = (version, time.monotonic() + self._retry_seconds)
            if self._model is None:
                self._model = self._newest_intact(before=version)
            instead = self._model.version if self._model else "no model"
            self.problem = f"{error}; until then {instead} is served"

    def _newest_intact(self, before: str) -> Model | None:
        for version in reversed([v for v in versions(self.folder) if v != before]):
            try:
                return self.load(version)
            except ThinsliceError:
                continue
        return None
