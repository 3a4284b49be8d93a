"""The words of the product, as frozen values.

Whatever crosses from one stage to another is one of these, or fulfils a protocol of
`interfaces.py`. Money in events is in minor units (cents) with a currency, time is int64
microseconds since 1970 in UTC, a product or visitor id is the shop's own string.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MICROSECONDS = 1_000_000
DAY_US = 86_400 * MICROSECONDS
_encode = msgspec.json.Encoder().encode

SESSION, ITEM_TO_ITEM, POPULAR = "session", "item_to_item", "popular"
"""The list makers that are learned; a list of the shop's own is `list:NAME`."""

CLICKS, ORDERS, MARGIN = "clicks", "orders", "margin"
OBJECTIVES = (CLICKS, ORDERS, MARGIN)
"""What session lists may be ranked for."""

INCUMBENT = "incumbent"
"""The name of the list that holds what the shop shows today."""


def policy_name(policy: str) -> str:
    """What the list of a list maker is called in a sentence.

    >>> policy_name("session"), policy_name("list:incumbent"), policy_name("list:editors")
    ('the session list', "today's list", 'the list “editors”')
    """
    known = {
        SESSION: "the session list",
        ITEM_TO_ITEM: "the seen-together list",
        POPULAR: "the popular list",
        f"list:{INCUMBENT}": "today's list",
    }
    return known.get(policy, f"the list “{policy.removeprefix('list:')}”")


class EventType(StrEnum):
    """What happened, in the event names of Segment's ecommerce specification."""

    PRODUCT_VIEWED = "Product Viewed"
    PRODUCT_ADDED = "Product Added"
    PRODUCT_REMOVED = "Product Removed"
    ORDER_COMPLETED = "Order Completed"
    ORDER_REFUNDED = "Order Refunded"
    ORDER_CANCELLED = "Order Cancelled"
    PRODUCT_LIST_VIEWED = "Product List Viewed"
    PAGE_VIEWED = "Page Viewed"
    RECOMMENDATION_SERVED = "Recommendation Served"
    RECOMMENDATION_VIEWED = "Recommendation Viewed"
    RECOMMENDATION_CLICKED = "Recommendation Clicked"


BROWSING = (EventType.PRODUCT_VIEWED, EventType.PRODUCT_ADDED, EventType.ORDER_COMPLETED)
"""The events a model learns from; their position here is their code in `SessionLog.types`."""


KPI_NAMES = (
    "conversion",
    "revenue_per_session",
    "margin_per_session",
    "revenue_per_visitor",
    "margin_per_visitor",
    "average_order_value",
    "bounce_rate",
    "views_per_session",
    "seconds_per_session",
    "click_through",
    "clicks_per_session",
    "clicks_per_visitor",
    "attributed_orders_per_visitor",
    "attributed_revenue_per_visitor",
)
"""What a plan may name as KPI or guardrail; each is defined in `outcomes/kpi.py`."""


@dataclass(frozen=True, slots=True)
class Shop:
    """A tenant. `generated` marks a shop whose data is simulated, and every page says so.

    `vat_rate` (0.19 is 19 % on top of the net price) and `margin_share` (of net revenue, where a
    product's cost is not known) are this shop's own; None leaves them to the settings.
    """

    id: str
    name: str
    currency: str = "EUR"
    time_zone: str = "UTC"
    generated: bool = False
    vat_rate: float | None = None
    margin_share: float | None = None


@dataclass(frozen=True, slots=True)
class Money:
    """An amount: `Money(1999, "EUR")` is 19.99 euros.

    >>> str(Money(-1999, "EUR"))
    'EUR -19.99'
    >>> str(Money(1500, "JPY"))
    'JPY 1,500'
    """

    minor_units: int
    currency: str

    def __str__(self) -> str:
        digits = minor_digits(self.currency)
        return f"{self.currency} {self.minor_units / 10**digits:,.{digits}f}"


_NO_MINOR_UNIT = frozenset(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()
)
_THREE_DIGITS = frozenset("BHD IQD JOD KWD LYD OMR TND".split())


def minor_digits(currency: str) -> int:
    """How many decimal digits a currency has (ISO 4217).

    >>> minor_digits("EUR"), minor_digits("JPY"), minor_digits("KWD")
    (2, 0, 3)
    """
    return 0 if currency in _NO_MINOR_UNIT else 3 if currency in _THREE_DIGITS else 2


