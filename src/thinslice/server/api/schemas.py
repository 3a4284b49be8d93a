"""The bodies of the API, as types that decode, check and document themselves."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from thinslice.errors import InputError

Id = Annotated[str, Meta(min_length=1, max_length=200)]
Attributes = Annotated[
    dict[
        Annotated[str, Meta(min_length=1, max_length=60)],
        Annotated[str, Meta(min_length=1, max_length=200)],
    ],
    Meta(max_length=50),
]
Amount = int | float | str
"""Money in major units: 19.99, or "19.99" where a float would not do."""

_UNKNOWN_FIELD = re.compile(r"unknown field `(?P<name>[^`]*)`")


class FilterBody(msgspec.Struct, forbid_unknown_fields=True):
    """What may be shown. Prices are in the shop's currency, both ends included."""

    in_stock: bool = True
    category: Annotated[str, Meta(max_length=500)] | None = None
    price_min: Amount | None = None
    price_max: Amount | None = None
    exclude: Annotated[list[Id], Meta(max_length=1000)] = []


class RecommendationsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Which list is wanted: for these products, or for a session or visitor the log knows.

    What was `bought` in this visit is not shown again, nor what is in the `cart` where lists are
    ranked for orders or margin; of a `category` whose page is open popular products come first
    where nothing was viewed yet. Of a session or visitor the log knows all three.
    `timestamp`, `policy` and `trace` are for the secret key: history, a list maker of one's choice,
    and which rule did what to the list.
    `preview` shows one variant of an experiment, and the list counts for nothing: a text from
    `thinslice experiment preview`, or EXPERIMENT/VARIANT with the secret key.
    """

    items: Annotated[list[Id], Meta(max_length=500)] | None = None
    bought: Annotated[list[Id], Meta(max_length=500)] = msgspec.field(default_factory=list)
    cart: Annotated[list[Id], Meta(max_length=500)] = msgspec.field(default_factory=list)
    category: Annotated[str, Meta(max_length=500)] = ""
    session_id: Annotated[str, Meta(max_length=200)] = ""
    visitor_id: Annotated[str, Meta(max_length=200)] = ""
    anonymousId: Annotated[str, Meta(max_length=200)] = ""
    n: Annotated[int, Meta(ge=1, le=100)] = 10
    filters: FilterBody = msgspec.field(default_factory=FilterBody)
    placement: Annotated[str, Meta(min_length=1, max_length=63)] = "product"
    policy: Annotated[str, Meta(max_length=200)] | None = None
    preview: Annotated[str, Meta(max_length=500)] | None = None
    trace: bool = False
    timestamp: str | int | float | None = None
    write_key: str = ""


class RecommendedProduct(msgspec.Struct):
    """One product of the list, with the reason it is there."""

    product_id: str
    title: str
    category: str
    price: float | None
    currency: str
    url: str
    photo: str | None
    score: float
    reason: str
    because: str | None
    source: str


class RulingAnswer(msgspec.Struct):
    """What one rule did to one product, in words."""

    rule: str
    product_id: str
    did: str


class RecommendationsAnswer(msgspec.Struct, omit_defaults=True):
    """The list as it was recorded: events about it name `exposure_id`.

    `experiment` and `variant` are named where the list counts; `left_out` says why it does not.
    `trace` is there where it was asked for.
    """

    exposure_id: str
    model_version: str | None
    policy: str
    experiment: str | None
    variant: str | None
    left_out: str | None
    note: str
    products: list[RecommendedProduct]
    trace: list[RulingAnswer] | None = None


class RejectedEvent(msgspec.Struct):
    """An event that was not kept: its place in the batch, from 0, and the rule it breaks."""

    position: int
    rule: str


class BatchAnswer(msgspec.Struct):
    """How many events of the batch are on disk, and which are not."""

    accepted: int
    rejected: list[RejectedEvent]


class ProductBody(msgspec.Struct, forbid_unknown_fields=True):
    """A whole product. A price or stock that is left out or null is unknown.

    `cost` is what one piece costs the shop, without tax: kept where left out, never answered.
    `attributes` are what else is known, {"gender": "women"}: kept where left out.
    """

    product_id: Id
    title: Annotated[str, Meta(max_length=1000)]
    category: Annotated[str, Meta(max_length=500)] = ""
    brand: Annotated[str, Meta(max_length=200)] = ""
    colour: Annotated[str, Meta(max_length=200)] = ""
    price: Amount | None = None
    cost: Amount | None = None
    stock: int | None = None
    url: Annotated[str, Meta(max_length=2000)] = ""
    hidden: bool = False
    attributes: Attributes = {}


class ProductChange(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of a product that change; those left out stay as they are."""

    product_id: Id
    title: Annotated[str, Meta(max_length=1000)] | UnsetType = UNSET
    category: Annotated[str, Meta(max_length=500)] | UnsetType = UNSET
    brand: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    colour: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    price: Amount | None | UnsetType = UNSET
    cost: Amount | None | UnsetType = UNSET
    stock: int | None | UnsetType = UNSET
    url: Annotated[str, Meta(max_length=2000)] | UnsetType = UNSET
    hidden: bool | UnsetType = UNSET
    attributes: Attributes | UnsetType = UNSET


class ProductsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Whole products, added or replaced: all of them or, if one is wrong, none."""

    products: Annotated[list[ProductBody], Meta(min_length=1, max_length=5000)]


class ProductChangesBody(msgspec.Struct, forbid_unknown_fields=True):
    """Changes of products that exist."""

    products: Annotated[list[ProductChange], Meta(min_length=1, max_length=1000)]


class ProductsAnswer(msgspec.Struct):
    """How many products were written; `unknown` are the ids that no product has."""

    changed: int
    unknown: list[str] = []


class ProductAnswer(msgspec.Struct):
    """A product as the catalogue has it, but for its cost, which is the shop's own business."""

    product_id: str
    title: str
    category: str
    brand: str
    colour: str
    price: float | None
    currency: str
    stock: int | None
    url: str
    photo: str | None
    hidden: bool
    attributes: dict[str, str]


class ExperimentBody(msgspec.Struct, forbid_unknown_fields=True):
    """An experiment to start: a share of the visitors, the traffic, split between two lists."""

    id: Annotated[str, Meta(min_length=1, max_length=63)]
    question: Annotated[str, Meta(max_length=300)] = ""
    control: Annotated[str, Meta(max_length=200)] = "list:incumbent"
    treatment: Annotated[str, Meta(max_length=200)] = "session"
    placement: Annotated[str, Meta(min_length=1, max_length=63)] = "product"
    traffic: float = 1.0
    sequential: bool = True
    who: Annotated[str, Meta(max_length=60)] = ""


class RampBody(msgspec.Struct, forbid_unknown_fields=True):
    """The share of the visitors that take part from now on; 0 is a pause."""

    traffic: float
    who: Annotated[str, Meta(max_length=60)] = ""
    why: Annotated[str, Meta(max_length=4000)] = ""


class StopBody(msgspec.Struct, forbid_unknown_fields=True):
    """The end of an experiment: everyone keeps the control's list, or `ship` gives the new one."""

    ship: bool = False
    who: Annotated[str, Meta(max_length=60)] = ""
    why: Annotated[str, Meta(max_length=4000)] = ""


class KillBody(msgspec.Struct, forbid_unknown_fields=True):
    """The kill switch: everyone back to the control's list."""

    who: Annotated[str, Meta(max_length=60)] = ""
    why: Annotated[str, Meta(max_length=4000)] = ""


class VariantAnswer(msgspec.Struct):
    """One arm: what it is called, its list maker, its share of the traffic."""

    name: str
    policy: str
    weight: float


class ChangeAnswer(msgspec.Struct):
    """What was done to an experiment or noticed about it; `at` is ISO 8601 in UTC."""

    at: str
    who: str
    what: str
    note: str
    traffic: float | None


