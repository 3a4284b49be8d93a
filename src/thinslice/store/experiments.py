"""Experiments: what runs, what was done to it by whom, and what was noticed about it.

Every action is one transaction that looks first: two people who start, ramp or stop the same
experiment at once cannot both be right, and the second is told so.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from thinslice.domain import Change, Experiment, Planned, Variant
from thinslice.errors import InputError, NotFoundError
from thinslice.store.control_file import clock_us
from thinslice.store.shops import SHOP_ID, ShopTables

NOTE_CHARACTERS = 4000
_WHO_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Notice:
    """Something broken that was found in a running experiment; each `about` is found once."""

    number: int
    shop: str
    experiment: str
    about: str
    text: str
    found_us: int
    sent_us: int | None = None
    tries: int = 0


class ExperimentTables(ShopTables):
    """Experiments, their changes, notices, and the shops' holdouts."""

    def start_experiment(self, experiment: Experiment, who: str = "", why: str = "") -> Experiment:
        """Begin it; a placement runs one experiment at a time, so that an effect has one cause."""
        self.shop(experiment.shop)
        _check(experiment)
        began = Change(experiment.started_us, who, "started", why, experiment.traffic)
        with self._writing() as db:
            for running in _experiments(db, experiment.shop):
                if running.id == experiment.id:
                    raise InputError(
                        f"an experiment id must be new, {experiment.id!r} exists; choose another"
                    )
                if running.stopped_us is None and running.placement == experiment.placement:
                    raise InputError(
                        f"one experiment runs at a placement, {running.id!r} runs at "
                        f"{running.placement!r}; stop it first"
                    )
            variants = [[v.name, v.policy, v.weight] for v in experiment.variants]
            planned = experiment.planned
            db.execute(
                "insert into experiments(shop, id, question, variants, salt, started_us,"
                ' stopped_us, placement, known_effect, traffic, "after", sequential,'
                " planned_visitors, planned_per_day)"
                " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(experiment.shop, experiment.id, experiment.question, json.dumps(variants)),
                    *(experiment.salt, experiment.started_us, experiment.stopped_us),
                    *(experiment.placement, experiment.known_effect, experiment.traffic),
                    *(experiment.after, int(experiment.sequential)),
                    *((planned.visitors, planned.per_day) if planned else (None, None)),
                ),
            )
            _note(db, experiment.shop, experiment.id, began)
        return replace(experiment, changes=(_cut(began),))

    def ramp_experiment(
        self,
        shop: str,
        experiment_id: str,
        traffic: float,
        *,
        who: str = "",
        why: str = "",
        at_us: int | None = None,
    ) -> None:
        """Change the share of the visitors that take part; 0 pauses.

        It only rises, since visitors who left would have seen both lists. After a pause it goes
        on with at least what it had.
        """
        if not 0 <= traffic <= 1:
            raise InputError(
                f"the traffic is a share of the visitors from 0 to 1, got {traffic:g}; "
                "0.05 is one in twenty"
            )
        with self._changing(shop, experiment_id) as (db, experiment):
            _running(experiment)
            highest = max((c.traffic or 0.0 for c in experiment.changes), default=1.0)
            if 0 < traffic < highest:
                raise InputError(
                    f"the traffic of an experiment only rises, it had {highest:g} and was to get "
                    f"{traffic:g}: who left would have seen both lists; raise it, pause it with "
                    "0, or stop it"
                )
            if traffic == experiment.traffic:
                return
            db.execute(
                "update experiments set traffic = ? where shop = ? and id = ?",
                (traffic, shop, experiment_id),
            )
            what = "ramped" if traffic else "paused"
            _note(db, shop, experiment_id, Change(at_us or clock_us(), who, what, why, traffic))

    def stop_experiment(
        self,
        shop: str,
        experiment_id: str,
        now_us: int | None = None,
        *,
        after: str | None = None,
        who: str = "",
        why: str = "",
        killed: bool = False,
    ) -> None:
        """End it; from then on everyone sees the list of the variant `after`, or the control's.

        A stopped one keeps the time at which it was stopped first. What everyone sees may still
        be changed; a second kill, or a second stop that says nothing new, changes nothing.
        """
        with self._changing(shop, experiment_id) as (db, experiment):
            is_first = experiment.stopped_us is None
            kept = None if is_first or killed else experiment.after
            after = after or kept or experiment.control.name
            if experiment.variant(after) is None:
                names = " or ".join(repr(v.name) for v in experiment.variants)
                raise InputError(
                    f"what everyone sees afterwards is one of the variants, got {after[:63]!r}; "
                    f"choose {names}"
                )
            if after == experiment.after:
                return
            at_us = now_us or clock_us()
            db.execute(
                'update experiments set stopped_us = coalesce(stopped_us, ?), "after" = ?'
                " where shop = ? and id = ?",
                (at_us, after, shop, experiment_id),
            )
            what = "killed" if killed else "stopped" if is_first else "switched"
            said = why or (f"Everyone sees {after}." if not killed else "")
            _note(db, shop, experiment_id, Change(at_us, who, what, said))

    def conclude_experiment(
        self, shop: str, experiment_id: str, text: str, *, who: str = "", at_us: int | None = None
    ) -> None:
        """Keep what the team learned; earlier words stay in the history."""
        with self._changing(shop, experiment_id) as (db, experiment):
            if text.strip() != experiment.learned:
                said = Change(at_us or clock_us(), who, "learned", text.strip())
                _note(db, shop, experiment_id, said)

    def experiments(self, shop: str) -> list[Experiment]:
        """The shop's experiments, the oldest first."""
        with self._reading() as db:
            return _experiments(db, shop)

    # what was noticed

    def notice(self, shop: str, experiment_id: str, about: str, text: str) -> bool:
        """Keep a notice that is to be sent; False when there was one about the same already."""
        with self._changing(shop, experiment_id) as (db, _):
            found_us = clock_us()
            is_new = db.execute(
                "insert or ignore into notices(shop, experiment, about, text, found_us)"
                " values (?, ?, ?, ?, ?)",
                (shop, experiment_id, about, text[:NOTE_CHARACTERS], found_us),
            ).rowcount
            if is_new:
                said = Change(found_us, "thinslice", "noticed", text)
                _note(db, shop, experiment_id, said)
        return bool(is_new)

    def unsent_notices(self) -> list[Notice]:
        """The notices of all shops that have not been sent yet, the oldest first."""
        with self._reading() as db:
            rows = db.execute(
                "select number, shop, experiment, about, text, found_us, sent_us, tries"
                " from notices where sent_us is null order by number"
            ).fetchall()
        return [Notice(*row) for row in rows]

    def mark_notice(self, number: int, *, sent: bool) -> None:
        """Note that a notice was tried to be sent, and whether that worked."""
        with self._writing() as db:
            db.execute(
                "update notices set tries = tries + 1, sent_us = ? where number = ?",
                (clock_us() if sent else None, number),
            )

    # who is kept out of everything

    def set_holdout(self, shop: str, share: float, who: str = "") -> None:
        """Keep a share of the visitors out of all experiments from now on."""
        self.shop(shop)
        if not 0 <= share <= 0.5:
            raise InputError(
                f"a holdout is a share of the visitors from 0 to 0.5, got {share:g}; 0.05 keeps "
                "one in twenty out of all experiments"
            )
        with self._writing() as db:
            db.execute(
                "insert into holdouts(shop, share, at_us, who) values (?, ?, ?, ?)",
                (shop, share, clock_us(), who[:_WHO_CHARACTERS]),
            )

    def holdout(self, shop: str) -> float:
        """The share of the visitors that are kept out of all experiments."""
        with self._reading() as db:
            row = db.execute(
                "select share from holdouts where shop = ? order by number desc limit 1", (shop,)
            ).fetchone()
        return float(row[0]) if row else 0.0

    @contextmanager
    def _changing(
        self, shop: str, experiment_id: str
    ) -> Iterator[tuple[sqlite3.Connection, Experiment]]:
        """A transaction about one experiment, with the experiment as it is."""
        with self._writing() as db:
            known = {e.id: e for e in _experiments(db, shop)}
            if experiment_id not in known:
                raise NotFoundError(
                    f"an experiment must exist to be changed, there is no {experiment_id[:63]!r}; "
                    f"the experiments of {shop!r}: {', '.join(known) or 'none yet'}"
                )
            yield db, known[experiment_id]


