"""What opens a vault: passphrases from files, variables and terminals, key files, and who may do what with them."""

import json
import os
import pty
import re
import select
import signal
import termios
import time

import pytest

from locations import KINDS
from lockstep_binary import binary
from vaults import Vault, make_vault  # noqa: F401


@pytest.fixture
def vault(make_vault, location):
    """A small vault of one object."""
    vault = make_vault("file")
    vault.fill(location("s3").fill({"k": b"inside"}))
    return vault


def ls(vault, *flags, expect=0, **options):
    return vault.lockstep.run("ls", vault.url, *flags, "--state", vault.lockstep.state, expect=expect, **options)


def test_the_wrong_passphrase(vault, location):
    wrong = vault.secret("not this one")
    for arguments in [("ls", vault.url), ("cat", vault.url + "/k"), ("stat", vault.url + "/k"), ("vault", "snapshots", vault.url)]:
        refused = vault.lockstep.run(*arguments, "--password-file", wrong, expect=78)
        assert vault.url.removesuffix("/") in refused.err and refused.out == "" and "inside" not in refused.err
    target = location("s3")
    vault.lockstep.run("sync", vault.url, target.url, "--password-file", wrong, expect=78)
    assert target.all_keys() == []
    before = vault.contents()
    vault.lockstep.run("sync", location("s3").fill({"x": b"1"}).url, vault.url, "--password-file", wrong, expect=78)
    assert vault.contents() == before


def test_no_passphrase_and_no_terminal(vault):
    refused = vault.lockstep.finish(vault.lockstep.start("ls", vault.url, start_new_session=True))
    assert refused.status == 78
    for way_out in ("--password-file", "--key-file", "LOCKSTEP_VAULT_PASSWORD_FILE", "LOCKSTEP_VAULT_KEY_FILE"):
        assert way_out in refused.err


def test_files_that_variables_name(vault, location):
    assert "k" in ls(vault, environment={"LOCKSTEP_VAULT_PASSWORD_FILE": str(vault.password_file)}).out
    # What a flag says comes first.
    wrong = vault.secret("wrong")
    assert "k" in ls(vault, *vault.keys, environment={"LOCKSTEP_VAULT_PASSWORD_FILE": str(wrong)}).out
    ls(vault, environment={"LOCKSTEP_VAULT_PASSWORD_FILE": str(wrong)}, expect=78)
    ls(vault, environment={"LOCKSTEP_VAULT_KEY_FILE": str(vault.secret(os.urandom(64)))}, expect=78)


@pytest.mark.parametrize(
    "content, said", [(b"", "empty"), (b"\n", "empty"), (b"\r\nsecond line", "empty"), (b"x" * (2 << 20), "larger than")])
def test_password_files_that_are_none(vault, content, said):
    refused = ls(vault, "--password-file", vault.secret(content), expect=78)
    assert said in refused.err


def test_only_the_first_line_counts_and_its_end_does_not(vault):
    for content in (vault.password, vault.password + "\n", vault.password + "\r\n", vault.password + "\nnotes\n"):
        assert "k" in ls(vault, "--password-file", vault.secret(content.encode())).out


def test_secret_files_that_are_missing_or_open_to_others(vault, tmp_path):
    refused = ls(vault, "--password-file", tmp_path / "none", expect=78)
    assert str(tmp_path / "none") in refused.err
    vault.password_file.chmod(0o644)
    warned = ls(vault, *vault.keys)
    assert "warning" in warned.err and str(vault.password_file) in warned.err and "chmod 600" in warned.err
    vault.password_file.chmod(0o600)
    assert "warning" not in ls(vault, *vault.keys).err
    refused = ls(vault, "--key-file", vault.secret(b"short"), expect=78)
    assert "32" in refused.err


def test_a_key_file(lockstep, location):
    vault = Vault(lockstep, location("az"))
    vault.keys = ("--key-file", vault.secret(os.urandom(64)))
    vault.init()
    source = location("s3").fill({"k": b"1"})
    vault.fill(source)
    assert vault.cat("k") == b"1"
    refused = ls(vault, "--key-file", vault.secret(os.urandom(64)), expect=78)
    assert "key" in refused.err


def test_side_by_side(vault, make_vault):
    """Flags of one side count for that side, plain ones for those that have none."""
    other = make_vault("s3", password="other")
    sync = ("sync", vault.url, other.url, "--state", vault.lockstep.state)
    for keys in [
        ("--source-password-file", vault.password_file, "--target-password-file", other.password_file),
        ("--password-file", vault.password_file, "--target-password-file", other.password_file),
        ("--password-file", other.password_file, "--source-password-file", vault.password_file),
    ]:
        vault.lockstep.run(*sync, *keys)
    refused = vault.lockstep.run(*sync, "--password-file", vault.password_file, expect=78)
    assert other.url in refused.err
    refused = vault.lockstep.run(*sync, "--source-password-file", vault.password_file, "--source-key-file", "x", expect=2)
    assert "exclude each other" in refused.err


class Terminal:
    """A process with a terminal of its own."""

    def __init__(self, lockstep, *arguments):
        self.said = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execve(binary(), [binary(), *map(str, arguments)], lockstep.environment)

    def wait_for(self, text):
        deadline = time.monotonic() + 30
        while text.encode() not in self.said:
            assert time.monotonic() < deadline, f"{text!r} was not said: {self.said!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.said += os.read(self.master, 4096)
                except OSError:
                    pytest.fail(f"ended without {text!r}: {self.said!r}")
        self.said = self.said.split(text.encode(), 1)[1]

    def echoes(self):
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def wait_until_hidden(self):
        deadline = time.monotonic() + 30
        while self.echoes():
            assert time.monotonic() < deadline, "the terminal still echoes"

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        """The exit status, and what was said since."""
        while True:
            try:
                piece = os.read(self.master, 4096)
            except OSError:
                piece = b""
            if not piece:
                break
            self.said += piece
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.master)
        return status, self.said.decode()


