"""Eight threads submit batches for ever; the message ids of what is on disk go to stdout.

    python write_until_killed.py FOLDER FIRST_NUMBER

Every fifth batch is sent twice, as a client does that heard no answer.
"""

from __future__ import annotations

import os
import sys
import threading
from itertools import count
from pathlib import Path

from thinslice.config import Settings
from thinslice.domain import Event
from thinslice.store.directory import DataDirectory
from thinslice.store.log.event_log import EventLog
from thinslice.store.log.writer import Writer


def submit_for_ever(writer: Writer, client: str) -> None:
    for number in count():
        batch = [
            Event(f"{client}-{number}-{i}", "Product Viewed", number, client) for i in range(10)
        ]
        for _ in range(2 if number % 5 == 0 else 1):
            answered = threading.Event()
            errors: list[Exception | None] = []
            writer.submit("lamps", batch, lambda e, a=answered, r=errors: (r.append(e), a.set()))  # type: ignore[misc]
            answered.wait()
        if errors == [None]:
            os.write(1, "".join(f"{event.message_id}\n" for event in batch).encode())


def main(folder: Path, name: str) -> None:
    settings = Settings(data=folder, hot_max_events=700)
    writer = EventLog(DataDirectory(folder), settings).writer()
    for thread in range(8):
        threading.Thread(target=submit_for_ever, args=(writer, f"{name}-{thread}")).start()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
