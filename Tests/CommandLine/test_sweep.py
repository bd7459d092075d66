"""Unfinished uploads: the next run goes on with its own, and `sweep` discards those that nobody owns."""

import json
import os
import signal

import pytest

from lockstep_binary import Lockstep
from locations import MIB
from test_interruption import PART, wait_until

DAY = 86_400


@pytest.fixture
def interrupted(sim, lockstep, source, location):
    """A run that was killed when three parts of a large object were at the target."""

    def make(kind):
        target = location(kind)
        source.fill({"large": os.urandom(30 * MIB), "small": b"x"})
        sim.add_fault(action="latency", cloud="s3", bucket=source.bucket, operation="GetObject", milliseconds=150)
        process = lockstep.start(
            "sync", source.url, target.url, "--json", "--state", lockstep.state, "--concurrency", "1", *PART)
        sim.call("DELETE", "requests")
        wait_until(lambda: sim.requests("s3").get("GetObject", 0) >= 5, process)
        process.kill()
        process.communicate()
        sim.call("DELETE", "faults")
        return target

    return make


def sweep(lockstep, target, *flags, expect=0):
    outcome = lockstep.run("sweep", target.url, "--json", *flags, "--state", lockstep.state, expect=expect)
    return [json.loads(line) for line in outcome.out.splitlines()]


@pytest.mark.parametrize("kind", ["s3", "gs", "az", "file"])
def test_a_killed_run_is_continued_and_its_upload_is_not_swept(sim, lockstep, source, interrupted, kind):
    target = interrupted(kind)
    assert all(line["action"] == "owned" for line in sweep(lockstep, target, "--older-than", "0"))
    summary = lockstep.repair(source, target, *PART).summary
    # Six parts, of which at least two were there: the third may not have been noted down.
    assert summary["resumed_bytes"] >= 10 * MIB, summary
    assert summary["resumed_bytes"] + summary["sent_bytes"] == 30 * MIB
    assert target.open_uploads() == []


def test_an_upload_that_no_ledger_knows_is_reported_and_swept(launch, tmp_path, location):
    # A server that does not mind a client whose clock is a week ahead of it.
    sim = launch("--no-verify")
    lockstep = Lockstep(tmp_path, sim.environment)
    source, target = location("s3", sim), location("s3", sim)
    sim.call("POST", "clock", {"offsetSeconds": -8 * DAY})
    target.client.create_multipart_upload(Bucket=target.bucket, Key="old")
    sim.call("POST", "clock", {"offsetSeconds": 0})
    target.client.create_multipart_upload(Bucket=target.bucket, Key="young")
    source.put("k", b"x")
    outcome = lockstep.sync(source.url, target.url)
    assert any("1 unfinished upload" in notice and "lockstep sweep" in notice for notice in outcome.notices), outcome.out
    wanted = {"old": "would-discard", "young": "young"}
    assert {line["key"]: line["action"] for line in sweep(lockstep, target, "--dry-run")} == wanted
    assert len(target.open_uploads()) == 2
    assert {line["key"]: line["action"] for line in sweep(lockstep, target)} == wanted | {"old": "discarded"}
    assert [upload["Key"] for upload in target.open_uploads()] == ["young"]


@pytest.mark.parametrize("kind", ["s3", "gs", "file"])
def test_the_uploads_of_a_lost_ledger_are_swept(lockstep, source, interrupted, kind):
    target = interrupted(kind)
    lockstep.state.rename(lockstep.directory / "lost")
    assert all(line["action"] == "young" for line in sweep(lockstep, target))
    [swept] = sweep(lockstep, target, "--older-than", "0")
    assert swept["action"] == "discarded" and swept["key"] == "large"
    assert target.open_uploads() == []
    lockstep.repair(source, target, *PART)


def test_an_upload_that_cannot_be_discarded_is_named(sim, lockstep, target):
    target.client.create_multipart_upload(Bucket=target.bucket, Key="k")
    rule = sim.add_fault(action="status", cloud="s3", bucket=target.bucket, operation="AbortMultipartUpload", status=403)
    outcome = lockstep.run("sweep", target.url, "--older-than", "0", "--state", lockstep.state, expect=3)
    assert "k" in outcome.err and sim.fired(rule) == 1
    sim.call("DELETE", "faults")
    lockstep.run("sweep", target.url, "--older-than", "0", "--state", lockstep.state)
    assert target.open_uploads() == []


def test_a_run_that_shows_no_sign_of_life_is_overtaken(sim, lockstep, source, target):
    """Stopped for longer than its lease, it wakes up, finds the pair taken over, and changes nothing any more."""
    source.fill({f"k{number:02}": os.urandom(1000) for number in range(30)})
    rule = sim.add_fault(action="latency", cloud="s3", bucket=source.bucket, operation="GetObject", milliseconds=300)
    process = lockstep.start(
        "sync", source.url, target.url, "--json", "--state", lockstep.state, "--concurrency", "2", "--lease", "2s")
    wait_until(lambda: target.keys(), process)
    process.send_signal(signal.SIGSTOP)
    try:
        assert lockstep.sync(source.url, target.url, expect=7).status == 7
        sim.call("DELETE", "faults")
        assert rule
        second = lockstep.sync(source.url, target.url, "--wait")
    finally:
        process.send_signal(signal.SIGCONT)
    first = lockstep.finish(process)
    assert first.status == 7 and "taken over" in first.err
    assert second.summary["failed_objects"] == 0
    lockstep.repair(source, target)
