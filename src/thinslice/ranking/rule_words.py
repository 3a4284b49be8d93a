"""A shop's rules in words, and what one change of them did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from thinslice.domain import ListRules, RulesChange

if TYPE_CHECKING:
    from thinslice.domain import Product


def differences(
    before: ListRules, after: ListRules, products: Mapping[str, Product]
) -> tuple[str, ...]:
    """What a change did, in words.

    >>> differences(ListRules(), ListRules(pinned=("p1",), most_of_category=2), {})
    ('pinned p1', 'at most 2 products of one category')
    """
    return tuple(_differences(before, after, products))


def told(
    history: Sequence[RulesChange], products: Mapping[str, Product]
) -> list[tuple[RulesChange, tuple[str, ...]]]:
    """Each change with what it did in words, the latest first."""
    steps = pairwise((ListRules(), *(change.rules for change in history)))
    said = [differences(before, after, products) for before, after in steps]
    return list(zip(history, said, strict=True))[::-1]


def sentences(rules: ListRules) -> tuple[str, ...]:
    """The rules but for the products that they name, one sentence each."""
    return differences(ListRules(pinned=rules.pinned, buried=rules.buried), rules, {})


def _differences(
    before: ListRules, after: ListRules, products: Mapping[str, Product]
) -> Iterator[str]:
    for name, done, undone in (
        ("pinned", "pinned", "no longer pins"),
        ("buried", "buried", "no longer buries"),
    ):
        was, now = getattr(before, name), getattr(after, name)
        yield from (f"{done} {_title(products, p)}" for p in now if p not in was)
        yield from (f"{undone} {_title(products, p)}" for p in was if p not in now)
        if was != now and {*was} == {*now}:
            yield f"another order of what is {name}"
    if (before.price_from, before.price_to) != (after.price_from, after.price_to):
        yield _band(after)
    if before.most_of_category != after.most_of_category:
        most = after.most_of_category
        yield (
            f"at most {most} {'product' if most == 1 else 'products'} of one category"
            if most
            else "as many of one category as there are"
        )
    if before.least_categories != after.least_categories:
        least = after.least_categories
        yield (
            f"at least {least} {'category' if least == 1 else 'categories'} in a list"
            if least
            else "as few categories as there are"
        )
    if before.objective != after.objective:
        yield f"ranked for {after.objective}"
    if before.no_near_duplicates != after.no_near_duplicates:
        yield (
            "no two products that are nearly the same"
            if after.no_near_duplicates
            else "products that are nearly the same may stand side by side"
        )


def _title(products: Mapping[str, Product], product_id: str) -> str:
    product = products.get(product_id)
    return product.title if product and product.title else product_id


def _band(rules: ListRules) -> str:
    low, high = rules.price_from, rules.price_to
    if low is None and high is None:
        return "any price"
    start = "up" if low is None else f"from {low:.0%}"
    end = "" if high is None else f" to {high:.0%}"
    return f"prices {start}{end} of that of the product at hand"
