import os
import socket
import subprocess
import sys

import pytest

from thinslice.demo.service import free_port
from thinslice.errors import InputError
from thinslice.tour import MARKER, make_room


def test_the_demo_empties_the_folder_that_a_demo_made(tmp_path):
    folder = tmp_path / "demo-data"
    make_room(folder)
    (folder / "old.txt").write_text("old")
    make_room(folder)
    assert [f.name for f in folder.iterdir()] == [MARKER]


def test_the_demo_leaves_any_other_folder_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="something else"):
        make_room(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_port_that_is_taken_gives_way_to_a_free_one():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port("127.0.0.1", port) != port


def test_the_demo_walks_all_seven_steps_and_exits(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "thinslice", "demo", "--once", "--data", str(tmp_path / "demo")],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "400"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for step in range(1, 8):
        assert f"\n{step} " in done.stdout
    for name, verdict in (
        ("session-list", "ship"),
        ("new-headline", "not proven"),
        ("clearance-corner", "stop"),
    ):
        assert f"{name}: {verdict}." in done.stdout
    assert "The generated shop" in done.stdout
    assert (tmp_path / "demo" / "report.html").stat().st_size > 10_000
