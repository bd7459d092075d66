"""Clouds and vaults of the configuration file on the command line: `--cloud NAME`, `vault:NAME`, for every command, with nothing in the environment."""

import json
import re
import shlex

import pytest

from configurations import Configured
from lockstep_binary import Lockstep

CLOUDS = {"s3": "prod", "gs": "dr", "az": "blob"}


@pytest.fixture
def world(sim, tmp_path):
    """A user whose environment has secrets under names of their own, and a file that uses them."""
    user = Lockstep(tmp_path, {"SIM_SECRET": sim.s3["secretKey"], "SIM_ACCOUNT": sim.azure["key"]})
    file = Configured(user)
    file.clouds = {
        "prod": {
            "type": "s3", "endpoint": sim.s3["endpoint"], "region": sim.s3["region"], "access_key_id": sim.s3["accessKey"],
            "secret_access_key": "${env:SIM_SECRET}"},
        "dr": {"type": "gs", "endpoint": sim.gcs["endpoint"], "anonymous": True},
        "blob": {"type": "az", "endpoint": sim.azure["endpoint"], "account_key": "${env:SIM_ACCOUNT}"},
    }
    return file


def write(world, source, target, vaults=None):
    return world.pair(source, target, rest={"clouds": world.clouds, **({"vaults": vaults} if vaults else {})})


def offsite(world, place):
    """The file with a vault at `place`, and a passphrase for it."""
    password = world.lockstep.directory / "password"
    password.touch(mode=0o600)
    password.write_text("correct horse\n")
    return {"offsite": {"location": place.url + "/backup", "cloud": CLOUDS.get(place.kind), "password_file": str(password)}}


def way_out(error):
    """The command that a message about a missing vault names, as a shell splits it."""
    return shlex.split(re.search(r"make one with: (lockstep vault init .*)", error)[1])


@pytest.mark.parametrize("kind", ["s3", "gs", "az"])
def test_a_place_is_asked_as_a_cloud_of_the_file(world, location, kind):
    place = location(kind).fill({"a": b"12345"})
    write(world, {"location": place.url, "cloud": CLOUDS[kind]}, {"location": f"file://{world.lockstep.directory}/copy"})
    named = ("--config", world.path, "--cloud", CLOUDS[kind])
    run = world.lockstep.run
    assert [json.loads(line)["key"] for line in run("ls", place.url, "--json", *named).out.splitlines()] == ["a"]
    assert "size" in run("stat", place.url + "/a", *named).out
    assert run("cat", place.url + "/a", *named).out == "12345"
    assert "discarded 0" in run("sweep", place.url, *named).err
    assert run("doctor", place.url, *named).out.startswith(place.url)
    # The file may be named by the environment, too.
    assert run("cat", place.url + "/a", "--cloud", CLOUDS[kind], environment={"LOCKSTEP_CONFIG": str(world.path)}).out == "12345"


def test_what_is_not_named_is_not_read(world, location):
    place = location("file").fill({"a": b"1"})
    world.write("nonsense")
    assert world.lockstep.run("ls", place.directory, environment={"LOCKSTEP_CONFIG": str(world.path)}).out.endswith("a\n")
    assert str(world.path) in world.lockstep.run("ls", place.directory, "--config", world.path, expect=78).err


def test_both_sides_of_a_pair_are_named(world, location):
    source, target = location("s3").fill({"a": b"1", "b": b"22"}), location("gs")
    write(world, {"location": source.url, "cloud": "prod"}, {"location": target.url, "cloud": "dr"})
    named = ("--config", world.path, "--source-cloud", "prod", "--target-cloud", "dr")
    control = location("az")
    world.lockstep.run("sync", source.url, target.url, *named, "--control", control.url, "--control-cloud", "blob")
    assert target.content() == {"a": b"1", "b": b"22"} and any(key.startswith(".lockstep/manifest/") for key in control.all_keys())
    # The state is the file's: a run of the pair goes on from what was synced by hand.
    assert world.summary()["unchanged_objects"] == 2
    line = json.loads(world.lockstep.run("check", source.url, target.url, *named, "--evidence", "1", "--json").out.splitlines()[-1])
    assert line["summary"]["verdict"] == "IN_SYNC"
    assert "discarded 0" in world.lockstep.run("sweep", target.url, "--config", world.path, "--cloud", "dr").err
    assert "2 objects" in world.lockstep.run("manifest", "show", target.url, "--config", world.path, "--cloud", "dr").out


