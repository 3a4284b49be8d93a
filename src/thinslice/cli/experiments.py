"""`thinslice experiment`: run experiments, and keep what was learned from them."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from thinslice.cli.command import app
from thinslice.cli.options import DataFolder, ShopId, open_engine, pick_shop, say, who_types
from thinslice.domain import Experiment, Planned, two_significant
from thinslice.errors import InputError

Name = Annotated[str, typer.Argument(help="The experiment.")]
Why = Annotated[str, typer.Option(help="The reason, kept in the history.")]

experiments = typer.Typer(
    help="Run experiments: visitors are split between two list makers.",
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
    traffic: Annotated[
        float, typer.Option(help="The share of the visitors that take part, such as 0.05.")
    ] = 1.0,
    once: Annotated[
        bool,
        typer.Option(help="Narrower ranges, for one look at the end instead of one every day."),
    ] = False,
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """Split the visitors between two list makers: session, item_to_item, popular or list:NAME."""
    engine = open_engine(data)
    started = engine.start_experiment(
        pick_shop(engine, shop),
        name,
        control=control,
        treatment=treatment,
        question=question,
        placement=placement,
        traffic=traffic,
        sequential=not once,
        who=who_types(),
    )
    say(
        f"Experiment {name} is running with {traffic:.0%} of the visitors, split evenly; the "
        f"others see {control}. Read it with: thinslice readout {name}"
    )
    if started.planned:
        say(_takes(started.planned, traffic))


@experiments.command("ramp")
def ramp_experiment(
    name: Name,
    traffic: Annotated[float, typer.Argument(help="The share of the visitors, such as 0.5.")],
    why: Why = "",
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """Let more visitors take part; nobody changes sides. 0 is a pause."""
    engine = open_engine(data)
    engine.control.ramp_experiment(pick_shop(engine, shop), name, traffic, who=who_types(), why=why)
    say(f"Experiment {name} has {traffic:.0%} of the visitors from now on.")


@experiments.command("pause")
def pause_experiment(
    name: Name, why: Why = "", shop: ShopId = None, data: DataFolder = None
) -> None:
    """Show everyone the control's list for now; go on with ramp."""
    engine = open_engine(data)
    engine.control.ramp_experiment(pick_shop(engine, shop), name, 0, who=who_types(), why=why)
    say(f"Experiment {name} is paused; go on with: thinslice experiment ramp {name} SHARE")


@experiments.command("stop")
def stop_experiment(
    name: Name,
    ship: Annotated[
        bool, typer.Option("--ship/--keep", help="Show everyone the new list, or the control's.")
    ] = False,
    why: Why = "",
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """End an experiment; from then on everyone sees the control's list, or with --ship the new."""
    engine = open_engine(data)
    shop_id = pick_shop(engine, shop)
    engine.stop_experiment(shop_id, name, ship=ship, who=who_types(), why=why)
    say(_ended(engine.shelf(shop_id).experiment(name)))


@experiments.command("kill")
def kill_experiment(
    name: Name, why: Why = "", shop: ShopId = None, data: DataFolder = None
) -> None:
    """The kill switch: everyone back to the control's list within about a second."""
    engine = open_engine(data)
    shop_id = pick_shop(engine, shop)
    engine.control.stop_experiment(shop_id, name, who=who_types(), why=why, killed=True)
    say(_ended(engine.shelf(shop_id).experiment(name)))


@experiments.command("learned")
def conclude_experiment(
    name: Name,
    text: Annotated[str, typer.Argument(help="What the team concludes, in its own words.")],
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """Keep what was learned; earlier words stay in the history."""
    engine = open_engine(data)
    engine.control.conclude_experiment(pick_shop(engine, shop), name, text, who=who_types())
    say("Kept.")


@experiments.command("preview")
def preview_variant(
    name: Name,
    variant: Annotated[str, typer.Argument(help="The variant to look at, by its name.")],
    hours: Annotated[float, typer.Option(help="Hours until it expires.")] = 24.0,
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """A text for the field `preview` of a request: shows this variant, and counts for nothing."""
    from thinslice.server.preview import preview_token

    engine = open_engine(data)
    shop_id = pick_shop(engine, shop)
    known = engine.shelf(shop_id).experiment(name)
    if known.variant(variant) is None:
        there = ", ".join(repr(v.name) for v in known.variants)
        raise InputError(f"{name} has the variants {there}, got {variant!r}; name one of them")
    say(preview_token(engine.control.signing_secret(), shop_id, name, variant, hours))


@experiments.command("holdout")
def set_holdout(
    share: Annotated[float, typer.Argument(help="The share of the visitors, such as 0.05.")],
    shop: ShopId = None,
    data: DataFolder = None,
) -> None:
    """Keep a share of the visitors out of all experiments, with the list of today."""
    engine = open_engine(data)
    shop_id = pick_shop(engine, shop)
    engine.control.set_holdout(shop_id, share, who_types())
    say(f"{share:.1%} of the visitors of {shop_id} see today's list, whatever else runs.")


@experiments.command("list")
def list_experiments(shop: ShopId = None, data: DataFolder = None) -> None:
    """List the experiments of a shop."""
    engine = open_engine(data)
    for experiment in engine.control.experiments(pick_shop(engine, shop)):
        arms = " against ".join(v.policy for v in reversed(experiment.variants))
        state = experiment.state
        if state == "running":
            state += f" with {experiment.traffic:.0%} of the visitors"
        say(f"{experiment.id}: {arms}, {state}")


def _takes(planned: Planned, traffic: float) -> str:
    """How long it will take, at the pace of the weeks before.

    >>> _takes(Planned(12_000, 430.0), traffic=0.5)
    'It takes about 12,000 visitors to find a change of 10%; at the 215 a day of the weeks before \
that is 8 weeks.'
    """
    from thinslice.outcomes.readouts.foresight import WORTH_FINDING

    per_day = planned.per_day * traffic
    weeks = math.ceil(planned.visitors / per_day / 7)
    return (
        f"It takes about {two_significant(planned.visitors):,.0f} visitors to find a change of "
        f"{WORTH_FINDING:.0%}; at the {per_day:,.0f} a day of the weeks before that is {weeks:,} "
        f"week{'s' * (weeks != 1)}."
    )


def _ended(experiment: Experiment) -> str:
    return f"Experiment {experiment.id} is stopped; everyone sees {experiment.after}."
