"""What cannot work is said at once, with the exit status that tells scripts what kind of trouble it is, and harms nothing."""

import socket

import pytest

from locations import KINDS

CLOUDS = [kind for kind in KINDS if kind != "file"]
WRONG_AZURE = "DefaultEndpointsProtocol=http;AccountName={account};AccountKey=d3Jvbmcta2V5LXdyb25nLWtleS13cm9uZy1rZXk=;BlobEndpoint={endpoint};"


def wrong_credentials(kind, sim):
    """An environment whose credentials the server does not know."""
    return {
        "s3": {"AWS_SECRET_ACCESS_KEY": "canary-wrong-secret"},
        "az": {"AZURE_STORAGE_CONNECTION_STRING": WRONG_AZURE.format(**sim.azure)},
    }[kind]


@pytest.mark.parametrize("kind", CLOUDS)
def test_a_host_that_does_not_exist_is_given_up_after_a_few_tries(location, lockstep, kind):
    """A typo in an endpoint is named, and where it was written."""
    source = location("s3").fill({"k": b"1"})
    place = {"s3": "s3://bucket", "gs": "gs://bucket", "az": "az://devstoreaccount1/c"}[kind]
    flags = ("--target-endpoint", "http://no-such-host.invalid:9000", "--verbose", "--state", lockstep.state)
    outcome = lockstep.run("sync", source.url, place, *flags, expect=75)
    assert "there is no host no-such-host.invalid; check the URL of its --endpoint option" in outcome.err
    assert "attempt 2 failed, again in" in outcome.err and "attempt 3 failed" not in outcome.err


@pytest.mark.parametrize("named", ["--cloud", "vault"])
def test_a_host_of_the_configuration_that_does_not_exist(configured, lockstep, named):
    cloud = {"type": "gs", "endpoint": "https://storage.no-such-host.invalid", "anonymous": True}
    vault = {"location": "gs://b/v", "cloud": "dr"}
    configured.pair({"location": "/tmp"}, {"location": "gs://b/x", "cloud": "dr"}, rest={"clouds": {"dr": cloud}, "vaults": {"v": vault}})
    words = ("gs://b/x", "--cloud", "dr") if named == "--cloud" else ("vault:v",)
    refused = lockstep.run("ls", *words, "--config", configured.path, expect=75).err
    assert f"there is no host storage.no-such-host.invalid; check clouds.dr.endpoint in {configured.path}" in refused


@pytest.mark.parametrize("kind", ["s3", "az"])
@pytest.mark.parametrize("side", ["source", "target"])
def test_wrong_credentials(sim, location, lockstep, kind, side):
    source, target = location(kind), location("s3" if kind == "az" else "gs")
    source.fill({"k": b"new"})
    target.fill({"k": b"old"})
    here, there = (source, target) if side == "source" else (target, source)
    outcome = lockstep.sync(here.url, there.url, expect=78, environment=wrong_credentials(kind, sim))
    error = outcome.summary["error"]
    assert error.startswith(f"{side}: ") and f"error: {error}" in outcome.err
    assert "403" in error or "401" in error
    assert target.content() == {"k": b"old"} and source.content() == {"k": b"new"}
    lockstep.repair(source, target)


def test_a_google_token_is_needed(launch, location, lockstep, target):
    server = launch("--gcs-needs-token", "--bucket", "models")
    outcome = lockstep.sync("gs://models", target.url, "--source-endpoint", server.gcs["endpoint"], expect=78)
    assert "source" in outcome.err


def test_no_credentials_at_all(location, lockstep, source, target):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del lockstep.environment[name]
    outcome = lockstep.sync(source.url, target.url, expect=78)
    assert "AWS_ACCESS_KEY_ID" in outcome.err


@pytest.mark.parametrize("kind", CLOUDS)
@pytest.mark.parametrize("side", ["source", "target"])
def test_missing_bucket(location, lockstep, kind, side):
    here = location(kind)
    here.fill({"k": b"data"})
    missing = here.url.rsplit("/", 1)[0] + "/no-such-bucket-here"
    pair = (missing, here.url) if side == "source" else (here.url, missing)
    outcome = lockstep.sync(*pair, "--delete", expect=78)
    assert outcome.summary["error"].startswith(f"{side}: ") and "no-such-bucket-here" in outcome.err
    assert here.content() == {"k": b"data"}


def test_missing_directory(lockstep, target, tmp_path):
    target.fill({"k": b"data"})
    outcome = lockstep.sync(tmp_path / "nothing-here", target.url, "--delete", expect=78)
    assert "nothing-here" in outcome.err and target.content() == {"k": b"data"}


