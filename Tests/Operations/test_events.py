"""Changes that clouds announce are copied at once, whatever order they come in and however often; nothing is ever deleted by them."""

import json
import signal
import time
import uuid

import boto3
import pytest
from moto.server import ThreadedMotoServer

from daemons import labels, wait_until
from queues import PubSub, StorageQueue

RARELY = {"cron": "0 0 1 1 *", "catch_up": False}


class SQS:
    """A queue of moto's, fed with what S3 writes."""

    def __init__(self, endpoint):
        self.client = boto3.client(
            "sqs", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        self.url = self.client.create_queue(QueueName=f"objects-{uuid.uuid4().hex[:8]}")["QueueUrl"]

    def put(self, body):
        self.client.send_message(QueueUrl=self.url, MessageBody=body)

    def change(self, bucket, key, name="ObjectCreated:Put"):
        record = {
            "eventVersion": "2.3", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventTime": "2026-11-21T00:00:00.000Z",
            "eventName": name, "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
                                      "object": {"key": key, "size": 1, "eTag": "x", "sequencer": f"{time.time_ns():016X}"}}}
        self.put(json.dumps({"Records": [record]}))

    def left(self):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(counts[name]) for name in names)


@pytest.fixture
def sqs():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    queue = SQS(f"http://{host}:{port}")
    queue.endpoint = f"http://{host}:{port}"
    yield queue
    server.stop()


@pytest.fixture
def watched(serve, sqs, source, target):
    """A daemon whose pair is copied by events only."""

    def start(**more):
        return serve(
            {"pairs": {"p": {"source": source.url, "target": target.url, "schedule": RARELY,
                             "events": {"queue": sqs.url, "batch_wait": "1s"}, **more}}},
            environment={"AWS_ENDPOINT_URL_SQS": sqs.endpoint})

    start.queue = sqs
    return start


def key_of(location, key):
    """The key as the bucket has it."""
    return "/".join(location.url.split("://", 1)[1].split("/")[1:]) + key


def bucket_of(location):
    return location.url.split("://", 1)[1].split("/")[0]


def count(daemon, result):
    return daemon.metrics()["lockstep_event_messages_total", labels(pair="p", result=result)]


