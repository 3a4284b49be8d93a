"""Commands to run the service: keys and settings."""

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


@app.command()
def config(data: DataFolder = None) -> None:
    """Show every setting with its value and what it means."""
    table = Table(box=None, header_style="bold")
    for heading in ("setting", "value", "meaning"):
        table.add_column(heading)
    for name, value, meaning in describe(settings_of(data)):
        table.add_row(name, value, meaning)
    console.print(table)
