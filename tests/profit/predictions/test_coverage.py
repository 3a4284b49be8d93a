"""A short form of benchmarks/profit_coverage.py: the 90 % range, give or take 3 standard errors."""

import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).parents[3] / "benchmarks" / "profit_coverage.py"


def benchmark():
    spec = importlib.util.spec_from_file_location("coverage_of_ranges", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


BENCHMARK = benchmark()


@pytest.mark.parametrize("what", BENCHMARK.SIMULATIONS)
def test_the_range_holds_the_truth_as_often_as_it_says(what):
    line = BENCHMARK.coverage(what, runs=60, seed=1)
    assert line.passes, str(line)
