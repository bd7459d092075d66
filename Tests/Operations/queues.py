"""Small servers for Pub/Sub's and Azure Storage's queues: messages, deliveries, receipts and time out of sight."""

import base64
import http.server
import json
import re
import threading
import time
import urllib.parse
import uuid
from xml.sax.saxutils import escape


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


def serve(handler):
    handler.log_message = lambda *_: None
    handler.protocol_version = "HTTP/1.1"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class PubSub:
    """One subscription, as the emulator of Pub/Sub shows it."""

    name = "projects/test/subscriptions/objects"

    def __init__(self):
        self.queue = queue = Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}")
                verb = self.path.rsplit(":", 1)[1]
                answer = {}
                if verb == "pull":
                    received = queue.receive(asked["maxMessages"], 600)
                    if received:
                        answer["receivedMessages"] = [
                            {"ackId": message["receipt"], "message": {"messageId": name, **message["body"]}}
                            for name, message in received]
                    else:
                        time.sleep(0.2)
                elif verb == "acknowledge":
                    for receipt in asked["ackIds"]:
                        queue.acknowledge(receipt)
                else:
                    for receipt in asked["ackIds"]:
                        queue.extend(receipt, asked["ackDeadlineSeconds"])
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = serve(Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"

    def change(self, bucket, key, kind="OBJECT_FINALIZE", **attributes):
        self.queue.put({"attributes": {
            "eventType": kind, "bucketId": bucket, "objectId": key, "objectGeneration": str(time.time_ns()),
            "payloadFormat": "NONE", **attributes}})


class StorageQueue:
    """One queue of an Azure storage account."""

    def __init__(self, account):
        self.queue = queue = Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status, body=b"", **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def query(self):
                return dict(urllib.parse.parse_qsl(self.path.partition("?")[2]))

            def do_GET(self):
                asked = self.query()
                received = queue.receive(int(asked.get("numofmessages", 1)), int(asked.get("visibilitytimeout", 30)))
                rows = "".join(
                    f"<QueueMessage><MessageId>{name}</MessageId><InsertionTime>Sat, 21 Nov 2026 00:00:00 GMT</InsertionTime>"
                    f"<ExpirationTime>Sat, 28 Nov 2026 00:00:00 GMT</ExpirationTime><PopReceipt>{message['receipt']}</PopReceipt>"
                    f"<TimeNextVisible>Sat, 21 Nov 2026 00:10:00 GMT</TimeNextVisible>"
                    f"<DequeueCount>{message['deliveries']}</DequeueCount>"
                    f"<MessageText>{escape(message['body'])}</MessageText></QueueMessage>"
                    for name, message in received)
                body = f'<?xml version="1.0" encoding="utf-8"?><QueueMessagesList>{rows}</QueueMessagesList>'.encode()
                self.answer(200, body, content_type="application/xml")

            def do_DELETE(self):
                self.answer(204 if queue.acknowledge(self.query()["popreceipt"]) else 404)

            def do_PUT(self):
                self.rfile.read(int(self.headers.get("content-length", 0)))
                asked = self.query()
                receipt = queue.extend(asked["popreceipt"], int(asked["visibilitytimeout"]), renew=True)
                self.answer(204 if receipt else 404, x_ms_popreceipt=receipt or "")

        self.server = serve(Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/{account}/objects"

    def change(self, container, key, kind="Microsoft.Storage.BlobCreated", encode=True):
        event = json.dumps({
            "topic": "/subscriptions/x", "subject": f"/blobServices/default/containers/{container}/blobs/{key}",
            "eventType": kind, "eventTime": "2026-11-21T00:00:00Z", "id": uuid.uuid4().hex, "dataVersion": "", "metadataVersion": "1",
            "data": {"api": "PutBlob", "eTag": "0x1", "blobType": "BlockBlob", "sequencer": f"{time.time_ns():032x}"},
        })
        self.queue.put(base64.b64encode(event.encode()).decode() if encode else event)
