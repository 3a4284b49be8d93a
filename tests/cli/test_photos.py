from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from thinslice.cli import app
from thinslice.config import Settings
from thinslice.demo.catalogue import make_catalogue
from thinslice.demo.pictures import draw_pictures
from thinslice.domain import Shop
from thinslice.engine import Engine


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(tmp_path_factory.mktemp("cli"))
    engine = Engine(Settings(data=folder / "data"))
    engine.control.add_shop(Shop("shop", "Shop"))
    made = make_catalogue(np.random.default_rng(4), per_cell=2)
    shelf = engine.shelf("shop")
    shelf.catalog.upsert(made.products)
    pictures = dict(draw_pictures(made))
    first, second, *_ = pictures
    pictures[second] = pictures[first]
    (folder / "photos").mkdir()
    for product, picture in pictures.items():
        (folder / "photos" / f"{product}.jpg").write_bytes(picture)
    engine.import_photos("shop", folder / "photos")
    return folder


def run(data: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments, "--data", str(data / "data")])
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_photos_are_built_tagged_and_compared(data: Path, tmp_path: Path) -> None:
    assert "100 photos can be searched. Of 100 photos" in run(data, "build", "--photos")
    tags = tmp_path / "tags.csv"
    assert "100 photos are tagged" in run(data, "tag", str(data / "photos"), "-o", str(tags))
    assert tags.read_text("utf-8-sig").startswith("photo,category,category confidence")
    pairs = tmp_path / "pairs.csv"
    assert "looks the same as" in run(data, "photos", "duplicates", "-n", "3", "-o", str(pairs))
    assert pairs.read_text("utf-8-sig").startswith("product,title,same as")
    run(data, "photos", "disagreements")


def test_before_a_build_it_is_said_what_to_do(tmp_path: Path) -> None:
    engine = Engine(Settings(data=tmp_path / "data"))
    engine.control.add_shop(Shop("shop", "Shop"))
    result = CliRunner().invoke(app, ["photos", "duplicates", "--data", str(tmp_path / "data")])
    assert result.exit_code != 0
