"""Every kind of drift, planted behind lockstep's back at each cloud: none is missed, nothing else is reported, and what lacks evidence is unproven.

A kind says what `check` must find of each key; whatever it does not name must be the same. Where levels differ, it says so by mode.
"""

import dataclasses
import datetime
import pathlib
import shutil

import pytest

from checking import check
from locations import MIB

CLOUDS = {"s3": "s3", "gs": "gcs", "az": "azure"}
LISTS = {"s3": "ListObjectsV2", "gs": "ListObjects", "az": "ListBlobs"}
#: What is asked for: levels with the ledger, and level 2 without one.
MODES = {
    1: ["--evidence", "1"], 2: ["--evidence", "2"], 3: ["--evidence", "3"], "alone": ["--evidence", "2", "--no-ledger"],
}
CONTENT, SIZE, ATTRIBUTES = "differs:content", "differs:size", "differs:attributes"
MISSING, EXTRA = "only-in-source", "only-in-target"
FORBIDDEN, ARCHIVED, UNREADABLE = "unproven:forbidden", "unproven:archived", "unproven:unreadable"

OBJECTS = {
    "a/plain": b"plain" * 200,
    "a/twin-1": b"1" * 1000,
    "a/twin-2": b"2" * 1000,
    "b/Case": b"upper",
    "b/case": b"lower",
    "c/empty": b"",
    "c/typed": (b"{}", {"content_type": "application/json", "metadata": {"owner": "me"}}),
    "n/\u00e9": b"composed",
}


@dataclasses.dataclass
class World:
    sim: object
    lockstep: object
    source: object
    target: object
    kind: str

    def fault(self, **rule):
        return self.sim.add_fault(cloud=CLOUDS[self.kind], bucket=self.target.scope, **rule)

    def sync(self):
        self.lockstep.sync(self.source.url, self.target.url)

    def later(self, seconds=120):
        """What happens now has happened so much later, by the clouds' clock."""
        self.sim.call("POST", "clock", {"offsetSeconds": seconds})

    @property
    def bucket(self):
        return {"s3": lambda t: t.bucket, "gs": lambda t: t.bucket.name, "az": lambda t: t.container.container_name}[self.kind](
            self.target
        )


KINDS = {}


def kind(expected=None, only=("s3", "gs", "az")):
    """Registers a kind: `expected` maps keys to what is found, by mode where it is a dictionary."""

    def register(plant):
        KINDS[plant.__name__.replace("_", "-")] = (plant, expected or {}, only)
        return plant

    return register


@kind()
def nothing(world):
    pass


@kind({"a/plain": MISSING})
def missing(world):
    world.target.delete("a/plain")


@kind({"a/more": EXTRA})
def extra(world):
    world.target.put("a/more", b"more")


@kind({"a/plain": CONTENT})
def same_size_other_bytes(world):
    world.target.put("a/plain", b"PLAIN" * 200)


@kind({"a/plain": CONTENT})
def same_size_and_time(world):
    """Written when the clouds' clock stands where it stood when the original was written."""
    modified = datetime.datetime.now(datetime.timezone.utc)
    world.sim.call("POST", "clock", {"offsetSeconds": -1})
    world.target.put("a/plain", b"Plain" * 200)
    assert datetime.datetime.now(datetime.timezone.utc) - modified < datetime.timedelta(seconds=30)


@kind({"a/plain": SIZE})
def truncated(world):
    world.target.put("a/plain", (b"plain" * 200)[:-1])


@kind({"a/plain": SIZE})
def longer(world):
    world.target.put("a/plain", b"plain" * 200 + b"\0")


@kind({"a/plain": SIZE})
def emptied(world):
    world.target.put("a/plain", b"")


@kind({"c/empty": SIZE})
def no_longer_empty(world):
    world.target.put("c/empty", b"\0")


@kind({"c/typed": ATTRIBUTES})
def metadata_only(world):
    world.later()
    world.target.put("c/typed", b"{}", content_type="application/json", metadata={"owner": "you"})


@kind({"c/typed": ATTRIBUTES})
def content_type_only(world):
    world.later()
    world.target.put("c/typed", b"{}", content_type="text/plain", metadata={"owner": "me"})


@kind({"c/typed": ATTRIBUTES})
def metadata_lost(world):
    world.later()
    world.target.put("c/typed", b"{}", content_type="application/json")


@kind({"a/plain": CONTENT})
def older_version_restored(world):
    world.source.put("a/plain", b"newer" * 200)
    world.sync()
    world.target.put("a/plain", b"plain" * 200)


@kind({"a/twin-1": CONTENT, "a/twin-2": CONTENT})
def swapped_names(world):
    world.target.put("a/twin-1", b"2" * 1000)
    world.target.put("a/twin-2", b"1" * 1000)


