"""The bars of a title classifier: what precision or money asks for, on its held-out titles.

`held` is what was answered while learning, as `novelty.Answers` has it: by models that had not
seen a title, and by models that had not met its kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.models.titles.novelty import Answers, limit_for_cost, limits_for_precision
from thinslice.profit.asking import AskingTerms, bars
from thinslice.profit.asking import trade_off as of_every_bar

if TYPE_CHECKING:
    from thinslice.models.titles.classifier import TitleClassifier


def priced(
    model: TitleClassifier, terms: AskingTerms, held: Mapping[str, Any] | None
) -> TitleClassifier:
    """The model with the bars, and the limit of strangeness, that the terms and the held-out titles
    ask for."""
    from thinslice.models.titles.training import bars_of

    if held is None:
        return model
    said, share = Answers.from_dict(held), _unknown_share(model, terms)
    nodes = np.asarray(model.arrays["class_nodes"], np.int64)
    if not terms.in_money or terms.look_cost is None:
        bar, limit = limits_for_precision(said, terms.precision, share)
        found = bars_of(len(model.nodes), nodes, bar, terms.precision)
        return model.with_bars(found, strange=limit)
    priced = bars(terms, model.nodes, said.confidence, nodes[said.answered])
    wrong = np.array([terms.cost_of_wrong(name) for name in model.classes])
    limit = limit_for_cost(said, priced[nodes], wrong, terms.look_cost, share)
    return model.with_bars(priced, strange=limit, terms=terms.to_dict())


def trade_off(
    model: TitleClassifier, terms: AskingTerms, held: Mapping[str, Any]
) -> dict[str, Any]:
    """What every bar would give, and the bars in force under these terms.

    `accepted` and `precision` are of titles of known kinds; `unknown_accepted` is the share taken
    over of titles whose kind was left out while learning, None where none could be.
    """
    said, new = Answers.from_dict(held), priced(model, terms, held)
    nodes = np.asarray(model.arrays["class_nodes"], np.int64)
    bar, limit = np.asarray(new.arrays["bars"], float)[nodes], new.meta["strange"]
    accepted = (said.confidence >= bar[said.answered]) & (said.novelty <= limit)
    unknown = said.unknown_confidence >= bar[said.unknown_answered]
    unknown &= said.unknown_novelty <= limit
    familiar = said.novelty <= limit
    in_force = of_every_bar(said.confidence[accepted], said.hit[accepted], terms, points=2)[-1]
    shown = ("precision", "precision_low", "precision_high")
    return {
        "terms": terms.to_dict(),
        "points": of_every_bar(np.where(familiar, said.confidence, 0.0), said.hit, terms),
        "sample": len(said.hit),
        "accepted": float(accepted.mean()),
        "unknown_share": _unknown_share(model, terms),
        "unknown_accepted": float(unknown.mean()) if len(unknown) else None,
        **{name: in_force[name] for name in shown},
    }


def _unknown_share(model: TitleClassifier, terms: AskingTerms) -> float:
    """The share of titles of unknown kinds that is reckoned with: as said, else as learned."""
    return model.meta["unknown_share"] if terms.unknown_share is None else terms.unknown_share
