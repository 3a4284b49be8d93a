"""Photos of products: checked, made small and kept under a name that no id can break out of."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import unquote
from uuid import uuid4

from PIL import Image, ImageOps, UnidentifiedImageError

from thinslice.errors import InputError, StorageError
from thinslice.store.exports.import_report import ImportReport, SkippedRow

Progress = Callable[[int, int | None], None]
"""Called with (photos done, photos in all)."""

LONGEST_SIDE = 640
MOST_PIXELS = 40_000_000
MOST_BYTES = 20 << 20
_QUALITY = 85
_FORMATS = ("JPEG", "PNG", "WEBP")
_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp"})


class PhotoStore:
    """One photo per product, as JPEG of at most 640 pixels, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, product_id: str, data: bytes) -> Path:
        """Keep a photo (JPEG, PNG or WebP), replacing an earlier one; return where it lies.

        Raises InputError for what is no such picture, is cut off or has over 40 million pixels.
        """
        path = self._path(product_id)
        temporary = path.with_name(f".{uuid4().hex}.tmp")
        picture = _small_jpeg(data)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(picture)
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise StorageError(
                f"the photo of product {product_id!r} could not be written: {error}; free some "
                "space or check the disk"
            ) from error
        return path

    def put_all(self, photos: Iterable[tuple[str, bytes]], report: ImportReport) -> list[str]:
        """Keep the photos that are in order and return whose they are; the others are reported.

        When it returns, they are on disk.
        """
        kept: list[str] = []
        for product_id, data in photos:
            try:
                self.put(product_id, data)
            except InputError as error:
                report.skip(SkippedRow(report.rows, "photo", product_id, str(error)))
            else:
                report.kept += 1
                kept.append(product_id)
        report.flush()
        os.sync()  # once: two syncs per photo would take minutes for a catalogue
        return kept

    def path(self, product_id: str) -> Path | None:
        """Where the photo of a product lies, None where there is none."""
        path = self._path(product_id)
        return path if path.is_file() else None

    def _path(self, product_id: str) -> Path:
        name = sha256(product_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return self._folder / name[:2] / f"{name}.jpg"


def read_photos(
    source: Path,
    known: Collection[str],
    *,
    progress: Progress | None = None,
    problems_file: Path | None = None,
) -> tuple[Iterator[tuple[str, bytes]], ImportReport]:
    """Photos from a folder or zip, in any subfolder, named by product id: (id, bytes) one by one.

    Files of unknown products, second photos of one product and files of over 20 MB are reported,
    by their place in the order of names. Nothing is unpacked to disk.
    """
    if not known:
        raise InputError(
            "photos are matched to products by id, and the catalogue has none yet; import products "
            "first: thinslice import --products PRODUCTS.csv"
        )
    files = photo_files(Path(source))
    report = ImportReport(what="photos", problems_file=problems_file)

    def photos() -> Iterator[tuple[str, bytes]]:
        taken: set[str] = set()
        for number, file in enumerate(files, 1):
            report.rows = number
            product_id = _product_of(file.name, known)
            rule = _refusal(file, product_id, taken)
            data = b"" if rule else file.read()
            if not rule and len(data) > MOST_BYTES:
                rule = "a photo must have at most 20 MB"
            if rule or product_id is None:
                report.skip(SkippedRow(number, "photo", file.name, rule))
            else:
                taken.add(product_id)
                yield product_id, data
            if progress is not None:
                progress(number, len(files))
        if files and files[0].archive:
            files[0].archive.close()

    return photos(), report


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A file that may be a photo; `archive` is None for one that lies in a folder."""

    name: str
    path: Path
    archive: zipfile.ZipFile | None = None

    def read(self) -> bytes:
        """At most a byte more than a photo may have, whatever the archive says of its size."""
        try:
            with self._open() as file:
                return file.read(MOST_BYTES + 1)
        except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError):
            return b""

    def _open(self) -> BinaryIO:
        if self.archive is None:
            return self.path.open("rb")
        return self.archive.open(self.name)  # type: ignore[return-value]


def photo_files(source: Path) -> list[PhotoFile]:
    """The visible files of a folder with its subfolders, or of a zip, by name; not read yet."""
    if source.is_dir():
        found = [
            PhotoFile(str(path.relative_to(source)), path)
            for folder, _, names in os.walk(source)
            for path in (Path(folder, name) for name in names)
            if not path.is_symlink() and path.is_file()
        ]
    elif source.is_file() and zipfile.is_zipfile(source):
        try:
            archive = zipfile.ZipFile(source)
        except (zipfile.BadZipFile, OSError) as error:
            raise InputError(f"{source} is not a complete zip file; pack it again") from error
        names = (i.filename for i in archive.infolist() if not i.is_dir())
        found = [PhotoFile(name, source, archive) for name in names]
    else:
        raise InputError(
            f"photos come from a folder or a zip file, and {source} is "
            f"{'neither' if source.exists() else 'not there'}; check the name"
        )
    visible = (f for f in found if not _hidden(f.name))
    return sorted(visible, key=lambda file: file.name)


def _hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(p == "__MACOSX" or (p.startswith(".") and p not in {".", ".."}) for p in parts)


def _product_of(name: str, known: Collection[str]) -> str | None:
    stem = PurePosixPath(name).stem
    return next((i for i in (stem, unquote(stem)) if i in known), None)


def _refusal(file: PhotoFile, product_id: str | None, taken: set[str]) -> str:
    if PurePosixPath(file.name).suffix.lower() not in _ENDINGS:
        return "a photo must be a .jpg, .jpeg, .png or .webp file"
    if product_id is None:
        return "a photo must be named by the id of a product in the catalogue"
    return "a product has one photo, and an earlier file has it" if product_id in taken else ""


def _small_jpeg(data: bytes) -> bytes:
    """The picture upright, in RGB, at most 640 pixels long; a small plain JPEG as it is."""
    if len(data) > MOST_BYTES:
        raise InputError(f"a photo must have at most 20 MB, got {len(data) >> 20} MB; shrink it")
    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS:
                raise InputError(
                    "a photo must have at most 40 million pixels, got "
                    f"{width} x {height}; shrink it"
                )
            if _is_small_and_plain(picture):
                picture.load()
                return data
            picture.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
            return _encoded(picture)
    except UnidentifiedImageError as error:
        raise InputError("a photo must be a JPEG, PNG or WebP picture; convert it") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError("a photo must have at most 40 million pixels; shrink it") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InputError(f"a photo must be complete: {error}; export it again") from error


def _is_small_and_plain(picture: Image.Image) -> bool:
    return (
        picture.format == "JPEG"
        and picture.mode == "RGB"
        and max(picture.size) <= LONGEST_SIDE
        and not picture.info.get("exif")
    )


def _encoded(picture: Image.Image) -> bytes:
    upright = ImageOps.exif_transpose(picture)
    upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    if upright.has_transparency_data:
        layered = upright.convert("RGBA")
        upright = Image.new("RGB", layered.size, "white")
        upright.paste(layered, mask=layered.getchannel("A"))
    out = BytesIO()
    upright.convert("RGB").save(out, "JPEG", quality=_QUALITY, optimize=True)
    return out.getvalue()
