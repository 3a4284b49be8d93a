"""Models of open_clip and timm as ONNX files, laid out as on a hub: `adopting.py` takes them over.

Run on models with untaught weights, whose vectors agree with torch's (`tests/models/photos/
test_exporting.py`, where open_clip, timm and torchvision are installed); the download of taught
weights was not run by this project.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from thinslice.errors import InputError
from thinslice.models.photos.net import import_torch


def export_model(model: str, folder: Path, *, pretrained: bool = True) -> None:
    """Write `open_clip:NAME` or `timm:NAME` to a folder: towers, tokenizer, how pixels are scaled.

    An open_clip name is one of the hub (hf-hub:OWNER/NAME) or ARCHITECTURE/WEIGHTS. Raises
    InputError where the library is missing or does not know the model.
    """
    library, _, name = model.partition(":")
    module = _import(library)
    folder.mkdir(parents=True)
    try:
        if library == "timm":
            _export_timm(module, name, folder, pretrained)
        else:
            _export_open_clip(module, name, folder, pretrained)
    except InputError:
        raise
    except Exception as error:  # torch, the hub's client and both libraries raise their own
        raise InputError(
            f"the model {model!r} could not be loaded and exported ({str(error)[:300]}); check its "
            "name and the network, or give the path of an ONNX file"
        ) from error


def _import(library: str) -> Any:
    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise InputError(
            f"models of {library} need it installed, and it is not ({error}); install it with: "
            "pip install 'thinslice[hub-torch]', or give the path of an ONNX file"
        ) from None


def _export_timm(timm: Any, name: str, folder: Path, pretrained: bool) -> None:
    model = timm.create_model(name, pretrained=pretrained, num_classes=0).eval()
    about = timm.data.resolve_model_data_config(model)
    side = about["input_size"][-1]
    _settings(folder, side, about["mean"], about["std"])
    _export(model, _pictures(side), folder / "vision_model.onnx", "pixel_values", "image_embeds")


def _export_open_clip(open_clip: Any, name: str, folder: Path, pretrained: bool) -> None:
    architecture, _, weights = (name, "", "") if ":" in name else name.partition("/")
    if pretrained:
        model = open_clip.create_model(architecture, pretrained=weights or None)
    else:
        model = open_clip.create_model(architecture)
    about = open_clip.get_model_preprocess_cfg(model)
    size = about["size"]
    side = size if isinstance(size, int) else size[0]
    _settings(folder, side, about["mean"], about["std"])
    _export(
        _method(model.eval(), "encode_image"),
        _pictures(side),
        *(folder / "vision_model.onnx", "pixel_values", "image_embeds"),
    )
    tokenizer = open_clip.get_tokenizer(architecture)
    if not _write_tokenizer(tokenizer, folder / "tokenizer.json"):
        return
    length = int(tokenizer.context_length)
    pads = "siglip" if hasattr(tokenizer, "tokenizer") else "clip"
    (folder / "config.json").write_text(json.dumps({"model_type": pads}), "utf-8")
    said = {"model_max_length": length, "pad_token": _padding(tokenizer)}
    (folder / "tokenizer_config.json").write_text(json.dumps(said), "utf-8")
    words = tokenizer(["a red shoe", "a lamp"])
    _export(
        _method(model, "encode_text"),
        words,
        *(folder / "text_model.onnx", "input_ids", "text_embeds"),
    )


def _method(model: Any, name: str) -> Any:
    """One method of a model as a model."""
    module: Any = import_torch().nn.Module

    class Tower(module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, values: Any) -> Any:
            return getattr(self.model, name)(values)

    return Tower().eval()


def _pictures(side: int) -> Any:
    return import_torch().zeros(2, 3, side, side)


def _settings(folder: Path, side: int, mean: Any, std: Any) -> None:
    said = {"size": side, "image_mean": list(mean), "image_std": list(std)}
    (folder / "preprocessor_config.json").write_text(json.dumps(said), "utf-8")


def _export(model: Any, example: Any, path: Path, entry: str, exit_: str) -> None:
    import_torch().onnx.export(
        model,
        (example,),
        str(path),
        input_names=[entry],
        output_names=[exit_],
        dynamic_axes={entry: {0: "n"}, exit_: {0: "n"}},
        opset_version=17,
        dynamo=False,
    )


def _write_tokenizer(tokenizer: Any, path: Path) -> bool:
    """The tokenizer as one JSON file; False for one that has no such form."""
    inner = getattr(getattr(tokenizer, "tokenizer", None), "backend_tokenizer", None)
    if inner is None and hasattr(tokenizer, "bpe_ranks"):
        inner = _clip_tokenizer(tokenizer)
    if inner is None:
        return False
    inner.save(str(path))
    return True


def _clip_tokenizer(simple: Any) -> Any:
    """CLIP's byte pairs (Radford et al. 2021), which open_clip has in Python, as a fast one."""
    from thinslice.models.photos.onnx_encoder import import_tokenizers

    import_tokenizers()
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    merges = sorted(simple.bpe_ranks, key=simple.bpe_ranks.get)
    pairs = models.BPE(simple.encoder, merges, end_of_word_suffix="</w>")
    tokenizer = Tokenizer(pairs)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    words = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    start, end = "<start_of_text>", "<end_of_text>"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        special_tokens=[(name, simple.encoder[name]) for name in (start, end)],
    )
    return tokenizer


def _padding(tokenizer: Any) -> str:
    """The token that fills a text up; CLIP's is number 0, which is an exclamation mark."""
    inner = getattr(tokenizer, "tokenizer", None)
    return str(inner.pad_token) if inner is not None else "!"
