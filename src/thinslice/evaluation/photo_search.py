"""Does search by photo work in this shop? Lists found for distorted photos in; shares out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

ROUGH = 0.5
"""A share of found products or of alike neighbours below this makes results rough."""

UNLIKE = 2.0
"""So does an unlikeness above this. By the shipped encoder, of 1 for what it learned from: clothes
it had not seen 1.1, drawn furniture 3.0, drawn toys 3.4, clothes on white of 60 x 80 pixels 2.6."""


@dataclass(frozen=True, slots=True)
class PhotoQuality:
    """How well photos are found again, on `sample` distorted ones.

    `same_category` is the share of products of the same category among the ten that are found
    beside the photo's own, or among as many as there are of it; None where none is filed.
    `unlike` is how unlike the photos are to those that the encoder learned from, 1 for more of the
    same; None where nothing is known of those.
    """

    sample: int
    found_first: float
    found_in_ten: float
    same_category: float | None
    unlike: float | None = None

    @property
    def is_rough(self) -> bool:
        """Whether the photos of this shop are too unlike those that the encoder learned from."""
        kind = ROUGH if self.same_category is None else self.same_category
        return self.found_first < ROUGH or kind < ROUGH or (self.unlike or 0) > UNLIKE

    def is_worse_than(self, other: PhotoQuality) -> bool:
        """Whether another encoder did better on the same photos, by both shares together."""
        mine, others = (one.found_first + (one.same_category or 0) for one in (self, other))
        return mine < others

    def figures(self) -> str:
        """The shares in a few words.

        >>> PhotoQuality(200, 0.5, 0.9, 0.8).figures()
        '50% of 200 found first, 80% of what is beside them of their category'
        """
        found = f"{self.found_first:.0%} of {self.sample} found first"
        if self.same_category is None:
            return found
        return f"{found}, {self.same_category:.0%} of what is beside them of their category"

    def sentence(self) -> str:
        """What was measured, and what to do where it is not enough."""
        found = (
            f"Of {self.sample} photos that were distorted as another camera would, "
            f"{self.found_first:.0%} found their own product first, {self.found_in_ten:.0%} among "
            "the first ten."
        )
        if self.same_category is not None:
            found += f" Of what is found beside it, {self.same_category:.0%} is of its category."
        if self.is_rough:
            found += (
                " Results are rough: these photos are unlike those the encoder learned from. Fit "
                "it to this shop, thinslice build --fit-encoder, or take a pretrained model, "
                "thinslice build --encoder MODEL"
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "is_rough": self.is_rough, "sentence": self.sentence()}

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> PhotoQuality:
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in known.items() if name in names})


def photo_quality(
    own: Sequence[str],
    found: Sequence[Sequence[str]],
    categories: Mapping[str, str],
    *,
    unlike: float | None = None,
) -> PhotoQuality:
    """From each distorted photo's own product and the products found for it, best first.

    Raises ZeroDivisionError for no photos.
    """
    filed = Counter(category for category in categories.values() if category)
    alike = compared = 0
    for product, listed in zip(own, found, strict=True):
        category = categories.get(product, "")
        there_are = min(10, filed[category] - 1) if category else 0
        beside = [other for other in listed if other != product][: max(0, there_are)]
        alike += sum(categories.get(other) == category for other in beside)
        compared += len(beside)
    pairs = list(zip(own, found, strict=True))
    return PhotoQuality(
        len(own),
        sum(product in listed[:1] for product, listed in pairs) / len(own),
        sum(product in listed[:10] for product, listed in pairs) / len(own),
        alike / compared if compared else None,
        unlike,
    )
