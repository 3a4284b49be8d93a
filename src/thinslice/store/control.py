"""The control plane: shops, keys, experiments, plans, and who looked at what.

One SQLite file with a rollback journal (never WAL: several processes write it, and SQLite before
3.51.3 can lose commits of a shared WAL file). Every call opens the file, does one transaction and
closes it, so that threads and processes need agree on nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from thinslice.domain import Experiment, Shop, Variant
from thinslice.errors import BusyError, InputError, NotFoundError, StorageError, ThinsliceError
from thinslice.store.control_tables import MIGRATIONS, migrate

KeyKind = Literal["write", "secret"]

SHOP_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
RESERVED = frozenset({"v1", "static", "sign-in", "healthz", "readyz", "docs"})
"""Addresses of the service that begin as a shop's would, and so are no shop ids."""
FEEDBACK_CHARACTERS = 2000

_PREFIXES: dict[str, str] = {"write": "pk_", "secret": "sk_"}
_PREFIX_CHARACTERS = 11
_KEY = re.compile(r"[ps]k_[A-Za-z0-9_-]{43}")
_BUSY_S = 15.0


@dataclass(frozen=True, slots=True)
class Key:
    """What a key opens. The key itself is not kept, only its SHA-256 and its first characters."""

    shop: str
    kind: KeyKind
    prefix: str
    origins: tuple[str, ...] = ()
    created_us: int = 0
    last_used_us: int | None = None
    revoked_us: int | None = None


@dataclass(frozen=True, slots=True)
class Feedback:
    """An answer to "was this right? what did you expect?", with the state of the page it was about.

    `state` is the address (path and query) that shows the same page again; `who` the label of the
    link that was used; `right` None where only a text was left.
    """

    page: str
    state: str
    right: bool | None
    text: str
    who: str = ""
    time_us: int = 0


@dataclass(frozen=True, slots=True)
class Visit:
    """A page that was opened, by whom (the label of the link) and in which state (its address)."""

    page: str
    state: str
    who: str = ""
    time_us: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    """A shared link: its label, and until when it opens the shop's pages."""

    label: str
    created_us: int
    expires_us: int


@dataclass(frozen=True, slots=True)
class AgreedPlan:
    """A plan as it was agreed, with the digest that shows a later change."""

    text: str
    digest: str
    agreed_us: int


