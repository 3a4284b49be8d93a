"""What an import did: rows read, kept, new and skipped, each skipped row with its rule."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

PROBLEMS_KEPT = 1_000
VALUE_LENGTH = 200


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A row (or photo) that was left out: `number` as a spreadsheet counts, the header being 1.

    `member` is the file inside a zip, "" elsewhere.
    """

    number: int
    column: str
    value: str
    rule: str
    member: str = ""

    def __str__(self) -> str:
        where = f"{self.member}, row {self.number}" if self.member else f"row {self.number}"
        return f"{where}: {self.rule}, got {self.value!r}" + (
            f" in {self.column}" if self.column else ""
        )


@dataclass(slots=True)
class ImportReport:
    """Filled while rows are read. `new` is None until it is known how many were new.

    `problems` holds the first 1,000 skipped rows; `problems_file`, where given, is a CSV of all.
    """

    rows: int = 0
    kept: int = 0
    new: int | None = None
    skipped: int = 0
    problems: list[SkippedRow] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems_file: Path | None = None
    what: str = "rows"
    _unwritten: list[SkippedRow] = field(default_factory=list, repr=False)

    def skip(self, row: SkippedRow) -> None:
        """Count a row as skipped and note why."""
        row = replace(row, value=row.value[:VALUE_LENGTH])
        self.skipped += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(row)
        if self.problems_file is not None:
            self._unwritten.append(row)
            if len(self._unwritten) >= PROBLEMS_KEPT:
                self.flush()

    def flush(self) -> None:
        """Write the skipped rows that are not yet in `problems_file`."""
        if self.problems_file is None or not self._unwritten:
            return
        fresh = self.skipped == len(self._unwritten)
        with self.problems_file.open("w" if fresh else "a", encoding="utf-8", newline="") as file:
            out = csv.writer(file)
            if fresh:
                out.writerow(["file", "row", "column", "value", "rule"])
            for row in self._unwritten:
                out.writerow([row.member, row.number, row.column, _inert(row.value), row.rule])
        self._unwritten.clear()

    def note(self, sentence: str) -> None:
        """Add a sentence about how the file was read, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def with_new(self, new: int) -> ImportReport:
        """The same report once it is known how many of the kept rows were new."""
        return replace(self, new=new)

    @property
    def repeated(self) -> int | None:
        """Kept rows that were there already, in the file itself or in the log."""
        return None if self.new is None else self.kept - self.new

    def sentence(self) -> str:
        """What happened, in one or two plain sentences."""
        text = f"{self.rows:,} {self.what} read, {self.kept:,} kept, {self.skipped:,} skipped."
        if self.repeated:
            text += f" {self.new:,} are new; {self.repeated:,} were there already, counted once."
        return text

    def lines(self) -> list[str]:
        """The report for a terminal: what was read from where, what was kept, what was not."""
        shown = [str(p) for p in self.problems[:10]]
        more = self.skipped - len(shown)
        return [
            *(f"  {field} is read from {column}" for field, column in self.columns.items()),
            *(f"  {note}" for note in self.notes),
            self.sentence(),
            *(f"  skipped {problem}" for problem in shown),
            *([f"  and {more:,} more"] if shown and more else []),
        ]

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, for JSON and for pages."""
        return {
            "rows": self.rows,
            "kept": self.kept,
            "new": self.new,
            "repeated": self.repeated,
            "skipped": self.skipped,
            "what": self.what,
            "columns": dict(self.columns),
            "notes": list(self.notes),
            "problems": [
                {
                    "number": p.number,
                    "column": p.column,
                    "value": p.value,
                    "rule": p.rule,
                    "member": p.member,
                }
                for p in self.problems
            ],
            "problems_file": str(self.problems_file) if self.problems_file else None,
            "sentence": self.sentence(),
        }


def _inert(value: str) -> str:
    """A value that a spreadsheet shows rather than computes."""
    return f"'{value}" if value[:1] in {"=", "+", "-", "@", "\t"} else value
