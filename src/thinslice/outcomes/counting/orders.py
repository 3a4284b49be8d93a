"""The orders of exposed visitors, each once: what is left of them after refunds, net of tax.

An order is told by its id, whoever sends it and how often: it belongs to the visitor and the
message that came first. An id that three or more visitors sent, or a word such as "undefined", is
none: such orders are told by their messages. Refunds and cancellations are matched by the order's
id alone, since a shop's back office knows no visitor; they never take more than the order was
worth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinslice.domain import EventType
from thinslice.outcomes.counting.ask import Keyed, asked, table

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from thinslice.outcomes.counting.rules import Rules

MOST_MINOR = 10**13
"""An amount beyond this is a mistake (in cents, a hundred thousand million), and counts as none."""

MOST_PIECES = 10**5

NO_IDS = (
    *("", "0", "-1", "-", "undefined", "null", "none", "nan", "n/a", "na", "unknown", "false"),
    *("true", "(not set)", "[object object]"),
)
"""What a shop's page writes where it has no order id, in lower case."""

MOST_SENDERS = 2
"""A browser and a back office may send one order under two visitor ids, but not three."""

BACK = (EventType.ORDER_REFUNDED, EventType.ORDER_CANCELLED)


class Orders:
    """The orders of exposed visitors, and the products they are made of.

    `rows`: one per order from the first exposure on that was neither cancelled nor came back
    whole: visitor, order, session_key, revenue and margin, in minor units and without tax, and
    uncosted, 1 where the cost of a product is not known.
    `pieces`: one per order and product: visitor, order, time_us, product, how many pieces are
    `kept`, and their `value` in minor units, with tax.
    """

    def __init__(self, events: ir.Table, currency: str, rules: Rules) -> None:
        lines = _lines(events)
        refunds = _Refunds(events, currency)
        once = _first_messages(lines, currency)
        self.pieces = _pieces_left(lines, once, refunds)
        self.rows = _priced(_kept(once, _goods(self.pieces), refunds), rules)


def shared_ids(events: ir.Table, keyed: Keyed) -> ir.Table:
    """Order ids that tell no order from another."""
    sold = events.filter(events.type == EventType.ORDER_COMPLETED, events.order_id.notnull())
    senders = sold.group_by("order_id").aggregate(n=sold.visitor.nunique())
    placeholder = senders.order_id.strip().lower().isin(list(NO_IDS))
    return senders.filter(placeholder | (senders.n > MOST_SENDERS)).select("order_id")


def _kept(once: ir.Table, goods: ir.Table, refunds: _Refunds) -> ir.Table:
    """The orders that count, with `net`: what is left of them, with tax."""
    joined = once.left_join(goods, "order").select(once, *_but_order(goods))
    back = refunds.orders
    joined = joined.left_join(back, "order").select(joined, *_but_order(back))
    whole = joined.whole.coalesce(0) == 1
    given_back = joined.amount.coalesce(0) + joined.given_back.coalesce(0)
    found = joined.mutate(net=joined.gross - _at_most(given_back, joined.gross))
    return found.filter(
        found.time_us >= found.exposed_us, ~whole, (found.net > 0) | (found.gross == 0)
    )


def _priced(kept: ir.Table, rules: Rules) -> ir.Table:
    if rules.vat_rate:
        kept = kept.mutate(revenue=_cents(kept.net / (1.0 + rules.vat_rate)))
    else:
        kept = kept.mutate(revenue=kept.net)
    share = rules.margin_share
    stated = 0 if share is None else _cents(kept.revenue * float(share))
    costed = (kept.uncosted == 0) & (kept.gross > 0)
    margin = costed.ifelse(kept.revenue - kept.cost, stated)
    return kept.select(
        *("visitor", "order", "session_key", "revenue"),
        margin=margin,
        uncosted=costed.coalesce(False).ifelse(0, 1),
    )


def _lines(events: ir.Table) -> ir.Table:
    """The lines of orders with `order`, `pieces` and `total`; impossible amounts are null.

    An order that was there before the experiment and is sent again, as by a page that is opened
    once more, is none.
    """
    actions = table("actions")
    sold = actions.filter(actions.type == EventType.ORDER_COMPLETED)
    before = events.filter(
        events.type == EventType.ORDER_COMPLETED, events.time_us < asked("started_us")
    )
    before = before.select("order_id").anti_join(table("shared_ids"), "order_id")
    sold = sold.anti_join(before, "order_id")
    shared = table("shared_ids").mutate(shared=1)
    sold = sold.left_join(shared, "order_id").select(sold, shared.shared)
    own_id = sold.shared.isnull().ifelse(sold.order_id, None)
    return sold.select(
        *("visitor", "message_id", "line", "time_us", "exposed_us", "session_key", "product"),
        *("currency", "revenue_minor"),
        order=own_id.coalesce(sold.message_id),
        pieces=_pieces(sold),
        total=_amount(_amount(sold.price_minor) * _pieces(sold)),
    )


