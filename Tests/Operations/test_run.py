"""`lockstep run`: pairs of a configuration file do what flags of `sync` do, one after another or side by side."""

import datetime
import json
import os
import signal

import pytest

from checking import SCHEMA as CHECK_SCHEMA
from daemons import wait_until
from locations import MIB
from vaults import Vault


def test_a_pair_is_mirrored(configured, source, target):
    source.fill({"a": b"1", "b/c": b"22"})
    configured.pair(source, target)
    assert configured.summary()["copied_objects"] == 2
    assert target.visible() == source.visible()
    assert configured.summary()["unchanged_objects"] == 2


@pytest.mark.parametrize("first", ["run", "sync"])
def test_run_and_sync_share_the_ledger(configured, lockstep, source, target, first):
    """Named by source and target identity: a run by hand goes on from one by the file, and back."""
    source.fill({f"k{number}": b"data" for number in range(5)})
    configured.pair(source, target)

    def sync():
        return lockstep.sync(source.url, target.url).summary

    one, other = (configured.summary, sync) if first == "run" else (sync, configured.summary)
    assert one()["copied_objects"] == 5
    # Nothing is compared again: the ledger of the other knows it.
    again = other()
    assert again["unchanged_objects"] == 5 and again["adopted_objects"] == 0
    assert not [name for name in again["requests"]["source"] if name != "list"]
    assert len(list(lockstep.state.glob("*.sqlite"))) == 1


def test_filters_deletion_and_pointers(configured, sim, source, target):
    source.fill({"v1/data": b"1", "v1/latest": b"v1", "x.tmp": b"t", "keep/x": b"k"})
    target.fill({"old1": b"o", "old2": b"o"})
    configured.pair(
        source, target, filters=[{"exclude": "*.tmp"}], delete={"enabled": True, "max": "50%"},
        pointers={"patterns": ["**/latest"]})
    refused = configured.summary(pair="models", expect=6)
    assert refused["deleted_objects"] == 0 and "old1" in target.keys()
    configured.pair(
        source, target, filters=[{"exclude": "*.tmp"}], delete={"enabled": True, "max": [2, "100%"]},
        pointers={"patterns": ["**/latest"]})
    summary = configured.summary()
    assert summary["deleted_objects"] == 2 and summary["filtered_objects"] == 1
    assert sorted(target.visible()) == ["keep/x", "v1/data", "v1/latest"]
    kept = [key for key in target.keys() if key.startswith(".lockstep/deleted/")]
    assert len(kept) == 2
    # A pointer whose set is not complete is held back.
    sim.add_fault(action="status", cloud="s3", bucket=target.bucket, operation="PutObject", key="v2/data", status=403)
    source.fill({"v2/data": b"2", "v2/latest": b"v2"})
    assert configured.summary(expect=3)["held_pointers"] == 1
    assert "v2/latest" not in target.keys()


def test_delta_sends_what_is_new(configured, source, target):
    data = os.urandom(24 * MIB)
    source.put("large", data)
    configured.pair(source, target, delta=True, limits={"part_size": "5M"})
    assert configured.summary()["copied_objects"] == 1
    source.put("large", data[:12 * MIB] + b"inserted" + data[12 * MIB:])
    assert configured.summary()["avoided_bytes"] > 12 * MIB
    assert target.content() == source.content()


def test_a_vault_by_its_name(configured, lockstep, source, location):
    vault = Vault(lockstep, location("s3")).init()
    source.fill({"a": b"1", "b": b"22"})
    restored = location("s3")
    configured.pairs(
        {
            "seal": {"source": source, "target": {"vault": "offsite", "folder": "models"}, "layout": "vault"},
            "restore": {"source": {"vault": "offsite", "folder": "models", "snapshot": "latest"}, "target": restored},
        },
        vaults={"offsite": {"location": vault.plain, "password_file": str(vault.password_file)}})
    outcome = configured.run()
    assert outcome.by_pair["seal"][-1]["summary"]["vault"]["new_chunks"] == 2
    assert restored.visible() == source.visible()
    # Found by its location too.
    configured.pair(
        source, f"{vault.url}/models",
        rest={"vaults": {"offsite": {"location": vault.url, "password_file": str(vault.password_file)}}})
    assert configured.summary()["unchanged_objects"] == 2


def test_checking_pairs(configured, source, target):
    source.fill({"a": b"1", "b": b"2"})
    configured.pair(source, target, check={"evidence": 2})
    configured.run()
    lines = configured.run("--check").by_pair["models"]
    assert lines[-1]["schema"] == CHECK_SCHEMA and lines[-1]["summary"]["verdict"] == "IN_SYNC"
    assert lines[-1]["summary"]["evidence"] == 2
    target.put("b", b"3")
    lines = configured.run("--check", expect=4).by_pair["models"]
    assert [line["key"] for line in lines if line["event"] == "differs"] == ["b"]


def test_dry_run_writes_nothing(configured, source, target):
    source.put("a", b"1")
    configured.pair(source, target)
    lines = configured.run("--dry-run").by_pair["models"]
    assert [line["event"] for line in lines] == ["would-copy", "summary"] and not target.all_keys()