def test_endpoints_that_nobody_answers_at(location, lockstep, target):
    """Tried again for some seconds, then left for the next run. All at once, because each takes its time."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        refused = f"127.0.0.1:{probe.getsockname()[1]}"
    unknown = "no-such-host.invalid"
    target.fill({"k": b"data"})
    runs = [
        (name, lockstep.start("sync", *pair, "--json", "--state", lockstep.directory / str(number), f"--{side}-endpoint", f"http://{name}"))
        for number, (side, name, pair) in enumerate([
            ("source", refused, ("s3://gone", target.url)), ("target", refused, (target.url, "s3://gone")),
            ("source", unknown, ("gs://gone", target.url)),
        ])
    ]
    for name, process in runs:
        outcome = lockstep.finish(process)
        assert outcome.status == 75 and name in outcome.summary["error"] and name in outcome.err
    assert target.content() == {"k": b"data"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("source, target", [("", ""), ("", "/copy"), ("/train", ""), ("/train", "/train/sub"), ("/a/b", "/a/b")])
def test_overlap(location, lockstep, kind, source, target):
    place = location(kind)
    place.fill({"train/k": b"data"})
    outcome = lockstep.run("sync", place.url + source, place.url + target, expect=2)
    assert "overlap" in outcome.err and place.content() == {"train/k": b"data"}


def test_the_same_name_elsewhere_does_not_overlap(launch, location, lockstep):
    other = launch()
    source = location("s3")
    other.create_bucket("s3", source.bucket)
    source.put("k", b"data")
    lockstep.sync(source.url, source.url, "--target-endpoint", other.s3["endpoint"])


def test_neighbouring_prefixes_do_not_overlap(location, lockstep):
    place = location("s3")
    place.fill({"data/k": b"data"})
    lockstep.sync(place.url + "/data", place.url + "/database")
    assert list(place.visible()) == ["data/k", "database/k"]


def test_a_loop_through_links_is_an_overlap(location, lockstep, tmp_path):
    place = location("file")
    place.fill({"k": b"data"})
    (tmp_path / "link").symlink_to(place.directory)
    outcome = lockstep.run("sync", place.url, tmp_path / "link" / "copy", expect=2)
    assert "overlap" in outcome.err and place.content() == {"k": b"data"}


BAD_FLAGS = [
    ["--max-delete", "101%", "--delete"], ["--max-delete", "-1", "--delete"], ["--max-delete", "few", "--delete"],
    ["--memory", "1"], ["--memory", "lots"], ["--concurrency", "0"], ["--concurrency", "4096"], ["--part-size", "1"],
    ["--part-size", "6T"], ["--limit-rate", "0"], ["--limit-rate", "-5"], ["--limit-rate", "fast"], ["--max-duration", "soon"],
    ["--max-duration", "-1s"], ["--max-transfer", "-1"], ["--on-conflict", "merge"], ["--include", ""],
    ["--include", "[a"], ["--exclude", "{a,b"], ["--files-from", "/no/such/list"], ["--files-from", "/dev/null", "--delete"],
    ["--size-only", "--checksum"], ["--quiet", "--verbose"], ["--backup-prefix", "elsewhere/", "--delete"], ["--no-such-flag"],
    ["--source-endpoint", "not a url"], ["--source-region", "eu west"], ["--source-profile", "no-such-profile"],
]


@pytest.mark.parametrize("flags", BAD_FLAGS, ids=" ".join)
def test_bad_flags(lockstep, source, target, flags):
    source.put("k", b"data")
    outcome = lockstep.run("sync", source.url, target.url, *flags, expect=None)
    wanted = 78 if flags[0].startswith("--source-") else 2
    assert outcome.status == wanted, outcome.err
    assert flags[0] in outcome.err or "endpoint" in outcome.err or "region" in outcome.err or "no-such-profile" in outcome.err
    assert outcome.out == "" and target.content() == {}


@pytest.mark.parametrize(
    "text, says",
    [
        ("ftp://host/dir", "ftp"), ("s3://", "bucket"), ("gs:///key", "bucket"), ("az://account", "container"), ("", "empty"),
        ("file://host/dir", "absolute"),
    ],
)
def test_bad_locations(lockstep, target, text, says):
    outcome = lockstep.run("sync", text, target.url, expect=2)
    assert says in outcome.err and outcome.out == ""
    assert lockstep.run("ls", text, expect=2).out == ""


def test_a_directory_has_no_endpoint(lockstep, target, location):
    place = location("file")
    assert "endpoint" in lockstep.run("sync", place.url, target.url, "--source-endpoint", "http://x", expect=2).err


def test_arguments_that_are_missing(lockstep):
    for arguments in (["sync"], ["sync", "s3://only-one"], ["ls"], ["cat"], ["stat"], ["mirror", "a", "b"]):
        outcome = lockstep.run(*arguments, expect=2)
        assert outcome.err and outcome.out == ""


def test_a_state_directory_that_cannot_be_made(lockstep, source, target):
    source.put("k", b"data")
    outcome = lockstep.sync(source.url, target.url, state="/proc/nothing", expect=78)
    assert "/proc/nothing" in outcome.err and target.content() == {}


def test_a_damaged_ledger_is_noticed(lockstep, source, target):
    source.put("k", b"data")
    lockstep.sync(source.url, target.url)
    ledger = next(lockstep.state.glob("*.sqlite"))
    ledger.write_bytes(b"not a database" * 1000)
    outcome = lockstep.sync(source.url, target.url, expect=None)
    assert outcome.status == 1 and str(ledger) in outcome.err


def test_a_ledger_of_another_pair_is_refused(lockstep, location, source, target):
    other = location("s3")
    source.put("k", b"data")
    lockstep.sync(source.url, target.url)
    first = next(lockstep.state.glob("*.sqlite"))
    lockstep.sync(source.url, other.url)
    second = next(path for path in lockstep.state.glob("*.sqlite") if path != first)
    second.write_bytes(first.read_bytes())
    assert f"belongs to the pair with target {target.url}" in lockstep.sync(source.url, other.url, expect=78).err
