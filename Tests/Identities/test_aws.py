"""`lockstep` with every kind of AWS credentials, each from the place where Amazon's own tools would find it.

CloudSim wants temporary keys that only the token services on loopback hand out, so listing its bucket proves that they were asked.
"""

import hashlib
import json
import os
import stat
import uuid

import boto3
import pytest

from aws_services import AWSServices, later
from locations import S3Location
from lockstep_binary import Lockstep

TOKEN = "canary-session-token"
ROLE = "arn:aws:iam::123456789012:role/reader"
CANARIES = b"canary"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A simulator whose S3 wants a session token."""
    from conftest import start_sim, stop_sim

    process, sim = start_sim(tmp_path_factory.mktemp("guarded"), "--session-token", TOKEN)
    yield sim
    stop_sim(process)


@pytest.fixture
def place(guarded):
    client = boto3.client(
        "s3", endpoint_url=guarded.s3["endpoint"], aws_access_key_id=guarded.s3["accessKey"],
        aws_secret_access_key=guarded.s3["secretKey"], aws_session_token=TOKEN, region_name=guarded.s3["region"],
    )
    name = f"b-{uuid.uuid4().hex[:12]}"
    guarded.create_bucket("s3", name)
    return S3Location(client, name).fill({"found.txt": b"x"})


@pytest.fixture
def services(guarded):
    services = AWSServices(guarded.s3["accessKey"], guarded.s3["secretKey"], TOKEN)
    with services.serve() as server:
        services.url = server.url
        yield services


@pytest.fixture
def user(tmp_path, guarded, services):
    """A user without any credentials; `list` proves that some were found."""

    class User(Lockstep):
        def config(self, text):
            (self.directory / ".aws").mkdir(exist_ok=True)
            (self.directory / ".aws" / "config").write_text(text)

        def list(self, place, expect=0, flags=(), **environment):
            outcome = self.run("ls", place.url, *flags, expect=expect, environment=environment)
            output = outcome.stdout + outcome.stderr
            assert CANARIES not in output and services.keys["SecretAccessKey"].encode() not in output, output
            if expect == 0:
                assert "found.txt" in outcome.out
            return outcome

    return User(
        tmp_path,
        {
            "AWS_ENDPOINT_URL_S3": guarded.s3["endpoint"], "AWS_REGION": guarded.s3["region"], "AWS_ENDPOINT_URL_STS": services.url,
            "AWS_ENDPOINT_URL_SSO": services.url, "AWS_ENDPOINT_URL_SSO_OIDC": services.url,
        },
    )


def test_environment(user, place, services):
    keys = {"AWS_ACCESS_KEY_ID": services.keys["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": services.keys["SecretAccessKey"]}
    user.list(place, **keys, AWS_SESSION_TOKEN=TOKEN)
    assert services.calls == []


def test_container(user, place, services):
    token = user.directory / "token"
    token.write_text(services.container_token)
    user.list(
        place, AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{services.url}/container", AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(token)
    )
    assert services.calls == ["container"]
    user.list(
        place, AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{services.url}/container",
        AWS_CONTAINER_AUTHORIZATION_TOKEN=services.container_token,
    )
    refused = user.list(place, expect=78, AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{services.url}/container", AWS_CONTAINER_AUTHORIZATION_TOKEN="canary")
    assert "role of its task or pod" in refused.err


@pytest.mark.parametrize("url", ["http://192.0.2.7/x", "http://169.254.169.254/x", "http://example.invalid/x"])
def test_container_tokens_go_to_nobody_else(user, place, url):
    outcome = user.list(place, expect=78, AWS_CONTAINER_CREDENTIALS_FULL_URI=url, AWS_CONTAINER_AUTHORIZATION_TOKEN="canary")
    assert "169.254.170.23" in outcome.err


def test_instance(user, place, services):
    settings = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": services.url}
    user.list(place, **settings)
    assert services.calls == ["instance-session", "instance"]
    nothing = user.list(place, expect=78, **{**settings, "AWS_EC2_METADATA_DISABLED": "true"})
    assert "no AWS credentials found" in nothing.err and "AWS_EC2_METADATA_DISABLED" in nothing.err
    assert services.calls == ["instance-session", "instance"]


def test_web_identity(user, place, services):
    token = user.directory / "web"
    token.write_text(services.web_token + "\n")
    environment = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_ROLE_ARN": ROLE, "AWS_ROLE_SESSION_NAME": "pod"}
    user.list(place, **environment)
    assert services.calls == ["web-identity"] and services.asked == (ROLE, "pod")
    token.write_text("canary-other")
    refused = user.list(place, expect=78, **environment)
    assert "InvalidIdentityToken" in refused.err and ROLE in refused.err
    token.unlink()
    assert str(token) in user.list(place, expect=78, **environment).err


def test_a_role_of_a_profile(user, place, services):
    user.config(
        f"""
