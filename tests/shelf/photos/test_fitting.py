from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.models.photos.graphs import image_tower
from tests.shelf.photos.test_search import Drawn

from thinslice.domain import Product
from thinslice.errors import NotEnoughDataError
from thinslice.interfaces import Encoder
from thinslice.models.photos.adopting import adopt
from thinslice.models.photos.encoder import SHIPPED, ImageEncoder
from thinslice.models.versions import current
from thinslice.shelf.photos import learning
from thinslice.shelf.photos import search as searching
from thinslice.shelf.photos.heads import learn_heads


def test_one_title_in_ten_is_kept_aside_whenever_it_is_asked() -> None:
    titles = [f"Shirt no {i}" for i in range(5000)]
    aside = learning.kept_aside(titles)
    assert 0.08 < np.mean(aside) < 0.12
    assert learning.kept_aside(titles[::-1])[::-1] == aside


def test_how_often_heads_are_right_is_measured_on_photos_the_encoder_was_not_fitted_to(
    tmp_path: Path,
) -> None:
    """An encoder that knows by heart what it was fitted to makes heads look better than they are:
    its vectors tell the label of every photo it has seen, and nothing of the others."""
    rng = np.random.default_rng(0)
    ids = [f"p{i}" for i in range(600)]
    kinds = rng.integers(3, size=600)
    style = rng.normal(size=(600, 8)).astype(np.float32)
    style[:400] = np.eye(8, dtype=np.float32)[kinds[:400]]
    products = {i: Product(i, i, category=f"kind {k}") for i, k in zip(ids, kinds, strict=True)}
    given: dict[str, Any] = {"products": products, "decided": {}, "encoder": "e"}
    honest = learn_heads(
        ids, {"style": style}, folder=tmp_path / "a", fitted_to=set(ids[:400]), **given
    )
    blind = learn_heads(ids, {"style": style}, folder=tmp_path / "b", **given)
    assert honest.heads is not None
    assert blind.heads is not None
    measured = honest.heads.measured()["category"]
    assert measured["held_out"] == 200
    assert measured["accuracy"] < 0.5
    assert blind.heads.measured()["category"]["accuracy"] > 0.7
    assert set(honest.held_out) == set(ids[400:])


def given_encoder(monkeypatch: pytest.MonkeyPatch, write: Any) -> None:
    """Stands in for minutes of torch: `write` makes the files of the encoder that was fitted."""

    def fitted(album: Any, folder: Path, **_: Any) -> Encoder:
        encoder: Encoder = write(folder)
        return encoder

    monkeypatch.setattr(searching, "fitted_encoder", fitted)


def copied(folder: Path) -> ImageEncoder:
    """As good as the shipped one, and another one."""
    shutil.copytree(SHIPPED, folder)
    axes = np.load(folder / "shape.npy")
    np.save(folder / "shape.npy", axes[:-1])
    return ImageEncoder(folder)


def test_a_fitted_encoder_that_does_worse_is_not_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = Drawn(tmp_path, per_cell=1)
    drawn.search.build()
    before = drawn.search.served()
    tower = image_tower(tmp_path / "model" / "model.onnx")  # sees one mean colour
    given_encoder(monkeypatch, lambda folder: adopt(str(tower), folder))
    with pytest.raises(NotEnoughDataError, match=r"does worse\. Fitted: .* found first"):
        drawn.search.build(fit_minutes=1)
    assert drawn.search.served().folder == before.folder
    assert drawn.search.served().encoder.hash == before.encoder.hash
    assert [p.name for p in drawn.search.folder.glob("photos-*")] == [before.folder.name]


def test_a_fitted_encoder_that_does_as_well_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = Drawn(tmp_path, per_cell=1)
    drawn.search.build()
    given_encoder(monkeypatch, copied)
    drawn.search.build(fit_minutes=1)
    assert drawn.search.served().encoder.hash != ImageEncoder().hash


def test_what_a_build_that_was_killed_left_behind_goes_with_the_next(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path, per_cell=1)
    drawn.search.build()
    half = drawn.search.folder / "photos-1"
    (half / "encoder").mkdir(parents=True)
    (half / "encoder" / "encoder.onnx").write_bytes(b"half a file")
    served = current(drawn.search.folder)
    drawn.search.build()
    left = {p.name for p in drawn.search.folder.glob("photos-*")}
    assert left == {served, current(drawn.search.folder)}


def test_what_an_encoder_was_fitted_to_is_kept_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    encoder = copied(folder)
    assert learning.fitted_to(encoder) == frozenset()
    (folder / "fitted_to.json").write_text(json.dumps(["a", "b"]))
    kept = learning.kept_encoder(ImageEncoder(folder), tmp_path / "kept")
    assert learning.fitted_to(kept) == {"a", "b"}
    assert kept.hash == encoder.hash
