"""The encoder of photos: pixels in, four unit vectors out, by ONNX Runtime and plain arithmetic.

- *style*: what kind of thing, in which look; learned from labels
- *identity*: exactly this product, from whatever angle and in whatever light; learned without
- *shape*: which way its edges run, without learning, along the axes that vary most
- *colour*: its colours, without learning

The encoder that thinslice ships needs no download and no torch; one fitted to a shop has the same
files. `docs/photos.md` says what the shipped one learned from and how well it does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.errors import InputError, StorageError
from thinslice.models.photos.descriptors import COLOURS, colours, edges
from thinslice.models.photos.pixels import SIDE, shrunk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.models.photos.training import Recipe

SHIPPED = Path(__file__).with_name("default_encoder")
SHAPE = 96
"""Dimensions of the shape vector."""

PREPROCESSING = "letterbox-64-v1"
"""Changes whenever the same file would give other vectors for the same photo."""

FAMILIAR = "familiar.npy"
"""The mean style of what an encoder learned from and, below it, what makes its spread one in every
direction: (1 + dim, dim)."""

_LEARNED = ("style", "identity")


class ImageEncoder:
    """One encoder, read from a folder of `encoder.onnx` and `shape.npy`. Safe in many threads."""

    def __init__(self, folder: Path = SHIPPED) -> None:
        self.folder = folder
        try:
            self._axes: NDArray[np.float32] = np.load(
                folder / "shape.npy", allow_pickle=False
            ).astype(np.float32)
            self.hash = _hash(folder)
        except (OSError, ValueError) as error:
            raise StorageError(
                f"the photo encoder in {folder} cannot be read ({error}); build it again: "
                "thinslice build --fit-encoder"
            ) from error

    @cached_property
    def side(self) -> int:
        """It reads photos of side x side pixels."""
        return int(self._session.get_inputs()[0].shape[1])

    @cached_property
    def dimensions(self) -> Mapping[str, int]:
        """The dimensions of each part."""
        learned = {out.name: int(out.shape[1]) for out in self._session.get_outputs()}
        return {**learned, "shape": len(self._axes) - 1, "colour": COLOURS}

    def encode_images(self, pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Unit vectors (n, dim) by part, of (n, side, side, 3) uint8 as `decode` makes them."""
        check_pixels(pixels, self.side)
        if not len(pixels):
            return {part: np.empty((0, dim), np.float32) for part, dim in self.dimensions.items()}
        learned = self._session.run(list(_LEARNED), {"pixels": pixels})
        small = pixels if self.side == SIDE else shrunk(pixels)
        return {
            **dict(zip(_LEARNED, learned, strict=True)),
            "shape": along(self._axes, edges(small)),
            "colour": colours(small),
        }

    def unlikeness(self, style: NDArray[np.floating[Any]]) -> float | None:
        """How unlike the photos it learned from these are, by their style vectors (n, dim).

        The mean squared Mahalanobis distance per dimension: 1 for more of the same. None where it
        is not known what an encoder learned from.
        """
        if self._familiar is None:
            return None
        mean, whitening = self._familiar[0], self._familiar[1:]
        return float((((style - mean) @ whitening) ** 2).mean())

    @cached_property
    def _familiar(self) -> NDArray[np.float32] | None:
        path = self.folder / FAMILIAR
        return np.load(path, allow_pickle=False).astype(np.float32) if path.is_file() else None

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(
            str(self.folder / "encoder.onnx"), options, providers=["CPUExecutionProvider"]
        )


def main_axes(pixels: NDArray[np.uint8], dimensions: int = SHAPE) -> NDArray[np.float32]:
    """The mean and the axes along which the edges of these photos vary most: (1 + dim, edges).

    Principal components, each scaled by its variance to the power -1/4: half way between the
    distances as they are and all axes counting alike, which finds more than either.
    """
    found = edges(pixels[:6000])
    mean = found.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov((found - mean).T))
    best = np.argsort(-variances)[:dimensions]
    scaled = axes[:, best] * np.maximum(variances[best], 1e-9) ** -0.25
    return np.concatenate([mean[None], scaled.T]).astype(np.float32)


def check_pixels(pixels: NDArray[np.uint8], side: int) -> None:
    """Raise InputError unless they are photos of the side that an encoder reads."""
    if pixels.ndim != 4 or pixels.shape[1:] != (side, side, 3):
        raise InputError(
            f"the encoder reads photos as (n, {side}, {side}, 3), got {pixels.shape}; "
            f"decode them with side={side}"
        )


def along(axes: NDArray[np.float32], found: NDArray[np.float32]) -> NDArray[np.float32]:
    """Edges (n, edges) as unit vectors (n, dim) along the axes."""
    values = (found - axes[0]) @ axes[1:].T
    unit: NDArray[np.float32] = values / np.maximum(
        np.linalg.norm(values, axis=1, keepdims=True), 1e-9
    )
    return unit


def fit_encoder(
    pixels: NDArray[np.uint8],
    labels: Sequence[str | None],
    folder: Path,
    *,
    minutes: float | None,
    texts: Sequence[str] | None = None,
    recipe: Recipe | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Fit the shipped encoder to a shop's own photos and write the result as a new encoder.

    pixels (n, SOURCE_SIDE, SOURCE_SIDE, 3) uint8; `labels` are categories, None where unknown;
    `texts`, such as titles, teach what their frequent words look like. Without `minutes` it takes
    the recipe's epochs. Raises InputError where torch is missing or there are too few photos.
    """
    from thinslice.models.photos.training import PhotoSet, teach

    known = np.array([bool(label) for label in labels])
    sets = []
    for name, rows in (("labelled", np.flatnonzero(known)), ("unlabelled", np.flatnonzero(~known))):
        if len(rows):
            named = [label for label in labels if label] if name == "labelled" else None
            written = [texts[row] for row in rows.tolist()] if texts is not None else None
            sets.append(PhotoSet(name, pixels[rows], named, written))
    net = teach(sets, recipe, start=SHIPPED / "weights.npz", minutes=minutes, progress=progress)
    write_encoder(net, main_axes(shrunk(pixels[:6000])), folder)


def write_encoder(net: Any, axes: NDArray[np.float32], folder: Path) -> None:
    """Write a taught net and the axes of shape as the files of an encoder."""
    from thinslice.models.photos.net import export, save_weights

    folder.mkdir(parents=True, exist_ok=True)
    export(net, folder / "encoder.onnx")
    save_weights(net, folder / "weights.npz")
    np.save(folder / "shape.npy", axes.astype(np.float16), allow_pickle=False)


def write_familiar(encoder: ImageEncoder, pixels: NDArray[np.uint8]) -> None:
    """Keep with an encoder what it learned from, photos of (n, side, side, 3), as mean and spread
    of their style; directions that hardly vary count as if they varied a little."""
    parts = [encoder.encode_images(pixels[i : i + 64]) for i in range(0, len(pixels), 64)]
    style = np.concatenate([one["style"] for one in parts]).astype(float)
    spread = np.cov(style.T)
    spread += 1e-4 * np.trace(spread) / len(spread) * np.eye(len(spread))
    variances, axes = np.linalg.eigh(spread)
    kept = np.concatenate([style.mean(axis=0)[None], axes / np.sqrt(variances)])
    np.save(encoder.folder / FAMILIAR, kept.astype(np.float16), allow_pickle=False)


def _hash(folder: Path) -> str:
    digest = hashlib.sha256(PREPROCESSING.encode())
    for name in ("encoder.onnx", "shape.npy"):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:16]
