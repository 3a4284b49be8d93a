"""Versions of a model on disk: folders that never change, and CURRENT, which names one of them.

    FOLDER/
    ├── CURRENT                    the name of the version that is served, and a line break
    └── 20260101T120000000000-1f0c2a9e/
        ├── meta.json              counts, data span, settings, seed, and a SHA-256 per file
        └── *.npy                  arrays, stored and read without pickle

A version is written under another name, synced and renamed; CURRENT is replaced in one step. A
reader sees the old version or the new one. Going back is `set_current(folder, older)`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.durable import sync_folder, write_durably
from thinslice.errors import NotFoundError, StorageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 2
"""Raised when the arrays change their meaning; a version of another format is refused."""

CURRENT = "CURRENT"
_META = "meta.json"
_TEMPORARY = ".tmp"
_NAME = re.compile(r"\d{8}T\d{12}-[0-9a-f]{8}")
_ABANDONED_AFTER_S = 3600


def versions(folder: Path) -> list[str]:
    """The complete versions of a folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in folder.iterdir() if _NAME.fullmatch(entry.name))


def current(folder: Path) -> str | None:
    """The version that CURRENT names, None before the first is published."""
    try:
        return (folder / CURRENT).read_text(encoding="utf-8", errors="replace").strip() or None
    except FileNotFoundError:
        return None


def set_current(folder: Path, version: str) -> None:
    """Serve another version, an older one included."""
    if version not in versions(folder):
        raise NotFoundError(
            f"{folder} has no version {version!r}; "
            f"it has {', '.join(versions(folder)) or 'none yet'}"
        )
    write_durably(folder / CURRENT, f"{version}\n".encode())


def write_version(
    folder: Path,
    arrays: Mapping[str, NDArray[np.generic]],
    meta: Mapping[str, Any],
    *,
    now_us: int,
    keep: int = 3,
    replaces: str | None = None,
) -> str:
    """Write the arrays and what is known about them as the newest version, and serve it.

    The version it `replaces` is removed; of the others the newest `keep - 1` stay. Raises
    StorageError when the disk refuses; what was served before is served on.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"{os.getpid()}-{time.monotonic_ns()}{_TEMPORARY}"
        temporary.mkdir()
        files = {f"{name}.npy": _write_array(temporary, name, arrays[name]) for name in arrays}
        version = _next_name(folder, files, now_us)
        text = json.dumps({**meta, "format": FORMAT, "version": version, "files": files}, indent=2)
        write_durably(temporary / _META, text.encode())
        temporary.rename(folder / version)
        sync_folder(folder)
        set_current(folder, version)
    except OSError as error:
        raise StorageError(
            f"the model could not be written to {folder}: {error}; free some space or check the "
            "permissions, then build again"
        ) from error
    if replaces in versions(folder)[:-1]:
        shutil.rmtree(folder / replaces, ignore_errors=True)
    remove_old(folder, keep)
    return version


def read_version(
    folder: Path, version: str
) -> tuple[dict[str, NDArray[np.generic]], dict[str, Any]]:
    """The arrays of a version, memory-mapped, and what is known about it.

    Every byte is checked against its SHA-256 first. Raises NotFoundError for a version that is
    not there, StorageError for one that is damaged, incomplete or of another format.
    """
    path = folder / version
    if not _NAME.fullmatch(version) or not path.is_dir():
        raise NotFoundError(
            f"{folder} has no version {version!r}; "
            f"it has {', '.join(versions(folder)) or 'none yet'}"
        )
    try:
        meta = json.loads((path / _META).read_text(encoding="utf-8"))
        if meta["format"] != FORMAT:
            raise ValueError(f"format {meta['format']}, and this program reads format {FORMAT}")
        arrays = {}
        for name, expected in meta["files"].items():
            _check(path / Path(name).name, expected["sha256"])
            mapped = np.load(path / name, mmap_mode="r", allow_pickle=False)
            arrays[name.removesuffix(".npy")] = np.asarray(mapped)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(
            f"version {version} of the model is damaged ({error}); build a new one: thinslice build"
        ) from error
    return arrays, meta


def remove_old(folder: Path, keep: int) -> None:
    """Remove all but the newest `keep` versions and the current one, and abandoned writings.

    Processes that have a removed version mapped keep it until they let go.
    """
    served = current(folder)
    for version in versions(folder)[:-keep]:
        if version != served:
            shutil.rmtree(folder / version, ignore_errors=True)
    for entry in folder.glob(f"*{_TEMPORARY}"):
        if entry.is_dir() and time.time() - entry.stat().st_mtime > _ABANDONED_AFTER_S:
            shutil.rmtree(entry, ignore_errors=True)


def _next_name(folder: Path, files: Mapping[str, Mapping[str, Any]], now_us: int) -> str:
    """Time and content: names sort by age, even where the clock was set back."""
    digest = hashlib.sha256("".join(f["sha256"] for f in files.values()).encode()).hexdigest()[:8]
    seconds, micros = divmod(now_us, 1_000_000)
    stamp = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}{micros:06d}"
    known = versions(folder)
    if known and known[-1].split("-")[0] >= stamp:
        day, clock = known[-1].split("-")[0].split("T")
        stamp = f"{day}T{int(clock) + 1:012d}"
    return f"{stamp}-{digest}"


def _write_array(folder: Path, name: str, array: NDArray[np.generic]) -> dict[str, Any]:
    path = folder / f"{name}.npy"
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    return {"sha256": _sha256(path), "bytes": path.stat().st_size}


def _check(path: Path, expected: str) -> None:
    if _sha256(path) != expected:
        raise ValueError(f"{path.name} does not have the SHA-256 that meta.json states")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
