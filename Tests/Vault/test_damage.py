"""One byte of a vault is changed: the binary says which object it is and writes no wrong bytes, and the format shows it to any reader."""

import concurrent.futures
import random
import shutil

import pytest

import vault_decoder

FILES = {"empty": b"", "noise": random.Random(1).randbytes(700), "text": b"to be or not to be, " * 100}
FIRST_ROOT = f"root/{1:020}"


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "vault.key"
    path.touch(mode=0o600)
    path.write_bytes(b"thirty-two bytes that open a vault")
    return path


@pytest.fixture
def directory(lockstep, tmp_path, key_file):
    """A small vault of the binary."""
    source = tmp_path / "source"
    source.mkdir()
    for name, data in FILES.items():
        (source / name).write_bytes(data)
    url = f"vault+file://{tmp_path}/vault"
    opened = ("--key-file", key_file)
    lockstep.run("vault", "init", url, *opened, "--state", lockstep.state, "--chunker", "fixed:4K")
    lockstep.sync(f"file://{source}", url, *opened)
    return tmp_path / "vault"


def decoded(objects, key_file):
    return vault_decoder.Vault(objects, key_file=key_file.read_bytes())


def byte_classes(vault, name, stored):
    """Offsets of an object's bytes, one at least of each kind, and whether a reader of all snapshots needs them."""
    if not stored.startswith(b"LSVAULT1"):
        return {offset: True for offset in [*range(0, len(stored), max(1, len(stored) // 16)), len(stored) - 1]}
    end = len(stored) - vault_decoder.TRAILER
    trailer = [end, end + 7, end + 8, end + 39, end + 40, end + 47]
    header = [0, 7, 8, 9, 10, 12, 16, 31, 32, 63, 64, 95]
    if not name.startswith("pack/"):
        records = [96, 97, (96 + end) // 2, end - 17, end - 16, end - 1]
        return {offset: name != FIRST_ROOT for offset in header + records + trailer}
    sealed, rows = vault.pack(name, vault_decoder.DATA_PACK, vault_decoder.METADATA_PACK)
    records = [offset for row in rows for offset in (row.offset, row.offset + row.stored_length // 2, row.offset + row.stored_length - 1)]
    footer = [end - sealed.footer_length, end - sealed.footer_length // 2, end - 1]
    return {offset: True for offset in header + records} | {offset: False for offset in footer + trailer}


def test_the_binary_names_the_object_and_writes_nothing_wrong(directory, lockstep, tmp_path, key_file):
    objects = vault_decoder.read_directory(directory)
    vault = decoded(objects, key_file)

    def restore(name, stored, offset, is_needed):
        folder = tmp_path / "damaged" / f"{name.replace('/', '-')}-{offset}"
        shutil.copytree(directory, folder / "vault")
        changed = bytearray(stored)
        changed[offset] ^= 0x01 if offset % 2 else 0x80
        (folder / "vault" / name).write_bytes(changed)
        url = f"vault+file://{folder}/vault"
        check = lockstep.run(
            "vault", "check", url, "--read-data", "--key-file", key_file, "--state", folder / "state", expect=None)
        assert check.status != 0 and name in check.out + check.err, f"byte {offset} of {name}: {check}"
        outcome = lockstep.sync(url, f"file://{folder}/target", "--key-file", key_file, state=folder / "state", expect=None)
        where = f"byte {offset} of {name}: {outcome.out} {outcome.err}"
        found = {path.name: path.read_bytes() for path in (folder / "target").glob("[!.]*") if path.is_file()}
        assert found.items() <= FILES.items(), where
        if is_needed:
            assert outcome.status != 0 and name in outcome.out + outcome.err, where
        else:
            assert outcome.status == 0 and found == FILES, where

    # Most of the time of so small a run goes to waiting for the disk.
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        runs = [
            pool.submit(restore, name, stored, offset, is_needed)
            for name, stored in objects.items() for offset, is_needed in byte_classes(vault, name, stored).items()
        ]
        for run in runs:
            run.result()


def test_the_format_shows_every_changed_byte(directory, key_file):
    objects = vault_decoder.read_directory(directory)
    decoded(objects, key_file).verify()
    for name, stored in objects.items():
        for offset in range(len(stored)):
            changed = bytearray(stored)
            changed[offset] ^= 0x01 if offset % 2 else 0x80
            try:
                decoded(objects | {name: bytes(changed)}, key_file).verify()
            except (vault_decoder.Damage, vault_decoder.WrongCredential):
                continue
            pytest.fail(f"byte {offset} of {name} can be changed")
