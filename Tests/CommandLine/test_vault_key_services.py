"""Vaults that a key of a key service opens: nothing on this machine does."""

import pytest

from hashicorp_transit import Transit
from vaults import make_vault  # noqa: F401

TOKEN = "s.root-CANARY"


@pytest.fixture
def transit():
    transit = Transit()
    transit.add_key("lockstep")
    with transit.server:
        yield transit


@pytest.fixture
def run(lockstep, transit):
    """Runs a command as somebody whom the key service knows; nothing that it says holds a token."""

    def run(*arguments, expect=0, **variables):
        environment = {"VAULT_ADDR": transit.url, "VAULT_TOKEN": TOKEN, **variables}
        outcome = lockstep.run(
            *arguments, "--state", lockstep.state, expect=expect,
            environment={name: value for name, value in environment.items() if value is not None},
        )
        assert b"CANARY" not in outcome.stdout + outcome.stderr
        return outcome

    return run


@pytest.fixture
def url(location):
    return "vault+" + location("file").url + "/vault"


KMS = ("--kms", "hashicorp-transit:transit/lockstep")


def test_a_vault_that_only_the_service_opens(run, url, location, transit):
    run("vault", "init", url, *KMS)
    source, target = location("s3").fill({"a": b"1" * 5000, "b/c": b"2"}), location("gs")
    run("sync", source.url, url, *KMS)
    run("sync", url, target.url, LOCKSTEP_VAULT_KMS=KMS[1])
    assert target.visible() == source.visible()
    assert "hashicorp-transit" in run("vault", "key", "list", url, *KMS).out
    # A second key, and the first one taken away.
    transit.add_key("second")
    run("vault", "key", "add", url, *KMS, "--new-kms", "hashicorp-transit:transit/second")
    first = run("vault", "key", "list", url, *KMS).out.splitlines()[1].split()[0]
    run("vault", "key", "remove", url, first, *KMS)
    refused = run("ls", url, *KMS, expect=78)
    assert "hashicorp-transit" in refused.err
    assert "b/c" in run("ls", url, "--kms", "hashicorp-transit:transit/second").out
    run("vault", "key", "rotate", url, "--kms", "hashicorp-transit:transit/second")
    run("sync", location("s3").fill({"d": b"3"}).url, url, "--kms", "hashicorp-transit:transit/second")
    # The service's own rotation: old versions go on opening.
    transit.keys["second"].append(b"n" * 32)
    assert "d" in run("ls", url, "--kms", "hashicorp-transit:transit/second").out


def test_a_pods_identity(run, url, transit, tmp_path):
    jwt = tmp_path / "jwt"
    jwt.write_text("pod-CANARY-jwt\n")
    transit.roles["replicator"] = "pod-CANARY-jwt"
    pod = {"VAULT_TOKEN": None, "VAULT_ROLE": "replicator", "VAULT_JWT_FILE": str(jwt)}
    run("vault", "init", url, *KMS, **pod)
    run("ls", url, *KMS, **pod)
    assert {token for path, token in transit.requests if "transit" in path} != {TOKEN}
    refused = run("ls", url, *KMS, expect=78, **{**pod, "VAULT_ROLE": "nobody"})
    assert "token" in refused.err and "right" in refused.err


def test_namespaces(run, url, transit):
    transit.namespace = "team/ml"
    refused = run("vault", "init", url, *KMS, expect=78)
    assert "forbidden" in refused.err or "refuses the token" in refused.err
    run("vault", "init", url, *KMS, VAULT_NAMESPACE="team/ml")
    run("ls", url, *KMS, VAULT_NAMESPACE="team/ml")


def test_a_service_that_is_busy_is_asked_again(run, url, transit):
    transit.failures = [503, 429]
    run("vault", "init", url, *KMS)
    transit.failures = [500]
    run("ls", url, *KMS)
    transit.failures = [503] * 40
    assert "cannot answer now" in run("ls", url, *KMS, expect=75).err or "sealed" in run("ls", url, *KMS, expect=75).err


@pytest.mark.parametrize(
    "kms, variables, expect, says",
    [
        ("hashicorp-transit:transit/nokey", {}, 3, "encryption key not found"),
        ("hashicorp-transit:nomount", {}, 78, "MOUNT/KEY"),
        ("hashicorp-transit:../../sys/x", {}, 78, "MOUNT/KEY"),
        ("hashicorp-transit:transit/lockstep", {"VAULT_ADDR": None}, 78, "VAULT_ADDR"),
        ("hashicorp-transit:transit/lockstep", {"VAULT_ADDR": "http://vault.example.org"}, 78, "unencrypted"),
        ("hashicorp-transit:transit/lockstep", {"VAULT_TOKEN": "s.wrong-CANARY"}, 78, "refuses the token"),
        ("hashicorp-transit:transit/lockstep", {"VAULT_TOKEN": "two\nlines-CANARY"}, 78, "one line"),
        ("hashicorp-transit:transit/lockstep", {"VAULT_TOKEN": None}, 78, "VAULT_TOKEN"),
        ("hashicorp-transit:transit/lockstep", {"VAULT_ADDR": "http://127.0.0.1:1"}, 75, "127.0.0.1:1"),
        ("vault:transit/lockstep", {}, 2, "kind:key"),
    ],
)
def test_bad_input(run, url, kms, variables, expect, says):
    refused = run("vault", "init", url, "--kms", kms, expect=expect, **variables)
    assert says in refused.err, refused.err
    run("ls", url, *KMS, expect=78)


def test_a_changed_slot_chooses_no_server(run, url, transit, location):
    """What the vault says of its key is compared with what the user named, never followed."""
    run("vault", "init", url, *KMS)
    asked = len(transit.requests)
    transit.add_key("other")
    run("ls", url, "--kms", "hashicorp-transit:transit/other", expect=78)
    assert len(transit.requests) == asked, "another key was asked to decrypt"
