import runpy
from pathlib import Path

import pytest

SIMULATION = Path(__file__).parents[2] / "benchmarks" / "intervals.py"
LINES = list(runpy.run_path(str(SIMULATION))["simulate"](runs=200, seed=1))


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.what)
def test_the_intervals_err_as_often_as_they_say(line):
    assert line.passes, str(line)
