"""What a photo seems to show, and how sure that is, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thinslice.ranking.rules import leaf
from thinslice.report.numbers import capital
from thinslice.server.pages.words import count, shorten

if TYPE_CHECKING:
    from thinslice.domain import Product
    from thinslice.models.photos.classifier import PhotoTag
    from thinslice.server.pages.photo_form import PhotoForm

N_CHIPS = 9
"""Colours in sight; the others unfold."""

_WORTH_SAYING = 0.1
_NAMES = {"category": "Kind", "colour": "Colour"}


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that a photo seems to show: how often such an answer is right, in percent, or
    that a person is to say what it is, and what it may be."""

    name: str
    label: str
    value: str
    percent: int
    ask: bool
    maybe: tuple[str, ...]
    listed: str = ""


@dataclass(frozen=True, slots=True)
class PhotoWords:
    """All that a photo seems to show; empty where the catalogue has taught no labels."""

    told: tuple[Told, ...]

    @classmethod
    def of(
        cls, tags: Mapping[str, PhotoTag], nearest: Sequence[Product], product: Product | None
    ) -> PhotoWords:
        """The tags in words, a kind checked against that of the nearest products.

        For a product of the catalogue: beside what it is listed as, where the photo says otherwise.
        """
        told = (
            _told(tag, nearest, product.label(name) if product else "")
            for name, tag in tags.items()
        )
        return cls(tuple(told))

    @property
    def kind(self) -> Told | None:
        return next((t for t in self.told if t.name == "Kind"), None)

    @property
    def colour(self) -> Told | None:
        return next((t for t in self.told if t.name == "Colour"), None)


def _told(tag: PhotoTag, nearest: Sequence[Product], listed: str) -> Told:
    """A model that is sure of a kind that none of the nearest products has is not to be believed:
    it has not seen such a photo."""
    maybe = [tag.label, *(label for label, chance in tag.alternatives if chance >= _WORTH_SAYING)]
    ask = tag.needs_person
    if tag.attribute == "category" and nearest:
        kinds = Counter(p.category for p in nearest if p.category)
        ask = ask or kinds[tag.label] == 0
        maybe = [kind for kind, _ in kinds.most_common(1)] + maybe
    return Told(
        _NAMES.get(tag.attribute, capital(tag.attribute.replace("_", " "))),
        leaf(tag.label),
        tag.label,
        _percent(tag.confidence),
        ask,
        tuple(dict.fromkeys(shorten(leaf(label), 40) for label in maybe))[:3],
        leaf(listed) if listed != tag.label else "",
    )


def headline(
    form: PhotoForm,
    product: Product | None,
    words: PhotoWords | None,
    found: Sequence[Any] | None,
) -> str:
    """The answer of the page in a sentence."""
    if found is None:
        return "Show it a picture, and see the products that look like it."
    if not found:
        only_words = form.by_words and not (form.narrowed or form.colour)
        return "No product has these words." if only_words else "No product passes these filters."
    said = f"“{shorten(form.text, 50)}”"
    but = f"but {form.colour}" if form.colour else ""
    wished = " and ".join(filter(None, (but, f"with {said}" if form.text else "")))
    if product is not None:
        title = f"“{shorten(product.title, 50)}”"
        return f"Like {title}, {wished}." if wished else f"These look like {title}."
    kind, colour = (words.kind, words.colour) if words else (None, None)
    several = len(found) > 1
    if form.by_words:
        fit = f"These {count(len(found))} fit" if several else "This one fits"
        return f"{fit} {said}{f', in {form.colour}' if form.colour else ''}."
    these = f"These {count(len(found))} look" if several else "This one looks"
    if wished:
        return f"{these} like it, {wished}."
    if kind is None or kind.ask:
        return f"{these} most like your picture."
    shade = f"{lower(colour.label)} " if colour and not colour.ask else ""
    return f"It looks like {shade}{lower(kind.label)}."


def lower(label: str) -> str:
    """A label within a sentence.

    >>> lower("Watches"), lower("TV sets"), lower("Navy Blue")
    ('watches', 'TV sets', 'navy blue')
    """
    return " ".join(w if w[1:] != w[1:].lower() else w.lower() for w in label.split(" "))


def colour_chips(colours: Sequence[str], products: Mapping[str, Product]) -> dict[str, Any]:
    """The colours to ask for, the most frequent of the catalogue first, each with its swatch."""
    often = Counter(product.colour for product in products.values())
    ranked = sorted(colours, key=lambda colour: (-often[colour], colour))
    chips = [{"value": colour, "swatch": swatch(colour)} for colour in ranked]
    return {"first": chips[:N_CHIPS], "more": chips[N_CHIPS:]}


def swatch(colour: str) -> str:
    """A drawn stand-in for the name of a colour, empty for one that nobody here has heard of.

    >>> swatch("Navy Blue"), swatch("brick red"), swatch("Multi")
    ('#1f2f57', '#c0362c', '')
    """
    name = colour.casefold()
    if name in _SWATCHES:
        return _SWATCHES[name]
    last = name.split(" ")[-1]
    return _SWATCHES.get(last, "")


def _percent(chance: float) -> int:
    """A chance as a whole number of 100, never certain."""
    return min(99, max(1, round(100 * chance)))


_SWATCHES = {
    "black": "#1b1b1b",
    "white": "#ffffff",
    "grey": "#8a8a8a",
    "gray": "#8a8a8a",
    "silver": "#c4c7cb",
    "gold": "#c9a227",
    "beige": "#dccbb0",
    "cream": "#f3ead3",
    "off white": "#f5f1e6",
    "brown": "#6f4a2f",
    "tan": "#c19a6b",
    "khaki": "#a89a6a",
    "red": "#c0362c",
    "maroon": "#6d1f2c",
    "burgundy": "#6d1f2c",
    "orange": "#e07b2c",
    "rust": "#a4492a",
    "copper": "#b3703f",
    "bronze": "#8c6a3a",
    "yellow": "#ecc92f",
    "mustard": "#d0a02c",
    "green": "#3f8a4c",
    "olive": "#71763a",
    "teal": "#2a8580",
    "lime": "#a6d03a",
    "turquoise": "#40b9b3",
    "blue": "#2f6cc0",
    "navy blue": "#1f2f57",
    "navy": "#1f2f57",
    "purple": "#70438f",
    "lavender": "#b9a4d6",
    "mauve": "#a87a96",
    "plum": "#71476a",
    "pink": "#e58bb0",
    "magenta": "#c0338a",
    "peach": "#f4b795",
    "rose": "#d98a92",
    "blush": "#e2a098",
    "charcoal": "#484c54",
    "nude": "#e0bfa3",
    "lilac": "#b79ccf",
    "sand": "#d8c3a0",
    "sky": "#8fbfe6",
    "ivory": "#f4eedd",
    "skin": "#e0bfa3",
    "coffee brown": "#4b3426",
    "metallic": "#9aa0a6",
    "steel": "#8d969e",
}
