"""`lockstep config check` says, with line and key, what a run would refuse before its first request; and `lockstep run` refuses the same."""

import datetime
import json
import os
import pathlib
import socket

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from configurations import Configured
from lockstep_binary import Lockstep

@pytest.fixture
def lockstep(tmp_path):
    """A user whose environment says nothing of clouds."""
    return Lockstep(tmp_path, {})


@pytest.fixture
def configured(lockstep):
    return Configured(lockstep)


SECRETS = {"SECRET": "canary-secret", "KEY": "Y2FuYXJ5", "SAS": "sv=1&sig=canary", "BLANK": "canary with a blank"}
ACCESS = "access_key_id: AKIA, secret_access_key: '${env:SECRET}'"
APPLICATION = "tenant_id: t, client_id: c"
STRING = "DefaultEndpointsProtocol=https;AccountName=account;AccountKey=Y2FuYXJ5"


def file(cloud=None, source="s3://models-a/x", target="file:///tmp/lockstep-none", rest=""):
    """A pair whose source is in the cloud `c`, if there is one."""
    place = f"{{location: '{source}', cloud: c}}" if cloud else f"'{source}'"
    clouds = f"clouds:\n  c: {{{cloud}}}\n" if cloud else "clouds: {}\n"
    # `c` is in line 3, the source in line 6 (without a cloud: in 5).
    return f"version: 1\n{clouds}pairs:\n  models:\n    source: {place}\n    target: '{target}'\n{rest}"


#: Of the cloud: its keys, the location, the key that is named, and what is said of it.
CLOUDS = [
    # Amazon
    ("type: s3, access_key_id: AKIA", "s3", "access_key_id", "write secret_access_key too"),
    ("type: s3, secret_access_key: '${env:SECRET}'", "s3", "secret_access_key", "write access_key_id too"),
    ("type: s3, session_token: '${env:SECRET}'", "s3", "session_token", "belongs to a key"),
    ("type: s3, access_key_id: AKIA, secret_access_key: '${env:BLANK}'", "s3", "secret_access_key", "copy it again"),
    ("type: s3, access_key_id: 'A B', secret_access_key: '${env:SECRET}'", "s3", "access_key_id", "copy it again"),
    ("type: s3, role_arn: nonsense", "s3", "role_arn", "arn:aws:iam::123456789012:role/NAME"),
    ("type: s3, role_arn: 'arn:aws:iam::1:role/r', role_duration: 5m", "s3", "role_duration", "from 15 minutes to 12 hours"),
    ("type: s3, role_arn: 'arn:aws:iam::1:role/r', role_duration: 13h", "s3", "role_duration", "from 15 minutes to 12 hours"),
    ("type: s3, external_id: x", "s3", "external_id", "role_arn"),
    ("type: s3, role_session_name: x", "s3", "role_session_name", "role_arn"),
    ("type: s3, role_duration: 1h", "s3", "role_duration", "role_arn"),
    ("type: s3, web_identity_token_file: /t", "s3", "web_identity_token_file", "role_arn"),
    ("type: s3, region: 'eu west 1'", "s3", "region", "letters, digits and hyphens"),
    ("type: s3, region: nonsense", "s3", "region", "such as eu-west-1"),
    ("type: s3, sts_endpoint: 'http://sts.example.org'", "s3", "sts_endpoint", "use https"),
    ("type: s3, sts_endpoint: 'https://sts.example.org?x'", "s3", "sts_endpoint", "without user, query and fragment"),
    ("type: s3, endpoint: 'https://user@s3.example.org'", "s3", "endpoint", "without user, query and fragment"),
    ("type: s3, endpoint: 'https://s3.example.org/?x=1'", "s3", "endpoint", "without user, query and fragment"),
    ("type: s3, endpoint: 'https://s3.example.org/#x'", "s3", "endpoint", "without user, query and fragment"),
    ("type: s3, endpoint: 'https://s3.example.org:99999'", "s3", "endpoint", "up to 65535"),
    # Google
    ("type: gs, impersonate: '${env:SECRET}'", "gs", "impersonate", "no service account"),
    ("type: gs, impersonate: a@example.org", "gs", "impersonate", "no service account"),
    ("type: gs, endpoint: 'http://storage.example.org', credentials_file: /t", "gs", "endpoint", "use https"),
    ("type: gs, endpoint: 'https://storage.example.org:99999'", "gs", "endpoint", "up to 65535"),
    ("type: gs, profile: p, credentials_file: /t", "gs", "credentials_file", "alternatives"),
    # Azure
    ("type: az, tenant_id: t", "az", "tenant_id", "client_secret, certificate_file or federated_token_file"),
    ("type: az, client_id: c", "az", "client_id", "client_secret, certificate_file or federated_token_file"),
    ("type: az, certificate_password: '${env:SECRET}'", "az", "certificate_password", "certificate_file"),
    ("type: az, client_secret: '${env:SECRET}'", "az", "client_secret", "needs tenant_id beside it"),
    ("type: az, client_secret: '${env:SECRET}', tenant_id: t", "az", "client_secret", "needs client_id beside it"),
    ("type: az, certificate_file: /t, client_id: c", "az", "certificate_file", "needs tenant_id beside it"),
    ("type: az, federated_token_file: /t, client_id: c", "az", "federated_token_file", "needs tenant_id beside it"),
    (f"type: az, {APPLICATION}, client_secret: '${{env:SECRET}}', certificate_file: /t", "az", "certificate_file", "alternatives"),
    (f"type: az, {APPLICATION}, client_secret: '${{env:SECRET}}', certificate_password: '${{env:SECRET}}'", "az",
     "certificate_password", "certificate_file"),
    (f"type: az, {APPLICATION}, client_secret: '${{env:SECRET}}', managed_identity: true", "az", "managed_identity", "alternatives"),
    ("type: az, client_id: c, tenant_id: 'a/b', client_secret: '${env:SECRET}'", "az", "tenant_id", "neither an id nor a domain"),
    ("type: az, account_key: '${env:KEY}', sas_token: '${env:SAS}'", "az", "sas_token", "alternatives"),
    ("type: az, account_key: '${env:KEY}', connection_string: '${env:STRING}'", "az", "connection_string", "alternatives"),
    ("type: az, account_key: '${env:KEY}', client_id: c", "az", "client_id", "keep one"),
    ("type: az, account_key: '${env:BLANK}'", "az", "account_key", "not base64"),
    ("type: az, sas_token: '${env:SECRET}'", "az", "sas_token", "no shared access signature"),
    ("type: az, connection_string: '${env:SECRET}'", "az", "connection_string", "no connection string"),
    ("type: az, connection_string: '${env:OTHER}'", "az", "connection_string", "account"),
    ("type: az, sas_token: '${env:SAS}', endpoint: 'http://blob.example.org'", "az", "endpoint", "use https"),
    (f"type: az, {APPLICATION}, client_secret: '${{env:SECRET}}', endpoint: 'http://blob.example.org'", "az", "endpoint", "use https"),
    (f"type: az, {APPLICATION}, client_secret: '${{env:SECRET}}', authority_host: 'http://login.example.org'", "az", "authority_host",
     "https"),
    ("type: az, endpoint: 'https://other.blob.core.windows.net'", "az", "endpoint", "other"),
]
PLACES = {"s3": "s3://models-a/x", "gs": "gs://models-a/x", "az": "az://account/models"}
ENVIRONMENT = {**SECRETS, "STRING": STRING, "OTHER": STRING.replace("=account", "=another"), "LOCKSTEP_VAULT_PASSWORD_FILE": "/t"}

