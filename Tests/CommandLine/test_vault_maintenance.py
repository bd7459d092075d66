"""`vault prune`, `forget`, `gc` and `check`: what is kept stays readable whatever goes, and what is broken is named."""

import json
import random

import pytest

from locations import KINDS, MIB
from vaults import Vault, make_vault  # noqa: F401


def noise(seed, size):
    return random.Random(seed).randbytes(size)


@pytest.fixture
def versions(make_vault, location):
    """A vault of four snapshots, each of one large object of its own and one that all have."""
    return filled(make_vault("file", "--pack-size", "8M", "--compression", "none"), location)


def filled(vault, location):
    source = location("file").fill({"common": noise(0, 3 * MIB)})
    vault.states = []
    for number in range(4):
        source.put("own", noise(number + 1, 6 * MIB))
        vault.fill(source)
        vault.states.append(source.content())
    vault.ids = [each["id"] for each in vault.snapshots()]
    return vault


def check(vault, *flags, expect=0):
    lines = vault.lines("check", *flags, expect=expect)
    assert lines[-1]["event"] == "check" and all(line["event"] == "finding" for line in lines[:-1])
    summary = lines[-1]["summary"]
    assert summary["verdict"] == ("WHOLE" if expect == 0 else "DAMAGED") and summary["findings"] == len(lines) - 1
    return lines[:-1], summary


def collect(vault, *flags):
    (line,) = vault.lines("gc", *flags)
    assert line["event"] == "collection"
    return line["summary"]


def collect_all(vault):
    """Until there is nothing left to do."""
    for _ in range(6):
        report = collect(vault, "--grace", "0s")
        check(vault)
        if not (report["condemned"]["count"] or report["waiting"] or report["dropped"]["count"] or report["deleted_packs"]):
            return
    pytest.fail("garbage collection does not come to an end")


def stored(vault):
    return sum(len(vault.read(name)) for name in vault.names("pack/"))


def restore(vault, location, number):
    target = location("file")
    vault.restore(target, "--snapshot", vault.ids[number])
    assert target.visible() == vault.states[number]


# Prune and forget.


def test_prune_says_what_it_would_take_and_then_takes_it(versions):
    before = versions.contents()
    rule = ("--keep-last", "2")
    said = versions.run("vault", "prune", versions.url, *rule, "--dry-run").out.splitlines()
    assert [line.split("\t")[:2] for line in said] == [
        ["would remove", str(versions.ids[0])], ["would remove", str(versions.ids[1])], ["kept", str(versions.ids[2])],
        ["kept", str(versions.ids[3])],
    ]
    assert versions.contents() == before
    lines = versions.lines("prune", *rule)
    assert [(line["event"], line["id"]) for line in lines] == list(zip(["removed", "removed", "kept", "kept"], versions.ids))
    assert "last" in lines[2]["reasons"] and "newest" in lines[3]["reasons"]
    assert [each["id"] for each in versions.snapshots()] == versions.ids[2:]
    # Once more, there is nothing to do, and no root is written.
    names = versions.names()
    assert [line["event"] for line in versions.lines("prune", *rule)] == ["kept", "kept"]
    assert versions.names() == names


@pytest.mark.parametrize(
    "rule, kept", [(("--keep-daily", "5"), [0, 3]), (("--keep-hourly", "1"), [3]), (("--keep-within", "30d"), [0, 1, 2, 3]),
                   (("--keep-last", "1", "--keep-within", "1d"), [0, 1, 2, 3]), (("--keep-yearly", "1"), [3])],
    ids=lambda value: " ".join(map(str, value)))
def test_rules(versions, rule, kept):
    versions.run("vault", "prune", versions.url, *rule)
    left = [each["id"] for each in versions.snapshots()]
    # An hour or a day may have ended between the syncs.
    assert left[-1] == versions.ids[-1] and set(left) >= {versions.ids[number] for number in kept if number in (3,)}
    if rule[0] in ("--keep-within", "--keep-last"):
        assert left == [versions.ids[number] for number in kept]


