"""Vaults on every kind of store: into them, out of them into every cloud, and everything that reads, looked at by the clouds' own clients."""

import hashlib
import json
import os
import random

import pytest

from checking import check
from locations import KINDS, MIB
from test_every_pair import CONTENT, OBJECTS
from vaults import make_vault  # noqa: F401

#: Requests that change something, by the simulator's names.
WRITES = ("Put", "Delete", "Upload", "Complete", "Create", "Copy", "Abort", "Insert", "Compose", "Rewrite", "Patch", "Start", "Commit", "Resum")


@pytest.fixture(params=list(KINDS))
def vault(request, make_vault):
    return make_vault(request.param)


@pytest.fixture
def full(vault, location):
    """A vault of each kind that holds OBJECTS, and where they came from."""
    source = location("s3").fill(OBJECTS)
    vault.summary = vault.fill(source).summary
    vault.source = source
    return vault


def writes(sim):
    return {name for counts in sim.call("GET", "requests").values() for name in counts if name.startswith(WRITES)}


def test_in_and_out_again(sim, full, location, tmp_path):
    summary = full.summary
    assert (summary["copied_objects"], summary["failed_objects"], summary["skipped_objects"]) == (len(OBJECTS), 0, 0)
    assert summary["vault"]["snapshot"] == full.snapshots()[-1]["id"]
    assert "manifest" not in summary
    full.check_sealed(b"layers", b"model.safetensors", b"attachment", b"decomposed", full.source.bucket.encode())

    # Nothing has changed: the vault's root is looked at, nothing is written.
    before = full.names()
    sim.call("DELETE", "requests")
    again = full.fill(full.source).summary
    assert (again["unchanged_objects"], again["copied_objects"], again["sent_bytes"]) == (len(OBJECTS), 0, 0)
    assert set(again["requests"]["source"]) == {"list"}
    assert set(again["requests"]["target"]) <= {"list", "head", "read"}
    assert not writes(sim) and full.names() == before
    assert "snapshot" not in again["vault"]

    # Without the ledger both sides are compared, and no payload moves.
    adopted = full.fill(full.source, state=tmp_path / "other").summary
    assert (adopted["adopted_objects"], adopted["copied_objects"], adopted["sent_bytes"]) == (len(OBJECTS), 0, 0)
    assert "read" not in adopted["requests"]["source"]

    for kind in KINDS:
        target = location(kind)
        restored = full.restore(target, "--part-size", "5M").summary
        assert (restored["copied_objects"], restored["failed_objects"]) == (len(OBJECTS), 0)
        assert target.visible() == CONTENT
        for key, value in OBJECTS.items():
            assert target.attributes(key) == (value[1] if isinstance(value, tuple) else {}), (kind, key)
        assert target.open_uploads() == []


def test_what_changes_follows(full, location):
    full.source.put("config.json", b'{"layers": 40}')
    full.source.put("new/one", b"1")
    full.source.delete("weights/small.bin")
    summary = full.fill(full.source, "--delete").summary
    assert (summary["copied_objects"], summary["deleted_objects"]) == (2, 1)
    target = location("file")
    full.restore(target)
    assert target.visible() == full.source.content()


def test_ls_cat_and_stat(full):
    assert full.ls() == {key: len(data) for key, data in CONTENT.items()}
    assert full.ls(inner="/weights") == {"model.safetensors": len(CONTENT["weights/model.safetensors"]), "small.bin": 70_000}
    # In a directory's path some of these names mean another.
    for key, data in CONTENT.items():
        if full.place.kind != "file" or not (key.endswith("/") or key.startswith("/") or "//" in key):
            assert full.cat(key) == data, key
    large = CONTENT["weights/model.safetensors"]
    for span, wanted in [("0-7", large[:8]), ("-10", large[-10:]), (f"{5 * MIB - 3}-{6 * MIB}", large[5 * MIB - 3:6 * MIB + 1])]:
        assert full.cat("weights/model.safetensors", "--range", span) == wanted
    told = json.loads(full.run("stat", full.url + "/config.json", "--json").out)
    assert told["size"] == 14 and told["attributes"]["content_type"] == "application/json"
    assert {"crc32c", "crc64nvme", "version", "modified"} <= told.keys()
    missing = full.run("cat", full.url + "/weights/none", expect=3)
    assert "weights/none" in missing.err and missing.out == ""


def test_check_at_every_level(full, lockstep):
    for flags in [(), ("--evidence", "1"), ("--evidence", "2"), ("--evidence", "3"), ("--no-ledger",)]:
        result = check(lockstep, full.source.url, full.url, *full.keys, *flags)
        assert result.verdict == "IN_SYNC" and len(result.same) == len(OBJECTS), (flags, result.outcome.err)
    full.source.put("config.json", b'{"layers": 99}')
    full.source.put("more", b"more")
    result = check(lockstep, full.source.url, full.url, *full.keys)
    assert result.verdict == "DRIFT" and set(result.findings) == {"config.json", "more"}


