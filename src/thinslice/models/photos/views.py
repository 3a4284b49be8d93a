"""Views of a photo to learn from, as another camera would take it: a whole batch in milliseconds.

A view is moved, scaled, turned, stretched, relit, recoloured, grainy, and now and then blurred or
covered in part. The kinds of change are those of `distortions.py`, which asks whether a photo is
found again; the ranges here are wider, and the code shares nothing with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit, uint64

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHANGE = np.dtype(
    [
        ("turn", np.float32, (2, 2)),  # from places in the view to places in the photo
        ("move", np.float32, (2,)),  # in shares of the photo
        ("light", np.float32, (3,)),  # factors of red, green and blue
        ("contrast", np.float32),
        ("grain", np.float32),  # standard deviation, of 255
        ("blur", np.float32),  # 0 sharp, 1 a full binomial 3 x 3
        ("cover", np.float32, (4,)),  # top, left, height and width in shares of the view
        ("cover_colour", np.float32, (3,)),
        ("seed", np.uint32),
    ]
)

FAINT = 0.25
"""How much a faint view is changed, a strong one being changed by 1."""


def two_views(
    photos: NDArray[np.uint8], side: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Two views of each photo (n, s, s, 3): (2 n, side, side, 3) in 0 to 255, first all first
    views. The first is changed faintly in every other photo, the second strongly; either both
    are mirrored or neither."""
    n = len(photos)
    changes = [_drawn(np.where(rng.random(n) < 0.5, FAINT, 1.0), rng), _drawn(np.ones(n), rng)]
    mirrored = np.where(rng.random(n) < 0.5, -1, 1).astype(np.float32)
    views = np.empty((2 * n, side, side, 3), np.float32)
    for change, out in zip(changes, (views[:n], views[n:]), strict=True):
        change["turn"][:, :, 0] *= mirrored[:, None]
        _views(photos, change, out)
    return views


def _drawn(strength: NDArray[np.floating[Any]], rng: np.random.Generator) -> NDArray[np.void]:
    """What is done to each photo, drawn at random."""
    n = len(strength)
    strong = strength == 1

    def draw(low: float, high: float, *shape: int) -> NDArray[np.floating[Any]]:
        spread: NDArray[np.floating[Any]] = rng.uniform(low, high, (n, *shape))
        return spread * strength.reshape(n, *(1 for _ in shape))

    change = np.zeros(n, _CHANGE)
    angle, scale, aspect = draw(-0.2, 0.2), np.exp(draw(-0.26, 0.18)), draw(-0.14, 0.14)
    across, down = scale * (1 + aspect), scale * (1 - aspect)
    change["turn"][:, 0] = np.stack([across * np.cos(angle), -across * np.sin(angle)], 1)
    change["turn"][:, 1] = np.stack([down * np.sin(angle), down * np.cos(angle)], 1)
    change["move"] = draw(-0.12, 0.12, 2)
    change["light"] = np.exp(draw(-0.32, 0.28)[:, None] + draw(-0.12, 0.12, 3))
    change["contrast"] = np.exp(draw(-0.3, 0.25))
    change["grain"] = draw(0, 7)
    change["blur"] = np.where(strong & (rng.random(n) < 0.4), draw(0.3, 1), 0)
    covered = strong & (rng.random(n) < 0.4)
    size = rng.uniform(0.1, 0.34, (n, 2))
    change["cover"][:, :2] = rng.random((n, 2)) * (1 - size)
    change["cover"][:, 2:] = np.where(covered[:, None], size, 0)
    change["cover_colour"] = rng.uniform(0, 255, (n, 3))
    change["seed"] = rng.integers(1, 2**32, n)
    return change


@njit(cache=True, fastmath=True, nogil=True)
def _views(photos: Any, changes: Any, out: Any) -> None:
    for i in range(len(photos)):
        change, view = changes[i], out[i]
        _sampled(photos[i], change.turn, change.move, view)
        _relit(view, change.light, change.contrast, change.grain, uint64(change.seed))
        _covered(view, change.cover, change.cover_colour)
        if change.blur > 0:
            _blurred(view, change.blur)


@njit(cache=True, fastmath=True, nogil=True)
def _sampled(photo: Any, turn: Any, move: Any, view: Any) -> None:
    """Two bilinear samples a pixel, which smooths what the smaller view cannot show."""
    size, side = len(photo), len(view)
    step, last = np.float32(size) / np.float32(side), np.float32(size - 1.001)
    middle = np.float32(0.5) * (side - 1)
    half = np.float32(0.5)
    for y in range(side):
        for x in range(side):
            for k in range(3):
                view[y, x, k] = 0
            for sample in range(2):
                aside = np.float32(0.25) if sample else np.float32(-0.25)
                u = (x - middle + aside) * step
                v = (y - middle + (aside if (x + y) & 1 else -aside)) * step
                at_x = turn[0, 0] * u + turn[0, 1] * v + (half + move[0]) * size - half
                at_y = turn[1, 0] * u + turn[1, 1] * v + (half + move[1]) * size - half
                at_x = min(max(at_x, np.float32(0)), last)
                at_y = min(max(at_y, np.float32(0)), last)
                left, top = int(at_x), int(at_y)
                right, below = at_x - left, at_y - top
                for k in range(3):
                    upper = (1 - right) * photo[top, left, k] + right * photo[top, left + 1, k]
                    lower = (1 - right) * photo[top + 1, left, k]
                    lower += right * photo[top + 1, left + 1, k]
                    view[y, x, k] += half * ((1 - below) * upper + below * lower)


@njit(cache=True, fastmath=True, nogil=True)
def _relit(view: Any, light: Any, contrast: Any, grain: Any, state: Any) -> None:
    mean = view.mean()
    scale = np.float32(grain * np.sqrt(12.0) / 65_536)
    for y in range(len(view)):
        for x in range(len(view)):
            for k in range(3):
                state = (state * uint64(1_664_525) + uint64(1_013_904_223)) & uint64(0xFFFFFFFF)
                noise = np.float32(state >> uint64(16)) - np.float32(32_767.5)
                value = ((view[y, x, k] - mean) * contrast + mean) * light[k] + scale * noise
                view[y, x, k] = min(max(value, np.float32(0)), np.float32(255))


@njit(cache=True, nogil=True)
def _covered(view: Any, cover: Any, colour: Any) -> None:
    side = len(view)
    top, left = int(cover[0] * side), int(cover[1] * side)
    for y in range(top, top + int(cover[2] * side)):
        for x in range(left, left + int(cover[3] * side)):
            for k in range(3):
                view[y, x, k] = colour[k]


@njit(cache=True, fastmath=True, nogil=True)
def _blurred(view: Any, share: Any) -> None:
    """Mixed with its binomial mean of 3 x 3 pixels."""
    last = len(view) - 1
    sharp = view.copy()
    for y in range(last + 1):
        for x in range(last + 1):
            above, below = max(y - 1, 0), min(y + 1, last)
            left, right = max(x - 1, 0), min(x + 1, last)
            for k in range(3):
                corners = sharp[above, left, k] + sharp[above, right, k]
                corners += sharp[below, left, k] + sharp[below, right, k]
                sides = sharp[above, x, k] + sharp[below, x, k]
                sides += sharp[y, left, k] + sharp[y, right, k]
                soft = (corners + 2 * sides + 4 * sharp[y, x, k]) * np.float32(1 / 16)
                view[y, x, k] += share * (soft - sharp[y, x, k])
