"""Signals, kills and a second run on the same pair: each ends as promised, and the next run finishes the work."""

import os
import signal
import time

import pytest

from locations import MIB

PART = ("--part-size", "5M")


def wait_until(condition, process=None, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def arrived(target):
    return sum(not key.startswith(".lockstep/") for key in target.keys())


@pytest.fixture
def slow_source(sim, source):
    """Thirty small objects and a large one, each read at a crawl."""
    source.fill({f"k{number:02}": os.urandom(1000) for number in range(30)} | {"large": os.urandom(20 * MIB)})

    def slow(milliseconds=700):
        sim.add_fault(action="latency", cloud="s3", bucket=source.bucket, operation="GetObject", milliseconds=milliseconds)

    slow()
    return source


def start(lockstep, source, target, *flags):
    return lockstep.start("sync", source.url, target.url, "--json", "--state", lockstep.state, "--concurrency", "4", *PART, *flags)


@pytest.mark.parametrize("kind", ["s3", "gs", "az", "file"])
@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_and_the_next_one_completes(sim, lockstep, location, slow_source, kind, number, status):
    target = location(kind)
    process = start(lockstep, slow_source, target)
    wait_until(lambda: arrived(target) >= 3, process)
    outcome = lockstep.interrupt(process, number, timeout=10)
    assert outcome.status == status and outcome.summary["stopped"] == "interrupted"
    done = outcome.summary["copied_objects"]
    assert 3 <= done < 31
    sim.call("DELETE", "faults")
    summary = lockstep.repair(slow_source, target, *PART).summary
    # What was finished stays finished; at most what was under way is sent again.
    assert summary["unchanged_objects"] >= done - 1 and target.open_uploads() == []


def test_a_second_signal_ends_the_process_at_once(sim, lockstep, slow_source, target):
    sim.call("DELETE", "faults")
    sim.add_fault(action="stall-after-bytes", cloud="s3", bucket=slow_source.bucket, operation="GetObject", bytes=10)
    sim.call("DELETE", "requests")
    process = start(lockstep, slow_source, target)
    wait_until(lambda: sim.requests("s3").get("GetObject", 0) >= 1, process)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    assert process.wait(timeout=10) == 143 and time.monotonic() - started < 5
    process.communicate()
    sim.call("DELETE", "faults")
    lockstep.repair(slow_source, target, *PART)


def test_a_signal_while_it_waits_to_try_again(sim, lockstep, source, target):
    source.put("k", b"data")
    sim.add_fault(action="status", cloud="s3", bucket=source.bucket, status=503, retryAfter="30")
    process = start(lockstep, source, target)
    wait_until(lambda: sim.call("GET", "faults")[0]["fired"] >= 1, process)
    time.sleep(0.2)
    outcome = lockstep.interrupt(process)
    assert outcome.status == 130 and outcome.seconds < 5


@pytest.mark.parametrize("moment", [3, 12, 25])
@pytest.mark.parametrize("kind", ["s3", "gs", "az", "file"])
def test_kill_9_in_the_middle(sim, lockstep, location, slow_source, kind, moment):
    """No chance to clean up: what is there is whole, the next run ends in the same state, and no upload stays open."""
    target = location(kind)
    sim.call("DELETE", "faults")
    sim.add_fault(action="latency", cloud="s3", bucket=slow_source.bucket, operation="GetObject", milliseconds=100)
    process = start(lockstep, slow_source, target)
    wait_until(lambda: arrived(target) >= moment, process)
    process.kill()
    process.communicate()
    wanted = slow_source.content()
    assert all(wanted[key] == data for key, data in target.visible().items())
    sim.call("DELETE", "faults")
    lockstep.repair(slow_source, target, *PART)
    assert target.open_uploads() == []


def test_kill_9_amid_the_parts(sim, lockstep, source, target):
    source.put("large", os.urandom(40 * MIB))
    sim.add_fault(action="latency", cloud="s3", bucket=target.bucket, operation="UploadPart", milliseconds=300)
    process = start(lockstep, source, target)
    wait_until(lambda: target.open_uploads() and sim.requests("s3").get("UploadPart", 0) >= 3, process)
    process.kill()
    process.communicate()
    assert len(target.open_uploads()) == 1 and target.keys() == []
    sim.call("DELETE", "faults")
    lockstep.repair(source, target, *PART)
    assert target.open_uploads() == []


def test_a_second_run_of_the_pair_is_refused(sim, lockstep, slow_source, target, location):
    process = start(lockstep, slow_source, target)
    wait_until(lambda: arrived(target), process)
    outcome = lockstep.sync(slow_source.url, target.url, expect=7)
    assert "another run" in outcome.err and "--wait" in outcome.err and outcome.seconds < 5
    # Another pair is not concerned.
    lockstep.sync(target.url, location("s3").url)
    waiting = lockstep.start("sync", slow_source.url, target.url, "--json", "--wait", "--state", lockstep.state)
    time.sleep(0.3)
    assert waiting.poll() is None
    sim.call("DELETE", "faults")
    first = lockstep.finish(process)
    assert first.status == 0, first.err
    second = lockstep.finish(waiting)
    assert second.status == 0 and "waiting" in second.err
    assert second.summary["copied_objects"] == 0 and second.summary["unchanged_objects"] == 31


def test_the_lock_of_a_run_that_was_killed_is_free(sim, lockstep, slow_source, target):
    process = start(lockstep, slow_source, target)
    wait_until(lambda: arrived(target), process)
    process.kill()
    process.communicate()
    sim.call("DELETE", "faults")
    lockstep.repair(slow_source, target, *PART)


def test_a_signal_while_it_waits_for_the_lock(sim, lockstep, slow_source, target):
    process = start(lockstep, slow_source, target)
    wait_until(lambda: arrived(target), process)
    waiting = lockstep.start("sync", slow_source.url, target.url, "--wait", "--state", lockstep.state)
    time.sleep(0.3)
    assert lockstep.interrupt(waiting).status == 130
    sim.call("DELETE", "faults")
    assert lockstep.finish(process).status == 0


def test_a_reader_that_goes_away(lockstep, source, target):
    """`lockstep … | head -1`: the run goes on without its reader."""
    source.fill({f"k{number}": b"data" for number in range(200)})
    process = lockstep.start("sync", source.url, target.url, "--json", "--state", lockstep.state)
    process.stdout.close()
    process.stderr.read()
    assert process.wait(timeout=30) == 0 and len(target.keys()) == 200