def test_announced_objects_are_copied_and_nothing_is_listed(watched, sim, source, target):
    queue = watched.queue
    daemon = watched()
    source.fill({"a": b"1", "with space+plus": b"2", "unannounced": b"3"})
    queue.put(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": bucket_of(source)}))
    queue.change(bucket_of(source), key_of(source, "a"))
    queue.change(bucket_of(source), key_of(source, "with+space%2Bplus"))
    queue.change("another-bucket", "a")
    wait_until(lambda: queue.left() == 0, 40, lambda: daemon.text[-3000:])
    assert sorted(target.keys()) == ["a", "with space+plus"]
    assert count(daemon, "copied") == 2 and count(daemon, "ignored") == 2
    # What is behind is not known from single keys: nothing else may have moved the recovery point.
    assert ("lockstep_pair_recovery_point_timestamp_seconds", labels(pair="p")) not in daemon.metrics()
    daemon.stop()


def test_repeated_and_late_events_are_harmless_and_removals_delete_nothing(watched, source, target):
    queue = watched.queue
    daemon = watched(delete={"enabled": True})
    source.fill({"a": b"new"})
    target.fill({"gone": b"kept"})
    bucket = bucket_of(source)
    for _ in range(3):
        queue.change(bucket, key_of(source, "a"))
    queue.change(bucket, key_of(source, "a"), "ObjectRemoved:Delete")
    queue.change(bucket, key_of(source, "gone"), "ObjectRemoved:Delete")
    # Announced, and gone again before anybody looks.
    queue.change(bucket, key_of(source, "gone"))
    wait_until(lambda: queue.left() == 0, 40, lambda: daemon.text[-3000:])
    assert target.get("a") == b"new" and target.get("gone") == b"kept"
    assert count(daemon, "removed") == 2
    daemon.stop()


def test_poison_is_left_to_the_queue_and_does_not_hold_up_others(watched, source, target):
    queue = watched.queue
    daemon = watched()
    source.put("a", b"1")
    queue.put("this is not JSON")
    queue.change(bucket_of(source), key_of(source, "a"))
    wait_until(lambda: target.keys() == ["a"], 40, lambda: daemon.text[-3000:])
    wait_until(lambda: count(daemon, "unreadable") == 1)
    wait_until(lambda: queue.left() == 1)
    daemon.stop()
    assert b"this is not JSON" not in daemon.text


def test_filters_prefixes_and_pointers_decide_what_becomes_of_an_event(watched, source, target):
    queue = watched.queue
    daemon = watched(filters=[{"exclude": "tmp/**"}], pointers={"patterns": ["**/latest"]})
    source.fill({"tmp/x": b"1", "m/weights": b"2", "m/latest": b"3", "m/other": b"4"})
    bucket = bucket_of(source)
    queue.change(bucket, key_of(source, "tmp/x"))
    queue.change(bucket, key_of(source, "m/latest"))
    daemon.wait_for_run()
    # The pointer had a run over both listings, which copied its set first.
    assert sorted(target.keys()) == ["m/latest", "m/other", "m/weights"]
    wait_until(lambda: queue.left() == 0)
    assert daemon.messages("sync begins (reconciliation)")
    daemon.stop()


def test_a_killed_daemon_takes_nothing_off_the_queue_that_is_not_copied(watched, serve, sim, source, target):
    queue = watched.queue
    queue.client.set_queue_attributes(QueueUrl=queue.url, Attributes={"VisibilityTimeout": "1"})
    source.fill({f"k{number}": b"x" * 1000 for number in range(5)})
    sim.add_fault(action="latency", cloud="s3", bucket=source.bucket, operation="GetObject", milliseconds=4000)
    daemon = watched(lease="2s")
    for key in source.keys():
        queue.change(bucket_of(source), key_of(source, key))
    wait_until(lambda: daemon.pair().get("running"), 40, lambda: daemon.text[-2000:])
    daemon.stop(expect=-signal.SIGKILL, number=signal.SIGKILL)
    assert queue.left() == 5 and target.keys() == []
    sim.call("DELETE", "faults")
    # Nothing was taken off the queue: a full run or the next delivery finds the objects.
    daemon = serve({"pairs": {"p": {"source": source.url, "target": target.url, "schedule": {"cron": "0 0 1 1 *"}, "lease": "2s"}}})
    wait_until(lambda: target.visible() == source.visible(), 40, lambda: daemon.text[-2000:])
    daemon.stop()


@pytest.fixture
def pubsub():
    fake = PubSub()
    with fake.server:
        yield fake


def test_notifications_of_google_are_copied(serve, pubsub, location, target):
    source = location("gs")
    source.fill({"a b": b"1", "c": b"2"})
    daemon = serve(
        {"pairs": {"p": {"source": source.url, "target": target.url, "schedule": RARELY,
                         "events": {"queue": pubsub.name, "batch_wait": "1s"}}}},
        environment={"PUBSUB_EMULATOR_HOST": pubsub.host})
    bucket = bucket_of(source)
    pubsub.change(bucket, key_of(source, "a b"))
    pubsub.change(bucket, key_of(source, "c"))
    pubsub.change(bucket, key_of(source, "c"), "OBJECT_DELETE", overwrittenByGeneration="5")
    pubsub.change(bucket, key_of(source, "c"), "OBJECT_DELETE")
    wait_until(lambda: not pubsub.queue.messages, 40, lambda: daemon.text[-3000:])
    assert target.visible() == source.visible()
    daemon.stop()


def test_google_does_not_count_deliveries_and_poison_ends_all_the_same(serve, pubsub, location, target):
    source = location("gs")
    daemon = serve(
        {"pairs": {"p": {"source": source.url, "target": target.url, "schedule": RARELY,
                         "events": {"queue": pubsub.name, "batch_wait": "1s"}}}},
        environment={"PUBSUB_EMULATOR_HOST": pubsub.host})
    pubsub.queue.put({"data": "!!!", "attributes": {"eventType": "OBJECT_FINALIZE"}})
    for deliveries in range(1, 6):
        wait_until(lambda: count(daemon, "unreadable") == deliveries, 40, lambda: daemon.text[-2000:])
        pubsub.queue.show_all()
    wait_until(lambda: not pubsub.queue.messages)
    assert daemon.messages("taken off the queue unread after 5 deliveries")
    daemon.wait_for_run()
    daemon.stop()


@pytest.mark.parametrize("encode", [True, False])
def test_events_of_azure_are_copied(serve, lockstep, location, target, encode):
    source = location("az")
    source.fill({"a b": b"1", "c": b"2"})
    account = source.url.split("/")[2]
    fake = StorageQueue(account)
    daemon = serve(
        {"pairs": {"p": {"source": source.url, "target": target.url, "schedule": RARELY,
                         "events": {"queue": fake.url, "batch_wait": "1s"}}}})
    container, prefix = source.url.split("/")[3], "/".join(source.url.split("/")[4:])
    fake.change(container, prefix + "a b", encode=encode)
    fake.change(container, prefix + "c", encode=encode)
    fake.change(container, prefix + "c", "Microsoft.Storage.BlobDeleted", encode=encode)
    wait_until(lambda: not fake.queue.messages, 60, lambda: daemon.text[-3000:])
    assert target.visible() == source.visible()
    daemon.stop()
    fake.server.close()


def test_a_queue_is_asked_with_the_secret_that_its_file_holds_by_then(serve, sim, tmp_path, location, target):
    source = location("az")
    source.fill({"k": b"1"})
    account, container, *prefix = source.url.split("/")[2:]
    fake = StorageQueue(account, signature="second")
    secret = tmp_path / "sas"
    secret.write_text("sv=2025-05-05&sig=first")
    daemon = serve({
        "clouds": {"queue": {"type": "az", "sas_token": "file:sas"}},
        "pairs": {"p": {"source": source.url, "target": target.url, "schedule": RARELY,
                        "events": {"queue": fake.url, "cloud": "queue", "batch_wait": "1s"}}}})
    fake.change(container, "/".join([*prefix, "k"]))
    wait_until(lambda: daemon.messages("again in") and fake.refused, 40, lambda: daemon.text[-3000:])
    secret.write_text("sv=2025-05-05&sig=second")
    wait_until(lambda: not fake.queue.messages, 60, lambda: daemon.text[-3000:])
    assert target.visible() == source.visible()
    daemon.stop()
    fake.server.close()


def test_a_queue_that_cannot_be_asked_is_said_and_stops_nothing(serve, location, source, target):
    source.put("k", b"1")
    daemon = serve(
        {"pairs": {"p": {"source": source.url, "target": target.url, "schedule": {"cron": "0 0 1 1 *"},
                         "events": {"queue": "http://127.0.0.1:1/123456789012/objects"}}}},
        environment={"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:1"})
    daemon.wait_for_run()
    wait_until(lambda: daemon.messages("queue objects"), about=lambda: daemon.text)
    assert daemon.get("/readyz").status_code == 200
    daemon.stop()
