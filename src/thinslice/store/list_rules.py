"""What every list has to keep to, shop by shop, and who changed it when.

Each change keeps the rules whole: the latest row is in force, those before it are the history.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import asdict, fields

from thinslice.domain import OBJECTIVES, ListRules, RulesChange
from thinslice.errors import InputError
from thinslice.store.control_file import clock_us
from thinslice.store.shops import ShopTables

MOST_NAMED = 1_000
"""Products that may be pinned, and that may be buried."""
_WHO_CHARACTERS = 60
_WHY_CHARACTERS = 4000


class RuleTables(ShopTables):
    """The rules of the shops' lists."""

    def list_rules(self, shop: str) -> ListRules:
        """The rules in force; none of them before anyone has set one."""
        with self._reading() as db:
            changes = _changes(db, shop, latest=True)
        return changes[0].rules if changes else ListRules()

    def rules_history(self, shop: str) -> list[RulesChange]:
        """All changes, the oldest first."""
        with self._reading() as db:
            return _changes(db, shop)

    def change_rules(
        self,
        shop: str,
        change: Callable[[ListRules], ListRules],
        *,
        who: str = "",
        why: str = "",
        at_us: int | None = None,
    ) -> ListRules:
        """Make new rules of those in force, in one transaction; what changes nothing is not kept.

        Two people who pin a product each at the same moment both find theirs pinned.
        """
        self.shop(shop)
        with self._writing() as db:
            changes = _changes(db, shop, latest=True)
            before = changes[0].rules if changes else ListRules()
            after = change(before)
            _check(after)
            if after != before:
                db.execute(
                    "insert into list_rules(shop, at_us, who, why, rules) values (?, ?, ?, ?, ?)",
                    (
                        *(shop, at_us or clock_us(), who[:_WHO_CHARACTERS], why[:_WHY_CHARACTERS]),
                        json.dumps(asdict(after), separators=(",", ":")),
                    ),
                )
        return after


def _changes(db: sqlite3.Connection, shop: str, *, latest: bool = False) -> list[RulesChange]:
    order = "desc limit 1" if latest else ""
    rows = db.execute(
        f"select at_us, who, why, rules from list_rules where shop = ? order by number {order}",  # noqa: S608
        (shop,),
    )
    return [RulesChange(at_us, who, why, _rules(text)) for at_us, who, why, text in rows]


def _rules(text: str) -> ListRules:
    known = json.loads(text)
    values = {f.name: known[f.name] for f in fields(ListRules) if f.name in known}
    return ListRules(
        **values | {name: tuple(values.get(name, ())) for name in ("pinned", "buried")}
    )


def _check(rules: ListRules) -> None:
    for name in ("pinned", "buried"):
        ids: tuple[str, ...] = getattr(rules, name)
        if len(ids) > MOST_NAMED or len(set(ids)) < len(ids):
            raise InputError(
                f"at most {MOST_NAMED} different products are {name}, got {len(ids)} of which "
                f"{len(set(ids))} differ; name each once"
            )
    if both := sorted({*rules.pinned} & {*rules.buried}):
        raise InputError(
            f"a product is pinned or buried, got both for {both[0][:200]!r}; take one of them back"
        )
    if rules.objective not in OBJECTIVES:
        raise InputError(
            f"lists are ranked for {', '.join(OBJECTIVES[:-1])} or {OBJECTIVES[-1]}, got "
            f"{rules.objective[:40]!r}; name one of them"
        )
    for name, rule in (("price_from", "from 0 to 1"), ("price_to", "at least 1")):
        share = getattr(rules, name)
        if share is not None and not (0 <= share <= 1 if name == "price_from" else share >= 1):
            raise InputError(
                f"{name} is a share of the price of the product at hand, {rule}, got {share:g}; "
                "0.5 is half, 2 is twice"
            )
    for name in ("most_of_category", "least_categories"):
        number = getattr(rules, name)
        if number is not None and not 1 <= number <= 100:
            raise InputError(f"{name} is from 1 to 100, got {number}; leave it out for no limit")