class _Refunds:
    """What was taken back, of any order and by anybody.

    `orders`: per order `whole` (1 when all of it is) and `amount`, the money given back.
    `products`: per order and product `back`, the pieces that came back, and `unpriced`, those of
    them for which no amount was stated.
    """

    def __init__(self, events: ir.Table, currency: str) -> None:
        import ibis

        found = events.filter(events.type.isin(list(BACK)), events.order_id.notnull())
        found = found.anti_join(table("shared_ids"), "order_id")
        ours = _in(found.currency, currency)
        lines = found.select(
            *("message_id", "time_us", "product", "type", "quantity"),
            order=found.order_id,
            amount=ours.ifelse(_amount(found.revenue_minor.abs()), None),
            # an amount in another currency is no amount, but not a reason to take back everything
            stated=found.revenue_minor.notnull().ifelse(1, 0),
        )
        messages = lines.group_by("order", "message_id").aggregate(
            time_us=lines.time_us.min(),
            amount=lines.amount.sum(),
            stated=lines.stated.max(),
            named=lines.product.count(),
            cancelled=(lines.type == EventType.ORDER_CANCELLED).ifelse(1, 0).max(),
        )
        # A back office that sends the same refund again under another message id.
        again = ibis.window(
            group_by=["order", "time_us", "amount", "named", "cancelled"], order_by="message_id"
        )
        numbered = messages.mutate(nth=ibis.row_number().over(again))
        once = numbered.filter(numbered.nth == 0)
        whole = (once.cancelled == 1) | ((once.stated == 0) & (once.named == 0))
        self.orders = once.group_by("order").aggregate(
            whole=whole.ifelse(1, 0).max(),
            amount=once.amount.sum().coalesce(0).cast("int64"),
        )
        pieces = lines.filter(lines.product.notnull()).inner_join(
            once.select("order", "message_id", unstated=1 - once.stated), ["order", "message_id"]
        )
        back = _at_most(pieces.quantity.coalesce(MOST_PIECES), MOST_PIECES)
        self.products = pieces.group_by("order", "product").aggregate(
            back=back.sum(), unpriced=(back * pieces.unstated).sum()
        )


def _pieces_left(lines: ir.Table, once: ir.Table, refunds: _Refunds) -> ir.Table:
    """Per order and product: the pieces and their total as ordered, and what is left of both.

    Columns: visitor, order, time_us, product, pieces, kept, total, value (the total of what was
    kept) and given_back (money for pieces that came back without a stated amount).
    """
    own = lines.filter(lines.product.notnull(), lines.product != "").semi_join(
        once, ["order", "message_id"]
    )
    ordered = own.group_by("visitor", "order", "product").aggregate(
        time_us=own.time_us.min(),
        pieces=_at_most(own.pieces.sum(), MOST_PIECES).cast("int64"),
        total=_at_most(own.total.sum().coalesce(0), MOST_MINOR).cast("int64"),
    )
    back = refunds.products
    joined = ordered.left_join(back, ["order", "product"]).select(ordered, back.back, back.unpriced)

    def left(gone: ir.Column) -> ir.Column:
        return joined.pieces - _at_most(gone.coalesce(0), joined.pieces)

    kept, unpriced = left(joined.back), left(joined.unpriced)
    return joined.select(
        *("visitor", "order", "time_us", "product", "pieces", "total"),
        kept=kept,
        value=joined.total * kept // joined.pieces,
        given_back=joined.total - joined.total * unpriced // joined.pieces,
    )


def _first_messages(lines: ir.Table, currency: str) -> ir.Table:
    """Each order once, with `gross`: its total in the shop's currency, before refunds."""
    import ibis

    ours = _in(lines.currency, currency).ifelse(1, 0)
    messages = lines.group_by("visitor", "order", "message_id").aggregate(
        session_key=lines.session_key.min(),
        time_us=lines.time_us.min(),
        exposed_us=lines.exposed_us.min(),
        gross=(_amount(lines.revenue_minor) * ours)
        .sum()
        .coalesce((lines.total * ours).sum(), 0)
        .cast("int64"),
    )
    by_time = ibis.window(
        group_by="order", order_by=[messages.time_us, messages.message_id, messages.visitor]
    )
    numbered = messages.mutate(nth=ibis.row_number().over(by_time))
    return numbered.filter(numbered.nth == 0).drop("nth")


def _goods(pieces: ir.Table) -> ir.Table:
    """Per order: what its kept pieces cost, how many products have no known cost, what came back.

    An order none of whose lines names a product has no row.
    """
    costs = table("products").select("product", "cost_minor")
    joined = pieces.left_join(costs, "product").select(pieces, costs.cost_minor)
    return joined.group_by("order").aggregate(
        cost=(_amount(joined.cost_minor) * joined.kept).sum().coalesce(0).cast("int64"),
        uncosted=joined.cost_minor.isnull().ifelse(1, 0).sum(),
        given_back=joined.given_back.sum().cast("int64"),
    )


def _pieces(lines: ir.Table) -> ir.Column:
    """How many pieces a line has: one where it does not say."""
    import ibis

    return ibis.greatest(1, ibis.least(lines.quantity.coalesce(1), MOST_PIECES))


def _amount(value: ir.Column) -> ir.Column:
    """The amount where it can be one, else null."""
    return ((value >= 0) & (value <= MOST_MINOR)).ifelse(value, None)


def _in(column: ir.Column, currency: str) -> ir.Column:
    return column.isnull() | (column == currency)


def _at_most(value: ir.Column, most: ir.Column | int) -> ir.Column:
    import ibis

    return ibis.least(value, most)


def _cents(value: ir.Column) -> ir.Column:
    return value.round().cast("int64")


def _but_order(table: ir.Table) -> list[ir.Column]:
    return [table[name] for name in table.columns if name != "order"]
