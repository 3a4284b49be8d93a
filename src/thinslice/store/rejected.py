"""What came in and could not be kept, where a person can look at it: JSON lines, bounded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from thinslice.durable import locked
from thinslice.store.wire import Rejected

MAX_BYTES = 10_000_000
"""Size at which the file becomes `<shop>.jsonl.1`, replacing the one before."""


class RejectedEvents:
    """One shop's refused events, each with its rule and its text. Several processes may append."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self.older = path.with_name(path.name + ".1")
        self._max_bytes = max_bytes

    def append(self, rejected: Iterable[Rejected], received_us: int) -> None:
        """Add them; a client that sends only rubbish fills two files and no more."""
        received = datetime.fromtimestamp(received_us / 1e6, UTC).isoformat()
        lines = [
            json.dumps(
                {
                    "received_at": received,
                    "position": r.position,
                    "rule": r.rule,
                    "event": r.item.decode("utf-8", "backslashreplace"),
                }
            )
            for r in rejected
        ]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.path.with_name(f".{self.path.name}.lock")):
            if self.path.exists() and self.path.stat().st_size >= self._max_bytes:
                self.path.replace(self.older)
            with self.path.open("a", encoding="utf-8") as file:
                file.write("".join(line + "\n" for line in lines))

    def latest(self, limit: int = 100) -> list[dict[str, Any]]:
        """The last ones, the latest first; a line that a crash cut short is left out."""
        return list(self._read())[-limit:][::-1]

    def _read(self) -> Iterator[dict[str, Any]]:
        for path in (self.older, self.path):
            if path.exists():
                for line in path.read_text("utf-8").splitlines():
                    try:
                        yield json.loads(line)
                    except ValueError:
                        continue
