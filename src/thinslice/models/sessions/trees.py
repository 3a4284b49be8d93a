"""Boosted trees as flat arrays, and the loop that evaluates them.

The trees are LightGBM's (Ke et al., NeurIPS 2017), which is needed to grow them and not to use
them: the request path reads arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from thinslice.models.sessions.item_table import read_only

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Trees:
    """Tree t starts at node `roots[t]`. A row goes left where its feature is at most the threshold.

    Shapes: `roots` (T,) int32; per inner node `features` int16, `thresholds` float32, `left` and
    `right` int32, where a negative number -1 - leaf ends the walk; `values` (leaves,) float32.
    """

    roots: NDArray[np.int32]
    features: NDArray[np.int16]
    thresholds: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    values: NDArray[np.float32]

    @classmethod
    def from_dump(cls, dump: Mapping[str, Any]) -> Trees:
        """From LightGBM's `dump_model()`. Raises ValueError for a split that is not `<=`."""
        nodes: list[Any] = []
        values: list[float] = []
        roots = [_add(tree["tree_structure"], nodes, values) for tree in dump["tree_info"]]
        return cls(
            np.array(roots, np.int32),
            np.array([node[0] for node in nodes], np.int16),
            np.array([node[1] for node in nodes], np.float32),
            np.array([node[2] for node in nodes], np.int32),
            np.array([node[3] for node in nodes], np.int32),
            np.array(values, np.float32),
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Trees:
        return cls(*(read_only(arrays[f.name]) for f in fields(cls)))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """The sum of the trees' leaves for each row of features, shape (rows,)."""
        scores = np.zeros(len(rows))
        add_trees(rows, len(rows), self.walks(), scores)
        return scores

    def walks(self) -> tuple[NDArray[Any], ...]:
        """What `add_trees` reads: leaves are nodes that lead to themselves, after the inner ones.

        Shapes: per tree `roots` and `depths`; per node `features`, `thresholds` and `values`, and
        two `children`, where to go if the feature is above the threshold and if it is not.
        """
        inner, leaves = len(self.features), len(self.values)
        own = np.arange(inner, inner + leaves)
        children = np.stack([self._node(self.right), self._node(self.left)], axis=1)
        roots = self._node(self.roots)
        packed = (
            roots.astype(np.uint32),
            _depths(roots, children),
            np.concatenate([self.features, np.zeros(leaves, np.int16)]).astype(np.uint32),
            np.concatenate([self.thresholds, np.zeros(leaves, np.float32)]),
            np.concatenate([children.ravel(), np.repeat(own, 2)]).astype(np.uint32),
            np.concatenate([np.zeros(inner, np.float32), self.values]),
        )
        return tuple(read_only(array) for array in packed)

    def _node(self, numbers: NDArray[np.int32]) -> NDArray[np.int32]:
        """Leaves counted on from the inner nodes."""
        return np.where(numbers < 0, len(self.features) - 1 - numbers, numbers).astype(np.int32)


def _add(node: Mapping[str, Any], nodes: list[Any], values: list[float]) -> int:
    """Add a node and all below it; return its number, or -1 - its leaf."""
    if "leaf_value" in node:
        values.append(node["leaf_value"])
        return -len(values)
    if node["decision_type"] != "<=":
        raise ValueError(f"a split must be <=, got {node['decision_type']!r}")
    number = len(nodes)
    nodes.append(())
    left = _add(node["left_child"], nodes, values)
    right = _add(node["right_child"], nodes, values)
    nodes[number] = (node["split_feature"], _not_above(node["threshold"]), left, right)
    return number


def _not_above(threshold: float) -> np.float32:
    """The largest single-precision number up to it: single-precision rows go the same way."""
    rounded = np.float32(threshold)
    return rounded if float(rounded) <= threshold else np.nextafter(rounded, np.float32(-np.inf))


def _depths(roots: NDArray[np.int32], children: NDArray[np.int32]) -> NDArray[np.int32]:
    """Steps from each root to its farthest leaf."""
    depths = np.zeros(len(roots), np.int32)
    tree, nodes = np.arange(len(roots)), roots
    while (is_inner := nodes < len(children)).any():
        tree, nodes = np.repeat(tree[is_inner], 2), children[nodes[is_inner]].ravel()
        depths[tree] += 1
    return depths


@numba.njit(cache=True, nogil=True)
def add_trees(rows: Any, n_rows: int, walks: Any, scores: Any) -> None:
    """All rows of a block take a step, then all of them the next: a processor walks several at
    once, and never has to guess where a walk turns or ends, since it waits in its leaf.
    """
    roots, depths, features, thresholds, children, values = walks
    nodes = np.empty(min(n_rows, _BLOCK), np.uint32)
    for first in range(0, n_rows, _BLOCK):
        n = min(n_rows - first, _BLOCK)
        for t in range(len(roots)):
            nodes[:n] = roots[t]
            for _ in range(depths[t]):
                for r in range(n):
                    node = nodes[r]
                    goes_left = rows[first + r, features[node]] <= thresholds[node]
                    nodes[r] = children[np.uint32(2) * node + np.uint32(goes_left)]
            for r in range(n):
                scores[first + r] += values[nodes[r]]


_BLOCK = 128
"""Rows that walk together: they and their nodes stay in the cache."""
