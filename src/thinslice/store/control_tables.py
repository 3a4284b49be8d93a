"""The tables of the control plane, as numbered steps that are applied once each.

A step that has been released is never edited; a change is a new step at the end of `MIGRATIONS`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable


def shops_and_keys(db: sqlite3.Connection) -> None:
    """Tenants, and the hashes of the keys that open them."""
    db.execute(
        "create table shops(id text primary key, name text not null, currency text not null,"
        " time_zone text not null, generated integer not null, created_us integer not null)"
    )
    db.execute(
        "create table keys(number integer primary key, shop text not null references shops(id),"
        " kind text not null check (kind in ('write', 'secret')), prefix text not null,"
        " digest blob not null unique, origins text not null, created_us integer not null,"
        " last_used_us integer, revoked_us integer)"
    )
    db.execute("create index keys_by_prefix on keys(prefix)")
    db.execute("create table secrets(name text primary key, value blob not null)")


def experiments_and_plans(db: sqlite3.Connection) -> None:
    """What is tried, and what was agreed before it."""
    db.execute(
        "create table experiments(shop text not null references shops(id), id text not null,"
        " question text not null, variants text not null, salt text not null,"
        " started_us integer not null, stopped_us integer, placement text not null,"
        " known_effect real, primary key (shop, id))"
    )
    db.execute(
        "create table plans(number integer primary key, shop text not null references shops(id),"
        " text text not null, digest text not null, agreed_us integer not null)"
    )


def people(db: sqlite3.Connection) -> None:
    """Who was given a link, who looked at what, and what they said."""
    db.execute(
        "create table links(number integer primary key, shop text not null references shops(id),"
        " label text not null, created_us integer not null, expires_us integer not null)"
    )
    db.execute(
        "create table feedback(number integer primary key, shop text not null references shops(id),"
        " time_us integer not null, who text not null, page text not null, state text not null,"
        ' "right" integer, text text not null)'
    )
    db.execute(
        "create table visits(number integer primary key, shop text not null references shops(id),"
        " time_us integer not null, who text not null, page text not null, state text not null)"
    )
    db.execute("create index visits_by_shop on visits(shop, time_us)")


def running_experiments(db: sqlite3.Connection) -> None:
    """How much traffic an experiment has, what came after it, and everything that was done to it.

    A notice is kept before it is sent, so that one that was found is sent even after a crash.
    """
    db.execute("alter table experiments add column traffic real not null default 1")
    db.execute('alter table experiments add column "after" text')
    db.execute(
        "create table changes(number integer primary key, shop text not null,"
        " experiment text not null, at_us integer not null, who text not null,"
        " what text not null, note text not null, traffic real,"
        " foreign key (shop, experiment) references experiments(shop, id))"
    )
    db.execute("create index changes_by_experiment on changes(shop, experiment)")
    db.execute(
        "create table notices(number integer primary key, shop text not null,"
        " experiment text not null, about text not null, text text not null,"
        " found_us integer not null, sent_us integer, tries integer not null default 0,"
        " unique (shop, experiment, about),"
        " foreign key (shop, experiment) references experiments(shop, id))"
    )
    db.execute(
        "create table holdouts(number integer primary key,"
        " shop text not null references shops(id), share real not null,"
        " at_us integer not null, who text not null)"
    )


def looks(db: sqlite3.Connection) -> None:
    """Whether an experiment is looked at every day or once."""
    db.execute("alter table experiments add column sequential integer not null default 0")


def taxes_and_margins(db: sqlite3.Connection) -> None:
    """What a shop's tax and margin are, where they are not those of the settings."""
    db.execute("alter table shops add column vat_rate real")
    db.execute("alter table shops add column margin_share real")


def planned_sizes(db: sqlite3.Connection) -> None:
    """What an experiment was foreseen to take when it began."""
    db.execute("alter table experiments add column planned_visitors integer")
    db.execute("alter table experiments add column planned_per_day real")


def list_rules(db: sqlite3.Connection) -> None:
    """What every list has to keep to: each change with the rules as they were from then on."""
    db.execute(
        "create table list_rules(number integer primary key,"
        " shop text not null references shops(id), at_us integer not null, who text not null,"
        " why text not null, rules text not null)"
    )
    db.execute("create index list_rules_by_shop on list_rules(shop)")


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    shops_and_keys,
    experiments_and_plans,
    people,
    running_experiments,
    looks,
    taxes_and_margins,
    planned_sizes,
    list_rules,
)


def migrate(db: sqlite3.Connection) -> None:
    """Apply the steps that this file has not seen, all of them or none."""
    db.execute(
        "create table if not exists applied(number integer primary key, name text not null,"
        " applied_us integer not null)"
    )
    known = {number for (number,) in db.execute("select number from applied")}
    for number, step in enumerate(MIGRATIONS, start=1):
        if number not in known:
            step(db)
            db.execute(
                "insert into applied values (?, ?, ?)",
                (number, step.__name__, time.time_ns() // 1000),
            )
