"""SIGKILL at many points of a run, against clouds on disk: the next run continues, sends little twice, and leaves nothing behind.

`LOCKSTEP_KILL_POINTS` is how many points each pair is killed at, `LOCKSTEP_KILL_SEED` picks other ones.
"""

import itertools
import os
import random
import signal

import pytest
import requests

import kill_points
from conftest import start_sim, stop_sim
from locations import MIB, KINDS, FileLocation
from lockstep_binary import Lockstep, binary
from test_interruption import wait_until

POINTS = int(os.environ.get("LOCKSTEP_KILL_POINTS", "8"))
SEED = int(os.environ.get("LOCKSTEP_KILL_SEED", "1"))
PART = 5 * MIB
WORKERS = 4
#: Beyond the parts that were under way: headers of multipart bodies, probes of a few bytes.
SLACK = 64 << 10
PAIRS = [("s3", "s3"), ("s3", "gs"), ("s3", "az"), ("s3", "file"), ("file", "s3")]
CLOUDS = {"s3": "s3", "gs": "gcs", "az": "azure"}


def data_set():
    chooser = random.Random(7)
    sizes = {"empty": 0, "one": 1, "few": 1000, "folder/part": PART, "folder/more": PART + 1, "z/last": 300_000}
    sizes |= {f"large/{number}": 15 * MIB + number for number in range(3)}
    return {key: chooser.randbytes(size) for key, size in sizes.items()}


DATA = data_set()
TOTAL = sum(map(len, DATA.values()))


@pytest.fixture(scope="module")
def disk_sim(tmp_path_factory):
    """Clouds that keep their objects on disk."""
    directory = tmp_path_factory.mktemp("clouds")
    process, sim = start_sim(directory, "--data", str(directory / "objects"))
    yield sim
    stop_sim(process)


@pytest.fixture(scope="module")
def sources(disk_sim, tmp_path_factory):
    """The data set in a bucket and in a directory; nobody changes them."""
    made = {}
    for kind in {source for source, _ in PAIRS}:
        place = FileLocation(tmp_path_factory.mktemp("files") / "source") if kind == "file" else KINDS[kind].create(disk_sim)
        made[kind] = place.fill(DATA)
    return made


class Trial:
    """One pair that is killed, continued and looked at."""

    def __init__(self, sim, source, target, directory):
        self.sim, self.source, self.target = sim, source, target
        self.lockstep = Lockstep(directory, sim.environment)
        self.kills = 0
        self.sent = 0
        self.command = [
            binary(), "sync", source.url, target.url, "--json", "--no-progress", "--state", str(self.lockstep.state), "--part-size", "5M",
            "--concurrency", str(WORKERS),
        ]

    @property
    def environment(self):
        return self.lockstep.environment

    def start(self, *flags):
        return self.lockstep.start(*self.command[1:], *flags)

    def sync(self):
        return self.lockstep.sync(self.source.url, self.target.url, "--part-size", "5M", "--concurrency", str(WORKERS))

    def account(self):
        """Adds the payload that crossed since the last time: what the target's cloud received, or the source's sent to a directory."""
        traffic = self.sim.call("GET", "traffic")
        self.sim.call("DELETE", "requests")
        if self.target.kind == "file":
            self.sent += traffic.get(CLOUDS[self.source.kind], {}).get("GetObject", {}).get("sent", 0)
        else:
            self.sent += sum(entry["received"] for entry in traffic.get(CLOUDS[self.target.kind], {}).values())

    def check_after_kill(self):
        """A reader finds whole objects, or none."""
        self.kills += 1
        self.account()
        for key, data in self.target.visible().items():
            assert data == DATA[key], f"{key} is torn"
        self.sim.call("DELETE", "requests")

    def finish(self):
        """Runs to the end, and everything that must hold then."""
        self.sync()
        self.account()
        assert self.target.visible() == DATA
        assert self.sent <= TOTAL + self.kills * WORKERS * PART + SLACK * (self.kills + 1), (
            f"{self.sent - TOTAL} bytes were sent again after {self.kills} kills")
        assert unfinished(self.target, self.sim) == []
        again = self.sync().summary
        assert again["unchanged_objects"] == len(DATA) and again["copied_objects"] == again["adopted_objects"] == 0
        assert set(again["requests"]["source"]) == set(again["requests"]["target"]) == {"list"}
        self.account()


