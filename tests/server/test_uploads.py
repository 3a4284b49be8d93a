"""Whatever is uploaded as a photo gets an answer or a sentence, and nobody else notices."""

from __future__ import annotations

import io
import os
import signal
import socket
import struct
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from thinslice.config import Settings
from thinslice.demo.catalogue import make_catalogue
from thinslice.demo.pictures import draw_pictures
from thinslice.domain import Shop
from thinslice.engine import Engine

MOST_BYTES = 2_000_000


@pytest.fixture(scope="module")
def shop(start_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = Path(tmp_path_factory.mktemp("uploads"))
    engine = Engine(Settings(data=folder / "data"))
    engine.control.add_shop(Shop("shop", "Shop"))
    catalogue = make_catalogue(np.random.default_rng(3), per_cell=1)
    shelf = engine.shelf("shop")
    shelf.catalog.upsert(catalogue.products)
    pictures = dict(draw_pictures(catalogue))
    for product, picture in pictures.items():
        shelf.photos.put(product, picture)
    shelf.catalog.mark_photos(pictures)
    shelf.photo_search.build()
    service = start_service(folder / "data", workers=1, max_photo_bytes=MOST_BYTES)
    key = engine.control.create_key("shop", "write")
    product, picture = next(iter(pictures.items()))
    return SimpleNamespace(service=service, key=key, product=product, picture=picture)


def sent(shop: Any, data: bytes, **how: Any) -> Any:
    return shop.service.call(
        "POST", "/v1/search/image?in_stock=false&n=3", data, key=shop.key, **how
    )


def saved(picture: Image.Image, kind: str, **how: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **how)
    return out.getvalue()


def opened(shop: Any) -> Image.Image:
    return Image.open(io.BytesIO(shop.picture)).convert("RGB")


def transparent(picture: Image.Image) -> Image.Image:
    """White made transparent, as of a cut-out product."""
    pixels = np.asarray(picture.convert("RGBA")).copy()
    pixels[pixels[..., :3].min(axis=2) > 250, 3] = 0
    return Image.fromarray(pixels)


def turned(picture: Image.Image) -> bytes:
    """Saved lying on its side, with a note of the camera that says so."""
    exif = Image.Exif()
    exif[274] = 6
    return saved(picture.rotate(90, expand=True), "JPEG", exif=exif, quality=95)


def sixteen_bits(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)


AS_IT_IS: dict[str, Callable[[Image.Image], bytes]] = {
    "progressive": lambda p: saved(p, "JPEG", progressive=True, quality=92),
    "cmyk": lambda p: saved(p.convert("CMYK"), "JPEG", quality=95),
    "webp": lambda p: saved(p, "WEBP", quality=90),
    "palette": lambda p: saved(p.quantize(200), "PNG"),
    "transparent": lambda p: saved(transparent(p), "PNG"),
    "animated webp": lambda p: saved(
        p, "WEBP", save_all=True, append_images=[Image.new("RGB", p.size)], quality=95
    ),
    "animated png": lambda p: saved(
        p, "PNG", save_all=True, append_images=[Image.new("RGB", p.size)]
    ),
    "turned": turned,
    "with a program behind it": lambda p: (
        saved(p, "JPEG", quality=95) + b"<script>alert(1)</script>"
    ),
    "also a zip": lambda p: saved(p, "JPEG", quality=95) + packed(),
    "twelve megapixels": lambda p: saved(
        p.resize((4000, 3000)).resize((3000, 3000)), "JPEG", quality=60
    ),
}


def packed() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("evil.html", "<script>")
    return out.getvalue()


@pytest.mark.parametrize("name", AS_IT_IS)
def test_one_picture_is_found_however_it_is_saved(shop: Any, name: str) -> None:
    answer = sent(shop, AS_IT_IS[name](opened(shop)))
    assert answer.status == 200, answer.body
    assert answer.json()["products"][0]["product_id"] == shop.product


SANE: dict[str, Callable[[Image.Image], bytes]] = {
    "greyscale": lambda p: saved(p.convert("L"), "JPEG"),
    "black and white": lambda p: saved(p.convert("1"), "PNG"),
    "16 bits": lambda p: saved(
        Image.fromarray(np.asarray(p.convert("L")).astype(np.uint16) * 257), "PNG"
    ),
    "tiny": lambda p: saved(p.resize((8, 8)), "PNG"),
    "a line": lambda p: saved(p.resize((2000, 9)), "PNG"),
    "all transparent": lambda p: saved(Image.new("RGBA", (50, 50)), "PNG"),
    "one colour": lambda p: saved(Image.new("RGB", (300, 300), "black"), "JPEG"),
}


@pytest.mark.parametrize("name", SANE)
def test_odd_pictures_get_products_too(shop: Any, name: str) -> None:
    answer = sent(shop, SANE[name](opened(shop)))
    assert answer.status == 200, answer.body
    assert len(answer.json()["products"]) == 3


def chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(name + content).to_bytes(4, "big")
    return len(content).to_bytes(4, "big") + name + content + check


def png(width: int, height: int, rows: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">II5B", width, height, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


def text_bomb() -> bytes:
    """A small picture whose caption unpacks to a hundred megabytes."""
    caption = b"a\0\0" + zlib.compress(b"x" * 100_000_000, 9)
    start, end = png(20, 20, b"\0" * 61 * 20).split(b"IDAT", 1)
    return start[:-4] + chunk(b"zTXt", caption) + start[-4:] + b"IDAT" + end


REFUSED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing of a picture": (lambda p: b"%PDF-1.7 no picture", "JPEG, PNG or WebP"),
    "an animated gif": (lambda p: b"GIF89a" + p, "JPEG, PNG or WebP"),
    "a drawing": (lambda p: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "JPEG, PNG or WebP"),
    "a bitmap": (lambda p: saved(Image.new("RGB", (20, 20)), "BMP"), "JPEG, PNG or WebP"),
    "a tiff": (lambda p: saved(Image.new("RGB", (20, 20)), "TIFF"), "JPEG, PNG or WebP"),
    "a zip": (lambda p: packed(), "JPEG, PNG or WebP"),
    "a cut jpeg": (lambda p: p[: len(p) // 3], "cannot be read"),
    "its first bytes": (lambda p: p[:30], "cannot be read"),
    "a cut png": (lambda p: png(400, 400, b"\0" * 1000), "cannot be read"),
    "400 megapixels": (lambda p: png(20_000, 20_000), "million pixels"),
    "a bomb": (lambda p: png(7_500, 7_500, b"\0" * 7_500 * 200), "million pixels"),
    "as wide as can be said": (lambda p: png(2**31 - 1, 1), "pixels"),
    "too small": (lambda p: png(3, 3, b"\0" * 30), "at least 8 pixels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_photo_is_refused_with_a_sentence(shop: Any, name: str) -> None:
    made, said = REFUSED[name]
    answer = sent(shop, made(shop.picture))
    assert answer.status == 400, answer.body
    assert said in answer.json()["error"]["rule"]


def test_what_unpacks_to_a_lot_costs_its_own_decoder_only(shop: Any) -> None:
    white = png(7_000, 7_000, (b"\0" + b"\xff" * 21_000) * 7_000)
    assert len(white) < 1_000_000
    for bomb in (white, text_bomb()):
        answer = sent(shop, bomb)
        assert answer.status in (200, 400), answer.body
        assert sent(shop, shop.picture).json()["products"][0]["product_id"] == shop.product


def test_a_body_of_unknown_length_is_cut_off_while_it_arrives(shop: Any) -> None:
    """In pieces, as a body whose length is not said beforehand."""
    piece = b"10000\r\n" + b"\0" * 0x10000 + b"\r\n"
    head = (
        f"POST /v1/search/image HTTP/1.1\r\nhost: shop\r\nauthorization: Bearer {shop.key}\r\n"
        "transfer-encoding: chunked\r\n\r\n"
    )
    sent_bytes = 0
    with socket.create_connection(("127.0.0.1", shop.service.port), timeout=60) as connection:
        connection.sendall(head.encode())
        with suppress(OSError):
            while sent_bytes < 20 * MOST_BYTES:
                connection.sendall(piece)
                sent_bytes += len(piece)
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 413"), answer[:80]
    assert sent_bytes < 10 * MOST_BYTES


def test_pictures_with_flipped_bytes_are_answered_or_refused(shop: Any) -> None:
    rng = np.random.default_rng(7)
    kinds = [shop.picture, saved(opened(shop), "PNG"), saved(opened(shop), "WEBP")]
    for n in range(60):
        data = bytearray(kinds[n % 3])
        for place in rng.integers(0, len(data), 1 + n % 20):
            data[place] = rng.integers(256)
        if n % 4 == 0:
            del data[rng.integers(1, len(data)) :]
        answer = sent(shop, bytes(data))
        assert answer.status in (200, 400), (n, answer.body)
    assert sent(shop, shop.picture).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"--cut--\r\n",
        b'--cut\r\ncontent-disposition: form-data; name="photo"\r\n\r\nno file\r\n--cut--\r\n',
        b'--cut\r\ncontent-disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\nx',
        b"no form at all",
    ],
)
def test_a_form_without_a_photo_is_told_so(shop: Any, body: bytes) -> None:
    kind = {"content-type": "multipart/form-data; boundary=cut"}
    answer = sent(shop, body, headers=kind)
    assert answer.status == 400, answer.body


def decoders() -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and b"thinslice.server.decoding" in (
                (entry / "cmdline").read_bytes()
            ):
                yield int(entry.name)
        except OSError:
            continue


def descends_from(process: int, ancestor: int) -> bool:
    while process > 1 and process != ancestor:
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return False
        process = int(fields[1])
    return process == ancestor


def test_decoders_that_are_killed_while_people_search_are_replaced_unnoticed(shop: Any) -> None:
    done, seen = threading.Event(), []

    def ask() -> None:
        while not done.is_set():
            seen.append(sent(shop, shop.picture).status)

    people = [threading.Thread(target=ask) for _ in range(3)]
    for person in people:
        person.start()
    killed, until = 0, time.monotonic() + 120
    while killed < 6 and time.monotonic() < until:
        served = seen.count(200)
        process = next((p for p in decoders() if descends_from(p, os.getpid())), None)
        if process is not None:
            os.kill(process, signal.SIGKILL)
            killed += 1
        while seen.count(200) < served + 3 and time.monotonic() < until:
            time.sleep(0.05)
    done.set()
    for person in people:
        person.join()
    assert killed == 6
    assert len(seen) > killed
    assert set(seen) <= {200, 503}  # no more than can be answered soon is taken on
    assert sent(shop, shop.picture).status == 200