@kind({"b/Case": MISSING})
def case_twin_lost(world):
    world.target.delete("b/Case")


@kind({"n/\u00e9": MISSING, "n/e\u0301": EXTRA})
def other_normal_form(world):
    world.target.delete("n/\u00e9")
    world.target.put("n/e\u0301", b"composed")


@kind({"a/plain": SIZE})
def source_moved_on(world):
    world.source.put("a/plain", b"newer")


@kind({"a/new": MISSING, "a/plain": EXTRA})
def renamed_at_the_source(world):
    world.source.put("a/new", b"plain" * 200)
    world.source.delete("a/plain")


@kind()
def replaced_by_the_same_bytes(world):
    """By a client whose objects may carry other checksums, or none that is comparable."""
    world.target.put("a/plain", b"plain" * 200)


@kind()
def hidden_by_the_target_listing(world):
    world.fault(action="list-hide-key", operation=LISTS[world.kind], key="a/plain")


@kind({"a/plain": CONTENT})
def hidden_by_the_target_listing_and_other_bytes(world):
    world.target.put("a/plain", b"PLAIN" * 200)
    world.fault(action="list-hide-key", operation=LISTS[world.kind], key="a/plain")


@kind()
def hidden_by_the_source_listing(world):
    world.sim.add_fault(
        action="list-hide-key", cloud="s3", bucket=world.source.scope, operation="ListObjectsV2", key="a/plain"
    )


@kind({"a/plain": {1: None, 2: {"gs": None, "s3": FORBIDDEN, "az": FORBIDDEN}, 3: FORBIDDEN, "alone": FORBIDDEN}})
def forbidden(world):
    """The ledger vouches for both versions, and Cloud Storage lists checksums: only what needs another look is unproven."""
    for method in ("GET", "HEAD"):
        world.fault(action="status", key="a/plain", method=method, status=403, count=1000, nth=1)


@kind({"a/plain": FORBIDDEN})
def missing_and_forbidden(world):
    """S3 answers 403 for keys that are not there to those who may not list: no proof of absence."""
    world.target.delete("a/plain")
    for method in ("GET", "HEAD"):
        world.fault(action="status", key="a/plain", method=method, status=403, count=1000, nth=1)


@kind({"a/plain": {1: None, 2: {"gs": None, "s3": None, "az": ARCHIVED}, 3: ARCHIVED, "alone": {"s3": None, "az": ARCHIVED}}}, only=("s3", "az"))
def archived(world):
    """What is reported can still be compared, what must be read cannot."""
    world.sim.archive(CLOUDS[world.kind], world.bucket, "a/plain", {"s3": "GLACIER", "az": "Archive"}[world.kind])


@kind({"a/plain": {1: None, 2: {"gs": None, "s3": UNREADABLE, "az": UNREADABLE}, 3: UNREADABLE, "alone": UNREADABLE}})
def broken(world):
    for method in ("GET", "HEAD"):
        world.fault(action="status", key="a/plain", method=method, status=501, count=1000, nth=1)


@kind()
def ledger_lost(world):
    shutil.rmtree(world.lockstep.state)


@kind({"a/plain": CONTENT})
def ledger_lost_and_other_bytes(world):
    shutil.rmtree(world.lockstep.state)
    world.target.put("a/plain", b"PLAIN" * 200)


@kind({"a/twin-1": CONTENT})
def ledger_of_yesterday(world):
    """An old copy of the ledger is restored; since then one object was replicated anew and another one was damaged."""
    saved = pathlib.Path(str(world.lockstep.state) + "-yesterday")
    shutil.copytree(world.lockstep.state, saved)
    world.source.put("a/plain", b"newer" * 200)
    world.sync()
    shutil.rmtree(world.lockstep.state)
    saved.rename(world.lockstep.state)
    world.target.put("a/twin-1", b"!" * 1000)


@kind({"line\nbreak": MISSING, "line\nbroken": CONTENT}, only=("s3",))
def keys_with_line_breaks(world):
    world.source.put("line\nbreak", b"x")
    world.source.put("line\nbroken", b"x")
    world.sync()
    world.target.delete("line\nbreak")
    world.target.put("line\nbroken", b"y")


@pytest.fixture
def world(sim, lockstep, location, request):
    kind = request.param
    world = World(sim, lockstep, location("s3").fill(OBJECTS), location(kind), kind)
    world.sync()
    yield world
    sim.call("POST", "clock", {"offsetSeconds": 0})


def resolve(expected, mode, cloud):
    """What must be found in this mode at this cloud."""
    found = {}
    for key, value in expected.items():
        for choice in (mode, cloud):
            if isinstance(value, dict):
                value = value[choice]
        if value is not None:
            found[key] = value
    return found


