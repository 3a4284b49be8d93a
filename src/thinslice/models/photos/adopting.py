"""Take over a pretrained image model as a shop's encoder: from a path, a hub, open_clip or timm.

    vision_model.onnx             a file; settings and a text tower may lie beside it
    ~/models/siglip2/             a folder laid out as on the hub
    resnet50.onnx#penultimate     a classifier: what goes into its last layer is the embedding
    resnet50.onnx#/avgpool/Out    … or any inner value, by its name
    onnx-community/siglip2-...    a model of the Hugging Face hub that has ONNX files (downloads)
    open_clip:hf-hub:Marqo/marqo-fashionSigLIP    exported to ONNX once (needs torch, downloads)
    timm:resnet50.a1_in1k         the same for an image model without texts

Everything that answers later is copied; serving never needs torch or the network.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from thinslice.errors import InputError
from thinslice.models.photos.encoder import SHIPPED
from thinslice.models.photos.onnx_encoder import (
    OnnxEncoder,
    Tower,
    as_input,
    import_tokenizers,
    open_graph,
)

IMAGE_FILES = ("vision_model.onnx", "image.onnx", "visual.onnx", "model.onnx", "encoder.onnx")
TEXT_FILES = ("text_model.onnx", "text.onnx", "textual.onnx")
FOLDERS = ("", "onnx")
SETTINGS = ("preprocessor_config.json", "config.json", "tokenizer.json", "tokenizer_config.json")

EMBEDDINGS = ("image_embeds", "text_embeds", "embeddings", "embedding", "pooler_output", "style")
"""Outputs that are an embedding by their name; otherwise the first that can be one is taken."""

IMAGENET = {"scale": 1 / 255, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
"""How pixels are scaled where a model does not say: as for ImageNet."""

LARGEST_SIDE = 1024


def adopt(model: str, folder: Path) -> OnnxEncoder:
    """Write a model as an encoder to `folder` and open it.

    Raises InputError for what is no image model, one whose embedding does not tell two pictures
    apart, and where an extra is not installed.
    """
    name, _, value = model.partition("#")
    folder.mkdir(parents=True)
    if name.startswith(("open_clip:", "timm:")):
        from thinslice.models.photos.exporting import export_model

        with_settings = folder / "exported"
        export_model(name, with_settings)
        _adopt_files(model, with_settings, value, folder)
        shutil.rmtree(with_settings)
    elif (path := Path(name).expanduser()).exists():
        _adopt_files(model, path, value, folder)
    else:
        _adopt_files(model, download(name), value, folder)
    return OnnxEncoder(folder)


def download(model: str) -> Path:
    """The folder of a hub model's ONNX files, downloaded once. Needs the extra `hub`."""
    if model.count("/") != 1 or model.endswith(".onnx") or model.startswith((".", "/")):
        raise InputError(
            f"an encoder is the path of an ONNX model or the id of one on the hub (OWNER/NAME), "
            f"and there is no file {model[:200]!r}; check the name"
        )
    hub = import_hub()
    try:
        there = set(hub.list_repo_files(model))
        wanted = _files_to_download(there)
        if not wanted:
            raise InputError(
                f"the hub's {model!r} has no ONNX image model; look for an export of it (onnx-"
                f"community has many), or try open_clip:hf-hub:{model}"
            )
        paths = {name: Path(hub.hf_hub_download(model, name)) for name in sorted(wanted)}
    except InputError:
        raise
    except Exception as error:  # the hub's client raises those of three libraries
        raise InputError(
            f"the model {model!r} could not be fetched from the hub ({str(error)[:200]}); check "
            "its id and the network, or give the path of an ONNX file"
        ) from error
    name, path = next(iter(paths.items()))
    return path.parents[name.count("/")]


def import_hub() -> Any:
    """The hub's client, or an InputError that says how to get it."""
    try:
        import huggingface_hub
    except ImportError:
        raise InputError(
            "fetching a model by its id needs huggingface_hub, which is not installed; install it "
            "with: pip install 'thinslice[hub]', or give the path of an ONNX file"
        ) from None
    return huggingface_hub


def _files_to_download(there: set[str]) -> set[str]:
    """An image tower, a text tower, what they keep outside their files, and settings."""

    def first(names: Sequence[str]) -> str | None:
        places = (str(PurePosixPath(place, name)) for name in names for place in FOLDERS)
        return next((place for place in places if place in there), None)

    image = first(IMAGE_FILES)
    if image is None:
        return set()
    graphs = {image} | {text for text in (first(TEXT_FILES),) if text}
    outside = {name for name in there for graph in graphs if name.startswith(graph)}
    return graphs | outside | (there & set(SETTINGS))


