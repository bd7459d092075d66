"""`lockstep ls`, `cat` and `stat` on every kind of location."""

import hashlib
import json
import os
import re

import pytest

from locations import KINDS, MIB

DATA = bytes(range(256)) * 4
ODD = "odd/ünïcödé 😀+%25?#&.bin"


@pytest.fixture(params=list(KINDS))
def place(request, location):
    made = location(request.param)
    made.fill({
        "a.txt": (DATA, {"content_type": "text/plain", "cache_control": "no-store", "metadata": {"owner": "tests"}}),
        "dir/b": b"b", "dir/deep/c": b"cc", "empty": b"", ODD: b"odd",
    })
    return made


def test_ls(lockstep, place):
    lines = lockstep.run("ls", place.url).out.splitlines()
    found = [re.match(r"^ *(\d+)  (\S+)  (.*)$", line).groups() for line in lines]
    assert [(int(size), key) for size, _, key in found] == [(1024, "a.txt"), (1, "dir/b"), (2, "dir/deep/c"), (0, "empty"), (3, ODD)]
    assert all(re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", moment) for _, moment, _ in found)


def test_ls_below_a_prefix(lockstep, place):
    lines = lockstep.run("ls", place.url + "/dir").out.splitlines()
    assert [line.rsplit("  ", 1)[1] for line in lines] == ["b", "deep/c"]


def test_ls_json(lockstep, place):
    objects = [json.loads(line) for line in lockstep.run("ls", place.url, "--json").out.splitlines()]
    assert [(each["key"], each["size"]) for each in objects] == [("a.txt", 1024), ("dir/b", 1), ("dir/deep/c", 2), ("empty", 0), (ODD, 3)]
    assert all(each["version"] for each in objects)


def test_ls_of_nothing(lockstep, location):
    for kind in KINDS:
        assert lockstep.run("ls", location(kind).url).out == ""


def test_ls_of_many_pages(sim, lockstep, location):
    place = location("s3")
    sim.populate("s3", place.bucket, "k", 2300, 1)
    assert len(lockstep.run("ls", place.url).out.splitlines()) == 2300


@pytest.mark.parametrize(
    "range, wanted",
    [
        (None, DATA), ("0-7", DATA[:8]), ("5-5", DATA[5:6]), ("1000-", DATA[1000:]), ("-10", DATA[-10:]), ("0-", DATA),
        ("1000-99999", DATA[1000:]), ("-99999", DATA),
    ],
)
def test_cat(lockstep, place, range, wanted):
    flags = [f"--range={range}"] if range else []
    assert lockstep.run("cat", place.url + "/a.txt", *flags).stdout == wanted


def test_cat_with_the_range_as_a_word_of_its_own(lockstep, place):
    assert lockstep.run("cat", place.url + "/a.txt", "--range", "0-7").stdout == DATA[:8]
    assert lockstep.run("cat", place.url + "/a.txt", "--range", "-10").stdout == DATA[-10:]


def test_cat_of_odd_and_empty_objects(lockstep, place):
    assert lockstep.run("cat", place.url + "/" + ODD).stdout == b"odd"
    assert lockstep.run("cat", place.url + "/empty").stdout == b""
    assert lockstep.run("cat", place.url + "/empty", "--range", "0-").stdout == b""


@pytest.mark.parametrize("range", ["8-7", "x", "1-2-3", "-", "-0", "5", ""])
def test_bad_ranges(lockstep, place, range):
    outcome = lockstep.run("cat", place.url + "/a.txt", f"--range={range}", expect=2)
    assert outcome.out == "" and "range" in outcome.err


def test_a_range_behind_the_end(lockstep, place):
    assert "1024 bytes" in lockstep.run("cat", place.url + "/a.txt", "--range", "1024-", expect=2).err
    assert lockstep.run("cat", place.url + "/empty", "--range", "0-0", expect=2).out == ""


def test_cat_of_a_large_object(lockstep, location):
    data = os.urandom(20 * MIB)
    for kind in KINDS:
        place = location(kind)
        place.put("large", data)
        assert hashlib.sha256(lockstep.run("cat", place.url + "/large").stdout).digest() == hashlib.sha256(data).digest()


def test_cat_of_bytes_that_break_off(sim, lockstep, location):
    """Better no end than a wrong one: what is written is right as far as it goes, and the status says that it is not all."""
    place = location("s3")
    data = os.urandom(20 * MIB)
    place.put("large", data)
    sim.add_fault(action="replace-object-between-ranges", cloud="s3", bucket=place.bucket, operation="GetObject", nth=2)
    outcome = lockstep.run("cat", place.url + "/large", expect=3)
    assert data.startswith(outcome.stdout) and len(outcome.stdout) < len(data) and "large" in outcome.err


def test_cat_into_a_closed_pipe(lockstep, location):
    place = location("s3")
    place.put("large", os.urandom(20 * MIB))
    process = lockstep.start("cat", place.url + "/large")
    process.stdout.read(10)
    process.stdout.close()
    process.stderr.read()
    assert process.wait(timeout=20) != 0


def test_stat(lockstep, place):
    text = lockstep.run("stat", place.url + "/a.txt").out
    rows = dict(re.split(r"  +", line, maxsplit=1) for line in text.splitlines())
    assert rows["key"] == "a.txt" and rows["size"] == "1024" and rows["content-type"] == "text/plain"
    assert rows["cache-control"] == "no-store" and rows["metadata owner"] == "tests" and rows["version"]


def test_stat_json(lockstep, place):
    document = json.loads(lockstep.run("stat", place.url + "/a.txt", "--json").out)
    assert (document["key"], document["size"]) == ("a.txt", 1024)
    assert document["attributes"]["content_type"] == "text/plain"
    assert document["attributes"]["user_metadata"] == {"owner": "tests"}
    if place.kind == "gs":
        assert document["md5"] == hashlib.md5(DATA).hexdigest()


def test_metadata_names_are_shown_as_they_are(lockstep, location):
    place = location("gs")
    place.put("k", b"", metadata={"camelCaseName": "1", "under_score": "2"})
    document = json.loads(lockstep.run("stat", place.url + "/k", "--json").out)
    assert document["attributes"]["user_metadata"] == {"camelCaseName": "1", "under_score": "2"}


@pytest.mark.parametrize("command", ["cat", "stat"])
def test_an_object_that_is_not_there(lockstep, place, command):
    outcome = lockstep.run(command, place.url + "/dir/no-such-key", expect=3)
    assert "dir/no-such-key" in outcome.err and outcome.out == ""


@pytest.mark.parametrize("command", ["ls", "cat", "stat"])
@pytest.mark.parametrize("kind", ["s3", "gs", "az"])
def test_a_bucket_that_is_not_there(lockstep, location, command, kind):
    url = location(kind).url.rsplit("/", 1)[0] + "/no-such-bucket-here"
    outcome = lockstep.run(command, url + ("" if command == "ls" else "/key"), expect=None)
    # A HEAD of S3 has no body to say whether the key or the bucket is missing.
    assert outcome.status == 78 or (command != "ls" and kind == "s3" and outcome.status == 3)
    assert "no-such-bucket-here" in outcome.err and outcome.out == ""


def test_endpoints_by_flag(sim, launch, lockstep, location):
    other = launch()
    for kind in ("s3", "gs", "az"):
        place = location(kind, other)
        place.put("k", b"data")
        endpoint = {"s3": other.s3, "gs": other.gcs, "az": other.azure}[kind]["endpoint"]
        assert lockstep.run("cat", place.url + "/k", "--endpoint", endpoint).out == "data"
        assert lockstep.run("ls", place.url, "--endpoint", endpoint).out.endswith("  k\n")
        assert json.loads(lockstep.run("stat", place.url + "/k", "--json", "--endpoint", endpoint).out)["size"] == 4


def test_a_relative_path(lockstep, location):
    place = location("file")
    place.fill({"dir/k": b"data"})
    assert lockstep.run("cat", "dir/k", cwd=place.directory).out == "data"
    assert lockstep.run("ls", "./dir/../dir", cwd=place.directory).out.endswith("  k\n")