class ExperimentAnswer(msgspec.Struct):
    """An experiment as it is. `state` is running, paused or stopped.

    `planned_visitors` are what it was foreseen to take, and `planned_per_day` how many would come
    with all of the traffic; null where nothing could be foreseen.
    """

    id: str
    question: str
    placement: str
    state: str
    traffic: float
    variants: list[VariantAnswer]
    after: str | None
    sequential: bool
    planned_visitors: int | None
    planned_per_day: float | None
    changes: list[ChangeAnswer]


class ExperimentsAnswer(msgspec.Struct):
    """All experiments of the shop, and the share of the visitors kept out of all of them."""

    experiments: list[ExperimentAnswer]
    holdout: float


class RulesBody(msgspec.Struct, forbid_unknown_fields=True):
    """Rules that change; those left out stay as they are, and null takes one back."""

    pinned: Annotated[list[Id], Meta(max_length=1000)] | UnsetType = UNSET
    buried: Annotated[list[Id], Meta(max_length=1000)] | UnsetType = UNSET
    price_from: float | None | UnsetType = UNSET
    price_to: float | None | UnsetType = UNSET
    most_of_category: int | None | UnsetType = UNSET
    least_categories: int | None | UnsetType = UNSET
    no_near_duplicates: bool | UnsetType = UNSET
    objective: Literal["clicks", "orders", "margin"] | UnsetType = UNSET
    who: Annotated[str, Meta(max_length=60)] = ""
    why: Annotated[str, Meta(max_length=4000)] = ""


class RulesChangeAnswer(msgspec.Struct):
    """One change of the rules; `at` is ISO 8601 in UTC, `did` says in words what changed."""

    at: str
    who: str
    why: str
    did: list[str]


class RulesAnswer(msgspec.Struct):
    """The rules that every list keeps to, and who changed them, the latest change first."""

    pinned: list[str]
    buried: list[str]
    price_from: float | None
    price_to: float | None
    most_of_category: int | None
    least_categories: int | None
    no_near_duplicates: bool
    objective: str
    history: list[RulesChangeAnswer]


class Problem(msgspec.Struct):
    """What rule was broken, with the value, and what to do next."""

    rule: str
    next: str


class ProblemAnswer(msgspec.Struct):
    """The body of every answer that is not a success."""

    error: Problem


Body = TypeVar("Body", bound=msgspec.Struct)


def decode(body: bytes, kind: type[Body]) -> Body:
    """The body as its type; InputError says what is wrong and where, and names the likely field."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise InputError(f"{error}; {_advice(str(error), kind)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"the body must be JSON: {error}; see /openapi.json") from error


def _advice(message: str, kind: type[msgspec.Struct]) -> str:
    unknown = _UNKNOWN_FIELD.search(message)
    if unknown is None:
        return "see /openapi.json"
    fields = sorted(_field_names(kind))
    near = difflib.get_close_matches(unknown["name"], fields, n=1)
    return f"did you mean {near[0]}?" if near else f"the fields are {', '.join(fields)}"


def _field_names(kind: Any) -> set[str]:
    """The fields of a body and of the bodies within it."""
    info = msgspec.inspect.type_info(kind)
    names: set[str] = set()
    waiting: list[Any] = [info]
    while waiting:
        found = waiting.pop()
        if isinstance(found, msgspec.inspect.StructType):
            names |= {field.encode_name for field in found.fields}
            waiting += [field.type for field in found.fields]
        elif isinstance(found, msgspec.inspect.ListType):
            waiting.append(found.item_type)
        elif isinstance(found, msgspec.inspect.UnionType):
            waiting += found.types
    return names


def without_unset(change: msgspec.Struct, names: Iterable[str]) -> dict[str, Any]:
    """The named fields that were sent."""
    values = {name: getattr(change, name) for name in names}
    return {name: value for name, value in values.items() if value is not UNSET}
