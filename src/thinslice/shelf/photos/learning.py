"""From a shop's photos to a folder that answers: encoder, index, heads, and how well they do.

FOLDER/
├── encoder/        the encoder, where one was fitted to the shop or taken over
├── index/          the vectors of every photo
├── heads/          category and colour by linear models, where labels were known
└── meta.json       what was measured, and which encoder these are of
"""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.domain import Product
from thinslice.durable import write_durably
from thinslice.errors import InputError, NotEnoughDataError
from thinslice.evaluation.photo_search import PhotoQuality, photo_quality
from thinslice.index.vector_index import VectorIndex
from thinslice.interfaces import Encoder
from thinslice.models.photos.distortions import distorted
from thinslice.models.photos.encoder import ImageEncoder, fit_encoder
from thinslice.models.photos.net import import_torch
from thinslice.models.photos.onnx_encoder import open_encoder
from thinslice.models.photos.pixels import SOURCE_SIDE, decode
from thinslice.ranking.photo_reasons import usual_cosines
from thinslice.shelf.photos.decisions import ASKED, PhotoDecisions
from thinslice.shelf.photos.heads import MOST_LEARNED, LearnedHeads, learn_heads
from thinslice.shelf.photos.weights import BITS, weights_for
from thinslice.store.photos import PhotoStore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = Mapping[str, NDArray[np.floating[Any]]]

BATCH = 64

SAMPLED = 200
"""Photos that are distorted and searched again to see how well the encoder fits the shop."""

ASIDE = 10
"""An encoder is not fitted to one title in so many: those say how good it is, and how sure heads
may be."""

FEWEST_ASIDE = 50
"""Photos kept aside below which all are sampled."""

_FITTED_TO = "fitted_to.json"

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Album:
    """The products that have a photo, where the photos lie, and what people said about them."""

    products: Mapping[str, Product]
    pictures: PhotoStore
    decisions: PhotoDecisions

    @property
    def ids(self) -> list[str]:
        return [p.id for p in self.products.values() if p.has_photo]

    def pixels(self, photo: str, side: int) -> NDArray[np.uint8] | None:
        """The photo of a product, or one that was asked about; None for one that is gone or cannot
        be read any more."""
        of_product = photo in self.products or not photo.startswith(ASKED)
        path = (self.pictures if of_product else self.decisions.pictures).path(photo)
        try:
            return decode(path.read_bytes(), side) if path else None
        except (InputError, OSError):
            return None

    def encoded(
        self, ids: Sequence[str], encoder: Encoder, progress: Progress | None = None
    ) -> tuple[list[str], dict[str, NDArray[np.float16]]]:
        """The vectors of the photos that can be read, with their products."""
        kept: list[str] = []
        parts: list[Vectors] = [encoder.encode_images(np.empty((0, *_shape(encoder)), np.uint8))]
        for done, batch in _batches(ids):
            found = {i: p for i in batch if (p := self.pixels(i, encoder.side)) is not None}
            if found:
                parts.append(encoder.encode_images(np.stack(list(found.values()))))
                kept += found
            if progress:
                progress(done, len(ids))
        vectors = {
            part: np.concatenate([one[part].astype(np.float16) for one in parts])
            for part in parts[0]
        }
        return kept, vectors


def learn_album(
    album: Album, folder: Path, encoder: Encoder, progress: Progress | None = None
) -> tuple[dict[str, Any], LearnedHeads]:
    """Index every photo in `folder` and learn what they show.

    Returns what was measured, and what was learned. Raises NotEnoughDataError where no photo can
    be read.
    """
    ids, vectors = album.encoded(album.ids, encoder, progress)
    if not ids:
        raise NotEnoughDataError(
            "photos are searched by photos, and no product has one that can be read; import them: "
            "thinslice import --photos FOLDER-OR-ZIP"
        )
    bits = {part: BITS[part] for part in encoder.dimensions}
    index = VectorIndex.create(folder / "index", encoder=encoder.hash, bits=bits)
    index.add(ids, vectors)
    learned = teach_heads(album, folder / "heads", encoder, ids, vectors)
    heads = learned.heads
    meta = {
        "encoder": encoder.hash,
        "photos": len(ids),
        "measured": heads.measured() if heads else {},
        "quality": quality(album, encoder, index, ids).to_dict(),
        "usual": usual_cosines(vectors),
    }
    write_durably(folder / "meta.json", json.dumps(meta).encode())
    return meta, learned


