"""`thinslice rules`: what every list of a shop has to keep to, and who changed it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from thinslice.cli.command import app
from thinslice.cli.options import DataFolder, ShopId, open_engine, pick_shop, say, who_types
from thinslice.domain import MICROSECONDS, ListRules
from thinslice.errors import InputError
from thinslice.ranking.rule_words import differences, told

Product = Annotated[str, typer.Argument(help="The product's id.")]
Why = Annotated[str, typer.Option(help="The reason, kept in the history.")]

rules = typer.Typer(
    help="Pin and bury products, and say what every list has to keep to.", no_args_is_help=True
)
app.add_typer(rules, name="rules")


@rules.command("show")
def show_rules(shop: ShopId = None, data: DataFolder = None) -> None:
    """The rules in force, and who changed them."""
    engine = open_engine(data)
    shop_id = pick_shop(engine, shop)
    products = engine.shelf(shop_id).catalog.all()
    history = engine.control.rules_history(shop_id)
    in_force = history[-1].rules if history else ListRules()
    lines = differences(ListRules(), in_force, products)
    for line in lines or ("no rules: lists are shown as they are made",):
        say(f"{line[:1].upper()}{line[1:]}.")
    for change, did in told(history, products):
        at = datetime.fromtimestamp(change.at_us // MICROSECONDS, UTC)
        reason = f" ({change.why})" if change.why else ""
        say(f"  {at:%Y-%m-%d %H:%M} UTC  {change.who}: {', '.join(did)}{reason}")


@rules.command("pin")
def pin(product: Product, why: Why = "", shop: ShopId = None, data: DataFolder = None) -> None:
    """Show a product first in every list, wherever it may be shown."""
    _change(lambda r: r.pin(product), why, shop, data)


@rules.command("bury")
def bury(product: Product, why: Why = "", shop: ShopId = None, data: DataFolder = None) -> None:
    """Show a product last, where nothing else is left."""
    _change(lambda r: r.bury(product), why, shop, data)


@rules.command("free")
def free(product: Product, why: Why = "", shop: ShopId = None, data: DataFolder = None) -> None:
    """Neither pin nor bury a product any longer."""
    _change(lambda r: r.free(product), why, shop, data)


@rules.command("set")
def set_rules(
    price_from: Annotated[
        str | None, typer.Option(help="Least price, as a share of the product at hand's; or none.")
    ] = None,
    price_to: Annotated[
        str | None, typer.Option(help="Highest price, as a share of it, such as 2; or none.")
    ] = None,
    most_of_category: Annotated[
        str | None, typer.Option(help="Products of one category at most; or none.")
    ] = None,
    least_categories: Annotated[
        str | None, typer.Option(help="Different categories at least; or none.")
    ] = None,
    near_duplicates: Annotated[
        bool | None, typer.Option(help="Whether products that are nearly the same may be shown.")
    ] = None,
    ranked_for: Annotated[
        str | None, typer.Option(help="What session lists are ranked for: clicks, orders, margin.")
    ] = None,
    why: Why = "",
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """Set the price band, the mix of categories and near-duplicates; the others stay."""
    changes: dict[str, Any] = {}
    for name, typed in (("price_from", price_from), ("price_to", price_to)):
        if typed is not None:
            changes[name] = _number(name, typed)
    for name, typed in (
        ("most_of_category", most_of_category),
        ("least_categories", least_categories),
    ):
        if typed is not None:
            number = _number(name, typed)
            changes[name] = None if number is None else int(number)
    if near_duplicates is not None:
        changes["no_near_duplicates"] = not near_duplicates
    if ranked_for is not None:
        changes["objective"] = ranked_for
    _change(lambda r: replace(r, **changes), why, shop, data)


def _change(
    change: Callable[[ListRules], ListRules], why: str, shop: str | None, data: Path | None
) -> None:
    engine = open_engine(data)
    shelf = engine.shelf(pick_shop(engine, shop))
    before = shelf.list_rules()
    after = shelf.change_rules(change, who=who_types(), why=why)
    did = differences(before, after, shelf.catalog.all())
    say(
        f"Done: {', '.join(did)}. Every list keeps to it within a second or two."
        if did
        else "That is so already; nothing changed."
    )


def _number(name: str, typed: str) -> float | None:
    if typed.strip().casefold() == "none":
        return None
    try:
        return float(typed)
    except ValueError:
        raise InputError(
            f"--{name.replace('_', '-')} is a number or none, got {typed[:40]!r}; type it again"
        ) from None