def test_asked_on_a_terminal(vault):
    terminal = Terminal(vault.lockstep, "ls", vault.url)
    terminal.wait_for(f"Passphrase of {vault.url}: ")
    terminal.wait_until_hidden()
    terminal.type(vault.password + "\n")
    status, said = terminal.end()
    assert status == 0 and vault.password not in said and said.rstrip().endswith("k")


def test_wrong_and_empty_answers(vault):
    for answer, wanted in (("wrong\n", "passphrase"), ("\n", "empty")):
        terminal = Terminal(vault.lockstep, "ls", vault.url)
        terminal.wait_for(": ")
        terminal.wait_until_hidden()
        terminal.type(answer)
        status, said = terminal.end()
        assert status == 78 and wanted in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_gives_the_echo_back(vault, number):
    terminal = Terminal(vault.lockstep, "ls", vault.url)
    terminal.wait_for(": ")
    terminal.wait_until_hidden()
    os.kill(terminal.pid, number)
    status = os.waitstatus_to_exitcode(os.waitpid(terminal.pid, 0)[1])
    assert status == 128 + number and terminal.echoes()
    os.close(terminal.master)


def test_a_new_passphrase_is_asked_for_twice(lockstep, location):
    place = location("file")
    url = f"vault+{place.url}/v"
    for second, wanted in (("different\n", 78), ("chosen\n", 0)):
        terminal = Terminal(lockstep, "vault", "init", url)
        terminal.wait_for("New passphrase of")
        terminal.wait_until_hidden()
        terminal.type("chosen\n")
        terminal.wait_for("Once more: ")
        terminal.wait_until_hidden()
        terminal.type(second)
        status, said = terminal.end()
        assert status == wanted, said
        assert wanted == 0 or ("differ" in said and place.all_keys() == [])
    vault = Vault(lockstep, place, password="chosen", folder="v")
    assert vault.ls() == {}


# Keys that are added, removed and replaced.


def keys_of(vault):
    return [
        json.loads(line) for line in vault.run("vault", "key", "list", vault.url, "--json").out.splitlines()]


@pytest.mark.parametrize("kind", list(KINDS))
def test_several_keys_open_one_vault(make_vault, location, kind):
    vault = make_vault(kind)
    vault.fill(location("s3").fill({"k": b"inside"}))
    second, file = vault.secret("second"), vault.secret(os.urandom(64))
    vault.run("vault", "key", "add", vault.url, "--new-password-file", second, "--label", "for the other cloud")
    vault.run("vault", "key", "add", vault.url, "--new-key-file", file)
    listed = keys_of(vault)
    assert [each["kind"] for each in listed] == ["passphrase", "passphrase", "file"]
    assert listed[1]["label"] == "for the other cloud" and len({each["slot"] for each in listed}) == 3
    for keys in (vault.keys, ("--password-file", second), ("--key-file", file)):
        assert "k" in ls(vault, *keys).out

    # Removed by somebody who holds another key; what it opened, it opens no more.
    vault.run("vault", "key", "remove", vault.url, listed[1]["slot"])
    ls(vault, "--password-file", second, expect=78)
    assert "k" in ls(vault, "--key-file", file).out and len(keys_of(vault)) == 2
    refused = vault.run("vault", "key", "remove", vault.url, listed[1]["slot"], expect=2)
    assert listed[1]["slot"] in refused.err

    vault.run("vault", "key", "remove", vault.url, listed[2]["slot"])
    last = vault.run("vault", "key", "remove", vault.url, listed[0]["slot"], expect=2)
    assert "last" in last.err or "only" in last.err
    assert "k" in ls(vault, *vault.keys).out


def test_rotation_keeps_what_there_is_readable(make_vault, location):
    vault = make_vault("s3")
    source = location("s3").fill({"old": b"old" * 1000})
    vault.fill(source)
    second = vault.secret("second")
    vault.run("vault", "key", "add", vault.url, "--new-password-file", second)
    vault.run("vault", "key", "rotate", vault.url)
    source.put("new", b"new" * 1000)
    vault.fill(source)
    for keys in (vault.keys, ("--password-file", second)):
        assert vault.lockstep.run("cat", vault.url + "/old", *keys).stdout == b"old" * 1000
        assert vault.lockstep.run("cat", vault.url + "/new", *keys).stdout == b"new" * 1000
    # What was there is found again: ids do not depend on the root key.
    source.put("copy", b"old" * 1000)
    assert vault.fill(source).summary["vault"]["new_chunks"] == 0
    versions = {vault.read(name)[12] for name in vault.names("root/")}
    assert versions == {1, 2}


def test_a_key_is_not_added_by_who_has_none(vault):
    before = vault.contents()
    vault.lockstep.run(
        "vault", "key", "add", vault.url, "--password-file", vault.secret("wrong"), "--new-password-file", vault.secret("n"), expect=78)
    assert vault.contents() == before
    refused = vault.run("vault", "key", "add", vault.url, "--new-password-file", vault.secret(""), expect=78)
    assert "empty" in refused.err and vault.contents() == before


def test_no_key_material_in_what_is_said(vault):
    said = vault.run("vault", "key", "list", vault.url, "--json").out + vault.run("vault", "key", "list", vault.url).out
    assert not re.search(r"[0-9a-f]{32}", said) and "sealed" not in said
