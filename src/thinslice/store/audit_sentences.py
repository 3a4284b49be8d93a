"""What a log allows and what it does not, in sentences for people who do not count events."""

from __future__ import annotations

from typing import Protocol

from thinslice.domain import EventType, Money

FEW_SESSIONS = 1_000
FEW_ORDERS = 200
_MANY_QUIET = 5


class Counts(Protocol):
    """The parts of an `Audit` that the sentences are made of."""

    @property
    def events(self) -> int: ...
    @property
    def by_type(self) -> dict[str, int]: ...
    @property
    def duplicates(self) -> int: ...
    @property
    def skipped(self) -> int: ...
    @property
    def days(self) -> int: ...
    @property
    def quiet_days(self) -> list[str]: ...
    @property
    def sessions(self) -> int: ...
    @property
    def learnable_sessions(self) -> int: ...
    @property
    def has_visitor_ids(self) -> bool: ...
    @property
    def visitors(self) -> int: ...
    @property
    def anonymous_share(self) -> float | None: ...
    @property
    def bounce_rate(self) -> float | None: ...
    @property
    def orders(self) -> int: ...
    @property
    def conversion(self) -> float | None: ...
    @property
    def revenue(self) -> dict[str, int]: ...
    @property
    def orders_without_revenue(self) -> int: ...
    @property
    def products(self) -> int: ...
    @property
    def products_without_price(self) -> int: ...
    @property
    def lists_shown(self) -> int: ...
    @property
    def lists_imported(self) -> int: ...


def can(audit: Counts) -> list[str]:
    """What can be done with the log."""
    said = []
    if audit.learnable_sessions:
        said.append(
            f"Recommendations can be learned from {audit.learnable_sessions:,} sessions with at "
            f"least two different products ({_percent(audit.learnable_sessions, audit.sessions)} "
            "of all sessions)."
        )
    if audit.learnable_sessions and audit.days >= 2:
        said.append(
            f"They can be tested against what visitors did next: the log covers {audit.days} "
            "days, so that the later sessions can be held back."
        )
    if audit.anonymous_share is not None and audit.anonymous_share >= 0.5:
        said.append(
            f"{audit.anonymous_share:.1%} of the visitors were seen in one session only, so a list "
            "has to be made from the running session, and that can be done."
        )
    if audit.bounce_rate and _has_views(audit):
        said.append(
            f"The bounce rate can be watched: {audit.bounce_rate:.1%} of the sessions have one "
            "event only."
        )
    if audit.orders and _has_views(audit):
        said.append(
            f"Conversion can be measured: {audit.orders:,} orders, and {audit.conversion or 0:.2%} "
            "of the sessions have one."
        )
    if audit.revenue:
        sums = " and ".join(str(Money(sum_, currency)) for currency, sum_ in audit.revenue.items())
        said.append(f"Revenue can be measured: the orders add up to {sums}.")
    if audit.lists_shown:
        said.append(
            f"What the shop shows today can be compared: {audit.lists_shown:,} of its lists are in "
            "the log."
        )
    if audit.lists_imported:
        said.append(
            "What the shop shows today can be compared: its lists were imported for "
            f"{audit.lists_imported:,} products."
        )
    return said


def cannot(audit: Counts) -> list[str]:
    """What cannot be done, and why; what is doubtful comes here too."""
    return [*_learning(audit), *_money(audit), *_people(audit), *_rows(audit)]


def _learning(audit: Counts) -> list[str]:
    said = []
    if not audit.learnable_sessions:
        said.append(
            "No session has two different products, so nothing can be learned about what goes "
            "together; only the most popular products can be shown."
        )
    elif audit.learnable_sessions < FEW_SESSIONS:
        said.append(
            f"{audit.learnable_sessions:,} sessions with two products are few: showing the most "
            "popular products may do as well, and the comparison will say so."
        )
    if not audit.bounce_rate:
        said.append(
            "No session has one event only, so short visits seem to have been left out of the "
            "export; the bounce rate cannot be measured."
        )
    if audit.days < 2:
        said.append(
            "The log covers one day, so a test on later sessions says little about other days."
        )
    if not audit.lists_shown and not audit.lists_imported:
        said.append(
            "The log does not say what the shop shows beside its products today, so a comparison "
            "with it needs those lists as a file: thinslice import --incumbent LISTS.csv."
        )
    return said


def _money(audit: Counts) -> list[str]:
    if not audit.orders:
        return ["There are no purchases, so no money can be stated."]
    said = []
    if not _has_views(audit):
        said.append(
            "There are purchases but no views, so conversion cannot be measured; what is learned "
            "is what is bought together."
        )
    if refunds := audit.by_type.get(EventType.ORDER_REFUNDED, 0):
        said.append(
            f"{_rows_that(refunds, 'is a refund', 'are refunds')}; none is taken off the revenue."
        )
    if audit.orders < FEW_ORDERS:
        said.append(f"{audit.orders:,} orders are few: ranges for conversion will be wide.")
    if not audit.revenue:
        said.append("The purchases have no amounts, so no money can be stated.")
    elif audit.orders_without_revenue:
        said.append(
            f"{_percent(audit.orders_without_revenue, audit.orders)} of the orders have no amount "
            "and count as no revenue."
        )
    if len(audit.revenue) > 1:
        said.append("Revenue is in several currencies and is not added up over them.")
    return said


def _people(audit: Counts) -> list[str]:
    if audit.has_visitor_ids:
        return []
    return [
        "The log has no visitor ids, only sessions, so nobody can be recognised when coming back; "
        "how many visitors are anonymous cannot be said."
    ]


def _rows(audit: Counts) -> list[str]:
    said = []
    if audit.products_without_price:
        unpriced = _percent(audit.products_without_price, audit.products)
        said.append(
            "No product has a price in the log; a product feed can give it."
            if audit.products_without_price == audit.products
            else f"{unpriced} of the products have no price in the log; a product feed can give it."
        )
    if audit.quiet_days:
        named = ", ".join(audit.quiet_days[:_MANY_QUIET])
        more = len(audit.quiet_days) - _MANY_QUIET
        said.append(
            f"{len(audit.quiet_days)} of the {audit.days} days have no events ({named}"
            + (f" and {more} more" if more > 0 else "")
            + "); check that the export is complete."
        )
    if audit.duplicates:
        repeating = _rows_that(audit.duplicates, "repeats", "repeat")
        said.append(f"{repeating} another row exactly; what is the same is counted once.")
    if audit.skipped:
        left_out = _rows_that(
            audit.skipped, "could not be read and is", "could not be read and are"
        )
        said.append(f"{left_out} left out.")
    return said


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "none"


def _has_views(audit: Counts) -> bool:
    return audit.by_type.get(EventType.PRODUCT_VIEWED, 0) > 0


def _rows_that(count: int, one: str, many: str) -> str:
    return f"1 row {one}" if count == 1 else f"{count:,} rows {many}"
