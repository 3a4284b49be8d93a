"""What exports call an event, mapped to the event names of Segment's ecommerce specification."""

from __future__ import annotations

import re

from thinslice.domain import EventType

_SPELLINGS = {
    EventType.PRODUCT_VIEWED: """
        view viewed productview productviewed viewproduct viewitem itemview itemviewed viewcontent
        viewed_product detail productdetail productdetailview detailview pdp pdpview click clicked
        clicks productclick productclicked impressionclick itempage ansicht angesehen
        """,
    EventType.PRODUCT_ADDED: """
        cart carts addtocart addedtocart addcart cartadd add productadded itemadded addtobasket
        addtobag basket basketadd warenkorb
        """,
    EventType.PRODUCT_REMOVED: """
        remove removed removefromcart removedfromcart removecart cartremove productremoved
        removefrombasket deletefromcart
        """,
    EventType.ORDER_COMPLETED: """
        purchase purchases purchased buy buys bought order orders ordered ordercompleted
        orderplaced placedorder checkoutcompleted completepurchase transaction transactions sale
        sales sold conversion kauf gekauft bestellung
        """,
    EventType.ORDER_REFUNDED: """
        refund refunds refunded orderrefunded return returned creditnote
        """,
    EventType.ORDER_CANCELLED: """
        cancel cancelled canceled cancellation ordercancelled ordercanceled storno storniert
        """,
    EventType.PRODUCT_LIST_VIEWED: """
        productlistviewed viewitemlist listview listviewed viewlist impression impressions
        """,
    EventType.PAGE_VIEWED: """
        page pageview pageviewed pageviews viewpage visit
        """,
}
_EVENTS = {name: event for event, names in _SPELLINGS.items() for name in names.split()}
_EVENTS |= {name.replace("_", ""): event for name, event in _EVENTS.items()}
_EVENTS |= {re.sub(r"[^a-z]", "", e.lower()): e for e in EventType}

ACCEPTED = "view, cart, remove, purchase, refund or another name of these"


def event_type(text: str) -> EventType | None:
    """The event that an export means, None where the word is not known.

    >>> str(event_type("add_to_cart")), str(event_type("Order Completed"))
    ('Product Added', 'Order Completed')
    >>> event_type("scroll") is None
    True
    """
    return _EVENTS.get(re.sub(r"[^a-zäöüß]", "", text.lower()))
