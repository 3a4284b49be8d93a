from __future__ import annotations

import asyncio
import io
import os
import signal
import zlib

import numpy as np
import pytest
import uvloop
from PIL import Image

from thinslice.errors import InputError
from thinslice.models.photos.pixels import Region
from thinslice.server.decoding import DecodingPool


def photo(colour: str = "red", size: tuple[int, int] = (300, 200), kind: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


def white(side: int, *, body: bool = True) -> bytes:
    """A PNG of side x side white pixels, which packs to nearly nothing; or its header only."""
    rows = (b"\x00" + b"\xff" * (side * 3)) * side if body else b""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = zlib.crc32(name + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + name + content + check

    header = chunk(b"IHDR", side.to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00")
    packed = chunk(b"IDAT", zlib.compress(rows, 1))
    return b"\x89PNG\r\n\x1a\n" + header + packed + chunk(b"IEND", b"")


def test_a_photo_comes_back_as_pixels_and_what_is_none_as_a_sentence() -> None:
    async def asked() -> None:
        pool = DecodingPool(2)
        try:
            pixels = await pool.decode(photo("blue"), 64)
            assert pixels.shape == (64, 64, 3)
            assert tuple(pixels[32, 32]) == pytest.approx((0, 0, 254), abs=3)
            with pytest.raises(InputError, match="JPEG, PNG or WebP"):
                await pool.decode(b"%PDF-1.4 not a photo", 64)
            both = await asyncio.gather(*(pool.decode(photo(c), 64) for c in ("red", "lime")))
            assert both[0][32, 32, 0] > 200
            assert both[1][32, 32, 1] > 200
        finally:
            await pool.close()

    asyncio.run(asked())


def test_a_region_is_what_is_seen() -> None:
    two = Image.new("RGB", (400, 200), "red")
    two.paste("blue", (200, 0, 400, 200))
    out = io.BytesIO()
    two.save(out, "PNG")

    async def asked() -> np.ndarray:
        pool = DecodingPool(1)
        try:
            return await pool.decode(out.getvalue(), 64, Region(0.5, 0.0, 0.5, 1.0))
        finally:
            await pool.close()

    assert tuple(asyncio.run(asked()).reshape(-1, 3).mean(0)) == pytest.approx((0, 0, 255), abs=2)


def test_a_picture_that_takes_too_long_is_refused_and_the_next_is_read() -> None:
    async def asked() -> None:
        pool = DecodingPool(1, seconds=20)
        try:
            await pool.decode(photo(), 64)
            pool._seconds = 0.01
            with pytest.raises(InputError, match="more time or memory"):
                await pool.decode(white(3000), 64)
            pool._seconds = 20
            assert (await pool.decode(photo(), 64)).shape == (64, 64, 3)
            with pytest.raises(InputError, match="at most 50 million pixels"):
                await pool.decode(white(8000, body=False), 64)
        finally:
            await pool.close()

    asyncio.run(asked())


def test_started_decoders_wait_for_the_first_photo_and_end_with_the_pool() -> None:
    async def asked() -> None:
        pool = DecodingPool(2)
        pool.start()
        assert pool._starting is not None
        await pool._starting
        ready = [await pool._idle.get() for _ in range(2)]
        assert all(one is not None and one.returncode is None for one in ready)
        for one in ready:
            pool._idle.put_nowait(one)
        assert (await pool.decode(photo("blue"), 64)).shape == (64, 64, 3)
        await pool.close()
        assert all(one is not None and one.returncode is not None for one in ready)
        early = DecodingPool(1)
        early.start()
        await early.close()

    asyncio.run(asked())


def test_a_decoder_that_dies_while_it_has_nothing_to_do_is_replaced() -> None:
    """On the loop of the service, where writing to a pipe that is closed is an error of its own."""

    async def asked() -> None:
        pool = DecodingPool(1)
        try:
            for yields in range(8):
                await pool.decode(photo(), 64)
                decoder = pool._idle._queue[0]  # type: ignore[attr-defined]
                os.kill(decoder.pid, signal.SIGKILL)
                decoder.stdin._transport.abort()  # as the loop does once it sees that it died
                for _ in range(yields % 4):
                    await asyncio.sleep(0)
                assert (await pool.decode(photo(), 64)).shape == (64, 64, 3)
        finally:
            await pool.close()

    uvloop.run(asked())
