"""One real session, step by step: what was seen, what was recommended, what came next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thinslice.errors import NotFoundError
from thinslice.evaluation.metrics import rank_of

if TYPE_CHECKING:
    from thinslice.domain import Exposure, SessionLog


@dataclass(frozen=True, slots=True)
class Step:
    """`rank` is the place at which `came_next` was shown, from 1; None when it was not.

    After the session's last product nothing came next: then both are None.
    """

    seen: tuple[str, ...]
    time_us: int
    exposure: Exposure
    came_next: str | None
    rank: int | None


@dataclass(frozen=True, slots=True)
class Replay:
    """A session as its visitor lived it. `session` names it; `index` counts the log's sessions."""

    session: str
    index: int
    n_sessions: int
    steps: tuple[Step, ...]

    @property
    def hits(self) -> int:
        """Steps at which what came next had been shown."""
        return sum(step.rank is not None for step in self.steps)

    @property
    def chances(self) -> int:
        """Steps after which something came."""
        return sum(step.came_next is not None for step in self.steps)


def replay_session(
    log: SessionLog, index: int, recommend: Callable[[tuple[str, ...]], Exposure]
) -> Replay:
    """Play session `index` of the log, negative ones counted from the newest.

    Consecutive repeats of a product are one step. Raises NotFoundError for a number that no
    session has.
    """
    if not -log.n_sessions <= index < log.n_sessions:
        raise NotFoundError(
            f"there is no session {index}; the log has {log.n_sessions}, counted from 0"
        )
    index %= log.n_sessions
    start, end = int(log.offsets[index]), int(log.offsets[index + 1])
    codes, times = log.codes[start:end].tolist(), log.times_us[start:end].tolist()
    kept = [j for j in range(len(codes)) if j == 0 or codes[j] != codes[j - 1]]
    products = tuple(log.products[codes[j]] for j in kept)
    steps = []
    for step in range(1, len(products) + 1):
        exposure = recommend(products[:step])
        came_next = products[step] if step < len(products) else None
        shown = [r.product for r in exposure.recommendations]
        rank = rank_of(shown, came_next) if came_next is not None else None
        steps.append(Step(products[:step], times[kept[step - 1]], exposure, came_next, rank))
    return Replay(log.ids[index], index, log.n_sessions, tuple(steps))
