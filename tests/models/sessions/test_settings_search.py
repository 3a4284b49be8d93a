from __future__ import annotations

import numpy as np
from tests.contracts.session_logs import log_of

from thinslice.domain import BROWSING, EventType
from thinslice.evaluation.splits import Split, split_by_time
from thinslice.models.sessions.choice import Choice
from thinslice.models.sessions.clock import Clock
from thinslice.models.sessions.linear import LinearSettings
from thinslice.models.sessions.products import ProductCodes
from thinslice.models.sessions.settings_search import SettingsSearch
from thinslice.models.sessions.steps import steps_of


def carts_tell() -> Split:
    """A visitor puts three products of one kind in the cart, and looks at odd ones in between."""
    rng = np.random.default_rng(0)
    sessions: list[list[str]] = []
    for _ in range(900):
        kind, seen = int(rng.integers(60)), list[str]()
        for i in rng.permutation(4)[:3]:
            seen.append(f"kind-{kind:02}-{i}")
            seen += [f"odd-{min(int(rng.zipf(1.3)), 60)}" for _ in range(int(rng.integers(3)))]
        sessions.append(seen)
    log = log_of(sessions)
    wanted = np.array([product.startswith("kind") for product in log.products])
    log.types[wanted[log.codes]] = BROWSING.index(EventType.PRODUCT_ADDED)
    return split_by_time(log, test_share=0.3)


def chosen(split: Split) -> LinearSettings:
    products = ProductCodes(split.train.products)
    steps = steps_of(split.test, products, repeats=False, at_most=5000)
    search = SettingsSearch(split.train, products, Choice(), Clock(600), may_repeat=False)
    return search.choose(steps).linear


def test_where_carts_tell_what_goes_together_they_count_more():
    assert chosen(carts_tell()).cart_weight > 1


def test_a_log_of_views_alone_leaves_nothing_to_choose_about_carts():
    split = carts_tell()
    for log in (split.train, split.test):
        log.types[:] = BROWSING.index(EventType.PRODUCT_VIEWED)
    assert chosen(split).cart_weight == 1.0
