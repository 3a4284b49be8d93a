"""`thinslice profit`: what are a model's predictions worth, by a plan agreed beforehand?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from thinslice.cli.command import app
from thinslice.cli.options import console, say
from thinslice.errors import InputError

if TYPE_CHECKING:
    from thinslice.profit import Evaluation

EXAMPLE_ROWS = Path("predictions.csv")
EXAMPLE_PLAN_FILE = Path("plan.yml")
MOST_SKIPPED = 5
HOW_TO_PLAN = (
    "a plan says what each outcome is worth, agreed before the work; thinslice profit --example "
    "writes plan.yml and predictions.csv to begin with"
)


@app.command()
def profit(
    predictions: Annotated[
        Path | None, typer.Argument(help="A table of predictions: CSV, TSV, Parquet or XLSX.")
    ] = None,
    plan: Annotated[Path | None, typer.Option(help="The plan, a YAML file.")] = None,
    true: Annotated[str, typer.Option(help="The column with what really happened.")] = "",
    score: Annotated[str, typer.Option(help="The column with the model's scores.")] = "",
    pos_label: Annotated[str, typer.Option(help="The value that the model looks for.")] = "",
    id_: Annotated[
        str, typer.Option("--id", help="The column of the customer; their rows count as one.")
    ] = "",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the page for a manager here.")
    ] = None,
    locale: Annotated[
        str, typer.Option(help="How the page writes numbers, such as de or fr.")
    ] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    agree: Annotated[
        Path | None, typer.Option(help="Date and hash this plan, before the work.")
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Write a plan and predictions to begin with.")
    ] = False,
) -> None:
    """7. What are predictions worth? Money with a range and a verdict, by a plan."""
    if example:
        _write_example()
        return
    if agree is not None:
        _agree(agree)
        return
    if predictions is None or plan is None:
        missing = "predictions" if predictions is None else "a plan"
        raise InputError(
            f"profit needs {missing}: thinslice profit predictions.csv --plan plan.yml; "
            f"{HOW_TO_PLAN}"
        )
    from thinslice.engine import judge_predictions, read_predictions
    from thinslice.profit import Plan
    from thinslice.report import page

    agreed = Plan.load(plan)
    table = read_predictions(predictions)
    judged = judge_predictions(table, agreed, true=true, score=score, positive=pos_label, id=id_)
    if as_json:
        typer.echo(json.dumps(judged.to_dict(), ensure_ascii=False, allow_nan=False))
    else:
        say(f"{predictions}: {table.rows:,} rows, {table.kind}.")
        for line in (*map(str, table.skipped[:MOST_SKIPPED]), *judged.chosen.guesses):
            say(line)
        _print(judged.evaluation)
    if output is not None:
        _write(output, page(judged, locale))
        if not as_json:
            say(f"The page for a manager is {output}.")


def _print(found: Evaluation) -> None:
    """The verdict, the range and every baseline."""
    from thinslice.report.numbers import money as amount
    from thinslice.report.profit import is_limited, lower_baseline

    values = found.to_dict()
    limited, money = is_limited(values), found.plan.currency
    say(found.sentence[:1].upper() + found.sentence[1:])
    say(found.reason)
    for line in found.warnings:
        say(f"Look: {line}")
    table = Table(box=None, header_style="bold")
    for column in ("instead", "on these rows", "the model more, a year", "chance"):
        table.add_column(column, justify="left" if column == "instead" else "right")
    table.add_row("the model itself", amount(found.profit.total, money), "", "")
    for name, baseline in values["baselines"].items():
        gain = baseline["gain"]
        table.add_row(
            lower_baseline(name, limited=limited),
            amount(baseline["total"], money),
            f"{amount(gain['low'], money)} to {amount(gain['high'], money)}",
            _chance(baseline["p_beats"]),
        )
    console.print(table)
    if found.threshold is not None:
        say(f"It acts on scores of at least {found.threshold:.3g}, {values['decided_by']}.")
    for line in found.assumptions:
        say(line)
    if found.plan.agreed_us is None:
        say("The plan was not agreed before the work: thinslice profit --agree PLAN dates it.")
    else:
        say(f"The plan was agreed on {found.plan.agreed_on}, hash {found.plan.digest[:12]}.")


def _chance(share: float) -> str:
    return "< 1%" if share < 0.01 else "> 99%" if share > 0.99 else f"{share:.0%}"


def _agree(file: Path) -> None:
    from thinslice.engine import clock_us
    from thinslice.profit import Plan

    plan = Plan.load(file)
    if plan.agreed_us is not None and plan.problem is None:
        raise InputError(
            f"{file} was agreed on {plan.agreed_on} and is agreed once; write a new plan to change"
        )
    agreed = plan.agree(clock_us())
    agreed.save(file)
    say(f"Agreed: {agreed.question}")
    say(f"{file} has the date {agreed.agreed_on} and the hash {agreed.digest[:12]} now.")


def _write_example() -> None:
    """A plan and predictions of a made-up model, unless files of that name are there."""
    from thinslice.demo.predictions import EXAMPLE_PLAN, predictions
    from thinslice.profit import Plan

    for file in (EXAMPLE_ROWS, EXAMPLE_PLAN_FILE):
        if file.exists():
            raise InputError(
                f"{file} exists and is not overwritten; run it in another folder, or remove it"
            )
    _write(EXAMPLE_ROWS, predictions())
    Plan(**EXAMPLE_PLAN).save(EXAMPLE_PLAN_FILE)
    say(
        f"Wrote {EXAMPLE_PLAN_FILE} and {EXAMPLE_ROWS}, both made up. Next: "
        f"thinslice profit {EXAMPLE_ROWS} --plan {EXAMPLE_PLAN_FILE} -o page.html"
    )


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {file}: {error}; choose another place") from None
