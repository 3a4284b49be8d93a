"""Public session splits as logs: what `sessions.py` measures on, in the formats they come in.

- `train_sessions.txt[.gz]`, `test_sessions.txt[.gz]`: a session per line, products apart by spaces,
  in the order of time. No times: sessions are put a minute apart.
- `train.txt[.gz]`, `test.txt[.gz]`: tab-separated SessionId, ItemId, Time in seconds, a header.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from thinslice.domain import MICROSECONDS, SessionLog
from thinslice.evaluation.splits import Split

Click = tuple[str, str, float]
"""Session, product, seconds."""


def splits(folder: Path) -> Iterator[tuple[str, Split]]:
    """Every split in the folder or right below it, with its name."""
    for place in (folder, *sorted(p for p in folder.iterdir() if p.is_dir())):
        for stem in ("{}_sessions.txt", "{}.txt"):
            train, test = (_file(place / stem.format(part)) for part in ("train", "test"))
            if train and test:
                yield place.name, read_split(train, test)


def read_split(train: Path, test: Path) -> Split:
    """The two files as one split; the test begins when its first session ends."""
    earlier = session_log(_clicks(train, 0))
    later = session_log(_clicks(test, earlier.n_sessions))
    return Split(earlier, later, int(later.times_us[later.offsets[1:] - 1].min()))


def session_log(events: Iterable[Click]) -> SessionLog:
    """The events as sessions, in the order in which they ended."""
    sessions: dict[str, list[tuple[float, int, str]]] = {}
    for line, (session, product, seconds) in enumerate(events):
        sessions.setdefault(session, []).append((seconds, line, product))
    ordered = sorted((max(lines)[0], session) for session, lines in sessions.items())
    products = tuple(sorted({line[2] for lines in sessions.values() for line in lines}))
    code_of = {product: code for code, product in enumerate(products)}
    touched = [line for _, session in ordered for line in sorted(sessions[session])]
    lengths = [len(sessions[session]) for _, session in ordered]
    return SessionLog(
        products=products,
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        codes=np.array([code_of[product] for _, _, product in touched], np.int32),
        times_us=np.array([int(s * MICROSECONDS) for s, _, _ in touched], np.int64),
        types=np.zeros(len(touched), np.int8),
        ids=tuple(session for _, session in ordered),
    )


def has_times(log: SessionLog) -> bool:
    """Whether the times are those of the visits, and not a minute apart for want of any."""
    return bool(np.abs(np.diff(log.times_us)).max(initial=0) > 60 * MICROSECONDS)


def some_sessions(log: SessionLog, at_most: int) -> SessionLog:
    """That many sessions, evenly over the time."""
    kept = np.unique(np.linspace(0, log.n_sessions - 1, min(at_most, log.n_sessions)).astype(int))
    lengths = np.diff(log.offsets)[kept]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    events = np.repeat(log.offsets[kept] - offsets[:-1], lengths) + np.arange(offsets[-1])
    return SessionLog(
        products=log.products,
        offsets=offsets,
        codes=log.codes[events],
        times_us=log.times_us[events],
        types=log.types[events],
        ids=tuple(log.ids[s] for s in kept.tolist()),
    )


def _file(path: Path) -> Path | None:
    packed = path.with_name(path.name + ".gz")
    return path if path.exists() else packed if packed.exists() else None


def _clicks(path: Path, first_session: int) -> Iterator[Click]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        if "_sessions" in path.name:
            for number, line in enumerate(file, first_session):
                for step, product in enumerate(line.split()):
                    yield f"{number:09}", product, number * 60 + step / 1000
            return
        next(file)
        for line in file:
            session, product, seconds = line.split("\t")
            yield session, product, float(seconds)
