"""The tenants."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace
from zoneinfo import ZoneInfo

from thinslice.domain import Shop
from thinslice.errors import InputError, NotFoundError
from thinslice.store.control_file import ControlFile, clock_us

SHOP_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
RESERVED = frozenset({"v1", "static", "sign-in", "healthz", "readyz", "docs"})
"""Addresses of the service that begin as a shop's would, and so are no shop ids."""


class ShopTables(ControlFile):
    """The shops."""

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
        _check_rates(shop)
        with self._writing() as db:
            if _shop(db, shop.id):
                raise InputError(
                    f"a shop id must be new, {shop.id!r} exists; use it or choose another"
                )
            db.execute(
                f"insert into shops({_COLUMNS}, created_us)"  # noqa: S608 a constant
                " values (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(shop.id, shop.name or shop.id, shop.currency, shop.time_zone),
                    *(int(shop.generated), shop.vat_rate, shop.margin_share, clock_us()),
                ),
            )
        return shop

    def set_tax_and_margin(
        self, shop_id: str, *, vat_rate: float | None, margin_share: float | None
    ) -> Shop:
        """Keep the shop's own rates, of which None leaves one to the settings."""
        changed = replace(self.shop(shop_id), vat_rate=vat_rate, margin_share=margin_share)
        _check_rates(changed)
        with self._writing() as db:
            db.execute(
                "update shops set vat_rate = ?, margin_share = ? where id = ?",
                (vat_rate, margin_share, shop_id),
            )
        return changed

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
                f"select {_COLUMNS} from shops order by id"  # noqa: S608 a constant
            ).fetchall()
        return [_to_shop(row) for row in rows]


_COLUMNS = "id, name, currency, time_zone, generated, vat_rate, margin_share"


def _shop(db: sqlite3.Connection, shop_id: str) -> Shop | None:
    row = db.execute(
        f"select {_COLUMNS} from shops where id = ?",  # noqa: S608 a constant
        (shop_id,),
    ).fetchone()
    return _to_shop(row) if row else None


def _to_shop(row: tuple[str, str, str, str, int, float | None, float | None]) -> Shop:
    return Shop(*row[:4], generated=bool(row[4]), vat_rate=row[5], margin_share=row[6])


def _check_rates(shop: Shop) -> None:
    for name in ("vat_rate", "margin_share"):
        rate = getattr(shop, name)
        if rate is not None and not 0 <= rate <= 1:
            raise InputError(f"a {name} lies between 0 and 1, got {rate}; 19 % is written 0.19")


def _check_time_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InputError(
            f"a time zone must be one of the IANA database, got {name!r}; for example Europe/Vienna"
        ) from error
