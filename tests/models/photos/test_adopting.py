from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from tests.models.photos.graphs import bytes_tower, image_tower, text_tower, two_towers

from thinslice.errors import InputError, StorageError
from thinslice.models.photos.adopting import adopt, download
from thinslice.models.photos.onnx_encoder import OnnxEncoder, open_encoder


def plain(colour: tuple[int, int, int], side: int) -> np.ndarray:
    return np.full((1, side, side, 3), colour, np.uint8)


def test_a_model_gives_its_embedding_as_style_beside_shape_and_colour(tmp_path: Path) -> None:
    encoder = adopt(str(image_tower(tmp_path / "model.onnx")), tmp_path / "encoder")
    assert encoder.side == 32
    assert encoder.dimensions["style"] == 3
    red = encoder.encode_images(plain((255, 0, 0), 32))
    assert set(red) == {"style", "shape", "colour"}
    expected = (np.array([1, 0, 0]) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert red["style"][0] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-3)
    empty = encoder.encode_images(np.empty((0, 32, 32, 3), np.uint8))
    assert {part: rows.shape[1] for part, rows in empty.items()} == dict(encoder.dimensions)
    with pytest.raises(InputError, match="side=32"):
        encoder.encode_images(plain((0, 0, 0), 64))


def test_it_answers_from_its_folder_alone_and_a_changed_file_is_another_encoder(
    tmp_path: Path,
) -> None:
    source = image_tower(tmp_path / "model.onnx")
    encoder = adopt(str(source), tmp_path / "encoder")
    source.unlink()
    again = open_encoder(tmp_path / "encoder")
    assert isinstance(again, OnnxEncoder)
    assert again.hash == encoder.hash
    about = json.loads((tmp_path / "encoder" / "encoder.json").read_text())
    about["image"]["mean"] = [0, 0, 0]
    (tmp_path / "encoder" / "encoder.json").write_text(json.dumps(about))
    assert open_encoder(tmp_path / "encoder").hash != encoder.hash
    (tmp_path / "encoder" / "shape.npy").unlink()
    with pytest.raises(StorageError, match="build it again"):
        open_encoder(tmp_path / "encoder")


def test_pixels_are_scaled_as_the_model_says(tmp_path: Path) -> None:
    encoder = adopt(str(two_towers(tmp_path / "model")), tmp_path / "encoder")
    red = encoder.encode_images(plain((255, 0, 0), 32))["style"][0]
    assert red == pytest.approx(np.array([1, -1, -1]) / np.sqrt(3), abs=1e-3)


def test_bytes_in_another_order_and_a_feature_map_are_understood(tmp_path: Path) -> None:
    encoder = adopt(str(bytes_tower(tmp_path / "bytes.onnx")), tmp_path / "encoder")
    assert encoder.side == 24
    found = encoder.encode_images(plain((0, 30, 40), 24))["style"][0]
    assert found == pytest.approx([0, 0.6, 0.8], abs=1e-3)


def test_a_model_that_takes_one_picture_at_a_time_gives_the_same(tmp_path: Path) -> None:
    many = adopt(str(image_tower(tmp_path / "a.onnx")), tmp_path / "many")
    one = adopt(str(image_tower(tmp_path / "b.onnx", batch=1)), tmp_path / "one")
    pixels = np.random.default_rng(0).integers(0, 255, (5, 32, 32, 3), np.uint8)
    a, b = (encoder.encode_images(pixels)["style"] for encoder in (many, one))
    assert a == pytest.approx(b, abs=1e-6)


def test_a_classifier_gives_what_goes_into_its_last_layer(tmp_path: Path) -> None:
    classifier = image_tower(tmp_path / "resnet.onnx", classes=10)
    for value in ("penultimate", "means"):
        encoder = adopt(f"{classifier}#{value}", tmp_path / value)
        assert encoder.dimensions["style"] == 3
    with pytest.raises(InputError, match="no inner value 'attic'"):
        adopt(f"{classifier}#attic", tmp_path / "attic")


def test_words_are_compared_with_photos(tmp_path: Path) -> None:
    encoder = adopt(str(two_towers(tmp_path / "model")), tmp_path / "encoder")
    assert encoder.reads_texts
    words = encoder.encode_texts(["Red", "green", "something blue"])
    colours = ((250, 20, 20), (20, 250, 20), (20, 20, 250))
    photos = np.concatenate([encoder.encode_images(plain(c, 32))["style"] for c in colours])
    assert (words @ photos.T).argmax(axis=1).tolist() == [0, 1, 2]
    alone = encoder.encode_texts(["something blue"])
    assert alone[0] == pytest.approx(words[2], abs=1e-6)
    without = adopt(str(image_tower(tmp_path / "image.onnx")), tmp_path / "without")
    assert not without.reads_texts
    with pytest.raises(InputError, match="no text tower"):
        without.encode_texts(["red"])