def two_significant(value: float) -> float:
    """A number with its first two digits kept.

    >>> two_significant(3749), two_significant(-0.0347), two_significant(0)
    (3700.0, -0.035, 0.0)
    """
    if value == 0 or not math.isfinite(value):
        return float(value)
    return round(float(value), 1 - math.floor(math.log10(abs(value))))


@dataclass(frozen=True, slots=True)
class Product:
    """One line of the shop's catalogue. A price, cost or stock that is None is unknown.

    `cost_minor` is what one piece costs the shop, without tax: for margins, and never shown.
    `category` is a path such as "Home > Lighting > Lamps"; a product of unknown stock counts as
    in stock, since otherwise a shop without stock figures could show nothing. `attributes` are what
    else is known of it, such as gender, season or material: name and value, by name.
    """

    id: str
    title: str
    category: str = ""
    brand: str = ""
    colour: str = ""
    price_minor: int | None = None
    stock: int | None = None
    url: str = ""
    has_photo: bool = False
    hidden: bool = False
    cost_minor: int | None = None
    attributes: tuple[tuple[str, str], ...] = ()

    def label(self, attribute: str) -> str:
        """Its category, its colour or one of its attributes; "" where that is not known.

        >>> Product("1", "A shirt", colour="red", attributes=(("gender", "Men"),)).label("gender")
        'Men'
        """
        if attribute in ("category", "colour"):
            return str(getattr(self, attribute))
        return dict(self.attributes).get(attribute, "")

    @property
    def in_stock(self) -> bool:
        return not self.hidden and (self.stock is None or self.stock > 0)


@dataclass(frozen=True, slots=True)
class Event:
    """One product touched by one message of a visitor: an order of three products is three lines.

    `(message_id, line)` is the identity that makes counting twice impossible. `session` is the
    shop's own session id, None where it has none. `revenue_minor`, the order's total, stands on
    line 0 only, so that sums add up. `properties` is what else came, as JSON text.
    """

    message_id: str
    type: str
    time_us: int
    visitor: str
    line: int = 0
    received_us: int = 0
    session: str | None = None
    product: str | None = None
    quantity: int | None = None
    price_minor: int | None = None
    currency: str | None = None
    order_id: str | None = None
    revenue_minor: int | None = None
    exposure_id: str | None = None
    experiment: str | None = None
    variant: str | None = None
    properties: str | None = None


@dataclass(frozen=True, eq=False)
class SessionLog:
    """Many sessions as one compressed sparse row table, in the order in which they ended.

    Session `s` touched `codes[offsets[s]:offsets[s+1]]`, positions in `products`, oldest first.
    Shapes: `offsets` (S+1,) int64; `codes` (E,) int32; `times_us` (E,) int64; `types` (E,) int8,
    positions in `BROWSING`; `ids` has S session names.
    """

    products: tuple[str, ...]
    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]
    times_us: NDArray[np.int64]
    types: NDArray[np.int8]
    ids: tuple[str, ...]

    @property
    def n_sessions(self) -> int:
        return len(self.offsets) - 1

    @property
    def n_events(self) -> int:
        return len(self.codes)


class Scored(NamedTuple):
    """A candidate of a model: `because` is the session's product that spoke for it most.

    `like` is the known product that a new one looks like, where that is why it is a candidate.
    """

    product: str
    score: float
    because: str | None
    like: str | None = None