def verdict(findings):
    if any(not each.startswith("unproven") for each in findings.values()):
        return "DRIFT"
    return "UNPROVEN" if findings else "IN_SYNC"


CASES = [(cloud, name) for name, (_, _, only) in KINDS.items() for cloud in only]


@pytest.mark.parametrize("world, name", CASES, indirect=["world"], ids=[f"{name}-{cloud}" for cloud, name in CASES])
def test_planted(world, name):
    plant, expected, _ = KINDS[name]
    plant(world)
    for mode, flags in MODES.items():
        found = check(world.lockstep, world.source.url, world.target.url, *flags)
        wanted = resolve(expected, mode, world.kind)
        assert found.findings == wanted, f"evidence {mode}"
        assert found.verdict == verdict(wanted), f"evidence {mode}"
        asked = 2 if mode == "alone" else mode
        assert min(found.same.values()) >= asked, f"evidence {mode}"


@pytest.mark.parametrize("world", list(CLOUDS), indirect=True)
def test_without_reading_nothing_is_guessed(world):
    """Same bytes from a client that leaves no comparable checksum, and other bytes of the same size."""
    world.target.put("a/plain", b"plain" * 200)
    world.target.put("a/twin-1", b"!" * 1000)
    found = check(world.lockstep, world.source.url, world.target.url, "--evidence", "2", "--no-read")
    assert found.findings.get("a/plain") in (None, "unproven:nothing-to-compare")
    assert found.findings.get("a/twin-1") in (CONTENT, "unproven:nothing-to-compare")
    assert found.summary["requests"]["source"].get("read", 0) == found.summary["requests"]["target"].get("read", 0) == 0


@pytest.mark.parametrize("world", list(CLOUDS), indirect=True)
def test_large_objects_of_other_tools(world):
    """Multipart uploads of boto3 carry composite checksums, or none: never a false alarm, and a changed byte is found."""
    client, bucket = world.source.client, world.source.bucket
    body = b"".join(bytes([index]) * MIB for index in range(11))
    for algorithm in ("CRC32C", "CRC32", None):
        extra = {"ChecksumAlgorithm": algorithm} if algorithm else {}
        key = f"large/{algorithm}"
        upload = client.create_multipart_upload(Bucket=bucket, Key=key, **extra)["UploadId"]
        parts = []
        for number, part in enumerate((body[: 6 * MIB], body[6 * MIB :]), 1):
            answer = client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=part, **extra)
            named = {name: value for name, value in answer.items() if name.startswith("Checksum")} if algorithm else {}
            parts.append({"PartNumber": number, "ETag": answer["ETag"], **named})
        client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    world.sync()
    for flags in MODES.values():
        assert check(world.lockstep, world.source.url, world.target.url, *flags).verdict == "IN_SYNC"
    world.target.put("large/CRC32C", body[:-1] + b"!")
    for flags in MODES.values():
        assert check(world.lockstep, world.source.url, world.target.url, *flags).findings == {"large/CRC32C": CONTENT}


@pytest.mark.parametrize("cloud", list(CLOUDS))
def test_bit_rot_under_the_same_version(launch, tmp_path, location, cloud):
    """The store's disk rots, and its listing, versions and checksums say nothing of it: only reading finds it."""
    from lockstep_binary import Lockstep

    data = tmp_path / "disk"
    sim = launch("--data", str(data))
    lockstep = Lockstep(tmp_path, sim.environment)
    source, target = location("s3", sim), location(cloud, sim)
    marker = b"a marker that nothing else on this disk holds " * 100_000
    source.put("kept", b"kept")
    source.put("rotten", marker)
    lockstep.sync(source.url, target.url)
    before = {path for path in data.rglob("*") if path.is_file()}
    copies = [path for path in before if path.stat().st_size >= len(marker) and marker[:4000] in path.read_bytes()]
    rotten = max(copies, key=lambda path: path.stat().st_mtime_ns)
    assert len(copies) == 2
    with open(rotten, "r+b") as file:
        content = file.read()
        file.seek(content.index(marker) + 1000)
        file.write(b"#")
    assert check(lockstep, source.url, target.url).verdict == "IN_SYNC"
    found = check(lockstep, source.url, target.url, "--evidence", "3")
    assert found.findings == {"rotten": CONTENT}
    report = tmp_path / "report.txt"
    lockstep.run(
        "check", source.url, target.url, "--state", lockstep.state, "--evidence", "3", "--combined", report, expect=4)
    assert lockstep.sync(source.url, target.url, "--repair-from", report).summary["copied_objects"] == 1
    assert check(lockstep, source.url, target.url, "--evidence", "3").verdict == "IN_SYNC"
