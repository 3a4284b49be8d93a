"""Find it by photo: one shop's photos searched, by a photo or by one of its own products.

    photos ─▶ encoder ─▶ vectors ─▶ index ─▶ what is near, and why
                            └─────▶ heads ─▶ category and colour, or a person's turn

Like `titles/` it knows several stages and hands values from one to the next; `learning.py`
makes what it serves. What belongs together (an index, the encoder whose vectors it holds, the heads
that read them) is one folder, and CURRENT names the folder in force.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.domain import Product, Scored
from thinslice.durable import locked, make_folder, write_durably
from thinslice.errors import NotEnoughDataError, NotFoundError
from thinslice.evaluation.photo_search import PhotoQuality
from thinslice.interfaces import Encoder
from thinslice.models.photos.adopting import adopt
from thinslice.models.photos.classifier import ImageClassifier, PhotoTag
from thinslice.models.photos.encoder import ImageEncoder
from thinslice.models.photos.onnx_encoder import open_encoder
from thinslice.models.photos.title_part import title_vectors
from thinslice.models.versions import current
from thinslice.shelf.photos.decisions import PhotoDecisions
from thinslice.shelf.photos.doubts import same_photos, still_doubted
from thinslice.shelf.photos.gallery import Gallery, PhotoHit, PhotoWish
from thinslice.shelf.photos.heads import LearnedHeads
from thinslice.shelf.photos.in_force import InForce
from thinslice.shelf.photos.learning import (
    Album,
    Progress,
    fitted_encoder,
    kept_encoder,
    learn_album,
    quality,
    teach_heads,
)
from thinslice.shelf.photos.served import Served
from thinslice.store.catalog import ShopCatalog
from thinslice.store.photos import PhotoStore
from thinslice.store.results import Results

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = Mapping[str, NDArray[np.floating[Any]]]


class PhotoSearch:
    """The photos of one shop, to be searched. Safe to share between threads."""

    def __init__(
        self, folder: Path, catalog: ShopCatalog, pictures: PhotoStore, results: Results
    ) -> None:
        self.folder = folder
        self._catalog = catalog
        self._pictures = pictures
        self._results = results
        self._in_force = InForce(folder)
        self.decisions = PhotoDecisions(folder)

    # what is in force

    def served(self) -> Served:
        """Encoder, index and heads in force; NotFoundError before the first build."""
        return self._in_force.served()

    def is_built(self) -> bool:
        """Whether there are photos to search."""
        return current(self.folder) is not None

    def can_build(self) -> bool:
        """Whether the catalogue has photos."""
        return any(product.has_photo for product in self._catalog.all().values())

    def products(self) -> Mapping[str, Product]:
        """The catalogue, by id."""
        return self._catalog.all()

    def warm_up(self) -> None:
        """Answer a question nobody asked, so that the first one who asks does not wait."""
        if self.is_built():
            side = self.served().encoder.side
            vectors = self.encode(np.full((side, side, 3), 255, np.uint8))
            self.tag(vectors)
            self.search(vectors)
            self.by_words("anything")

    # learning

    def build(
        self,
        *,
        fit_minutes: float | None = None,
        encoder: str | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Encode every photo, index it, learn category and colour, and serve the result.

        `fit_minutes` first fits the shipped encoder to these photos (needs torch); `encoder` takes
        a pretrained model, as `models/photos/adopting.py` says, or "shipped". Without either the
        one in force is kept. Returns what was measured. Raises NotEnoughDataError without photos.
        """
        make_folder(self.folder)
        with locked(self.folder / ".lock"):
            self._remove_unfinished()
            started, name = time.time(), f"photos-{time.time_ns()}"
            folder = self.folder / name
            folder.mkdir()
            try:
                album = self._album()
                if fit_minutes is not None:
                    used = fitted_encoder(
                        album, folder / "encoder", minutes=fit_minutes, progress=progress
                    )
                else:
                    used = self._encoder(folder / "encoder", encoder)
                meta, learned = learn_album(album, folder, used, progress)
                if fit_minutes is not None:
                    self._check_fitted(album, PhotoQuality.from_dict(meta["quality"]))
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            with locked(self.folder / ".changing"):
                write_durably(self.folder / "CURRENT", f"{name}\n".encode())
                self._add(product for product in album.ids if self._is_newer(product, started))
            self._keep(learned)
            self._remove_others(name)
        return meta

    def refit(self) -> ImageClassifier | None:
        """Learn what photos show anew, from what people decided since, and serve the result."""
        with locked(self.folder / ".lock"):
            served = self._in_force.newest(force=True)
            index = served.index.as_it_is()
            alive = [(segment, np.flatnonzero(segment.alive)) for segment in index.segments]
            ids = [segment.ids[row] for segment, rows in alive for row in rows]
            vectors = {
                part: np.concatenate([segment.vectors[part][rows] for segment, rows in alive])
                for part in index.bits
            }
            heads = served.folder / "heads"
            learned = teach_heads(self._album(), heads, served.encoder, ids, vectors)
            self._keep(learned)
            self._in_force.newest(force=True)
        return learned.heads

    def unlearned(self) -> int:
        """How many words of people the heads in force have not learned from."""
        heads = self.served().heads
        known = heads.meta.get("decided_to", 0) if heads else 0
        return max(0, self.decisions.last_number() - known)

    def _keep(self, learned: LearnedHeads) -> None:
        self._results.save("photos-review", {"disagreements": learned.doubted})
        self._results.save("photos-held-out", learned.held_out)

    def add(self, products: Iterable[str]) -> int:
        """Make new or replaced photos searchable, on return; returns how many. 0 before the first
        build, which takes them all."""
        if not self.is_built():
            return 0
        with locked(self.folder / ".changing"):
            return self._add(products)

    def _add(self, products: Iterable[str]) -> int:
        served = self._in_force.newest(force=True)
        ids, vectors = self._album().encoded(list(dict.fromkeys(products)), served.encoder)
        served.index.add(ids, vectors)
        return len(ids)

    def _album(self) -> Album:
        return Album(self._catalog.all(), self._pictures, self.decisions)

    def _encoder(self, folder: Path, model: str | None) -> Encoder:
        """The model that is asked for, the shop's own from before, or the one that is shipped."""
        if model not in (None, "shipped"):
            return adopt(str(model), folder)
        name = current(self.folder)
        before = self.folder / name / "encoder" if name else None
        if model is None and before is not None and before.is_dir():
            return kept_encoder(open_encoder(before), folder)
        return ImageEncoder()

    def _check_fitted(self, album: Album, fitted: PhotoQuality) -> None:
        """Raise NotEnoughDataError where the encoder in force finds photos better than a fitted one
        does, measured on the same photos."""
        if not self.is_built():
            return
        served = self.served()
        there = [product for product in album.ids if product in served.index]
        before = quality(album, served.encoder, served.index.as_it_is(), there)
        if fitted.is_worse_than(before):
            raise NotEnoughDataError(
                "a fitted encoder is served where it does better on photos that it was not fitted "
                f"to, and this one does worse. Fitted: {fitted.figures()}. In force, and kept: "
                f"{before.figures()}. Give it longer (--minutes) or import more photos"
            )

    def _is_newer(self, product: str, than: float) -> bool:
        path = self._pictures.path(product)
        return path is not None and path.stat().st_mtime >= than - 1

    def _remove_unfinished(self) -> None:
        """Remove what a build left behind that was killed."""
        for folder in self.folder.glob("photos-*"):
            if not (folder / "meta.json").exists():
                shutil.rmtree(folder, ignore_errors=True)

    def _remove_others(self, name: str) -> None:
        """Remove what is not in force, but for the latest before it, which is still being read."""
        older = sorted(p for p in self.folder.glob("photos-*") if p.name != name)
        for folder in older[:-1]:
            shutil.rmtree(folder, ignore_errors=True)

    # asking

    def encode(self, pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """The vectors of one photo, (side, side, 3) as `decode(data, served().encoder.side)`."""
        vectors = self.served().encoder.encode_images(pixels[None])
        return {part: rows[0] for part, rows in vectors.items()}

    def search(
        self, vectors: Vectors, wish: PhotoWish | None = None, *, kind: str | None = None
    ) -> list[PhotoHit]:
        """The products that look most like a photo's vectors, best first.

        Asked for in another colour, those of the photo's kind come first: `kind`, a category, where
        it is known, else the likeliest. Raises InputError for a part or a colour that is not known.
        """
        return self._gallery().search(vectors, wish or PhotoWish(), kind)

    def similar(self, product: str, wish: PhotoWish | None = None) -> list[PhotoHit]:
        """The products that look most like one of the catalogue, which is not among them."""
        wish = wish or PhotoWish(n=8)
        vectors = self.vectors_of(product)
        listed = self._catalog.all().get(product)
        kind = listed.category or None if listed else None
        found = self.search(vectors, replace(wish, n=wish.n + 1), kind=kind)
        return [hit for hit in found if hit.product.id != product][: wish.n]

    def by_words(self, text: str, wish: PhotoWish | None = None) -> list[PhotoHit]:
        """The products that a description fits, best first; a photo is not needed.

        Where the encoder reads texts (a pretrained one may), those whose photo fits it best; else
        those that have more than half of its words, rare ones counting more, in title, brand,
        category or colour, `photos/words.py`. Products without a photo are found by the latter.
        """
        return self._gallery().by_words(text, wish or PhotoWish())

    def nearest(self, product: str, n: int = 20) -> list[Scored]:
        """The products that look most like one of the catalogue, as candidates of a list maker.

        Scores are those of `similar`; sold-out products are among them, hidden ones are not. Empty
        before photos were indexed, and for a product without a photo: it has no opinion then.
        """
        try:
            found = self.similar(product, PhotoWish(n=n))
        except NotFoundError:
            return []
        return [Scored(hit.product.id, hit.score, product) for hit in found]

    def vectors_of(self, product: str) -> dict[str, NDArray[np.float32]]:
        """The vectors of a product's photo; NotFoundError for one without."""
        vectors = self.served().index.vectors_of(product)
        if vectors is None:
            raise NotFoundError(
                f"a product must have a photo to be compared by, {product[:200]!r} has none; "
                "import one: thinslice import --photos FOLDER"
            )
        return vectors

    def tag(self, vectors: Vectors, title: str = "") -> dict[str, PhotoTag]:
        """Category, colour and other attributes of one photo, all but the category read together
        with a title where there is one; empty where no labels were known."""
        served, seen = self.served(), {part: rows[None] for part, rows in vectors.items()}
        tags = served.heads.tag(seen)[0] if served.heads else {}
        if title.strip() and served.titled:
            tags |= served.titled.tag(seen | {"title": title_vectors([title])})[0]
        return tags

    def colours(self) -> tuple[str, ...]:
        """The colours that can be asked for."""
        return self._gallery().colours

    def _gallery(self) -> Gallery:
        return Gallery(self.served(), self._catalog.all())

    # what a person should know

    def near_duplicates(self, n: int = 200) -> list[tuple[Product, Product, float]]:
        """Pairs of products with one photo, saved again or resized, the nearest first."""
        shown = {i: p for i, p in self._catalog.all().items() if not p.hidden}
        return same_photos(self.served().index.as_it_is(), self._album(), shown, n)

    def disagreements(self, n: int = 100) -> list[dict[str, Any]]:
        """Products whose photo looks like another category than the listed one, surest first.

        Those decided, filed elsewhere, hidden or removed since are left out.
        """
        listed = (self._results.load("photos-review") or {}).get("disagreements", [])
        return still_doubted(listed, self._catalog.all(), self.decisions.spoken_on())[:n]

    def describe(self) -> dict[str, Any]:
        """What is in force in plain values, for a page; `quality` says where results are rough."""
        served = self.served()
        meta = {k: v for k, v in served.meta.items() if k != "usual"}
        return {**meta, "photos": len(served.index), "colours": list(self.colours())}
