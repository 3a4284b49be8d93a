"""The net of the image encoder: one trunk of four residual stages, a style and an identity head.

`training.py` teaches it; here are its layers and its files. Needs the extra `train` (torch); the
ONNX file that `export` writes serves without.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from thinslice.errors import InputError

SIDE = 80
"""A net is taught on photos of SIDE x SIDE pixels: a sixth more than 64 to see a small logo by, at
half as much time again."""

WIDTH = 32
STYLE, IDENTITY = 192, 160
"""Channels of the first stage, and the dimensions of the two embeddings: 6.0 MB as fp32."""

CELLS = 2
"""Identity reads the last stage as CELLS x CELLS cells that overlap."""


def make_net(width: int = WIDTH) -> Any:
    """An untaught net: a 5x5 stem, four residual stages, two heads.

    Style reads the average and the maximum of the last stage, identity four overlapping cells of
    it, so that it knows what is where.
    """
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
            self.style = nn.Sequential(
                nn.Linear(2 * sizes[-1], STYLE, bias=False), nn.BatchNorm1d(STYLE)
            )
            self.identity = nn.Sequential(
                nn.Linear(CELLS**2 * sizes[-1], IDENTITY, bias=False), nn.BatchNorm1d(IDENTITY)
            )

        def heads(self, x: Any) -> tuple[Any, Any]:
            """Both embeddings before they are scaled to length one; x is NCHW in about -2 to 2."""
            z = self.stages(self.stem(x))
            pooled = torch.cat([z.mean((2, 3)), z.amax((2, 3))], 1)
            cells = functional.avg_pool2d(z, z.shape[-1] - CELLS + 1, 1)
            return self.style(pooled), self.identity(cells.flatten(1))

        def forward(self, pixels: Any) -> tuple[Any, Any]:
            style, identity = self.heads(to_input(pixels))
            return functional.normalize(style, dim=1), functional.normalize(identity, dim=1)

    return Net().to(memory_format=torch.channels_last)


def to_input(pixels: Any) -> Any:
    """(n, h, w, 3) uint8 as the net's input (n, 3, h, w), scaled to about -2 to 2."""
    return pixels.permute(0, 3, 1, 2).float().sub(127.5).div(63.75)


def export(net: Any, path: Path) -> None:
    """Write the net as an ONNX graph: `pixels` (n, SIDE, SIDE, 3) uint8 in; unit vectors
    `style` (n, STYLE) and `identity` (n, IDENTITY) float32 out."""
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


def save_weights(net: Any, path: Path) -> None:
    """Write the net's weights as half-precision arrays by name, for `teach(start=...)`."""
    arrays = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    small = {name: a.astype(np.float16) if a.ndim else a for name, a in arrays.items()}
    np.savez(path, **small)


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