[profile work]
role_arn = {ROLE}
source_profile = base
external_id = shared with the owner
[profile base]
aws_access_key_id = AKIDBASE
aws_secret_access_key = canary-base
"""
    )
    user.list(place, flags=("--profile", "work"))
    user.list(place, AWS_PROFILE="work")
    assert services.calls == ["role", "role"] and services.asked == (ROLE, "shared with the owner")


def test_a_role_of_the_machine(user, place, services):
    user.config(f"[default]\nrole_arn = {ROLE}\ncredential_source = Ec2InstanceMetadata\n")
    user.list(place, AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=services.url)
    assert services.calls == ["instance-session", "instance", "role"]


def sso_cache(user, name, **entry):
    directory = user.directory / ".aws" / "sso" / "cache"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / (hashlib.sha1(name.encode()).hexdigest() + ".json")
    path.write_text(json.dumps(entry))
    return path


SSO = "sso_account_id = 123456789012\nsso_role_name = Reader\n"
START = "sso_start_url = https://corp.example/start\nsso_region = eu-west-1\n"


def test_single_sign_on(user, place, services):
    user.config(f"[profile s]\nsso_session = corp\n{SSO}[sso-session corp]\n{START}[profile old]\n{SSO}{START}")
    missing = user.list(place, expect=78, AWS_PROFILE="s")
    assert "aws sso login --profile s" in missing.err
    sso_cache(user, "corp", accessToken=services.sso_token, expiresAt=later(3600))
    user.list(place, AWS_PROFILE="s")
    assert services.calls == ["portal"] and services.asked == ("123456789012", "Reader")
    sso_cache(user, "https://corp.example/start", accessToken=services.sso_token, expiresAt=later(3600).replace("Z", "UTC"))
    user.list(place, AWS_PROFILE="old")
    sso_cache(user, "corp", accessToken="canary-gone", expiresAt=later(3600))
    assert "aws sso login --profile s" in user.list(place, expect=78, AWS_PROFILE="s").err


def test_a_token_of_single_sign_on_is_renewed_and_kept(user, place, services):
    user.config(f"[profile s]\nsso_session = corp\n{SSO}[sso-session corp]\n{START}")
    path = sso_cache(
        user, "corp", accessToken="canary-old", expiresAt=later(-10), clientId="client", clientSecret="canary-client",
        refreshToken="canary-refresh", registrationExpiresAt=later(86400),
    )
    user.list(place, AWS_PROFILE="s")
    assert services.calls == ["renewal", "portal"]
    kept = json.loads(path.read_text())
    assert kept["accessToken"] == services.sso_token and kept["refreshToken"] == "canary-next" and kept["clientId"] == "client"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    user.list(place, AWS_PROFILE="s")
    assert services.calls == ["renewal", "portal", "portal"]


@pytest.mark.parametrize("kind", ["container", "role", "web identity", "single sign-on", "renewal"])
def test_a_redirect_is_neither_followed_nor_blamed_on_rights(user, place, services, kind):
    token = user.directory / "web"
    token.write_text(services.web_token)
    user.config(
        f"[profile role]\nrole_arn = {ROLE}\nsource_profile = base\n[profile base]\naws_access_key_id = AKIDBASE\n"
        f"aws_secret_access_key = canary-base\n[profile s]\nsso_session = corp\n{SSO}[sso-session corp]\n{START}")
    if kind == "renewal":
        sso_cache(
            user, "corp", startUrl="https://corp.example/start", region="eu-west-1", accessToken="canary-old", expiresAt=later(-60),
            clientId="client", clientSecret="canary-client", registrationExpiresAt=later(3600), refreshToken="canary-refresh")
    else:
        sso_cache(user, "corp", accessToken=services.sso_token, expiresAt=later(3600))
    environment = {
        "container": {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{services.url}/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": services.container_token},
        "role": {"AWS_PROFILE": "role"}, "web identity": {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_ROLE_ARN": ROLE},
        "single sign-on": {"AWS_PROFILE": "s"}, "renewal": {"AWS_PROFILE": "s"},
    }[kind]
    other = AWSServices("AKIDOTHER", "canary-other", TOKEN)
    with other.serve() as elsewhere:
        services.redirect = elsewhere.url
        refused = user.list(place, expect=78, **environment).err
    assert other.calls == []
    assert "redirects, which is not followed with credentials" in refused and refused.count("HTTP 307") <= 1, refused
    for wrong in ("trust", "external id", "assigned", "role of its task", "gives no"):
        assert wrong not in refused


def test_a_program(user, place, services):
    script = user.directory / "keys with blanks.py"
    document = {"Version": 1, **services.keys, "SessionToken": TOKEN, "Expiration": later(3600)}
    script.write_text(f"import sys\nassert sys.argv[1:] == ['a b', '$HOME']\nprint({json.dumps(json.dumps(document))})\n")
    user.config(f"[profile p]\ncredential_process = python3 \"{script}\" 'a b' $HOME\n")
    user.list(place, AWS_PROFILE="p")
    script.write_text("import sys\nprint('canary')\nprint('canary', file=sys.stderr)\nsys.exit(9)\n")
    assert "exit status 9" in user.list(place, expect=78, AWS_PROFILE="p").err
    user.config("[profile p]\ncredential_process = /nonexistent/helper canary\n")
    assert "/nonexistent/helper" in user.list(place, expect=78, AWS_PROFILE="p").err


def container(services):
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{services.url}/container",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": services.container_token,
    }


def test_keys_that_run_out_are_refreshed_once_for_all_workers(user, place, services, tmp_path):
    """The first keys last for three seconds of a run that its rate makes longer."""
    place.fill({f"objects/{number:03}": os.urandom(20_000) for number in range(200)})
    services.lifetime = 3
    services.on_call = lambda: setattr(services, "lifetime", 3600)
    outcome = user.sync(place.url, tmp_path / "copy", "--limit-rate", "1M", environment=container(services))
    assert outcome.summary["copied_objects"] == 201
    assert CANARIES not in outcome.stdout + outcome.stderr
    assert services.calls == ["container", "container"]


def test_keys_that_the_server_calls_expired_are_fetched_again(user, place, services, guarded, tmp_path):
    place.fill({f"objects/{number:03}": b"x" for number in range(100)})
    rule = guarded.add_fault(action="expire-credentials", cloud="s3", bucket=place.scope, operation="GetObject", nth=20)
    outcome = user.sync(place.url, tmp_path / "copy", environment=container(services))
    assert guarded.fired(rule) == 1 and outcome.summary["copied_objects"] == 101
    assert services.calls == ["container", "container"]


def test_moto_knows_the_role(user, moto, tmp_path):
    """A server that nobody here wrote: keys of its token service open its buckets, and it verifies every signature."""
    settings = {
        "endpoint_url": moto.endpoint, "region_name": "us-east-1", "aws_access_key_id": moto.access_key,
        "aws_secret_access_key": moto.secret_key,
    }
    iam = boto3.client("iam", **settings)
    name = f"reader-{uuid.uuid4().hex[:8]}"
    trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}'
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=policy)
    place = moto.bucket().fill({"found.txt": b"x"})
    user.config(
        f"[profile work]\nrole_arn = {arn}\nsource_profile = base\nduration_seconds = 900\n"
        f"[profile base]\naws_access_key_id = {moto.access_key}\naws_secret_access_key = {moto.secret_key}\n"
    )
    endpoints = {"AWS_ENDPOINT_URL": moto.endpoint, "AWS_ENDPOINT_URL_S3": moto.endpoint, "AWS_ENDPOINT_URL_STS": moto.endpoint}
    user.list(place, AWS_PROFILE="work", AWS_REGION="us-east-1", **endpoints)
    user.config(
        f"[profile work]\nrole_arn = {arn}\nsource_profile = base\n[profile base]\naws_access_key_id = {moto.access_key}\n"
        "aws_secret_access_key = canary-wrong\n"
    )
    refused = user.list(place, expect=78, AWS_PROFILE="work", AWS_REGION="us-east-1", **endpoints)
    assert "SignatureDoesNotMatch" in refused.err


def test_a_vault_that_only_amazons_key_service_opens(user, moto, tmp_path):
    settings = {
        "endpoint_url": moto.endpoint, "region_name": "us-east-1", "aws_access_key_id": moto.access_key,
        "aws_secret_access_key": moto.secret_key,
    }
    kms = boto3.client("kms", **settings)
    first, second = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    alias = f"alias/vault-{uuid.uuid4().hex[:8]}"
    kms.create_alias(AliasName=alias, TargetKeyId=second.rsplit("/", 1)[1])
    environment = {
        "AWS_ENDPOINT_URL_KMS": moto.endpoint, "AWS_ACCESS_KEY_ID": moto.access_key, "AWS_SECRET_ACCESS_KEY": moto.secret_key,
        "AWS_REGION": "us-east-1",
    }

    def run(*arguments, expect=0, **variables):
        outcome = user.run(*arguments, "--state", user.state, expect=expect, environment={**environment, **variables})
        assert CANARIES not in outcome.stdout + outcome.stderr
        return outcome

    url = f"vault+file://{tmp_path}/vault"
    run("vault", "init", url, "--kms", f"aws-kms:{first}")
    source = tmp_path / "source"
    source.mkdir()
    (source / "found.txt").write_bytes(b"x" * 5000)
    run("sync", source, url, "--kms", f"aws-kms:{first}")
    assert "found.txt" in run("ls", url, "--kms", f"aws-kms:{first}").out
    run("vault", "key", "add", url, "--kms", f"aws-kms:{first}", "--new-kms", f"aws-kms:{alias}")
    assert "found.txt" in run("ls", url, "--kms", f"aws-kms:{alias}").out
    # Neither a key that did not close it, nor one that is not there, nor one of somebody else opens it.
    third = kms.create_key()["KeyMetadata"]["Arn"]
    assert "aws-kms" in run("ls", url, "--kms", f"aws-kms:{third}", expect=78).err
    assert "no such key" in run("ls", url, "--kms", "aws-kms:arn:aws:kms:us-east-1:123456789012:alias/none", expect=3).err
    wrong = run("ls", url, "--kms", f"aws-kms:{first}", expect=78, AWS_SECRET_ACCESS_KEY="canary-wrong")
    assert "aws-kms" in wrong.err or "refuses" in wrong.err
    assert "region" in run("ls", url, "--kms", "aws-kms:alias/x", expect=78, AWS_REGION="").err
    unencrypted = run("ls", url, "--kms", f"aws-kms:{first}", expect=78, AWS_ENDPOINT_URL_KMS="http://kms.example.org")
    assert "unencrypted" in unencrypted.err
