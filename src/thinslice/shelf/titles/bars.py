"""The bars of a title classifier: what precision or money asks for, on its held-out titles.

`held` has what models that had not seen a title said of it: its `confidence`, whether it was a
`hit`, and the class `answered`, each of shape (n,).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.profit.asking import AskingTerms, bars
from thinslice.profit.asking import trade_off as of_every_bar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.models.titles.classifier import TitleClassifier


def priced(
    model: TitleClassifier, terms: AskingTerms, held: Mapping[str, Any] | None
) -> TitleClassifier:
    """The model with the bars that the terms and the held-out titles ask for."""
    from thinslice.models.titles.training import bars_for_precision

    if held is None:
        return model
    confidence, hit = _answers(held)
    if not terms.in_money:
        return model.with_bars(bars_for_precision(model, confidence, hit, terms.precision))
    found = bars(terms, model.nodes, confidence, _nodes(model, held))
    return model.with_bars(found, terms=terms.to_dict())


def trade_off(
    model: TitleClassifier, terms: AskingTerms, held: Mapping[str, Any]
) -> dict[str, Any]:
    """What every bar would give, and the bars in force under these terms."""
    confidence, hit = _answers(held)
    in_place = np.asarray(priced(model, terms, held).arrays["bars"], float)
    accepted = confidence >= in_place[_nodes(model, held)]
    in_force = of_every_bar(confidence[accepted], hit[accepted], terms, points=2)[-1]
    shown = ("precision", "precision_low", "precision_high")
    return {
        "terms": terms.to_dict(),
        "points": of_every_bar(confidence, hit, terms),
        "sample": len(hit),
        "accepted": float(accepted.mean()),
        **{name: in_force[name] for name in shown},
    }


def _answers(held: Mapping[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    return np.asarray(held["confidence"], float), np.asarray(held["hit"], bool)


def _nodes(model: TitleClassifier, held: Mapping[str, Any]) -> NDArray[np.int64]:
    """The node of each held-out answer."""
    class_nodes = np.asarray(model.arrays["class_nodes"], np.int64)
    return class_nodes[np.asarray(held["answered"], np.int64)]
