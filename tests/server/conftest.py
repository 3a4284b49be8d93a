from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from thinslice.domain import Product, Shop
from thinslice.store.catalog import ShopCatalog
from thinslice.store.control import ControlPlane
from thinslice.store.directory import DataDirectory


@dataclass
class Lamps:
    """Two shops and their keys, in one running service."""

    service: Any
    control: ControlPlane
    write: str
    secret: str
    bound: str
    other_write: str
    other_secret: str

    def call(self, *request: Any, **more: Any) -> Any:
        return self.service.call(*request, **more)


@pytest.fixture(scope="session")
def lamps(start_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    data = Path(tmp_path_factory.mktemp("lamps")) / "data"
    directory = DataDirectory(data)
    control = ControlPlane(directory.control)
    control.add_shop(Shop("lamps", "Lamps", "EUR"))
    control.add_shop(Shop("books", "Books", "EUR"))
    ShopCatalog(directory.catalog_file("lamps"), "EUR").upsert(
        Product(f"p{n}", f"Lamp {n}", "Home > Lamps", price_minor=n * 1000 + 99, stock=n)
        for n in range(8)
    )
    for name, shown in {"left": ("p2", "p3"), "right": ("p4", "p5")}.items():
        lists = {f"p{n}": shown for n in range(8)}
        ShopCatalog(directory.catalog_file("lamps"), "EUR").set_list(name, lists)
    ShopCatalog(directory.catalog_file("books"), "EUR").upsert([Product("b1", "CANARY book")])
    service = start_service(data)
    yield Lamps(
        service,
        control,
        write=control.create_key("lamps", "write"),
        secret=control.create_key("lamps", "secret"),
        bound=control.create_key("lamps", "write", ("https://lamps.example",)),
        other_write=control.create_key("books", "write"),
        other_secret=control.create_key("books", "secret"),
    )
    assert service.stop() == 0
