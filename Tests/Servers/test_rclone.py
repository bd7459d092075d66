"""The engine against `rclone serve s3`: a clone that ignores conditions and checksums, keeps few attributes and copies no parts."""

import os

from locations import MIB, S3Location, s3_client

OBJECTS = {
    "config.json": b"{}", "empty": b"", "dir/deep/k": b"deep", "with space+plus%25.txt": b"odd", "ünïcödé/日本語": b"unicode",
    "large.bin": os.urandom(11 * MIB + 3), "dir/small": os.urandom(3000),
}
PART = ("--part-size", "5M")


def test_into_and_out_of(rclone_s3, user, location):
    lockstep, place = user(rclone_s3), rclone_s3.bucket()
    source, back = location("gs"), location("file")
    source.fill(OBJECTS)
    outcome = lockstep.sync(source.url, place.url, *PART)
    assert outcome.summary["copied_objects"] == len(OBJECTS)
    # Nobody is told that bytes are proven which the server did not look at: they were read back.
    assert {event["evidence"] for event in outcome.named("copied").values()} <= {2, 3}
    assert any("ignores the conditions of writes" in notice for notice in outcome.notices)
    assert place.visible() == OBJECTS
    again = lockstep.sync(source.url, place.url, *PART)
    assert again.summary["unchanged_objects"] == len(OBJECTS)
    assert set(again.summary["requests"]["source"]) == set(again.summary["requests"]["target"]) == {"list"}
    assert any("ignores the conditions of writes" in notice for notice in again.notices)

    assert lockstep.sync(place.url, back.url, *PART).summary["copied_objects"] == len(OBJECTS)
    assert back.visible() == OBJECTS
    assert lockstep.sync(place.url, back.url, *PART).summary["unchanged_objects"] == len(OBJECTS)


def test_changes_and_deletions(rclone_s3, user, location):
    lockstep, place, source = user(rclone_s3), rclone_s3.bucket(), location("gs")
    source.fill(OBJECTS)
    lockstep.sync(source.url, place.url, *PART)
    source.put("config.json", b"[1]")
    source.put("new", b"n")
    source.delete("dir/small")
    outcome = lockstep.sync(source.url, place.url, *PART, "--delete", "--permanent-delete")
    assert (outcome.summary["copied_objects"], outcome.summary["deleted_objects"]) == (2, 1)
    assert place.visible() == source.content()


def test_a_deletion_with_a_backup(rclone_s3, user, location):
    lockstep, place, source = user(rclone_s3), rclone_s3.bucket(), location("gs")
    source.put("stays", b"s")
    place.fill({"stays": b"s", "surplus": os.urandom(2000)})
    data = place.get("surplus")
    deleted = lockstep.sync(source.url, place.url, "--delete").named("deleted")["surplus"]
    assert place.get(deleted["backup"]) == data and place.visible() == {"stays": b"s"}


def test_a_foreign_change_is_seen_before_the_write(rclone_s3, user, location):
    lockstep, place, source = user(rclone_s3), rclone_s3.bucket(), location("gs")
    source.put("k", b"one")
    lockstep.sync(source.url, place.url)
    place.put("k", b"foreign")
    source.put("k", b"two")
    outcome = lockstep.sync(source.url, place.url, expect=3)
    assert outcome.named("skipped")["k"]["reason"] == "conflict" and place.get("k") == b"foreign"


def test_a_lost_ledger(rclone_s3, user, location):
    """Without checksums and marks there is nothing to compare by but the bytes."""
    lockstep, place, source = user(rclone_s3), rclone_s3.bucket(), location("gs")
    source.fill(OBJECTS)
    lockstep.sync(source.url, place.url, *PART)
    lockstep.sync(source.url, place.url, *PART, state=lockstep.directory / "other")
    assert place.visible() == OBJECTS
    lockstep.sync(source.url, place.url, *PART, "--checksum", state=lockstep.directory / "third")
    assert place.visible() == OBJECTS


def test_a_wrong_secret_is_refused(rclone_s3, user, target):
    lockstep, place = user(rclone_s3), rclone_s3.bucket()
    place.put("k", b"data")
    lockstep.run("ls", place.url, expect=78, environment={"AWS_SECRET_ACCESS_KEY": "canary-wrong-secret"})


def test_reading_commands(rclone_s3, user):
    lockstep, place = user(rclone_s3), rclone_s3.bucket()
    place.fill(OBJECTS)
    assert lockstep.run("cat", place.url + "/large.bin", "--range", "5-14").stdout == OBJECTS["large.bin"][5:15]
    assert len(lockstep.run("ls", place.url).out.splitlines()) == len(OBJECTS)
    lockstep.run("cat", place.url + "/none", expect=3)
    lockstep.run("ls", "s3://no-such-bucket", expect=78)


def test_between_two_clones(rclone_s3, moto, user):
    lockstep = user(rclone_s3, AWS_ENDPOINT_URL_S3="")
    folder = lockstep.directory / ".aws"
    folder.mkdir()
    sections = [
        f"[{name}]\naws_access_key_id = {server.access_key}\naws_secret_access_key = {server.secret_key}\n"
        for name, server in (("moto", moto), ("rclone", rclone_s3))
    ]
    (folder / "credentials").write_text("\n".join(sections))
    lockstep.environment["AWS_ACCESS_KEY_ID"] = lockstep.environment["AWS_SECRET_ACCESS_KEY"] = ""
    source, target = moto.bucket(), rclone_s3.bucket()
    source.fill(OBJECTS)
    flags = ["--source-endpoint", moto.endpoint, "--source-profile", "moto"]
    flags += ["--target-endpoint", rclone_s3.endpoint, "--target-profile", "rclone"]
    lockstep.sync(source.url, target.url, *flags, *PART)
    assert target.visible() == OBJECTS


def test_other_clients_see_the_same(rclone_s3):
    """The location class of these tests is no part of the engine: it reads what rclone serves from its directory."""
    place = rclone_s3.bucket()
    place.put("k", b"data")
    assert (rclone_s3.directory / place.bucket / "k").read_bytes() == b"data"
    assert S3Location(s3_client(rclone_s3.endpoint, "AKIDRCLONE", "rclone-secret"), place.bucket).get("k") == b"data"