@dataclass(frozen=True, slots=True)
class Filters:
    """What may be shown. Prices are minor units of the shop's currency, both ends included."""

    in_stock: bool = True
    category: str | None = None
    price_min_minor: int | None = None
    price_max_minor: int | None = None
    exclude: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ListRules:
    """What a shop wants of every list, whoever makes it: set by people, in force at once.

    pinned             products that come first, in this order
    buried             products that come last, where nothing else is left to show
    price_from         least price, as a share of that of the product at hand: 0.5 is half
    price_to           highest price, as a share of that of the product at hand: 2 is twice
    most_of_category   products of one category in a list, at most
    least_categories   different categories in a list, at least, as far as there are as many
    no_near_duplicates of products that are nearly the same, the first one only
    objective          what session lists are ranked for, one of `OBJECTIVES`
    """

    pinned: tuple[str, ...] = ()
    buried: tuple[str, ...] = ()
    price_from: float | None = None
    price_to: float | None = None
    most_of_category: int | None = None
    least_categories: int | None = None
    no_near_duplicates: bool = False
    objective: str = CLICKS

    def pin(self, product: str) -> ListRules:
        """With the product behind those that are pinned already."""
        return (
            self
            if product in self.pinned
            else replace(self.free(product), pinned=(*self.pinned, product))
        )

    def bury(self, product: str) -> ListRules:
        return (
            self
            if product in self.buried
            else replace(self.free(product), buried=(*self.buried, product))
        )

    def free(self, product: str) -> ListRules:
        """Neither pinned nor buried."""
        return replace(
            self,
            pinned=tuple(p for p in self.pinned if p != product),
            buried=tuple(p for p in self.buried if p != product),
        )


@dataclass(frozen=True, slots=True)
class RulesChange:
    """One change of a shop's rules: when, by whom, why, and what holds since."""

    at_us: int
    who: str
    why: str
    rules: ListRules


class Ruling(NamedTuple):
    """What one rule did to one product of a list; `did` is for people."""

    rule: str
    product: str
    did: str


@dataclass(frozen=True, slots=True)
class Query:
    """A request for a list: the running session's products, oldest first, and what may be shown.

    `policy` picks the list maker ("session", "item_to_item", "popular" or "list:NAME"); None
    leaves it to the running experiment, or to "session" where there is none. `preview` is an
    experiment and the variant to see, whoever the visitor is. With `trace` the list says which rule
    did what to it; without `ruled` it is made as if the shop had no rules of its own. What was
    `bought` in this visit is not shown again, nor what is in the `cart` where lists are ranked for
    orders or margin. `category` is that of the page which is open: a path
    as in the catalogue, of which popular products come first where nothing was viewed yet.
    """

    items: tuple[str, ...] = ()
    n: int = 10
    visitor: str = ""
    session: str | None = None
    filters: Filters = field(default_factory=Filters)
    placement: str = "product"
    policy: str | None = None
    preview: tuple[str, str] | None = None
    trace: bool = False
    ruled: bool = True
    bought: frozenset[str] = frozenset()
    cart: frozenset[str] = frozenset()
    category: str = ""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One product of a list, with the reason a person can read and the list maker it came from."""

    product: str
    score: float
    reason: str
    because: str | None
    source: str


LeftOut = Literal["qa", "holdout", "paused", "not_in_traffic", "could_not_show"]
"""Why a list that was shown while an experiment ran does not count.

qa              someone asked to see this variant
holdout         the visitor is kept out of all experiments
paused          the experiment's traffic is 0
not_in_traffic  the visitor is not among the share that takes part, or has no id
could_not_show  a variant had nothing of its own for this request, whichever the visitor is in
"""


@dataclass(frozen=True, slots=True)
class Exposure:
    """A list as it was shown: experiments and attribution count these."""

    id: str
    shop: str
    time_us: int
    visitor: str
    session: str | None
    placement: str
    policy: str
    model_version: str | None
    recommendations: tuple[Recommendation, ...]
    experiment: str | None = None
    variant: str | None = None
    note: str = ""
    left_out: LeftOut | None = None
    trace: tuple[Ruling, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether an experiment counts it: it has a variant and nothing speaks against it."""
        return self.variant is not None and self.left_out is None

    def to_event(self) -> Event:
        """The exposure as an event of the log, its id being the message id.

        Positions are the order of `products`. `experiment` and `variant` are columns of the event
        where it counts; else they stand beside the reason among the properties only, so that no
        analysis can count it by mistake.
        """
        shown: dict[str, object] = {
            "placement": self.placement,
            "policy": self.policy,
            "model_version": self.model_version,
            "products": [r.product for r in self.recommendations],
            "sources": [r.source for r in self.recommendations],
            "reasons": [r.reason for r in self.recommendations],
        }
        if self.note:
            shown["note"] = self.note
        if self.left_out:
            shown |= {
                "left_out": self.left_out,
                "experiment": self.experiment,
                "variant": self.variant,
            }
        return Event(
            message_id=self.id,
            type=EventType.RECOMMENDATION_SERVED,
            time_us=self.time_us,
            received_us=self.time_us,
            visitor=self.visitor,
            session=self.session,
            exposure_id=self.id,
            experiment=self.experiment if self.counts else None,
            variant=self.variant if self.counts else None,
            properties=_encode(shown).decode(),
        )


