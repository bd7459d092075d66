"""Runs into and out of a vault that are killed or interrupted: readers see whole snapshots, and the next run sends little again."""

import os
import random
import signal

import pytest

from locations import MIB, FileLocation
from test_interruption import wait_until
from vaults import make_vault  # noqa: F401

PACK = 8 * MIB
#: Packs that can be open or under way when a run ends.
UNDER_WAY = 8
CLOUDS = {"s3": "s3", "gs": "gcs", "az": "azure"}
CONTENT = {f"k{number:02}": random.Random(number).randbytes(4 * MIB + number) for number in range(24)}
TOTAL = sum(map(len, CONTENT.values()))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return FileLocation(tmp_path_factory.mktemp("source") / "files").fill(CONTENT)


def start(vault, source, target, *flags):
    return vault.lockstep.start(
        "sync", source, target, "--json", "--no-progress", "--state", vault.lockstep.state, *vault.keys, "--concurrency", "4", *flags)


def received(sim, kind):
    return sum(entry["received"] for entry in sim.call("GET", "traffic").get(CLOUDS[kind], {}).values())


@pytest.mark.parametrize("kind", ["s3", "gs", "az", "file"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_run_into_a_vault(sim, make_vault, source, location, kind, number):
    vault = make_vault(kind, "--pack-size", "8M", "--compression", "none")
    sim.call("DELETE", "requests")
    # Slow enough to be met in the middle.
    process = start(vault, source.url, vault.url, "--limit-rate", "20M")
    wait_until(lambda: len(vault.names("pack/")) >= 2, process, seconds=60)
    if number == signal.SIGKILL:
        process.kill()
        process.communicate()
    else:
        outcome = vault.lockstep.interrupt(process, number, timeout=15)
        assert outcome.status == 128 + number and outcome.summary["stopped"] == "interrupted"
        # What was done is kept as a partial snapshot, which readers pass over where there is a complete one.
        assert [each["state"] for each in vault.snapshots()] == ["partial"]
    # Whatever is shown is whole.
    for key, size in vault.ls().items():
        assert size == len(CONTENT[key])
    packs = len(vault.names("pack/"))
    summary = vault.fill(source, "--concurrency", "4").summary
    assert summary["failed_objects"] == 0
    if kind == "file":
        stored = sum(len(vault.read(name)) for name in vault.names("pack/"))
        assert stored <= TOTAL * 1.04 + UNDER_WAY * PACK
    else:
        assert received(sim, kind) <= TOTAL * 1.04 + UNDER_WAY * PACK
    assert packs >= 2
    assert vault.snapshots()[-1]["state"] == "complete"
    target = location("file")
    vault.restore(target)
    assert target.visible() == CONTENT
    again = vault.fill(source).summary
    assert again["unchanged_objects"] == len(CONTENT) and again["sent_bytes"] == 0


def test_killed_again_and_again(sim, make_vault, source, location):
    vault = make_vault("s3", "--pack-size", "8M", "--compression", "none")
    chooser = random.Random(int(os.environ.get("LOCKSTEP_KILL_SEED", "1")))
    sim.call("DELETE", "requests")
    kills = 0
    for _ in range(5):
        process = start(vault, source.url, vault.url)
        try:
            process.wait(timeout=chooser.uniform(0.2, 1.5))
        except Exception:
            process.kill()
            kills += 1
        process.communicate()
        for key, size in vault.ls().items():
            assert size == len(CONTENT[key])
    vault.fill(source)
    assert received(sim, "s3") <= TOTAL * 1.05 + (kills + 1) * UNDER_WAY * PACK
    target = location("file")
    vault.restore(target)
    assert target.visible() == CONTENT


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda number: number.name)
def test_a_run_out_of_a_vault(sim, make_vault, source, location, number):
    vault = make_vault("file")
    vault.fill(source)
    target = location("s3")
    process = start(vault, vault.url, target.url)
    wait_until(lambda: any(not key.startswith(".lockstep/") for key in target.keys()), process)
    if number == signal.SIGKILL:
        process.kill()
        process.communicate()
    else:
        vault.lockstep.interrupt(process, number)
    for key, data in target.visible().items():
        assert data == CONTENT[key], f"{key} is torn"
    vault.restore(target)
    assert target.visible() == CONTENT


def test_a_limit_leaves_a_partial_snapshot(make_vault, source):
    vault = make_vault("file", "--compression", "none")
    summary = vault.fill(source, "--max-transfer", "20M", expect=8).summary
    assert summary["stopped"] == "max-transfer" and 0 < summary["copied_objects"] < len(CONTENT)
    assert summary["vault"]["is_partial"] is True
    assert [each["state"] for each in vault.snapshots()] == ["partial"]
    summary = vault.fill(source).summary
    assert summary["unchanged_objects"] > 0 and summary["vault"]["is_partial"] is False
    # The complete one takes the partial one's place.
    assert [each["state"] for each in vault.snapshots()] == ["complete"]
    assert set(vault.ls()) == set(CONTENT)


def test_what_failed_is_counted(sim, make_vault, location):
    vault = make_vault("file")
    place = location("s3").fill({"good": b"1", "bad": b"2"})
    sim.add_fault(action="status", status=403, cloud="s3", bucket=place.bucket, operation="GetObject", key="bad")
    outcome = vault.fill(place, expect=3)
    assert set(outcome.named("failed")) == {"bad"}
    (snapshot,) = vault.snapshots()
    assert snapshot["failures"] == 1 and snapshot["state"] == "complete"
    assert vault.ls() == {"good": 1}
    sim.call("DELETE", "faults")
    vault.fill(place)
    assert vault.ls() == {"bad": 1, "good": 1}
