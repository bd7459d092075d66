"""Everything that can be said wrongly about a vault: what is the matter, what to do, and nothing written."""

import json

import pytest

from locations import KINDS
from vaults import make_vault  # noqa: F401


def test_no_vault_there(lockstep, location):
    for kind in KINDS:
        place = location(kind).fill({"a/b/k": b"1"})
        for url in (place.url, place.url + "/a/b"):
            secret = ("--password-file", "/dev/null")
            for arguments in [("ls", "vault+" + url), ("cat", f"vault+{url}/k"), ("vault", "snapshots", url), ("sync", place.url, "vault+" + url)]:
                refused = lockstep.run(*arguments, *secret, "--state", lockstep.state, expect=78)
                assert "no vault at" in refused.err and "lockstep vault init vault+" in refused.err
        assert place.all_keys() == ["a/b/k"]


def test_no_bucket_there(lockstep):
    refused = lockstep.run("ls", "vault+s3://no-such-bucket/v", "--password-file", "/dev/null", expect=78)
    assert "no-such-bucket" in refused.err


@pytest.mark.parametrize("document", [b"", b"not json", b"{}", b'{"magic":"another"}', b'{"magic":"lockstep vault","version":1}', b"\x00" * 5000])
def test_a_format_that_is_none(lockstep, location, tmp_path, document):
    place = location("s3").fill({"v/format": document})
    secret = tmp_path / "p"
    secret.write_text("p\n")
    secret.chmod(0o600)
    refused = lockstep.run("ls", f"vault+{place.url}/v", "--password-file", secret, expect=None)
    assert refused.status in (3, 78) and "format" in refused.err and refused.out == ""
    assert place.all_keys() == ["v/format"]


@pytest.mark.parametrize("change", [{"version": 99}, {"features": ["teleport"]}])
def test_a_vault_of_a_newer_program(make_vault, location, change):
    vault = make_vault("file")
    vault.fill(location("s3").fill({"k": b"1"}))
    document = json.loads(vault.read("format")) | change
    vault.write("format", json.dumps(document).encode())
    before = vault.contents()
    for arguments in [("ls", vault.url), ("cat", vault.url + "/k"), ("sync", location("s3").fill({"x": b"1"}).url, vault.url)]:
        refused = vault.run(*arguments, expect=78)
        assert "newer" in refused.err and refused.out == ""
    assert vault.contents() == before


@pytest.mark.parametrize("text", ["vault+", "vault+s3://", "vault+vault+s3://b/v", "vault+http://b/v", "vault+s3:///v", "vault+file://v"])
def test_locations_that_are_none(lockstep, text):
    refused = lockstep.run("ls", text, expect=2)
    assert refused.err.startswith("error: ") and refused.out == ""


def test_a_copy_of_a_vault_is_another_place(make_vault, location, lockstep):
    vault, place = make_vault("s3"), location("s3")
    source = location("file").fill({"k": b"1"})
    vault.fill(source)
    lockstep.sync(vault.plain, place.url + "/copy", "--no-manifest")
    copy = f"vault+{place.url}/copy"
    source.put("l", b"2")
    lockstep.sync(source.url, copy, *vault.keys)
    assert vault.run("ls", copy).out.count("\n") == 2
    for here, there in ((vault.url, copy), (copy, vault.url)):
        outcome = lockstep.run("sync", here, there, *vault.keys, "--state", lockstep.directory / "other", expect=None)
        assert "overlap" not in outcome.err


def test_what_begins_like_a_vault(lockstep, make_vault, location):
    """`vault+NAME` is never a plain directory of that name; `./vault+NAME` is."""
    vault = make_vault("file", folder="v")
    vault.fill(location("s3").fill({"k": b"1"}))
    directory = vault.place.directory
    assert lockstep.run("ls", "vault+v", *vault.keys, cwd=directory).out.endswith("  k\n")
    assert lockstep.run("ls", "VAULT+FILE://" + str(directory / "v"), *vault.keys).out.endswith("  k\n")
    lockstep.run("ls", "vault+x", *vault.keys, cwd=directory, expect=78)
    (directory / "vault+x").mkdir()
    (directory / "vault+x" / "plain").write_bytes(b"1")
    assert lockstep.run("ls", "./vault+x", cwd=directory).out.endswith("  plain\n")
    lockstep.run("ls", "vault+x", *vault.keys, cwd=directory, expect=78)


def test_init_where_other_objects_are(lockstep, location, tmp_path):
    secret = tmp_path / "p"
    secret.write_text("p\n")
    for kind in KINDS:
        place = location(kind).fill({"v/other": b"1"})
        refused = lockstep.run("vault", "init", place.url + "/v", "--password-file", secret, expect=78)
        assert "other" in refused.err and place.all_keys() == ["v/other"]
        lockstep.run("vault", "init", place.url + "/w", "--password-file", secret)


