"""Imports that are stopped at any moment: nothing is lost or doubled, and no traceback is seen."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from thinslice.config import Settings
from thinslice.engine import Engine

pytestmark = pytest.mark.faults

ROWS = 600_000
COMMAND = [sys.executable, "-c", "from thinslice.cli import main; main()"]


def _import(export: Path, data: Path, *, stopped_after_s: float | None = None) -> str:
    """What the command said; stopped as Ctrl-C does it."""
    process = subprocess.Popen(
        [*COMMAND, "import", str(export), "--data", str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if stopped_after_s is not None:
        time.sleep(stopped_after_s)
        process.send_signal(signal.SIGINT)
    return process.communicate(timeout=120)[0]


def test_an_import_stopped_at_any_moment_can_be_begun_again(tmp_path: Path) -> None:
    export, data = tmp_path / "events.csv", tmp_path / "data"
    with export.open("w") as file:
        file.write("session_id,product_id,time\n")
        file.writelines(f"s{i // 5},p{i % 97},{1_700_000_000 + i * 3}\n" for i in range(ROWS))
    began = time.monotonic()
    _import(export, tmp_path / "whole")
    needed_s = time.monotonic() - began
    for tenths in range(3, 11):
        said = _import(export, data, stopped_after_s=needed_s * tenths / 10)
        assert "Traceback" not in said, said
    assert f"{ROWS:,} events read, {ROWS:,} kept" in _import(export, data)
    log = Engine(Settings(data=data)).log
    assert log.events("shop").num_rows == ROWS
    assert not [path for path in (data / "scratch").iterdir() if path.is_dir()]
