"""`--delete`: off by default, after everything else, within limits, and recoverable."""

import os

import pytest

from locations import KINDS, MIB


@pytest.fixture(params=list(KINDS))
def pair(request, location):
    source, target = location("s3"), location(request.param)
    source.fill({f"k{number:02}": b"data" for number in range(20)})
    return source, target


def backups(target):
    """What is kept below `.lockstep/deleted/RUN/`, by key."""
    return {
        key.split("/", 3)[3]: data for key, data in target.content().items() if key.startswith(".lockstep/deleted/")
    }


def test_nothing_is_deleted_unless_asked(pair, lockstep):
    source, target = pair
    target.put("surplus", b"s")
    summary = lockstep.sync(source.url, target.url).summary
    assert (summary["deleted_objects"], summary["extraneous_objects"]) == (0, 1) and "surplus" in target.keys()
    assert "only at the target" in lockstep.run("sync", source.url, target.url, "--state", lockstep.state).err


def test_deletes_and_keeps_a_backup(pair, lockstep):
    source, target = pair
    lockstep.sync(source.url, target.url)
    source.delete("k01")
    target.put("foreign", b"never in the ledger")
    outcome = lockstep.sync(source.url, target.url, "--delete")
    deleted = outcome.named("deleted")
    assert set(deleted) == {"k01", "foreign"} and outcome.summary["deleted_objects"] == 2
    assert all(event["backup"].startswith(".lockstep/deleted/") for event in deleted.values())
    assert target.visible() == source.content()
    assert {key: data for key, data in backups(target).items()} == {"k01": b"data", "foreign": b"never in the ledger"}
    # What lockstep keeps for itself is neither deleted nor replicated by later runs.
    again = lockstep.sync(source.url, target.url, "--delete").summary
    assert again["delete_candidates"] == 0 and len(backups(target)) == 2


def test_deletes_for_good(pair, lockstep):
    source, target = pair
    lockstep.sync(source.url, target.url)
    source.delete("k01")
    lockstep.sync(source.url, target.url, "--delete", "--permanent-delete")
    assert target.content() == source.content()


def test_attributes_are_kept_with_the_backup(location, lockstep, source):
    for kind in ("s3", "gs", "az"):
        target = location(kind)
        source.fill({"stays": b"s", "k": (b"data", {"content_type": "text/plain", "metadata": {"owner": "me"}})})
        lockstep.sync(source.url, target.url)
        source.delete("k")
        deleted = lockstep.sync(source.url, target.url, "--delete").named("deleted")["k"]
        assert target.attributes(deleted["backup"]) == {"content_type": "text/plain", "metadata": {"owner": "me"}}


def test_a_large_object_is_backed_up(location, lockstep, source):
    data = os.urandom(12 * MIB)
    for kind in KINDS:
        target = location(kind)
        source.fill({"large": data, "stays": b"s"})
        lockstep.sync(source.url, target.url, "--part-size", "5M")
        source.delete("large")
        lockstep.sync(source.url, target.url, "--delete")
        assert backups(target) == {"large": data} and target.visible() == {"stays": b"s"}


def test_a_backup_prefix_of_ones_own(location, lockstep, source):
    target = location("s3")
    source.put("stays", b"s")
    target.put("k", b"data")
    lockstep.sync(source.url, target.url, "--delete", "--backup-prefix", ".lockstep/deleted/today")
    target.put("k", b"again")
    lockstep.sync(source.url, target.url, "--delete", "--backup-prefix", ".lockstep/deleted/today")
    # Each run has a folder of its own, so that no backup replaces an earlier one.
    kept = [key.split("/") for key in target.keys() if key.startswith(".lockstep/")]
    assert [(*names[:3], names[4]) for names in kept] == [(".lockstep", "deleted", "today", "k")] * 2
    assert {target.get("/".join(names)) for names in kept} == {b"data", b"again"} and target.visible() == {"stays": b"s"}


def test_an_empty_source_deletes_nothing(pair, lockstep):
    source, target = pair
    lockstep.sync(source.url, target.url)
    for key in source.keys():
        source.delete(key)
    outcome = lockstep.sync(source.url, target.url, "--delete", "--max-delete", "100%", expect=6)
    assert "no object at all" in outcome.err and len(target.visible()) == 20