#: Locations of a source, what is said, and whether the line is that of the source as a mapping.
LOCATIONS = [
    ("s3://Bad_Bucket!!/x", "lower-case letters"), ("s3://a/x", "3 to 63"), ("s3://bucket?sig=canary/x", "no query"),
    ("gs://Bad/x", "lower-case letters"), ("gs://a/x", "3 to 63"), ("gs://bucket?x/y", "no query"),
    ("az://account/Bad_Container", "stands alone"), ("az://account/a--b", "stands alone"), ("az://account/-ab", "stands alone"),
    ("az://account/models?sv=1&sig=canary", "no query"), ("az://Not_An_Account/models", "no name of a storage account"),
    ("az://account", "names no account and container"), ("s3:///x", "names no bucket"),
    ("s3://bucket/a/../b", "take literally"), ("gs://bucket/../b", "take literally"), ("az://account/models/..", "take literally"),
    ("vault+s3://Bad!/x", "lower-case letters"),
]

#: What opens a vault, the key that is named, and what is said.
KEYS = [
    ("kms: nonsense", "kms", "KIND:KEY"),
    ("kms: 'aws-kms:arn:aws:s3:::bucket'", "kms", "no ARN of a key"),
    ("kms: 'aws-kms:a b'", "kms", "ARN"),
    ("kms: 'gcp-kms:projects/p/keys/k'", "kms", "projects/P/locations/L/keyRings/R/cryptoKeys/K"),
    ("kms: 'azure-key-vault:https://evil.example.org/keys/k'", "kms", "vault.azure.net"),
    ("kms: 'azure-key-vault:https://a.vault.azure.net/nonsense'", "kms", "names no key"),
    ("kms: 'aws-kms:arn:${env:SECRET}'", "kms", "no ARN of a key"),
    ("kms: 'hashicorp-transit:key'", "kms", "MOUNT/KEY"),
]