def test_forget(versions, location):
    versions.run("vault", "forget", versions.url, str(versions.ids[1]), str(versions.ids[2]))
    assert [each["id"] for each in versions.snapshots()] == [versions.ids[0], versions.ids[3]]
    for number in (0, 3):
        restore(versions, location, number)
    assert "no snapshot" in versions.run("ls", versions.url, "--snapshot", str(versions.ids[1]), expect=2).err


def test_what_cannot_be_taken_away(versions):
    before = versions.contents()
    newest = versions.run("vault", "forget", versions.url, str(versions.ids[3]), expect=2)
    assert "newest" in newest.err
    assert "777" in versions.run("vault", "forget", versions.url, "777", expect=2).err
    for arguments in [
        ("prune",), ("prune", "--keep-last", "0"), ("prune", "--keep-last", "-1"), ("prune", "--keep-within", "soon"), ("forget",),
        ("forget", "latest"), ("gc", "--grace", "x"), ("gc", "--repack", "0"), ("gc", "--repack", "101%"),
        ("check", "--read-data=0/3"), ("check", "--read-data=4/3"), ("check", "--read-data=x"), ("check", "--keyless", "--read-data"),
        ("check", "--keyless", "--at-least", "1:" + "0" * 64),
    ]:
        versions.run("vault", arguments[0], versions.url, *arguments[1:], expect=2)
    assert versions.contents() == before


# Garbage collection.


@pytest.mark.parametrize("kind", list(KINDS))
def test_space_comes_back_and_what_is_kept_stays(make_vault, location, kind):
    vault = filled(make_vault(kind, "--pack-size", "8M", "--compression", "none"), location)
    full = stored(vault)
    vault.run("vault", "prune", vault.url, "--keep-last", "1")
    assert stored(vault) == full
    report = collect(vault)
    # Within the grace nothing goes.
    assert report["condemned"]["count"] > 0 and report["deleted_packs"] == 0
    waiting = collect(vault)
    assert waiting["waiting"] == report["condemned"]["count"] and waiting["waiting_until"]
    assert "wait on the list" in vault.run("vault", "gc", vault.url).out
    restore(vault, location, 3)
    collect_all(vault)
    assert stored(vault) < 11 * MIB < full
    restore(vault, location, 3)
    # And it goes on from there.
    source = location("file").fill({"common": noise(0, 3 * MIB), "own": noise(2, 6 * MIB)})
    vault.fill(source)
    target = location("file")
    vault.restore(target)
    assert target.visible() == source.visible()
    check(vault, "--read-data")


def test_a_dry_run_changes_nothing(versions):
    versions.run("vault", "prune", versions.url, "--keep-last", "1")
    before = versions.contents()
    report = collect(versions, "--grace", "0s", "--dry-run")
    assert report["dry_run"] is True and report["condemned"]["count"] > 0
    assert "would be put on the list" in versions.run("vault", "gc", versions.url, "--dry-run").out
    assert versions.contents() == before


def test_nothing_to_do(versions, location):
    collect_all(versions)
    before = stored(versions)
    report = collect(versions, "--grace", "0s")
    assert report["condemned"]["count"] == 0 and stored(versions) == before
    for number in range(4):
        restore(versions, location, number)


def test_what_is_condemned_and_comes_again_is_kept(versions, location):
    """A sync that needs chunks of packs on the list takes them off it, or stores them again."""
    versions.run("vault", "prune", versions.url, "--keep-last", "1")
    assert collect(versions)["condemned"]["count"] > 0
    source = location("file").fill(versions.states[0])
    versions.fill(source)
    collect_all(versions)
    target = location("file")
    versions.restore(target)
    assert target.visible() == versions.states[0]
    check(versions, "--read-data")


# Check.


def test_a_whole_vault(versions):
    findings, summary = check(versions)
    assert summary["snapshots"] == 4 and summary["packs"] == len(versions.names("pack/")) and summary["verified_bytes"] == 0
    assert versions.run("vault", "check", versions.url, "--no-progress").out.splitlines()[-1] == "WHOLE"
    everything = check(versions, "--read-data")[1]
    assert everything["verified_bytes"] > 20 * MIB
    # The option's value may be left out before the location too.
    assert "WHOLE" in versions.run("vault", "check", "--read-data", versions.url).out
    shares = [check(versions, f"--read-data={number}/3")[1]["verified_objects"] for number in (1, 2, 3)]
    assert sum(shares) >= len(versions.names("pack/"))