def test_towers_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    model = two_towers(tmp_path / "model")
    text_tower(model / "onnx" / "text_model.onnx", width=4)
    with pytest.raises(InputError, match="take both towers from one model"):
        adopt(str(model), tmp_path / "encoder")


def test_what_is_no_image_model_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    text_tower(tmp_path / "words.onnx")
    (tmp_path / "bare").mkdir()
    for name, said in (
        ("broken.onnx", "ONNX Runtime can open"),
        ("words.onnx", "four dimensions"),
        ("bare", "give the path of the ONNX file itself"),
        ("missing.onnx", "there is no file"),
    ):
        with pytest.raises(InputError, match=said):
            adopt(str(tmp_path / name), tmp_path / f"to-{name}")


def test_an_output_that_tells_no_pictures_apart_is_refused(tmp_path: Path) -> None:
    same = image_tower(tmp_path / "same.onnx", classes=1)
    with pytest.raises(InputError, match="a vector of its own"):
        adopt(str(same), tmp_path / "encoder")


class Hub(ThreadingHTTPServer):
    """As much of a model hub as its client asks for, over a folder of models."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(("127.0.0.1", 0), HubPage)


class HubPage(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET(body=False)

    def do_GET(self, body: bool = True) -> None:
        path = self.path.partition("?")[0].strip("/")
        commit = "0" * 40
        headers = {"x-repo-commit": commit}
        owner, name, *inner = path.removeprefix("api/models/").split("/")
        model = self.server.folder / owner / name
        data = None
        if path.startswith("api/models/") and inner[:1] == ["tree"] and model.is_dir():
            files = [p for p in model.rglob("*") if p.is_file()]
            said = [
                {
                    "type": "file",
                    "path": str(p.relative_to(model)),
                    "size": p.stat().st_size,
                    "oid": commit,
                }
                for p in files
            ]
            data = json.dumps(said).encode()
        elif inner[:1] == ["resolve"] and (file := model.joinpath(*inner[2:])).is_file():
            data = file.read_bytes()
            headers["etag"] = f'"{path}"'
        self.send_response(200 if data is not None else 404)
        for header, value in headers.items():
            self.send_header(header, value)
        self.send_header("content-length", str(len(data or b"")))
        self.end_headers()
        if body and data:
            self.wfile.write(data)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    server = Hub(tmp_path / "hub")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_model_of_the_hub_is_fetched_by_its_id_without_what_is_not_needed(
    hub: Hub, tmp_path: Path
) -> None:
    model = two_towers(hub.folder / "someone" / "model")
    (model / "pytorch_model.bin").write_bytes(b"large")
    (model / "onnx" / "model_quantized.onnx").write_bytes(b"another")
    asked = (
        "from pathlib import Path; from thinslice.models.photos.adopting import adopt; "
        "print(adopt('someone/model', Path('encoder')).dimensions['style'])"
    )
    address = f"http://127.0.0.1:{hub.server_port}"
    environment = {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "cache")}
    environment["PYTHONPATH"] = str(Path.cwd() / "src")

    def ask(code: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "ignore", "-c", code]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
        )

    found = ask(asked)
    assert found.stdout.strip() == "3", found.stderr
    assert (tmp_path / "encoder" / "text_model.onnx").is_file()
    fetched = {p.name for p in (tmp_path / "cache").rglob("*") if p.is_symlink() or p.is_file()}
    assert "vision_model.onnx" in fetched
    assert not {"pytorch_model.bin", "model_quantized.onnx"} & fetched
    (hub.folder / "someone" / "empty").mkdir()
    for name, said in (("someone/empty", "no ONNX image model"), ("a/nobody", "could not be")):
        code = asked.replace("someone/model", name).replace("'encoder'", f"'{said[:4]}'")
        assert said in ask(code).stderr


def test_a_name_that_is_neither_file_nor_id_is_refused_before_anything_is_fetched() -> None:
    for name in ("./missing", "model.onnx", "one/two/three", "plain"):
        with pytest.raises(InputError, match="check the name"):
            download(name)