class ControlPlane:
    """Shops and everything about them that is not events, products or models."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._reading() as db:
            done = db.execute("select 1 from sqlite_master where name = 'applied'").fetchone()
            applied = db.execute("select count(*) from applied").fetchone()[0] if done else 0
        if applied < len(MIGRATIONS):
            with self._writing() as db:
                migrate(db)

    # shops

    def add_shop(self, shop: Shop) -> Shop:
        """Register a tenant; an id that is not a slug, or that is taken, is refused."""
        if not SHOP_ID.fullmatch(shop.id) or shop.id in RESERVED:
            raise InputError(
                "a shop id must be 1 to 63 of a-z, 0-9 and '-', not beginning with '-', and "
                f"none of {', '.join(sorted(RESERVED))}, got {shop.id!r}; "
                "choose another, for example 'my-shop'"
            )
        if not re.fullmatch("[A-Z]{3}", shop.currency):
            raise InputError(
                f"a currency is three capital letters (ISO 4217), got {shop.currency!r}; "
                "for example EUR"
            )
        _check_time_zone(shop.time_zone)
        with self._writing() as db:
            if _shop(db, shop.id):
                raise InputError(
                    f"a shop id must be new, {shop.id!r} exists; use it or choose another"
                )
            db.execute(
                "insert into shops values (?, ?, ?, ?, ?, ?)",
                (
                    *(shop.id, shop.name or shop.id, shop.currency, shop.time_zone),
                    *(int(shop.generated), _now_us()),
                ),
            )
        return shop

    def shop(self, shop_id: str) -> Shop:
        """The shop of that id; NotFoundError names those that exist."""
        with self._reading() as db:
            found = _shop(db, shop_id)
        if found is None:
            known = ", ".join(s.id for s in self.shops()) or "none yet"
            raise NotFoundError(
                f"a shop must exist to be used, there is no {shop_id!r}; the shops here: {known}"
            )
        return found

    def shops(self) -> list[Shop]:
        """All shops, by id."""
        with self._reading() as db:
            rows = db.execute(
                "select id, name, currency, time_zone, generated from shops order by id"
            ).fetchall()
        return [_to_shop(row) for row in rows]

    # keys

    def create_key(self, shop: str, kind: str, origins: Sequence[str] = ()) -> str:
        """A new key, returned this once: only its SHA-256 is kept."""
        self.shop(shop)
        if kind not in _PREFIXES:
            raise InputError(f"a key is 'write' or 'secret', got {kind!r}")
        for origin in origins:
            _check_origin(origin)
        plain = _PREFIXES[kind] + secrets.token_urlsafe(32)
        with self._writing() as db:
            db.execute(
                "insert into keys(shop, kind, prefix, digest, origins, created_us)"
                " values (?, ?, ?, ?, ?, ?)",
                (
                    *(shop, kind, plain[:_PREFIX_CHARACTERS], _digest(plain)),
                    *(json.dumps(list(origins)), _now_us()),
                ),
            )
        return plain

    def key(self, plain: str) -> Key | None:
        """What a key opens, or None when it is unknown or revoked."""
        if not _KEY.fullmatch(plain):
            return None
        digest = _digest(plain)
        with self._reading() as db:
            rows = db.execute(
                f"select {_KEY_COLUMNS}, digest from keys where prefix = ?"  # noqa: S608
                " and revoked_us is null",
                (plain[:_PREFIX_CHARACTERS],),
            ).fetchall()
        return next(
            (_to_key(row[:-1]) for row in rows if hmac.compare_digest(row[-1], digest)), None
        )

    def keys(self, shop: str) -> list[Key]:
        """The shop's keys, revoked ones included, oldest first."""
        with self._reading() as db:
            rows = db.execute(
                f"select {_KEY_COLUMNS} from keys where shop = ? order by number",  # noqa: S608
                (shop,),
            ).fetchall()
        return [_to_key(row) for row in rows]

    def revoke_key(self, shop: str, prefix: str) -> int:
        """Close the shop's keys that begin so; return how many were open."""
        if len(prefix) < _PREFIX_CHARACTERS:
            raise InputError(
                f"a key is named by its first {_PREFIX_CHARACTERS} characters, got {prefix!r}; "
                "`thinslice key list` shows them"
            )
        with self._writing() as db:
            return db.execute(
                "update keys set revoked_us = ? where shop = ? and prefix = ?"
                " and revoked_us is null",
                (_now_us(), shop, prefix[:_PREFIX_CHARACTERS]),
            ).rowcount

    def mark_used(self, prefixes: Iterable[str], now_us: int | None = None) -> None:
        """Note when keys were last used; called in the background, not for every request."""
        with self._writing() as db:
            db.executemany(
                "update keys set last_used_us = ? where prefix = ?",
                [(now_us or _now_us(), prefix) for prefix in prefixes],
            )

    # experiments and plans

    def start_experiment(self, experiment: Experiment) -> Experiment:
        """Begin it; a placement runs one experiment at a time, so that an effect has one cause."""
        self.shop(experiment.shop)
        _check_experiment(experiment)
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
            db.execute(
                "insert into experiments values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(experiment.shop, experiment.id, experiment.question, json.dumps(variants)),
                    *(experiment.salt, experiment.started_us, experiment.stopped_us),
                    *(experiment.placement, experiment.known_effect),
                ),
            )
        return experiment

    def stop_experiment(self, shop: str, experiment_id: str, now_us: int | None = None) -> None:
        """End it; a stopped one keeps the time at which it was stopped first."""
        with self._writing() as db:
            if not any(e.id == experiment_id for e in _experiments(db, shop)):
                known = ", ".join(e.id for e in _experiments(db, shop)) or "none yet"
                raise NotFoundError(
                    f"an experiment must exist to be stopped, there is no {experiment_id!r}; "
                    f"the experiments of {shop!r}: {known}"
                )
            db.execute(
                "update experiments set stopped_us = ?"
                " where shop = ? and id = ? and stopped_us is null",
                (now_us or _now_us(), shop, experiment_id),
            )

    def experiments(self, shop: str) -> list[Experiment]:
        """The shop's experiments, the oldest first."""
        with self._reading() as db:
            return _experiments(db, shop)

    def agree_plan(self, shop: str, text: str, digest: str, agreed_us: int | None = None) -> None:
        """Keep a plan beside those agreed before; the latest is in force."""
        self.shop(shop)
        with self._writing() as db:
            db.execute(
                "insert into plans(shop, text, digest, agreed_us) values (?, ?, ?, ?)",
                (shop, text, digest, agreed_us or _now_us()),
            )

    def plan(self, shop: str) -> str | None:
        """The text of the plan in force."""
        agreed = self.plans(shop)
        return agreed[-1].text if agreed else None

    def plans(self, shop: str) -> list[AgreedPlan]:
        """All plans that were ever agreed, the oldest first."""
        with self._reading() as db:
            rows = db.execute(
                "select text, digest, agreed_us from plans where shop = ? order by number", (shop,)
            ).fetchall()
        return [AgreedPlan(*row) for row in rows]

    # people

    def add_link(self, shop: str, label: str, expires_us: int) -> None:
        """Note that a link was given out."""
        self.shop(shop)
        with self._writing() as db:
            db.execute(
                "insert into links(shop, label, created_us, expires_us) values (?, ?, ?, ?)",
                (shop, label, _now_us(), expires_us),
            )

    def links(self, shop: str) -> list[Link]:
        """The links that were given out, the oldest first."""
        with self._reading() as db:
            rows = db.execute(
                "select label, created_us, expires_us from links where shop = ? order by number",
                (shop,),
            ).fetchall()
        return [Link(*row) for row in rows]

    def add_feedback(self, shop: str, feedback: Feedback) -> None:
        """Keep what someone said about a page; a text is cut at 2000 characters."""
        self.shop(shop)
        right = None if feedback.right is None else int(feedback.right)
        with self._writing() as db:
            db.execute(
                'insert into feedback(shop, time_us, who, page, state, "right", text)'
                " values (?, ?, ?, ?, ?, ?, ?)",
                (
                    *(shop, feedback.time_us or _now_us(), feedback.who, feedback.page),
                    *(feedback.state, right, feedback.text[:FEEDBACK_CHARACTERS]),
                ),
            )

    def feedback(self, shop: str, limit: int = 500) -> list[Feedback]:
        """What people said, the latest first."""
        with self._reading() as db:
            rows = db.execute(
                'select page, state, "right", text, who, time_us from feedback'
                " where shop = ? order by number desc limit ?",
                (shop, limit),
            ).fetchall()
        return [
            Feedback(page, state, None if right is None else bool(right), *rest)
            for page, state, right, *rest in rows
        ]

    def add_visits(self, visits: Iterable[tuple[str, Visit]]) -> None:
        """Keep which pages of which shops were opened, in one transaction."""
        with self._writing() as db:
            db.executemany(
                "insert into visits(shop, time_us, who, page, state) values (?, ?, ?, ?, ?)",
                [(s, v.time_us or _now_us(), v.who, v.page, v.state) for s, v in visits],
            )

    def visits(self, shop: str, limit: int = 500) -> list[Visit]:
        """The pages that were opened, the latest first."""
        with self._reading() as db:
            rows = db.execute(
                "select page, state, who, time_us from visits"
                " where shop = ? order by number desc limit ?",
                (shop, limit),
            ).fetchall()
        return [Visit(*row) for row in rows]

    # secrets

    def signing_secret(self) -> bytes:
        """The 256 bits that sign links and cookies, made at the first call, the same ever after."""
        with self._reading() as db:
            found = db.execute("select value from secrets where name = 'signing'").fetchone()
        if found is None:
            with self._writing() as db:
                db.execute(
                    "insert or ignore into secrets values ('signing', ?)",
                    (secrets.token_bytes(32),),
                )
                found = db.execute("select value from secrets where name = 'signing'").fetchone()
        return bytes(found[0])

    # the file

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._connect()) as db:
                yield db
        except sqlite3.Error as error:
            raise _storage_error(self.path, error) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as db:
            db.execute("begin immediate")
            try:
                yield db
            except BaseException:
                if db.in_transaction:  # a full disk has ended it already
                    db.execute("rollback")
                raise
            db.execute("commit")

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None)
        db.execute("pragma foreign_keys = on")
        return db


