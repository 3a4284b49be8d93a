"""Uploaded photos are decoded in processes of their own, so that none harms the server.

A decoder is a process that reads one photo after the other from its standard input. It may use so
much memory and so much time; one that breaks its limits is replaced by a fresh one and the person
gets a sentence. The worker itself never touches the bytes of a picture.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.errors import InputError
from thinslice.models.photos.pixels import Region, decode
from thinslice.server.photo_turns import PhotoTurns

if TYPE_CHECKING:
    from numpy.typing import NDArray

SECONDS = 10.0
MEMORY_MB = 1024
ATTEMPTS = 3
"""Decoders that may die over one photo before it is taken to be the photo's fault."""

_HEADER = struct.Struct("<II")
_READY = b"ready"


class DecodingPool:
    """A few decoders, started by `start` or when first needed and kept ready, and the `turns` of
    the photos that a worker takes on. For one event loop."""

    def __init__(self, size: int = 2, *, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self.turns = PhotoTurns()
        self._starting: asyncio.Task[None] | None = None
        self._idle: asyncio.Queue[asyncio.subprocess.Process | None] = asyncio.Queue()
        for _ in range(size):
            self._idle.put_nowait(None)

    async def decode(
        self, data: bytes, side: int, region: Region | None = None
    ) -> NDArray[np.uint8]:
        """The photo as (side, side, 3) uint8. Raises InputError for one that cannot be read, or
        takes more time or memory than a photo may."""
        decoder = await self._idle.get()
        question = {"side": side, "region": _values(region)}
        try:
            for left in reversed(range(ATTEMPTS)):
                try:
                    if decoder is None or decoder.returncode is not None:
                        decoder = await _start()
                    answer = await asyncio.wait_for(_ask(decoder, question, data), self._seconds)
                    break
                except (asyncio.IncompleteReadError, ConnectionError):
                    await _stop(decoder)  # it died, which need not be the photo's fault
                    decoder = None
                    if not left:
                        raise _too_heavy(data) from None
        except TimeoutError:
            await _stop(decoder)
            decoder = None
            raise _too_heavy(data) from None
        except BaseException:
            await _stop(decoder)
            decoder = None
            raise
        finally:
            self._idle.put_nowait(decoder)
        if isinstance(answer, str):
            raise InputError(answer)
        return answer.reshape(side, side, 3)

    def start(self) -> None:
        """Have the decoders started, so that the first photo does not wait for one."""
        self._starting = asyncio.create_task(self._start_all())

    async def _start_all(self) -> None:
        for _ in range(self._idle.qsize()):
            decoder = await self._idle.get()
            try:
                decoder = decoder or await _start()
            except (OSError, asyncio.IncompleteReadError):
                decoder = None  # the first photo tries again
            finally:
                self._idle.put_nowait(decoder)

    async def close(self) -> None:
        """Stop the decoders."""
        if self._starting is not None:
            self._starting.cancel()
            with suppress(asyncio.CancelledError):
                await self._starting
        while not self._idle.empty():
            await _stop(self._idle.get_nowait())


def main() -> None:
    """One decoder: question and photo in, pixels or a sentence out, until the input ends."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MB << 20, MEMORY_MB << 20))
    source, target = sys.stdin.buffer, sys.stdout.buffer
    import PIL.JpegImagePlugin  # noqa: F401 - loads what decoding needs before it is ready

    target.write(_READY)
    target.flush()
    while header := source.read(_HEADER.size):
        asked, size = _HEADER.unpack(header)
        question = json.loads(source.read(asked))
        data = source.read(size)
        region = Region(*question["region"]) if question["region"] else None
        try:
            ok, answer = 1, decode(data, question["side"], region).tobytes()
        except InputError as error:
            ok, answer = 0, str(error).encode()
        except MemoryError:
            ok, answer = 0, str(_too_heavy(data)).encode()
        target.write(_HEADER.pack(ok, len(answer)) + answer)
        target.flush()


def _too_heavy(data: bytes) -> InputError:
    return InputError(
        f"this photo of {len(data):,} bytes takes more time or memory to open than one may; save "
        "it again as a smaller JPEG"
    )


async def _start() -> asyncio.subprocess.Process:
    decoder = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from thinslice.server.decoding import main; main()",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert decoder.stdout
    await decoder.stdout.readexactly(len(_READY))
    return decoder


async def _ask(
    decoder: asyncio.subprocess.Process, question: dict[str, Any], data: bytes
) -> NDArray[np.uint8] | str:
    assert decoder.stdin and decoder.stdout
    if decoder.stdin.is_closing():
        raise ConnectionResetError("the decoder died while it had nothing to do")
    asked = json.dumps(question).encode()
    decoder.stdin.write(_HEADER.pack(len(asked), len(data)) + asked + data)
    await decoder.stdin.drain()
    ok, size = _HEADER.unpack(await decoder.stdout.readexactly(_HEADER.size))
    answer = await decoder.stdout.readexactly(size)
    return np.frombuffer(answer, np.uint8) if ok else answer.decode()


async def _stop(decoder: asyncio.subprocess.Process | None) -> None:
    if decoder is not None and decoder.returncode is None:
        with suppress(ProcessLookupError):
            decoder.kill()
        await decoder.wait()


def _values(region: Region | None) -> list[float] | None:
    return [region.left, region.top, region.width, region.height] if region else None
