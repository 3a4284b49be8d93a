"""Any ONNX image model as the encoder of a shop, and its text tower where it has one.

Its embedding is the *style* of a photo; shape and colour are computed as for the shipped encoder.
A model is adopted once (`adopting.py`), into a folder that then answers without a download:

FOLDER/
├── encoder.json     how pixels go in and which output is the embedding, for both towers
├── <image>.onnx     the image tower, beside it what it keeps outside its file
├── <text>.onnx      the text tower, where there is one, and its tokenizer.json
└── shape.npy        the axes of shape
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.errors import InputError, StorageError
from thinslice.models.photos.descriptors import COLOURS, colours, edges
from thinslice.models.photos.encoder import ImageEncoder, along, check_pixels
from thinslice.models.photos.pixels import SIDE, shrunk

if TYPE_CHECKING:
    from numpy.typing import NDArray

PREPROCESSING = "onnx-letterbox-v1"
"""Changes whenever the same files would give other vectors for the same photo."""

_NUMBERS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


class OnnxEncoder:
    """An adopted model, read from its folder. Safe in many threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.about: dict[str, Any] = json.loads((folder / "encoder.json").read_text("utf-8"))
            self._axes: NDArray[np.float32] = np.load(
                folder / "shape.npy", allow_pickle=False
            ).astype(np.float32)
            self.hash = _hash(folder)
        except (OSError, ValueError) as error:
            raise StorageError(
                f"the photo encoder in {folder} cannot be read ({error}); build it again: "
                "thinslice build --encoder MODEL"
            ) from error
        self.side: int = self.about["image"]["side"]

    @property
    def name(self) -> str:
        """Which model it is, as it was asked for."""
        return str(self.about["name"])

    @property
    def dimensions(self) -> Mapping[str, int]:
        """The dimensions of each part."""
        return {
            "style": self.about["dimensions"],
            "shape": len(self._axes) - 1,
            "colour": COLOURS,
        }

    def encode_images(self, pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Unit vectors (n, dim) by part, of (n, side, side, 3) uint8 as `decode` makes them."""
        check_pixels(pixels, self.side)
        if not len(pixels):
            return {part: np.empty((0, dim), np.float32) for part, dim in self.dimensions.items()}
        small = pixels if self.side == SIDE else shrunk(pixels)
        return {
            "style": self._image.embed(as_input(pixels, self.about["image"])),
            "shape": along(self._axes, edges(small)),
            "colour": colours(small),
        }

    @property
    def reads_texts(self) -> bool:
        """Whether words can be compared with photos."""
        return self.about["text"] is not None

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (n, dim) of texts, comparable with the style of photos."""
        if not self.reads_texts:
            raise InputError(
                f"the encoder {self.name} has no text tower; words are looked for in titles, or "
                "build with a model that has one"
            )
        tokens = [one.ids for one in self._tokenizer.encode_batch(list(texts))]
        ids = np.array(tokens, np.int64)
        padding = self.about["text"]["padding"]
        inputs = {"input_ids": ids, "attention_mask": (ids != padding).astype(np.int64)}
        if len(texts):
            inputs["attention_mask"][:, 0] = 1
        return self._text.embed({k: inputs[k] for k in self.about["text"]["inputs"]})

    @cached_property
    def _image(self) -> Tower:
        return Tower(self.folder, self.about["image"])

    @cached_property
    def _text(self) -> Tower:
        return Tower(self.folder, self.about["text"])

    @cached_property
    def _tokenizer(self) -> Any:
        text = self.about["text"]
        tokenizer = import_tokenizers().Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        tokenizer.enable_truncation(text["length"])
        tokenizer.enable_padding(
            pad_id=text["padding"],
            pad_token=tokenizer.id_to_token(text["padding"]) or "",
            length=text["length"] if text["pads_to_length"] else None,
        )
        return tokenizer


class Tower:
    """One ONNX graph, and which of its outputs is the embedding."""

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        self._session = open_graph(folder / about["file"])
        self._output = about["output"]
        self._one_by_one = about["one_by_one"]

    def embed(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The embeddings (n, dim) of a batch, of unit length."""
        if self._one_by_one:
            n = len(next(iter(inputs.values())))
            rows = [self._run({k: v[i : i + 1] for k, v in inputs.items()}) for i in range(n)]
            found = np.concatenate(rows)
        else:
            found = self._run(inputs)
        return (found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)).astype(
            np.float32
        )

    def _run(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        return pooled(self._session.run([self._output], dict(inputs))[0])


def open_encoder(folder: Path) -> ImageEncoder | OnnxEncoder:
    """The encoder of a folder, of either kind."""
    return OnnxEncoder(folder) if (folder / "encoder.json").exists() else ImageEncoder(folder)


def pooled(output: NDArray[Any]) -> NDArray[np.float32]:
    """One vector per photo (n, dim): a feature map (n, dim, h, w) is averaged, of tokens
    (n, tokens, dim) the first is the photo's."""
    found = np.asarray(output, np.float32)
    if found.ndim == 4:
        return found.mean(axis=(2, 3))
    if found.ndim == 3:
        return found[:, 0]
    return found.reshape(len(found), -1)


def as_input(pixels: NDArray[np.uint8], about: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Pixels (n, side, side, 3) as the image tower takes them."""
    number = _NUMBERS[about["number"]]
    values: NDArray[Any] = pixels
    if number is not np.uint8:
        scaled = pixels.astype(np.float32) * np.float32(about["scale"])
        scaled -= np.array(about["mean"], np.float32)
        scaled /= np.array(about["std"], np.float32)
        values = scaled.astype(number)
    return {about["input"]: values.transpose(0, 3, 1, 2) if about["channels_first"] else values}


def open_graph(path: Path) -> Any:
    """An ONNX graph, ready to run. Raises InputError for what is none."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has an exception of its own for each way to fail
        raise InputError(
            f"an encoder must be an ONNX model that ONNX Runtime can open, and {path.name} is not "
            f"({str(error)[:200]}); export it again"
        ) from error


def import_tokenizers() -> Any:
    """The tokenizers package, or an InputError that says how to get it."""
    try:
        import tokenizers
    except ImportError:
        raise InputError(
            "a model's text tower needs tokenizers, which is not installed; install it with: "
            "pip install 'thinslice[hub]'"
        ) from None
    return tokenizers


def _hash(folder: Path) -> str:
    digest = hashlib.sha256(PREPROCESSING.encode())
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
