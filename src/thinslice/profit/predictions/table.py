"""A table of predictions, as people have them: which column is the truth and which the model's.

What is not said is guessed from names and values, and every guess is told in a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import ColumnError, InputError, NotEnoughDataError
from thinslice.profit.plan.plan import Plan
from thinslice.profit.predictions.evaluation import Evaluation, evaluate
from thinslice.profit.rows.columns import missing_column
from thinslice.profit.rows.labels import YES_NO, missing

TRUE_NAMES = (
    "y_true true truth actual observed outcome target label y class happened real churned churn "
    "converted conversion bought purchased default defaulted fraud response left leaves leaving"
).split()
SCORE_NAMES = (
    "y_score score y_proba proba probability prob predicted_probability p prediction predicted "
    "pred y_pred y_hat model forecast decision decided"
).split()
POSITIVE_NAMES = (
    "1 yes y true positive pos churn churned leave left bad default fraud bought buy purchase "
    "converted conversion click clicked spam ja oui si sí"
).split()
NEGATIVE_NAMES = (
    "0 -1 no n false negative neg stay stayed good ok legit genuine none nein non not"
).split()
FEWEST_SCORES = 3
"""Different values; a column of fewer holds decisions."""

Table = Mapping[str, NDArray[Any]]
_PERCENT = re.compile(r"[+-]?\d+([.,]\d+)?\s*%")


@dataclass(frozen=True)
class Chosen:
    """Which column is what. `decisions` says that `score` holds decisions and no scores;

    `guesses` has one sentence for everything that nobody said.
    """

    true: str
    score: str
    positive: Any = None
    id: str | None = None
    decisions: bool = False
    guesses: tuple[str, ...] = ()


def choose_columns(
    table: Table,
    plan: Plan,
    *,
    true: str = "",
    score: str = "",
    positive: str = "",
    id: str = "",
) -> Chosen:
    """The columns that were named; those left out are guessed.

    Raises `ColumnError` for a name that is not there and `InputError` where no guess is safe.
    """
    said: list[str] = []
    for name in filter(None, (true, score, id)):
        if name not in table:
            raise ColumnError(missing_column(name, list(table)))
    used = set(plan.payoff.columns) if plan.payoff else set()
    if not true:
        true = _guess_true(table, {score, id} | used)
        said.append(f"The truth is taken from the column {true!r}.")
    if not score:
        score = _guess_score(table, {true, id} | used)
        said.append(f"The predictions are taken from the column {score!r}.")
    said += [
        f"Two columns are called {name!r}; the first of them is taken."
        for name in sorted({true, score, id} | used)
        if f"{name} (2)" in table
    ]
    label = _positive(table[true], true, positive, plan, said)
    decisions = _are_decisions(table[score], table[true])
    if decisions:
        said.append(f"{score!r} holds decisions, not scores, so no threshold is tuned.")
    return Chosen(true, score, label, id or None, decisions, tuple(said))


@dataclass(frozen=True)
class JudgedTable:
    """An evaluation, and the columns of the table that it was made from."""

    evaluation: Evaluation
    chosen: Chosen

    def to_dict(self) -> dict[str, Any]:
        """`Evaluation.to_dict()` with `columns`: true, score, and the positive class as text."""
        positive = None if self.chosen.positive is None else _text(self.chosen.positive)
        columns = {"true": self.chosen.true, "score": self.chosen.score, "positive": positive}
        return {**self.evaluation.to_dict(), "columns": columns}


def judge_table(table: Table, plan: Plan, **names: str) -> JudgedTable:
    """`evaluate` on a table's columns, chosen by `choose_columns`.

    Rows with the same id rise and fall together.
    """
    table = {name: _shares(column) for name, column in table.items()}
    chosen = choose_columns(table, plan, **names)
    needed = [chosen.true, chosen.score, *(plan.payoff.columns if plan.payoff else ())]
    for name in needed:
        _check_filled(table, name)
    cluster = chosen.id if chosen.id and _repeats(table[chosen.id]) else None
    said = table[chosen.score]
    found = evaluate(
        table[chosen.true],
        plan=plan,
        data=dict(table),
        pos_label=chosen.positive,
        cluster=cluster,
        y_pred=said if chosen.decisions else None,
        y_score=None if chosen.decisions else said,
    )
    return JudgedTable(found, chosen)


def _shares(column: NDArray[Any]) -> NDArray[Any]:
    """A column of percentages, such as '40%' or '40,5 %', as shares."""
    if column.dtype != object:
        return column
    texts = [None if missing(cell) else str(cell).strip() for cell in column.tolist()]
    if not all(text is None or _PERCENT.fullmatch(text) for text in texts) or not any(texts):
        return column
    numbers = [np.nan if t is None else float(t.rstrip("% ").replace(",", ".")) for t in texts]
    return np.array(numbers) / 100


def _check_filled(table: Table, name: str) -> None:
    """`InputError` names the first row without a value, as a spreadsheet counts rows."""
    if name not in table:
        return
    empty = next((k for k, cell in enumerate(table[name].tolist()) if missing(cell)), None)
    if empty is not None:
        raise InputError(
            f"{name!r} is empty in row {empty + 2} of the table (its header is row 1); fill it in "
            "or leave the row out"
        )


def _guess_true(table: Table, taken: set[str]) -> str:
    named = _by_name(table, TRUE_NAMES, taken)
    for name in named:
        if len(_distinct(table[name], 21)) <= 20:
            return name
    binary = [
        name
        for name in table
        if name not in taken
        and _plain(name) not in SCORE_NAMES
        and len(_distinct(table[name], 3)) == 2
    ]
    if len(binary) != 1:
        raise InputError(
            f"which column says what really happened? There are {_few(list(table))}; name one as "
            "the truth"
        )
    return binary[0]


def _guess_score(table: Table, taken: set[str]) -> str:
    if named := _by_name(table, SCORE_NAMES, taken):
        return named[0]
    shares = [
        name
        for name, column in table.items()
        if name not in taken and _is_share(column) and len(_distinct(column, 3)) > 2
    ]
    if len(shares) != 1:
        raise InputError(
            f"which column has the model's scores? There are {_few(list(table))}; name one as the "
            "score"
        )
    return shares[0]


def _by_name(table: Table, known: list[str], taken: set[str]) -> list[str]:
    """The columns with a known name, the most telling first."""
    plain = {_plain(name): name for name in table if name not in taken}
    return [plain[name] for name in known if name in plain]


def _positive(truth: NDArray[Any], name: str, stated: str, plan: Plan, said: list[str]) -> Any:
    """The positive class in the type of its column; None where it goes without saying."""
    values = _distinct(truth, 12)
    if plan.payoff is not None and (plan.payoff.labels is not None or plan.payoff.classes > 2):
        return None
    if stated:
        same = [value for value in values if _text(value) == stated.strip()]
        if not same:
            close = get_close_matches(stated, [_text(v) for v in values], n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise InputError(
                f"{name!r} has no {stated!r}; {hint}It has {_few([_text(v) for v in values])}"
            )
        return same[0]
    shown = _few([_text(value) for value in values])
    if len(values) < 2:
        raise NotEnoughDataError(
            f"{name!r} says {shown or 'nothing'} in every row, and a model is judged on rows of "
            "both kinds; send others, or name another column as the truth"
        )
    if len(values) > 2:
        raise InputError(
            f"{name!r} has {shown}, and a plan with tp, fp, fn and tn is for two; name another "
            "column as the truth, or give the plan a matrix of payoffs"
        )
    if any(set(values) <= set(pair) for pair in YES_NO):
        return None
    told = [value for value in values if _plain(_text(value)) in POSITIVE_NAMES]
    if not told:
        told = [v for v in values if _plain(_text(_other(v, values))) in NEGATIVE_NAMES]
    if len(told) != 1:
        raise InputError(
            f"which of {_few([_text(v) for v in values])} in {name!r} is what the model looks for? "
            "Name it as the positive class"
        )
    said.append(f"{_text(told[0])!r} is taken as what the model looks for.")
    return told[0]


def _are_decisions(score: NDArray[Any], truth: NDArray[Any]) -> bool:
    if score.dtype == object:
        return True
    values = _distinct(score, FEWEST_SCORES)
    return len(values) < FEWEST_SCORES and set(values) <= set(_distinct(truth, FEWEST_SCORES))


def _distinct(column: NDArray[Any], most: int) -> list[Any]:
    """The values there are, without missing ones, sorted; at most `most` of them."""
    if column.dtype != object:
        return [x for x in np.unique(column).tolist() if x == x][:most]
    return sorted({x for x in column.tolist() if not missing(x)}, key=str)[:most]


def _is_share(column: NDArray[Any]) -> bool:
    return column.dtype != object and bool(((column >= 0) & (column <= 1)).all())


def _repeats(column: NDArray[Any]) -> bool:
    return len(set(column.tolist())) < len(column)


def _other(value: Any, values: list[Any]) -> Any:
    return next(other for other in values if other != value)


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_").lstrip("_")


def _text(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


def _few(names: list[str]) -> str:
    return ", ".join(map(repr, names[:12])) + (" ..." if len(names) > 12 else "")
