"""The levels of the categories: paths such as "Home > Lighting > Lamps" as a tree of nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from thinslice.models.titles.classifier import SEPARATOR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.integer]


def path_of(category: str) -> str:
    """A category path in one writing.

    >>> path_of(" Home >Lighting>  Lamps ")
    'Home > Lighting > Lamps'
    """
    return SEPARATOR.join(part.strip() for part in category.split(">") if part.strip())


@dataclass(frozen=True, eq=False)
class Taxonomy:
    """Every class and every level above one is a node; depth 1 is the top."""

    paths: tuple[str, ...]
    parents: Ints
    depths: Ints
    class_nodes: Ints

    @classmethod
    def of(cls, classes: tuple[str, ...]) -> Taxonomy:
        place: dict[str, int] = {}
        for path in classes:
            parts = path.split(SEPARATOR)
            for depth in range(1, len(parts) + 1):
                place.setdefault(SEPARATOR.join(parts[:depth]), len(place))
        paths = tuple(place)
        parents = [place.get(path.rpartition(SEPARATOR)[0], -1) for path in paths]
        depths = [path.count(SEPARATOR) + 1 for path in paths]
        return cls(
            paths,
            np.array(parents, np.int32),
            np.array(depths, np.int32),
            np.array([place[path] for path in classes], np.int32),
        )

    def at_depth(self, depth: int) -> Ints:
        """The node of that depth that each class is or lies under, -1 for a shallower class."""
        at = self.class_nodes.copy()
        for _ in range(int(self.depths.max(initial=1))):
            deeper = (at >= 0) & (self.depths[at] > depth)
            at[deeper] = self.parents[at[deeper]]
        at[(at < 0) | (self.depths[at] != depth)] = -1
        return at


def levels(
    likely: NDArray[np.floating], labels: Ints, tree: Taxonomy
) -> list[tuple[NDArray[np.floating], NDArray[np.bool_]]]:
    """(chance, hit) of the classes first, then of the nodes of each depth above the deepest."""
    found = [(likely.max(axis=1), np.asarray(likely.argmax(axis=1) == labels))]
    for depth in range(1, int(tree.depths.max(initial=1))):
        node_of = tree.at_depth(depth)
        nodes, code = np.unique(node_of, return_inverse=True)
        sums = np.zeros((len(likely), len(nodes)), np.float32)
        for c in range(likely.shape[1]):
            sums[:, code[c]] += likely[:, c]
        sums[:, nodes < 0] = -1
        best = nodes[sums.argmax(axis=1)]
        found.append((np.clip(sums.max(axis=1), 0, 1), np.asarray(best == node_of[labels])))
    return found
