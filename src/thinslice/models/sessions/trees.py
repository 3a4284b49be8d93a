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
        add_trees(rows, len(rows), *self.to_arrays().values(), scores)
        return scores


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


@numba.njit(cache=True, nogil=True)
def add_trees(
    rows: Any, n_rows: int, roots: Any, features: Any, thresholds: Any, left: Any, right: Any,
    values: Any, scores: Any,
) -> None:  # fmt: skip
    """Tree by tree, so that one tree's nodes stay in the cache while all rows pass through."""
    for t in range(len(roots)):
        for r in range(n_rows):
            node = roots[t]
            while node >= 0:
                is_left = rows[r, features[node]] <= thresholds[node]
                node = left[node] if is_left else right[node]
            scores[r] += values[-1 - node]