def test_many_pairs_in_order_and_side_by_side(configured, lockstep, location):
    pairs = {}
    for name in ("zebra", "ape", "mouse"):
        source = location("s3").fill({"k": name.encode()})
        pairs[name] = {"source": source, "target": location("s3")}
    targets = {name: pair["target"] for name, pair in pairs.items()}
    configured.pairs(pairs)
    outcome = configured.run()
    assert list(outcome.by_pair) == ["zebra", "ape", "mouse"]
    assert {name: target.get("k") for name, target in targets.items()} == {name: name.encode() for name in targets}
    assert set(configured.run("--parallel", "3").by_pair) == set(targets)
    assert list(configured.run("mouse", "zebra").by_pair) == ["zebra", "mouse"]
    text = lockstep.run("run", "--config", configured.path, "ape", "mouse", "--verbose").err
    assert "ape: 1 unchanged" in text and "mouse: requests:" in text
    alone = lockstep.run("run", "--config", configured.path, "ape").err
    assert alone.startswith("copied 0 objects")
    wrong = lockstep.run("run", "--config", configured.path, "lion", expect=2).err
    assert "no pair of the name lion; it has zebra, ape, mouse" in wrong


def test_the_exit_code_is_the_worst_and_others_go_on(configured, location, source, target):
    source.put("a", b"1")
    configured.pairs({
        "broken": {"source": "s3://no-such-bucket-here", "target": location("s3")},
        "partial": {"source": location("s3").fill({"x": b"12345"}), "target": target, "limits": {"max_transfer": "1"}},
        "fine": {"source": source, "target": location("s3")},
    })
    outcome = configured.run(expect=78)
    assert outcome.by_pair["fine"][-1]["summary"]["copied_objects"] == 1
    assert outcome.by_pair["partial"][-1]["summary"]["exit_code"] == 8
    assert configured.run("partial", "fine", expect=8)


def test_another_run_has_the_pair(configured, lockstep, sim, source, target):
    source.put("a", b"1")
    sim.add_fault(action="latency", cloud="s3", bucket=source.bucket, operation="GetObject", milliseconds=6000)
    configured.pair(source, target)
    asked = sim.requests("s3").get("GetObject", 0)
    first = lockstep.start("run", "--config", configured.path, "--quiet")
    wait_until(lambda: sim.requests("s3").get("GetObject", 0) > asked)
    last = configured.run(expect=7).by_pair["models"][-1]
    assert last["event"] == "error" and last["exit_code"] == 7 and "another run of this pair is under way" in last["message"]
    lockstep.finish(first)


def test_a_signal_ends_the_pair_and_no_other_begins(configured, lockstep, sim, source, target, location):
    source.fill({f"k{number:02}": b"data" for number in range(40)})
    sim.add_fault(action="latency", cloud="s3", bucket=source.bucket, operation="GetObject", milliseconds=500)
    second = location("s3")
    configured.pairs({
        "slow": {"source": source, "target": target, "limits": {"concurrency": 2}},
        "next": {"source": location("s3").fill({"a": b"1"}), "target": second},
    })
    process = lockstep.start("run", "--config", configured.path, "--json", "--no-progress")
    line = json.loads(process.stdout.readline())
    assert line["pair"] == "slow"
    outcome = lockstep.interrupt(process, signal.SIGTERM)
    assert outcome.status == 143
    last = json.loads(outcome.out.splitlines()[-1])
    assert last["pair"] == "slow" and last["summary"]["stopped"] == "interrupted" and not second.all_keys()


# MARK: Windows

def window_around_now(rate, minutes=120):
    """Times of today in UTC that hold now and for a while, over midnight if need be."""
    now = datetime.datetime.now(datetime.timezone.utc)
    start, end = now - datetime.timedelta(minutes=minutes), now + datetime.timedelta(minutes=minutes)
    return {"from": start.strftime("%H:%M"), "to": end.strftime("%H:%M"), "rate": rate}


def test_nothing_runs_in_a_closed_window(configured, source, target):
    source.put("a", b"1")
    configured.pair(source, target, windows=[window_around_now(0)])
    last = configured.run(expect=8).by_pair["models"][-1]
    assert last["event"] == "error" and last["exit_code"] == 8 and "a window with rate 0 is open" in last["message"]
    assert not target.all_keys()
    configured.run("--check", expect=8)


def test_a_window_has_its_own_rate(configured, source, target):
    source.fill({f"k{number}": os.urandom(MIB) for number in range(4)})
    configured.pair(source, target, windows=[window_around_now("2M")], limits={"rate": "1G"})
    # 4 MiB at 2 MiB/s, less what may be sent at once at the start.
    assert configured.run().seconds >= 1
    assert target.content() == source.content()