def refused(configured, text, environment=ENVIRONMENT):
    """The problems of a file that `run` refuses too, with the same words."""
    configured.write(text)
    found = configured.problems(environment=environment)
    outcome = configured.lockstep.run("run", "--config", configured.path, expect=78, environment=environment)
    assert outcome.err == configured.lockstep.run(
        "config", "check", "--config", configured.path, expect=78, environment=environment).err
    assert "canary" not in outcome.err + json.dumps(found)
    return found


@pytest.mark.parametrize("keys, service, key, words", CLOUDS)
def test_identities(configured, keys, service, key, words):
    found = refused(configured, file(keys, PLACES[service]))
    assert [(line, at) for line, at, _, _ in found] == [(3, f"clouds.c.{key}")], found
    assert words in found[0][2]
    # Also of a cloud that nothing uses yet.
    if key != "connection_string" or words != "account":
        unused = f"version: 1\nclouds:\n  c: {{{keys}}}\npairs:\n  models: {{source: /a, target: /b}}\n"
        if key != "endpoint" or words != "other":
            assert refused(configured, unused) == found


@pytest.mark.parametrize("location, words", LOCATIONS)
def test_locations(configured, location, words):
    for text, line, key in [
        (file(source=location), 5, "pairs.models.source"),
        (f"version: 1\npairs:\n  models:\n    source: s3://models-a\n    target: /b\n    manifest:\n      control: {{location: '{location}'}}\n",
         7, "pairs.models.manifest.control.location"),
        (f"version: 1\npairs:\n  models: {{source: /a, target: /b}}\nvaults:\n  v:\n    location: '{location}'\n    key_file: /t\n",
         6, "vaults.v.location"),
    ]:
        if location.startswith("vault+") and "control" in key:
            continue
        found = refused(configured, text)
        assert [(at, place) for at, place, _, _ in found] == [(line, key)] and words in found[0][2], found


@pytest.mark.parametrize("keys, key, words", KEYS)
def test_keys_of_vaults(configured, keys, key, words):
    text = f"version: 1\npairs:\n  models: {{source: {{vault: v}}, target: /b}}\nvaults:\n  v:\n    location: s3://models-a/v\n    {keys}\n"
    environment = {**ENVIRONMENT, "VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "x", "AWS_REGION": "eu-west-1"}
    found = refused(configured, text, environment)
    assert [(line, at) for line, at, _, _ in found] == [(7, f"vaults.v.{key}")] and words in found[0][2], found


@pytest.mark.parametrize("queue, source, words", [
    ("https://sqs.eu-west-1.amazonaws.com/1/q?x=1", "s3://models-a", "aws sqs get-queue-url"),
    ("projects/p p/subscriptions/s", "gs://models-a", "names no subscription"),
    ("http://account.queue.core.windows.net/changes", "az://account/models", "use https"),
    ("https://account.queue.core.windows.net/changes?sv=1&sig=canary", "az://account/models", "names no queue"),
    ("https://account.queue.core.windows.net/No_Queue", "az://account/models", "names no queue"),
])
def test_queues(configured, queue, source, words):
    found = refused(configured, file(source=source, rest=f"    events:\n      queue: '{queue}'\n"))
    assert [(line, at) for line, at, _, _ in found] == [(8, "pairs.models.events.queue")] and words in found[0][2], found


@pytest.mark.parametrize("target, value, words", [
    ("s3://models-b", "AES128", "AES256"), ("gs://models-b", "key", "projects/P"), ("az://account/models", "a b", "encryption scope"),
])
def test_encryption(configured, target, value, words):
    text = f"version: 1\npairs:\n  models:\n    source: /a\n    target:\n      location: {target}\n      encryption: '{value}'\n"
    found = refused(configured, text)
    assert [(line, at) for line, at, _, _ in found] == [(7, "pairs.models.target.encryption")] and words in found[0][2], found


# MARK: What only this machine lacks

def certificate(path, password=None, form="pem"):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "lockstep")])
    now = datetime.datetime(2026, 1, 1)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=9999)).sign(key, hashes.SHA256())
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    if form == "pkcs12":
        path.write_bytes(pkcs12.serialize_key_and_certificates(b"x", key, made, None, encryption))
    else:
        path.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
            + made.public_bytes(serialization.Encoding.PEM))


