"""`lockstep doctor` with the real binary: honest services are found honest, those that lie are found out, and nothing stays behind."""

import json
import os
import signal
import time

import pytest

from doctoring import doctor
from faults import COMPLETE, DELETE, LIST, READ, WRITE, fault, kind  # noqa: F401
from lockstep_binary import Lockstep

ALL = ["s3", "gs", "az", "file"]
CLOUDS = ["s3", "gs", "az"]
#: What every place must be found to do.
RELIED_ON = (
    "reach", "read-after-write", "ranged-reads", "pinned-reads", "list-after-write", "list-order", "conditional-create",
    "conditional-replace", "conditional-complete", "conditional-delete", "metadata", "multipart", "delete",
)


@pytest.mark.parametrize("kind", ALL)
def test_an_honest_place_is_usable_and_left_as_it_was(lockstep, location, sim, kind):
    place = location(kind).fill({"here before": b"x", "a/b": b"y"})
    before = place.content()
    sim.call("DELETE", "requests")
    found = doctor(lockstep, place)
    for subject in RELIED_ON:
        assert found.marks(subject) == ["ok"], (subject, found.findings)
    assert not found.with_mark("failure") and not found.with_mark("denied") and found.summary["left_behind"] == []
    if kind in CLOUDS:
        cloud = {"s3": "s3", "gs": "gcs", "az": "azure"}[kind]
        assert sum(sim.requests(cloud).values()) == found.summary["requests"]
    assert place.content() == before
    if kind != "az":
        # Azure keeps the blocks of an upload that was given up for a week, and says so.
        assert place.open_uploads() == []
    assert found.summary["requests"] < 100
    assert found.summary["sent_bytes"] + found.summary["received_bytes"] < 40 << 20


@pytest.mark.parametrize("kind", ALL)
def test_people_get_a_line_for_each_finding_and_the_count(lockstep, location, kind):
    place = location(kind)
    lines = lockstep.run("doctor", place.url).out.splitlines()
    assert lines[0].startswith(place.url) and "as a target" in lines[0]
    assert any(line.startswith("  ok") and "list-order" in line for line in lines)
    assert "sent" in lines[-1] and "received" in lines[-1] and lines[-1].startswith("Usable")
    assert not any(len(line) > 400 for line in lines)


@pytest.mark.parametrize("kind", CLOUDS)
def test_a_prefix_confines_what_is_written(lockstep, location, kind):
    place = location(kind).fill({"other/1": b"1", "mine/2": b"2"})
    found = doctor(lockstep, place.url + "/mine")
    assert found.marks("rights-outside") == ["warning"]
    assert place.content() == {"other/1": b"1", "mine/2": b"2"}


@pytest.mark.parametrize("kind", ALL)
def test_nothing_is_written_when_that_is_asked_for(lockstep, location, sim, kind):
    place = location(kind).fill({name: name.encode() * 3000 for name in ["B", "a-", "a/b", "a0", "ü"]})
    before = place.content()
    sim.call("DELETE", "requests")
    found = doctor(lockstep, place, "--read-only", "--as", "source")
    found.expect(reach="ok", list_order="ok", ranged_reads="ok", pinned_reads="ok", writing="unknown")
    assert place.content() == before and found.summary["sent_bytes"] == 0
    assert found.summary["verdict"] == "restricted"
    if kind == "s3":
        assert set(sim.requests("s3")) <= {"ListObjectsV2", "GetObject", "HeadObject"}


def test_a_source_that_can_be_written_is_warned_of(lockstep, location):
    found = doctor(lockstep, location("s3"), "--as", "source")
    found.expect(rights="warning", list_order="ok", pinned_reads="ok")


# What a service does wrong, and under which subject it must be found.
LIES = [
    ("list-unsorted", LIST, {}, "list-order", "failure"),
    ("list-duplicate", LIST, {}, "list-order", "failure"),
    ("list-hide-key", LIST, {"key": "*keys/a0"}, "list-after-write", "failure"),
    ("ignore-range", READ, {}, "ranged-reads", "failure"),
    ("wrong-content-range", READ, {}, "ranged-reads", "failure"),
    ("ignore-conditions", WRITE, {}, "conditional-create", "instead"),
    ("ignore-conditions", DELETE, {}, "conditional-delete", "failure"),
    ("ignore-versions", WRITE, {}, "conditional-replace", "instead"),
]


