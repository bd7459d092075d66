"""Every kind of Google credentials, used by the binary against stand-ins for the token services and a simulator that takes one token.

The token must be the one that the simulator wants; and no secret may be in any output or go anywhere but where it belongs.
"""

import base64
import json
import stat
import urllib.parse

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.auth import jwt
from google_services import ROBOT, GoogleServices, basic, failure, refuse
from lockstep_binary import Lockstep

TOKEN = "canary-access-token"
SECRETS = (
    "canary-access-token", "canary-federated-token", "canary-client-secret", "canary-refresh-token", "canary-subject",
    "canary-aws-secret", "canary-session", "PRIVATE KEY",
)
OBJECTS = "https://www.googleapis.com/auth/devstorage.read_write"
PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
AUDIENCE = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/provider"


@pytest.fixture
def services():
    with GoogleServices(TOKEN).running() as services:
        yield services


@pytest.fixture
def storage(launch):
    """A simulator that takes the one token and nothing else."""
    simulator = launch("--gcs-needs-token", "--gcs-token", TOKEN, "--bucket", "kept")
    simulator.populate("gcs", "kept", "k", 3, 10)
    return simulator


class User(Lockstep):
    """Somebody with credentials, whose every output is searched for secrets."""

    def finish(self, *arguments, **options):
        outcome = super().finish(*arguments, **options)
        for secret in SECRETS:
            assert secret.encode() not in outcome.stdout + outcome.stderr, f"{secret} is in the output"
        return outcome

    def write(self, name, content):
        path = self.directory / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def list(self, storage, expect=0, **environment):
        return self.run("ls", "gs://kept", "--endpoint", storage.gcs["endpoint"], environment=environment, expect=expect)

    def list_as(self, storage, credentials, expect=0, **environment):
        path = self.write("credentials.json", credentials)
        return self.list(storage, expect=expect, GOOGLE_APPLICATION_CREDENTIALS=str(path), **environment)


@pytest.fixture
def user(tmp_path):
    return User(tmp_path, {})


def person(services):
    return {
        "type": "authorized_user", "client_id": "client", "client_secret": "canary-client-secret",
        "refresh_token": "canary-refresh-token", "token_uri": f"{services.url}/token",
    }


def workload(services, source, **more):
    return {
        "type": "external_account", "audience": AUDIENCE, "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{services.url}/v1/token", "credential_source": source,
        "service_account_impersonation_url": services.impersonation, **more,
    }


def assert_impersonated(services, scope=OBJECTS):
    asked = services.at(urllib.parse.urlsplit(services.impersonation).path)
    assert asked.json == {"scope": [scope], "lifetime": "3600s"}
    assert asked.headers["authorization"] == f"Bearer {services.federated}"


def assert_exchanged(services, subject, kind="urn:ietf:params:oauth:token-type:jwt", scope=PLATFORM):
    assert services.at("/v1/token").form == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": AUDIENCE, "scope": scope,
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token", "subject_token": subject,
        "subject_token_type": kind,
    }


# Kinds of credentials


def test_a_service_accounts_key(services, storage, user):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()
    account = {
        "type": "service_account", "client_email": ROBOT, "private_key_id": "kid", "private_key": pem,
        "token_uri": f"{services.url}/token",
    }
    assert "k00000000" in user.list_as(storage, account).out
    asked = services.at("/token")
    assert asked.form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(asked.form["assertion"], certs=public, audience=f"{services.url}/token")
    assert claims["iss"] == ROBOT and claims["scope"] == OBJECTS and claims["exp"] - claims["iat"] == 3600


def test_a_person(services, storage, user):
    assert "k00000000" in user.list_as(storage, person(services)).out
    assert services.at("/token").form == {
        "grant_type": "refresh_token", "refresh_token": "canary-refresh-token", "client_id": "client",
        "client_secret": "canary-client-secret",
    }


def test_a_person_of_another_identity_provider(services, storage, user):
    account = {
        "type": "external_account_authorized_user", "audience": AUDIENCE, "client_id": "client",
        "client_secret": "canary-client-secret", "refresh_token": "canary-refresh-token",
        "token_url": f"{services.url}/token", "token_info_url": "https://sts.googleapis.com/v1/introspect",
    }
    user.list_as(storage, account)
    asked = services.at("/token")
    assert asked.headers["authorization"] == basic("client", "canary-client-secret")
    assert asked.form == {"grant_type": "refresh_token", "refresh_token": "canary-refresh-token"}