@pytest.mark.parametrize("kind", ["s3", "gs", "file"])
def test_a_vault_of_the_file_needs_no_flags(world, location, kind):
    source, place = location("s3").fill({"m/a": b"1" * 1000, "m/b": b"22"}), location(kind)
    vaults = offsite(world, place)
    if kind == "file":
        del vaults["offsite"]["cloud"]
    write(world, {"location": source.url, "cloud": "prod"}, {"vault": "offsite"}, vaults)
    named = ("--config", world.path)
    run = world.lockstep.run
    # The way out of a missing vault is a command that works.
    refused = world.run(expect=78).err
    command = way_out(refused)
    assert command[:4] == ["lockstep", "vault", "init", "vault:offsite"] and str(world.path) in command
    assert "made vault" in run(*command[1:]).out
    assert world.summary()["copied_objects"] == 2
    assert [json.loads(one)["key"] for one in run("ls", "vault:offsite", "--json", *named).out.splitlines()] == ["m/a", "m/b"]
    assert [json.loads(one)["key"] for one in run("ls", "vault:offsite/m", "--json", *named).out.splitlines()] == ["a", "b"]
    assert run("cat", "vault:offsite/m/b", *named).out == "22"
    assert "blake3" in run("stat", "vault:offsite/m/b", *named).out
    for command in (
        ["snapshots"], ["check"], ["check", "--keyless"], ["gc", "--dry-run"], ["prune", "--keep-last", "3"], ["export-root"], ["key", "list"],
        ["key", "rotate"],
    ):
        words = command[:2] if command[0] == "key" else command[:1]
        run("vault", *words, "vault:offsite", *command[len(words):], *named)
    back = location("gs")
    run("sync", "vault:offsite/m", back.url, "--target-cloud", "dr", *named)
    assert back.content() == {"a": b"1" * 1000, "b": b"22"}
    run("check", "vault:offsite/m", back.url, "--target-cloud", "dr", *named)
    refused = run("sweep", "vault:offsite", *named, expect=2).err
    assert f"lockstep vault gc vault:offsite --config {world.path}" in refused
    swept = shlex.split(refused.rsplit("lies: lockstep ", 1)[1])
    assert run(*swept).status == 0


def test_the_way_out_names_the_cloud_of_a_vault_that_has_no_name(world, location):
    source, place = location("s3").fill({"a": b"1"}), location("gs")
    write(world, {"location": source.url, "cloud": "prod"}, {"location": f"vault+{place.url}/x y", "cloud": "dr"})
    refused = world.run(expect=78).err
    assert way_out(refused)[2:] == ["init", f"vault+{place.url}/x y/", "--cloud", "dr", "--config", str(world.path)]


def test_the_way_out_repeats_the_flags(world, location, sim):
    place = location("s3")
    refused = world.lockstep.run(
        "ls", f"vault+{place.url}/x", "--endpoint", sim.s3["endpoint"], "--region", sim.s3["region"], "--key-file", "k", expect=78,
        environment=sim.environment)
    assert way_out(refused.err)[3:] == [
        f"vault+{place.url}/x/", "--endpoint", sim.s3["endpoint"], "--region", sim.s3["region"], "--key-file", "k"]


def test_another_key_opens_a_vault_of_the_file(world, location):
    place = location("gs")
    write(world, {"location": location("s3").url, "cloud": "prod"}, {"vault": "offsite"}, offsite(world, place))
    other = world.lockstep.directory / "other"
    other.touch(mode=0o600)
    other.write_text("battery staple\n")
    run = world.lockstep.run
    run("vault", "init", "vault:offsite", "--config", world.path, "--password-file", other)
    assert "opens" in run("ls", "vault:offsite", "--config", world.path, expect=78).err
    assert run("ls", "vault:offsite", "--config", world.path, "--password-file", other).out == ""
    password = world.lockstep.directory / "password"
    run("vault", "key", "add", "vault:offsite", "--config", world.path, "--password-file", other, "--new-password-file", password)
    assert run("ls", "vault:offsite", "--config", world.path).out == ""


@pytest.mark.parametrize("arguments, words", [
    (["ls", "s3://b", "--cloud", "nowhere"], "no cloud of the name nowhere; it has blob, dr, prod"),
    (["ls", "vault:nowhere"], "no vault of the name nowhere; it has offsite"),
    (["ls", "gs://b", "--cloud", "prod"], "--cloud prod is of type s3, and gs://b/ is not"),
    (["ls", "/tmp", "--cloud", "prod"], "is a directory, which is in no cloud"),
    (["ls", "s3://b", "--cloud", "prod", "--region", "eu"], "not with --endpoint, --region or --profile"),
    (["ls", "vault:offsite", "--cloud", "prod"], "the file says where its vaults are"),
    (["vault", "check", "vault:offsite", "--endpoint", "http://127.0.0.1:1"], "the file says where its vaults are"),
    (["sync", "s3://b", "gs://c", "--target-cloud", "prod"], "--target-cloud prod is of type s3"),
    (["sync", "s3://b", "vault:offsite", "--target-region", "eu"], "--target-endpoint, --target-region"),
    (["check", "s3://b", "gs://c", "--source-cloud", "x"], "no cloud of the name x"),
])
def test_names_that_lead_nowhere(world, location, arguments, words):
    place = location("gs")
    write(world, {"location": "s3://b", "cloud": "prod"}, {"location": "gs://c", "cloud": "dr"}, offsite(world, place))
    assert words in world.lockstep.run(*arguments, "--config", world.path, expect=2).err
