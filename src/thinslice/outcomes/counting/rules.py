"""How outcomes are counted where a shop may choose: windows, tax, margin, and who is a robot."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from thinslice.errors import InputError


@dataclass(frozen=True, slots=True)
class Rules:
    """The choices behind the figures of a readout, which are shown beside them.

    attribution_days       an order belongs to a click on a list at most this many days before it
    vat_rate               the value-added tax in the log's prices, as a share of the net price:
                           0.19 is 19 %. 0 where prices are net
    margin_share           the share of net revenue that is margin, for orders of a product whose
                           cost is not known; None where nobody has said so
    bot_events_per_minute  a visitor with more events than this in one minute is a robot
    bot_views              so is one with as many product views in a session that has neither a
                           cart nor an order

    Raises `InputError` for a value that makes no sense.
    """

    attribution_days: float = 7.0
    vat_rate: float = 0.0
    margin_share: float | None = None
    bot_events_per_minute: int = 120
    bot_views: int = 300

    def __post_init__(self) -> None:
        _check("attribution_days", self.attribution_days, 0, 365)
        _check("vat_rate", self.vat_rate, 0, 1)
        _check("bot_events_per_minute", self.bot_events_per_minute, 1, 1e6)
        _check("bot_views", self.bot_views, 1, 1e6)
        if self.margin_share is not None:
            _check("margin_share", self.margin_share, 0, 1)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


RULES = tuple(Rules.__dataclass_fields__)
"""The names of the rules; settings of the same names hold them."""


@dataclass(frozen=True, slots=True)
class ProductFacts:
    """What readouts use of the catalogue: categories by product, and costs in minor units."""

    categories: Mapping[str, str] = field(default_factory=dict)
    costs: Mapping[str, int] = field(default_factory=dict)

    def has_margin(self, rules: Rules) -> bool:
        """Whether anything says what margin is."""
        return bool(self.costs) or rules.margin_share is not None


def _check(name: str, value: float, least: float, most: float) -> None:
    if not (math.isfinite(value) and least <= value <= most):
        raise InputError(f"{name} lies between {least:g} and {most:g}, got {value!r}")