def test_a_token_in_a_file(services, storage, user):
    subject = user.write("subject", "canary-subject\n")
    user.list_as(storage, workload(services, {"file": str(subject)}))
    assert_exchanged(services, "canary-subject")
    assert_impersonated(services)


def test_a_token_at_a_url(services, storage, user):
    services.instead["/issuer"] = (200, {}, b'{"value": "canary-subject"}')
    source = {
        "url": f"{services.url}/issuer?audience=x", "headers": {"Metadata": "True"},
        "format": {"type": "json", "subject_token_field_name": "value"},
    }
    user.list_as(storage, workload(services, source))
    asked = services.at("/issuer")
    assert asked.headers["metadata"] == "True" and asked.query == {"audience": "x"}
    assert_exchanged(services, "canary-subject")


def test_a_program_that_prints_a_token(services, storage, user):
    program = user.write("issuer", '#!/bin/sh\nprintf \'{"version":1,"success":true,"token_type":"%s","id_token":"canary-subject-%s"}\' "$GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE" "$1"\n')
    program.chmod(stat.S_IRWXU)
    account = workload(services, {"executable": {"command": f"'{program}' 'a b'", "timeout_millis": 10000}})
    outcome = user.list_as(storage, account, expect=78)
    assert "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1" in outcome.err and services.asked == []
    user.list_as(storage, account, GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES="1")
    assert_exchanged(services, "canary-subject-a b")
    assert_impersonated(services)


def test_a_program_that_fails_is_not_quoted(services, storage, user):
    program = user.write("issuer", "#!/bin/sh\necho canary-subject; echo canary-subject >&2; exit 9\n")
    program.chmod(stat.S_IRWXU)
    account = workload(services, {"executable": {"command": str(program)}})
    outcome = user.list_as(storage, account, expect=78, GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES="1")
    assert "exit status 9" in outcome.err and services.asked == []


def aws_source(services):
    return {
        "environment_id": "aws1", "region_url": f"{services.url}/latest/meta-data/placement/availability-zone",
        "url": f"{services.url}/latest/meta-data/iam/security-credentials",
        "imdsv2_session_token_url": f"{services.url}/latest/api/token",
        "regional_cred_verification_url":
            "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
    }


def assert_signed(services, key, secret, region, session=None):
    """Amazon's own client makes the same signature."""
    document = json.loads(urllib.parse.unquote(services.at("/v1/token").form["subject_token"]))
    headers = {header["key"].lower(): header["value"] for header in document["headers"]}
    authorization = headers.pop("authorization")
    assert headers["x-goog-cloud-target-resource"] == AUDIENCE and headers.get("x-amz-security-token") == session
    request = AWSRequest(method=document["method"], url=document["url"], headers=headers, data=b"")
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials(key, secret, session), "sts", region)
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    assert authorization.endswith(f"Signature={signature}") and f"Credential={key}/" in authorization
    assert document["url"] == f"https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"


def test_keys_of_aws_in_the_environment(services, storage, user):
    account = workload(
        services, aws_source(services), subject_token_type="urn:ietf:params:aws:token-type:aws4_request"
    )
    user.list_as(
        storage, account, AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY="canary-aws-secret",
        AWS_SESSION_TOKEN="canary-session", AWS_REGION="eu-west-1",
    )
    assert_signed(services, "AKIDEXAMPLE", "canary-aws-secret", "eu-west-1", "canary-session")
    assert_impersonated(services)


