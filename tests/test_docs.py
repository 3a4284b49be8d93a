"""The documentation says everything there is, and no more than there is."""

import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from thinslice import errors
from thinslice.cli import app
from thinslice.config import Settings

ROOT = Path(__file__).parent.parent
DOCS = "\n".join(
    page.read_text("utf-8") for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
)


def commands() -> list[str]:
    group = typer.main.get_command(app)
    names = []
    for name, command in group.commands.items():
        names += [f"{name} {sub}" for sub in getattr(command, "commands", {})] or [name]
    return names


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented(command: str) -> None:
    assert f"thinslice {command}" in DOCS


@pytest.mark.parametrize("command", commands())
def test_every_command_says_what_it_is_for(command: str) -> None:
    answer = CliRunner().invoke(app, [*command.split(), "--help"])
    assert answer.exit_code == 0
    assert "Usage" in answer.output


@pytest.mark.parametrize("setting", list(Settings.model_fields))
def test_every_setting_is_documented(setting: str) -> None:
    assert f"`{setting}`" in (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert Settings.model_fields[setting].description


@pytest.mark.parametrize("error", [name for name in vars(errors) if name.endswith("Error")])
def test_every_error_is_drawn_in_the_tree(error: str) -> None:
    assert error in (errors.__doc__ or "")


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda p: p.name
)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_package_has_a_page() -> None:
    packages = {p.parent.name for p in (ROOT / "src" / "thinslice").glob("*/__init__.py")}
    pages = {p.stem for p in (ROOT / "docs").glob("*.md")}
    assert packages <= pages
