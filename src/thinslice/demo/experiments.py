"""Three experiments whose truth is known: one helps, one does nothing, one harms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from thinslice.demo.client import ShopClient
from thinslice.demo.messages import Message, iso, messages_of
from thinslice.demo.mishaps import with_mishaps
from thinslice.demo.shoppers import (
    LIST_LENGTH,
    Page,
    Shoppers,
    Show,
    Shown,
    Visit,
    expected_conversion,
)

RENAMED = "renamed"
"""The incumbent list once more, under a new headline."""
CLEARANCE = "clearance"


@dataclass(frozen=True, slots=True)
class Trial:
    """An experiment to run on simulated visitors: what it asks, and the two list makers."""

    id: str
    question: str
    placement: str
    control: str
    treatment: str
    visits: int
    seed: int


TRIALS = (
    Trial(
        "session-list",
        "Does a list made from the running session sell more than the best sellers of the "
        "category, which the shop shows today?",
        "product",
        "list:incumbent",
        "session",
        visits=1500,
        seed=101,
    ),
    Trial(
        "new-headline",
        "Does the list that the shop shows today sell more under a new headline?",
        "product-headline",
        "list:incumbent",
        f"list:{RENAMED}",
        visits=1500,
        seed=102,
    ),
    Trial(
        "clearance-corner",
        "Does showing slow sellers, to clear the stock, cost orders?",
        "product-clearance",
        "list:incumbent",
        f"list:{CLEARANCE}",
        visits=2400,
        seed=103,
    ),
)

ListMaker = Callable[[str, tuple[str, ...]], Sequence[str]]
"""(policy, the session's products) to a list: what the service would answer."""


def true_effect(
    trial: Trial, shoppers: Shoppers, visits: Sequence[Visit], make_list: ListMaker
) -> float:
    """The relative change of the conversion if everyone got the treatment instead of the control.

    Computed, not observed: the same visitors with the same dice walk through both worlds, and on
    each page the chance of an order is taken rather than an order or none.
    """
    if trial.treatment == f"list:{RENAMED}":
        return 0.0  # the same products in the same order
    control, treatment = (
        expected_conversion(shoppers, visits, _remembered(partial(make_list, policy)))
        for policy in (trial.control, trial.treatment)
    )
    return treatment / control - 1


def _remembered(make_list: Callable[[tuple[str, ...]], Sequence[str]]) -> Show:
    known: dict[tuple[str, ...], Shown] = {}

    def show(page: Page) -> Shown:
        if page.items not in known:
            known[page.items] = Shown(make_list(page.items))
        return known[page.items]

    return show


def run_trial(
    trial: Trial,
    shoppers: Shoppers,
    visits: Sequence[Visit],
    open_client: Callable[[], ShopClient],
    *,
    threads: int = 4,
    batch: int = 400,
) -> Mapping[str, int]:
    """Let the visitors walk through the shop over HTTP; the service picks each one's variant."""

    def walk(share: Sequence[Visit]) -> int:
        sent, waiting = 0, list[Message]()
        with open_client() as client:
            for visit in share:
                acts = shoppers.live(visit, partial(_ask, client, visit, trial.placement))
                waiting.extend(with_mishaps(messages_of(visit, acts, shoppers.tastes.catalogue)))
                if len(waiting) >= batch or visit is share[-1]:
                    client.send(waiting)
                    sent, waiting = sent + len(waiting), []
        return sent

    with ThreadPoolExecutor(threads) as pool:
        sent = sum(pool.map(walk, [visits[i::threads] for i in range(threads)]))
    return {"visits": len(visits), "events": sent}


def _ask(client: ShopClient, visit: Visit, placement: str, page: Page) -> Shown:
    answer = client.recommend(
        items=page.items,
        visitor_id=visit.visitor,
        n=LIST_LENGTH,
        placement=placement,
        timestamp=iso(page.time_us),
    )
    return Shown([p["product_id"] for p in answer["products"]], answer["exposure_id"])
