"""A table of titles in, the same with categories out: what `thinslice classify` does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from thinslice.store.exports.title_rows import AnswerFile, TitleTable

if TYPE_CHECKING:
    from thinslice.models.titles.classifier import TitleAnswer
    from thinslice.shelf.titles.titles import Titles

Progress = Callable[[int, int | None], None]
"""Called with (bytes done, total or None)."""

ANSWER_COLUMNS = (
    "category",
    "confidence",
    "review",
    "why",
    "because of",
    "alternative 1",
    "alternative 2",
)
"""What is written beside the rows of a table."""


def answer_cells(answer: TitleAnswer) -> list[str]:
    """An answer as the cells of `ANSWER_COLUMNS`."""
    others = [category for category, _ in answer.alternatives]
    return [
        answer.category,
        f"{answer.confidence:.3f}",
        "yes" if answer.needs_person else "",
        answer.why,
        ", ".join(answer.spoke_for()),
        *[*others, "", ""][:2],
    ]


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of a table: its rows, those for a person, those of an earlier, stopped run."""

    rows: int
    to_review: int
    resumed_at: int
    skipped: int
    column: str

    def lines(self) -> list[str]:
        found = [
            f"{self.rows:,} titles of the column “{self.column}” have a category; a person should "
            f"look at {self.to_review:,} of them."
        ]
        if self.resumed_at:
            found.append(f"The first {self.resumed_at:,} were done before it was stopped.")
        if self.skipped:
            found.append(f"{self.skipped:,} rows are broken and were left out.")
        return found


def classify_file(
    titles: Titles,
    source: Path,
    output: Path,
    *,
    column: str | None = None,
    in_order: bool = False,
    queue: bool = False,
    progress: Progress | None = None,
) -> FileReport:
    """Write a table with categories beside its rows, those for a person on top.

    Stopped at any moment and run again, it goes on where it was. `column` names the titles,
    `in_order` leaves the rows where they were, `queue` puts the titles that need a person on the
    review queue as well, `progress` is called with (bytes done, total or None).
    """
    model, table = titles.model(), TitleTable.open(source, column)
    header = [*table.columns, *ANSWER_COLUMNS]
    about = source.stat()
    identity = {
        "source": [str(source.resolve()), about.st_size, about.st_mtime_ns],
        "version": model.version,
        "column": table.title,
    }
    before = seen = 0
    with AnswerFile(output, header, identity, delimiter=table.delimiter, in_order=in_order) as file:
        before = file.done
        for part in table.parts(progress):
            seen += len(part.titles)
            new = min(len(part.titles), seen - before)
            if new <= 0:
                continue
            answers = model.classify_many(part.titles[-new:])
            beside = zip(part.cells[-new:], map(answer_cells, answers), strict=True)
            file.write([row + cells for row, cells in beside], [a.needs_person for a in answers])
            if queue:
                titles.wait_for_person(answers)
        file.finish()
    return FileReport(file.done, file.to_review, before, len(table.skipped), table.title)
