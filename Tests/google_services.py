"""Stands in for the services of Google's that hand out tokens, for a metadata server and for Cloud KMS, on a free port of loopback.

What was asked is kept as it came, so that tests see who was asked for what, with which secrets.
"""

import base64
import contextlib
import dataclasses
import datetime
import http.server
import json
import os
import threading
import urllib.parse

import google_crc32c
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ROBOT = "robot@project.iam.gserviceaccount.com"


@dataclasses.dataclass
class Asked:
    """One request that arrived."""

    method: str
    path: str
    query: dict
    headers: dict
    body: bytes

    @property
    def form(self):
        return dict(urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self):
        return json.loads(self.body)


class GoogleServices:
    """All of them at one address, told apart by their paths."""

    def __init__(self, token, lifetime=3600):
        self.token = token
        self.lifetime = lifetime
        self.asked = []
        #: path -> (status, headers, body) that is answered instead.
        self.instead = {}
        self.metadata_flavor = "Google"
        #: name of a key of Cloud KMS -> its bytes.
        self.keys = {}
        #: Changes what Cloud KMS answers.
        self.damage = lambda document: None
        services = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                url = urllib.parse.urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                asked = Asked(
                    self.command, url.path, dict(urllib.parse.parse_qsl(url.query)),
                    {name.lower(): value for name, value in self.headers.items()}, body,
                )
                services.asked.append(asked)
                status, headers, answer = services.instead.get(url.path) or services.reply(asked)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.authority = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"http://{self.authority}"
        self.impersonation = f"{self.url}/v1/projects/-/serviceAccounts/{ROBOT}:generateAccessToken"

    @contextlib.contextmanager
    def running(self):
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            self.server.server_close()
            thread.join()

    def paths(self):
        return [asked.path for asked in self.asked]

    def at(self, path):
        """The one request to a path."""
        (asked,) = [asked for asked in self.asked if asked.path == path]
        return asked

    def granted(self, token, **more):
        return 200, {"content-type": "application/json"}, json.dumps(
            {"access_token": token, "expires_in": self.lifetime, "token_type": "Bearer", **more}
        ).encode()

    def reply(self, asked):
        """OAuth tokens and metadata are the token itself; federated ones must be exchanged for it by impersonation."""
        if asked.path == "/token":
            return self.granted(self.token)
        if asked.path == "/v1/token":
            return self.granted(self.federated, issued_token_type="urn:ietf:params:oauth:token-type:access_token")
        if asked.path.startswith("/computeMetadata/"):
            status, headers, body = self.granted(self.token)
            return status, {**headers, "Metadata-Flavor": self.metadata_flavor}, body
        if asked.path.endswith(":generateAccessToken"):
            if asked.headers.get("authorization") != f"Bearer {self.federated}":
                return 401, {}, b'{"error": {"code": 401, "message": "Who are you?", "status": "UNAUTHENTICATED"}}'
            end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.lifetime)
            document = {"accessToken": self.token, "expireTime": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
            return 200, {"content-type": "application/json"}, json.dumps(document).encode()
        if asked.path.endswith((":encrypt", ":decrypt")):
            return self.use_key(asked)
        return 404, {}, b"{}"

    def use_key(self, asked):
        """Cloud KMS, as strict about checksums as the service."""
        name, verb = asked.path.removeprefix("/v1/").split(":")
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            return failure(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if name not in self.keys:
            return failure(404, "NOT_FOUND", f"CryptoKey {name} not found.")
        document = asked.json
        fields = {field: base64.b64decode(document[field]) for field in ("plaintext", "ciphertext") if field in document}
        aad = base64.b64decode(document["additionalAuthenticatedData"])
        for field, value in (*fields.items(), ("additionalAuthenticatedData", aad)):
            if document[f"{field}Crc32c"] != crc32c(value):
                return failure(400, "INVALID_ARGUMENT", f"The checksum of {field} did not match.")
        cipher = AESGCM(self.keys[name])
        if verb == "encrypt":
            nonce = os.urandom(12)
            ciphertext = nonce + cipher.encrypt(nonce, fields["plaintext"], aad)
            reply = {
                "name": f"{name}/cryptoKeyVersions/1", "ciphertext": base64.b64encode(ciphertext).decode(),
                "ciphertextCrc32c": crc32c(ciphertext), "verifiedPlaintextCrc32c": True,
                "verifiedAdditionalAuthenticatedDataCrc32c": True, "protectionLevel": "SOFTWARE",
            }
        else:
            sealed = fields["ciphertext"]
            try:
                plaintext = cipher.decrypt(sealed[:12], sealed[12:], aad)
            except (InvalidTag, ValueError):
                return failure(400, "INVALID_ARGUMENT", "Decryption failed: the ciphertext is invalid.")
            reply = {"plaintext": base64.b64encode(plaintext).decode(), "plaintextCrc32c": crc32c(plaintext), "usedPrimary": True}
        self.damage(reply)
        return 200, {"content-type": "application/json"}, json.dumps(reply).encode()

    #: What the Security Token Service gives; storage does not take it.
    federated = "canary-federated-token"


def refuse(message, status=400, code="invalid_grant"):
    return status, {}, json.dumps({"error": code, "error_description": message}).encode()


def basic(client, secret):
    return "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()


def failure(code, status, message):
    return code, {}, json.dumps({"error": {"code": code, "message": message, "status": status}}).encode()


def crc32c(value):
    """As Google writes 64-bit numbers in JSON."""
    return str(google_crc32c.value(value))
