"""Teach the image encoder: one trunk, two heads, several lessons at once (torch).

*Style* (what kind of thing, in which look) is taught by labels: cross-entropy per label set, a
supervised contrastive term (Khosla et al. 2020), and the frequent words of titles as further,
weaker labels (Joulin et al. 2016). *Identity* (exactly this product) needs no label: two views of
one photo must be nearer to each other than to any other photo (NT-Xent, Chen et al. 2020). A net
taught labels alone finds a distorted photo's own product in about a quarter of cases.

Needs the extra `train` (torch); what it writes is an ONNX file that serves without torch.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.errors import InputError
from thinslice.models.photos.net import SIDE, STYLE, import_torch, make_net
from thinslice.models.photos.views import two_views

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_WORDS = 500
FEWEST, RARE, COMMON = 5, 0.0025, 0.7
"""Words are taught that at least so many titles, and at least and at most these shares, have."""

_WORD = re.compile(r"\w*[^\W\d_]\w*")


@dataclass(frozen=True)
class PhotoSet:
    """Photos of one source: `pixels` (n, SOURCE_SIDE, SOURCE_SIDE, 3) uint8, `labels` or None, and
    what is written of each, such as its title and colour, or None."""

    name: str
    pixels: NDArray[np.uint8]
    labels: Sequence[str] | None = None
    texts: Sequence[str] | None = None


@dataclass(frozen=True)
class Recipe:
    """How long and how hard. One epoch sees two views of every photo."""

    epochs: int = 20
    batch: int = 96
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    identity_weight: float = 1.0
    contrast_weight: float = 0.5
    words_weight: float = 0.05
    temperature: float = 0.1
    seed: int = 0
    threads: int = 1


def teach(
    sets: Sequence[PhotoSet],
    recipe: Recipe | None = None,
    *,
    start: Path | None = None,
    minutes: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Any:
    """The taught net. `start` continues from weights that `save_weights` wrote; a layer that has
    another shape there is taught from nothing.

    With `minutes` the number of epochs is what fits, by the speed of the first steps. The same
    photos, recipe and seed give the same net on the same machine. Raises InputError for fewer
    photos than one batch and where torch is missing.
    """
    torch = import_torch()
    recipe = recipe or Recipe()
    photos = sum(len(one.pixels) for one in sets)
    if photos < recipe.batch:
        raise InputError(
            f"an encoder is fitted on at least {recipe.batch} photos, got {photos}; "
            "use the shipped encoder, or add photos first: thinslice import --photos FOLDER"
        )
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    taught = _Teaching(sets, recipe)
    if start is not None:
        with np.load(start, allow_pickle=False) as weights:
            named = {name: torch.from_numpy(weights[name]).float() for name in weights.files}
        own = taught.net.state_dict()
        same = {name: w for name, w in named.items() if w.shape == own[name].shape}
        taught.net.load_state_dict(same, strict=False)
    taught.run(minutes, progress)
    return taught.net.eval()


class _Teaching:
    """One run over all sets."""

    def __init__(self, sets: Sequence[PhotoSet], recipe: Recipe) -> None:
        nn = import_torch().nn
        self.recipe = recipe
        self.rng = np.random.default_rng(recipe.seed)
        self.sets = sets
        self.net = make_net()
        self.kinds = [_Kinds(one.labels) if one.labels is not None else None for one in sets]
        self.words = [_words(one.texts or ()) for one in sets]
        self.project = nn.Sequential(nn.Linear(STYLE, STYLE), nn.ReLU(), nn.Linear(STYLE, 128))
        asking = [one.ask for one in (*self.kinds, *self.words) if one is not None]
        modules = nn.ModuleList([self.net, self.project, *asking])
        self.parameters = list(modules.parameters())

    def run(self, minutes: float | None, progress: Callable[[int, int], None] | None) -> None:
        torch = import_torch()
        recipe = self.recipe
        everyone = [(s, i) for s, one in enumerate(self.sets) for i in range(len(one.pixels))]
        per_epoch = len(everyone) // recipe.batch
        self.net.train()
        steps = recipe.epochs * per_epoch
        if minutes is not None:
            steps = self._steps_within(minutes, everyone)
        optimiser = torch.optim.AdamW(
            self.parameters, recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, recipe.learning_rate, total_steps=steps + 1, pct_start=0.15
        )
        order: list[int] = []
        for step in range(steps):
            if len(order) < recipe.batch:
                order = self.rng.permutation(len(everyone)).tolist()
            chosen = [everyone[order.pop()] for _ in range(recipe.batch)]
            loss = self._loss(chosen)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            if progress:
                progress(step + 1, steps)

    def _steps_within(self, minutes: float, everyone: list[tuple[int, int]]) -> int:
        """How many steps fit, by the speed of a few that change nothing."""
        batch = everyone[: self.recipe.batch]
        self._loss(batch).backward()
        started = time.perf_counter()
        for _ in range(3):
            self._loss(batch).backward()
        each = (time.perf_counter() - started) / 3
        for parameter in self.parameters:
            parameter.grad = None
        return max(20, int(minutes * 60 / each))

    def _loss(self, chosen: list[tuple[int, int]]) -> Any:
        torch = import_torch()
        recipe = self.recipe
        chosen = sorted(chosen)
        photos = np.stack([self.sets[s].pixels[i] for s, i in chosen])
        views = torch.from_numpy(two_views(photos, SIDE, self.rng)).permute(0, 3, 1, 2)
        with torch.autocast("cpu", torch.bfloat16, enabled=_has_bfloat16()):
            style, identity = self.net.heads(views.sub(127.5).div(63.75))
        style, identity = style.float(), identity.float()
        loss = recipe.identity_weight * _same_photo(identity, recipe.temperature)
        labelled, codes = [], []
        for s in range(len(self.sets)):
            rows = [j for j, (of, _) in enumerate(chosen) if of == s]
            places = [chosen[j][1] for j in rows]
            both = torch.tensor(rows + [j + len(chosen) for j in rows])
            share = len(rows) / len(chosen)
            kinds, words = self.kinds[s], self.words[s]
            if rows and kinds is not None:
                loss = loss + share * kinds.loss(style[both], places)
                labelled.append(both)
                codes.append(kinds.codes[places].repeat(2) + 10_000 * s)
            if rows and words is not None:
                loss = loss + recipe.words_weight * share * words.loss(style[both], places)
        if labelled and recipe.contrast_weight:
            seen = self.project(style[torch.cat(labelled)])
            contrast = _same_label(seen, torch.cat(codes), recipe.temperature)
            loss = loss + recipe.contrast_weight * contrast
        return loss


class _Kinds:
    """Which label does a photo have?"""

    def __init__(self, labels: Sequence[str]) -> None:
        torch = import_torch()
        known, codes = np.unique(np.array(labels, dtype=str), return_inverse=True)
        self.codes = torch.from_numpy(codes)
        self.ask = torch.nn.Linear(STYLE, len(known))

    def loss(self, style: Any, places: list[int]) -> Any:
        functional = import_torch().nn.functional
        scores = self.ask(functional.relu(style))
        return functional.cross_entropy(scores, self.codes[places].repeat(2), label_smoothing=0.05)


def _words(texts: Sequence[str]) -> _Words | None:
    """The question for the frequent words of texts, None where there are none."""
    found = [set(_WORD.findall(text.lower())) for text in texts]
    often = Counter(word for words in found for word in words)
    least, most = max(FEWEST, RARE * len(texts)), COMMON * len(texts)
    fit = {word: n for word, n in often.items() if least <= n <= most}
    known = sorted(fit, key=lambda word: (-fit[word], word))[:MOST_WORDS]
    return _Words(found, known) if known else None


class _Words:
    """Which of the frequent words are written of a photo?"""

    def __init__(self, found: Sequence[set[str]], known: Sequence[str]) -> None:
        torch = import_torch()
        self.there = torch.tensor([[word in words for word in known] for words in found])
        self.ask = torch.nn.Linear(STYLE, len(known))
        torch.nn.init.constant_(self.ask.bias, -4.0)  # most words are not there

    def loss(self, style: Any, places: list[int]) -> Any:
        functional = import_torch().nn.functional
        scores = self.ask(functional.relu(style))
        there = self.there[places].repeat(2, 1).float()
        each = functional.binary_cross_entropy_with_logits(scores, there, reduction="none")
        return each.sum(1).mean()


def _same_photo(identity: Any, temperature: float) -> Any:
    """NT-Xent: row i and row i + n/2 are one photo, all others are not."""
    torch = import_torch()
    z = torch.nn.functional.normalize(identity, dim=1)
    n = len(z) // 2
    near = (z @ z.T / temperature).fill_diagonal_(-1e9)
    partner = torch.cat([torch.arange(n, 2 * n), torch.arange(n)])
    return torch.nn.functional.cross_entropy(near, partner)


def _same_label(z: Any, labels: Any, temperature: float) -> Any:
    """The supervised contrastive loss, over rows that have a partner of the same label."""
    torch = import_torch()
    z = torch.nn.functional.normalize(z, dim=1)
    itself = torch.eye(len(z), dtype=torch.bool)
    near = (z @ z.T / temperature).masked_fill(itself, -1e9)
    alike = (labels[:, None] == labels[None]) & ~itself
    log_share = near - torch.logsumexp(near, 1, keepdim=True)
    partners = alike.sum(1)
    mean = (log_share * alike).sum(1) / partners.clamp(min=1)
    return -mean[partners > 0].mean()


def _has_bfloat16() -> bool:
    """Whether this processor multiplies in bfloat16, which takes about half as long."""
    ask = getattr(import_torch().cpu, "get_capabilities", None)
    able = ask() if ask else {}
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