def test_a_prefix_that_is_misspelt_deletes_nothing(location, lockstep, source):
    target = location("s3")
    source.put("train/k", b"data")
    target.put("k", b"data")
    lockstep.sync(source.url + "/trian", target.url, "--delete", expect=6)
    assert target.keys() == ["k"]


@pytest.mark.parametrize(
    "limits, status",
    [
        ([], 6), (["--max-delete", "11"], 6), (["--max-delete", "12"], 0), (["--max-delete", "59%"], 6),
        (["--max-delete", "60%"], 0), (["--max-delete", "100%", "--max-delete", "11"], 6),
        (["--max-delete", "100%", "--max-delete", "12"], 0), (["--max-delete", "0"], 6), (["--max-delete", "0%"], 6),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_limits(location, lockstep, source, limits, status):
    """12 of 20 objects are 60 %: more than the standard 25 %."""
    target = location("s3")
    source.fill({f"k{number:02}": b"data" for number in range(8)})
    target.fill({f"k{number:02}": b"data" for number in range(20)})
    lockstep.sync(source.url, target.url)
    outcome = lockstep.sync(source.url, target.url, "--delete", *limits, expect=status)
    assert len(target.visible()) == (20 if status else 8)
    if status:
        assert "--max-delete" in outcome.err and outcome.summary["deleted_objects"] == 0


def test_few_deletions_are_not_refused_for_their_share(location, lockstep, source):
    target = location("s3")
    source.put("k", b"data")
    target.fill({"k": b"data", "a": b"", "b": b""})
    assert lockstep.sync(source.url, target.url, "--delete").summary["deleted_objects"] == 2


def test_deletions_wait_for_a_run_without_failures(sim, location, lockstep, source):
    target = location("s3")
    source.fill({"bad": b"b", "good": b"g"})
    target.put("surplus", b"s")
    rule = sim.add_fault(action="status", cloud="s3", bucket=source.bucket, operation="GetObject", key="bad", status=403)
    outcome = lockstep.sync(source.url, target.url, "--delete", expect=3)
    assert sim.fired(rule) and any("held back" in notice for notice in outcome.notices)
    assert target.visible() == {"good": b"g", "surplus": b"s"}
    sim.call("DELETE", "faults")
    assert lockstep.sync(source.url, target.url, "--delete").summary["deleted_objects"] == 1


def test_what_filters_leave_out_is_not_deleted(location, lockstep, source):
    target = location("s3")
    source.fill({"keep.bin": b"k"})
    target.fill({"keep.bin": b"k", "mine.txt": b"m", "surplus.bin": b"s"})
    lockstep.sync(source.url, target.url, "--delete", "--exclude", "*.txt")
    assert target.visible() == {"keep.bin": b"k", "mine.txt": b"m"}


def test_an_error_in_a_batch_names_its_key(sim, location, lockstep, source):
    target = location("s3")
    source.put("stays", b"s")
    target.fill({"a": b"1", "b": b"2"})
    sim.add_fault(action="error-in-200", cloud="s3", bucket=target.bucket, operation="DeleteObjects")
    sim.add_fault(action="status", cloud="s3", bucket=target.bucket, operation="DeleteObject", key="a", status=403)
    outcome = lockstep.sync(source.url, target.url, "--delete", "--permanent-delete", expect=3)
    assert set(outcome.named("failed")) <= {"a", "b"} and "a" in outcome.named("failed")
    sim.call("DELETE", "faults")
    lockstep.sync(source.url, target.url, "--delete", "--permanent-delete")
    assert target.visible() == {"stays": b"s"}


def test_a_lost_reply_to_a_deletion(sim, location, lockstep, source):
    for kind, operation, cloud in (("s3", "Delete*", "s3"), ("gs", "*", "gcs"), ("az", "*", "azure")):
        target = location(kind)
        source.put("stays", b"s")
        target.put("k", b"data")
        lockstep.sync(source.url, target.url)
        names = {"gs": "Batch", "az": "BlobBatch"}
        single = {"gs": "DeleteObject", "az": "DeleteBlob"}
        for name in {operation} if kind == "s3" else {names[kind], single[kind]}:
            sim.add_fault(action="drop-reply-after-commit", cloud=cloud, operation=name, nth=1)
        lockstep.sync(source.url, target.url, "--delete", "--permanent-delete")
        assert target.visible() == {"stays": b"s"}
        sim.call("DELETE", "faults")
