"""A catalogue that is made up: some 300 products of ten kinds, in five styles and three prices.

What a product is to a shopper (its kind, style and price band) is kept beside the catalogue in
`Trait`s, which no model ever sees: a model sees ids, titles, categories and prices, as in any shop.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from thinslice.domain import Product

SHOP_ID = "demo"
SHOP_NAME = "The generated shop"
CURRENCY = "EUR"

STYLES = ("plain", "striped", "dotted", "checked", "leafy")
BANDS = ("budget", "middle", "premium")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of product: where it stands in the shop and what it usually costs."""

    name: str
    noun: str
    category: str
    usual_price: float

    @property
    def department(self) -> str:
        return self.category.split(" > ")[0]


KINDS = (
    Kind("sneakers", "Sneakers", "Clothing > Shoes > Sneakers", 79),
    Kind("shirt", "T-shirt", "Clothing > Tops > T-shirts", 29),
    Kind("tote", "Tote Bag", "Clothing > Accessories > Tote bags", 35),
    Kind("beanie", "Beanie", "Clothing > Accessories > Beanies", 24),
    Kind("lamp", "Table Lamp", "Home > Lighting > Table lamps", 89),
    Kind("mug", "Mug", "Home > Kitchen > Mugs", 16),
    Kind("armchair", "Armchair", "Home > Furniture > Armchairs", 249),
    Kind("plant", "Potted Plant", "Home > Plants > Potted plants", 32),
    Kind("cushion", "Cushion", "Home > Textiles > Cushions", 27),
    Kind("notebook", "Notebook", "Desk > Paper > Notebooks", 14),
)

COLOURS = {
    "ocean blue": (63, 111, 159),
    "brick red": (184, 80, 66),
    "moss green": (109, 133, 80),
    "mustard": (217, 164, 65),
    "blush": (226, 160, 152),
    "plum": (116, 80, 111),
    "charcoal": (72, 76, 84),
    "cream": (236, 222, 194),
    "teal": (61, 138, 133),
    "lilac": (169, 155, 203),
}

_BRANDS = {
    "plain": ("Ostrelle", "Halvin"),
    "striped": ("Marisken", "Deckhand & Daughter"),
    "dotted": ("Plumbrook", "Pip Odeline"),
    "checked": ("Tindle & Rue", "Fennimoor"),
    "leafy": ("Mossaby", "Varnika"),
}
_NAMES = (
    "Alma",
    "Arlo",
    "Bea",
    "Birk",
    "Cleo",
    "Cosmo",
    "Dala",
    "Edda",
    "Elio",
    "Esme",
    "Fable",
    "Fern",
    "Gala",
    "Hazel",
    "Hugo",
    "Ida",
    "Indra",
    "Iris",
    "Juno",
    "Kaya",
    "Kit",
    "Lark",
    "Leif",
    "Lola",
    "Luca",
    "Maja",
    "Milo",
    "Mira",
    "Nell",
    "Nova",
    "Odin",
    "Olive",
    "Otto",
    "Pax",
    "Pearl",
    "Quinn",
    "Remy",
    "Rio",
    "Saga",
    "Sol",
    "Suri",
    "Tova",
    "Ulla",
    "Vega",
    "Wilma",
    "Wren",
    "Yara",
    "Yuki",
    "Zane",
    "Zelda",
)
_BAND_FACTOR = (0.7, 1.0, 1.7)
_BAND_SHARE = (0.35, 0.4, 0.25)
_OUT_OF_STOCK_SHARE = 0.08


@dataclass(frozen=True, slots=True)
class Trait:
    """What a product is to a shopper: positions in KINDS, STYLES and BANDS, and how it looks."""

    kind: int
    style: int
    band: int
    colour: str
    shape: int
    appeal: float


@dataclass(frozen=True)
class Catalogue:
    """The products and, in the same order, their traits."""

    products: tuple[Product, ...]
    traits: tuple[Trait, ...]

    @cached_property
    def positions(self) -> dict[str, int]:
        """Where a product stands, by its id."""
        return {product.id: i for i, product in enumerate(self.products)}

    def trait(self, product_id: str) -> Trait:
        return self.traits[self.positions[product_id]]

    def column(self, name: str) -> np.ndarray:
        """One trait of all products, as an array in the catalogue's order."""
        return np.array([getattr(trait, name) for trait in self.traits])


def make_catalogue(rng: np.random.Generator, per_cell: int = 6) -> Catalogue:
    """Invent `per_cell` products for each of the 50 pairs of a kind and a style."""
    products: list[Product] = []
    traits: list[Trait] = []
    for k, kind in enumerate(KINDS):
        names = iter(rng.permutation(_NAMES))
        for s, style in enumerate(STYLES):
            for colour in rng.permutation(list(COLOURS))[:per_cell]:
                trait = _invent(rng, k, s, str(colour))
                traits.append(trait)
                products.append(_product(rng, len(products), kind, style, trait, str(next(names))))
    return Catalogue(tuple(products), tuple(traits))


def _invent(rng: np.random.Generator, kind: int, style: int, colour: str) -> Trait:
    return Trait(
        kind=kind,
        style=style,
        band=int(rng.choice(len(BANDS), p=_BAND_SHARE)),
        colour=colour,
        shape=int(rng.integers(3)),
        appeal=float(rng.lognormal(0, 0.6)),
    )


def _product(
    rng: np.random.Generator, number: int, kind: Kind, style: str, trait: Trait, name: str
) -> Product:
    price = kind.usual_price * _BAND_FACTOR[trait.band] * rng.uniform(0.9, 1.1)
    gone = rng.random() < _OUT_OF_STOCK_SHARE
    price_minor = round(price) * 100 - 10
    return Product(
        id=f"G{number + 1001}",
        title=f"{name} {style.capitalize()} {kind.noun} in {trait.colour.title()}",
        category=kind.category,
        brand=str(rng.choice(_BRANDS[style])),
        colour=trait.colour,
        price_minor=price_minor,
        stock=0 if gone else int(rng.integers(3, 60)),
        has_photo=True,
        cost_minor=_cost(number, price_minor),
        attributes=(("pattern", style),),
    )


def _cost(number: int, price_minor: int) -> int | None:
    """From 38 to 56 % of the price with tax; of every 25th product it is not known."""
    return None if number % 25 == 24 else round(price_minor * (0.38 + 0.02 * (number * 7 % 10)))
