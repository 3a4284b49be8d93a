"""`thinslice classify` and `thinslice titles`: categories for titles, and the people who check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thinslice.cli.command import app
from thinslice.cli.options import (
    DataFolder,
    ShopId,
    open_engine,
    pick_shop,
    progress_bar,
    reported,
    say,
)
from thinslice.errors import InputError
from thinslice.shelf.titles.file import classify_file

titles = typer.Typer(
    help="The bar for asking a person, what people said, and what is in doubt.",
    no_args_is_help=True,
)
app.add_typer(titles, name="titles")


@app.command()
def classify(
    table: Annotated[Path, typer.Argument(help="A table with a column of titles: CSV or XLSX.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The CSV to write.")],
    column: Annotated[str | None, typer.Option(help="The column that has the titles.")] = None,
    in_order: Annotated[
        bool, typer.Option("--in-order", help="Leave the rows for a person where they are.")
    ] = False,
    queue: Annotated[
        bool, typer.Option("--queue", help="Put the titles for a person on the review queue.")
    ] = False,
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """Which category? Write a table with categories; the rows for a person stand on top."""
    if output.exists() and output.samefile(table):
        raise InputError(f"{output} is the table itself; choose another name with -o")
    engine = open_engine(data)
    of_shop = engine.titles(pick_shop(engine, shop))
    with progress_bar(f"classifying {table.name}") as progress:
        report = classify_file(
            of_shop, table, output, column=column, in_order=in_order, queue=queue, progress=progress
        )
    reported(report)
    say(f"Wrote {output}.")


@titles.command("bar")
def bar(
    precision: Annotated[
        float | None, typer.Option(help="Share of what is taken over that must be right.")
    ] = None,
    wrong: Annotated[float | None, typer.Option(help="What a wrong category costs.")] = None,
    look: Annotated[float | None, typer.Option(help="What a person's look costs.")] = None,
    looks_per_day: Annotated[float | None, typer.Option(help="Looks a day people have.")] = None,
    titles_per_day: Annotated[float | None, typer.Option(help="Titles that come a day.")] = None,
    wrong_for: Annotated[
        list[str] | None, typer.Option(help="A category's own cost: 'Home > Lamps=12'.")
    ] = None,
    unknown_share: Annotated[
        float | None,
        typer.Option(help="Share of titles to expect of kinds that were never learned."),
    ] = None,
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """Show from which confidence on no person is asked, or set it: by precision or by money."""
    from thinslice.profit.asking import AskingTerms

    engine = open_engine(data)
    shop_id = pick_shop(engine, shop)
    of_shop = engine.titles(shop_id)
    given = (precision, wrong, look, looks_per_day, wrong_for, unknown_share)
    if any(v is not None for v in given):
        terms = AskingTerms(
            precision=0.99 if precision is None else precision,
            wrong_cost=wrong,
            look_cost=look,
            looks_per_day=looks_per_day,
            titles_per_day=titles_per_day,
            wrong_costs=dict(_cost_of(text) for text in wrong_for or []),
            currency=engine.control.shop(shop_id).currency,
            unknown_share=unknown_share,
        )
        of_shop.agree_terms(terms)
    found = of_shop.trade_off()
    sample, share = found["sample"], found["accepted"]
    say(f"On {sample:,} held-out titles {share:.1%} clear the bar and need no person.")
    if found["precision"] is not None:
        low, high = found["precision_low"], found["precision_high"]
        say(f"Of those {found['precision']:.1%} are right ({low:.1%} to {high:.1%}).")
    if found["unknown_accepted"] is not None:
        say(
            f"Of titles of kinds kept from it {found['unknown_accepted']:.1%} clear it, wrongly; "
            f"{found['unknown_share']:.1%} of new titles are reckoned to be of such kinds."
        )


@titles.command("doubts")
def doubts(
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the products as CSV as well.")
    ] = None,
    n: Annotated[int, typer.Option("-n", help="How many products.", min=1)] = 20,
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """Products that may be filed wrongly, and categories to merge, split or describe better."""
    from thinslice.store.exports.title_rows import to_csv

    engine = open_engine(data)
    of_shop = engine.titles(pick_shop(engine, shop))
    listed = of_shop.confusions(n)
    for s in listed:
        say(f"{s['title']}: filed under {s['filed']}, reads like {s['likeliest']}")
    for advice in of_shop.class_report():
        say(advice["sentence"])
    if output:
        names = ["product", "title", "filed", "likeliest", "confidence"]
        rows = [
            [*(str(s[name] or "") for name in names[:-1]), f"{s['confidence']:.3f}"] for s in listed
        ]
        output.write_text("\ufeff" + to_csv([names, *rows]), "utf-8", newline="")
        say(f"Wrote {output}.")


@titles.command("correct")
def correct(
    table: Annotated[Path, typer.Argument(help="A table with the columns title and category.")],
    who: Annotated[str, typer.Option(help="Who says so.")] = "",
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """Take in what people decided, learn from it, and serve the result."""
    engine = open_engine(data)
    of_shop = engine.titles(pick_shop(engine, shop))
    say(f"{of_shop.correct_from(table, who=who):,} corrections are kept.")
    of_shop.refit()
    say(f"Learned from them; version {of_shop.model().version} is now served.")


def _cost_of(text: str) -> tuple[str, float]:
    name, _, amount = text.rpartition("=")
    try:
        return name.strip(), float(amount)
    except ValueError as error:
        raise InputError(
            f"a category's own cost is written 'Home > Lamps=12', got {text!r}; correct it"
        ) from error
