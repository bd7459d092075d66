"""Snapshots: each sync leaves one, any of them can be read, and what was put back from an older state is refused."""

import datetime
import shutil

import pytest

from checking import check
from vaults import make_vault  # noqa: F401


@pytest.fixture
def grown(make_vault, location):
    """A vault with three snapshots: {a: 1}, {a: 22, b: 2}, {b: 2}."""
    vault = make_vault("file")
    source = location("s3").fill({"a": b"1"})
    vault.fill(source)
    source.fill({"a": b"22", "b": b"2"})
    vault.fill(source)
    source.delete("a")
    vault.fill(source, "--delete", "--permanent-delete")
    vault.source = source
    return vault


def test_each_sync_leaves_one(grown):
    snapshots = grown.snapshots()
    ids = [each["id"] for each in snapshots]
    assert len(ids) == 3 and ids == sorted(set(ids))
    assert [each["objects"] for each in snapshots] == [1, 2, 1]
    assert [each["bytes"] for each in snapshots] == [1, 3, 1]
    for each in snapshots:
        assert each["state"] == "complete" and each["failures"] == 0 and each["host"]
        assert each["source"].rstrip("/") == grown.source.url
    table = grown.run("vault", "snapshots", grown.url).out.splitlines()
    assert table[0].split() == ["id", "time", "objects", "size", "source", "host", "state", "failures"]
    assert [line.split()[0] for line in table[1:]] == [str(each) for each in ids]
    # A sync that changes nothing leaves none.
    grown.fill(grown.source)
    assert [each["id"] for each in grown.snapshots()] == ids


def test_an_empty_vault_has_none(make_vault, location):
    vault = make_vault("gs")
    assert vault.snapshots() == [] and vault.ls() == {}
    assert vault.run("vault", "snapshots", vault.url).out == ""
    target = location("s3")
    assert vault.restore(target).summary["copied_objects"] == 0
    assert "no snapshot 1" in vault.run("ls", vault.url, "--snapshot", "1", expect=2).err


def test_any_of_them_can_be_read(grown, location, lockstep):
    first, second, third = (str(each["id"]) for each in grown.snapshots())
    assert grown.ls("--snapshot", first) == {"a": 1}
    assert grown.ls("--snapshot", second) == {"a": 2, "b": 1}
    assert grown.ls("--snapshot", third) == grown.ls("--snapshot", "latest") == grown.ls() == {"b": 1}
    assert grown.cat("a", "--snapshot", first) == b"1" and grown.cat("a", "--snapshot", second) == b"22"
    assert '"size":2' in grown.run("stat", grown.url + "/a", "--json", "--snapshot", second).out
    for flag in ("--snapshot", "--source-snapshot"):
        target = location("gs")
        grown.restore(target, flag, second)
        assert target.content() == {"a": b"22", "b": b"2"}
        # Back to an older one: what differs is replaced.
        grown.restore(target, flag, first, "--delete", "--permanent-delete")
        assert target.content() == {"a": b"1"}
    for flag in ("--snapshot", "--target-snapshot"):
        assert check(lockstep, grown.source.url, grown.url, *grown.keys, flag, second).verdict == "DRIFT"
        assert check(lockstep, grown.source.url, grown.url, *grown.keys, flag, third).verdict == "IN_SYNC"
    both = check(lockstep, grown.url, grown.url, *grown.keys, "--source-snapshot", first, "--target-snapshot", second)
    assert set(both.findings) == {"a", "b"}


def test_by_time(grown):
    snapshots = grown.snapshots()
    now = datetime.datetime.now(datetime.timezone.utc)
    assert grown.ls("--snapshot", now.strftime("%Y-%m-%d")) == {"b": 1}
    assert grown.ls("--snapshot", (now + datetime.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")) == {"b": 1}
    newest_then = [each for each in snapshots if each["time"] <= snapshots[0]["time"]][-1]
    assert grown.ls("--snapshot", snapshots[0]["time"]) == grown.ls("--snapshot", str(newest_then["id"]))
    refused = grown.run("ls", grown.url, "--snapshot", "2001-01-01", expect=2)
    assert "vault snapshots" in refused.err


def test_diff(grown):
    first, second, third = (str(each["id"]) for each in grown.snapshots())
    assert grown.run("vault", "diff", grown.url, first, second).out.splitlines() == ["* a  size content", "+ b"]
    assert grown.run("vault", "diff", grown.url, second, third).out.splitlines() == ["- a"]
    assert grown.run("vault", "diff", grown.url, third, third).out == ""
    assert grown.run("vault", "diff", grown.url, first, "latest").out.splitlines() == ["- a", "+ b"]
    changed, added = grown.lines("diff", first, second)
    assert (changed["change"], changed["key"], changed["size_before"], changed["size_after"]) == ("changed", "a", 1, 2)
    assert (added["change"], added["key"], added["size_after"]) == ("added", "b", 1)
    grown.source.put("b", b"2", content_type="text/plain")
    grown.fill(grown.source)
    assert grown.run("vault", "diff", grown.url, third, "latest").out.splitlines() == ["* b  attributes"]
    assert "no snapshot 999" in grown.run("vault", "diff", grown.url, first, "999", expect=2).err


def test_the_past_is_not_written_to(grown, location):
    source = location("s3").fill({"new": b"n"})
    before = grown.names()
    refused = grown.fill(source, "--snapshot", "1", expect=2)
    assert "--snapshot" in refused.err and grown.names() == before


def test_an_older_state_is_refused(grown, tmp_path):
    """Whoever has seen a newer root, or was told of one, does not take an older one for the newest."""
    kept = tmp_path / "kept"
    shutil.copytree(grown.place.directory, kept)
    old = grown.root()
    grown.source.put("c", b"3")
    grown.fill(grown.source)
    new = grown.root()
    assert grown.ls("--at-least", old) == grown.ls("--at-least", new) == {"b": 1, "c": 1}

    shutil.rmtree(grown.place.directory)
    shutil.copytree(kept, grown.place.directory)
    for arguments in [("ls", grown.url), ("vault", "snapshots", grown.url), ("cat", grown.url + "/b")]:
        refused = grown.run(*arguments, expect=6)
        assert "root" in refused.err and refused.out == ""
    # A machine that has seen nothing of it is told.
    stranger = ("--state", tmp_path / "stranger")
    assert grown.lockstep.run("ls", grown.url, *grown.keys, *stranger).status == 0
    for verb in [("ls",), ("vault", "snapshots")]:
        refused = grown.lockstep.run(*verb, grown.url, *grown.keys, *stranger, "--at-least", new, expect=6)
        assert "older" in refused.err
    assert grown.lockstep.run("ls", grown.url, *grown.keys, *stranger, "--at-least", old).status == 0


def test_another_history_is_refused(grown, tmp_path):
    """A root of the same number that is not the one that was seen."""
    kept = tmp_path / "kept"
    shutil.copytree(grown.place.directory, kept)
    grown.source.put("c", b"3")
    grown.fill(grown.source)
    seen = grown.root()
    shutil.rmtree(grown.place.directory)
    shutil.copytree(kept, grown.place.directory)
    grown.source.put("d", b"4")
    stranger = tmp_path / "stranger"
    grown.lockstep.sync(grown.source.url, grown.url, *grown.keys, state=stranger)
    refused = grown.lockstep.run("ls", grown.url, *grown.keys, "--state", stranger, "--at-least", seen, expect=6)
    assert "history" in refused.err
    assert grown.run("ls", grown.url, expect=6).out == ""
