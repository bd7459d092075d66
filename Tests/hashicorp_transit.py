"""The transit engine of HashiCorp Vault on loopback: what its API documentation says, and nothing more.

Keys are AES-256-GCM with associated data. Tokens are known or refused; a pod's log-in hands out a new one each time.
"""

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from loopback_server import LoopbackServer


class Transit:
    def __init__(self):
        self.keys = {}
        self.tokens = {"s.root-CANARY"}
        self.roles = {}
        self.namespace = None
        self.requests = []
        #: Statuses to answer with before anything else.
        self.failures = []
        self.server = LoopbackServer(self.answer)
        self.url = self.server.url

    def add_key(self, name):
        self.keys[name] = [os.urandom(32)]

    def answer(self, asked):
        status, body = self.reply(asked.path, asked.headers, asked.json)
        return status, {}, body

    def reply(self, path, headers, body):
        """Status, body."""
        self.requests.append((path, headers.get("x-vault-token")))
        if self.failures:
            return self.failures.pop(0), {"errors": ["not now"]}
        if self.namespace and headers.get("x-vault-namespace") != self.namespace:
            return 403, {"errors": ["permission denied"]}
        parts = path.removeprefix("/v1/").split("/")
        if parts[:2] == ["auth", "kubernetes"] and parts[2:] == ["login"]:
            if self.roles.get(body["role"]) != body["jwt"]:
                return 403, {"errors": ["permission denied"]}
            token = f"s.pod-CANARY-{len(self.tokens)}"
            self.tokens.add(token)
            return 200, {"auth": {"client_token": token, "lease_duration": 3600, "renewable": True}}
        if headers.get("x-vault-token") not in self.tokens:
            return 403, {"errors": ["permission denied"]}
        mount, verb, name = parts
        if mount != "transit" or verb not in ("encrypt", "decrypt"):
            return 404, {"errors": []}
        if name not in self.keys:
            return 400, {"errors": ["encryption key not found"]}
        bound = base64.b64decode(body.get("associated_data", ""))
        versions = self.keys[name]
        if verb == "encrypt":
            nonce = os.urandom(12)
            sealed = AESGCM(versions[-1]).encrypt(nonce, base64.b64decode(body["plaintext"]), bound)
            text = f"vault:v{len(versions)}:" + base64.b64encode(nonce + sealed).decode()
            return 200, {"data": {"ciphertext": text, "key_version": len(versions)}}
        try:
            _, version, sealed = body["ciphertext"].split(":")
            sealed = base64.b64decode(sealed)
            opened = AESGCM(versions[int(version[1:]) - 1]).decrypt(sealed[:12], sealed[12:], bound)
        except (ValueError, IndexError, InvalidTag):
            return 400, {"errors": ["cipher: message authentication failed"]}
        return 200, {"data": {"plaintext": base64.b64encode(opened).decode()}}
