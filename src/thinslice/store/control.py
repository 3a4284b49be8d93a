"""The control plane: everything about a shop that is not events, products or models.

One SQLite file (`control_file.py`), its tables in `control_tables.py`. Shops, experiments,
rules and people have files of their own; keys, plans and the signing secret are here.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from thinslice.errors import InputError
from thinslice.store.control_file import clock_us
from thinslice.store.experiments import ExperimentTables
from thinslice.store.list_rules import RuleTables
from thinslice.store.people import PeopleTables

KeyKind = Literal["write", "secret"]

_PREFIXES: dict[str, str] = {"write": "pk_", "secret": "sk_"}
_PREFIX_CHARACTERS = 11
_KEY = re.compile(r"[ps]k_[A-Za-z0-9_-]{43}")


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
class AgreedPlan:
    """A plan as it was agreed, with the digest that shows a later change."""

    text: str
    digest: str
    agreed_us: int


class ControlPlane(ExperimentTables, PeopleTables, RuleTables):
    """Shops, keys, experiments, rules of lists, plans, people and secrets, in one file."""

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
                    *(json.dumps(list(origins)), clock_us()),
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
                (clock_us(), shop, prefix[:_PREFIX_CHARACTERS]),
            ).rowcount

    def mark_used(self, prefixes: Iterable[str], now_us: int | None = None) -> None:
        """Note when keys were last used; called in the background, not for every request."""
        with self._writing() as db:
            db.executemany(
                "update keys set last_used_us = ? where prefix = ?",
                [(now_us or clock_us(), prefix) for prefix in prefixes],
            )

    # plans

    def agree_plan(self, shop: str, text: str, digest: str, agreed_us: int | None = None) -> None:
        """Keep a plan beside those agreed before; the latest is in force."""
        self.shop(shop)
        with self._writing() as db:
            db.execute(
                "insert into plans(shop, text, digest, agreed_us) values (?, ?, ?, ?)",
                (shop, text, digest, agreed_us or clock_us()),
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

    # secrets

    def signing_secret(self) -> bytes:
        """The 256 bits that sign links and cookies, made at the first call, the same ever after."""
        return self._signing_secret

    @cached_property
    def _signing_secret(self) -> bytes:
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


_KEY_COLUMNS = "shop, kind, prefix, origins, created_us, last_used_us, revoked_us"


def _to_key(row: tuple[str, KeyKind, str, str, int, int | None, int | None]) -> Key:
    shop, kind, prefix, origins, created_us, last_used_us, revoked_us = row
    opened_from = tuple(json.loads(origins))
    return Key(shop, kind, prefix, opened_from, created_us, last_used_us, revoked_us)


def _check_origin(origin: str) -> None:
    if not re.fullmatch(r"https?://[a-z0-9.\-\[\]:]+", origin):
        raise InputError(
            "an origin is a scheme and a host in lower case, with the port if any and no path, got "
            f"{origin!r}; for example https://shop.example"
        )


def _digest(plain: str) -> bytes:
    return hashlib.sha256(plain.encode()).digest()
