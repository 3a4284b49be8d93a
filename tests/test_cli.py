from __future__ import annotations

import sys
from pathlib import Path

import pytest

from thinslice import __version__, cli


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> object:
    """Run a command line in a folder of its own; (exit status, what it said on one line)."""
    monkeypatch.chdir(tmp_path)

    def run_it(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["thinslice", *words])
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        said = capsys.readouterr()
        return status, " ".join((said.out + said.err).split())

    return run_it


def test_a_mistake_is_answered_with_a_sentence(run: object, tmp_path: Path) -> None:
    assert callable(run)
    events = "session_id,product_id,time\n" + "".join(f"s,p{i},{1.7e9 + i:.0f}\n" for i in range(9))
    (tmp_path / "events.csv").write_text(events)
    assert run("import", "events.csv")[0] == 0
    for words, says in (
        (("serve", "--port", "99999"), "port must be less than or equal to 65535, got 99999"),
        (("serve", "--workers", "0"), "workers must be greater than or equal to 1, got 0"),
        (("plan", "-o", "nowhere/plan.yml"), "nowhere/plan.yml"),
        (("report", "-o", "nowhere/report.html"), "nowhere/report.html"),
        (("report", "-o", "."), "directory"),
        (("audit", "nowhere.csv"), "there is no file nowhere.csv"),
        (("audit", "--shop", "nobody"), "there is no 'nobody'"),
        (("readout", "nothing"), "no experiment 'nothing'"),
    ):
        status, said = run(*words)
        assert (status, says in said) == (1, True), (words, said)


def test_the_version_is_told(run: object) -> None:
    assert callable(run)
    assert run("--version") == (0, f"thinslice {__version__}")