def _adopt_files(name: str, source: Path, value: str, folder: Path) -> None:
    image = _image_file(source)
    settings = {file: _settings(image, file) for file in SETTINGS}
    tower = _take(image, folder)
    if value:
        tower = with_inner_output(folder / tower, value).name
    about = _image_about(folder / tower, settings, value)
    text = _text_about(source if source.is_dir() else source.parent, settings, folder)
    encoder = {
        "name": name,
        "image": about,
        "text": text,
        "dimensions": _dimensions(folder, about),
    }
    shutil.copy(SHIPPED / "shape.npy", folder / "shape.npy")
    (folder / "encoder.json").write_text(json.dumps(encoder, indent=1), encoding="utf-8")
    if text:
        _check_texts(OnnxEncoder(folder))


def _image_file(source: Path) -> Path:
    if source.is_file():
        return source
    places = [source / place / name for name in IMAGE_FILES for place in FOLDERS]
    there = [path for path in places if path.is_file()]
    others = sorted(p for p in source.glob("*.onnx") if p.name not in TEXT_FILES)
    if there or len(others) == 1:
        return (there or others)[0]
    raise InputError(
        f"an encoder's folder has a file {', '.join(IMAGE_FILES[:3])} or {IMAGE_FILES[3]}, and "
        f"{source} has none; give the path of the ONNX file itself"
    )


