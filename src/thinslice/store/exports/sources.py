"""The bytes of an export: plain, gzipped or zipped, decoded to UTF-8 in blocks of whole lines."""

from __future__ import annotations

import codecs
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from thinslice.errors import InputError

Note = Callable[[str], None]
Progress = Callable[[int, int | None], None]

UNDECODABLE = "\ufdd0"
"""Stands where bytes could not be decoded; no text may contain it, by Unicode's own rule."""
UNDECODABLE_UTF8 = UNDECODABLE.encode()
CHUNK_BYTES = 4 << 20
LONGEST_LINE = 64 << 20
SAMPLE_BYTES = 256 << 10
_DAMAGED = "The packed file is damaged ({}); what comes before the damage is kept."


@dataclass(frozen=True, slots=True)
class Member:
    """One table of a file: the file itself, or a file inside a zip, whose `name` it then has."""

    path: Path
    name: str = ""
    packed: str = ""

    @contextmanager
    def chunks(self, note: Note, progress: Progress | None = None) -> Iterator[Iterator[bytes]]:
        """The unpacked bytes, in chunks of a few megabytes."""
        size = self.path.stat().st_size
        with self.path.open("rb") as raw:

            def report(chunks: Iterator[bytes]) -> Iterator[bytes]:
                for chunk in chunks:
                    yield chunk
                    if progress is not None:
                        progress(min(raw.tell(), size), size)

            if self.packed == "zip":
                with zipfile.ZipFile(raw) as archive, _opened(archive, self.name) as file:
                    yield report(_whole_part(_read_zipped(file), note))
            elif self.packed == "gzip":
                yield report(_whole_part(_read_gzip(raw), note))
            else:
                yield report(_read(raw))

    @contextmanager
    def seekable(self) -> Iterator[BinaryIO]:
        """The unpacked bytes as a file that can seek; unpacked to disk where need be."""
        if not self.packed:
            with self.path.open("rb") as raw:
                yield raw
            return
        with tempfile.TemporaryFile() as unpacked, self.chunks(_refuse) as chunks:
            for chunk in chunks:
                unpacked.write(chunk)
            unpacked.seek(0)
            yield unpacked

    def start(self) -> bytes:
        """The first bytes, enough to tell what they are."""
        sample, notes = b"", list[str]()
        with self.chunks(notes.append) as chunks:
            for chunk in chunks:
                sample += chunk
                if len(sample) >= SAMPLE_BYTES:
                    break
        if notes and not sample:
            raise InputError(f"nothing in {self.path} can be read: {notes[0]} Pack it again")
        return sample[:SAMPLE_BYTES]


def members(path: Path) -> list[Member]:
    """The tables of a file; an InputError says why it has none."""
    if not path.exists():
        raise InputError(f"there is no file {path}; check the name and the folder")
    if path.is_dir():
        raise InputError(f"{path} is a folder; name one file in it, or zip them into one")
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if not magic:
        raise InputError(f"{path} is empty; export it again")
    if magic[:2] == b"\x1f\x8b":
        return [Member(path, packed="gzip")]
    return _zipped(path) if magic in (b"PK\x03\x04", b"PK\x05\x06") else [Member(path)]


def encoding_of(sample: bytes, path: Path) -> str:
    """The text encoding by its byte order mark, else "" until bytes beyond ASCII decide."""
    if sample.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise InputError(f"{path} is in UTF-32; save it as UTF-8")
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\x00" in sample:
        raise InputError(
            f"{path} is not text, Parquet, .gz or .zip: it has zero bytes; export it as CSV in "
            "UTF-8"
        )
    return "utf-8" if sample.startswith(codecs.BOM_UTF8) else ""


