"""`thinslice follow`: does a model in production earn what the plan promised?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Table

from thinslice.cli.command import app
from thinslice.cli.options import console, say
from thinslice.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.profit.production.tracking import Tracking


@app.command()
def follow(
    log: Annotated[
        Path, typer.Argument(help="A row per decision, with its date: CSV, Parquet or XLSX.")
    ],
    plan: Annotated[Path, typer.Option(help="The plan, a YAML file.")],
    planned: Annotated[
        Path | None,
        typer.Option(help="What was evaluated beforehand: thinslice profit ... --json > FILE."),
    ] = None,
    by: Annotated[str, typer.Option(help="day, week, month, quarter or year.")] = "month",
    time: Annotated[str, typer.Option(help="The column with the date.")] = "time",
    true: Annotated[
        str, typer.Option(help="The column with what happened, empty where it is not known yet.")
    ] = "y_true",
    score: Annotated[str, typer.Option(help="The column with the scores.")] = "",
    decision: Annotated[str, typer.Option(help="The column with what was decided.")] = "",
    pos_label: Annotated[str, typer.Option(help="The value that the model looks for.")] = "",
    id_: Annotated[
        str, typer.Option("--id", help="The column of the customer; their rows count as one.")
    ] = "",
    until: Annotated[str, typer.Option(help="The last day that the log covers.")] = "",
    settled: Annotated[
        float, typer.Option(help="The share of labels with which a month is realised.")
    ] = 0.95,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Does a model in production earn what was planned? Month by month, as labels arrive."""
    from thinslice.engine import read_predictions
    from thinslice.profit import Plan, track

    table = read_predictions(log)
    columns = {name: _numbers(column) for name, column in table.columns.items()}
    truth = columns.get(true)
    found = track(
        columns,
        Plan.load(plan),
        by=by,
        time=time,
        y_true=true,
        y_score=score or None,
        y_pred=decision or None,
        pos_label=_label(pos_label, truth),
        cluster=id_ or None,
        planned=None if planned is None else _evaluation(planned),
        until=until or None,
        settled=settled,
    )
    if as_json:
        typer.echo(json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False))
        return
    for skipped in table.skipped[:5]:
        say(str(skipped))
    _print(found)


def _print(found: Tracking) -> None:
    from thinslice.report.numbers import money

    currency = found.log.plan.currency
    say(found.sentence)
    table = Table(box=None, header_style="bold")
    for name in (found.by, "rows", "money", "", "added up"):
        table.add_column(name, justify="left" if name in (found.by, "") else "right", no_wrap=True)
    for row in found.rows:
        money_here, added_up = (
            "" if spread is None else _range(spread, currency, money)
            for spread in (row.gain, row.cumulative)
        )
        table.add_row(row.period, f"{row.rows:,}", money_here, row.kind, added_up)
    console.print(table)
    for line in found.warnings:
        say(f"Look: {line}")
    for line in found.assumptions:
        say(line)


def _range(spread: Any, currency: str, money: Any) -> str:
    low, high = money(spread.low, currency), money(spread.high, currency)
    return low if low == high else f"{low} to {high}"


def _evaluation(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if not {"low", "likely", "high"} <= set(found["gain"]):
            raise KeyError("gain")
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{file} is no evaluation; write one with: thinslice profit PREDICTIONS --plan PLAN "
            f"--json > {file.name}"
        ) from None
    return dict(found)


def _numbers(column: NDArray[Any]) -> NDArray[Any]:
    """A column of numbers with empty cells as numbers, NaN where they are empty."""
    try:
        return np.array([np.nan if cell is None else float(cell) for cell in column.tolist()])
    except (TypeError, ValueError):
        return column


def _label(stated: str, truth: NDArray[Any] | None) -> Any:
    """The stated positive class in the type of its column."""
    if not stated:
        return None
    if truth is None or truth.dtype == object:
        return stated
    try:
        return float(stated)
    except ValueError:
        return stated
