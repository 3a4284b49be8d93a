"""What is summed per visitor, and how it is counted: the columns that KPIs are made of."""

COUNTED = {
    "sessions": "Sessions that ran when the visitor was first shown a list of the experiment, or "
    "began later. They are looked at as a whole, since half a session would look like a bounce.",
    "orders": "Orders placed from the first list on. An order id counts once, for the visitor and "
    "the message that came first; an id that tells no order from another is none. One that "
    "was cancelled, or came back whole, is no order.",
    "ordering_sessions": "Sessions with at least one such order.",
    "revenue": "What is left of these orders: their totals (price times quantity of the lines "
    "where there is no total) less what came back, without value-added tax (`vat_rate`), each "
    "order rounded to the cent. An order in another currency adds nothing and is reported.",
    "margin": "Revenue less what the kept pieces cost, without tax, where the catalogue has the "
    "cost of every product of the order; else the stated share of its revenue (`margin_share`); 0 "
    "where that is not stated. The readout says of how many orders a cost was not known.",
    "bounced": "Sessions with at most one product viewed, at most one page viewed, nothing put "
    "into the cart, no order and no click on a list.",
    "views": "Product pages viewed; the same product twice counts twice. At most 200 of a session.",
    "seconds": "Whole seconds between the first and the last event of a session; at most 4 hours.",
    "lists": "Lists of the experiment shown to the visitor that count.",
    "clicked_lists": "Of these, the ones with at least one click that carries their exposure id.",
    "attributed_orders": "Orders with a product that is attributed to a list of the experiment.",
    "attributed_revenue": "The revenue of what is attributed: all of the order's where all of its "
    "products are, else their prices, at most the order's revenue.",
}
"""Each column with how it is counted, in words for people."""

COLUMNS = tuple(COUNTED)
