"""Which category is this title? A linear model that is gathered, not multiplied.

    score(class) = intercept + sum over its features of idf * weight(feature, class) / length

with length the Euclidean norm of the idf. The weights lie feature by feature as int8 with a scale
per feature, so that a title touches some ninety rows of the file and nothing else. Scores become
chances, chances confidences (`../calibration.py`), and a class is the answer where its confidence
clears its bar; else the deepest level of the taxonomy that clears its own; else a person is asked.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.errors import StorageError
from thinslice.models.current import Current
from thinslice.models.titles.features import clean, encode
from thinslice.models.titles.kernels import (
    ACCEPTED,
    BROAD,
    NO_WORDS,
    SHOWN,
    UNKNOWN,
    UNSURE,
    classify_all,
    score_all,
)
from thinslice.models.versions import read_version, write_version

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[np.generic]]

SEPARATOR = " > "
DECIDED = 5
"""The verdict on a title that a person has decided."""

VERDICTS = {
    ACCEPTED: "accepted",
    BROAD: "broad",
    UNSURE: "unsure",
    UNKNOWN: "unknown",
    NO_WORDS: "no words",
    DECIDED: "decided",
}
ARRAYS = (
    "keys",
    "rows",
    "idf",
    "scales",
    "weights",
    "intercepts",
    "knots",
    "parents",
    "depths",
    "class_nodes",
    "bars",
    "usual",
    "strangeness",
    "foreign",
)


@dataclass(frozen=True, slots=True)
class TitleAnswer:
    """What is said of one title.

    `category` is the answer, the deepest level that clears its bar; where none does, the likeliest
    class. `confidence` is how often such an answer is right. `alternatives` are the next two
    classes. `words` tells what each word of the cleaned title added to `score`, the likeliest
    class's own; with `intercept` they add up to it. `verdict` is one of `VERDICTS`.
    """

    title: str
    category: str
    confidence: float
    verdict: str
    bar: float
    likeliest: str
    alternatives: tuple[tuple[str, float], ...]
    words: tuple[tuple[str, float], ...]
    score: float
    intercept: float

    @property
    def needs_person(self) -> bool:
        """Whether a person should look before anyone relies on it."""
        return self.verdict not in ("accepted", "decided")

    @property
    def why(self) -> str:
        """Why a person should look, or need not, as a sentence."""
        sure = f"{_percent(self.confidence)} sure"
        match self.verdict:
            case "decided":
                return "a person decided this title"
            case "accepted":
                return f"{sure}, and the bar is {_percent(self.bar)}"
            case "broad":
                return f"{sure} of this level, not of the one below"
            case "unknown":
                return "perhaps an unknown kind of product: titles that were learned do not read so"
            case "no words":
                return "the title has no words"
        if self.bar > 1:
            return f"{sure}, and no bar gives the precision that is asked for"
        other = self.alternatives[0][0] if self.alternatives else ""
        doubt = f"; it may be {other}" if other else ""
        return f"{sure}, and the bar is {_percent(self.bar)}{doubt}"

    def spoke_for(self, n: int = 3) -> tuple[str, ...]:
        """The words that spoke for the likeliest class most, each once, strongest first."""
        total: dict[str, float] = {}
        for word, value in self.words:
            total[word] = total.get(word, 0.0) + value
        best = sorted(total, key=lambda word: -total[word])[:n]
        return tuple(word for word in best if total[word] > 0)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "title": self.title,
            "category": self.category,
            "confidence": self.confidence,
            "needs_person": self.needs_person,
            "verdict": self.verdict,
            "why": self.why,
            "likeliest": self.likeliest,
            "alternatives": [{"category": c, "confidence": p} for c, p in self.alternatives],
            "words": [{"word": w, "weight": v} for w, v in self.words],
        }


class TitleClassifier:
    """One version of the classifier. Safe to share between threads.

    `classes` are the category paths; `decided` holds what people said of whole titles, cleaned
    title to path. `version` is None until it is published.
    """

    def __init__(self, arrays: Arrays, meta: dict[str, Any], version: str | None = None) -> None:
        self.arrays = {name: _read_only(arrays[name]) for name in ARRAYS}
        self.meta = meta
        self.version = version
        self.classes: tuple[str, ...] = tuple(meta["classes"])
        self.nodes: tuple[str, ...] = tuple(meta["nodes"])
        self.decided: Mapping[str, str] = meta.get("decided", {})
        rarest = np.float32(np.max(self.arrays["idf"], initial=1.0))
        self._weights = (*(self.arrays[name] for name in ARRAYS[:6]), rarest)
        self._bars: list[float] = self.arrays["bars"].tolist()
        self._intercepts: list[float] = self.arrays["intercepts"].tolist()
        self._rest = (
            float(meta["temperature"]),
            *(self.arrays[name] for name in ARRAYS[6:]),
            float(meta["strange"]),
        )

    def classify(self, title: str) -> TitleAnswer:
        """The answer for one title."""
        return self.classify_many([title])[0]

    def classify_many(self, titles: Sequence[str]) -> list[TitleAnswer]:
        """The answers for many titles, in their order; each as if it had been asked alone."""
        return list(self._answers(titles)) if titles else []

    def scores(self, cleaned: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scores of every class (n, classes); what each title shows, as of `kernels.py`."""
        letters, offsets = encode(cleaned)
        scores = np.empty((len(cleaned), len(self.classes)), np.float32)
        shown = np.empty((len(cleaned), SHOWN), np.float32)
        score_all(letters, offsets, *self._weights, scores, shown)
        return scores, shown

    def _answers(self, titles: Sequence[str]) -> Iterator[TitleAnswer]:
        cleaned = [clean(title) for title in titles]
        letters, offsets = encode(cleaned)
        n = len(titles)
        best, chances = np.empty((n, 3), np.int64), np.empty((n, 3))
        nodes, confidences = np.empty(n, np.int64), np.empty(n)
        verdicts, n_words = np.empty(n, np.int64), np.empty(n, np.int64)
        margins, spoke = np.empty(n), np.empty(len(letters))
        classify_all(
            letters, offsets, *self._weights, *self._rest,
            best, chances, nodes, confidences, verdicts, margins, spoke, n_words,
        )  # fmt: skip
        rows = zip(
            titles, cleaned, best.tolist(), chances.tolist(), nodes.tolist(),
            confidences.tolist(), verdicts.tolist(), margins.tolist(), strict=True,
        )  # fmt: skip
        starts, counts, classes = offsets.tolist(), n_words.tolist(), self.classes
        weights = spoke.tolist() if n > 1 else spoke[: counts[0]].tolist()
        for i, (title, words, top, sure, node, confidence, verdict, score) in enumerate(rows):
            start = starts[i]
            answer = TitleAnswer(
                title,
                self.nodes[node],
                confidence,
                VERDICTS[verdict],
                self._bars[node],
                classes[top[0]],
                tuple((classes[c], p) for c, p in zip(top[1:], sure[1:], strict=True) if c >= 0),
                tuple(zip(words.split(" "), weights[start : start + counts[i]], strict=False)),
                score,
                self._intercepts[top[0]],
            )
            yield answer if words not in self.decided else self._as_decided(answer, words)

    def _as_decided(self, answer: TitleAnswer, cleaned: str) -> TitleAnswer:
        """What a person said of this very title stands above what the model says."""
        said = self.decided[cleaned]
        others = [(answer.likeliest, answer.confidence), *answer.alternatives]
        return TitleAnswer(
            answer.title,
            said,
            1.0,
            VERDICTS[DECIDED],
            0.0,
            said,
            tuple(other for other in others if other[0] != said)[:2],
            answer.words if answer.likeliest == said else (),
            answer.score,
            answer.intercept,
        )

    def with_bars(self, bars: NDArray[np.floating], **known: Any) -> TitleClassifier:
        """The same with other bars, one per node; `known` is added to the meta."""
        arrays = {**self.arrays, "bars": np.asarray(bars, np.float32)}
        return TitleClassifier(arrays, {**self.meta, **known})

    def with_decided(self, decided: Mapping[str, str], **known: Any) -> TitleClassifier:
        """The same that answers as people decided: cleaned title to category path."""
        return TitleClassifier(self.arrays, {**self.meta, "decided": dict(decided), **known})

    # versions

    def publish(self, folder: Path, *, now_us: int | None = None) -> str:
        """Write a new version to the folder and serve it; return its name."""
        now_us = time.time_ns() // 1000 if now_us is None else now_us
        self.meta["built_us"] = now_us
        self.version = write_version(folder, self.arrays, self.meta, now_us=now_us)
        return self.version

    @classmethod
    def load(cls, folder: Path, version: str) -> TitleClassifier:
        """Map a version into memory after checking every byte of it.

        Raises NotFoundError when there is no such version, StorageError when it is damaged.
        """
        arrays, meta = read_version(folder, version)
        try:
            return cls(arrays, meta, version)
        except (KeyError, ValueError, TypeError) as error:
            raise StorageError(
                f"version {version} of the title classifier lacks a part ({error}); "
                "build a new one: thinslice build"
            ) from error

    def warm_up(self) -> None:
        """Answer once, so that nobody waits for a compiler."""
        self.classify("a title")

    def sentence(self) -> str:
        """What was learned from, in one sentence."""
        counts = self.meta["counts"]
        return (
            f"Learned {counts['classes']:,} categories from {counts['titles']:,} titles; "
            f"{_percent(self.meta['held_out']['top_1'])} of held-out titles were put right, and "
            f"{_percent(self.meta['held_out']['accepted'])} need no person."
        )


class CurrentTitles(Current[TitleClassifier]):
    """The classifier that CURRENT names, ready to answer."""

    def load(self, version: str) -> TitleClassifier:
        model = TitleClassifier.load(self.folder, version)
        model.warm_up()
        return model


def _read_only(array: NDArray[np.generic]) -> NDArray[np.generic]:
    view = array.view()
    view.flags.writeable = False
    return view


def _percent(share: float) -> str:
    """A share in percent, never rounded up to certainty."""
    return f"{min(share, 0.999) * 100:.3g} %" if share >= 0.99 else f"{share * 100:.0f} %"