def teach_heads(
    album: Album, folder: Path, encoder: Encoder, ids: Sequence[str], vectors: Vectors
) -> LearnedHeads:
    """Learn what these photos show, and what people said of photos that are no product's."""
    number, decided = album.decisions.last_number(), album.decisions.decided()
    asked = {photo for known in decided.values() for photo in known if photo.startswith(ASKED)}
    more, of_more = album.encoded(sorted(asked), encoder)
    return learn_heads(
        [*ids, *more],
        {part: np.concatenate([rows, of_more[part]]) for part, rows in vectors.items()},
        album.products,
        decided,
        folder,
        encoder=encoder.hash,
        fitted_to=fitted_to(encoder),
        decided_to=number,
    )


def fitted_encoder(
    album: Album, folder: Path, *, minutes: float, progress: Progress | None = None
) -> Encoder:
    """The shipped encoder, fitted to these photos but for those kept aside, and written to
    `folder` (needs torch)."""
    import_torch()  # before a thousand photos are read
    titles = {i: album.products[i].title or i for i in album.ids}
    free = [i for i, aside in zip(titles, kept_aside(titles.values()), strict=True) if not aside]
    chosen = np.random.default_rng(0).permutation(free)[:MOST_LEARNED].tolist()
    found = {i: p for i in chosen if (p := album.pixels(i, SOURCE_SIDE)) is not None}
    pixels = np.stack(list(found.values())) if found else np.empty((0, 1, 1, 3), np.uint8)
    products = [album.products[i] for i in found]
    fit_encoder(
        pixels,
        [p.category or None for p in products],
        folder,
        minutes=minutes,
        texts=[f"{p.title} {p.brand} {p.colour}" for p in products],
        progress=progress,
    )
    (folder / _FITTED_TO).write_text(json.dumps(list(found)), encoding="utf-8")
    return ImageEncoder(folder)


def kept_aside(titles: Iterable[str]) -> list[bool]:
    """Whether the photo of each title is kept aside when an encoder is fitted: always the same."""
    return [zlib.crc32(title.encode()) % ASIDE == 0 for title in titles]


def fitted_to(encoder: Encoder) -> frozenset[str]:
    """The products whose photos an encoder was fitted to, none for one that was not."""
    path = encoder.folder / _FITTED_TO
    return frozenset(json.loads(path.read_text("utf-8"))) if path.is_file() else frozenset()


def kept_encoder(encoder: Encoder, folder: Path) -> Encoder:
    """An encoder of the shop's own, taken over into another folder."""
    shutil.copytree(encoder.folder, folder)
    return open_encoder(folder)


def quality(album: Album, encoder: Encoder, index: VectorIndex, ids: Sequence[str]) -> PhotoQuality:
    """How well an encoder finds the photos of `ids` again that no encoder was fitted to."""
    titles = [album.products[i].title or i for i in ids]
    aside = [i for i, away in zip(ids, kept_aside(titles), strict=True) if away]
    judges = aside if len(aside) >= FEWEST_ASIDE else ids
    own, plain, seen = [], [], []
    for row in np.random.default_rng(0).permutation(len(judges))[:SAMPLED].tolist():
        pixels = album.pixels(judges[row], encoder.side)
        if pixels is not None:
            own.append(judges[row])
            plain.append(pixels)
            seen.append(distorted(pixels, seed=row))
    vectors, weights = encoder.encode_images(np.stack(seen)), weights_for(index)
    found = [
        index.search({part: one[i] for part, one in vectors.items()}, 11, weights=weights)
        for i in range(len(own))
    ]
    categories = {i: album.products[i].category for i in ids}
    unlike = None
    if isinstance(encoder, ImageEncoder):
        unlike = encoder.unlikeness(encoder.encode_images(np.stack(plain))["style"])
    near = [[one.product for one in ones] for ones in found]
    return photo_quality(own, near, categories, unlike=unlike)


def _batches(ids: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    for first in range(0, len(ids), BATCH):
        yield min(first + BATCH, len(ids)), ids[first : first + BATCH]


def _shape(encoder: Encoder) -> tuple[int, int, int]:
    return encoder.side, encoder.side, 3