def text_blocks(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Blocks of whole lines in UTF-8 without byte order mark, each line ending in a newline.

    Bytes that cannot be decoded become `UNDECODABLE`. Where `encoding` is "", it is UTF-8, or
    cp1252 from the first bytes on that are none.
    """
    if encoding == "utf-16":
        chunks, encoding = _from_utf16(chunks), "utf-8"
    first = True
    for lines in _whole_lines(chunks):
        block = lines.removeprefix(codecs.BOM_UTF8) if first else lines
        first = False
        if not block.isascii():
            encoding = encoding or _judged(block)
            block = _decoded(block, encoding)
        yield _one_kind_of_newline(block)


def judge_encoding(sample: bytes, encoding: str) -> str:
    """The encoding of a sample as a word for people."""
    if encoding or sample.isascii():
        return encoding.upper() or "ASCII"
    return {"utf-8": "UTF-8", "cp1252": "Windows-1252"}[_judged(sample)]


def _zipped(path: Path) -> list[Member]:
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [i for i in archive.infolist() if not i.is_dir() and i.file_size]
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(f"{path} is not a complete zip file ({error}); pack it again") from error
    names = sorted(i.filename for i in infos)
    if "xl/workbook.xml" in names:
        raise InputError(f"{path} is an Excel workbook; save the sheet as CSV in UTF-8")
    names = [n for n in names if not n.startswith("__MACOSX/") and Path(n).name[:1] != "."]
    if not names:
        raise InputError(f"{path} is a zip without any file that has content; pack it again")
    if any(i.flag_bits & 1 for i in infos):
        raise InputError(f"{path} is a zip with a password; pack it again without one")
    return [Member(path, name, "zip") for name in names]


@contextmanager
def _opened(archive: zipfile.ZipFile, name: str) -> Iterator[IO[bytes]]:
    try:
        file = archive.open(name)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{name} in the zip cannot be unpacked: {error}; pack it again") from error
    with file:
        yield file


def _read(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


class _BrokenOffError(Exception):
    """A packed file has no more to give though it should; the sentence says why."""


def _whole_part(chunks: Iterator[bytes], note: Note) -> Iterator[bytes]:
    """What comes before a cut or damage, without the line that it broke off."""
    waiting = b""
    try:
        for chunk in chunks:
            end = chunk.rfind(b"\n") + 1
            yield waiting + chunk[:end]
            waiting = chunk[end:]
    except _BrokenOffError as error:
        note(str(error))
    else:
        yield waiting


def _read_zipped(file: IO[bytes]) -> Iterator[bytes]:
    try:
        while chunk := file.read(SAMPLE_BYTES):
            yield chunk
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise _BrokenOffError(_DAMAGED.format(error)) from error


def _read_gzip(file: IO[bytes]) -> Iterator[bytes]:
    """Like the gzip module, but what comes before a cut or damage is not lost."""
    unpacker = zlib.decompressobj(wbits=31)
    waiting = b""
    try:
        while True:
            waiting = waiting or file.read(CHUNK_BYTES // 4)
            if unpacker.eof:
                waiting = waiting.lstrip(b"\x00")  # padding between the parts
                if not waiting:
                    return
                unpacker = zlib.decompressobj(wbits=31)
            if not waiting:
                break
            if chunk := unpacker.decompress(waiting, CHUNK_BYTES):
                yield chunk
            waiting = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
        if chunk := unpacker.flush():
            yield chunk
    except zlib.error as error:
        raise _BrokenOffError(_DAMAGED.format(error)) from error
    raise _BrokenOffError("The packed file is cut off; what comes before the cut is kept.")


def _whole_lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size = 0
    for chunk in chunks:
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r", 0, len(chunk) - 1)) + 1
        if end:
            yield b"".join([*waiting, chunk[:end]])
            waiting, size = [], 0
        waiting.append(chunk[end:])
        size += len(chunk) - end
        if size > LONGEST_LINE:
            raise InputError(
                f"a line must be shorter than {LONGEST_LINE >> 20} MB, got one that is longer; "
                "check that this is a table"
            )
    if rest := b"".join(waiting):
        yield rest + b"\n"


def _from_utf16(chunks: Iterator[bytes]) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-16")("thinslice.undecodable")
    for chunk in chunks:
        yield decoder.decode(chunk).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode("utf-8", "replace")


def _judged(block: bytes) -> str:
    """UTF-8 where most bytes beyond ASCII make sense as such, else cp1252."""
    text = block.decode("utf-8", "surrogateescape")
    wrong = sum("\udc80" <= c <= "\udcff" for c in text if c > "\x7f")
    right = sum(c > "\x7f" for c in text) - wrong
    return "utf-8" if not wrong or right * 4 >= wrong else "cp1252"


def _decoded(block: bytes, encoding: str) -> bytes:
    if encoding == "utf-8":
        try:
            block.decode()
        except UnicodeDecodeError:
            return block.decode("utf-8", "thinslice.undecodable").encode()
        return block
    return block.decode(encoding, "thinslice.undecodable").encode()


def _one_kind_of_newline(block: bytes) -> bytes:
    if b"\r" not in block:
        return block
    block = block.replace(b"\r\n", b"\n")
    return block.replace(b"\r", b"\n") if b"\r" in block else block


def _undecodable(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return UNDECODABLE, error.end


def _refuse(sentence: str) -> None:
    raise InputError(f"a packed Parquet file must be complete: {sentence} Pack it again")


codecs.register_error("thinslice.undecodable", _undecodable)
