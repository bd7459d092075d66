"""Vaults that were written once stay readable for ever: specimens in `golden/`, against the decoder and the binary.

`NAME.tar.xz` holds a vault as it lies in a directory, and a manifest: what opens it, and what each of its snapshots holds. They come from
`GoldenVaultTests.swift`, are added and never replaced.
"""

import json
import pathlib
import tarfile

import pytest
from blake3 import blake3

import vault_decoder

GOLDEN = pathlib.Path(__file__).parent / "golden"


class Golden:
    """A specimen."""

    def __init__(self, file):
        self.file = file
        self.name = file.name.removesuffix(".tar.xz")
        with tarfile.open(file) as archive:
            files = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}
        self.manifest = json.loads(files.pop("manifest.json"))
        #: Name → bytes.
        self.objects = {name.removeprefix("vault/"): data for name, data in files.items()}
        #: What opens it.
        self.kinds = [kind for kind in ("passphrase", "keyFile") if kind in self.manifest]

    def extract(self, directory):
        """The vault as a directory."""
        with tarfile.open(self.file) as archive:
            archive.extractall(directory, filter="data")
        return directory / "vault"

    def credential(self, kind):
        """What the decoder takes."""
        text = self.manifest[kind]
        return {"passphrase": text.encode()} if kind == "passphrase" else {"key_file": bytes.fromhex(text)}

    def decoded(self, kind):
        return vault_decoder.Vault(self.objects, **self.credential(kind))


ALL = {golden.name: golden for golden in map(Golden, sorted(GOLDEN.glob("*.tar.xz")))}
OPENED = [pytest.param(golden, kind, id=f"{golden.name}-{kind}") for golden in ALL.values() for kind in golden.kinds]


def test_there_are_specimens():
    assert {"fixed", "gear", "lz4", "tensor"} <= set(ALL)


@pytest.mark.parametrize("golden, kind", OPENED)
def test_the_decoder_reads_what_was_written(golden, kind):
    vault = golden.decoded(kind)
    found = [(snapshot["id"], snapshot["isPartial"]) for snapshot in vault.snapshots]
    assert found == [(snapshot["id"], snapshot["isPartial"]) for snapshot in golden.manifest["snapshots"]]
    for snapshot in golden.manifest["snapshots"]:
        entries = vault.listing(vault.snapshot(snapshot["id"]))
        expected = [
            (bytes.fromhex(item["key"]), item["size"], item["blake3"], without_empty(item["attributes"]))
            for item in snapshot["objects"]
        ]
        assert [(entry.key, entry.size, entry.blake3.hex(), entry.attributes) for entry in entries] == expected
        for entry in entries:
            assert blake3(vault.content(entry)).hexdigest() == entry.blake3.hex()
    vault.verify()


def options(golden, kind, lockstep):
    """What the binary takes."""
    secret = lockstep.directory / f"{kind}.secret"
    secret.touch(mode=0o600)
    if kind == "passphrase":
        secret.write_text(golden.manifest[kind] + "\n")
        return "--password-file", secret, "--state", lockstep.state
    secret.write_bytes(bytes.fromhex(golden.manifest[kind]))
    return "--key-file", secret, "--state", lockstep.state


@pytest.mark.parametrize("golden, kind", OPENED)
def test_the_binary_reads_what_was_written(golden, kind, lockstep, tmp_path):
    url = f"vault+file://{golden.extract(tmp_path)}"
    for snapshot in golden.manifest["snapshots"]:
        opened = (*options(golden, kind, lockstep), "--snapshot", snapshot["id"])
        listed = [json.loads(line) for line in lockstep.run("ls", url, "--json", *opened).out.splitlines()]
        expected = [(item["size"], item["blake3"]) for item in snapshot["objects"]]
        assert [(line["size"], line["blake3"]) for line in listed] == expected
        seen = set()
        for item in snapshot["objects"]:
            try:
                key = bytes.fromhex(item["key"]).decode()
            except UnicodeDecodeError:
                # No command line can name it.
                continue
            assert key in [line["key"] for line in listed]
            attributes = without_empty(item["attributes"])
            if (look := (item["blake3"], json.dumps(attributes))) in seen:
                continue
            seen.add(look)
            data = lockstep.run("cat", f"{url}/{key}", *opened).stdout
            assert blake3(data).hexdigest() == item["blake3"] and len(data) == item["size"]
            shown = json.loads(lockstep.run("stat", f"{url}/{key}", "--json", *opened).out)["attributes"]
            assert without_empty(shown) == {snake_case(name): value for name, value in attributes.items()}


def snake_case(name):
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name)


def without_empty(attributes):
    """A manifest has `userMetadata` always, a vault when there is some."""
    return {name: value for name, value in attributes.items() if value}


def test_specimens_have_what_the_format_can():
    """Each feature is in some specimen, so that a reader that passes has met all of them."""
    codecs, types, kinds, levels, roots, leaves = set(), set(), set(), set(), set(), []
    for golden in ALL.values():
        vault = golden.decoded(golden.kinds[0])
        for stored in vault.objects:
            if stored.startswith("pack/"):
                sealed, rows = vault.pack(stored, vault_decoder.DATA_PACK, vault_decoder.METADATA_PACK)
                types.add(sealed.type)
                codecs |= {row.codec for row in rows}
        roots |= {int.from_bytes(stored[12:16], "little") for stored in vault.objects.values() if stored[:8] == b"LSVAULT1"}
        for snapshot in vault.snapshots:
            leaves.append("tree" in snapshot)
            for _, level, items in vault.pages(snapshot):
                levels.add(level)
                if level == 0:
                    kinds |= {entry.kind for entry in items}
    assert codecs >= {0, 1, 2, 0x13, 0x23, 0x33}
    assert types == {vault_decoder.DATA_PACK, vault_decoder.METADATA_PACK}
    assert kinds == {0, 1} and levels == {0, 1} and roots == {1, 2} and not all(leaves)


def test_a_wrong_passphrase_opens_nothing():
    with pytest.raises(vault_decoder.WrongCredential):
        vault_decoder.Vault(ALL["tensor"].objects, passphrase=b"another")
