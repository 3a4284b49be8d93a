import json

import pytest

from thinslice.store.devices import device_of
from thinslice.store.wire import events_of

CHROME = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 {} Safari/537.36"


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        (CHROME.format("Windows NT 10.0; Win64; x64", ""), "computer"),
        (CHROME.format("Linux; Android 15; Pixel 9", "Mobile"), "phone"),
        (CHROME.format("Linux; Android 14; SM-X710", ""), "tablet"),
        ("Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) Mobile/15E148 Safari/604.1", "tablet"),
        (CHROME.format("X11; Linux x86_64", "HeadlessChrome"), "bot"),
        ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "bot"),
        ("python-requests/2.32", "bot"),
        (CHROME.format("Linux; Android 13; CUBOT NOTE 50", "Mobile"), "phone"),
        ("something else", None),
        ("", None),
        (None, None),
        (17, None),
        ("(" * 100_000, None),
    ],
)
def test_the_kind_of_device_is_told_from_the_user_agent(user_agent, device):
    assert device_of(user_agent) == device


def test_an_app_says_its_device_itself():
    assert device_of(None, {"type": "ios"}) == "phone"
    assert device_of(None, {"type": ["odd"]}) is None
    assert device_of(None, "odd") is None


def test_of_the_context_only_the_kind_of_device_is_kept():
    item = {
        "type": "track",
        "event": "Product Viewed",
        "messageId": "m",
        "anonymousId": "anna",
        "properties": {"product_id": "p"},
        "context": {"userAgent": CHROME.format("Linux; Android 15; Pixel 9", "Mobile"), "ip": "1"},
    }
    (event,) = events_of(json.dumps(item).encode(), received_us=0)
    assert event.properties == '{"device":"phone"}'


def test_a_cancelled_order_is_an_order_in_lines():
    item = {
        "type": "track",
        "event": "Order Cancelled",
        "messageId": "m",
        "anonymousId": "anna",
        "properties": {"order_id": "17", "products": [{"product_id": "p"}, {"product_id": "q"}]},
    }
    lines = events_of(json.dumps(item).encode(), received_us=0)
    assert [(e.type, e.order_id, e.product, e.line) for e in lines] == [
        ("Order Cancelled", "17", "p", 0),
        ("Order Cancelled", "17", "q", 1),
    ]
