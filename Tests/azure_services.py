"""Stands in for what hands out tokens for Azure, on a free port of loopback: Microsoft Entra, a machine's metadata service, the
identity service of App Service; and for a key vault.

What was asked is kept as it came, so that tests see who was asked for what, with which proof.
"""

import base64
import contextlib
import re
import threading

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from loopback_server import LoopbackServer

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "66666666-7777-8888-9999-000000000000"
ENTRA = f"/{TENANT}/oauth2/v2.0/token"
MACHINE = "/metadata/identity/oauth2/token"
APPLICATION = "/msi/token"
HEADER = "canary-identity-header"


class AzureServices:
    """All of them at one address, told apart by their paths. Tokens are handed out in order, the last one for all that follow."""

    def __init__(self, *tokens):
        self.tokens = list(tokens)
        self.asked = []
        #: Name of a key in the vault -> version -> RSA key; the last version is the newest.
        self.keys = {}
        #: path -> list of (status, headers, body) that are answered first.
        self.instead = {}
        self.lock = threading.Lock()
        self.server = LoopbackServer(self.answer)
        self.url = self.server.url

    def answer(self, asked):
        with self.lock:
            self.asked.append(asked)
            waiting = self.instead.get(asked.path)
            return waiting.pop(0) if waiting else self.reply(asked)

    def reply(self, asked):
        if asked.path.startswith("/keys/"):
            return self.key_vault(asked)
        token = self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]
        known = {
            ("POST", ENTRA): lambda: {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token},
            ("GET", MACHINE): lambda: self.machine(asked, token),
            ("GET", APPLICATION): lambda: self.application(asked, token),
        }.get((asked.method, asked.path))
        answer = known and known()
        return (200, {"content-type": "application/json"}, answer) if answer else (404, {}, b"")

    @staticmethod
    def machine(asked, token):
        """Text where Entra writes numbers."""
        if asked.headers.get("metadata") != "true" or asked.query.get("api-version") != "2018-02-01":
            return None
        return {
            "access_token": token, "client_id": CLIENT, "expires_in": "86399", "expires_on": "4000000000",
            "resource": asked.query["resource"], "token_type": "Bearer",
        }

    @staticmethod
    def application(asked, token):
        if asked.headers.get("x-identity-header") != HEADER or asked.query.get("api-version") != "2019-08-01":
            return None
        return {"access_token": token, "expires_on": "4000000000", "resource": asked.query["resource"], "token_type": "Bearer"}

    def add_key(self, name, version):
        self.keys.setdefault(name, {})[version] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return f"{self.url}/keys/{name}"

    def key_vault(self, asked):
        def refuse(status, code):
            return status, {}, {"error": {"code": code, "message": f"{code} happened."}}

        if asked.headers.get("authorization") != f"Bearer {self.tokens[-1]}":
            challenge = f'Bearer authorization="https://login.windows.net/{TENANT}", resource="https://vault.azure.net"'
            return 401, {"www-authenticate": challenge}, {"error": {"code": "Unauthorized", "message": "AKV10000"}}
        name, version, verb = re.fullmatch(r"/keys/([^/]+)(?:/([^/]+))?(?:/(wrapkey|unwrapkey))?", asked.path).groups()
        versions = self.keys.get(name, {})
        if verb is None:
            version = version or next(reversed(versions), None)
        if version not in versions or asked.query != {"api-version": "7.4"}:
            return refuse(404, "KeyNotFound")
        kid = f"{self.url}/keys/{name}/{version}"
        if verb is None:
            return 200, {}, {"key": {"kid": kid, "kty": "RSA"}, "attributes": {"enabled": True}}
        document = asked.json
        assert document["alg"] == "RSA-OAEP-256"
        value = base64.urlsafe_b64decode(document["value"] + "==")
        scheme = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        key = versions[version]
        try:
            result = key.public_key().encrypt(value, scheme) if verb == "wrapkey" else key.decrypt(value, scheme)
        except ValueError:
            return refuse(400, "BadParameter")
        return 200, {}, {"kid": kid, "value": base64.urlsafe_b64encode(result).decode().rstrip("=")}

    def at(self, path):
        """The one request that arrived at a path."""
        (asked,) = [asked for asked in self.asked if asked.path == path]
        return asked

    @contextlib.contextmanager
    def running(self):
        with self.server:
            yield self
