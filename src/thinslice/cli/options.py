"""What the commands share: options, and how a shop, a column map or a progress bar is found."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from thinslice.config import Settings, read_settings
from thinslice.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from thinslice.engine import Engine
    from thinslice.store.exports.columns import ColumnMap

console = Console()

DataFolder = Annotated[
    Path | None, typer.Option("--data", help="The folder that holds everything.")
]
ShopId = Annotated[
    str | None, typer.Option("--shop", help="The shop; needed if there are several.")
]
Columns = Annotated[
    str | None,
    typer.Option("--map", help="Column map, such as session=user_session,product=product_id."),
]
Currency = Annotated[str, typer.Option(help="Currency of the prices, such as EUR.")]
Minutes = Annotated[
    float,
    typer.Option(help="Time to choose what serves the shop best; 0 keeps what is served.", min=0),
]
TimeZone = Annotated[str, typer.Option(help="The shop's time zone, such as Europe/Paris.")]


def say(text: str, markup: bool = False) -> None:
    """Print a line as it is: no wrapping inside a pipe, no colours guessed from words."""
    console.print(text, markup=markup, highlight=False, soft_wrap=True)


def settings_of(data: Path | None, **overrides: Any) -> Settings:
    """The settings in force, with what was given on the command line on top."""
    given = {"data": data, **overrides}
    return read_settings(**{name: value for name, value in given.items() if value is not None})


def open_engine(data: Path | None) -> Engine:
    from thinslice.engine import Engine

    return Engine(settings_of(data))


def parse_columns(text: str | None) -> ColumnMap | None:
    from thinslice.store.exports.columns import ColumnMap

    return ColumnMap.parse(text) if text else None


def pick_shop(engine: Engine, shop: str | None) -> str:
    """The shop that was named, or the only one there is."""
    if shop is not None:
        return engine.control.shop(shop).id
    known = [s.id for s in engine.control.shops()]
    if len(known) == 1:
        return known[0]
    if not known:
        raise NotFoundError(
            f"{engine.settings.data} holds no shop yet; import one: thinslice import EVENTS.csv"
        )
    raise InputError(f"there are several shops; name one with --shop: {', '.join(known)}")


def who_types() -> str:
    """The person's name on this computer, for histories."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "command line"


def found_or_new_shop(
    engine: Engine, shop: str | None, name: str | None, currency: str, time_zone: str
) -> str:
    """The shop that was named or the only one; a new one where there is none."""
    from thinslice.domain import Shop

    known = [s.id for s in engine.control.shops()]
    if shop in known or (shop is None and len(known) == 1):
        return shop or known[0]
    if shop is None and known:
        return pick_shop(engine, None)
    shop_id = shop or "shop"
    engine.control.add_shop(Shop(shop_id, name or shop_id, currency, time_zone))
    return shop_id


def reported(report: Any) -> None:
    for line in report.lines():
        say(line)


@contextmanager
def progress_bar(title: str) -> Iterator[Any]:
    """A bar over bytes or rows; a plain line where the output is not a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
