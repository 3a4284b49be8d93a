"""Profit as a scikit-learn scorer, with the money of each row by metadata routing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from thinslice.errors import InputError
from thinslice.profit.payoff.payoff import Payoff
from thinslice.profit.payoff.priced import Priced
from thinslice.profit.rows.columns import missing_column, vector
from thinslice.profit.rows.labels import encode, two_labels

PER = ("prediction", "total")


@dataclass(frozen=True)
class ProfitScore:
    """Money of decisions, as scikit-learn calls a metric: `score(y_true, y_pred, clv=...)`."""

    payoff: Payoff
    pos_label: Any = None
    per: str = "prediction"
    __name__ = "profit"  # scikit-learn prints a scorer by the name of its function

    def __call__(self, y_true: Any, y_pred: Any, **columns: Any) -> float:
        """Money per prediction, or in total; the payoff's columns arrive by name."""
        missing = [name for name in self.payoff.columns if columns.get(name) is None]
        if missing:
            raise InputError(
                f"{missing_column(missing[0], list(columns))}; pass it on, for example "
                f"cross_validate(..., params={{{missing[0]!r}: ...}})"
            )
        total = total_profit(y_true, y_pred, self.payoff, data=columns, pos_label=self.pos_label)
        return total / len(y_true) if self.per == "prediction" else total


def profit_scorer(payoff: Payoff, *, pos_label: Any = None, per: str = "prediction") -> Any:
    """For cross_validate, GridSearchCV and TunedThresholdClassifierCV of scikit-learn.

    Scores decisions (`predict`) in money per prediction, so that the mean over folds means
    something; per="total" adds up each fold. Columns of the payoff are requested as metadata, which
    needs sklearn.set_config(enable_metadata_routing=True) and, for cross_validate, params={...}.
    """
    if per not in PER:
        raise InputError(f"per is one of {', '.join(PER)}; got {per!r}")
    if payoff.ranks:
        raise InputError(
            "this payoff is for recommended lists; a scorer needs Payoff(tp=..., fp=...)"
        )
    import sklearn
    from sklearn.metrics import make_scorer

    scorer = make_scorer(ProfitScore(payoff, pos_label, per))
    if not payoff.columns:
        return scorer
    if not sklearn.get_config()["enable_metadata_routing"]:
        raise InputError(
            f"the payoff needs {', '.join(payoff.columns)} of every row; call "
            "sklearn.set_config(enable_metadata_routing=True) first"
        )
    return scorer.set_score_request(**dict.fromkeys(payoff.columns, True))


def total_profit(
    y_true: Any, y_pred: Any, payoff: Payoff, *, data: Any = None, pos_label: Any = None
) -> float:
    """The plain sum of what every decision was worth: each row counted once."""
    truth = vector(y_true, "y_true")
    labels = payoff.labels
    if payoff.classes == 2:
        labels = two_labels(truth, payoff.labels, pos_label)
    assert labels is not None
    y, decided = encode(truth, labels, "y_true"), encode(vector(y_pred, "y_pred"), labels, "y_pred")
    if len(y) != len(decided):
        raise InputError(f"y_pred has {len(decided)} rows and y_true has {len(y)}")
    return float(Priced.of(payoff, len(y), data).worth(y, decided).sum())
