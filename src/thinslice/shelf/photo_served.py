"""What is in force of a shop's photos: an index, the encoder whose vectors it holds, its heads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thinslice.domain import Product
from thinslice.errors import StorageError
from thinslice.index.vector_index import VectorIndex
from thinslice.interfaces import Encoder
from thinslice.models.photos.classifier import ImageClassifier
from thinslice.models.photos.encoder import SHIPPED
from thinslice.models.photos.onnx_encoder import open_encoder
from thinslice.shelf.photo_filters import Masks


@dataclass(eq=False)
class Served:
    """What is in force together; `heads` is None where no labels were known."""

    folder: Path
    encoder: Encoder
    index: VectorIndex
    heads: ImageClassifier | None
    meta: Mapping[str, Any]
    masks: Masks | None = None

    def masks_of(self, index: VectorIndex, products: Mapping[str, Product]) -> Masks:
        """The masks over an index and a catalogue, kept for as long as both stay as they are."""
        masks = self.masks
        if masks is None or masks.products is not products or masks.revision != index.revision:
            masks = self.masks = Masks(index, products, self.heads)
        return masks

    @classmethod
    def load(cls, folder: Path) -> Served:
        try:
            meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise StorageError(
                f"what was learned from photos in {folder} cannot be read ({error}); build it "
                "again: thinslice build"
            ) from error
        encoder = open_encoder(folder / "encoder" if meta["own_encoder"] else SHIPPED)
        if encoder.hash != meta["encoder"]:
            raise StorageError(
                f"the photos in {folder} were encoded by {meta['encoder']}, and the encoder is "
                f"{encoder.hash} by now; encode them again: thinslice build"
            )
        index = VectorIndex.open(folder / "index", encoder=encoder.hash)
        heads = ImageClassifier.load(folder / "heads", meta["heads"]) if meta["heads"] else None
        return cls(folder, encoder, index, heads, meta)