MISSING = [
    ("type: gs, credentials_file: PATH", "gs", "credentials_file"),
    (f"type: az, {APPLICATION}, certificate_file: PATH", "az", "certificate_file"),
    (f"type: az, {APPLICATION}, federated_token_file: PATH", "az", "federated_token_file"),
    ("type: s3, role_arn: 'arn:aws:iam::1:role/r', web_identity_token_file: PATH", "s3", "web_identity_token_file"),
]


@pytest.mark.parametrize("keys, service, key", MISSING)
def test_files_that_are_not_here_are_warnings(configured, lockstep, keys, service, key):
    """The service may run on another machine; whoever knows better says --strict. The run itself needs them."""
    path = lockstep.directory / "absent"
    configured.write(file(keys.replace("PATH", str(path)), PLACES[service]))
    for kind, words in [("absent", "No such file"), ("directory", "is a directory"), ("pipe", "is a pipe")]:
        if kind == "directory":
            path.mkdir()
        elif kind == "pipe":
            path.rmdir()
            os.mkfifo(path)
        said = configured.check(expect=0)
        assert [(found["line"], found["key"]) for found in said["warnings"]] == [(3, f"clouds.c.{key}")], said
        assert words in said["warnings"][0]["message"] and str(path) in said["warnings"][0]["message"]
        assert [found["message"] for found in configured.check("--strict", expect=78)["problems"]] == [said["warnings"][0]["message"]]
        told = lockstep.run("config", "check", "--config", configured.path, expect=0).err
        assert f"warning: {configured.path}:3:" in told and told.endswith("nothing wrong but what this machine may lack\n"), told
        if kind == "absent":
            lockstep.run("run", "--config", configured.path, expect=78)


@pytest.mark.parametrize("text", ["nonsense", "{}", '{"type": "magic"}', '{"type": "service_account", "client_email": "a"}'])
def test_credentials_files_that_are_none(configured, lockstep, text):
    path = lockstep.directory / "gcp.json"
    path.write_text(text)
    configured.write(file(f"type: gs, credentials_file: {path}", "gs://models-a/x"))
    found = configured.problems()
    assert [(line, key) for line, key, _, _ in found] == [(3, "clouds.c.credentials_file")] and str(path) in found[0][2], found
    lockstep.run("run", "--config", configured.path, expect=78)


@pytest.mark.parametrize("form", ["pem", "pkcs12"])
def test_certificates(configured, lockstep, form):
    path = lockstep.directory / "azure.pem"
    keys = f"type: az, {APPLICATION}, certificate_file: {path}"
    with_password = f"{keys}, certificate_password: '${{env:PASSWORD}}'"
    certificate(path, b"canary-right", form)
    configured.write(file(with_password, "az://account/models"))
    assert not configured.problems(environment={"PASSWORD": "canary-right"})
    assert [(key, message) for _, key, message, _ in configured.problems(environment={"PASSWORD": "wrong"})] == [
        ("clouds.c.certificate_password", f"it does not open the certificate {path}")]
    told = lockstep.run("run", "--config", configured.path, environment={"PASSWORD": "wrong"}, expect=78).err
    assert "does not open with this password" in told and "canary" not in told
    configured.write(file(keys, "az://account/models"))
    assert [key for _, key, _, _ in configured.problems()] == ["clouds.c.certificate_file"]
    lockstep.run("run", "--config", configured.path, expect=78)
    path.write_text("nonsense")
    assert [key for _, key, _, _ in configured.problems()] == ["clouds.c.certificate_file"]


def test_what_opens_a_vault(configured, lockstep):
    def said(keys, **options):
        configured.write(
            "version: 1\npairs:\n  models: {source: {vault: v}, target: /b}\n"
            f"vaults:\n  v:\n    location: file://{lockstep.directory}/vault\n{keys}")
        outcome = configured.check(**options)
        return [
            (kind, found["line"], found["key"], found["message"])
            for kind in ("problems", "warnings") for found in outcome[kind]
        ]

    path = lockstep.directory / "key"
    for name, short, words in [("password_file", "\n", "begins with an empty line"), ("key_file", "x" * 31, "at least 32")]:
        path.unlink(missing_ok=True)
        found = said(f"    {name}: {path}\n")
        assert [one[:3] for one in found] == [("warnings", 7, f"vaults.v.{name}")] and "No such file" in found[0][3]
        path.write_text(short)
        found = said(f"    {name}: {path}\n")
        assert [one[:3] for one in found] == [("problems", 7, f"vaults.v.{name}")] and words in found[0][3]
        path.write_text("x" * 32)
        assert not said(f"    {name}: {path}\n")
    # Nobody types a passphrase for a daemon.
    found = said("")
    assert [one[:3] for one in found] == [("warnings", 5, "vaults.v")] and "password_file, key_file or kms" in found[0][3]
    assert not said("", environment={"LOCKSTEP_VAULT_PASSWORD_FILE": str(path)})
    # Where the environment of the service decides.
    assert [one[:3] for one in said("    kms: 'aws-kms:alias/x'\n")] == [("warnings", 7, "vaults.v.kms")]
    assert not said("    kms: 'aws-kms:alias/x'\n", environment={"AWS_REGION": "eu-west-1"})
    assert [one[:3] for one in said("    kms: 'hashicorp-transit:transit/x'\n")] == [("warnings", 7, "vaults.v.kms")]
    assert [one[:3] for one in said("    kms: 'hashicorp-transit:transit/x'\n", environment={"VAULT_ADDR": "nonsense"})] == [
        ("problems", 7, "vaults.v.kms")]


