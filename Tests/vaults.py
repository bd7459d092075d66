"""A vault at a place of any kind, as `lockstep` and as its storage see it."""

import json
import re
import uuid

import pytest

from locations import is_manifest
from lockstep_binary import TIME

SCHEMA = "lockstep.vault/1"
#: The kinds of objects that a vault is made of.
PARTS = ("format", "key/", "root/", "snap/", "index/", "pack/")


class Vault:
    """A vault in a folder of `place`, and the user who has its passphrase."""

    def __init__(self, lockstep, place, password="correct horse battery staple", folder="backups/vault"):
        self.lockstep, self.place, self.folder, self.password = lockstep, place, folder, password
        self.plain = f"{place.url}/{folder}"
        self.url = "vault+" + self.plain
        self.password_file = self.secret(password)
        self.keys = ("--password-file", self.password_file)

    def secret(self, text):
        """A file that only its owner can read."""
        path = self.lockstep.directory / f"secret-{uuid.uuid4().hex[:8]}"
        path.touch(mode=0o600)
        path.write_bytes(text if isinstance(text, bytes) else text.encode() + b"\n")
        return path

    def init(self, *flags):
        outcome = self.run("vault", "init", self.url, *flags)
        assert self.url in outcome.out
        return self

    def run(self, *arguments, expect=0, **options):
        """A command with the passphrase and this user's state."""
        outcome = self.lockstep.run(*arguments, *self.keys, "--state", self.lockstep.state, expect=expect, **options)
        assert self.password.encode() not in outcome.stdout + outcome.stderr
        return outcome

    def fill(self, source, *flags, expect=0, **options):
        """Syncs into the vault."""
        return self.lockstep.sync(source.url, self.url, *self.keys, *flags, expect=expect, **options)

    def restore(self, target, *flags, expect=0, inner="", **options):
        """Syncs out of the vault."""
        return self.lockstep.sync(self.url + inner, target.url, *self.keys, *flags, expect=expect, **options)

    def ls(self, *flags, inner=""):
        lines = self.run("ls", self.url + inner, "--json", *flags).out.splitlines()
        return {line["key"]: line["size"] for line in map(json.loads, lines)}

    def cat(self, key, *flags, **options):
        return self.run("cat", f"{self.url}/{key}", *flags, **options).stdout

    def lines(self, verb, *arguments, expect=0):
        """What `vault VERB --json` says, each line held against the schema."""
        lines = [json.loads(line) for line in self.run("vault", verb, self.url, *arguments, "--json", expect=expect).out.splitlines()]
        for line in lines:
            assert line["schema"] == SCHEMA and line["event"], line
            assert TIME.match(line.get("time", "2026-01-01T00:00:00Z")), line
        return lines

    def snapshots(self):
        return [line for line in self.lines("snapshots") if line["event"] == "snapshot"]

    def root(self):
        """`SEQUENCE:HASH`."""
        mark = self.run("vault", "export-root", self.url).out.strip()
        assert re.fullmatch(r"\d+:[0-9a-f]{64}", mark)
        return mark

    # What the storage sees.

    def names(self, prefix=""):
        """The objects that the vault is made of, by their names inside it."""
        start = self.folder + "/"
        found = [key[len(start):] for key in self.place.all_keys() if key.startswith(start)]
        return sorted(name for name in found if name.startswith(prefix))

    def read(self, name):
        return self.place.get(f"{self.folder}/{name}")

    def write(self, name, data):
        self.place.put(f"{self.folder}/{name}", data)

    def delete(self, name):
        self.place.delete(f"{self.folder}/{name}")

    def contents(self):
        return {name: self.read(name) for name in self.names()}

    def check_sealed(self, *secrets):
        """Nothing of what is inside can be seen, and nothing is there that does not belong."""
        for name, data in self.contents().items():
            assert name.startswith(PARTS) and not is_manifest(name), name
            for secret in secrets:
                assert secret not in data and secret not in name.encode(), f"{secret!r} shows in {name}"


@pytest.fixture
def make_vault(lockstep, location):
    """Makes a vault: `make_vault("s3")`."""

    def make(kind="s3", *flags, **options):
        return Vault(lockstep, location(kind), **options).init(*flags)

    return make
