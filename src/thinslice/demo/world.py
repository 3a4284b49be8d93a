"""The generated shop as a whole, from one seed: what it sells, who comes, what it shows today."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from thinslice.demo.catalogue import Catalogue, make_catalogue
from thinslice.demo.client import ShopClient
from thinslice.demo.experiments import CLEARANCE, RENAMED, Trial
from thinslice.demo.messages import Message, in_batches, messages_of
from thinslice.demo.shoppers import Page, Shoppers, Shown, Visit, make_visits
from thinslice.demo.tastes import (
    Tastes,
    best_sellers_of_the_category,
    make_tastes,
    slow_sellers,
)
from thinslice.domain import INCUMBENT

Lists = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class World:
    """A catalogue, its shoppers and the lists that the shop keeps by name."""

    seed: int
    catalogue: Catalogue
    tastes: Tastes
    shoppers: Shoppers
    lists: Mapping[str, Lists]

    def visits(self, sessions: int, since_us: int, until_us: int, number: int = 0) -> list[Visit]:
        """Visits in a period; another `number` gives other visitors."""
        return make_visits(
            self.tastes,
            sessions=sessions,
            since_us=since_us,
            until_us=until_us,
            seed=self.seed * 1000 + number,
            prefix=f"visitor-{number}",
        )

    def trial_visits(self, trial: Trial, since_us: int, until_us: int) -> list[Visit]:
        """The visits of an experiment, by visitors who take part in no other."""
        return self.visits(trial.visits, since_us, until_us, trial.seed)

    def shown_today(self, page: Page) -> Shown:
        """What the shop showed before there was thinslice: the incumbent, without what is gone."""
        products, position = self.catalogue.products, self.catalogue.positions
        listed = self.lists[INCUMBENT][page.items[-1]]
        return Shown([p for p in listed if products[position[p]].in_stock])

    def messages(self, visits: list[Visit]) -> Iterator[Message]:
        """What the visitors do in the shop as it is today."""
        for visit in visits:
            acts = self.shoppers.live(visit, self.shown_today)
            yield from messages_of(visit, acts, self.catalogue)


def make_world(seed: int, per_cell: int = 6) -> World:
    """Invent a shop; 50 times `per_cell` products."""
    rng = np.random.default_rng(seed)
    catalogue = make_catalogue(rng, per_cell)
    tastes = make_tastes(catalogue)
    best = best_sellers_of_the_category(tastes)
    lists = {INCUMBENT: best, RENAMED: best, CLEARANCE: slow_sellers(tastes, rng)}
    return World(seed, catalogue, tastes, Shoppers(tastes), lists)


def send_history(
    world: World, visits: list[Visit], open_client: Callable[[], ShopClient], threads: int = 2
) -> int:
    """Send what the visitors did through the API; return how many events that were."""

    def send(share: list[Visit]) -> int:
        sent = 0
        with open_client() as client:
            for batch in in_batches(world.messages(share)):
                client.send(batch)
                sent += len(batch)
        return sent

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(send, [visits[i::threads] for i in range(threads)]))
