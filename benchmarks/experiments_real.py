"""What `thinslice.outcomes.experiment` says about experiments of others whose answer is known.

    python benchmarks/experiments_real.py --data DIR

DIR has ab_hillstrom/hillstrom.csv.gz (the e-mail test of 2008), ab_asos/experiments.parquet (78
experiments of ASOS, sums over time: Liu et al. 2021) and ab_cookie_cats/cookie_cats.csv.gz. Each
is skipped with "not run" where it is missing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from thinslice.domain import Verdict
from thinslice.outcomes import Metric, Moments, Trial, experiment

PUBLISHED = {
    "Mens E-Mail": {"visit": 0.1828, "conversion": 0.0125, "spend": 1.4226},
    "Womens E-Mail": {"visit": 0.1514, "conversion": 0.0088, "spend": 1.0772},
    "No E-Mail": {"visit": 0.1062, "conversion": 0.0057, "spend": 0.6528},
}
"""Per customer, as the answers to Hillstrom's challenge give them."""


def hillstrom(path: Path) -> Iterator[tuple[str, bool]]:
    """Two e-mails against none: both ship, and the figures are the published ones."""
    frame = pl.read_csv(path / "ab_hillstrom" / "hillstrom.csv.gz", infer_schema_length=None)
    metrics = [Metric("visit"), Metric("conversion"), Metric("spend", unit="money")]
    found = experiment(
        frame, "segment", control="No E-Mail", metrics=metrics, question="Does an e-mail sell more?"
    )
    print(found, "\n")
    same = all(
        f"{moments.mean(name):.4f}" == f"{value:.4f}"
        for arm, moments in found.moments.items()
        for name, value in PUBLISHED[arm].items()
    )
    yield "every published figure is reproduced", same
    yield "both e-mails ship", _verdicts(found) == [Verdict.SHIP, Verdict.SHIP]
    yield "the split is as meant", found.split.ok and not found.split.doubtful
    adjusted = experiment(
        frame,
        "segment",
        control="No E-Mail",
        metrics=Metric("visit", covariate="history"),
    )
    plain = next(row for row in found.rows if row.metric.name == "visit per visitor")
    print(
        f"visit, {adjusted.best.treatment}: difference {_range(adjusted)} with what was spent "
        f"before taken out, {plain.absolute.estimate:.4f} without\n"
    )
    yield "the covariate from before is balanced", adjusted.verdict is not None


def cookie_cats(path: Path) -> Iterator[tuple[str, bool]]:
    """A gate at level 40 instead of 30 loses players, and its split raises the alarm."""
    frame = pl.read_csv(path / "ab_cookie_cats" / "cookie_cats.csv.gz").with_columns(
        pl.col("retention_1", "retention_7").cast(pl.Int8)
    )
    metrics = [Metric("retention_7", max_worse=0.01), Metric("retention_1", max_worse=0.01)]
    found = experiment(frame, "version", control="gate_30", metrics=metrics)
    print(found, "\n")
    kept = [f"{m.mean('retention_7'):.2%}" for m in found.moments.values()]
    yield "7-day retention is 19.02 % and 18.20 %", kept == ["19.02%", "18.20%"]
    yield "the split (p = 0.009) raises the alarm", bool(found.split.warning)
    yield "worse retention stops it", found.verdict is Verdict.STOP


def asos(path: Path) -> Iterator[tuple[str, bool]]:
    """Every snapshot of every experiment, as if somebody had looked and stopped at the first."""
    rows = pl.read_parquet(path / "ab_asos" / "experiments.parquet").drop_nulls()
    start, looks, kinds = time.perf_counter(), 0, {"one look": 0, "any number of looks": 0}
    agree = final = broken = courses = 0
    keys = ["experiment_id", "variant_id", "metric_id"]
    for _, course in rows.sort("time_since_start").group_by(keys, maintain_order=True):
        snapshots = [_groups(row) for row in course.iter_rows(named=True)]
        snapshots = [groups for groups in snapshots if _usable(groups)]
        if len(snapshots) < 2:
            continue
        courses += 1
        looks += len(snapshots)
        daily = [experiment(groups, metrics=Metric("x"), sequential=True) for groups in snapshots]
        once = [experiment(groups, metrics=Metric("x")) for groups in snapshots]
        ends = once[-1].rows[0].change
        for kind, trials in (("one look", once), ("any number of looks", daily)):
            kinds[kind] += _ever(trials)
        broken += not daily[-1].split.ok
        if _ever(daily):
            final += 1
            agree += _first(daily) == ends or ends == "unclear"
    seconds = time.perf_counter() - start
    found_once = kinds["one look"]
    print(
        f"ASOS: {courses} courses of a metric, {looks:,} snapshots read twice in {seconds:.1f} s; "
        f"{broken} with a broken split. A difference was found at some snapshot in {found_once} "
        f"with ranges for one look, and in {kinds['any number of looks']} with ranges for any "
        f"number of looks; {agree} of those {final} are not contradicted at the end.\n"
    )
    yield (
        "ranges for any number of looks find fewer differences",
        (kinds["any number of looks"] <= found_once),
    )
    yield "what they found first is not contradicted at the end", agree == final


def _groups(row: dict[str, float]) -> dict[str, Moments]:
    return {
        arm: Moments.from_summary(
            "x", int(row[f"count_{c}"]), row[f"mean_{c}"], row[f"variance_{c}"]
        )
        for arm, c in (("A", "c"), ("B", "t"))
    }


def _usable(groups: dict[str, Moments]) -> bool:
    return all(moments.n >= 2 for moments in groups.values())


def _ever(trials: list[Trial]) -> bool:
    return any(trial.rows[0].change in ("better", "worse") for trial in trials)


def _first(trials: list[Trial]) -> str:
    changes = (trial.rows[0].change for trial in trials)
    return next(change for change in changes if change in ("better", "worse"))


def _verdicts(trial: Trial) -> list[Verdict | None]:
    return [comparison.decision.verdict for comparison in trial.comparisons]


def _range(trial: Trial) -> str:
    absolute = trial.rows[0].absolute
    return f"{absolute.estimate:.4f} ({absolute.low:.4f} to {absolute.high:.4f})"


CASES: dict[str, Callable[[Path], Iterator[tuple[str, bool]]]] = {
    "ab_hillstrom": hillstrom,
    "ab_cookie_cats": cookie_cats,
    "ab_asos": asos,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    missed = 0
    for name, case in CASES.items():
        if not (data / name).is_dir():
            print(f"{name}: not run, since {data / name} is missing")
            continue
        for what, holds in case(data):
            missed += not holds
            print(f"  {name}: {what:58s} {'ok' if holds else 'MISSED'}")
        print()
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
