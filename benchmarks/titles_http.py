"""The whole office asks for categories at once: what is served, how fast, and what is refused.

    python benchmarks/titles_http.py [--seconds 10] [--clients 200] [--workers 1]
        [--max-in-flight N] [--what api|page]

First 64 connections ask as fast as they are answered: that is the capacity. Then 200 clients want
twice as much, each on a connection of its own (`load.py`), and then a crowd of five times as many,
who do not all find room; once obeying Retry-After and once asking on. With fewer workers than cores
the clients have a core of their own.
"""

from __future__ import annotations

import argparse
import base64
import json
import tempfile
from pathlib import Path
from urllib.parse import urlencode

import load
from thinslice.config import Settings
from thinslice.domain import Product, Shop
from thinslice.engine import Engine

STYLES = "red blue green plain striped dotted small large old new wide soft bright dark".split()
NOUNS = "lamp mug boot chair shirt kettle scarf table clock towel".split()
CROWD = 5


def requests(port: int, key: str) -> dict[str, list[bytes]]:
    """Titles asked of the API one by one, and typed on the page."""
    login = base64.b64encode(f"{key}:".encode()).decode()
    titles = [f"bright {style} {noun} {i}" for i, style in enumerate(STYLES) for noun in NOUNS]
    of_api = f"Authorization: Basic {login}\r\n"
    of_page = f"Accept: application/json\r\nOrigin: http://127.0.0.1:{port}\r\n"
    return {
        "api": [
            load.post("/v1/classify/title", port, json.dumps({"title": t}).encode(), of_api)
            for t in titles
        ],
        "page": [
            load.post("/shop/title", port, urlencode({"title": t}).encode(), of_page)
            for t in titles
        ],
    }


def prepare(data: Path) -> str:
    """A shop of ten categories that are learned; returns its secret key."""
    engine = Engine(Settings(data=data))
    engine.control.add_shop(Shop("shop", "Shop"))
    engine.shelf("shop").catalog.upsert(
        Product(f"p{i}", f"{STYLES[i % 14]} {STYLES[i // 14 % 14]} {noun} {i}", f"Home > {noun}")
        for i in range(3000)
        for noun in (NOUNS[i % len(NOUNS)],)
    )
    engine.titles("shop").learn()
    return engine.control.create_key("shop", "secret")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--processes", type=int, default=1, help="of clients")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--max-in-flight", type=int, default=Settings().max_in_flight)
    parser.add_argument("--what", choices=("api", "page"), action="append")
    args = parser.parse_args()
    cores = load.Cores.apart(args.workers)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        key = prepare(data)
        settings = Settings(
            data=data, port=0, workers=args.workers, max_in_flight=args.max_in_flight
        )
        how = {"seconds": args.seconds, "processes": args.processes, "cores": cores}
        with load.service(settings, cores) as target:
            print(f"{args.workers} worker, {args.clients} clients; {cores.sentence()}")
            for what, asked in requests(target.port, key).items():
                if args.what and what not in args.what:
                    continue
                full = load.at_capacity(target, asked, connections=64, **how)
                print(
                    f"{what}: capacity {full.served_per_s:,.0f} a second, "
                    f"{1e6 / full.served_per_cpu_s:.0f} µs of CPU each"
                )
                for clients in (args.clients, CROWD * args.clients):
                    for obey in (True, False):
                        way = "obeying Retry-After" if obey else "asking on"
                        print(f" {clients} clients, {way}:")
                        rate = 2 * full.served_per_s
                        load.office(
                            target, asked, rate=rate, clients=clients, obey=obey, **how
                        ).tell(full)


if __name__ == "__main__":
    main()
