"""The engine against gcp-storage-emulator: the JSON API without preconditions, and no XML API for multipart uploads."""

import os

import pytest

from lockstep_binary import Lockstep
from locations import MIB

OBJECTS = {
    "config.json": (b"{}", {"content_type": "application/json", "metadata": {"owner": "tests"}}),
    "empty": b"",
    "dir/deep/k": b"deep",
    "with space+plus.txt": b"odd",
    "ünïcödé/日本語": b"unicode",
    "two parts": os.urandom(8 * MIB),
    "many parts": os.urandom(23 * MIB + 11),
}
CONTENT = {key: value[0] if isinstance(value, tuple) else value for key, value in OBJECTS.items()}
PART = ("--part-size", "5M")


@pytest.fixture
def lockstep(tmp_path, sim, gcs_emulator):
    return Lockstep(tmp_path, {**sim.environment, "STORAGE_EMULATOR_HOST": gcs_emulator})


def test_into(lockstep, google_bucket, location):
    source, target = location("s3"), google_bucket()
    source.fill(OBJECTS)
    outcome = lockstep.sync(source.url, target.url, *PART)
    assert target.visible() == CONTENT and target.attributes("config.json") == OBJECTS["config.json"][1]
    assert any("ignores the conditions of writes" in notice for notice in outcome.notices)
    assert any("no multipart uploads" in notice for notice in outcome.notices)
    again = lockstep.sync(source.url, target.url, *PART).summary
    assert again["unchanged_objects"] == len(OBJECTS)
    assert set(again["requests"]["source"]) == set(again["requests"]["target"]) == {"list"}


def test_out_of(lockstep, google_bucket, location):
    source, target = google_bucket(), location("az")
    source.fill(OBJECTS)
    lockstep.sync(source.url, target.url, *PART)
    assert target.content() == CONTENT and target.attributes("config.json") == OBJECTS["config.json"][1]
    assert lockstep.sync(source.url, target.url, *PART).summary["unchanged_objects"] == len(OBJECTS)


def test_changes_and_deletions(lockstep, google_bucket, location):
    source, target = location("s3"), google_bucket()
    source.fill(OBJECTS)
    lockstep.sync(source.url, target.url, *PART)
    source.put("config.json", b"[1]")
    source.put("two parts", os.urandom(7 * MIB))
    source.delete("dir/deep/k")
    outcome = lockstep.sync(source.url, target.url, *PART, "--delete", "--permanent-delete")
    assert (outcome.summary["copied_objects"], outcome.summary["deleted_objects"]) == (2, 1)
    assert target.visible() == source.content()


def test_a_deletion_with_a_backup(lockstep, google_bucket, location):
    source, target = location("s3"), google_bucket()
    source.put("stays", b"s")
    target.fill({"stays": b"s", "surplus": b"data"})
    deleted = lockstep.sync(source.url, target.url, "--delete").named("deleted")["surplus"]
    assert target.get(deleted["backup"]) == b"data" and target.visible() == {"stays": b"s"}


def test_a_foreign_change_is_seen_before_the_write(lockstep, google_bucket, location):
    source, target = location("s3"), google_bucket()
    source.put("k", b"one")
    lockstep.sync(source.url, target.url)
    target.put("k", b"foreign")
    source.put("k", b"two")
    outcome = lockstep.sync(source.url, target.url, expect=3)
    assert outcome.named("skipped")["k"]["reason"] == "conflict" and target.get("k") == b"foreign"


def test_large_objects_side_by_side_in_little_memory(lockstep, google_bucket, location):
    """Uploads that take their parts one after the other, more of them than buffers: each goes on."""
    source, target = location("s3"), google_bucket()
    source.fill({f"large{number}": os.urandom(16 * MIB) for number in range(5)})
    outcome = lockstep.sync(source.url, target.url, *PART, "--memory", "20M")
    assert target.visible() == source.content() and outcome.summary["peak_buffer_bytes"] <= 20 * MIB


def test_a_lost_ledger(lockstep, google_bucket, location):
    source, target = location("s3"), google_bucket()
    source.fill(OBJECTS)
    lockstep.sync(source.url, target.url, *PART)
    again = lockstep.sync(source.url, target.url, *PART, state=lockstep.directory / "other").summary
    assert again["sent_bytes"] == 0 and target.visible() == CONTENT


def test_reading_commands(lockstep, google_bucket):
    place = google_bucket()
    place.fill(OBJECTS)
    assert lockstep.run("cat", place.url + "/many parts", "--range", "5-14").stdout == CONTENT["many parts"][5:15]
    assert len(lockstep.run("ls", place.url).out.splitlines()) == len(OBJECTS)
    assert "metadata owner" in lockstep.run("stat", place.url + "/config.json").out
    lockstep.run("cat", place.url + "/none", expect=3)
    assert "no-such-bucket" in lockstep.run("ls", "gs://no-such-bucket", expect=78).err
