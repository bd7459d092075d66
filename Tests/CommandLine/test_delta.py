"""`--delta`: large objects that change send little more than what is new, and are equal afterwards."""

import contextlib
import random
import socket
import threading

import pytest

from locations import MIB

SIZE = 160 * MIB
BYTES = random.Random(3).randbytes(SIZE)


class CountingProxy:
    """Stands before a server and counts what it is sent."""

    def __init__(self, endpoint):
        self.host, self.port = endpoint.removeprefix("http://").split(":")
        self.received = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection((self.host, int(self.port)))
                threading.Thread(target=self.pump, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self.pump, args=(server, client, False), daemon=True).start()

    def pump(self, source, sink, counts):
        with contextlib.suppress(OSError), source, sink:
            while data := source.recv(1 << 18):
                if counts:
                    with self.lock:
                        self.received += len(data)
                sink.sendall(data)
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_RDWR)

    def take(self):
        with self.lock:
            received, self.received = self.received, 0
        return received


@pytest.fixture
def files(location):
    """Where objects are read: files, so that the simulator need not hold both sides."""
    return location("file")


@pytest.fixture
def proxy(sim):
    proxy = CountingProxy(sim.s3["endpoint"])
    yield proxy
    proxy.listener.close()


class Delta:
    """Runs with `--delta` and says how many bytes went over the line."""

    def __init__(self, lockstep, source, target, proxy=None):
        self.lockstep, self.source, self.target, self.proxy = lockstep, source, target, proxy
        self.flags = ["--target-endpoint", proxy.url] if proxy else []

    def run(self, *flags):
        summary = self.lockstep.sync(self.source.url, self.target.url, "--delta", *self.flags, *flags).summary
        assert self.target.visible() == self.source.visible()
        assert summary["sent_bytes"] + summary["avoided_bytes"] == summary["copied_bytes"]
        if self.proxy:
            received = self.proxy.take()
            # Heads of requests and a few names are all that comes on top.
            assert summary["sent_bytes"] <= received < summary["sent_bytes"] + MIB
        return summary

    def share(self, *flags):
        summary = self.run(*flags)
        assert self.lockstep.sync(self.source.url, self.target.url, "--delta", *self.flags).summary["copied_objects"] == 0
        return summary["sent_bytes"] / summary["copied_bytes"]


@pytest.fixture(params=["s3", "az"])
def delta(request, lockstep, files, location, proxy):
    target = location(request.param)
    delta = Delta(lockstep, files, target, proxy if request.param == "s3" else None)
    yield delta
    for key in target.keys():
        target.delete(key)


def test_one_per_cent_more_at_the_end(delta):
    delta.source.put("model", BYTES)
    assert delta.run()["sent_bytes"] == SIZE
    delta.source.put("model", BYTES + random.Random(4).randbytes(SIZE // 100))
    assert delta.share() < 0.05


def test_one_mebibyte_more_in_the_middle(delta):
    delta.source.put("model", BYTES)
    delta.run()
    delta.source.put("model", BYTES[: SIZE // 2] + random.Random(4).randbytes(MIB) + BYTES[SIZE // 2 :])
    assert delta.share() < 0.05


def test_another_name(delta):
    delta.source.put("model", BYTES)
    delta.run()
    delta.source.delete("model")
    delta.source.put("renamed", BYTES)
    summary = delta.run("--delete", "--permanent-delete")
    assert (summary["sent_bytes"], summary["avoided_bytes"], summary["deleted_objects"]) == (0, SIZE, 1)


def test_five_files_instead_of_four(delta):
    """Each new border costs one smallest part, 5 MiB in S3: in so little data that is more than in a gibibyte."""
    for index in range(4):
        delta.source.put(f"{index}-of-4", BYTES[index * SIZE // 4 : (index + 1) * SIZE // 4])
    delta.run()
    for index in range(5):
        delta.source.put(f"{index}-of-5", BYTES[index * SIZE // 5 : (index + 1) * SIZE // 5])
    assert delta.share() < (0.30 if delta.target.kind == "s3" else 0.15)


def test_the_summary_for_people_names_what_was_avoided(lockstep, files, location):
    target = location("s3")
    files.put("a", BYTES[: 40 * MIB])
    lockstep.sync(files.url, target.url, "--delta")
    files.put("b", BYTES[: 40 * MIB])
    outcome = lockstep.run("sync", files.url, target.url, "--delta", "--state", lockstep.state, "--no-progress")
    assert "copied inside the target instead of sent: 40.0 MiB" in outcome.err
    assert target.visible() == files.visible()


def test_cloud_storage_says_that_it_cannot(lockstep, files, location):
    target = location("gs")
    for name in ("a", "b"):
        files.put(name, BYTES[: 20 * MIB])
    outcome = lockstep.sync(files.url, target.url, "--delta")
    assert [text for text in outcome.notices if "--delta" in text] == [
        f"{target.url} cannot make objects from ranges of others: --delta sends them whole"
    ]
    assert outcome.summary["avoided_bytes"] == 0
    assert target.visible() == files.visible()


def test_an_object_replaced_at_the_target_is_not_copied_from(sim, lockstep, files, location):
    """Between two runs somebody replaces what the ledger would copy from."""
    target = location("s3")
    files.put("a", BYTES[: 40 * MIB])
    lockstep.sync(files.url, target.url, "--delta")
    target.put("a", b"somebody else's")
    files.put("b", BYTES[: 40 * MIB])
    outcome = lockstep.sync(files.url, target.url, "--delta", expect=3)
    assert outcome.named("skipped")["a"]["reason"] == "conflict"
    assert target.get("b") == BYTES[: 40 * MIB] and target.get("a") == b"somebody else's"
    assert outcome.summary["sent_bytes"] == 40 * MIB


def test_an_interrupted_run_goes_on(sim, lockstep, files, location):
    target = location("s3")
    files.put("a", BYTES)
    # Parts come to a standstill after the first ones.
    sim.add_fault(action="latency", cloud="s3", bucket=target.bucket, operation="UploadPart", milliseconds=150)
    process = lockstep.start("sync", files.url, target.url, "--json", "--delta", "--state", lockstep.state, "--concurrency", "2")
    while not any(
        len(target.client.list_parts(Bucket=target.bucket, Key="a", UploadId=upload["UploadId"]).get("Parts", [])) > 3
        for upload in target.open_uploads()
    ):
        assert process.poll() is None, process.communicate()
    process.kill()
    process.communicate()
    sim.call("DELETE", "faults")
    summary = lockstep.sync(files.url, target.url, "--delta").summary
    assert summary["sent_bytes"] + summary["resumed_bytes"] == SIZE and summary["resumed_bytes"] >= 16 * MIB
    assert target.get("a") == BYTES and target.open_uploads() == []
