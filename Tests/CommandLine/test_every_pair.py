"""`lockstep sync` between every kind of location and every other, looked at by the clouds' own clients."""

import os

import pytest

from locations import HEADERS, KINDS, MIB

PART = "5M"
LARGE = os.urandom(11 * MIB + 17)
#: Keys and attributes that every kind of location holds.
OBJECTS = {
    "config.json": (
        b'{"layers": 32}',
        {
            "content_type": "application/json", "content_language": "en", "cache_control": "max-age=60",
            "content_disposition": 'attachment; filename="c.json"', "metadata": {"owner": "tests", "stage": "final"},
        },
    ),
    "tokenizer.json.gz": (b"\x1f\x8b these bytes are not decoded", {"content_encoding": "gzip"}),
    "empty": b"",
    "marker/": b"",
    "double//slash": b"d",
    "/leading": b"l",
    "with space+plus%25percent?question#hash&amp;": b"s",
    "ünïcödé/日本語/emoji-😀.bin": b"u",
    "cafe\u0301": b"decomposed",
    "caf\u00e9": b"composed",
    "weights/model.safetensors": (LARGE, {"content_type": "application/x-safetensors", "metadata": {"format": "pt"}}),
    "weights/small.bin": os.urandom(70_000),
}
CONTENT = {key: value[0] if isinstance(value, tuple) else value for key, value in OBJECTS.items()}
PAIRS = [(here, there) for here in KINDS for there in KINDS]


@pytest.fixture(params=PAIRS, ids=lambda pair: "-to-".join(pair))
def pair(request, location):
    here, there = (location(kind) for kind in request.param)
    return here.fill(OBJECTS), there


def test_copies_bytes_and_attributes_then_only_lists(sim, pair, lockstep, tmp_path):
    source, target = pair
    first = lockstep.sync(source.url, target.url, "--part-size", PART).summary
    assert (first["copied_objects"], first["failed_objects"], first["skipped_objects"]) == (len(OBJECTS), 0, 0)
    assert target.visible() == CONTENT
    for key, value in OBJECTS.items():
        wanted = value[1] if isinstance(value, tuple) else {}
        assert target.attributes(key) == wanted, key
    assert target.open_uploads() == []

    # What did not change costs listings and nothing else, as the servers counted.
    sim.call("DELETE", "requests")
    second = lockstep.sync(source.url, target.url, "--part-size", PART).summary
    asked = {name for counts in sim.call("GET", "requests").values() for name in counts}
    assert asked <= source.listing | target.listing
    assert set(second["requests"]["source"]) == set(second["requests"]["target"]) == {"list"}
    assert (second["unchanged_objects"], second["copied_objects"], second["sent_bytes"]) == (len(OBJECTS), 0, 0)

    # Without its ledger a run asks and compares, and moves no payload.
    versions = {key: target.version(key) for key in OBJECTS}
    third = lockstep.sync(source.url, target.url, "--part-size", PART, state=tmp_path / "other").summary
    assert (third["adopted_objects"], third["copied_objects"], third["sent_bytes"]) == (len(OBJECTS), 0, 0)
    assert "uploadPart" not in third["requests"]["target"]
    # Files can be changed under their marks, so they are read; clouds are asked.
    assert target.kind == "file" or "read" not in third["requests"]["target"]
    assert {key: target.version(key) for key in OBJECTS} == versions

    # What changes, appears or goes at the source follows, and nothing else moves.
    source.put("config.json", b'{"layers": 40}')
    source.put("new/one", b"1")
    source.delete("weights/small.bin")
    fourth = lockstep.sync(source.url, target.url, "--part-size", PART, "--delete").summary
    assert (fourth["copied_objects"], fourth["deleted_objects"]) == (2, 1)
    assert target.visible() == source.content()


def test_a_prefix_at_either_side(location, lockstep):
    source, target = location("s3"), location("az")
    source.fill({"train/a": b"1", "train/deep/b": b"2", "training/c": b"3", "other": b"4"})
    lockstep.sync(source.url + "/train", target.url + "/copy/of")
    assert target.content() == {"copy/of/a": b"1", "copy/of/deep/b": b"2"}


def test_two_endpoints_in_one_run(sim, launch, location, lockstep):
    other = launch()
    for kind in ("s3", "gs"):
        source, target = location(kind), location(kind, other)
        source.fill({"k": b"data", "deep/l": b"more"})
        here, there = ({"s3": server.s3, "gs": server.gcs}[kind]["endpoint"] for server in (sim, other))
        lockstep.sync(source.url, target.url, "--source-endpoint", here, "--target-endpoint", there)
        assert target.content() == source.content()


def test_two_accounts_in_one_run(launch, location, lockstep):
    """Each side has its own credentials: AWS profiles, and Azure variables with the profile's name behind."""
    key = "c2Vjb25kLWFjY291bnRzLWtleS1pcy1ub3QtdGhlLWZpcnN0LW9uZXM="
    other = launch("--access-key", "AKIDSECOND", "--secret-key", "second-secret", "--azure-account", "second", "--azure-key", key)
    folder = lockstep.directory / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text("[second]\naws_access_key_id = AKIDSECOND\naws_secret_access_key = second-secret\n")
    (folder / "config").write_text(f"[profile second]\nregion = us-east-1\nendpoint_url = {other.s3['endpoint']}\n")
    source, target = location("s3"), location("s3", other)
    source.fill({"k": b"data"})
    lockstep.environment["AWS_ENDPOINT_URL_S3"], endpoint = "", lockstep.environment["AWS_ENDPOINT_URL_S3"]
    lockstep.sync(source.url, target.url, "--source-endpoint", endpoint, "--target-profile", "second")
    assert target.content() == {"k": b"data"}

    source, target = location("az"), location("az", other)
    source.fill({"k": b"data"})
    environment = {"AZURE_STORAGE_CONNECTION_STRING_SECOND": other.azure["connectionString"]}
    lockstep.sync(source.url, target.url, "--target-profile", "second", environment=environment)
    assert target.content() == {"k": b"data"}


def test_attributes_that_a_target_cannot_hold_are_named(location, lockstep):
    source, target = location("gs"), location("s3")
    source.put("k", b"data", metadata={"note": "x" * 4000, "kept": "yes"})
    outcome = lockstep.sync(source.url, target.url)
    assert outcome.named("attributes-dropped")["k"]["names"] == ["note"]
    assert target.attributes("k") == {"metadata": {"kept": "yes"}}


def test_every_attribute_is_in_the_matrix():
    used = {name for value in OBJECTS.values() if isinstance(value, tuple) for name in value[1]}
    assert used == {*HEADERS, "metadata"}
