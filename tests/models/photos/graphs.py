"""Small ONNX models made here: an image tower that sees mean colours, and a text tower to match."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WORDS = ("<pad>", "<unk>", "red", "green", "blue")
COLOURS = {"red": (1.0, -1.0, -1.0), "green": (-1.0, 1.0, -1.0), "blue": (-1.0, -1.0, 1.0)}


def save(nodes: list, inputs: list, outputs: list, weights: dict, path: Path) -> Path:
    """Write a graph; weights by name as arrays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = [numpy_helper.from_array(np.asarray(v), name) for name, v in weights.items()]
    graph = helper.make_graph(nodes, "made", inputs, outputs, kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path


def tensor(name: str, kind: int, shape: list) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def image_tower(path: Path, side: int = 32, *, batch: int | str = "n", classes: int = 0) -> Path:
    """Mean red, green and blue as `image_embeds`; or, with classes, what they are told apart by."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixel_values"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["means"]),
        helper.make_node("Gemm", ["means", "w", "b"], ["image_embeds"]),
    ]
    width = classes or 3
    w = np.eye(3, dtype=np.float32) if not classes else np.ones((3, classes), np.float32)
    return save(
        nodes,
        [tensor("pixel_values", TensorProto.FLOAT, [batch, 3, side, side])],
        [tensor("image_embeds", TensorProto.FLOAT, [batch, width])],
        {"w": w, "b": np.zeros(width, np.float32)},
        path,
    )


def bytes_tower(path: Path, side: int = 24) -> Path:
    """Takes uint8 pixels as (n, height, width, 3) and gives a feature map, as many exports do."""
    return save(
        [
            helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("Transpose", ["floats"], ["map"], perm=[0, 3, 1, 2]),
        ],
        [tensor("pixels", TensorProto.UINT8, ["n", side, side, 3])],
        [tensor("map", TensorProto.FLOAT, ["n", 3, side, side])],
        {},
        path,
    )


def text_tower(path: Path, width: int = 3) -> Path:
    """The colour that a text names, as `text_embeds`; other words are in the middle."""
    table = np.zeros((len(WORDS), width), np.float32)
    for word, colour in COLOURS.items():
        table[WORDS.index(word), :3] = colour
    table[WORDS.index("<unk>")] = 0.01
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["vectors"]),
        helper.make_node("ReduceSum", ["vectors", "axis"], ["text_embeds"], keepdims=0),
    ]
    return save(
        nodes,
        [tensor("input_ids", TensorProto.INT64, ["n", "length"])],
        [tensor("text_embeds", TensorProto.FLOAT, ["n", width])],
        {"table": table, "axis": np.array([1], np.int64)},
        path,
    )


def two_towers(folder: Path) -> Path:
    """A model of both towers, laid out as on a hub."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    image_tower(folder / "onnx" / "vision_model.onnx")
    text_tower(folder / "onnx" / "text_model.onnx")
    words = models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>")
    tokenizer = Tokenizer(words)
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    scaling = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "rescale_factor": 1 / 255}
    (folder / "preprocessor_config.json").write_text(json.dumps(scaling))
    return folder
