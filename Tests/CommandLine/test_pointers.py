"""Readers that trust pointers: while syncs run, fail, lose replies and are killed, no pointer stands at the target without its whole set."""

import json
import os
import threading
import time
import zlib

import pytest

POINTERS = ("--pointers", "**/*.index.json", "--pointers", "**/latest")
CLOUD = {"s3": "s3", "gs": "gcs", "az": "azure"}
#: What writes a small object, in each cloud's words.
PUT = {"s3": "PutObject", "gs": "InsertObject", "az": "PutBlob"}


def publish(source, name, version, shards=6):
    """Shards under names of their own, then the index that names them, then `latest`, which names the index."""
    index = {}
    for number in range(shards):
        key, data = f"{name}/v{version}/shard-{number}", os.urandom(2000)
        source.put(key, data)
        index[key] = zlib.crc32(data)
    key, data = f"{name}/v{version}/model.index.json", json.dumps(index).encode()
    source.put(key, data)
    source.put(f"{name}/latest", json.dumps({key: zlib.crc32(data)}).encode())


def retire(source, name, version):
    keys = [key for key in source.keys() if key.startswith(f"{name}/v{version}/")]
    for key in sorted(keys, key=lambda key: not key.endswith(".index.json")):
        source.delete(key)


class Reader(threading.Thread):
    """Follows every pointer again and again. A pointer that was switched meanwhile says nothing about what it named before."""

    def __init__(self, target, names):
        super().__init__(daemon=True)
        self.target, self.names = target, names
        self.followed, self.problems, self.done = 0, [], threading.Event()

    def read(self, key):
        try:
            return self.target.get(key)
        except Exception as error:  # Each client has its own word for "not there".
            if any(word in f"{type(error).__name__} {error}" for word in ("NoSuchKey", "NotFound", "404")):
                return None
            raise

    def follow(self, pointer):
        content = self.read(pointer)
        if content is None:
            return
        self.followed += 1
        for key, checksum in json.loads(content).items():
            data = self.read(key)
            if data is not None and zlib.crc32(data) == checksum:
                if key.endswith(".index.json"):
                    self.follow(key)
            elif self.read(pointer) == content:
                self.problems.append(f"{pointer} stands, and {key} is {'missing' if data is None else 'another'}")

    def run(self):
        try:
            while not self.done.is_set():
                for name in self.names:
                    self.follow(f"{name}/latest")
        except Exception as error:
            self.problems.append(repr(error))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join(30)


@pytest.mark.parametrize("kind", ["s3", "gs", "az"])
def test_a_polling_reader_is_never_misled(sim, lockstep, source, location, kind):
    target = location(kind)
    place = dict(cloud=CLOUD[kind], bucket=target.scope)
    names = ["a", "a/inner", "b"]
    for name in names:
        publish(source, name, 1)
    rules = [
        sim.add_fault(action="latency", cloud="s3", bucket=source.scope, operation="GetObject", milliseconds=20),
        sim.add_fault(action="drop-reply-after-commit", operation=PUT[kind], probability=0.1, seed=5, **place),
        sim.add_fault(action="status", operation=PUT[kind], status=503, probability=0.1, seed=7, **place),
    ]
    flags = (*POINTERS, "--concurrency", "4")
    with Reader(target, names) as reader:
        lockstep.sync(source.url, target.url, *flags, expect=None)
        for version in (2, 3, 4):
            for name in names:
                publish(source, name, version)
                retire(source, name, version - 1)
            # Killed while the new version is half there, with a writer who does not wait either.
            process = lockstep.start(
                "sync", source.url, target.url, "--json", "--delete", "--max-delete", "1000", "--state", lockstep.state,
                *flags)
            deadline = time.monotonic() + 20
            halfway, more = f"a/v{version}/shard-{version}", 100
            while process.poll() is None and halfway not in target.keys() and time.monotonic() < deadline:
                if version == 3:
                    more += 1
                    publish(source, "b", more, shards=2)
            process.kill()
            process.communicate()
            lockstep.sync(source.url, target.url, "--delete", "--max-delete", "1000", *flags, expect=None)
        assert all(sim.fired(rule) > 0 for rule in rules)
        sim.call("DELETE", "faults")
        summary = lockstep.repair(source, target, "--delete", "--max-delete", "1000", *flags).summary
        followed = reader.followed
    assert reader.problems == [] and followed > 20
    assert summary["held_pointers"] == 0


def test_a_pointer_is_held_back_until_its_set_is_whole(sim, lockstep, source, target):
    for name in ("a", "b"):
        publish(source, name, 1)
    sim.add_fault(action="status", cloud="s3", bucket=source.bucket, operation="GetObject", key="a/v1/shard-3", status=403)
    outcome = lockstep.sync(source.url, target.url, *POINTERS, expect=3)
    held = outcome.named("skipped")
    assert sorted(held) == ["a/latest", "a/v1/model.index.json"]
    assert all(event["reason"] == "set-incomplete" and "a/v1/shard-3" in event["message"] for event in held.values())
    assert outcome.summary["held_pointers"] == 2 and "b/latest" in target.keys() and "a/latest" not in target.keys()
    people = lockstep.run("sync", source.url, target.url, "--state", lockstep.state, *POINTERS, expect=3)
    assert "2 pointers held back" in people.err + people.out and "skipped a/latest: held back" in people.err
    sim.call("DELETE", "faults")
    assert lockstep.repair(source, target, *POINTERS).summary["copied_objects"] == 3


def test_a_second_run_lists_and_does_nothing_else(lockstep, source, target):
    publish(source, "a", 1)
    lockstep.sync(source.url, target.url, *POINTERS)
    requests = lockstep.sync(source.url, target.url, *POINTERS).summary["requests"]
    assert requests == {"source": {"list": 1}, "target": {"list": 1}, "control": {"list": 1}}


def test_dry_runs_show_pointers(lockstep, source, target):
    publish(source, "a", 1)
    outcome = lockstep.sync(source.url, target.url, *POINTERS, "--dry-run")
    assert "a/latest" in outcome.named("would-copy") and target.keys() == []


@pytest.mark.parametrize("flags", [("--set-depth", "0"), ("--set-depth", "1"), ("--set", "models/*/v*/")])
def test_sets_of_other_sizes(lockstep, source, target, flags):
    for name in ("models/a", "models/b"):
        publish(source, name, 1)
    lockstep.sync(source.url, target.url, *POINTERS, *flags)
    assert target.visible() == source.visible()


@pytest.mark.parametrize(
    "flags, words",
    [
        (("--set-depth", "1"), "--pointers"),
        (("--set", "a/"), "--pointers"),
        (("--pointers", "x", "--set", "a/", "--set-depth", "1"), "exclude each other"),
        (("--pointers", "x", "--set-depth", "-1"), "--set-depth"),
        (("--pointers", "[x"), "[x"),
        (("--pointers", ""), "empty pattern"),
        (("--pointers", "x", "--set", "/"), "empty pattern"),
        (("--pointers", "x", "--files-from", "/dev/null"), "--files-from"),
    ],
)
def test_flags_that_contradict_each_other(lockstep, source, target, flags, words):
    assert words in lockstep.run("sync", source.url, target.url, *flags, expect=2).err
