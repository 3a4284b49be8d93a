"""Teach the encoder that thinslice ships, and write it with its model card.

    pip install 'thinslice[train]'
    python training/default_encoder.py --photos clothing-dataset-small.zip

`--photos` is the CC0 clothing dataset of Alexey Grigorev and contributors, reduced to 224 pixels:
a zip with images.csv (image, label), split_small.csv (image, split) and images/<image>.jpg. Its
test part is never learned from. The other pictures are drawn here. The same seed gives the same
pictures and, on one machine, the same weights; about fifteen minutes on one core.

The encoder that is shipped (SHA-256 aa95ce84 in its training.json) was made by this script as it
stands in commit 19d676e. A run today gives another encoder, in these respects: it sees 80 x 80
pixels and not 64 x 64; views are made by `models/photos/views.py`, the first faint in every other
pair and both of a pair mirrored or neither, and not both strongly and each by itself; identity
reads four cells of the last stage (160 numbers, weight 1.0) and not its mean and maximum (192
numbers, weight 0.6); processors that can multiply in bfloat16. The pictures, the batch, the epochs
and the rest are the same. Such a run has not been held against the shipped encoder.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import time
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pictures import drawn_products, random_forms
from thinslice.models.photos.encoder import ImageEncoder, main_axes, write_encoder, write_familiar
from thinslice.models.photos.pixels import SOURCE_SIDE, decode, shrunk
from thinslice.models.photos.training import PhotoSet, Recipe, teach

DRAWN, FORMS, SEED = 1500, 4000, 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path("default-encoder"))
    given = parser.parse_args()
    given.output.mkdir(exist_ok=True)
    pixels, labels, held_out = read_clothing(given.photos)
    products, kinds = drawn_products(DRAWN, SEED)
    forms = random_forms(FORMS, SEED)
    learned = np.flatnonzero(~held_out)
    sets = [
        PhotoSet("clothing", pixels[learned], [labels[i] for i in learned]),
        PhotoSet("drawn products", products, kinds),
        PhotoSet("drawn forms", forms),
    ]
    for one in sets:
        print(f"{one.name}: {len(one.pixels):,} pictures")
    recipe = Recipe(epochs=given.epochs, seed=SEED)
    started, cpu = time.perf_counter(), time.process_time()
    net = teach(sets, recipe, progress=told)
    print(f"{time.perf_counter() - started:.0f} s, {time.process_time() - cpu:.0f} s of CPU")
    halves = [pixels[learned][::2], products[: DRAWN // 2], forms[: FORMS // 2]]
    axes = main_axes(shrunk(np.concatenate(halves)))
    write_encoder(net, axes, given.output)
    encoder = ImageEncoder(given.output)
    write_familiar(encoder, shrunk(np.concatenate([pixels[learned], products]), encoder.side))
    about = {
        "pictures": {one.name: len(one.pixels) for one in sets},
        "held_out_photos": int(held_out.sum()),
        "recipe": vars(recipe),
        "sha256": hashlib.sha256((given.output / "encoder.onnx").read_bytes()).hexdigest(),
    }
    (given.output / "training.json").write_text(json.dumps(about, indent=2) + "\n")


def read_clothing(path: Path) -> tuple[NDArray[np.uint8], list[str], NDArray[np.bool_]]:
    """Photos, labels, and which are held out: the official test part, and of the photos that are
    in no official part those whose name's MD5 is a multiple of seven."""
    with zipfile.ZipFile(path) as archive:
        parts = {row["image"]: row["split"] for row in _rows(archive, "split_small.csv")}
        names = set(archive.namelist())
        rows = [
            row for row in _rows(archive, "images.csv") if f"images/{row['image']}.jpg" in names
        ]
        pixels = [decode(archive.read(f"images/{row['image']}.jpg"), SOURCE_SIDE) for row in rows]
    held_out = [
        parts.get(row["image"]) == "test"
        or (row["image"] not in parts and _number(row["image"]) % 7 == 0)
        for row in rows
    ]
    return np.stack(pixels), [row["label"] for row in rows], np.array(held_out)


def told(step: int, steps: int) -> None:
    if step % 200 == 0 or step == steps:
        print(f"step {step:,} of {steps:,}", flush=True)


def _rows(archive: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    with archive.open(name) as file:
        return list(csv.DictReader(io.TextIOWrapper(file, "utf-8")))


def _number(name: str) -> int:
    return int(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(), 16)


if __name__ == "__main__":
    main()