def test_without_a_key(versions):
    outcome = versions.lockstep.finish(
        versions.lockstep.start("vault", "check", versions.url, "--keyless", "--json", start_new_session=True))
    assert outcome.status == 0, outcome.err
    summary = json.loads(outcome.out.splitlines()[-1])["summary"]
    assert summary["verdict"] == "INTACT" and summary["verified_objects"] >= len(versions.names("pack/"))
    name = versions.names("pack/")[0]
    data = versions.read(name)
    versions.write(name, data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])
    outcome = versions.lockstep.finish(
        versions.lockstep.start("vault", "check", versions.url, "--keyless", start_new_session=True))
    assert outcome.status == 4 and name in outcome.out and "DAMAGED" in outcome.out


@pytest.mark.parametrize("part", ["snap/", "index/", "pack/", "root/"])
@pytest.mark.parametrize("how", ["gone", "cut", "flipped"])
def test_what_is_broken_is_named_with_what_that_costs(versions, part, how):
    # Of pages and segments the last, which the newest snapshot needs; of roots one before the newest.
    name = versions.names(part)[-2 if part == "root/" else -1]
    data = versions.read(name)
    if how == "gone":
        versions.delete(name)
    else:
        versions.write(name, data[: len(data) // 2] if how == "cut" else data[:-60] + bytes([data[-60] ^ 1]) + data[-59:])
    outcome = versions.run("vault", "check", versions.url, "--read-data", expect=4)
    assert name in outcome.out + outcome.err
    if part == "pack/":
        findings, _ = check(versions, "--read-data", expect=4)
        named = next(each for each in findings if each["object"] == name)
        assert named["key_count"] >= 1 and set(named["keys"]) <= {"common", "own"} and named["snapshots"]
    # Without a key nobody knows what there should be, but for roots, which are numbered.
    is_seen = how != "gone" or part == "root/"
    keyless = versions.run("vault", "check", versions.url, "--keyless", expect=4 if is_seen else 0)
    assert ("DAMAGED" if is_seen else "INTACT") in keyless.out and (name in keyless.out or how == "gone")


def test_a_flipped_byte_of_data_needs_the_data_read(versions):
    name = max(versions.names("pack/"), key=lambda each: len(versions.read(each)))
    data = versions.read(name)
    versions.write(name, data[:200_000] + bytes([data[200_000] ^ 1]) + data[200_001:])
    check(versions)
    findings, _ = check(versions, "--read-data", expect=4)
    assert name in {each["object"] for each in findings}


def test_no_vault_and_no_key(versions, lockstep, location):
    place = location("file")
    for verb in (("prune", "--keep-last", "1"), ("forget", "1"), ("gc",), ("check",), ("check", "--keyless")):
        refused = versions.run("vault", verb[0], place.url, *verb[1:], expect=78)
        assert "lockstep vault init" in refused.err
        if verb[-1] != "--keyless":
            wrong = versions.secret("wrong")
            lockstep.run("vault", verb[0], versions.url, *verb[1:], "--password-file", wrong, expect=78)


def test_speed(lockstep, tmp_path):
    file = tmp_path / "rows"
    file.write_bytes(b"the same line\n" * 100_000)
    lines = [json.loads(line) for line in lockstep.run("vault", "speed", file, "--json").out.splitlines()]
    assert {"BLAKE3", "AES-256-GCM seal", "whole"} <= {line["stage"] for line in lines}
    assert all(line["bytes_per_second"] > 0 for line in lines)
    assert next(line["ratio"] for line in lines if line["stage"] == "zstd compress") < 0.1
    assert "MiB/s" in lockstep.run("vault", "speed", file).out
    lockstep.run("vault", "speed", tmp_path / "none", expect=2)
    (tmp_path / "empty").touch()
    lockstep.run("vault", "speed", tmp_path / "empty", expect=2)
