"""The Typer application that the commands join, and the entry point."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from thinslice import __version__
from thinslice.errors import ThinsliceError

app = typer.Typer(
    help="From a shop's export to a page people click and an honest verdict.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"thinslice {__version__}")
        raise typer.Exit


@app.callback()
def thinslice(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command; an error that is meant for its reader is printed as one sentence."""
    try:
        app()
    except ThinsliceError as error:
        Console(stderr=True).print(f"[red]{escape(str(error))}[/red]", highlight=False)
        raise SystemExit(1) from None
    except RuntimeError as error:
        if str(error) != "Query interrupted":  # so DuckDB calls Ctrl-C
            raise
        raise SystemExit(130) from None
