"""What is in force of a shop's photos: an index, the encoder whose vectors it holds, its heads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from thinslice.domain import Product
from thinslice.errors import StorageError
from thinslice.index.vector_index import VectorIndex
from thinslice.interfaces import Encoder
from thinslice.models.photos.classifier import ImageClassifier
from thinslice.models.photos.encoder import SHIPPED
from thinslice.models.photos.onnx_encoder import open_encoder
from thinslice.models.versions import current
from thinslice.shelf.photos.filters import Masks
from thinslice.shelf.photos.heads import TITLED
from thinslice.shelf.photos.words import ProductWords


@dataclass(eq=False)
class Served:
    """What is in force together; `heads` is None where no labels were known, `titled` are those
    that read a title, too."""

    folder: Path
    encoder: Encoder
    index: VectorIndex
    heads: ImageClassifier | None
    meta: Mapping[str, Any]
    titled: ImageClassifier | None = None
    masks: Masks | None = None
    words: ProductWords | None = None

    def masks_of(self, index: VectorIndex, products: Mapping[str, Product]) -> Masks:
        """The masks over an index and a catalogue, kept for as long as both stay as they are."""
        masks = self.masks
        if masks is None or masks.products is not products or masks.revision != index.revision:
            masks = self.masks = Masks(index, products, self.heads)
        return masks

    def words_of(self, index: VectorIndex, products: Mapping[str, Product]) -> ProductWords:
        """The words of a catalogue, kept for as long as it stays as it is."""
        words = self.words
        if words is None or words.products is not products or words.revision != index.revision:
            words = self.words = ProductWords(index, products, self.heads, words)
        return words

    @classmethod
    def load(cls, folder: Path) -> Served:
        try:
            meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise StorageError(
                f"what was learned from photos in {folder} cannot be read ({error}); build it "
                "again: thinslice build"
            ) from error
        own = folder / "encoder"
        encoder = open_encoder(own if own.is_dir() else SHIPPED)
        if encoder.hash != meta["encoder"]:
            raise StorageError(
                f"the photos in {folder} were encoded by {meta['encoder']}, and the encoder is "
                f"{encoder.hash} by now; encode them again: thinslice build"
            )
        index = VectorIndex.open(folder / "index", encoder=encoder.hash)
        return cls(folder, encoder, index, None, meta).with_newest_heads()

    def with_newest_heads(self) -> Served:
        """The same with the heads in force by now: they are learned anew when people decide."""
        version = current(self.folder / "heads")
        if version is None or (self.heads and self.heads.version == version):
            return self
        heads = ImageClassifier.load(self.folder / "heads", version)
        with_title = self.folder / TITLED
        newest = current(with_title)
        titled = ImageClassifier.load(with_title, newest) if newest else None
        return replace(self, heads=heads, titled=titled, masks=None, words=None)
