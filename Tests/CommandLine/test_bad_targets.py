"""What a target cannot hold or does not do, and objects that other people put there: named, kept, and right in the end."""

import contextlib
import errno
import os
import subprocess
import uuid

import pytest

from faults import fault  # noqa: F401
from locations import MIB, FileLocation


def test_a_key_that_the_target_cannot_hold(location, lockstep):
    source, target = location("s3"), location("az")
    source.fill({"back\\slash": b"1", "ends./dot.": b"2", "fine": b"3"})
    outcome = lockstep.sync(source.url, target.url, expect=3)
    skipped = outcome.named("skipped")
    assert set(skipped) == {"back\\slash", "ends./dot."}
    assert {event["reason"] for event in skipped.values()} == {"invalid-key"}
    assert "backslash" in skipped["back\\slash"]["message"] and outcome.summary["skipped_objects"] == 2
    assert target.content() == {"fine": b"3"}


def test_a_line_break_in_a_key_is_refused_by_google(location, lockstep):
    source, target = location("file"), location("gs")
    source.fill({"line\nbreak": b"1", "fine": b"2"})
    outcome = lockstep.sync(source.url, target.url, expect=3)
    assert list(outcome.named("skipped")) == ["line\nbreak"] and target.content() == {"fine": b"2"}


@pytest.mark.parametrize("keys", [["a", "a/b"], ["dir/a", "dir/a/b/c"]], ids=["file first", "deeper"])
def test_two_keys_that_a_file_system_cannot_hold_together(location, lockstep, keys):
    """`a` and `a/b`: one of them is there, the other is named; nothing is overwritten."""
    source, target = location("s3"), location("file")
    source.fill({key: key.encode() for key in keys} | {"other": b"o"})
    outcome = lockstep.sync(source.url, target.url, expect=3)
    named = {**outcome.named("failed"), **outcome.named("skipped")}
    assert len(named) == 1 and set(named) < set(keys)
    there = target.visible()
    assert set(there) == {*keys, "other"} - set(named) and all(there[key] == source.get(key) for key in there)
    again = lockstep.sync(source.url, target.url, expect=3)
    assert {**again.named("failed"), **again.named("skipped")}.keys() == named.keys() and target.visible() == there