def test_a_folder_inside_stands_for_itself(make_vault, location):
    vault = make_vault("s3")
    first, second = location("gs").fill({"a": b"1", "deep/b": b"2"}), location("s3").fill({"c": b"3"})
    for source, inner in ((first, "/one"), (second, "/two/deep")):
        vault.lockstep.sync(source.url, vault.url + inner, *vault.keys)
    assert vault.ls() == {"one/a": 1, "one/deep/b": 1, "two/deep/c": 1}
    assert vault.cat("one/deep/b") == b"2"
    target = location("az")
    vault.restore(target, inner="/one")
    assert target.content() == first.content()
    # A key that goes away in one folder leaves the other alone.
    first.delete("a")
    vault.lockstep.sync(first.url, vault.url + "/one", *vault.keys, "--delete", "--permanent-delete")
    assert vault.ls() == {"one/deep/b": 1, "two/deep/c": 1}


def test_from_one_vault_to_another_with_another_passphrase(make_vault, location):
    here, there = make_vault("s3"), make_vault("file", password="quite another one")
    here.fill(location("gs").fill(OBJECTS))
    summary = here.lockstep.sync(
        here.url, there.url, "--source-password-file", here.password_file, "--target-password-file", there.password_file
    ).summary
    assert summary["copied_objects"] == len(OBJECTS)
    target = location("s3")
    there.restore(target)
    assert target.visible() == CONTENT
    result = check(
        here.lockstep, here.url, there.url, "--password-file", here.password_file, "--target-password-file", there.password_file)
    assert result.verdict == "IN_SYNC"


def test_what_is_known_is_stored_once(make_vault, location):
    vault = make_vault("s3")
    data = random.Random(5).randbytes(24 * MIB)
    source = location("file").fill({"model": data})
    first = vault.fill(source).summary["vault"]
    # The chunks of a large object are listed in chunks of their own.
    assert first["new_plain_bytes"] == first["plain_bytes"] and len(data) <= first["plain_bytes"] < 1.001 * len(data)
    assert len(data) < first["stored_bytes"] < 1.05 * len(data)
    source.put("renamed/model", data)
    source.put("cut", data[: 9 * MIB] + os.urandom(100_000) + data[9 * MIB:])
    second = vault.fill(source).summary["vault"]
    assert second["plain_bytes"] >= 2 * len(data) + 100_000
    assert second["new_plain_bytes"] < 4 * MIB and second["stored_bytes"] < 4 * MIB
    assert hashlib.sha256(vault.cat("cut")).digest() == hashlib.sha256(source.get("cut")).digest()


@pytest.mark.parametrize("chunker", ["tensor", "gear", "gear-small", "fixed:256K"])
@pytest.mark.parametrize("compression", ["auto", "lz4", "zstd", "none"])
def test_every_way_to_cut_and_compress(make_vault, location, chunker, compression):
    vault = make_vault("file", "--chunker", chunker, "--compression", compression, "--pack-size", "8M")
    text = b"".join(b'{"row": %d, "text": "the same words again"}\n' % row for row in range(40_000))
    source = location("file").fill({"rows.jsonl": text, "noise": random.Random(1).randbytes(3 * MIB), "one": b"1"})
    stored = vault.fill(source).summary["vault"]["stored_bytes"]
    assert (stored < len(text) + 3 * MIB) == (compression != "none")
    target = location("file")
    vault.restore(target)
    assert target.visible() == source.visible()


def test_an_older_plain_copy_is_brought_up_to_date_by_what_differs(make_vault, location):
    vault = make_vault("file")
    data = random.Random(2).randbytes(48 * MIB)
    source, target = location("file").fill({"model": data}), location("s3")
    vault.fill(source)
    vault.restore(target, "--delta")
    source.put("model", data[: 20 * MIB] + random.Random(3).randbytes(MIB) + data[21 * MIB:])
    vault.fill(source)
    summary = vault.restore(target, "--delta").summary
    assert target.visible() == source.visible()
    assert summary["avoided_bytes"] > 20 * MIB and summary["sent_bytes"] < 28 * MIB


def test_a_dry_run_leaves_a_vault_as_it_is(full):
    full.source.put("new/one", b"1")
    before = full.names()
    summary = full.fill(full.source, "--dry-run").summary
    assert summary["planned_objects"] == 1 and "vault" not in summary
    assert full.names() == before


def test_objects_in_the_vaults_storage_are_no_target_for_others(make_vault, location, lockstep):
    vault = make_vault("s3")
    for source, target in [
        (vault.plain, vault.url), (vault.url, vault.plain), (vault.place.url, vault.url), (vault.url, vault.url),
        (vault.url + "/a", vault.url), (vault.url, vault.plain + "/pack"),
    ]:
        outcome = lockstep.run("sync", source, target, *vault.keys, "--state", lockstep.state, expect=2)
        assert "overlap" in outcome.err
    # Two folders of one vault have nothing in common.
    vault.lockstep.sync(location("s3").fill({"k": b"1"}).url, vault.url + "/a", *vault.keys)
    vault.lockstep.sync(vault.url + "/a", vault.url + "/b", *vault.keys)
    assert vault.ls() == {"a/k": 1, "b/k": 1}


def test_a_manifest_is_published_elsewhere_only_when_asked_for(make_vault, location):
    vault, control = make_vault("s3"), location("s3")
    source = location("s3").fill({"k": b"1"})
    summary = vault.fill(source, "--control", control.url).summary
    assert summary["manifest"]["rows"] == 1
    assert control.all_keys()
    vault.check_sealed()