def _experiments(db: sqlite3.Connection, shop: str) -> list[Experiment]:
    changes = defaultdict[str, list[Change]](list)
    for name, *row in db.execute(
        "select experiment, at_us, who, what, note, traffic from changes"
        " where shop = ? order by number",
        (shop,),
    ):
        changes[name].append(Change(*row))
    rows = db.execute(
        "select id, shop, question, variants, salt, started_us, stopped_us, placement,"
        ' known_effect, traffic, "after", sequential, planned_visitors, planned_per_day'
        " from experiments"
        " where shop = ? order by started_us, id",
        (shop,),
    ).fetchall()
    return [
        replace(
            Experiment(
                *(experiment_id, shop_id, question),
                tuple(Variant(*variant) for variant in json.loads(variants)),
                *rest,
            ),
            sequential=bool(sequential),
            planned=Planned(visitors, per_day) if visitors else None,
            changes=tuple(changes[experiment_id]),
        )
        for experiment_id, shop_id, question, variants, *rest, sequential, visitors, per_day in rows
    ]


def _note(db: sqlite3.Connection, shop: str, experiment_id: str, change: Change) -> None:
    change = _cut(change)
    db.execute(
        "insert into changes(shop, experiment, at_us, who, what, note, traffic)"
        " values (?, ?, ?, ?, ?, ?, ?)",
        (
            *(shop, experiment_id, change.at_us, change.who, change.what),
            *(change.note, change.traffic),
        ),
    )


def _cut(change: Change) -> Change:
    """A change with texts of a length that a page can show."""
    return replace(change, who=change.who[:_WHO_CHARACTERS], note=change.note[:NOTE_CHARACTERS])


def _running(experiment: Experiment) -> None:
    if experiment.stopped_us is not None:
        raise InputError(
            f"an experiment that is stopped stays so, {experiment.id!r} is; start a new one"
        )


def _check(experiment: Experiment) -> None:
    names = [v.name for v in experiment.variants]
    if len(names) < 2 or len(set(names)) < len(names):
        raise InputError(f"an experiment has two or more variants of different names, got {names}")
    if any(not v.weight > 0 for v in experiment.variants):
        raise InputError(
            "a variant's share of the visitors must be above 0, got "
            f"{[v.weight for v in experiment.variants]}"
        )
    if not SHOP_ID.fullmatch(experiment.id):
        raise InputError(
            f"an experiment id must be 1 to 63 of a-z, 0-9 and '-', got {experiment.id[:63]!r}; "
            "for example autumn-lists"
        )
    if not 0 < experiment.traffic <= 1:
        raise InputError(
            "an experiment starts with a share of the visitors above 0 and at most 1, got "
            f"{experiment.traffic:g}; 0.05 is one in twenty"
        )
