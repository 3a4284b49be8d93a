"""Do the generated shops' experiments say what is true? One helps, one does nothing, one harms.

    python benchmarks/known_truth.py --shops 200               the long form: 20 minutes
    python benchmarks/known_truth.py                           20 shops, and 400 that do nothing
    python benchmarks/known_truth.py --shops 3 --repeats 40    a first look

Every shop has its own catalogue, visitors, dice, ids and salts, so that shops are independent. It
goes without HTTP and otherwise the way of `thinslice demo`: the same visits, messages, models,
lists, assignment and readout. Then the experiment that does nothing is repeated in one shop with
new visitors and new salts, to see whether the verdict errs as often as its rule says.

A figure that should be a known share passes when it lies within three standard errors of it;
beside a verdict that has no such share stands what it may be in the long run (Wilson's interval,
three standard errors wide).
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import ibis
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import ndtr

from thinslice.config import Settings
from thinslice.demo.catalogue import CURRENCY
from thinslice.demo.experiments import RENAMED, TRIALS, Trial, true_effect
from thinslice.demo.messages import Message, messages_of
from thinslice.demo.mishaps import with_mishaps
from thinslice.demo.shoppers import LIST_LENGTH, Page, Shown, Visit
from thinslice.demo.world import World, make_world
from thinslice.domain import (
    DAY_US,
    MICROSECONDS,
    Event,
    Experiment,
    Exposure,
    Query,
    SessionLog,
    Variant,
    Verdict,
)
from thinslice.models.sessions.bundle import learn
from thinslice.outcomes.assignment import assign
from thinslice.outcomes.readouts.readout import Readout, read_out
from thinslice.outcomes.statistics.comparison import Row
from thinslice.ranking.lists import ListRecommender
from thinslice.ranking.ranker import Ranker
from thinslice.store.log.schema import to_table
from thinslice.store.log.sessions import browsing_sessions, session_log
from thinslice.store.wire import events_of
from thinslice.tour import HISTORY_DAYS, HISTORY_SESSIONS, PLAN, TRIAL_DAYS, TRUTH_SESSIONS

NOTHING = next(trial for trial in TRIALS if trial.treatment == f"list:{RENAMED}")
VERDICTS = (Verdict.SHIP, Verdict.NOT_PROVEN, Verdict.STOP)
SINCE_US = 1_790_000_000_000_000
Z_BETTER, Z_HARMLESS = 1.96, 1.645
UNTIL_US = SINCE_US + TRIAL_DAYS * DAY_US
ONE_SIDED = float(ndtr(-Z_BETTER))
"""How often a 95 % range lies wholly on the one side of the truth."""
SALTS = 4
"""Experiments per draw of visitors: to split the same visitors anew costs less than new ones."""


@dataclass(frozen=True)
class Known:
    """One experiment that was read out, and the truth about it."""

    trial: Trial
    truth: float
    readout: Readout

    @property
    def deciding(self) -> Row:
        return next(row for row in self.readout.rows if row.metric.is_success)

    @property
    def guardrail(self) -> Row:
        return next(row for row in self.readout.rows if row.metric.is_guardrail)

    @property
    def holds(self) -> bool:
        """Whether the range holds the truth."""
        return self.deciding.relative.low <= self.truth <= self.deciding.relative.high


class Shop:
    """A generated shop with a model of its first four weeks."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.world = make_world(seed)
        settings = Settings()
        bundle = learn(_history(self.world, settings), settings)
        named = {
            f"list:{name}": ListRecommender(f"list:{name}", lists)
            for name, lists in self.world.lists.items()
        }
        products = {product.id: product for product in self.world.catalogue.products}
        self.ranker = Ranker({**bundle.recommenders, **named}, products)

    def run(self) -> Iterator[Known]:
        """All three experiments, each with visitors of its own."""
        for trial in TRIALS:
            experiment = _experiment(trial, salt=f"{trial.id} of shop {self.seed}")
            visits = self.visits(trial.visits, trial.seed)
            lived = self.live(experiment, visits)
            truth_visits = self.world.visits(TRUTH_SESSIONS, SINCE_US, UNTIL_US, number=999)
            truth = true_effect(trial, self.world.shoppers, truth_visits, self.make_list)
            yield Known(trial, truth, _read(experiment, lived))

    def nothing_happens(self, repeats: int) -> Iterator[Known]:
        """The experiment that does nothing, again and again: new visitors, and new salts."""
        for draw in range(-(-repeats // SALTS)):
            visits = self.visits(NOTHING.visits, 1000 + draw)
            lived = self.live(_experiment(NOTHING, salt=""), visits)
            for again in range(min(SALTS, repeats - draw * SALTS)):
                experiment = _experiment(NOTHING, salt=f"salt {again} of draw {draw}")
                yield Known(NOTHING, 0.0, _read(experiment, _split_anew(lived, experiment)))

    def visits(self, sessions: int, number: int) -> list[Visit]:
        """Visits by visitors whom no other shop and no other number has."""
        visits = self.world.visits(sessions, SINCE_US, UNTIL_US, number)
        return [replace(v, visitor=f"shop-{self.seed}-{v.visitor}") for v in visits]

    def live(self, experiment: Experiment, visits: Sequence[Visit]) -> pa.Table:
        """What happens when the experiment decides who sees what: events with session keys."""
        events: list[Event] = []
        keys: list[str] = []
        for visit in visits:
            happened = list(self._visit(experiment, visit))
            events += happened
            # A visitor comes back after half a day at the earliest: a visit is a session.
            keys += [f"{visit.visitor}/{visit.number}"] * len(happened)
        return to_table(events).append_column("session_key", pa.array(keys))

    def _visit(self, experiment: Experiment, visit: Visit) -> Iterator[Event]:
        variant = assign(experiment, visit.visitor)
        assert variant, "the variants' weights leave nobody out"
        exposures: list[Exposure] = []

        def show(page: Page) -> Shown:
            query = Query(items=page.items, n=LIST_LENGTH)
            recommendations, note = self.ranker.rank(query, variant.policy, now_us=page.time_us)
            exposure = Exposure(
                id=f"{visit.visitor}-{visit.number}-list-{len(page.items)}",
                shop=experiment.shop,
                time_us=page.time_us,
                visitor=visit.visitor,
                session=None,
                placement=experiment.placement,
                policy=variant.policy,
                model_version=None,
                recommendations=recommendations,
                experiment=experiment.id,
                variant=variant.name,
                note=note,
            )
            exposures.append(exposure)
            return Shown([r.product for r in recommendations], exposure.id)

        acts = self.world.shoppers.live(visit, show)
        yield from _events(with_mishaps(messages_of(visit, acts, self.world.catalogue)))
        yield from (exposure.to_event() for exposure in exposures)

    def make_list(self, policy: str, items: tuple[str, ...]) -> Sequence[str]:
        """The list that the service would answer."""
        query = Query(items=items, n=LIST_LENGTH)
        return [r.product for r in self.ranker.rank(query, policy, now_us=SINCE_US)[0]]


def _history(world: World, settings: Settings) -> SessionLog:
    visits = world.visits(HISTORY_SESSIONS, SINCE_US - HISTORY_DAYS * DAY_US, SINCE_US)
    events = ibis.memtable(to_table(_events(world.messages(visits))))
    gap_us = int(settings.session_gap_minutes * 60 * MICROSECONDS)
    connection = ibis.duckdb.connect()
    try:
        sessions = browsing_sessions(events, gap_us, settings.session_max_products)
        return session_log(connection.to_pyarrow(sessions))
    finally:
        connection.disconnect()


def _events(messages: Iterable[Message]) -> Iterator[Event]:
    """The messages as the service reads them from a client that may write the past."""
    encode = msgspec.json.Encoder().encode
    for message in messages:
        yield from events_of(encode(message), received_us=UNTIL_US, trusted=True)


def _experiment(trial: Trial, salt: str) -> Experiment:
    variants = (Variant("control", trial.control), Variant("treatment", trial.treatment))
    return Experiment(trial.id, "shop", trial.question, variants, salt, SINCE_US, UNTIL_US)


def _split_anew(lived: pa.Table, experiment: Experiment) -> pa.Table:
    """The same visitors in other variants, which is right where both variants show the same."""
    visitors = lived.column("visitor").combine_chunks().dictionary_encode()
    split = [assign(experiment, str(visitor)) for visitor in visitors.dictionary]
    names = pa.array([variant.name if variant else None for variant in split])
    column = lived.schema.get_field_index("variant")
    shown = lived.column("variant").combine_chunks().is_valid()
    nobody = pa.nulls(len(shown), names.type)
    anew = pc.if_else(shown, names.take(visitors.indices), nobody)
    return lived.set_column(column, lived.field(column), anew.cast(lived.field(column).type))


def _read(experiment: Experiment, lived: pa.Table) -> Readout:
    return read_out(experiment, lived, plan=PLAN.terms(), currency=CURRENCY)


@dataclass(frozen=True)
class Line:
    """How often something was found in `runs`, and how often at least and at most it should be.

    Without `low` and `high` nobody knows beforehand how often it should be.
    """

    what: str
    found: int
    runs: int
    low: float | None = None
    high: float | None = None

    @property
    def band(self) -> tuple[float, float]:
        """The share that should be found, three standard errors wide; Wilson's without one."""
        if self.low is not None and self.high is not None:
            low, high = self.low - self._slack(self.low), self.high + self._slack(self.high)
            return max(0.0, low), min(1.0, high)
        p, z2 = self.found / self.runs, 9 / self.runs
        middle, width = p + z2 / 2, 3 * math.sqrt((p * (1 - p) + z2 / 4) / self.runs)
        return (middle - width) / (1 + z2), (middle + width) / (1 + z2)

    @property
    def passes(self) -> bool:
        low, high = self.band
        return self.low is None or low <= self.found / self.runs <= high

    def _slack(self, share: float) -> float:
        return 3 * math.sqrt(share * (1 - share) / self.runs)

    def __str__(self) -> str:
        low, high = self.band
        word = "" if self.low is None else "ok" if self.passes else "MISSED"
        share = f"{self.found} of {self.runs}"
        return f"  {self.what:44s} {share:>10s} {low:7.1%} to {high:6.1%}  {word}".rstrip()


def shops(found: Sequence[Known]) -> Iterator[str | Line]:
    """What is said about the three experiments of many shops."""
    for trial in TRIALS:
        own = [one for one in found if one.trial is trial]
        low, high = (100 * f(one.truth for one in own) for f in (min, max))
        truth = f"{low:+.0f}% to {high:+.0f}%" if low or high else "none"
        yield f"{trial.id}: the true effect on the {PLAN.kpi} is {truth}"
        yield _coverage(own)
        counts = Counter(one.readout.verdict for one in own)
        known: dict[Verdict, tuple[float, float]] = (
            {Verdict.SHIP: (0.0, ONE_SIDED), Verdict.STOP: (0.0, stop_rate(own))}
            if trial is NOTHING
            else {}
        )
        for verdict in VERDICTS:
            yield Line(verdict.value, counts[verdict], len(own), *known.get(verdict, ()))
        if counts[None]:
            yield Line("no verdict", counts[None], len(own))


def nothing(found: Sequence[Known]) -> Iterator[str | Line]:
    """What is said about one experiment that does nothing, repeated, test by test."""
    n = len(found)
    decisive, guarding = ([getattr(x, name) for x in found] for name in ("deciding", "guardrail"))
    for rows in (decisive, guarding):
        label = rows[0].metric.label
        for change in ("better", "worse"):
            times = sum(row.change == change for row in rows)
            yield Line(f"{label} clearly {change}", times, n, ONE_SIDED, ONE_SIDED)
    violated = sum(bool(row.harmless and row.harmless.violated) for row in guarding)
    what = f"{guarding[0].metric.label} worse by more than {guarding[0].metric.max_worse:.0%}"
    yield Line(what, violated, n, 0.0, 1 - float(ndtr(Z_HARMLESS)))
    yield _coverage(found)
    verdicts = Counter(one.readout.verdict for one in found)
    yield Line("ship", verdicts[Verdict.SHIP], n, 0.0, ONE_SIDED)
    yield Line("stop", verdicts[Verdict.STOP], n, 0.0, stop_rate(found))
    z = np.corrcoef([row.z for row in decisive], [row.z for row in guarding])[0, 1]
    yield f"  the z values of the two KPIs have a correlation of {z:.2f}"


def stop_rate(found: Sequence[Known]) -> float:
    """How often at most the rule stops what does nothing.

    The deciding KPI is clearly worse (2.5 %), or the guardrail is clearly worse (2.5 %) or worse
    by more than allowed. The latter is tested at 5 %, one-sided, at the edge of what is allowed;
    where nothing is different it is met less often, the more standard errors that edge is away.
    What is met by the smaller deterioration is met by the larger, so the likelier of the
    guardrail's two counts. The KPIs that the plan does not name hold a ship back and stop nothing.
    """
    rates = []
    for row in (one.guardrail for one in found):
        standard_error = (row.absolute.high - row.absolute.estimate) / Z_BETTER
        edge = (row.metric.max_worse or 0.0) * row.control / standard_error
        rates.append(ONE_SIDED + max(ONE_SIDED, float(ndtr(-Z_HARMLESS - edge))))
    return float(np.mean(rates))


def _coverage(found: Sequence[Known]) -> Line:
    holds = sum(one.holds for one in found)
    return Line("the 95% range holds the truth", holds, len(found), 0.95, 0.95)


def _show(lines: Iterable[str | Line]) -> int:
    missed = 0
    for line in lines:
        print(line, flush=True)
        missed += isinstance(line, Line) and not line.passes
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shops", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="of the first shop")
    parser.add_argument("--repeats", type=int, default=400, help="of what does nothing")
    options = parser.parse_args()
    start, missed = time.process_time(), 0
    if options.shops:
        seeds = range(options.seed, options.seed + options.shops)
        found = [known for seed in seeds for known in Shop(seed).run()]
        print(f"{len(seeds)} generated shops, seeds {seeds[0]} to {seeds[-1]}")
        missed += _show(shops(found))
    if options.repeats:
        print(f"{NOTHING.id}, {options.repeats} times in one shop")
        missed += _show(nothing(list(Shop(0).nothing_happens(options.repeats))))
    print(f"{missed} missed, {time.process_time() - start:.0f} s of processor time")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
