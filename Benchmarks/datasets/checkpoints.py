"""Two bf16 checkpoints of one language model, 300 MiB each: the second has other weights in a tenth of its tensors."""

import array
import functools
import pathlib
import random
import statistics

from datasets import safetensors
from datasets.safetensors import Tensor

VOCABULARY, HIDDEN, INNER, LAYERS = 38_912, 768, 2048, 18

SLICES = 1 << 16


@functools.cache
def quantiles():
    """The middle of each of 65,536 equally likely slices of the normal distribution."""
    normal = statistics.NormalDist()
    return [normal.inv_cdf((slice + 0.5) / SLICES) for slice in range(SLICES)]


@functools.cache
def bf16_table(mean, deviation):
    """The bf16 number, rounded to the nearest, of each slice."""
    floats = array.array("f", (mean + deviation * q for q in quantiles()))
    return [(bits + 0x7FFF + (bits >> 16 & 1)) >> 16 for bits in memoryview(floats).cast("B").cast("I")]


def normal_weights(count, mean, deviation, seed):
    """`count` independent bf16 numbers: each takes 16 random bits to a slice of its distribution."""
    draws = array.array("H", random.Random(seed).randbytes(2 * count))
    return array.array("H", map(bf16_table(mean, deviation).__getitem__, draws)).tobytes()


def layout():
    """Name, shape, mean and deviation of each tensor, in the order of the file."""
    yield "model.embed_tokens.weight", [VOCABULARY, HIDDEN], 0, 0.02
    for layer in range(LAYERS):
        # Deeper layers write into the residual stream with smaller weights.
        output = round(0.02 / (2 * (layer + 1)) ** 0.5, 4)
        name = f"model.layers.{layer}."
        yield name + "input_layernorm.weight", [HIDDEN], 1, 0.05
        yield name + "mlp.down_proj.weight", [HIDDEN, INNER], 0, output
        yield name + "mlp.gate_proj.weight", [INNER, HIDDEN], 0, 0.02
        yield name + "mlp.up_proj.weight", [INNER, HIDDEN], 0, 0.02
        yield name + "post_attention_layernorm.weight", [HIDDEN], 1, 0.05
        yield name + "self_attn.k_proj.weight", [HIDDEN, HIDDEN], 0, 0.03
        yield name + "self_attn.o_proj.weight", [HIDDEN, HIDDEN], 0, output
        yield name + "self_attn.q_proj.weight", [HIDDEN, HIDDEN], 0, 0.03
        yield name + "self_attn.v_proj.weight", [HIDDEN, HIDDEN], 0, 0.02
    yield "model.norm.weight", [HIDDEN], 1, 0.05


def write(directory):
    """Writes `step-1000` and `step-2000` and returns how many bytes of the second are not in the first."""
    changed = 0
    for step in (1000, 2000):
        tensors = []
        for number, (name, shape, mean, deviation) in enumerate(layout()):
            # Every tenth: 17 of 164, and 9 % of the bytes.
            differs = step == 2000 and number % 10 == 2
            tensor = Tensor(name, "BF16", shape, None)
            tensor.content = functools.partial(
                normal_weights, tensor.elements, mean, deviation, f"{name} {step if differs else 1000}")
            tensors.append(tensor)
            changed += tensor.size if differs else 0
        folder = pathlib.Path(directory, f"step-{step}")
        folder.mkdir(parents=True)
        safetensors.write(folder / "model.safetensors", tensors, {"format": "pt"})
    return changed
