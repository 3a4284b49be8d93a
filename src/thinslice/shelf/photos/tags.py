"""Which category, colour and more? A folder of photos in, a table of tags out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thinslice.errors import InputError, NotEnoughDataError
from thinslice.models.photos.classifier import ImageClassifier, PhotoTag
from thinslice.models.photos.pixels import decode
from thinslice.shelf.photos.learning import Progress
from thinslice.shelf.photos.search import PhotoSearch
from thinslice.shelf.photos.served import Served
from thinslice.store.exports.title_rows import AnswerFile
from thinslice.store.photos import PhotoFile, photo_files

PART = 64
"""Photos that are written at a time; a run that is stopped goes on after the last part."""

ENDINGS = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True, slots=True)
class TagReport:
    """What became of the photos: how many are tagged, are for a person, and were done before."""

    photos: int
    to_review: int
    resumed_at: int

    def lines(self) -> list[str]:
        found = [
            f"{self.photos:,} photos are tagged; a person should look at {self.to_review:,} of "
            "them."
        ]
        if self.resumed_at:
            found.append(f"The first {self.resumed_at:,} were done before it was stopped.")
        return found


def tag_photos(
    search: PhotoSearch,
    source: Path,
    output: Path,
    progress: Progress | None = None,
    *,
    queue: bool = False,
) -> TagReport:
    """Write a table with the tags of every photo of a folder or zip, those for a person on top.

    Stopped at any moment and run again, it goes on where it was. `queue` keeps the photos that need
    a person, made small, and puts them on the review list. A file that is no photo stands in the
    table with what is wrong with it. Raises NotEnoughDataError where no labels were
    learned, InputError where there are no photos.
    """
    served = search.served()
    if served.heads is None:
        raise NotEnoughDataError(
            "photos are tagged by the labels of the catalogue, and none were learned; import "
            "products with categories or colours and their photos, then: thinslice build"
        )
    files = [f for f in photo_files(source) if f.name.lower().endswith(ENDINGS)]
    if not files:
        raise InputError(f"{source} has no .jpg, .jpeg, .png or .webp file; check the name")
    header = ["photo", *_columns(served.heads), "review", "why"]
    with AnswerFile(output, header, _identity(source, files, served)) as table:
        before = table.done
        for first in range(before, len(files), PART):
            part = files[first : first + PART]
            tags, wrong = _tagged(served, served.heads, part)
            rows = [_row(file.name, served.heads, tags, wrong) for file in part]
            table.write(rows, [bool(row[-1]) for row in rows])
            for file in part if queue else ():
                if unsure := _unsure(tags.get(file.name, {})):
                    search.decisions.wait(file.name, file.read(), unsure)
            if progress:
                progress(table.done, len(files))
        table.finish()
    return TagReport(table.done, table.to_review, before)


def _tagged(
    served: Served, heads: ImageClassifier, files: Sequence[PhotoFile]
) -> tuple[dict[str, dict[str, PhotoTag]], dict[str, str]]:
    """The tags of the files that are photos, and what is wrong with the others, by name."""
    pixels, wrong = {}, {}
    for file in files:
        try:
            pixels[file.name] = decode(file.read(), served.encoder.side)
        except InputError as error:
            wrong[file.name] = str(error)
    if not pixels:
        return {}, wrong
    vectors = served.encoder.encode_images(np.stack(list(pixels.values())))
    return dict(zip(pixels, heads.tag(vectors), strict=True)), wrong


def _row(
    name: str,
    heads: ImageClassifier,
    tags: Mapping[str, Mapping[str, PhotoTag]],
    wrong: Mapping[str, str],
) -> list[str]:
    found = tags.get(name, {})
    unsure = _unsure(found)
    why = wrong.get(name) or (f"not sure of the {' and '.join(unsure)}" if unsure else "")
    cells = [cell for attribute in heads.heads for cell in _cells(found.get(attribute))]
    return [name, *cells, "yes" if why else "", why]


def _unsure(tags: Mapping[str, PhotoTag]) -> list[str]:
    return [tag.attribute for tag in tags.values() if tag.needs_person]


def _columns(heads: ImageClassifier) -> list[str]:
    return [name for a in heads.heads for name in (a, f"{a} confidence", f"other {a}")]


def _cells(tag: PhotoTag | None) -> list[str]:
    if tag is None:
        return ["", "", ""]
    other = tag.alternatives[0][0] if tag.alternatives else ""
    return [tag.label, f"{tag.confidence:.3f}", other]


def _identity(source: Path, files: Sequence[PhotoFile], served: Served) -> dict[str, object]:
    """What makes a run that was stopped the same work as this one."""
    names = hashlib.sha256("\n".join(f.name for f in files).encode("utf-8", "surrogatepass"))
    return {
        "source": str(source.resolve()),
        "names": names.hexdigest(),
        "version": served.folder.name,
    }
