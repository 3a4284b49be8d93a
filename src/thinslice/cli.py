"""The `thinslice` command: one subcommand per step of the path, and a few to run the service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from thinslice.config import Settings, describe, read_settings
from thinslice.errors import InputError, NotFoundError, ThinsliceError

if TYPE_CHECKING:
    from thinslice.engine import Engine
    from thinslice.store.exports.columns import ColumnMap

app = typer.Typer(
    help="From a shop's export to a page people click and an honest verdict.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
experiments = typer.Typer(
    help="Start, stop and list experiments: visitors are split between two list makers.",
    no_args_is_help=True,
)
app.add_typer(experiments, name="experiment")
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
TimeZone = Annotated[str, typer.Option(help="The shop's time zone, such as Europe/Paris.")]


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


# The path


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
    from thinslice.profit.plan import Plan

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
def build(shop: ShopId = None, data: DataFolder = None) -> None:
    """3b. Learn from the sessions, and serve the result without dropping a request."""
    engine = open_engine(data)
    shop_id = pick_shop(engine, shop)
    with console.status("learning from the sessions ..."):
        bundle = engine.build(shop_id)
    say(f"{bundle.sentence()} Version {bundle.version} is now served.")


@app.command()
def evaluate(
    n: Annotated[int, typer.Option("-n", help="Length of the lists.", min=1)] = 20,
    test_share: Annotated[
        float, typer.Option(help="Share of the sessions, the latest, that are predicted.")
    ] = 0.2,
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """4. Would it have worked? Predict the latest sessions from the earlier ones."""
    engine = open_engine(data)
    shop_id = pick_shop(engine, shop)
    with console.status("predicting the latest sessions ..."):
        evaluation = engine.evaluate(shop_id, n=n, test_share=test_share)
    found = evaluation.to_dict()
    table = Table(box=None, header_style="bold")
    table.add_column("list maker")
    measures = list(found["rows"][0]["metrics"])
    for measure in measures:
        table.add_column(measure, justify="right")
    for row in found["rows"]:
        table.add_row(row["name"], *(f"{row['metrics'][m]['estimate']:.3f}" for m in measures))
    console.print(table)
    say(evaluation.sentence())
    if judgement := engine.judge_offline(shop_id):
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


# To run the service


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


@experiments.command("start")
def start_experiment(
    name: Annotated[str, typer.Argument(help="A short name, such as autumn-lists.")],
    control: Annotated[str, typer.Option(help="What the shop shows today.")] = "list:incumbent",
    treatment: Annotated[str, typer.Option(help="What is tried against it.")] = "session",
    question: Annotated[str, typer.Option(help="The question, in plain words.")] = "",
    placement: Annotated[str, typer.Option(help="Where on the site the list stands.")] = "product",
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """Split the visitors between two list makers: session, item_to_item, popular or list:NAME."""
    engine = open_engine(data)
    engine.start_experiment(
        pick_shop(engine, shop),
        name,
        control=control,
        treatment=treatment,
        question=question,
        placement=placement,
    )
    say(f"Experiment {name} is running. Read it with: thinslice readout {name}")


@experiments.command("stop")
def stop_experiment(
    name: Annotated[str, typer.Argument(help="The experiment.")],
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """Stop an experiment; every visitor gets the session list again."""
    engine = open_engine(data)
    engine.stop_experiment(pick_shop(engine, shop), name)
    say(f"Experiment {name} is stopped.")


@experiments.command("list")
def list_experiments(shop: ShopId = None, data: DataFolder = None) -> None:
    """List the experiments of a shop."""
    engine = open_engine(data)
    for experiment in engine.control.experiments(pick_shop(engine, shop)):
        arms = " against ".join(v.policy for v in reversed(experiment.variants))
        state = "running" if experiment.stopped_us is None else "stopped"
        say(f"{experiment.id}: {arms}, {state}")


# How the commands find things


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
