"""What does a photo show? Category, colour and other labels of a photo, each with a confidence.

A small model per attribute (`labels.py`) over the encoder's four vectors, which stay as they are;
so it is learned in seconds, with any encoder. Confidences are calibrated on photos that the model
had not seen, and an answer below its bar is for a person.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import digits
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.errors import InputError, NotEnoughDataError
from thinslice.models.calibration import (
    bar_for_precision,
    best_temperature,
    calibrated,
    calibration_error,
    chances,
    curve,
)
from thinslice.models.photos.labels import Labels, learn_labels
from thinslice.models.versions import read_version, write_version

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = Mapping[str, NDArray[np.floating[Any]]]

PARTS = ("style", "identity", "shape", "colour", "title")
"""The parts of an encoder's vectors, and that of a title, in the order in which heads read those
that there are."""

MIN_PHOTOS = 8
"""Photos of a label below which it is not learned."""

FOLDS = 3

FEWEST_JUDGED = 50
"""Photos of known labels that the encoder has not seen, below which all photos judge."""


@dataclass(frozen=True, slots=True)
class PhotoTag:
    """One attribute of one photo: the likeliest label, how often such an answer is right, the next
    two labels, and whether a person should look."""

    attribute: str
    label: str
    confidence: float
    alternatives: tuple[tuple[str, float], ...]
    needs_person: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "attribute": self.attribute,
            "label": self.label,
            "confidence": self.confidence,
            "alternatives": [{"label": name, "confidence": p} for name, p in self.alternatives],
            "needs_person": self.needs_person,
        }


@dataclass(frozen=True, eq=False)
class Head:
    """The model of one attribute, with its calibration."""

    attribute: str
    labels: tuple[str, ...]
    model: Labels
    knots: NDArray[np.float32]
    temperature: float
    bar: float
    measured: Mapping[str, float]

    def chances(self, features: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """How likely each label is, (n, labels)."""
        return chances(self.model.scores(features), self.temperature)

    def tags(self, features: NDArray[np.floating[Any]]) -> list[PhotoTag]:
        """The tag of each row of features."""
        likely = self.chances(features)
        best = np.argsort(-likely, axis=1)[:, :3]
        sure = calibrated(np.take_along_axis(likely, best, 1), self.knots)
        return [
            PhotoTag(
                self.attribute,
                self.labels[top[0]],
                float(each[0]),
                tuple((self.labels[k], float(p)) for k, p in zip(top[1:], each[1:], strict=True)),
                bool(each[0] < self.bar),
            )
            for top, each in zip(best, sure, strict=True)
        ]


class ImageClassifier:
    """The heads of one shop, for one encoder. Safe to share between threads."""

    def __init__(
        self, heads: Sequence[Head], meta: dict[str, Any], version: str | None = None
    ) -> None:
        self.version = version
        self.heads = {head.attribute: head for head in heads}
        self.meta = meta

    @property
    def encoder(self) -> str:
        """The hash of the encoder whose vectors it reads."""
        return str(self.meta["encoder"])

    def measured(self) -> dict[str, dict[str, float]]:
        """What each head did on photos that it had not seen."""
        return {name: dict(head.measured) for name, head in self.heads.items()}

    def tag(self, vectors: Vectors) -> list[dict[str, PhotoTag]]:
        """The tags of each photo by attribute, from the encoder's vectors (n, dim) by part."""
        features = joined(vectors)
        columns = {name: head.tags(features) for name, head in self.heads.items()}
        return [{name: tags[i] for name, tags in columns.items()} for i in range(len(features))]

    def publish(self, folder: Path, *, now_us: int | None = None) -> str:
        """Write it as the newest version, and serve it."""
        arrays: dict[str, NDArray[Any]] = {}
        about = []
        for i, head in enumerate(self.heads.values()):
            arrays |= {f"{name}{i}": array for name, array in head.model.arrays().items()}
            arrays[f"knots{i}"] = head.knots
            about.append(
                {
                    "attribute": head.attribute,
                    "labels": list(head.labels),
                    "temperature": head.temperature,
                    "bar": head.bar,
                    "measured": dict(head.measured),
                }
            )
        now = now_us or time.time_ns() // 1000
        self.version = write_version(folder, arrays, {**self.meta, "heads": about}, now_us=now)
        return self.version

    @classmethod
    def load(cls, folder: Path, version: str) -> ImageClassifier:
        """Read a version, checked. Raises StorageError for a damaged one."""
        arrays, meta = read_version(folder, version)
        heads = [
            Head(
                about["attribute"],
                tuple(about["labels"]),
                Labels.from_arrays(_numbered(arrays, i)),
                arrays[f"knots{i}"].astype(np.float32),
                about["temperature"],
                about["bar"],
                about["measured"],
            )
            for i, about in enumerate(meta["heads"])
        ]
        return cls(heads, meta, version)