def test_a_run_ends_where_a_window_without_runs_begins(configured, sim, source, target):
    """The last minute before the window: what has not begun by then is left to the next run."""
    source.fill({f"k{number:03}": b"data" for number in range(600)})
    sim.add_fault(action="latency", cloud="s3", bucket=source.bucket, operation="GetObject", milliseconds=1000)
    now = datetime.datetime.now(datetime.timezone.utc)
    # The window begins with the next minute that is far enough for the run to have begun.
    start = (now + datetime.timedelta(seconds=70 if now.second > 50 else 60)).replace(second=0, microsecond=0)
    end = start + datetime.timedelta(minutes=90)
    window = {"from": start.strftime("%H:%M"), "to": end.strftime("%H:%M"), "rate": 0}
    configured.pair(source, target, windows=[window], limits={"concurrency": 1})
    summary = configured.summary(expect=8, timeout=150)
    assert summary["stopped"] == "window" and 1 <= summary["copied_objects"] < 600
    configured.pair(source, target)
    sim.call("DELETE", "faults")
    assert configured.summary()["copied_objects"] == 600 - summary["copied_objects"]


# MARK: Identities

def test_endpoints_and_secrets_of_the_file_and_not_of_the_environment(configured, sim, source, target):
    source.put("a", b"1")
    configured.pair(
        {"location": source.url, "cloud": "here"}, {"location": target.url, "cloud": "here"},
        rest={"clouds": {"here": {
            "type": "s3", "endpoint": sim.s3["endpoint"], "region": sim.s3["region"],
            "access_key_id": sim.s3["accessKey"], "secret_access_key": "${env:SIM_SECRET}",
        }}})
    wrong = {"AWS_ACCESS_KEY_ID": "wrong", "AWS_SECRET_ACCESS_KEY": "wrong-secret", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}
    outcome = configured.run(environment={**wrong, "SIM_SECRET": sim.s3["secretKey"]})
    assert target.get("a") == b"1" and sim.s3["secretKey"] not in outcome.out + outcome.err
    outcome = configured.run(environment={**wrong, "SIM_SECRET": "canary-of-a-wrong-secret"}, expect=78)
    assert "canary-of-a-wrong-secret" not in outcome.out + outcome.err


def test_one_identity_is_asked_once_for_all_pairs(configured, sim, location, tmp_path):
    """Both pairs name the same cloud: a program that hands out its keys is started once."""
    script, calls = tmp_path / "keys", tmp_path / "calls"
    answer = {"Version": 1, "AccessKeyId": sim.s3["accessKey"], "SecretAccessKey": sim.s3["secretKey"]}
    script.write_text(f"#!/bin/sh\necho called >> {calls}\necho '{json.dumps(answer)}'\n")
    script.chmod(0o700)
    config = tmp_path / "aws-config"
    config.write_text(f"[profile made]\ncredential_process = {script}\n")
    here = {"type": "s3", "endpoint": sim.s3["endpoint"], "region": sim.s3["region"], "profile": "made"}
    pairs = {}
    for name in ("one", "two"):
        source, target = location("s3").fill({"a": b"1"}), location("s3")
        pairs[name] = {"source": {"location": source.url, "cloud": "here"}, "target": {"location": target.url, "cloud": "here"}}
    configured.pairs(pairs, clouds={"here": here})
    outcome = configured.run(environment={"AWS_CONFIG_FILE": str(config), "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""})
    assert [lines[-1]["summary"]["copied_objects"] for lines in outcome.by_pair.values()] == [1, 1]
    assert calls.read_text().split() == ["called"]


def test_encryption_by_flag_and_by_key(configured, lockstep, source, location):
    source.put("a", b"1")
    by_key, by_flag = location("s3"), location("s3")
    configured.pair(source, {"location": by_key.url, "encryption": "aws:kms:alias/models"})
    configured.run()
    lockstep.sync(source.url, by_flag.url, "--target-encryption", "AES256")
    head = by_key.client.head_object(Bucket=by_key.bucket, Key="a")
    assert head["ServerSideEncryption"] == "aws:kms" and "alias/models" in head["SSEKMSKeyId"]
    assert by_flag.client.head_object(Bucket=by_flag.bucket, Key="a")["ServerSideEncryption"] == "AES256"
    google, key = location("gs"), "projects/p/locations/eu/keyRings/r/cryptoKeys/k"
    configured.pair(source, {"location": google.url, "encryption": key})
    configured.run()
    assert google.bucket.get_blob("a").kms_key_name.startswith(key)


@pytest.mark.parametrize("kind, value, advice", [
    ("s3", "aws:kms:", "aws:kms:dsse"), ("gs", "AES256", "projects/P/locations/L/keyRings/R/cryptoKeys/K"),
    ("az", "x y", "encryption scope"), ("file", "AES256", "a directory encrypts nothing"),
])
def test_encryption_that_a_cloud_does_not_know(configured, lockstep, source, location, kind, value, advice):
    target = location(kind)
    refused = lockstep.sync(source.url, target.url, "--target-encryption", value, expect=2)
    assert advice in refused.err
    configured.pair(source, {"location": target.url, "encryption": value})
    line, key, message, _ = configured.problems()[0]
    assert key == "pairs.models.target.encryption" and line > 1
    assert advice in message or "a directory encrypts nothing" in message