def _settings(image: Path, file: str) -> dict[str, Any]:
    """A settings file beside the model or a folder above it; empty where there is none."""
    for place in (image.parent, image.parent.parent):
        try:
            found = json.loads((place / file).read_text("utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(found, dict):
            return found
    return {}


def _take(graph: Path, folder: Path) -> str:
    """Copy a graph with what it keeps outside its file; returns its name."""
    for path in graph.parent.iterdir():
        if path.name.startswith(graph.name) and path.is_file():
            shutil.copy(path, folder / path.name)
    return graph.name


def with_inner_output(graph: Path, value: str) -> Path:
    """The graph with one of its inner values as its only output; `penultimate` is what goes into
    the last matrix product, as the 2048 numbers of a ResNet-50 before its classes."""
    try:
        import onnx
    except ImportError:
        raise InputError(
            "taking an inner value of a model needs onnx, which is not installed; install it with: "
            "pip install 'thinslice[hub]'"
        ) from None
    model = onnx.load(graph, load_external_data=False)
    nodes, weights = model.graph.node, {one.name for one in model.graph.initializer}
    if value == "penultimate":
        products = [node for node in nodes if node.op_type in ("Gemm", "MatMul")]
        inner = [name for node in products[-1:] for name in node.input if name not in weights]
    else:
        inner = [name for node in nodes for name in node.output if name == value]
    if not inner:
        raise InputError(
            f"the model {graph.name} has no inner value {value[:100]!r}; 'penultimate' or one of: "
            f"{', '.join(name for node in nodes[-6:] for name in node.output)}"
        )
    del model.graph.output[:]
    model.graph.output.append(onnx.ValueInfoProto(name=inner[0]))
    cut = graph.with_name(f"inner-{graph.name}")
    onnx.save(model, cut)
    graph.unlink()
    return cut


def _image_about(
    path: Path, settings: Mapping[str, Mapping[str, Any]], value: str
) -> dict[str, Any]:
    """How pixels go in, and which output is the embedding."""
    session = open_graph(path)
    inputs = session.get_inputs()
    shape = list(inputs[0].shape)
    if (
        len(inputs) != 1
        or len(shape) != 4
        or inputs[0].type
        not in (
            "tensor(float)",
            "tensor(float16)",
            "tensor(uint8)",
        )
    ):
        raise InputError(
            "an encoder's image tower has one input of pixels with four dimensions, and "
            f"{path.name} has {', '.join(f'{i.name} {i.shape}' for i in inputs)}; give the image "
            "tower by itself (vision_model.onnx on the hub)"
        )
    channels_first = shape[1] == 3 or shape[3] != 3
    edges = shape[2:] if channels_first else shape[1:3]
    said = settings["preprocessor_config.json"]
    side = next((edge for edge in edges if isinstance(edge, int) and edge > 0), _side(said))
    if any(isinstance(edge, int) and edge > 0 and edge != side for edge in edges) or not (
        16 <= side <= LARGEST_SIDE
    ):
        raise InputError(
            f"an encoder reads square pictures of 16 to {LARGEST_SIDE} pixels, and {path.name} "
            f"reads {edges}; export it with a square input"
        )
    about = {
        "file": path.name,
        "input": inputs[0].name,
        "number": inputs[0].type,
        "channels_first": channels_first,
        "one_by_one": shape[0] == 1,
        "side": side,
        **_scaling(said),
    }
    return {**about, "output": _output(session, value)}


def _side(said: Mapping[str, Any]) -> int:
    for name in ("crop_size", "size"):
        size = said.get(name)
        if isinstance(size, dict):
            size = size.get("height") or size.get("shortest_edge")
        if isinstance(size, int):
            return size
    return 224


def _scaling(said: Mapping[str, Any]) -> dict[str, Any]:
    if "image_mean" not in said or "image_std" not in said:
        return IMAGENET
    scale = said.get("rescale_factor", 1 / 255)
    return {"scale": scale, "mean": said["image_mean"], "std": said["image_std"]}


def _output(session: Any, value: str) -> str:
    outputs = session.get_outputs()
    if value:
        return str(outputs[0].name)
    named = [o.name for o in outputs if o.name in EMBEDDINGS]
    by_name = sorted(named, key=EMBEDDINGS.index)
    flat = [o.name for o in outputs if o.shape is not None and len(o.shape) == 2]
    return str((by_name or flat or [outputs[0].name])[0])


def _text_about(
    source: Path, settings: Mapping[str, Mapping[str, Any]], folder: Path
) -> dict[str, Any] | None:
    """How words go in, None for a model without a text tower."""
    places = [source / place / name for name in TEXT_FILES for place in FOLDERS]
    graph = next((path for path in places if path.is_file()), None)
    tokenizer = next(
        (p for at in (source, source.parent) if (p := at / "tokenizer.json").is_file()), None
    )
    if graph is None or tokenizer is None:
        return None
    import_tokenizers()
    shutil.copy(tokenizer, folder / "tokenizer.json")
    session = open_graph(folder / _take(graph, folder))
    inputs = {one.name: one.shape for one in session.get_inputs()}
    if "input_ids" not in inputs or set(inputs) - {"input_ids", "attention_mask"}:
        raise InputError(
            f"a text tower reads input_ids and may read attention_mask, and {graph.name} reads "
            f"{', '.join(inputs)}; give the text tower by itself"
        )
    said, config = settings["tokenizer_config.json"], settings["config.json"]
    fixed = inputs["input_ids"][-1]
    most = said.get("model_max_length", 64)
    kind = f"{config.get('model_type', '')} {said.get('tokenizer_class', '')}".casefold()
    return {
        "file": graph.name,
        "inputs": list(inputs),
        "output": _output(session, ""),
        "one_by_one": inputs["input_ids"][0] == 1,
        "length": fixed if isinstance(fixed, int) else int(min(most, 512)),
        "pads_to_length": isinstance(fixed, int) or "siglip" in kind,
        "padding": _padding(folder / "tokenizer.json", said),
    }


def _padding(tokenizer: Path, said: Mapping[str, Any]) -> int:
    token = said.get("pad_token", "<pad>")
    token = token.get("content", "") if isinstance(token, dict) else token
    found = import_tokenizers().Tokenizer.from_file(str(tokenizer)).token_to_id(str(token))
    return 0 if found is None else int(found)


def _dimensions(folder: Path, about: Mapping[str, Any]) -> int:
    """The dimensions of the embedding, after two pictures were seen."""
    side = about["side"]
    rng = np.random.default_rng(0)
    pictures = np.stack(
        [np.full((side, side, 3), 240, np.uint8), rng.integers(0, 255, (side, side, 3), np.uint8)]
    )
    found = _run(lambda: Tower(folder, about).embed(as_input(pictures, about)), about["file"])
    if not np.isfinite(found).all() or np.allclose(found[0], found[1]):
        raise InputError(
            f"an encoder gives each picture a vector of its own, and the output {about['output']!r}"
            f" of {about['file']} does not; name another one: MODEL.onnx#OUTPUT"
        )
    return int(found.shape[1])


def _check_texts(encoder: OnnxEncoder) -> None:
    file, dimensions = encoder.about["text"]["file"], encoder.about["dimensions"]
    found = _run(lambda: encoder.encode_texts(["a red shoe", "lamp"]), file)
    if found.shape != (2, dimensions) or np.allclose(found[0], found[1]):
        raise InputError(
            f"a text tower gives texts vectors like those of pictures, {dimensions} numbers, and "
            f"{file} gives {found.shape[1]}; take both towers from one model"
        )


def _run(ask: Callable[[], Any], name: str) -> Any:
    try:
        return ask()
    except InputError:
        raise
    except Exception as error:  # onnxruntime has an exception of its own for each way to fail
        raise InputError(
            f"the model {name} cannot be run on pictures ({str(error)[:200]}); export it again"
        ) from error