def unfinished(target, sim):
    """Everything that an upload left behind. An upload without a part may stay: a kill came before the ledger heard of it, and `sweep` ends it."""
    left = [key for key in target.keys() if key.startswith(".lockstep/uploads/")]
    if target.kind == "s3":
        for upload in target.open_uploads():
            name = {"Bucket": target.bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
            if target.client.list_parts(**name).get("Parts"):
                left.append(upload["Key"])
    elif target.kind == "gs":
        answer = requests.get(f"{sim.gcs['endpoint']}/{target.bucket.name}?uploads", timeout=60)
        assert answer.status_code == 200, answer.text
        left += [line for line in answer.text.split("<Upload>")[1:] if has_parts(line, target, sim)]
    else:
        left += target.open_uploads()
    return left


def has_parts(upload, target, sim):
    key, upload_id = (upload.split(f"<{name}>")[1].split(f"</{name}>")[0] for name in ("Key", "UploadId"))
    answer = requests.get(f"{sim.gcs['endpoint']}/{target.bucket.name}/{key}", params={"uploadId": upload_id}, timeout=60)
    assert answer.status_code == 200, answer.text
    return "<Part>" in answer.text


@pytest.fixture
def trial(disk_sim, sources, tmp_path):
    """One trial from S3 to S3."""
    yield Trial(disk_sim, sources["s3"], KINDS["s3"].create(disk_sim), tmp_path)
    disk_sim.call("DELETE", "faults")


@pytest.fixture(params=PAIRS, ids=[f"{source}-to-{target}" for source, target in PAIRS])
def pair(request, disk_sim, sources, tmp_path):
    """Makes trials of one pair, each with a target and a state of its own."""
    source, target = request.param
    numbers = itertools.count()

    def trial(name):
        directory = tmp_path / f"{next(numbers)}-{name}"
        directory.mkdir()
        place = FileLocation(directory / "target") if target == "file" else KINDS[target].create(disk_sim)
        disk_sim.call("DELETE", "requests")
        return Trial(disk_sim, sources[source], place, directory)

    return trial


def killed_once(pair, name, nth):
    """A trial that was killed at the N-th call of some thread, or earlier: threads share the work differently each time."""
    while True:
        assert nth >= 1, f"no thread calls {name}"
        trial = pair(f"{name}-{nth}")
        if kill_points.killed_at(trial.command, trial.environment, name, nth):
            print(f"killed at {name} number {nth}")
            trial.check_after_kill()
            return trial
        nth //= 2


def test_killed_at_a_system_call(pair, tmp_path):
    """Killed once, or again in the run that continues; the output names every point."""
    count = pair("count")
    counts = kill_points.counted(count.command, count.environment, tmp_path / "calls")
    count.finish()
    chooser = random.Random(SEED)
    again = list(kill_points.points(counts, POINTS, SEED + 1000))
    for number, (name, nth) in enumerate(kill_points.points(counts, POINTS, SEED)):
        trial = killed_once(pair, name, nth)
        if chooser.random() < 0.3 and kill_points.killed_at(trial.command, trial.environment, *again[number]):
            print("  and again at {} number {}".format(*again[number]))
            trial.check_after_kill()
        trial.finish()


def test_killed_again_and_again(pair):
    """After each kill there is more at the target than before, or as much; in the end everything, with few bytes sent twice."""
    trial = pair("again")
    chooser = random.Random(SEED)
    whole = set()
    for _ in range(6):
        if kill_points.killed_after(trial.command, trial.environment, chooser.uniform(0.03, 0.25)):
            trial.check_after_kill()
        there = set(trial.target.visible())
        assert whole <= there
        whole = there
    trial.account()
    trial.finish()


SILENCE = {
    "source": {"operation": "GetObject", "bytes": 1000},
    "target": {"operation": "UploadPart", "bytes": 1000, "direction": "request"},
}


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"])
@pytest.mark.parametrize("side", SILENCE)
def test_a_signal_while_a_server_is_silent(disk_sim, trial, side, number, status):
    """Nothing comes any more on most connections: the run ends within ten seconds all the same, and is continued."""
    place = trial.source if side == "source" else trial.target
    disk_sim.call("DELETE", "requests")
    rule = disk_sim.add_fault(action="stall-after-bytes", cloud="s3", bucket=place.bucket, nth=3, count=1000, **SILENCE[side])
    process = trial.start()
    wait_until(lambda: disk_sim.fired(rule) >= WORKERS, process)
    outcome = trial.lockstep.interrupt(process, number, timeout=10)
    assert outcome.status == status and outcome.summary["stopped"] == "interrupted"
    disk_sim.call("DELETE", "faults")
    trial.check_after_kill()
    trial.finish()


def test_a_run_that_is_paused_past_its_lease_has_lost_the_pair(disk_sim, trial):
    """Another run takes over and finishes; the paused one wakes, is refused every commit, and changes nothing."""
    rule = disk_sim.add_fault(action="latency", cloud="s3", bucket=trial.source.bucket, operation="GetObject", milliseconds=250)
    paused = trial.start("--lease", "2s")
    wait_until(lambda: len(trial.target.keys()) >= 2, paused)
    paused.send_signal(signal.SIGSTOP)
    try:
        assert disk_sim.fired(rule) > 0
        disk_sim.call("DELETE", "faults")
        second = trial.lockstep.run(*trial.command[1:], "--lease", "2s", "--wait")
        assert second.summary["copied_objects"] > 0 and trial.target.visible() == DATA
        before = {key: trial.target.version(key) for key in DATA}
    finally:
        paused.send_signal(signal.SIGCONT)
    first = trial.lockstep.finish(paused)
    assert first.status == 7, first.err
    assert {key: trial.target.version(key) for key in DATA} == before
    trial.kills, trial.sent = 2, 0
    disk_sim.call("DELETE", "requests")
    trial.finish()
