"""`thinslice experiment`: start, stop and list experiments."""

from __future__ import annotations

from typing import Annotated

import typer

from thinslice.cli.command import app
from thinslice.cli.options import DataFolder, ShopId, open_engine, pick_shop, say

experiments = typer.Typer(
    help="Start, stop and list experiments: visitors are split between two list makers.",
    no_args_is_help=True,
)
app.add_typer(experiments, name="experiment")


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
