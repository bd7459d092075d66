"""Which objects a run looks at, and how it compares them."""

import contextlib
import os
import sqlite3

import pytest

from locations import MIB

TREE = {
    "model.safetensors": b"m", "model.bin": b"b", "README.md": b"r", "train/a.parquet": b"1", "train/b.parquet": b"2",
    "train/deep/c.parquet": b"3", "eval/a.parquet": b"4", "logs/run.txt": b"5", "logs/deep/run.txt": b"6",
}


@pytest.mark.parametrize(
    "flags, wanted",
    [
        (["--include", "*.safetensors"], {"model.safetensors"}),
        (["--exclude", "*.parquet"], {"model.safetensors", "model.bin", "README.md", "logs/run.txt", "logs/deep/run.txt"}),
        # The first match decides, whichever flag it belongs to.
        (["--include", "train/a.parquet", "--exclude", "*.parquet", "--include", "**"],
         {"train/a.parquet", "model.safetensors", "model.bin", "README.md", "logs/run.txt", "logs/deep/run.txt"}),
        (["--exclude", "*.parquet", "--include", "train/a.parquet", "--include", "**"],
         {"model.safetensors", "model.bin", "README.md", "logs/run.txt", "logs/deep/run.txt"}),
        (["--exclude=*.parquet", "--include=**"],
         {"model.safetensors", "model.bin", "README.md", "logs/run.txt", "logs/deep/run.txt"}),
        (["--include", "/train/*"], {"train/a.parquet", "train/b.parquet"}),
        (["--include", "train/"], {"train/a.parquet", "train/b.parquet", "train/deep/c.parquet"}),
        (["--include", "a.parquet"], {"train/a.parquet", "eval/a.parquet"}),
        (["--include", "{README.md,model.*}"], {"README.md", "model.safetensors", "model.bin"}),
        (["--include", "[!m]*.md"], {"README.md"}),
        (["--include", "run.tx?"], {"logs/run.txt", "logs/deep/run.txt"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_include_and_exclude(lockstep, source, target, flags, wanted):
    source.fill(TREE)
    summary = lockstep.sync(source.url, target.url, *flags).summary
    assert set(target.keys()) == wanted and summary["filtered_objects"] == len(TREE) - len(wanted)


def test_a_list_of_keys(lockstep, source, target, tmp_path):
    source.fill(TREE)
    target.put("foreign", b"f")
    listed = tmp_path / "keys"
    listed.write_bytes(b"train/b.parquet\n\nmodel.bin\r\ntrain/b.parquet\n")
    outcome = lockstep.sync(source.url, target.url, "--files-from", listed)
    assert set(target.keys()) == {"train/b.parquet", "model.bin", "foreign"}
    assert "list" not in outcome.summary["requests"]["source"]
    # The rows of other keys stay in the ledger.
    lockstep.sync(source.url, target.url)
    lockstep.sync(source.url, target.url, "--files-from", listed)
    again = lockstep.sync(source.url, target.url).summary
    assert (again["unchanged_objects"], again["copied_objects"], again["adopted_objects"]) == (len(TREE), 0, 0)


def test_a_list_of_keys_from_standard_input(lockstep, source, target):
    source.fill(TREE)
    lockstep.sync(source.url, target.url, "--files-from", "-", input=b"README.md\neval/a.parquet")
    assert set(target.keys()) == {"README.md", "eval/a.parquet"}


def test_a_listed_key_that_the_source_lacks_is_named(lockstep, source, target, tmp_path):
    """Somebody asked for it by name: leaving it out in silence would be a lie."""
    source.fill({"here": b"h", "filtered": b"f"})
    target.put("gone", b"left as it is")
    listed = tmp_path / "keys"
    listed.write_text("gone\nhere\nnever\nfiltered\nnot/there/either\n" + "x" * 2000)
    outcome = lockstep.sync(source.url, target.url, "--files-from", listed, "--exclude", "filtered", "--exclude", "not/there/", "--include", "**", expect=3)
    skipped = outcome.named("skipped")
    assert set(skipped) == {"gone", "never", "x" * 2000} and {event["reason"] for event in skipped.values()} == {"missing"}
    assert outcome.summary["skipped_objects"] == 3 and target.content() == {"gone": b"left as it is", "here": b"h"}
    text = lockstep.run("sync", source.url, target.url, "--files-from", listed, "--state", lockstep.state, expect=3).err
    assert "skipped never: the source has no object of that name" in text


def test_many_listed_keys(sim, lockstep, source, target, tmp_path):
    sim.populate("s3", source.bucket, "", 700, 10)
    keys = sorted(source.keys())
    listed = tmp_path / "keys"
    listed.write_text("\n".join(reversed(keys[::2])))
    assert lockstep.sync(source.url, target.url, "--files-from", listed).summary["copied_objects"] == 350
    assert sorted(target.keys()) == keys[::2]


def test_size_only(lockstep, source, target):
    source.fill({"same": b"data", "size": b"longer", "new": b"n"})
    target.fill({"same": b"DATA", "size": b"old"})
    summary = lockstep.sync(source.url, target.url, "--size-only").summary
    assert target.content() == {"same": b"DATA", "size": b"longer", "new": b"n"} and summary["unchanged_objects"] == 1
    assert "head" not in summary["requests"]["target"]
    # Nothing was proven by a size, so a run that compares finds the difference.
    lockstep.sync(source.url, target.url)
    assert target.content() == source.content()


def test_checksum_compares_everything_now(lockstep, location):
    """Bytes that changed behind the ledger's back, with size, time and version restored: what a disk's bit rot looks like."""
    source, target = location("s3"), location("file")
    source.fill({"k": b"data", "other": b"o"})
    lockstep.sync(source.url, target.url)
    assert lockstep.sync(source.url, target.url, "--checksum").summary["adopted_objects"] == 2
    source, target = location("file"), location("file")
    source.put("k", os.urandom(3 * MIB))
    lockstep.sync(source.url, target.url)
    summary = lockstep.sync(source.url, target.url, "--checksum").summary
    assert summary["adopted_objects"] == 1 and summary["requests"]["target"]["read"] >= 1


def test_checksum_finds_what_differs(lockstep, location, tmp_path):
    """No ledger, equal sizes, a mark that claims an earlier copy: only the bytes tell."""
    source, target = location("s3"), location("s3")
    source.put("k", b"data")
    lockstep.sync(source.url, target.url)
    mark = target.client.head_object(Bucket=target.bucket, Key="k")["Metadata"]
    target.client.put_object(Bucket=target.bucket, Key="k", Body=b"DATA", Metadata=mark)
    lockstep.sync(source.url, target.url, "--checksum", state=tmp_path / "fresh")
    assert target.content() == {"k": b"data"}


def rows(lockstep):
    """What the ledger says about objects."""
    with contextlib.closing(sqlite3.connect(next(lockstep.state.glob("*.sqlite")))) as database:
        return database.execute("SELECT * FROM object ORDER BY key").fetchall()


@pytest.mark.parametrize("kind", ["s3", "gs", "az", "file"])
def test_a_dry_run_only_reads(sim, lockstep, location, source, kind):
    target = location(kind)
    source.fill({"new": b"n", "changed": b"two", "same": b"s", "large": os.urandom(6 * MIB)})
    source.put("changed", b"one")
    target.fill({"surplus": b"s"})
    lockstep.sync(source.url, target.url, "--include", "{changed,same}", state=lockstep.state)
    source.put("changed", b"two")
    before = {key: target.version(key) for key in target.visible()}
    ledger = rows(lockstep)
    sim.call("DELETE", "requests")
    outcome = lockstep.sync(source.url, target.url, "--delete", "--dry-run")
    asked = {name for counts in sim.call("GET", "requests").values() for name in counts}
    assert not [name for name in asked if not name.startswith(("List", "Get", "Head"))], asked
    assert {key: event["reason"] for key, event in outcome.named("would-copy").items()} == {"new": "new", "changed": "changed", "large": "new"}
    assert set(outcome.named("would-delete")) == {"surplus"}
    summary = outcome.summary
    assert summary["dry_run"] and summary["planned_objects"] == 3 and summary["planned_bytes"] == 6 * MIB + 4
    assert {key: target.version(key) for key in target.visible()} == before
    assert rows(lockstep) == ledger
    text = lockstep.run("sync", source.url, target.url, "--dry-run", "--state", lockstep.state)
    assert "would copy\tnew\t1\tnew" in text.out.splitlines() and "would copy 3 objects" in text.err