def _numbered(arrays: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The arrays of one head, without its number; those of versions before there were nets, too."""
    old = {"weights": "linear_weights", "intercepts": "linear_intercepts"}
    plain = {name: name.rstrip(digits) for name in arrays}
    own = {name: key for name, key in plain.items() if name == f"{key}{number}"}
    return {old.get(key, key): arrays[name] for name, key in own.items()}


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What heads that had not seen a photo said of it, for one attribute.

    `rows` (n,) are places in the photos that were given, `labels` (n,) their codes, `scores`
    (n, labels) of the model that did not learn from them; `judged` (n,) are those that what is
    measured was measured on.
    """

    rows: NDArray[np.integer[Any]]
    labels: NDArray[np.integer[Any]]
    scores: NDArray[np.floating[Any]]
    judged: NDArray[np.bool_]


def learn_photos(
    vectors: Vectors,
    labels: Mapping[str, Sequence[str | None]],
    *,
    encoder: str,
    groups: Sequence[str] | None = None,
    unseen: NDArray[np.bool_] | None = None,
    nets: Collection[str] = ("category", "colour"),
    precision: float = 0.95,
    seed: int = 0,
) -> tuple[ImageClassifier, dict[str, HeldOut]]:
    """Learn a head per attribute from photos whose labels are known (None where they are not).

    `groups` keep photos together that show one thing, such as equal titles or equal bytes, so that
    none is held out while its twin is learned. `unseen` photos are those that the encoder itself
    was not fitted to: only they say how often a head is right. Attributes in `nets` are learned by
    a small net, too, which takes ten times as long. An attribute with fewer than two labels of
    `MIN_PHOTOS` photos is left out; raises NotEnoughDataError when none is left.
    """
    features = joined(vectors)
    group_of = np.unique(
        groups if groups is not None else np.arange(len(features)), return_inverse=True
    )[1]
    fold_of = np.random.default_rng(seed).integers(0, FOLDS, group_of.max(initial=0) + 1)[group_of]
    heads, held = [], {}
    for attribute, given in labels.items():
        if len(given) != len(features):
            raise InputError(
                f"attribute {attribute!r} needs a label or None for each of {len(features)} "
                f"photos, got {len(given)}"
            )
        found = _head(attribute, features, given, fold_of, unseen, precision, attribute in nets)
        if found is not None:
            head, held[attribute] = found
            heads.append(head)
    if not heads:
        raise NotEnoughDataError(
            f"photos are told apart by labels, and no attribute of {', '.join(labels) or 'none'} "
            f"has two with at least {MIN_PHOTOS} photos each; import products with categories "
            "and their photos first: thinslice import --products FILE --photos FOLDER"
        )
    meta = {"encoder": encoder, "photos": len(features), "seed": seed, "precision": precision}
    return ImageClassifier(heads, meta), held


def joined(vectors: Vectors) -> NDArray[np.float32]:
    """All parts of the encoder's vectors side by side, (n, all dimensions), always in one order."""
    parts = sorted(vectors, key=PARTS.index)
    return np.concatenate([np.asarray(vectors[part], np.float32) for part in parts], axis=1)


def _head(
    attribute: str,
    features: NDArray[np.float32],
    given: Sequence[str | None],
    fold_of: NDArray[np.integer[Any]],
    unseen: NDArray[np.bool_] | None,
    precision: float,
    net: bool,
) -> tuple[Head, HeldOut] | None:
    names = np.array([label or "" for label in given])
    known, counts = np.unique(names, return_counts=True)
    known = known[(counts >= MIN_PHOTOS) & (known != "")]
    if len(known) < 2:
        return None
    rows = np.flatnonzero(np.isin(names, known))
    codes = np.searchsorted(known, names[rows])
    scores = np.empty((len(rows), len(known)), np.float32)
    for fold in range(FOLDS):
        out = fold_of[rows] == fold
        if out.all() or len(np.unique(codes[~out])) < 2:
            return None
        model = learn_labels(features[rows[~out]], codes[~out], len(known), net=net)
        scores[out] = model.scores(features[rows[out]])
    judged = np.ones(len(rows), bool) if unseen is None else unseen[rows]
    if judged.sum() < FEWEST_JUDGED:
        judged[:] = True
    right = codes[judged]
    temperature = best_temperature(scores[judged], right)
    likely = chances(scores[judged], temperature)
    hit, chance = likely.argmax(axis=1) == right, likely.max(axis=1)
    knots = curve(chance, hit)
    confidence = calibrated(chance, knots)
    measured = {
        "held_out": len(right),
        "accuracy": float(hit.mean()),
        "most_frequent": float(np.bincount(right).max() / len(right)),
        "calibration_error": calibration_error(confidence, hit),
    }
    bar = bar_for_precision(confidence, hit, precision)
    head = Head(
        attribute,
        tuple(known.tolist()),
        learn_labels(features[rows], codes, len(known), net=net),
        knots.astype(np.float32),
        temperature,
        bar,
        measured,
    )
    return head, HeldOut(rows, codes, scores, judged)
