"""Stands in for the services of Google's that hand out tokens, for a metadata server and for Cloud KMS, on a free port of loopback.

What was asked is kept as it came, so that tests see who was asked for what, with which secrets.
"""

import base64
import contextlib
import datetime
import os

import google_crc32c
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from loopback_server import LoopbackServer

ROBOT = "robot@project.iam.gserviceaccount.com"


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
        self.server = LoopbackServer(self.answer)
        self.authority, self.url = self.server.authority, self.server.url
        self.impersonation = f"{self.url}/v1/projects/-/serviceAccounts/{ROBOT}:generateAccessToken"

    def answer(self, asked):
        self.asked.append(asked)
        return self.instead.get(asked.path) or self.reply(asked)

    @contextlib.contextmanager
    def running(self):
        with self.server:
            yield self

    def paths(self):
        return [asked.path for asked in self.asked]

    def at(self, path):
        """The one request to a path."""
        (asked,) = [asked for asked in self.asked if asked.path == path]
        return asked

    def granted(self, token, **more):
        return 200, {}, {"access_token": token, "expires_in": self.lifetime, "token_type": "Bearer", **more}

    def reply(self, asked):
        """OAuth tokens and metadata are the token itself; federated ones must be exchanged for it by impersonation."""
        if asked.path == "/token":
            return self.granted(self.token)
        if asked.path == "/v1/token":
            return self.granted(self.federated, issued_token_type="urn:ietf:params:oauth:token-type:access_token")
        if asked.path.startswith("/computeMetadata/"):
            status, _, body = self.granted(self.token)
            return status, {"Metadata-Flavor": self.metadata_flavor}, body
        if asked.path.endswith(":generateAccessToken"):
            if asked.headers.get("authorization") != f"Bearer {self.federated}":
                return 401, {}, b'{"error": {"code": 401, "message": "Who are you?", "status": "UNAUTHENTICATED"}}'
            end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.lifetime)
            return 200, {}, {"accessToken": self.token, "expireTime": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
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
        return 200, {}, reply

    #: What the Security Token Service gives; storage does not take it.
    federated = "canary-federated-token"


def refuse(message, status=400, code="invalid_grant"):
    return status, {}, {"error": code, "error_description": message}


def basic(client, secret):
    return "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()


def failure(code, status, message):
    return code, {}, {"error": {"code": code, "message": message, "status": status}}


def crc32c(value):
    """As Google writes 64-bit numbers in JSON."""
    return str(google_crc32c.value(value))
