"""The engine against moto, which verifies signatures and conditions and keeps every attribute, but looks at no checksum."""

import os

import pytest

from locations import MIB

OBJECTS = {
    "config.json": (b"{}", {"content_type": "application/json", "cache_control": "no-cache", "metadata": {"owner": "tests"}}),
    "empty": b"",
    "marker/": b"",
    "a//b": b"double",
    "with space+plus%25percent?question#hash&amp;=": b"odd",
    "ünïcödé/日本語/😀": b"unicode",
    "large.bin": os.urandom(11 * MIB + 3),
}
CONTENT = {key: value[0] if isinstance(value, tuple) else value for key, value in OBJECTS.items()}
PART = ("--part-size", "5M")


@pytest.mark.parametrize("other", ["s3", "gs", "az", "file"])
@pytest.mark.parametrize("direction", ["into", "out of"])
def test_sync(moto, user, location, direction, other, sim):
    lockstep = user(moto, **({"AWS_ENDPOINT_URL_S3": ""}))
    here, there = moto.bucket(), location(other)
    endpoint = ["--source-endpoint" if direction == "out of" else "--target-endpoint", moto.endpoint]
    if other == "s3":
        # The other side is CloudSim, with a key of its own.
        folder = lockstep.directory / ".aws"
        folder.mkdir()
        (folder / "credentials").write_text(
            f"[sim]\naws_access_key_id = {sim.s3['accessKey']}\naws_secret_access_key = {sim.s3['secretKey']}\n"
        )
        side = "target" if direction == "out of" else "source"
        endpoint += [f"--{side}-profile", "sim", f"--{side}-endpoint", sim.s3["endpoint"]]
    source, target = (there, here) if direction == "into" else (here, there)
    source.fill(OBJECTS)
    first = lockstep.sync(source.url, target.url, *endpoint, *PART)
    assert first.summary["copied_objects"] == len(OBJECTS)
    assert target.visible() == CONTENT and target.attributes("config.json") == OBJECTS["config.json"][1]
    assert target.open_uploads() == []
    second = lockstep.sync(source.url, target.url, *endpoint, *PART).summary
    assert second["unchanged_objects"] == len(OBJECTS)
    assert set(second["requests"]["source"]) == set(second["requests"]["target"]) == {"list"}
    source.put("config.json", b"[]")
    source.delete("a//b")
    third = lockstep.sync(source.url, target.url, *endpoint, *PART, "--delete").summary
    assert (third["copied_objects"], third["deleted_objects"]) == (1, 1) and target.visible() == source.content()


def test_within_moto(moto, user):
    lockstep, source, target = user(moto), moto.bucket(), moto.bucket()
    source.fill(OBJECTS)
    lockstep.sync(source.url, target.url, *PART)
    assert target.visible() == CONTENT
    # A lost ledger moves no payload.
    versions = {key: target.version(key) for key in OBJECTS}
    again = lockstep.sync(source.url, target.url, *PART, state=lockstep.directory / "other").summary
    assert (again["adopted_objects"], again["sent_bytes"]) == (len(OBJECTS), 0)
    assert {key: target.version(key) for key in OBJECTS} == versions


def test_what_it_lacks_is_said(moto, user):
    """moto answers no checksums of what it stores, so the engine reads back what it wrote."""
    lockstep, source, target = user(moto), moto.bucket(), moto.bucket()
    source.fill(OBJECTS)
    outcome = lockstep.sync(source.url, target.url, *PART)
    evidence = {event["evidence"] for event in outcome.named("copied").values()}
    assert evidence <= {2, 3}
    if 3 in evidence:
        assert outcome.summary["requests"]["target"]["read"] > 0


def test_conditions_hold(moto, user):
    """It enforces the conditions of single writes, so no notice, and a foreign change stays."""
    lockstep, source, target = user(moto), moto.bucket(), moto.bucket()
    source.put("k", b"one")
    outcome = lockstep.sync(source.url, target.url)
    assert not any("ignores the conditions" in notice for notice in outcome.notices)
    target.put("k", b"foreign")
    outcome = lockstep.sync(source.url, target.url, expect=3)
    assert outcome.named("skipped")["k"]["reason"] == "conflict" and target.get("k") == b"foreign"


def test_a_wrong_secret_is_refused(moto, user):
    lockstep, source, target = user(moto), moto.bucket(), moto.bucket()
    source.put("k", b"data")
    outcome = lockstep.sync(source.url, target.url, expect=78, environment={"AWS_SECRET_ACCESS_KEY": "canary-wrong-secret"})
    assert "SignatureDoesNotMatch" in outcome.err and target.keys() == []


def test_an_unknown_key_is_refused(moto, user):
    lockstep, source, target = user(moto), moto.bucket(), moto.bucket()
    outcome = lockstep.sync(source.url, target.url, expect=78, environment={"AWS_ACCESS_KEY_ID": "AKIDUNKNOWN000000000"})
    assert "InvalidAccessKeyId" in outcome.err


@pytest.mark.parametrize("part", ["5M", "6M", "8M"])
@pytest.mark.parametrize("size", [5 * MIB, 5 * MIB + 1, 10 * MIB, 24 * MIB])
def test_sizes_around_the_parts(moto, user, part, size):
    lockstep, source, target = user(moto), moto.bucket(), moto.bucket()
    source.put("k", os.urandom(size))
    lockstep.sync(source.url, target.url, "--part-size", part)
    assert target.content() == source.content() and target.open_uploads() == []


def test_many_objects_and_batches(moto, user):
    """More than a page of a listing, and a batch of deletions."""
    lockstep, target = user(moto), moto.bucket()
    folder = lockstep.directory / "many"
    for number in range(1100):
        path = folder / f"dir{number % 7}" / f"k{number:04}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)
    assert lockstep.sync(folder, target.url, timeout=120).summary["copied_objects"] == 1100
    for path in sorted(folder.rglob("k*"))[:20]:
        path.unlink()
    summary = lockstep.sync(folder, target.url, "--delete", "--permanent-delete").summary
    assert (summary["deleted_objects"], summary["unchanged_objects"]) == (20, 1080)
    assert target.keys() == sorted(str(path.relative_to(folder)) for path in folder.rglob("k*"))


def test_reading_commands(moto, user):
    lockstep, place = user(moto), moto.bucket()
    place.fill(OBJECTS)
    assert lockstep.run("cat", place.url + "/large.bin", "--range", "5-14").stdout == CONTENT["large.bin"][5:15]
    assert len(lockstep.run("ls", place.url).out.splitlines()) == len(OBJECTS)
    assert "metadata owner" in lockstep.run("stat", place.url + "/config.json").out
    lockstep.run("cat", place.url + "/none", expect=3)
    assert "no-such-bucket" in lockstep.run("ls", "s3://no-such-bucket", expect=78).err
