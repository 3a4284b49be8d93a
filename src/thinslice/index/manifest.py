"""What an index holds, as one JSON file that is replaced in one step, and its hyperplanes."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from thinslice.durable import publish_folder, write_durably
from thinslice.errors import StorageError
from thinslice.index.segment import check, digests
from thinslice.index.sketch import Hyperplanes

FORMAT = 1
"""Raised when the files change their meaning; an index of another format is refused."""


def new_manifest(encoder: str, bits: Mapping[str, int]) -> dict[str, Any]:
    """The manifest of an empty index."""
    return {
        "format": FORMAT,
        "encoder": encoder,
        "bits": dict(bits),
        "planes": None,
        "segments": [],
        "revision": time.time_ns(),
    }


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the index holds. Raises StorageError where there is none, or it is damaged."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise ValueError(f"format {manifest['format']}, and this program reads format {FORMAT}")
    except FileNotFoundError:
        raise StorageError(
            f"there is no photo index in {folder}; build it: thinslice build"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"the photo index {folder} is damaged ({error}); build it again: thinslice build"
        ) from error
    return dict(manifest)


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    write_durably(folder / "manifest.json", json.dumps(manifest).encode())


def remove_unnamed(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Remove segments and planes that the manifest does not name: merged, or never finished."""
    named = {entry["name"] for entry in manifest["segments"]}
    if manifest["planes"]:
        named.add(manifest["planes"]["name"])
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name not in named:
            shutil.rmtree(entry, ignore_errors=True)


def write_planes(folder: Path, planes: Mapping[str, Hyperplanes]) -> dict[str, Any]:
    """Keep the hyperplanes of each part; returns their entry in the manifest."""
    name = f"planes-{time.time_ns()}"
    temporary = folder / f".{name}"
    temporary.mkdir()
    for part, one in planes.items():
        rows = np.concatenate([one.mean[None], one.planes])
        np.save(temporary / f"{part}.npy", rows, allow_pickle=False)
    publish_folder(temporary, folder / name)
    return {"name": name, "files": digests(folder / name)}


def read_planes(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Hyperplanes]:
    """The hyperplanes by part, in the order of the words in `bits.npy`; none without vectors."""
    entry = manifest["planes"]
    if entry is None:
        return {}
    check(folder / entry["name"], entry["files"])
    planes = {}
    for part in manifest["bits"]:
        rows = np.load(folder / entry["name"] / f"{part}.npy", allow_pickle=False)
        planes[part] = Hyperplanes(rows[0], rows[1:])
    return planes