@pytest.mark.parametrize("action, operations, rule, subject, mark", LIES, ids=[f"{lie[0]}-{lie[3]}" for lie in LIES])
def test_what_a_service_does_wrong_is_found(lockstep, location, fault, kind, action, operations, rule, subject, mark):
    place = location(kind)
    fault(place, action, operation=operations[kind], **rule)
    found = doctor(lockstep, place, expect=4 if mark == "failure" else None)
    assert mark in found.marks(subject), found.findings
    assert found.summary["verdict"] == ("unsafe" if mark == "failure" else found.summary["verdict"])
    if action != "list-hide-key":
        assert place.keys() == []


@pytest.mark.parametrize("kind", CLOUDS)
def test_an_upload_that_is_completed_over_others_is_found(lockstep, location, fault, kind):
    place = location(kind)
    # In Cloud Storage one part goes in a resumable session, whose condition is given when it begins.
    operation = {"s3": COMPLETE["s3"], "gs": "*Resumable*", "az": COMPLETE["az"]}[kind]
    fault(place, "ignore-conditions", operation=operation)
    found = doctor(lockstep, place, expect=4)
    found.expect(conditional_create="ok", conditional_complete="failure")


def test_a_checksum_that_nobody_verifies_is_found(lockstep, location, fault):
    place = location("s3")
    fault(place, "believe-checksums", operation="PutObject")
    doctor(lockstep, place, expect=4).expect(checksums="failure", part_checksums="ok")


def test_a_part_that_nobody_verifies_is_found_when_it_is_completed(lockstep, location, fault):
    place = location("s3")
    fault(place, "believe-checksums", operation="UploadPart")
    doctor(lockstep, place).expect(checksums="ok", part_checksums="instead")


@pytest.mark.parametrize("kind", ["gs", "az"])
def test_other_clouds_are_asked_for_their_checksums_too(lockstep, location, fault, kind):
    place = location(kind)
    fault(place, "believe-checksums", operation=WRITE[kind])
    found = doctor(lockstep, place, expect=None)
    assert found.marks("checksums") != [] and ("ok" not in found.marks("checksums") or kind == "gs"), found.findings


def test_a_service_that_copies_no_parts_is_usable(lockstep, location, fault):
    place = location("s3")
    fault(place, "no-part-copy")
    found = doctor(lockstep, place).expect(part_copy="instead")
    assert "--delta" in found.with_mark("instead")[0]["engine"] and found.summary["verdict"] == "restricted"


#: What is refused, the subject that names it, and the right that it takes.
MISSING = [
    ("s3", "PutObject", "rights", "s3:PutObject"), ("s3", "ListObjectsV2", "reach", "s3:ListBucket"),
    ("s3", "GetObject", "read-after-write", "s3:GetObject"), ("s3", "UploadPart", "multipart", "s3:PutObject"),
    ("s3", "AbortMultipartUpload", "conditional-complete", "s3:AbortMultipartUpload"),
    ("s3", "ListParts", "multipart", "s3:ListMultipartUploadParts"),
    ("s3", "DeleteObject*", "conditional-delete", "s3:DeleteObject"),
    ("gs", "InsertObject", "rights", "storage.objects.create"), ("gs", "ListObjects", "reach", "storage.objects.list"),
    ("gs", "XMLPart", "multipart", "storage.multipartUploads.create"),
    ("az", "PutBlob", "rights", "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"),
    ("az", "GetBlob", "read-after-write", "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"),
]


@pytest.mark.parametrize("kind, operation, subject, permission", MISSING, ids=[f"{one[0]}-{one[1]}" for one in MISSING])
def test_a_missing_right_is_named_in_the_clouds_words(lockstep, location, fault, kind, operation, subject, permission):
    place = location(kind)
    fault(place, "status", operation=operation, status=403)
    found = doctor(lockstep, place, expect=78)
    denied = found.with_mark("denied")
    assert [one["subject"] for one in denied] == [subject] and permission in denied[0]["permissions"], found.findings
    assert not found.with_mark("failure")
    if operation.startswith("DeleteObject"):
        assert len(found.summary["left_behind"]) > 5
    text = lockstep.run("doctor", place.url, expect=78).out
    assert permission in text


def test_a_bucket_that_is_not_there_and_a_server_that_does_not_answer(lockstep, location, sim):
    found = doctor(lockstep, "s3://no-such-bucket-here", expect=78)
    assert "no bucket no-such-bucket-here" in found.with_mark("denied")[0]["found"]
    found = doctor(lockstep, "s3://bucket", "--endpoint", "http://127.0.0.1:9", expect=75)
    assert found.summary["verdict"] == "unavailable"


def test_wrong_credentials(lockstep, location):
    found = doctor(lockstep, location("s3"), environment={"AWS_SECRET_ACCESS_KEY": "wrong"}, expect=78)
    assert [one["subject"] for one in found.with_mark("denied")] == ["reach"]


