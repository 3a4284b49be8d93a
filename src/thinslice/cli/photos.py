"""`thinslice tag` and `thinslice photos`: what photos show, and which of them are in doubt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thinslice.cli.command import app
from thinslice.cli.options import (
    DataFolder,
    ShopId,
    console,
    open_engine,
    pick_shop,
    progress_bar,
    reported,
    say,
)

photos = typer.Typer(
    help="Photos that show the same, or another category than the listed one.",
    no_args_is_help=True,
)
app.add_typer(photos, name="photos")

Output = Annotated[
    Path | None, typer.Option("-o", "--output", help="Write the products as CSV as well.")
]
Count = Annotated[int, typer.Option("-n", help="How many to show.", min=1)]


@app.command()
def tag(
    source: Annotated[Path, typer.Argument(help="A folder or zip of photos.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The CSV to write.")],
    queue: Annotated[
        bool, typer.Option("--queue", help="Put photos that need a person on the review list, too.")
    ] = False,
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """Which category, colour and more? Write a table of tags; photos for a person stand on top."""
    from thinslice.shelf.photos.tags import tag_photos

    engine = open_engine(data)
    search = engine.photo_search(pick_shop(engine, shop))
    with progress_bar(f"looking at {source.name}") as progress:
        report = tag_photos(search, source, output, progress, queue=queue)
    reported(report)
    say(f"Wrote {output}.")


@photos.command("duplicates")
def duplicates(
    n: Count = 20, output: Output = None, shop: ShopId = None, data: DataFolder = None
) -> None:
    """Products whose photos are all but the same."""
    engine = open_engine(data)
    search = engine.photo_search(pick_shop(engine, shop))
    with console.status("comparing the photos ..."):
        pairs = search.near_duplicates(max(n, 10_000 if output else n))
    if not pairs:
        say("No two products have all but the same photo.")
    for first, second, _ in pairs[:n]:
        say(f"{first.id} {first.title} looks the same as {second.id} {second.title}")
    rows = [[a.id, a.title, b.id, b.title, f"{score:.3f}"] for a, b, score in pairs]
    _write(output, ["product", "title", "same as", "its title", "score"], rows)


@photos.command("disagreements")
def disagreements(
    n: Count = 20, output: Output = None, shop: ShopId = None, data: DataFolder = None
) -> None:
    """Products whose photo looks like another category than the one they are listed under."""
    engine = open_engine(data)
    search = engine.photo_search(pick_shop(engine, shop))
    search.served()
    listed = search.disagreements(max(n, 10_000 if output else n))
    if not listed:
        say("No photo looks like another category than the listed one.")
    for one in listed[:n]:
        say(f"{one['product']}: listed under {one['listed']}, looks like {one['seen']}")
    names = ["product", "listed", "seen", "confidence"]
    _write(output, names, [[str(one[name]) for name in names] for one in listed])


def _write(output: Path | None, names: list[str], rows: list[list[str]]) -> None:
    from thinslice.store.exports.title_rows import to_csv

    if output:
        output.write_text("\ufeff" + to_csv([names, *rows]), "utf-8", newline="")
        say(f"Wrote {output}.")
