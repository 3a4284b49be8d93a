"""The path, one command per step: from an export to a page with a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from thinslice.cli.command import app
from thinslice.cli.options import (
    Columns,
    Currency,
    DataFolder,
    Minutes,
    ShopId,
    TimeZone,
    console,
    found_or_new_shop,
    open_engine,
    parse_columns,
    pick_shop,
    progress_bar,
    reported,
    say,
    settings_of,
)
from thinslice.errors import InputError
from thinslice.report.words import objective_sentences

if TYPE_CHECKING:
    from thinslice.engine import Engine


@app.command()
def audit(
    export: Annotated[
        Path | None, typer.Argument(help="An export of events; none looks at the imported shop.")
    ] = None,
    columns: Columns = None,
    currency: Currency = "EUR",
    time_zone: TimeZone = "UTC",
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """1. Do we have the data? Look at an export, or at a shop, without changing anything."""
    engine = open_engine(data)
    if export is None:
        found = engine.audit_shop(pick_shop(engine, shop))
    else:
        with progress_bar(f"reading {export.name}") as progress:
            found = engine.audit_export(
                export,
                parse_columns(columns),
                currency=currency,
                time_zone=time_zone,
                progress=progress,
            )
    for line in found.lines():
        say(line)


@app.command()
def plan(
    file: Annotated[
        Path | None, typer.Argument(help="A filled-in plan to agree on; none writes one to fill.")
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Where to write it.")] = Path(
        "plan.yml"
    ),
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """2. What would count as success? Write the brief, then agree on it before the work."""
    from thinslice.profit import Plan

    engine = open_engine(data)
    if file is not None:
        agreed = engine.agree_plan(pick_shop(engine, shop), Plan.load(file))
        agreed.save(file)
        say(f"Agreed: {agreed.question}")
        say(f"Dated {agreed.agreed_on}, hash {agreed.digest[:12]}.")
        say(f"It is kept with the shop, and {file} has the date and the hash now.")
        return
    if output.exists():
        raise InputError(
            f"{output} exists and is not overwritten; fill it in and agree on it with: "
            f"thinslice plan {output}"
        )
    shops = engine.control.shops()
    Plan(currency=shops[0].currency if shops else "EUR").save(output)
    say(f"Wrote {output}. Fill it in with the people who decide, then: thinslice plan {output}")


@app.command("import")
def import_(
    export: Annotated[Path | None, typer.Argument(help="An export of events.")] = None,
    products: Annotated[Path | None, typer.Option(help="An export of products.")] = None,
    photos: Annotated[
        Path | None, typer.Option(help="A folder or zip of photos named by product id.")
    ] = None,
    incumbent: Annotated[
        Path | None, typer.Option(help="What the shop shows today: product, recommended, position.")
    ] = None,
    columns: Columns = None,
    product_columns: Annotated[
        str | None, typer.Option("--map-products", help="Column map of the products.")
    ] = None,
    shop: ShopId = None,
    name: Annotated[str | None, typer.Option(help="The shop's name on the pages.")] = None,
    currency: Currency = "EUR",
    time_zone: TimeZone = "UTC",
    data: DataFolder = None,
) -> None:
    """3a. Take in what happened and what is sold. The same file again adds nothing."""
    if not any((export, products, photos, incumbent)):
        raise InputError(
            "import needs at least one file: thinslice import EVENTS.csv "
            "[--products FILE] [--photos FOLDER-OR-ZIP] [--incumbent FILE]"
        )
    engine = open_engine(data)
    shop_id = found_or_new_shop(engine, shop, name, currency, time_zone)
    if products:
        reported(engine.import_products(shop_id, products, parse_columns(product_columns)))
    if export:
        with progress_bar(f"reading {export.name}") as progress:
            report = engine.import_events(
                shop_id, export, parse_columns(columns), progress=progress
            )
        reported(report)
    if photos:
        with progress_bar(f"reading {photos.name}") as progress:
            report = engine.import_photos(shop_id, photos, progress=progress)
        reported(report)
    if incumbent:
        reported(engine.import_lists(shop_id, incumbent))


@app.command()
def build(
    titles: Annotated[
        bool, typer.Option("--titles", help="Only the categories, from the catalogue's titles.")
    ] = False,
    photos: Annotated[
        bool, typer.Option("--photos", help="Only the photos: searched, tagged, compared.")
    ] = False,
    fit_encoder: Annotated[
        bool,
        typer.Option(
            "--fit-encoder", help="Only the photos, after fitting the encoder to them (torch)."
        ),
    ] = False,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Only the photos, seen by another model: the path of an ONNX file or folder, an "
            "id on the hub, open_clip:NAME, timm:NAME, or shipped.",
            metavar="MODEL",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Time to choose what serves the shop best, 2; or to fit the encoder, 10.", min=0
        ),
    ] = None,
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """3b. Learn from sessions, titles and photos; serve it without dropping a request."""
    engine = open_engine(data)
    shop_id = pick_shop(engine, shop)
    if titles:
        with console.status("learning the categories ..."):
            say(engine.titles(shop_id).learn().sentence())
        _read_together(engine, shop_id)
        return
    if photos or fit_encoder or encoder:
        if fit_encoder and encoder:
            raise InputError(
                "--fit-encoder fits the shipped encoder and --encoder takes another; give one"
            )
        fit_minutes = (10 if minutes is None else minutes) if fit_encoder else None
        with progress_bar("learning from the photos") as progress:
            found = engine.photo_search(shop_id).build(
                fit_minutes=fit_minutes, encoder=encoder, progress=progress
            )
        say(f"{found['photos']:,} photos can be searched. {found['quality']['sentence']}")
        _read_together(engine, shop_id)
        return
    with progress_bar("learning from the sessions") as progress:
        bundle = engine.build(shop_id, minutes=2 if minutes is None else minutes, progress=progress)
    say(f"{bundle.sentence()} Version {bundle.version} is now served.")
    say(bundle.chosen())


def _read_together(engine: Engine, shop_id: str) -> None:
    """Say what photo and title come to together, where both were learned."""
    if both := engine.shelf(shop_id).photo_titles.learn():
        say(both.sentence())


@app.command()
def evaluate(
    n: Annotated[int, typer.Option("-n", help="Length of the lists.", min=1)] = 20,
    test_share: Annotated[
        float, typer.Option(help="Share of the sessions, the latest, that are predicted.")
    ] = 0.2,
    minutes: Minutes = 2,
    protocol: Annotated[
        str, typer.Option(help="honest, or literature: sessions and lists as they are.")
    ] = "honest",
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """4. Would it have worked? Predict the latest sessions from the earlier ones."""
    engine = open_engine(data)
    shop_id = pick_shop(engine, shop)
    with progress_bar("predicting the latest sessions") as progress:
        evaluation = engine.evaluate(
            shop_id,
            n=n,
            test_share=test_share,
            minutes=minutes,
            protocol=protocol,
            progress=progress,
        )
    found = evaluation.to_dict()
    table = Table(box=None, header_style="bold")
    table.add_column("list maker")
    measures = list(found["rows"][0]["metrics"])
    for measure in measures:
        table.add_column(measure, justify="right")
    for row in found["rows"]:
        table.add_row(row["name"], *(f"{row['metrics'][m]['estimate']:.3f}" for m in measures))
    console.print(table)
    kept = engine.shelf(shop_id).results.load("evaluation") if protocol == "honest" else None
    for said in objective_sentences((kept or {}).get("objectives") or {"rows": []}):
        say(said)
    say(evaluation.sentence())
    if protocol == "honest" and (judgement := engine.judge_offline(shop_id)):
        say(judgement.sentence)


@app.command()
def serve(
    share: Annotated[
        bool, typer.Option(help="Print a link and QR code that colleagues on the network can open.")
    ] = False,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes.")] = None,
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """5. What does a visitor see? Open the pages and the API."""
    from thinslice.server.service import serve as run_service

    settings = settings_of(data, host=host, port=port, workers=workers)
    shared = pick_shop(open_engine(data), shop) if share else None
    run_service(settings, share=shared, announce=say)


@app.command()
def readout(
    experiment: Annotated[str | None, typer.Argument(help="The experiment; none: all.")] = None,
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """6. Did it work, and did it hurt anything? Read an experiment."""
    from thinslice.report.sentences import known_when

    engine = open_engine(data)
    shop_id = pick_shop(engine, shop)
    known = [e.id for e in engine.control.experiments(shop_id)]
    if not known and experiment is None:
        say("There is no experiment yet. Start one: thinslice experiment start NAME")
    for experiment_id in [experiment] if experiment else known:
        result = engine.readout(shop_id, experiment_id)
        say(f"[bold]{escape(experiment_id)}[/bold]: {escape(result.sentence)}", markup=True)
        for line in result.lines():
            say("  " + line)
        if expected := engine.outlook(result):
            say("  " + known_when(expected.to_dict(), result.time_zone))
        say("  " + engine.judge(shop_id, result).sentence)


@app.command()
def report(
    output: Annotated[Path, typer.Option("-o", "--output", help="The page to write.")] = Path(
        "report.html"
    ),
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """7. What is it worth? Write one self-contained page that anyone can read."""
    engine = open_engine(data)
    page = engine.report(pick_shop(engine, shop))
    try:
        output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"the report cannot be written: {error}; name another file with -o"
        ) from error
    say(f"Wrote {output}; it opens in any browser and prints.")


@app.command()
def demo(
    once: Annotated[bool, typer.Option(help="Walk the path and exit.")] = False,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    data: Annotated[Path, typer.Option("--data", help="Folder for the generated shop.")] = Path(
        "demo-data"
    ),
) -> None:
    """Walk the whole path on a generated shop and leave the pages open."""
    from thinslice.tour import tour

    tour(settings_of(data, port=port), once=once, console=console)