def test_a_machine_on_aws(services, storage, user):
    keys = {"AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "canary-aws-secret", "Token": "canary-session"}
    role = "/latest/meta-data/iam/security-credentials"
    services.instead = {
        "/latest/api/token": (200, {}, b"canary-session-of-metadata"),
        "/latest/meta-data/placement/availability-zone": (200, {}, b"us-east-2b"),
        role: (200, {}, b"role"), f"{role}/role": (200, {}, json.dumps(keys).encode()),
    }
    account = workload(
        services, aws_source(services), subject_token_type="urn:ietf:params:aws:token-type:aws4_request"
    )
    user.list_as(storage, account)
    assert services.at("/latest/api/token").method == "PUT"
    assert services.at(f"{role}/role").headers["x-aws-ec2-metadata-token"] == "canary-session-of-metadata"
    assert_signed(services, "ASIAEXAMPLE", "canary-aws-secret", "us-east-2", "canary-session")


def test_an_impersonated_service_account(services, storage, user):
    services.federated = "canary-subject-of-a-person"
    source = person(services)
    services.instead["/token"] = services.granted(services.federated)
    user.list_as(
        storage,
        {
            "type": "impersonated_service_account", "service_account_impersonation_url": services.impersonation,
            "source_credentials": source, "delegates": [],
        },
    )
    assert_impersonated(services)


def test_the_metadata_server(services, storage, user):
    assert "k00000000" in user.list(storage, GCE_METADATA_HOST=services.authority).out
    asked = services.at("/computeMetadata/v1/instance/service-accounts/default/token")
    assert asked.headers["metadata-flavor"] == "Google" and asked.query == {"scopes": OBJECTS}


def test_a_server_that_is_not_googles_is_not_believed(services, storage, user):
    services.metadata_flavor = "Other"
    outcome = user.list(storage, GCE_METADATA_HOST=services.authority, expect=78)
    assert "is not Google's" in outcome.err and storage.requests("gcs") == {}


# What must never happen


def test_without_credentials_every_place_is_named(user):
    outcome = user.run("ls", "gs://kept", expect=78, environment={"NO_GCE_CHECK": "true"})
    for place in ("GOOGLE_APPLICATION_CREDENTIALS", ".config/gcloud/application_default_credentials.json", "metadata"):
        assert place in outcome.err


def test_credentials_that_are_merely_found_do_not_go_to_other_servers(services, storage, user):
    folder = user.directory / ".config" / "gcloud"
    folder.mkdir(parents=True)
    (folder / "application_default_credentials.json").write_text(json.dumps(person(services)))
    user.list(storage, expect=78)
    assert services.asked == []


def test_tokens_do_not_travel_unencrypted(services, user):
    path = user.write("credentials.json", person(services))
    outcome = user.run(
        "ls", "gs://kept", "--endpoint", "http://storage.example", expect=78,
        environment={"GOOGLE_APPLICATION_CREDENTIALS": str(path)},
    )
    assert "https" in outcome.err and services.asked == []


@pytest.mark.parametrize("member, url", [
    ("token_uri", "https://oauth2.example/token"), ("token_uri", "http://oauth2.googleapis.com/token"),
])
def test_secrets_are_not_sent_to_others(services, storage, user, member, url):
    outcome = user.list_as(storage, {**person(services), member: url}, expect=78)
    assert member in outcome.err and "not sent there" in outcome.err


def test_no_token_service_sends_elsewhere(services, storage, user):
    with GoogleServices(TOKEN).running() as other:
        services.instead["/token"] = (307, {"location": f"{other.url}/token"}, b"")
        outcome = user.list_as(storage, person(services), expect=78)
        assert "redirects" in outcome.err and other.asked == [] and len(services.asked) == 1


def test_no_storage_sends_the_token_elsewhere(services, user):
    with GoogleServices(TOKEN).running() as storage, GoogleServices(TOKEN).running() as other:
        storage.instead["/storage/v1/b/kept/o"] = (302, {"location": f"{other.url}/storage/v1/b/kept/o"}, b"")
        path = user.write("credentials.json", person(services))
        outcome = user.run(
            "ls", "gs://kept", "--endpoint", storage.url, expect=None,
            environment={"GOOGLE_APPLICATION_CREDENTIALS": str(path)},
        )
        assert outcome.status not in (0, 75) and "redirect" in outcome.err and other.asked == []
        assert storage.asked[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("answer, word", [
    (refuse("Token has been expired or revoked."), "gcloud auth application-default login"),
    ((200, {}, b'{"access_token": "a b", "expires_in": 1}'), "no token"),
    ((200, {}, b"canary-subject" * 10000), ""),
], ids=["refused", "unusable", "too long"])
def test_answers_that_are_no_tokens(services, storage, user, answer, word):
    services.instead["/token"] = answer
    path = user.write("credentials.json", person(services))
    outcome = user.list(storage, expect=None, GOOGLE_APPLICATION_CREDENTIALS=str(path))
    assert outcome.status in (75, 78) and word in outcome.err and storage.requests("gcs") == {}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"type": 5}', '{"type": "magic"}', '{"type": "authorized_user"}'])
def test_files_that_are_no_credentials(storage, user, content):
    outcome = user.list_as(storage, content, expect=78)
    assert "credentials.json" in outcome.err


def test_one_token_serves_all_workers_and_is_refreshed_for_all(services, storage, user):
    storage.populate("gcs", "kept", "many/", 60, 1000)
    rule = storage.add_fault(action="expire-credentials", cloud="gcs", operation="GetObject", nth=20, count=1)
    path = user.write("credentials.json", person(services))
    target = user.directory / "copy"
    user.sync(
        "gs://kept/many", target, "--source-endpoint", storage.gcs["endpoint"],
        environment={"GOOGLE_APPLICATION_CREDENTIALS": str(path)},
    )
    copied = [path for path in target.iterdir() if path.name.startswith("0")]
    assert len(copied) == 60 and storage.fired(rule) == 1
    assert services.paths() == ["/token", "/token"]


# Keys of Cloud KMS

KEY = "projects/p/locations/europe-west1/keyRings/ring/cryptoKeys/lockstep"
KMS = ("--kms", f"gcp-kms:{KEY}")


@pytest.fixture
def vault(services, user):
    """Runs a command on a vault as somebody who may use the key."""
    services.keys[KEY] = AESGCM.generate_key(256)
    url = f"vault+file://{user.directory}/vault"

    def run(*arguments, kms=KMS, expect=0, **environment):
        path = user.write("credentials.json", person(services))
        variables = {
            "GOOGLE_APPLICATION_CREDENTIALS": str(path), "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS": f"{services.url}/",
            **environment,
        }
        return user.run(
            *(url if argument == "VAULT" else argument for argument in arguments), *kms, "--state", user.state,
            expect=expect, environment=variables,
        )

    return run


def test_a_vault_that_a_key_of_cloud_kms_opens(services, user, vault):
    (user.directory / "files").mkdir()
    (user.directory / "files" / "a").write_bytes(b"content")
    vault("vault", "init", "VAULT")
    vault("sync", f"file://{user.directory}/files", "VAULT")
    assert "a" in vault("ls", "VAULT").out and "gcp-kms" in vault("vault", "key", "list", "VAULT").out
    asked = [asked for asked in services.asked if asked.path == f"/v1/{KEY}:decrypt"]
    assert asked and all(
        base64.b64decode(each.json["additionalAuthenticatedData"]) == b"lockstep:vault-key-slot" for each in asked
    )
    # Another key opens nothing, and is not asked about this one's secret.
    other = KEY.replace("lockstep", "other")
    services.keys[other] = AESGCM.generate_key(256)
    vault("ls", "VAULT", kms=("--kms", f"gcp-kms:{other}"), expect=78)
    assert f"/v1/{other}:decrypt" not in services.paths()


@pytest.mark.parametrize("answer, expect, word", [
    (failure(403, "PERMISSION_DENIED", "Permission denied."), 78, "useToDecrypt"),
    (failure(400, "FAILED_PRECONDITION", "The key is disabled."), 78, "is disabled"),
    (failure(404, "NOT_FOUND", "No such key."), 3, "there is no key"),
], ids=["denied", "disabled", "absent"])
def test_keys_that_cannot_be_used(services, vault, answer, expect, word):
    vault("vault", "init", "VAULT")
    services.instead[f"/v1/{KEY}:decrypt"] = answer
    assert word in vault("ls", "VAULT", expect=expect).err


def test_a_root_key_that_changed_on_the_way_is_not_kept(services, vault):
    services.damage = lambda document: document.update(ciphertextCrc32c="1")
    outcome = vault("vault", "init", "VAULT", expect=None)
    assert outcome.status != 0 and "changed on the way" in outcome.err
    services.damage = lambda document: None
    vault("vault", "init", "VAULT")


def test_a_changed_root_key_is_not_used(services, vault):
    vault("vault", "init", "VAULT")
    services.damage = lambda document: document.update(plaintext=base64.b64encode(b"x" * 32).decode())
    outcome = vault("ls", "VAULT", expect=None)
    assert outcome.status != 0 and "changed on the way" in outcome.err


@pytest.mark.parametrize("key", ["lockstep", f"{KEY}/cryptoKeyVersions/1", f"/{KEY}"])
def test_names_that_are_no_keys(services, vault, key):
    outcome = vault("vault", "init", "VAULT", kms=("--kms", f"gcp-kms:{key}"), expect=78)
    assert "projects/P/locations/L/keyRings/R/cryptoKeys/K" in outcome.err and services.asked == []
