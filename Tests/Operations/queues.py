"""Small servers for Pub/Sub's and Azure Storage's queues: messages, deliveries, receipts and time out of sight."""

import base64
import json
import re
import threading
import time
import uuid
from xml.sax.saxutils import escape

from loopback_server import LoopbackServer


class Queue:
    def __init__(self):
        self.lock = threading.Lock()
        self.messages = {}
        self.acknowledged = []

    def put(self, body):
        with self.lock:
            self.messages[uuid.uuid4().hex] = {"body": body, "visible": 0.0, "deliveries": 0, "receipt": None}

    def receive(self, limit, visibility):
        with self.lock:
            taken = [(name, m) for name, m in self.messages.items() if m["visible"] <= time.monotonic()][:limit]
            for _, message in taken:
                message.update(
                    visible=time.monotonic() + visibility, deliveries=message["deliveries"] + 1, receipt=uuid.uuid4().hex)
            return [(name, dict(message)) for name, message in taken]

    def with_receipt(self, receipt):
        return next((name for name, message in self.messages.items() if message["receipt"] == receipt), None)

    def acknowledge(self, receipt):
        with self.lock:
            name = self.with_receipt(receipt)
            if name:
                self.acknowledged.append(self.messages.pop(name)["body"])
            return name is not None

    def extend(self, receipt, visibility, renew=False):
        with self.lock:
            name = self.with_receipt(receipt)
            if not name:
                return None
            message = self.messages[name]
            message["visible"] = time.monotonic() + visibility
            if renew:
                message["receipt"] = uuid.uuid4().hex
            return message["receipt"]

    def show_all(self):
        """As if the time out of sight were over."""
        with self.lock:
            for message in self.messages.values():
                message["visible"] = 0.0


class PubSub:
    """One subscription, as the emulator of Pub/Sub shows it."""

    name = "projects/test/subscriptions/objects"

    def __init__(self):
        self.queue = Queue()
        self.server = LoopbackServer(self.answer)
        self.host = self.server.authority

    def answer(self, asked):
        verb, document = asked.path.rsplit(":", 1)[1], asked.json
        if verb == "pull":
            received = self.queue.receive(document["maxMessages"], 600)
            if not received:
                time.sleep(0.2)
                return 200, {}, {}
            return 200, {}, {"receivedMessages": [
                {"ackId": message["receipt"], "message": {"messageId": name, **message["body"]}} for name, message in received]}
        for receipt in document["ackIds"]:
            if verb == "acknowledge":
                self.queue.acknowledge(receipt)
            else:
                self.queue.extend(receipt, document["ackDeadlineSeconds"])
        return 200, {}, {}

    def change(self, bucket, key, kind="OBJECT_FINALIZE", **attributes):
        self.queue.put({"attributes": {
            "eventType": kind, "bucketId": bucket, "objectId": key, "objectGeneration": str(time.time_ns()),
            "payloadFormat": "NONE", **attributes}})


class StorageQueue:
    """One queue of an Azure storage account."""

    def __init__(self, account, signature=None):
        self.queue = Queue()
        #: What a request must be signed with; None: anything will do.
        self.signature = signature
        self.refused = 0
        self.server = LoopbackServer(self.answer)
        self.url = f"{self.server.url}/{account}/objects"

    def answer(self, asked):
        query = asked.query
        if self.signature and query.get("sig") != self.signature:
            self.refused += 1
            return 403, {"x-ms-error-code": "AuthenticationFailed"}, b""
        if asked.method == "DELETE":
            return 204 if self.queue.acknowledge(query["popreceipt"]) else 404, {}, b""
        if asked.method == "PUT":
            receipt = self.queue.extend(query["popreceipt"], int(query["visibilitytimeout"]), renew=True)
            return 204 if receipt else 404, {"x-ms-popreceipt": receipt or ""}, b""
        received = self.queue.receive(int(query.get("numofmessages", 1)), int(query.get("visibilitytimeout", 30)))
        rows = "".join(
            f"<QueueMessage><MessageId>{name}</MessageId><InsertionTime>Sat, 21 Nov 2026 00:00:00 GMT</InsertionTime>"
            f"<ExpirationTime>Sat, 28 Nov 2026 00:00:00 GMT</ExpirationTime><PopReceipt>{message['receipt']}</PopReceipt>"
            f"<TimeNextVisible>Sat, 21 Nov 2026 00:10:00 GMT</TimeNextVisible>"
            f"<DequeueCount>{message['deliveries']}</DequeueCount>"
            f"<MessageText>{escape(message['body'])}</MessageText></QueueMessage>"
            for name, message in received)
        body = f'<?xml version="1.0" encoding="utf-8"?><QueueMessagesList>{rows}</QueueMessagesList>'
        return 200, {"content-type": "application/xml"}, body

    def change(self, container, key, kind="Microsoft.Storage.BlobCreated", encode=True):
        event = json.dumps({
            "topic": "/subscriptions/x", "subject": f"/blobServices/default/containers/{container}/blobs/{key}",
            "eventType": kind, "eventTime": "2026-11-21T00:00:00Z", "id": uuid.uuid4().hex, "dataVersion": "", "metadataVersion": "1",
            "data": {"api": "PutBlob", "eTag": "0x1", "blobType": "BlockBlob", "sequencer": f"{time.time_ns():032x}"},
        })
        self.queue.put(base64.b64encode(event.encode()).decode() if encode else event)