def test_init_where_something_is(lockstep, make_vault, location):
    vault = make_vault("s3")
    before = vault.contents()
    for url, said in [(vault.url, "already"), (vault.url + "/inside", "inside the vault"), (vault.plain, "already")]:
        refused = vault.run("vault", "init", url, expect=78)
        assert said in refused.err
    assert vault.contents() == before


@pytest.mark.parametrize(
    "flags",
    [
        ("--chunker", "rolling"), ("--chunker", "fixed"), ("--chunker", "fixed:1"), ("--chunker", "fixed:1G"), ("--compression", "gzip"),
        ("--pack-size", "1M"), ("--pack-size", "1G"), ("--pack-size", "-1"), ("--at-least", "1:" + "0" * 64), ("--snapshot", "1"),
    ],
    ids=" ".join,
)
def test_init_with_what_makes_no_sense(lockstep, location, flags, tmp_path):
    place = location("file")
    lockstep.run("vault", "init", place.url, "--password-file", tmp_path / "none", *flags, expect=2)
    assert place.all_keys() == []


def test_options_of_vaults_elsewhere(lockstep, location):
    place, other = location("s3").fill({"k": b"1"}), location("s3")
    for arguments in [
        ("ls", place.url, "--snapshot", "1"), ("ls", place.url, "--password-file", "x"), ("cat", place.url + "/k", "--key-file", "x"),
        ("stat", place.url + "/k", "--at-least", "1:" + "0" * 64), ("sync", place.url, other.url, "--password-file", "x"),
        ("sync", place.url, other.url, "--target-key-file", "x"), ("sync", place.url, other.url, "--snapshot", "latest"),
        ("check", place.url, other.url, "--target-snapshot", "1"), ("check", place.url, other.url, "--snapshot", "1"),
    ]:
        refused = lockstep.run(*arguments, expect=2)
        assert "vault" in refused.err, refused.err
    assert other.all_keys() == []


@pytest.mark.parametrize("text", ["x", "-1", "2026-13-40", "2026-02-31", "2026-11-21 10:00", "2026-11-21T10:00:00", "99999999999999999999", ""])
def test_snapshots_that_are_none(make_vault, text):
    vault = make_vault("file")
    refused = vault.run("ls", vault.url, f"--snapshot={text}", expect=2)
    assert "--snapshot" in refused.err


@pytest.mark.parametrize("text", ["5", "5:", ":" + "0" * 64, "x:" + "0" * 64, "5:" + "g" * 64, "5:" + "0" * 63])
def test_roots_that_are_none(make_vault, text):
    vault = make_vault("file")
    assert "--at-least" in vault.run("ls", vault.url, f"--at-least={text}", expect=2).err


def test_snapshots_that_are_not_there(make_vault, location):
    vault = make_vault("file")
    vault.fill(location("s3").fill({"k": b"1"}))
    for arguments in [("ls", vault.url), ("cat", vault.url + "/k"), ("stat", vault.url + "/k")]:
        refused = vault.run(*arguments, "--snapshot", "77", expect=2)
        assert "77" in refused.err and "vault snapshots" in refused.err
    target = location("s3")
    vault.restore(target, "--snapshot", "77", expect=2)
    assert target.all_keys() == []


def test_verbs_that_are_not_for_vaults(make_vault, location):
    vault = make_vault("s3")
    assert "vault gc" in vault.lockstep.run("sweep", vault.url, expect=2).err
    assert "snapshots" in vault.lockstep.run("manifest", "verify", vault.url, expect=2).err
    assert "snapshots" in vault.lockstep.run("check", vault.url, "--against", "manifest", expect=2).err
    control = vault.run("sync", location("s3").url, location("s3").url, "--control", vault.url, expect=2)
    assert "vault" in control.err


def test_key_commands(make_vault):
    vault = make_vault("file")
    for arguments in [
        ("add",), ("remove",), ("remove", vault.url, "zz"), ("rotate", vault.url, "--new-password-file", "x"),
        ("add", vault.url, "--new-password-file", "/none", "--label", "x" * 10_000), ("add", vault.url, "--new-password-file", "a", "--new-key-file", "b"),
    ]:
        vault.lockstep.run("vault", "key", *arguments, *vault.keys, expect=2)
    assert "00000000" in vault.run("vault", "key", "remove", vault.url, "00000000", expect=2).err
    vault.run("vault", "key", "add", vault.url, "--new-password-file", "/none/such", expect=78)
