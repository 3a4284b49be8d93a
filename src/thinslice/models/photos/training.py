"""Teach the image encoder: a small convolutional net with a style and an identity head (torch).

One trunk serves two questions. *Style* (what kind of thing, in which look) is taught by labels:
cross-entropy per label set and a supervised contrastive term (Khosla et al. 2020). *Identity*
(exactly this product) needs no label: two distorted views of one photo must be nearer to each
other than to any other photo (NT-Xent, Chen et al. 2020). A net taught labels alone finds a
distorted photo's own product in about a quarter of cases, with the identity head in most.

Needs the extra `train` (torch); what it writes is an ONNX file that serves without torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.errors import InputError
from thinslice.models.photos.pixels import SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH = 32
STYLE, IDENTITY = 192, 192
"""Channels of the first stage, and the dimensions of the two embeddings: 5.7 MB as fp32."""


@dataclass(frozen=True)
class PhotoSet:
    """Photos of one source: `pixels` (n, SOURCE_SIDE, SOURCE_SIDE, 3) uint8, `labels` or None."""

    name: str
    pixels: NDArray[np.uint8]
    labels: Sequence[str] | None = None


@dataclass(frozen=True)
class Recipe:
    """How long and how hard. One epoch sees two distorted views of every photo."""

    epochs: int = 20
    batch: int = 96
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    identity_weight: float = 0.6
    contrast_weight: float = 0.5
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
    """The taught net. `start` continues from weights that `save_weights` wrote.

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
    taught = _Lesson(sets, recipe)
    if start is not None:
        with np.load(start, allow_pickle=False) as weights:
            named = {name: torch.from_numpy(weights[name]).float() for name in weights.files}
        taught.net.load_state_dict(named)
    taught.run(minutes, progress)
    return taught.net.eval()


def save_weights(net: Any, path: Path) -> None:
    """Write the net's weights as half-precision arrays by name, for `teach(start=...)`."""
    arrays = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    small = {name: a.astype(np.float16) if a.ndim else a for name, a in arrays.items()}
    np.savez(path, **small)


def export(net: Any, path: Path) -> None:
    """Write the net as an ONNX graph: `pixels` (n, SIDE, SIDE, 3) uint8 in; unit vectors
    `style` (n, 192) and `identity` (n, 192) float32 out."""
    torch = import_torch()
    example = torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8)
    torch.onnx.export(
        net.eval(),
        (example,),
        str(path),
        input_names=["pixels"],
        output_names=["style", "identity"],
        dynamic_axes={name: {0: "n"} for name in ("pixels", "style", "identity")},
        opset_version=17,
        dynamo=False,
    )


def import_torch() -> Any:
    """Torch, or an InputError that says how to get it."""
    try:
        import torch
    except ImportError:
        raise InputError(
            "fitting an encoder needs torch, which is not installed; "
            "install it with: pip install 'thinslice[train]'"
        ) from None
    return torch


