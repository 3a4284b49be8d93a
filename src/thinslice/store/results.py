"""Results by name, kept as JSON for the pages and the report."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from thinslice.durable import make_folder, write_durably
from thinslice.errors import StorageError


class Results:
    """One shop's results, a JSON file each; saving replaces the earlier one whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, name: str, result: Mapping[str, Any]) -> None:
        """Keep the result with the time of saving as `saved_at`, ISO 8601 in UTC.

        JSON knows no infinity and no NaN: they are kept as null.
        """
        saved_at = datetime.now(UTC).isoformat(timespec="seconds")
        kept = {**_plain(result), "saved_at": saved_at}
        make_folder(self._folder)
        text = json.dumps(kept, ensure_ascii=False, allow_nan=False)
        write_durably(self._file(name), text.encode())

    def load(self, name: str) -> dict[str, Any] | None:
        """The result saved last under that name, None if there is none."""
        try:
            text = self._file(name).read_bytes()
        except FileNotFoundError:
            return None
        try:
            result: dict[str, Any] = json.loads(text)
        except ValueError as error:
            raise StorageError(
                f"{self._file(name)} is damaged ({error}); delete it and compute it again"
            ) from error
        return result

    def saved_ns(self, name: str) -> int:
        """When the result was saved last, to tell a newer one by; 0 if there is none."""
        try:
            return self._file(name).stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def keep_file(self, name: str, source: Path) -> None:
        """Keep a copy of a file beside the results, say the rows that an import left out."""
        make_folder(self._folder)
        write_durably(self._folder / quote(name, safe=""), source.read_bytes())

    def names(self) -> list[str]:
        """The names of all results, sorted."""
        files = (path for path in self._folder.glob("*.json") if not path.name.endswith(".tmp"))
        return sorted(unquote(path.name.removesuffix(".json")) for path in files)

    def _file(self, name: str) -> Path:
        return self._folder / f"{quote(name, safe='')}.json"


def _plain(value: Any) -> Any:
    """Python's own numbers, lists and dicts from what NumPy and the dataclasses hand over."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
