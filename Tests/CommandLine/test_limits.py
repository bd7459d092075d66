"""`--limit-rate`, `--max-transfer`, `--max-duration`, `--memory`: ceilings that a run keeps, and says that it met."""

import os
import resource

from locations import MIB


def test_limit_rate(lockstep, source, target):
    source.fill({f"k{number}": os.urandom(MIB) for number in range(4)})
    outcome = lockstep.sync(source.url, target.url, "--limit-rate", "2M")
    # 4 MiB at 2 MiB/s, less what may be sent at once at the start.
    assert 1 <= outcome.seconds < 20 and outcome.summary["copied_objects"] == 4
    assert lockstep.sync(source.url, target.url, "--limit-rate", "1").summary["unchanged_objects"] == 4


def test_limit_rate_holds_within_a_large_object(lockstep, source, target):
    source.put("large", os.urandom(12 * MIB))
    outcome = lockstep.sync(source.url, target.url, "--limit-rate", "6M", "--part-size", "5M")
    assert 0.9 <= outcome.seconds < 20 and target.content() == source.content()


def test_max_transfer(lockstep, source, target):
    source.fill({f"k{number}": os.urandom(100_000) for number in range(10)})
    outcome = lockstep.sync(source.url, target.url, "--max-transfer", "350k", expect=8)
    summary = outcome.summary
    assert summary["stopped"] == "max-transfer" and 1 <= summary["copied_objects"] <= 3 and summary["copied_bytes"] <= 350 * 1024
    assert len(target.keys()) == summary["copied_objects"]
    text = lockstep.run("sync", source.url, target.url, "--state", lockstep.state, "--max-transfer", "150k", expect=8).err
    assert "--max-transfer; the next run goes on" in text
    lockstep.repair(source, target)
    # Nothing left to move: the limit is not met.
    lockstep.sync(source.url, target.url, "--max-transfer", "0")


def test_max_transfer_deletes_nothing(lockstep, source, target):
    source.fill({"a": os.urandom(1000), "z": os.urandom(100_000)})
    target.put("m", b"surplus")
    lockstep.sync(source.url, target.url, "--max-transfer", "2000", "--delete", expect=8)
    assert "m" in target.keys()


def test_max_duration(sim, lockstep, source, target):
    source.fill({f"k{number:02}": b"data" for number in range(40)})
    sim.add_fault(action="latency", cloud="s3", bucket=source.bucket, operation="GetObject", milliseconds=400)
    outcome = lockstep.sync(source.url, target.url, "--max-duration", "500ms", "--concurrency", "2", expect=8)
    assert outcome.summary["stopped"] == "max-duration" and 1 <= outcome.summary["copied_objects"] < 40
    sim.call("DELETE", "faults")
    lockstep.repair(source, target)


def test_memory_bounds_what_is_in_flight(lockstep, source, target):
    source.fill({f"large{number}": os.urandom(24 * MIB) for number in range(2)})
    summary = lockstep.sync(source.url, target.url, "--memory", "20M").summary
    assert summary["peak_buffer_bytes"] <= 20 * MIB and target.content() == source.content()


def test_one_request_at_a_time(lockstep, source, target):
    source.fill({f"k{number}": os.urandom(1000) for number in range(10)} | {"large": os.urandom(11 * MIB)})
    lockstep.sync(source.url, target.url, "--concurrency", "1", "--part-size", "5M")
    assert target.content() == source.content()


def test_few_descriptors(lockstep, sim, source, target):
    """A shell with `ulimit -n 32` gets the copy, if only more slowly."""
    sim.populate("s3", source.bucket, "", 200, 1000)
    process = lockstep.start(
        "sync", source.url, target.url, "--json", "--state", lockstep.state,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32)),
    )
    outcome = lockstep.finish(process)
    assert outcome.status == 0, outcome.err
    assert outcome.summary["copied_objects"] == 200
