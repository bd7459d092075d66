"""Safetensors files, written and read without the library: a length, a JSON header, the tensors back to back."""

import dataclasses
import json
import math
import struct


@dataclasses.dataclass
class Tensor:
    name: str
    dtype: str
    shape: list
    # Little-endian, row by row; a function when it should be made only as it is written.
    content: object

    width = {"BF16": 2, "F32": 4, "I64": 8}

    @property
    def elements(self):
        return math.prod(self.shape)

    @property
    def size(self):
        return self.elements * self.width[self.dtype]

    def load(self):
        return self.content() if callable(self.content) else self.content


def write(path, tensors, metadata):
    header, offset = {"__metadata__": metadata}, 0
    for tensor in tensors:
        header[tensor.name] = {
            "dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [offset, offset + tensor.size]}
        offset += tensor.size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors:
            content = tensor.load()
            assert len(content) == tensor.size, tensor.name
            file.write(content)


def read(path):
    """The tensors in the order in which they lie, and the metadata."""
    with open(path, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(length))
        metadata = header.pop("__metadata__", {})
        tensors = []
        for name, fields in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            start, end = fields["data_offsets"]
            file.seek(8 + length + start)
            tensors.append(Tensor(name, fields["dtype"], fields["shape"], file.read(end - start)))
    return tensors, metadata
