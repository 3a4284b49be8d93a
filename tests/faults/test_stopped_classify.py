"""Tables of titles whose classification is killed at any moment: what comes out is the same."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from thinslice.config import Settings
from thinslice.domain import Product, Shop
from thinslice.engine import Engine

pytestmark = pytest.mark.faults

ROWS, KILLS = 150_000, 20
COMMAND = [sys.executable, "-c", "from thinslice.cli import main; main()"]
NOUNS = "lamp mug boot".split()
STYLES = "red blue green plain striped dotted small large".split()


def _start(table: Path, output: Path, data: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, "classify", str(table), "-o", str(output), "--data", str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _rows_done(output: Path) -> int:
    state = output.with_name(f".{output.name}.progress.json")
    try:
        return int(json.loads(state.read_text("utf-8"))["done"])
    except (OSError, ValueError, KeyError):
        return 0


def _killed(process: subprocess.Popen[bytes], output: Path, rng: random.Random) -> None:
    """Kill it, as often as not in the middle of what comes after its next part."""
    before, part = _rows_done(output), rng.randrange(4)
    while process.poll() is None and part and _rows_done(output) <= before:
        time.sleep(0.001)
    time.sleep(rng.random() * 0.1)
    process.kill()
    process.communicate()


def test_what_was_killed_again_and_again_gives_the_same_table(tmp_path: Path) -> None:
    rng = random.Random(5)
    engine = Engine(Settings(data=tmp_path / "data"))
    engine.control.add_shop(Shop("shop", "Shop"))
    titles = [f"{rng.choice(STYLES)} {rng.choice(STYLES)} {NOUNS[i % 3]} {i}" for i in range(ROWS)]
    engine.shelf("shop").catalog.upsert(
        Product(f"p{i}", title, category=NOUNS[i % 3]) for i, title in enumerate(titles[:300])
    )
    engine.titles("shop").learn()
    table = tmp_path / "titles.csv"
    odd = ("=cmd|' /C calc'!A0", "", '"a ""quoted""\nthing"', "зелёная лампа")
    lines = (odd[i % 4] if i % 1000 < 4 else title for i, title in enumerate(titles))
    table.write_text("sku,title\n" + "".join(f"{i},{line}\n" for i, line in enumerate(lines)))
    undisturbed, stopped = tmp_path / "whole.csv", tmp_path / "out.csv"
    said = _start(table, undisturbed, tmp_path / "data").communicate(timeout=600)[0]
    assert b"titles of the column" in said
    kills, met = 0, []
    for _ in range(KILLS):
        process = _start(table, stopped, tmp_path / "data")
        _killed(process, stopped, rng)
        kills += process.returncode == -9
        met.append(_rows_done(stopped))
    said = _start(table, stopped, tmp_path / "data").communicate(timeout=600)[0]
    assert b"Traceback" not in said
    assert kills >= 10
    assert max(met) > 10_000
    assert stopped.read_bytes() == undisturbed.read_bytes()
    assert sorted(p.name for p in tmp_path.glob(".out.csv*")) == []
