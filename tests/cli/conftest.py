"""The commands as a person runs them."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from thinslice import cli
from thinslice.engine import Engine


@pytest.fixture
def run_command(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run `thinslice …` on the engine's data; what it said, on one line."""

    def run_it(*words: str) -> str:
        data = str(engine.directory.root)
        monkeypatch.setattr(sys, "argv", ["thinslice", *words, "--data", data])
        try:
            cli.main()
        except SystemExit as end:
            assert end.code in (0, 1, None), end.code
        said = capsys.readouterr()
        return " ".join((said.out + said.err).split())

    return run_it