@dataclass(frozen=True, slots=True)
class Variant:
    """One arm of an experiment: which list maker it uses and its share of the visitors."""

    name: str
    policy: str
    weight: float = 0.5


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was done to an experiment, or noticed about it: when, by whom, what, and why.

    `what` is one of `CHANGES`; `traffic` is the share of the visitors from then on, where it
    changed; `note` is the reason, the conclusion, or what was noticed.
    """

    at_us: int
    who: str
    what: str
    note: str = ""
    traffic: float | None = None


CHANGES = ("started", "ramped", "paused", "stopped", "killed", "switched", "learned", "noticed")


@dataclass(frozen=True, slots=True)
class Planned:
    """What an experiment was foreseen to take when it began, from the visitors of before.

    `visitors` are needed in all variants together; `per_day` come with all of the traffic.
    """

    visitors: int
    per_day: float


@dataclass(frozen=True, slots=True)
class Experiment:
    """Two or more variants of which the first is the control. Running while `stopped_us` is None.

    `traffic` is the share of the visitors that take part now, split by the variants' weights; the
    others see the control's list and do not count. 0 is a pause. `after` names the variant whose
    list everyone sees once it is stopped. `sequential` says whether it is looked at every day, for
    which its ranges are then made, or once, at its end. `planned` is None where nothing could be
    foreseen. `known_effect` is the true relative change of the deciding KPI where the shop is
    generated and it is known by construction; None for every real shop.
    """

    id: str
    shop: str
    question: str
    variants: tuple[Variant, ...]
    salt: str
    started_us: int
    stopped_us: int | None = None
    placement: str = "product"
    known_effect: float | None = None
    traffic: float = 1.0
    after: str | None = None
    sequential: bool = False
    planned: Planned | None = None
    changes: tuple[Change, ...] = ()

    @property
    def control(self) -> Variant:
        return self.variants[0]

    @property
    def state(self) -> str:
        """One of running, paused and stopped."""
        if self.stopped_us is not None:
            return "stopped"
        return "running" if self.traffic > 0 else "paused"

    @property
    def learned(self) -> str:
        """What the team concluded, in its latest words; empty before anyone wrote it."""
        return next((c.note for c in reversed(self.changes) if c.what == "learned"), "")

    def variant(self, name: str) -> Variant | None:
        """The variant of that name."""
        return next((v for v in self.variants if v.name == name), None)

    def running(self) -> dict[str, Any]:
        """How it is run, as plain values for pages."""
        return {
            "state": self.state,
            "traffic": self.traffic,
            "placement": self.placement,
            "after": self.after,
            "sequential": self.sequential,
            "planned": asdict(self.planned) if self.planned else None,
            "learned": self.learned,
            "changes": [asdict(change) for change in self.changes],
        }

    def traffic_days(self, until_us: int) -> float:
        """The days it has run, each counted by the share of the visitors that took part."""
        ramps = [(c.at_us, c.traffic) for c in self.changes if c.traffic is not None]
        steps = ramps or [(self.started_us, self.traffic)]
        ends = [at_us for at_us, _ in steps[1:]] + [self.stopped_us or until_us]
        lived = [
            traffic * (min(end, until_us) - at)
            for (at, traffic), end in zip(steps, ends, strict=True)
            if at < until_us
        ]
        return max(0.0, sum(lived) / DAY_US)


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its range: `low` and `high` hold the truth `confidence` of the time."""

    low: float
    estimate: float
    high: float
    confidence: float = 0.95


class Verdict(StrEnum):
    """The one set of words for a decision; each is shown with its reason."""

    SHIP = "ship"
    SMALL_WIN = "small win: ship with safeguards"
    NOT_PROVEN = "not proven"
    STOP = "stop"
    WORTH_TESTING = "worth testing"
    NOT_WORTH_TESTING = "not worth testing"
