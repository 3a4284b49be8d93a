"""The whole office takes pictures at once: what is served, how fast, and what is refused.

    python benchmarks/photos_http.py [--seconds 10] [--clients 200] [--workers 1] [--side 1024]
        [--photos ZIP] [--what api|page]

First the clients send photos as fast as they are answered: that is the capacity. Then they want
twice as much, each on a connection of its own (`load.py`), once obeying Retry-After and once asking
on. Photos are drawn ones enlarged to `--side` pixels, about as the page sends them, or those of a
zip or folder (`--photos`), as they are. With fewer workers than cores the clients have a core of
their own.
"""

from __future__ import annotations

import argparse
import base64
import io
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import load
from thinslice.config import Settings
from thinslice.demo.catalogue import make_catalogue
from thinslice.demo.pictures import draw_pictures
from thinslice.domain import Shop
from thinslice.engine import Engine
from thinslice.store.photos import photo_files

SENT = 40
"""Photos that are sent, one after the other."""


def prepare(data: Path) -> tuple[str, list[bytes]]:
    """A shop of drawn products whose photos are searched; returns its secret key and the photos."""
    engine = Engine(Settings(data=data))
    engine.control.add_shop(Shop("shop", "Shop"))
    catalogue = make_catalogue(np.random.default_rng(3), per_cell=4)
    shelf = engine.shelf("shop")
    shelf.catalog.upsert(catalogue.products)
    pictures = dict(draw_pictures(catalogue))
    for product, picture in pictures.items():
        shelf.photos.put(product, picture)
    shelf.catalog.mark_photos(pictures)
    shelf.photo_search.build()
    return engine.control.create_key("shop", "secret"), list(pictures.values())[:SENT]


def enlarged(picture: bytes, side: int) -> bytes:
    """A drawn picture as a photo of so many pixels, with the grain of a camera."""
    large = Image.open(io.BytesIO(picture)).convert("RGB").resize((side, side))
    grain = np.random.default_rng(0).normal(0, 4, (side, side, 1))
    out = io.BytesIO()
    pixels = (np.asarray(large) + grain).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(out, "JPEG", quality=90)
    return out.getvalue()


def requests(port: int, key: str, photos: list[bytes]) -> dict[str, list[bytes]]:
    """Photos sent to the API by themselves, and to the page in its form."""
    login = base64.b64encode(f"{key}:".encode()).decode()
    of_api = f"Authorization: Basic {login}\r\nContent-Type: image/jpeg\r\n"
    of_page = (
        f"Accept: application/json\r\nOrigin: http://127.0.0.1:{port}\r\n"
        "Content-Type: multipart/form-data; boundary=cut\r\n"
    )
    head = (
        b'--cut\r\ncontent-disposition: form-data; name="photo"; filename="a.jpg"\r\n'
        b"content-type: image/jpeg\r\n\r\n"
    )
    return {
        "api": [load.post("/v1/search/image", port, photo, of_api) for photo in photos],
        "page": [
            load.post("/shop/photo", port, head + photo + b"\r\n--cut--\r\n", of_page)
            for photo in photos
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--processes", type=int, default=1, help="of clients")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--photos", type=Path, help="a folder or zip of photos to send")
    parser.add_argument("--what", choices=("api", "page"), action="append")
    args = parser.parse_args()
    cores = load.Cores.apart(args.workers)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        key, drawn = prepare(data)
        if args.photos:
            photos = [file.read() for file in photo_files(args.photos)[:SENT]]
        else:
            photos = [enlarged(picture, args.side) for picture in drawn]
        settings = Settings(data=data, port=0, workers=args.workers)
        how = {"seconds": args.seconds, "processes": args.processes, "cores": cores}
        with load.service(settings, cores) as target:
            size = np.mean([len(photo) for photo in photos]) / 1000
            print(
                f"{args.workers} worker, {args.clients} clients, photos of {size:,.0f} kB; "
                f"{cores.sentence()}"
            )
            for what, asked in requests(target.port, key, photos).items():
                if args.what and what not in args.what:
                    continue
                full = load.at_capacity(target, asked, connections=6, **how)
                rate = 2 * full.served_per_s
                print(
                    f"{what}: capacity {full.served_per_s:,.0f} a second, "
                    f"{1e3 / full.served_per_cpu_s:.1f} ms of CPU each"
                )
                for obey in (True, False):
                    print(f" {'obeying Retry-After' if obey else 'asking on'}:")
                    load.office(
                        target, asked, rate=rate, clients=args.clients, obey=obey, **how
                    ).tell(full)


if __name__ == "__main__":
    main()