_KEY_COLUMNS = "shop, kind, prefix, origins, created_us, last_used_us, revoked_us"


def _storage_error(path: Path, error: sqlite3.Error) -> ThinsliceError:
    if "locked" in str(error):
        return BusyError(
            f"the control file was being written for longer than {_BUSY_S:.0f} s; try again"
        )
    return StorageError(
        f"the control file must be readable and writable, {path} says: {error}; "
        "look at its disk and its permissions"
    )


def _shop(db: sqlite3.Connection, shop_id: str) -> Shop | None:
    row = db.execute(
        "select id, name, currency, time_zone, generated from shops where id = ?", (shop_id,)
    ).fetchone()
    return _to_shop(row) if row else None


def _to_shop(row: tuple[str, str, str, str, int]) -> Shop:
    return Shop(*row[:4], generated=bool(row[4]))


def _to_key(row: tuple[str, KeyKind, str, str, int, int | None, int | None]) -> Key:
    shop, kind, prefix, origins, created_us, last_used_us, revoked_us = row
    opened_from = tuple(json.loads(origins))
    return Key(shop, kind, prefix, opened_from, created_us, last_used_us, revoked_us)


def _experiments(db: sqlite3.Connection, shop: str) -> list[Experiment]:
    rows = db.execute(
        "select id, shop, question, variants, salt, started_us, stopped_us, placement, known_effect"
        " from experiments where shop = ? order by started_us, id",
        (shop,),
    ).fetchall()
    return [
        Experiment(
            *(experiment_id, shop_id, question),
            tuple(Variant(*variant) for variant in json.loads(variants)),
            *rest,
        )
        for experiment_id, shop_id, question, variants, *rest in rows
    ]


def _check_experiment(experiment: Experiment) -> None:
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
            f"an experiment id must be 1 to 63 of a-z, 0-9 and '-', got {experiment.id!r}"
        )


def _check_time_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InputError(
            f"a time zone must be one of the IANA database, got {name!r}; for example Europe/Vienna"
        ) from error


def _check_origin(origin: str) -> None:
    if not re.fullmatch(r"https?://[a-z0-9.\-\[\]:]+", origin):
        raise InputError(
            "an origin is a scheme and a host in lower case, with the port if any and no path, got "
            f"{origin!r}; for example https://shop.example"
        )


def _digest(plain: str) -> bytes:
    return hashlib.sha256(plain.encode()).digest()


def _now_us() -> int:
    return time.time_ns() // 1000
