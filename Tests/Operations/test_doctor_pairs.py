"""`lockstep doctor PAIR`: both sides of a pair of the configuration as its runs will ask them, and the vaults and keys that they need."""

import json

import pytest

from doctoring import SCHEMA
from faults import fault  # noqa: F401
from test_named_places import offsite, way_out, world, write  # noqa: F401


def examine(world, *arguments, expect=0):
    """Side → subject → marks, and side → summary."""
    outcome = world.lockstep.run("doctor", *(arguments or ["models"]), "--config", world.path, "--json", expect=expect)
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    assert all(line["schema"] == SCHEMA for line in lines)
    sides, summaries = {}, {}
    for line in lines:
        if line["event"] == "summary":
            summaries[line.get("side")] = line["summary"]
        else:
            sides.setdefault(line.get("side"), {}).setdefault(line["subject"], []).append(line)
    sides = {side: {subject: [one["mark"] for one in found] for subject, found in found.items()} for side, found in sides.items()}
    return sides, summaries, outcome


def test_both_sides_are_asked_as_the_pair_asks_them(world, location):
    source, target, control = location("s3").fill({"a": b"1"}), location("gs"), location("az")
    write(world, {"location": source.url, "cloud": "prod"}, {"location": target.url, "cloud": "dr"})
    document = json.loads(world.path.read_text())
    document["pairs"]["models"]["manifest"] = {"control": {"location": control.url, "cloud": "blob"}}
    world.write(json.dumps(document))
    sides, summaries, _ = examine(world)
    assert list(summaries) == ["source", "target", "control"]
    assert [summaries[side]["location"] for side in summaries] == [source.url + "/", target.url + "/", control.url + "/"]
    assert sides["source"]["rights"] == ["warning"] and "conditional-replace" not in sides["source"]
    assert sides["target"]["conditional-replace"] == ["ok"] and sides["control"]["conditional-replace"] == ["ok"]
    assert source.keys() == ["a"] and target.keys() == control.keys() == []
    lines = world.lockstep.run("doctor", "models", "--config", world.path).out.splitlines()
    assert [line.split(":")[0] for line in lines if line.startswith("models, ")] == ["models, source", "models, target", "models, control"]


def test_the_key_of_the_target_is_proven(world, location, fault):
    target = location("s3")
    write(
        world, {"location": location("gs").url, "cloud": "dr"},
        {"location": target.url, "cloud": "prod", "encryption": "aws:kms:alias/models"})
    _, summaries, _ = examine(world)
    assert summaries["target"]["verdict"] in ("usable", "restricted")
    fault(target, "status", operation="PutObject", status=403)
    _, summaries, _ = examine(world, expect=78)
    assert (summaries["source"]["exit_code"], summaries["target"]["exit_code"]) == (0, 78)


@pytest.mark.parametrize("kind", ["s3", "file"])
def test_a_vault_is_missing_made_and_opened(world, location, kind):
    place = location(kind)
    vaults = offsite(world, place)
    if kind == "file":
        del vaults["offsite"]["cloud"]
        place.path("backup").mkdir()
    write(world, {"location": location("s3").url, "cloud": "prod"}, {"vault": "offsite", "folder": "models"}, vaults)
    sides, summaries, outcome = examine(world, expect=78)
    assert sides["target"]["vault"] == ["denied"] and summaries["target"]["verdict"] == "denied"
    # Of the vault by itself it is worth knowing, and no reason to fail.
    alone, _, _ = examine(world, "vault:offsite")
    assert alone[None]["vault"] == ["warning"]
    (finding,) = [line for line in map(json.loads, outcome.out.splitlines()) if line.get("subject") == "vault"]
    world.lockstep.run(*way_out(finding["engine"].replace("it is made with", "make one with"))[1:])
    sides, _, _ = examine(world)
    assert sides["target"]["vault"] == ["ok"]
    assert world.summary()["exit_code"] == 0
    # A passphrase that does not open it.
    (world.lockstep.directory / "password").write_text("another\n")
    sides, _, _ = examine(world, expect=78)
    assert sides["target"]["vault"] == ["denied"] and sides["target"]["conditional-replace"] == ["ok"]


def test_a_vault_without_a_key_is_not_opened(world, location):
    vaults = offsite(world, location("s3"))
    world.lockstep.environment["LOCKSTEP_VAULT_PASSWORD_FILE"] = vaults["offsite"].pop("password_file")
    write(world, {"location": location("gs").url, "cloud": "dr"}, {"vault": "offsite"}, vaults)
    world.lockstep.run("vault", "init", "vault:offsite", "--config", world.path)
    assert examine(world)[0]["target"]["vault"] == ["ok"]
    del world.lockstep.environment["LOCKSTEP_VAULT_PASSWORD_FILE"]
    assert examine(world)[0]["target"]["vault-key"] == ["unknown"]


def test_one_side_that_is_not_there_leaves_the_other_to_be_asked(world, location, tmp_path):
    target = location("gs")
    write(world, {"location": f"file://{tmp_path}/missing"}, {"location": target.url, "cloud": "dr"})
    sides, summaries, outcome = examine(world, expect=78)
    assert "is not a directory" in outcome.err and list(summaries) == ["target"] and summaries["target"]["exit_code"] == 0


def test_a_service_that_endangers_data_counts_more_than_a_missing_right(world, location, fault):
    source, target = location("s3"), location("gs")
    write(world, {"location": source.url, "cloud": "prod"}, {"location": target.url, "cloud": "dr"})
    fault(source, "status", operation="ListObjectsV2", status=403)
    fault(target, "list-unsorted", operation="ListObjects")
    _, summaries, _ = examine(world, expect=4)
    assert (summaries["source"]["exit_code"], summaries["target"]["exit_code"]) == (78, 4)


def test_directories_are_a_matter_of_users_not_of_credentials(lockstep, location, tmp_path):
    place = location("file")
    said = lockstep.run("doctor", place.url, "--as", "source").out
    assert "this user may write" in said and "credentials" not in said
    assert "credentials" not in lockstep.run("doctor", place.url).out


@pytest.mark.parametrize("arguments, expect, words", [
    (["modles"], 2, "no pair of the name modles; it has models. A directory is written ./modles"),
    (["models", "--as", "source"], 2, "--as is about one location"), (["models", "--cloud", "dr"], 2, "--cloud is about one location"),
    (["models", "--config", "/nowhere.yaml"], 78, "/nowhere.yaml cannot be read"),
])
def test_wrong_arguments(world, location, arguments, expect, words):
    write(world, {"location": location("s3").url, "cloud": "prod"}, {"location": location("gs").url, "cloud": "dr"})
    if "--config" not in arguments:
        arguments = [*arguments, "--config", world.path]
    assert words in world.lockstep.run("doctor", *arguments, expect=expect).err