def test_keys_that_differ_in_case_or_normal_form_only(location, lockstep):
    source, target = location("s3"), location("file")
    source.fill({"Model": b"1", "model": b"2", "caf\u00e9": b"3", "cafe\u0301": b"4"})
    lockstep.repair(source, target)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a few mebibytes."""
    directory = tmp_path / "disk"
    directory.mkdir()
    try:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", directory], capture_output=True)
    except FileNotFoundError:
        pytest.skip("no mount command")
    if mounted.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield FileLocation(directory)
    subprocess.run(["umount", directory], check=True)


def test_a_full_disk(lockstep, source, small_disk):
    source.fill({f"k{number}": os.urandom(MIB) for number in range(3)} | {"large": os.urandom(6 * MIB)})
    outcome = lockstep.sync(source.url, small_disk.url, expect=None)
    assert outcome.status in (3, 75)
    assert os.strerror(errno.ENOSPC).lower() in outcome.err.lower() or "space" in outcome.err.lower()
    for key, data in small_disk.visible().items():
        assert data == source.get(key)
    # Half-written objects do not stay behind to fill the disk.
    assert sum(len(data) for key, data in small_disk.content().items() if key.startswith(".lockstep/")) == 0
    source.delete("large")
    for key in small_disk.visible():
        small_disk.delete(key)
    lockstep.repair(source, small_disk)


@pytest.mark.parametrize("known", [False, True])
def test_a_full_disk_under_the_state(lockstep, source, target, small_disk, known):
    """Trying again later helps, whether or not there is a ledger already."""
    source.fill({"k": b"1"})
    state = small_disk.directory / "state"
    if known:
        lockstep.sync(source.url, target.url, state=state)
    with open(small_disk.directory / "fill", "wb", buffering=0) as fill, contextlib.suppress(OSError):
        while True:
            fill.write(bytes(4096))
    source.put("new", b"2")
    outcome = lockstep.sync(source.url, target.url, state=state, expect=75)
    assert "space" in outcome.err.lower()
    os.remove(small_disk.directory / "fill")
    lockstep.sync(source.url, target.url, state=state)
    assert target.visible() == source.visible()


@pytest.mark.parametrize("kind, tier", [("s3", "GLACIER"), ("az", "Archive")])
def test_archived_objects_are_named(sim, location, lockstep, target, kind, tier):
    source = location(kind)
    source.fill({"cold": b"c", "warm": b"w"})
    bucket, cloud = (source.bucket, "s3") if kind == "s3" else (source.container.container_name, "azure")
    sim.archive(cloud, bucket, "cold", tier)
    outcome = lockstep.sync(source.url, target.url, expect=3)
    skipped = outcome.named("skipped")["cold"]
    assert skipped["reason"] == "archived" and tier in skipped["message"] and "restore" in skipped["message"]
    assert target.content() == {"warm": b"w"}


def test_a_target_object_that_the_ledger_does_not_know_is_replaced_when_it_differs(location, lockstep, source):
    for kind in ("s3", "gs", "az", "file"):
        target = location(kind)
        source.fill({"same": b"data", "differs": b"new!", "longer": b"new data"})
        target.fill({"same": b"data", "differs": b"old.", "longer": b"old"})
        lockstep.sync(source.url, target.url)
        assert target.visible() == source.content()


@pytest.mark.parametrize("kind", ["s3", "gs", "az", "file"])
def test_a_foreign_change_is_a_conflict(location, lockstep, source, kind):
    """What somebody changed after the ledger recorded it is kept, until somebody says otherwise."""
    target = location(kind)
    source.fill({"k": b"one", "other": b"o"})
    lockstep.sync(source.url, target.url)
    target.put("k", b"foreign")
    outcome = lockstep.sync(source.url, target.url, expect=3)
    assert outcome.named("skipped")["k"]["reason"] == "conflict" and outcome.summary["conflicts"] == 1
    assert target.get("k") == b"foreign"
    # Also when the source has changed too, and when deleting is asked for.
    source.put("k", b"two")
    assert lockstep.sync(source.url, target.url, expect=3).summary["conflicts"] == 1
    source.delete("k")
    assert lockstep.sync(source.url, target.url, "--delete", expect=3).summary["conflicts"] == 1
    assert target.get("k") == b"foreign"
    source.put("k", b"two")
    lockstep.sync(source.url, target.url, "--on-conflict", "replace")
    assert target.get("k") == b"two"
    lockstep.repair(source, target)


def test_a_foreign_change_to_the_same_bytes_is_adopted(location, lockstep, source):
    target = location("s3")
    source.put("k", b"one")
    lockstep.sync(source.url, target.url)
    source.put("k", b"two")
    lockstep.sync(source.url, target.url, state=lockstep.directory / "other user")
    summary = lockstep.sync(source.url, target.url).summary
    assert (summary["adopted_objects"], summary["conflicts"]) == (1, 0)


@pytest.mark.parametrize("kind", ["s3", "gs", "az"])
def test_a_writer_that_slips_in_is_respected(sim, location, lockstep, source, kind):
    """Between listing and write, somebody else creates the key: the conditional write fails, their object stays."""
    target = location(kind)
    source.put("k", b"ours" * 100_000)
    rule = sim.add_fault(action="latency", cloud="s3", operation="GetObject", key="k", milliseconds=1500)
    process = lockstep.start("sync", source.url, target.url, "--json", "--state", lockstep.state)
    while sim.call("GET", "faults")[0]["fired"] == 0:
        assert process.poll() is None
    target.put("k", b"theirs")
    outcome = lockstep.finish(process)
    assert outcome.status == 3 and outcome.named("skipped")["k"]["reason"] == "conflict"
    assert sim.fired(rule) == 1 and target.visible() == {"k": b"theirs"}


@pytest.mark.parametrize("kind", ["s3", "gs", "az"])
def test_a_clone_that_ignores_only_which_version_is_replaced(location, lockstep, fault, source, kind):
    """It creates nothing twice; the probe replaces as well, and the engine looks before it writes."""
    target = location(kind)
    fault(target, "ignore-versions")
    source.fill({"k": b"one", "l": b"two"})
    outcome = lockstep.sync(source.url, target.url)
    assert any("ignores the conditions of writes" in notice for notice in outcome.notices)
    assert target.visible() == source.content()
    # A run that knows the answer asks no more.
    source.put("k", b"three")
    again = lockstep.sync(source.url, target.url)
    assert any("ignores the conditions of writes" in notice for notice in again.notices)
    assert target.visible() == source.content()


def test_a_clone_that_ignores_conditions(sim, location, lockstep, source):
    """The engine finds out by a probe of its own, says so, and looks before each write instead."""
    target = location("s3")
    sim.add_fault(action="ignore-conditions", cloud="s3", bucket=target.bucket)
    source.fill({"k": b"one", "large": os.urandom(6 * MIB)})
    outcome = lockstep.sync(source.url, target.url, "--part-size", "5M")
    assert any("ignores the conditions of writes" in notice for notice in outcome.notices)
    assert target.visible() == source.content()
    target.put("k", b"foreign")
    outcome = lockstep.sync(source.url, target.url, expect=3)
    assert outcome.named("skipped")["k"]["reason"] == "conflict" and target.get("k") == b"foreign"
    # Deleting looks first, too: this one changed after the listing that proved it superfluous.
    source.delete("large")
    assert lockstep.sync(source.url, target.url, "--delete", "--on-conflict", "replace").summary["deleted_objects"] == 1
    assert "large" not in target.keys()


def test_the_probe_leaves_nothing(location, lockstep, source):
    for kind in ("s3", "gs", "az"):
        target = location(kind)
        lockstep.sync(source.url, target.url)
        assert target.keys() == []


def test_a_target_directory_is_made(lockstep, source, tmp_path):
    source.put("deep/er/k", b"data")
    target = tmp_path / "not" / "there" / f"yet-{uuid.uuid4().hex}"
    assert lockstep.run("sync", source.url, target, "--dry-run").status == 0
    assert not target.exists()
    lockstep.run("sync", source.url, target)
    assert (target / "deep/er/k").read_bytes() == b"data"


def test_links_and_devices_in_a_directory_are_named(location, lockstep, target, tmp_path):
    source = location("file")
    source.put("k", b"data")
    (tmp_path / "outside").write_bytes(b"secret of somebody else")
    (source.directory / "link").symlink_to(tmp_path / "outside")
    (source.directory / "folder").symlink_to(tmp_path)
    os.mkfifo(source.directory / "pipe")
    outcome = lockstep.sync(source.url, target.url, expect=3)
    assert set(outcome.named("skipped")) == {"link", "folder", "pipe"} and target.content() == {"k": b"data"}


def test_nothing_is_written_through_a_link(location, lockstep, source, tmp_path):
    target = location("file")
    outside = tmp_path / "outside"
    outside.mkdir()
    (target.directory / "folder").symlink_to(outside)
    source.fill({"folder/k": b"data", "fine": b"f"})
    outcome = lockstep.sync(source.url, target.url, expect=3)
    assert list(outcome.named("failed")) == ["folder/k"] and list(outside.iterdir()) == []
    assert (target.directory / "fine").read_bytes() == b"f"
