"""What today's binary writes is what the page of the format says: the decoder reads it and verifies everything."""

import json
import random
import struct

import pytest

import vault_decoder


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "vault.key"
    path.touch(mode=0o600)
    path.write_bytes(random.randbytes(40))
    return path


def make_files(directory, rng):
    """Key → bytes: what each codec and each cutter is for."""
    words = [rng.randbytes(rng.randrange(2, 9)).hex() for _ in range(300)]
    files = {
        "empty": b"",
        "one": rng.randbytes(1),
        "noise": rng.randbytes(rng.randrange(200_000, 400_000)),
        "text/words": " ".join(rng.choices(words, k=20_000)).encode(),
        "text/rows.json": json.dumps([{"step": step, "loss": rng.random()} for step in range(3000)]).encode(),
        "models/tensors.safetensors": safetensors(rng),
        "models/broken.safetensors": struct.pack("<Q", 50) + b"{" + rng.randbytes(30_000),
    }
    files |= {f"many/{number:04}": rng.randbytes(rng.randrange(40)) for number in range(600)}
    write_files(directory, files)
    return files


def write_files(directory, files):
    for key, data in files.items():
        (directory / key).parent.mkdir(parents=True, exist_ok=True)
        (directory / key).write_bytes(data)


def safetensors(rng):
    """BF16, F32 and F64 of a narrow range, as weights are."""
    data, header = b"", {}
    for name, letter, width, count in (("BF16", "f", 2, 40_001), ("F32", "f", 4, 20_003), ("F64", "d", 8, 9_001)):
        values = [struct.pack("<" + letter, rng.gauss(0, 0.02)) for _ in range(count)]
        tensor = b"".join(value[-width:] for value in values)
        header[name] = {"dtype": name, "shape": [count], "data_offsets": [len(data), len(data) + len(tensor)]}
        data += tensor
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


CODECS = {
    ("tensor", "auto"): {0, 1, 0x13, 0x23, 0x33},
    ("tensor", "zstd"): {0, 2, 0x13, 0x23, 0x33},
    ("gear", "zstd"): {0, 2},
    ("gear-small", "lz4"): {0, 1},
    ("fixed:4K", "none"): {0},
    ("fixed:64K", "auto"): {0, 1},
}


@pytest.mark.parametrize("chunker, compression", CODECS)
def test_the_decoder_reads_what_the_binary_writes(chunker, compression, lockstep, tmp_path, key_file):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    source, target = tmp_path / "source", tmp_path / "vault"
    files = make_files(source, rng)
    plain, url = f"file://{source}", f"vault+file://{target}"
    opened = ("--key-file", key_file)
    lockstep.run(
        "vault", "init", url, *opened, "--state", lockstep.state, "--chunker", chunker, "--compression", compression,
        "--pack-size", "8M")
    lockstep.sync(plain, url, *opened)
    states = [dict(files)]

    # A rename, a deletion, an insertion in the middle.
    files["renamed"] = files.pop("noise")
    (source / "noise").rename(source / "renamed")
    del files["many/0300"]
    (source / "many/0300").unlink()
    words = files["text/words"]
    files["text/words"] = words[:50_000] + rng.randbytes(10) + words[50_000:]
    write_files(source, {"text/words": files["text/words"]})
    lockstep.sync(plain, url, *opened, "--delete")
    states.append(dict(files))

    vault = vault_decoder.Vault(vault_decoder.read_directory(target), key_file=key_file.read_bytes())
    assert [snapshot["source"] for snapshot in vault.snapshots] == [plain, plain]
    for snapshot, state in zip(vault.snapshots, states, strict=True):
        entries = vault.listing(snapshot)
        assert {entry.key.decode(): vault.content(entry) for entry in entries} == state
    counts = vault.verify()
    assert counts["snapshots"] == 2 and counts["entries"] == sum(map(len, states))
    codecs = {place.row.codec for places in vault.places.values() for place in places}
    # Lists of chunks are stored as they are, or smaller.
    assert CODECS[chunker, compression] <= codecs
