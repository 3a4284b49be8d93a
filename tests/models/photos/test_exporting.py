"""Models of timm and open_clip with untaught weights; run where both are installed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from thinslice.errors import InputError
from thinslice.models.photos.adopting import adopt
from thinslice.models.photos.exporting import export_model


def as_torch_sees_it(torch: object, model: object, pixels: np.ndarray, about: dict) -> np.ndarray:
    """The embedding by torch itself, of unit length."""
    scaled = (pixels / 255 - about["mean"]) / about["std"]
    with torch.no_grad():
        found = model(torch.tensor(scaled.transpose(0, 3, 1, 2), dtype=torch.float32)).numpy()
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_a_timm_model_gives_what_torch_gives(tmp_path: Path) -> None:
    torch, timm = pytest.importorskip("torch"), pytest.importorskip("timm")
    torch.manual_seed(0)
    export_model("timm:resnet10t", tmp_path / "exported", pretrained=False)
    encoder = adopt(str(tmp_path / "exported"), tmp_path / "encoder")
    torch.manual_seed(0)
    model = timm.create_model("resnet10t", pretrained=False, num_classes=0).eval()
    pixels = np.random.default_rng(0).integers(0, 255, (2, encoder.side, encoder.side, 3), np.uint8)
    found = encoder.encode_images(pixels)["style"]
    assert found == pytest.approx(
        as_torch_sees_it(torch, model, pixels, encoder.about["image"]), abs=1e-3
    )


def test_an_open_clip_model_reads_pictures_and_words_as_torch_does(tmp_path: Path) -> None:
    torch, open_clip = pytest.importorskip("torch"), pytest.importorskip("open_clip")
    torch.manual_seed(0)
    export_model("open_clip:ViT-S-32-alt", tmp_path / "exported", pretrained=False)
    encoder = adopt(str(tmp_path / "exported"), tmp_path / "encoder")
    assert encoder.reads_texts
    torch.manual_seed(0)
    model = open_clip.create_model("ViT-S-32-alt").eval()
    texts = ["a red shoe", "It's a lamp, 2 pieces!", "Über-cool bag"]
    with torch.no_grad():
        words = model.encode_text(open_clip.get_tokenizer("ViT-S-32-alt")(texts)).numpy()
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    assert encoder.encode_texts(texts) == pytest.approx(words, abs=1e-3)
    pixels = np.random.default_rng(0).integers(0, 255, (2, encoder.side, encoder.side, 3), np.uint8)
    seen = as_torch_sees_it(torch, model.encode_image, pixels, encoder.about["image"])
    assert encoder.encode_images(pixels)["style"] == pytest.approx(seen, abs=1e-3)


def test_a_library_that_is_missing_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r"thinslice\[hub-torch\]"):
        export_model("timm:resnet50", tmp_path / "model")