def test_a_server_that_fails_now_and_then_is_asked_again_a_few_times_only(lockstep, location, fault):
    place = location("s3")
    fault(place, "status", operation="HeadObject", status=503, nth=2)
    assert doctor(lockstep, place).summary["verdict"] in ("usable", "restricted")
    fault(place, "status", status=503)
    found = doctor(lockstep, place, expect=75)
    assert found.summary["requests"] <= 5


@pytest.mark.parametrize("offset, mark", [(0, "ok"), (400, "warning")])
def test_the_clock_is_compared(launch, location, tmp_path, offset, mark):
    sim = launch("--no-verify")
    lockstep, place = Lockstep(tmp_path, sim.environment), location("s3", sim)
    sim.call("POST", "clock", {"offsetSeconds": offset})
    found = doctor(lockstep, place).expect(clock=mark)
    if mark == "warning":
        assert "behind" in found.with_mark("warning")[0]["found"]


def test_a_signal_ends_the_examination_and_what_was_written_is_removed(lockstep, location, sim):
    place = location("s3")
    sim.call("DELETE", "requests")
    sim.add_fault(action="latency", cloud="s3", bucket=place.bucket, operation="UploadPart", milliseconds=2000)
    process = lockstep.start("doctor", place.url, "--json")
    deadline = time.monotonic() + 30
    while sim.requests("s3").get("CreateMultipartUpload", 0) == 0:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    outcome = lockstep.interrupt(process, signal.SIGTERM)
    assert outcome.status == 143
    summary = json.loads(outcome.out.splitlines()[-1])["summary"]
    assert summary["verdict"] == "unavailable" and summary["exit_code"] == 143 and summary["left_behind"] == []
    assert place.keys() == [] and place.open_uploads() == []


def test_what_a_killed_doctor_left_is_named_by_the_next(lockstep, location):
    place = location("s3").fill({".lockstep/doctor/0123/subject": b"x"})
    found = doctor(lockstep, place)
    assert ".lockstep/doctor/0123/" in [one for one in found.findings if one["subject"] == "leftovers"][0]["found"]
    assert place.keys() == [".lockstep/doctor/0123/subject"]


def test_the_place_of_a_vault_is_examined_as_plain_objects(lockstep, location):
    place = location("s3")
    assert doctor(lockstep, f"vault+{place.url}/backups").summary["location"] == f"{place.url}/backups/"
    assert place.keys() == []


def test_a_directory_that_cannot_be_written(lockstep, location, tmp_path):
    place = location("file")
    blocked = tmp_path / "file-in-the-way"
    blocked.write_text("x")
    missing = tmp_path / "missing"
    for path in [blocked / "below", missing]:
        for flags in [(), ("--read-only",), ("--as", "source")]:
            refused = lockstep.run("doctor", path, *flags, expect=78)
            assert "is not a directory" in refused.err and str(path) in refused.err and not path.exists()
    assert doctor(lockstep, place).marks("keys") == ["ok"]


def test_moto_verifies_no_checksums(user, moto):
    place = moto.bucket()
    found = doctor(user(moto), place)
    found.expect(checksums="instead", part_checksums="instead", conditional_create="ok", conditional_delete="ok", keys="ok")
    assert place.keys() == [] and place.open_uploads() == []


def test_rclone_ignores_conditions_and_changes_names(user, rclone_s3):
    place = rclone_s3.bucket()
    found = doctor(user(rclone_s3), place, expect=4)
    assert "a/b" in found.with_mark("failure")[0]["found"]
    found.expect(keys="failure", conditional_create="instead", conditional_delete="instead", checksums="instead", part_copy="instead")
    # A file whose name is too long for its disk comes back from its cache after it was deleted.
    assert [key for key in place.keys() if "/llll" not in key] == []


def test_the_emulator_of_google_is_told_apart(user, gcs_emulator, google_bucket):
    place = google_bucket()
    lockstep = user(type("Server", (), {"environment": {"STORAGE_EMULATOR_HOST": gcs_emulator}})())
    found = doctor(lockstep, place, expect=4)
    # It knows no preconditions, and says nothing about that.
    found.expect(conditional_create="instead", conditional_complete="instead", copy="failure", list_order="ok")
    assert place.keys() == []


@pytest.mark.parametrize("arguments, words", [
    ([], "location"), (["s3://"], "names no bucket"), (["s3://b", "--as", "both"], "both"),
    (["file:///tmp", "--endpoint", "http://127.0.0.1:1"], "is a directory"),
])
def test_wrong_arguments(lockstep, arguments, words):
    assert words in lockstep.run("doctor", *arguments, expect=2).err