def make_net(width: int = WIDTH) -> Any:
    """An untaught net: a 5x5 stem, four residual stages, average and maximum pooled, two heads."""
    torch = import_torch()
    nn, functional = torch.nn, torch.nn.functional
    module: Any = nn.Module

    class Stage(module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.first_norm = nn.BatchNorm2d(outputs)
            self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.second_norm = nn.BatchNorm2d(outputs)
            self.shortcut = nn.Identity()
            if stride > 1 or inputs != outputs:
                self.shortcut = nn.Sequential(
                    nn.AvgPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity(),
                    nn.Conv2d(inputs, outputs, 1, bias=False),
                    nn.BatchNorm2d(outputs),
                )

        def forward(self, x: Any) -> Any:
            y = functional.relu(self.first_norm(self.first(x)))
            return functional.relu(self.shortcut(x) + self.second_norm(self.second(y)))

    class Net(module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(
                nn.Conv2d(3, width, 5, 2, 2, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.MaxPool2d(3, 2, 1),
            )
            sizes = (width, width, 2 * width, 4 * width, 8 * width)
            self.stages = nn.Sequential(
                *(Stage(a, b, 1 if a == b else 2) for a, b in zip(sizes, sizes[1:], strict=False))
            )
            pooled = 2 * sizes[-1]
            self.style = nn.Sequential(nn.Linear(pooled, STYLE, bias=False), nn.BatchNorm1d(STYLE))
            self.identity = nn.Sequential(
                nn.Linear(pooled, IDENTITY, bias=False), nn.BatchNorm1d(IDENTITY)
            )

        def heads(self, x: Any) -> tuple[Any, Any]:
            """Both embeddings before they are scaled to length one; x is NCHW in about -2 to 2."""
            z = self.stages(self.stem(x))
            z = torch.cat([z.mean((2, 3)), z.amax((2, 3))], 1)
            return self.style(z), self.identity(z)

        def forward(self, pixels: Any) -> tuple[Any, Any]:
            style, identity = self.heads(to_input(pixels))
            return functional.normalize(style, dim=1), functional.normalize(identity, dim=1)

    return Net().to(memory_format=torch.channels_last)


def to_input(pixels: Any) -> Any:
    """(n, h, w, 3) uint8 as the net's input (n, 3, h, w), scaled to about -2 to 2."""
    return pixels.permute(0, 3, 1, 2).float().sub(127.5).div(63.75)


class _Lesson:
    """One run of training."""

    def __init__(self, sets: Sequence[PhotoSet], recipe: Recipe) -> None:
        torch = import_torch()
        nn = torch.nn
        self.recipe = recipe
        self.rng = np.random.default_rng(recipe.seed)
        self.sets = sets
        self.net = make_net()
        self.codes: list[Any] = []
        self.classifiers = nn.ModuleList()
        for one in sets:
            known = sorted(set(one.labels or ()))
            code = {label: i for i, label in enumerate(known)}
            self.codes.append(torch.tensor([code[label] for label in one.labels or ()]))
            self.classifiers.append(nn.Linear(STYLE, max(1, len(known))))
        self.project = nn.Sequential(nn.Linear(STYLE, STYLE), nn.ReLU(), nn.Linear(STYLE, 128))
        self.parameters = [
            *self.net.parameters(),
            *self.classifiers.parameters(),
            *self.project.parameters(),
        ]

    def run(self, minutes: float | None, progress: Callable[[int, int], None] | None) -> None:
        torch = import_torch()
        recipe = self.recipe
        everyone = [(s, i) for s, one in enumerate(self.sets) for i in range(len(one.pixels))]
        per_epoch = len(everyone) // recipe.batch
        steps = recipe.epochs * per_epoch
        if minutes is not None:
            steps = self._steps_within(minutes, everyone)
        optimiser = torch.optim.AdamW(
            self.parameters, recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, recipe.learning_rate, total_steps=steps + 1, pct_start=0.15
        )
        self.net.train()
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
        self.net.train()
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
        functional = torch.nn.functional
        recipe = self.recipe
        chosen = sorted(chosen)
        photos = torch.from_numpy(np.stack([self.sets[s].pixels[i] for s, i in chosen]))
        views = torch.cat([distorted(to_input(photos), SIDE) for _ in range(2)])
        style, identity = self.net.heads(views.contiguous(memory_format=torch.channels_last))
        loss = recipe.identity_weight * _same_photo(identity, recipe.temperature)
        labels = []
        for s in range(len(self.sets)):
            rows = torch.tensor([j for j, (t, _) in enumerate(chosen) if t == s])
            if not len(rows) or self.sets[s].labels is None:
                continue
            codes = self.codes[s][[i for t, i in chosen if t == s]].repeat(2)
            both = torch.cat([rows, rows + len(chosen)])
            scores = self.classifiers[s](functional.relu(style[both]))
            share = len(rows) / len(chosen)
            loss = loss + share * functional.cross_entropy(scores, codes, label_smoothing=0.05)
            labels.append((both, codes + 10_000 * s))
        if labels and recipe.contrast_weight:
            rows = torch.cat([rows for rows, _ in labels])
            codes = torch.cat([codes for _, codes in labels])
            contrast = _same_label(self.project(style[rows]), codes, recipe.temperature)
            loss = loss + recipe.contrast_weight * contrast
        return loss


def distorted(x: Any, side: int) -> Any:
    """Views as another camera would take them: moved, scaled, turned, mirrored, relit, covered."""
    torch = import_torch()
    n = len(x)

    def draw(low: float, high: float, *shape: int) -> Any:
        return torch.empty(n, *shape).uniform_(low, high)

    scale, aspect, angle = draw(0.7, 1.15), draw(-0.15, 0.15), draw(-0.2, 0.2)
    mirror = (torch.rand(n) < 0.5).float() * 2 - 1
    turn = torch.zeros(n, 2, 3)
    turn[:, 0, 0] = scale * (1 + aspect) * torch.cos(angle) * mirror
    turn[:, 0, 1] = -scale * torch.sin(angle)
    turn[:, 1, 0] = scale * torch.sin(angle) * mirror
    turn[:, 1, 1] = scale * (1 - aspect) * torch.cos(angle)
    turn[:, :, 2] = draw(-0.15, 0.15, 2)
    grid = torch.nn.functional.affine_grid(turn, [n, 3, side, side], align_corners=False)
    x = torch.nn.functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
    x = x * draw(0.7, 1.3, 1, 1, 1) + draw(-0.35, 0.35, 1, 1, 1) + draw(-0.15, 0.15, 3, 1, 1)
    blurred = torch.nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    x = torch.where((torch.rand(n) < 0.3)[:, None, None, None], blurred, x)
    for i in torch.nonzero(torch.rand(n) < 0.35).flatten().tolist():
        height, width = torch.randint(side // 8, side // 3, (2,)).tolist()
        top = int(torch.randint(0, side - height, (1,)))
        left = int(torch.randint(0, side - width, (1,)))
        x[i, :, top : top + height, left : left + width] = torch.randn(3, 1, 1)
    return x + 0.05 * torch.randn_like(x)


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