def test_profiles_are_of_the_machine(configured):
    for cloud, service in [("type: s3, profile: nobody", "s3"), ("type: gs, profile: nobody", "gs"), ("type: az, profile: nobody", "az")]:
        configured.write(file(cloud, PLACES[service]))
        said = configured.check(expect=0)
        assert [(found["line"], found["key"]) for found in said["warnings"]] == [(3, "clouds.c.profile")], said
        configured.lockstep.run("run", "--config", configured.path, expect=78)


def test_directories_and_programs_of_the_machine(configured, lockstep):
    state = lockstep.directory / "state-of-it"
    text = (
        f"version: 1\nstate: {state}\nmetrics: {{textfile: {lockstep.directory}/absent}}\npairs:\n  models:\n"
        f"    source: /a\n    target: /b\n    manifest: {{signing_key: {lockstep.directory}/signing.pem}}\n"
        "notifications:\n  - {name: pager, command: [no-such-program, x]}\n")

    def warned():
        configured.write(text)
        return [(found["line"], found["key"]) for found in configured.check(expect=0)["warnings"]]

    missing = [(3, "metrics.textfile"), (6, "pairs.models.source"), (10, "notifications[pager].command")]
    assert warned() == missing
    state.mkdir()
    (state / "pairs").write_text("")
    assert warned() == [(2, "state"), *missing]
    (lockstep.directory / "signing.pem").mkdir()
    assert warned() == [(2, "state"), *missing[:2], (8, "pairs.models.manifest.signing_key"), missing[2]]
    (lockstep.directory / "signing.pem").rmdir()
    (lockstep.directory / "signing.pem").write_text("nonsense")
    assert [(line, key) for line, key, _, _ in configured.problems()] == [(8, "pairs.models.manifest.signing_key")]


def test_a_record_that_is_a_directory_is_named(configured, lockstep):
    (lockstep.directory / "source").mkdir()
    configured.pair(str(lockstep.directory / "source"), str(lockstep.directory / "target"))
    record = lockstep.state / "pairs" / "models.json"
    record.mkdir(parents=True)
    told = lockstep.run("run", "--config", configured.path, expect=None).err
    assert f"{record}" in told and "directory" in told.lower(), told


# MARK: No file

@pytest.mark.parametrize("kind, words", [
    ("fifo", "it is a pipe and no file"), ("directory", "it is a directory"), ("socket", "No such device"), ("device", "it is a device"),
    ("endless", "it is a device"),
])
@pytest.mark.parametrize("command", [["config", "check"], ["run"], ["serve"]])
def test_what_is_no_file_is_named_at_once(lockstep, kind, words, command):
    path = lockstep.directory / kind
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))
    else:
        path = pathlib.Path("/dev/null" if kind == "device" else "/dev/zero")
    # Nobody ever writes into the pipe.
    told = lockstep.run(*command, "--config", path, expect=78).err
    assert f"the configuration {path} cannot be read: {words}" in told and "name a file with --config" in told, told


def test_references_to_what_is_no_file(configured, lockstep):
    pipe = lockstep.directory / "pipe"
    os.mkfifo(pipe)
    found = refused(configured, file(f"type: s3, access_key_id: AKIA, secret_access_key: 'file:{pipe}'"))
    assert found == [(3, "clouds.c.secret_access_key", f"the file {pipe} cannot be read: it is a pipe and no file", None)]


def test_large_files(configured):
    with open(configured.path, "wb") as file:
        file.truncate(1 << 40)
    status, seconds, memory, text = configured.measured()
    assert status == 78 and "1 MiB" in text and memory < 256 << 20, (status, text)
