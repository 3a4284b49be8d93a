"""Commands to run the service: keys, settings, and what a shop has of its own."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from thinslice.cli.command import app
from thinslice.cli.options import (
    DataFolder,
    ShopId,
    console,
    open_engine,
    pick_shop,
    say,
    settings_of,
)
from thinslice.config import describe


@app.command()
def key(
    kind: Annotated[str, typer.Argument(help="write (for the shop's pages) or secret (servers).")],
    origin: Annotated[
        list[str] | None, typer.Option(help="Site that may use a write key; repeat for several.")
    ] = None,
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """Make a key for the API. It is shown once; only its hash is kept."""
    engine = open_engine(data)
    say(engine.control.create_key(pick_shop(engine, shop), kind, tuple(origin or ())))


@app.command("shop")
def shop_rules(
    vat: Annotated[
        float | None, typer.Option(help="Value-added tax in its prices: 0.19 is 19 %.")
    ] = None,
    margin_share: Annotated[
        float | None,
        typer.Option(help="Share of net revenue that is margin, where a cost is not known."),
    ] = None,
    as_settings: Annotated[
        bool, typer.Option("--as-settings", help="Forget the shop's own tax and margin first.")
    ] = False,
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """Show or set a shop's own tax and margin, which go before the settings."""
    engine = open_engine(data)
    own = engine.control.shop(pick_shop(engine, shop))
    if as_settings or vat is not None or margin_share is not None:
        kept_vat, kept_share = (None, None) if as_settings else (own.vat_rate, own.margin_share)
        own = engine.control.set_tax_and_margin(
            own.id,
            vat_rate=kept_vat if vat is None else vat,
            margin_share=kept_share if margin_share is None else margin_share,
        )
    rules, costs = engine.rules(own.id), engine.shelf(own.id).product_facts().costs
    products = len(engine.shelf(own.id).catalog.all())
    said = "not stated" if rules.margin_share is None else f"{rules.margin_share:.4g}"
    say(f"{own.id}: {own.name}, prices in {own.currency}, days of {own.time_zone}")
    say(f"  value-added tax  {rules.vat_rate:.4g}{_from(own.vat_rate)}")
    say(f"  margin share     {said}{_from(own.margin_share)}")
    say(f"  costs            known of {len(costs):,} of {products:,} products")


def _from(own: float | None) -> str:
    return " (from the settings)" if own is None else ""


@app.command()
def config(data: DataFolder = None) -> None:
    """Show every setting with its value and what it means."""
    table = Table(box=None, header_style="bold")
    for heading in ("setting", "value", "meaning"):
        table.add_column(heading)
    for name, value, meaning in describe(settings_of(data)):
        table.add_row(name, value, meaning)
    console.print(table)
