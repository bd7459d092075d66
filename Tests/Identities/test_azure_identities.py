"""Every kind of identity of Azure's, used by the binary against stand-ins for the token services and a simulator that takes one token.

The token must be the one that the simulator wants; and no secret may be in any output or go anywhere but where it belongs.
"""

import base64
import datetime
import hashlib
import json

import pytest
from azure_services import APPLICATION, CLIENT, ENTRA, HEADER, MACHINE, TENANT, AzureServices
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from locations import MIB, AzureLocation
from lockstep_binary import Lockstep

TOKEN = "canary-token"
PASSWORD = b"canary-password"
SECRETS = (TOKEN, "canary-old-token", "canary-client-secret", "canary-assertion", "canary-password", HEADER, "PRIVATE KEY")
STORAGE = "https://storage.azure.com"


@pytest.fixture
def services():
    with AzureServices(TOKEN).running() as services:
        yield services


@pytest.fixture
def storage(launch):
    """A simulator that takes the one token, and the account's key for those who look from outside."""
    simulator = launch("--azure-token", TOKEN, "--bucket", "kept")
    simulator.populate("azure", "kept", "k", 3, 10)
    return simulator


class User(Lockstep):
    """Somebody with an identity, whose every output is searched for secrets."""

    def finish(self, *arguments, **options):
        outcome = super().finish(*arguments, **options)
        for secret in SECRETS:
            assert secret.encode() not in outcome.stdout + outcome.stderr, f"{secret} is in the output"
        return outcome

    def write(self, name, content):
        path = self.directory / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def list(self, storage, expect=0, **environment):
        return self.run(
            "ls", "az://devstoreaccount1/kept", "--endpoint", storage.azure["endpoint"], environment=environment, expect=expect
        )


@pytest.fixture
def user(tmp_path):
    return User(tmp_path, {})


def application(services, **proof):
    return {"AZURE_AUTHORITY_HOST": services.url, "AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, **proof}


def asked_entra(services, resource=STORAGE):
    form = services.at(ENTRA).form
    assert (form["client_id"], form["scope"], form["grant_type"]) == (CLIENT, f"{resource}/.default", "client_credentials")
    return form


def unpack(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# Kinds of identities


def test_a_client_secret(services, storage, user):
    outcome = user.list(storage, **application(services, AZURE_CLIENT_SECRET="canary-client-secret"))
    assert "k00000000" in outcome.out
    assert asked_entra(services)["client_secret"] == "canary-client-secret"


@pytest.fixture(scope="module")
def certified():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "lockstep")])
    start = datetime.datetime(2026, 1, 1)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(start).not_valid_after(start + datetime.timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def pem(key, password=None):
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize("form", ["pem", "protected pem", "pkcs12"])
def test_a_client_certificate(services, storage, user, certified, form):
    key, certificate = certified
    text = certificate.public_bytes(serialization.Encoding.PEM)
    environment = {} if form == "pem" else {"AZURE_CLIENT_CERTIFICATE_PASSWORD": PASSWORD.decode()}
    content = {
        "pem": lambda: text + pem(key),
        "protected pem": lambda: pem(key, PASSWORD) + text,
        "pkcs12": lambda: pkcs12.serialize_key_and_certificates(
            b"lockstep", key, certificate, None, serialization.BestAvailableEncryption(PASSWORD)
        ),
    }[form]()
    path = user.write("identity", content)
    environment |= application(services, AZURE_CLIENT_CERTIFICATE_PATH=path)
    assert "k00000000" in user.list(storage, **environment).out
    fields = asked_entra(services)
    assert fields["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    header, claims, signature = fields["client_assertion"].split(".")
    thumbprint = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()
    assert json.loads(unpack(header)) == {
        "alg": "PS256", "typ": "JWT", "x5t#S256": base64.urlsafe_b64encode(thumbprint).decode().rstrip("="),
    }
    claims_read = json.loads(unpack(claims))
    assert claims_read["aud"] == f"{services.url}{ENTRA}" and claims_read["iss"] == claims_read["sub"] == CLIENT
    assert claims_read["exp"] - claims_read["nbf"] == 1800
    # Raises unless the signature is the key's.
    key.public_key().verify(
        unpack(signature), f"{header}.{claims}".encode(), padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()
    )


def test_certificates_that_cannot_be_used(services, storage, user, certified):
    key, certificate = certified
    text = certificate.public_bytes(serialization.Encoding.PEM)
    other = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    for content, words in [
        (pem(key), "no certificate"), (text + other, "no certificate"), (text, "no private key"),
        (text + pem(key, PASSWORD), "passphrase"), (b"", "no private key"),
    ]:
        path = user.write("identity.pem", content)
        outcome = user.list(storage, expect=78, **application(services, AZURE_CLIENT_CERTIFICATE_PATH=path))
        assert path in outcome.err and words in outcome.err, outcome.err
    assert not services.asked


def test_a_workload_identity(services, storage, user):
    path = user.write("token", "canary-assertion\n")
    assert "k00000000" in user.list(storage, **application(services, AZURE_FEDERATED_TOKEN_FILE=path)).out
    fields = asked_entra(services)
    assert fields["client_assertion"] == "canary-assertion"
    assert fields["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def test_a_machines_identity(services, storage, user):
    assert "k00000000" in user.list(storage, AZURE_POD_IDENTITY_AUTHORITY_HOST=services.url).out
    assert services.at(MACHINE).query == {"api-version": "2018-02-01", "resource": STORAGE}


def test_an_identity_that_was_assigned_to_a_machine(services, storage, user):
    assert "k00000000" in user.list(storage, AZURE_POD_IDENTITY_AUTHORITY_HOST=services.url, AZURE_CLIENT_ID=CLIENT).out
    assert services.at(MACHINE).query["client_id"] == CLIENT


def test_an_applications_identity(services, storage, user):
    environment = {"IDENTITY_ENDPOINT": services.url + APPLICATION, "IDENTITY_HEADER": HEADER}
    assert "k00000000" in user.list(storage, **environment).out
    assert services.at(APPLICATION).query == {"api-version": "2019-08-01", "resource": STORAGE}


def test_the_accounts_own_key_counts_before_the_machines_identity(services, storage, user):
    environment = {"AZURE_STORAGE_KEY": storage.azure["key"], "AZURE_POD_IDENTITY_AUTHORITY_HOST": services.url}
    assert "k00000000" in user.list(storage, **environment).out
    assert not services.asked


def test_two_accounts_with_identities_of_their_own(services, storage, user):
    """Each side of a pair by the variables of its profile."""
    environment = {f"{name}_BACKUP": value for name, value in application(services, AZURE_CLIENT_SECRET="canary-client-secret").items()}
    outcome = user.run(
        "ls", "az://devstoreaccount1/kept", "--endpoint", storage.azure["endpoint"], "--profile", "backup", environment=environment
    )
    assert "k00000000" in outcome.out and asked_entra(services)


# Refusals


def test_a_refused_secret_says_why_and_is_not_shown(services, storage, user):
    description = "AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1"
    services.instead[ENTRA] = [(401, {}, {"error": "invalid_client", "error_description": description})]
    outcome = user.list(storage, expect=78, **application(services, AZURE_CLIENT_SECRET="canary-client-secret"))
    assert "AADSTS7000215" in outcome.err and CLIENT in outcome.err and "Trace" not in outcome.err
    assert len(services.asked) == 1
    services.instead[ENTRA] = [(400, {}, {"error": "e", "error_description": "you sent canary-client-secret"})]
    user.list(storage, expect=78, **application(services, AZURE_CLIENT_SECRET="canary-client-secret"))


def test_a_redirect_of_the_applications_identity_is_not_blamed_on_the_identity(services, storage, user):
    with AzureServices(TOKEN).running() as elsewhere:
        services.instead[APPLICATION] = [(307, {"location": elsewhere.url + APPLICATION}, b"")]
        refused = user.list(storage, expect=78, IDENTITY_ENDPOINT=services.url + APPLICATION, IDENTITY_HEADER=HEADER).err
        assert not elsewhere.asked
    assert "redirects" in refused and "check IDENTITY_ENDPOINT" in refused and "assigned" not in refused
    assert refused.count("HTTP 307") == 1


def test_redirects_are_not_followed_with_secrets(services, storage, user):
    with AzureServices(TOKEN).running() as elsewhere:
        services.instead[ENTRA] = [(307, {"location": elsewhere.url + ENTRA}, b"")]
        outcome = user.list(storage, expect=78, **application(services, AZURE_CLIENT_SECRET="canary-client-secret"))
        assert "redirects" in outcome.err
        # The store's own redirects neither.
        services.instead["/devstoreaccount1/kept"] = [(307, {"location": elsewhere.url + "/devstoreaccount1/kept"}, b"")]
        outcome = user.run(
            "ls", "az://devstoreaccount1/kept", "--endpoint", services.url, expect=None,
            environment=application(services, AZURE_CLIENT_SECRET="canary-client-secret"),
        )
        assert outcome.status != 0 and "redirect" in outcome.err
        assert not elsewhere.asked


def test_secrets_and_tokens_go_to_no_unencrypted_host(services, storage, user):
    environment = application(services, AZURE_CLIENT_SECRET="canary-client-secret")
    outcome = user.list(storage, expect=78, **{**environment, "AZURE_AUTHORITY_HOST": "http://login.example"})
    assert "AZURE_AUTHORITY_HOST" in outcome.err
    outcome = user.run(
        "ls", "az://devstoreaccount1/kept", "--endpoint", "http://azure.example", environment=environment, expect=78
    )
    assert "unencrypted" in outcome.err and "http://azure.example" in outcome.err
    environment = {"IDENTITY_ENDPOINT": "http://elsewhere.example/msi/token", "IDENTITY_HEADER": HEADER}
    assert "IDENTITY_ENDPOINT" in user.list(storage, expect=78, **environment).err


def test_a_machine_without_an_identity(services, storage, user):
    services.instead[MACHINE] = [(400, {}, {"error": "invalid_request", "error_description": "Identity not found"})]
    outcome = user.list(storage, expect=78, AZURE_POD_IDENTITY_AUTHORITY_HOST=services.url)
    assert "Identity not found" in outcome.err and services.url in outcome.err


def test_a_busy_machine_is_asked_again(services, storage, user):
    services.instead[MACHINE] = [(429, {"retry-after": "0"}, {}), (500, {}, {}), (410, {}, {})]
    assert "k00000000" in user.list(storage, AZURE_POD_IDENTITY_AUTHORITY_HOST=services.url).out
    assert len(services.asked) == 4


def test_a_token_that_the_account_does_not_take(services, storage, user):
    services.tokens = ["canary-old-token"]
    outcome = user.list(storage, expect=78, **application(services, AZURE_CLIENT_SECRET="canary-client-secret"))
    assert "does not take the credentials" in outcome.err and "lifetime validation failed" in outcome.err
    # Once more with a fresh one, and no more.
    assert len(services.asked) == 2


def test_nobody_is_known(storage, user):
    outcome = user.list(storage, expect=78)
    assert "wants credentials" in outcome.err


# Work


def test_an_expired_token_is_fetched_once_for_all_workers(services, storage, user):
    """One question more than a run asks whose token is good."""
    files = user.directory / "files"
    files.mkdir()
    for index in range(200):
        (files / f"{index:03}").write_bytes(b"%d" % index)
    questions = {}
    for name, tokens in [("good", [TOKEN]), ("expired", ["canary-old-token", TOKEN])]:
        storage.create_bucket("azure", name)
        services.tokens = tokens
        services.asked.clear()
        outcome = user.sync(
            files, f"az://devstoreaccount1/{name}", "--target-endpoint", storage.azure["endpoint"], "--concurrency", "32",
            environment=application(services, AZURE_CLIENT_SECRET="canary-client-secret"),
        )
        assert outcome.summary["copied_objects"] == 200
        questions[name] = len(services.asked)
    assert questions["expired"] == questions["good"] + 1


def test_copies_inside_the_account_under_a_token(services, storage, user):
    """`--delta` makes objects of ranges of others, deletions keep a copy: the service reads both sources with the token."""
    target = AzureLocation.create(storage)
    files = user.directory / "files"
    files.mkdir()
    data = hashlib.shake_128(b"a").digest(40 * MIB)
    (files / "a").write_bytes(data)
    flags = ("--delta", "--target-endpoint", storage.azure["endpoint"])
    environment = application(services, AZURE_CLIENT_SECRET="canary-client-secret")
    user.sync(files, target.url, *flags, environment=environment)
    (files / "b").write_bytes(data)
    summary = user.sync(files, target.url, *flags, environment=environment).summary
    assert (summary["sent_bytes"], summary["avoided_bytes"]) == (0, 40 * MIB)
    (files / "a").unlink()
    user.sync(files, target.url, *flags, "--delete", "--max-delete", "100%", environment=environment)
    content = target.content()
    assert target.visible() == {"b": data}
    assert [content[key] for key in content if key.startswith(".lockstep/deleted/") and key.endswith("/a")] == [data]
    counts = storage.requests("azure")
    assert counts["PutBlockFromURL"] >= 2 and counts["CopyBlobFromURL"] >= 1, counts


# Keys of Key Vault


@pytest.fixture
def vault(services, user):
    """Runs a command on a vault as an application that may use the key."""
    url = f"vault+file://{user.directory}/vault"

    def run(*arguments, kms, expect=0, **environment):
        variables = {**application(services, AZURE_CLIENT_SECRET="canary-client-secret"), **environment}
        return user.run(
            *(url if argument == "VAULT" else argument for argument in arguments), "--kms", f"azure-key-vault:{kms}",
            "--state", user.state, expect=expect, environment=variables,
        )

    return run


def test_a_vault_that_a_key_of_key_vault_opens(services, user, vault):
    key = services.add_key("lockstep", "1a")
    (user.directory / "files").mkdir()
    (user.directory / "files" / "a").write_bytes(b"content")
    vault("vault", "init", "VAULT", kms=key)
    assert asked_entra(services, "https://vault.azure.net")
    vault("sync", f"file://{user.directory}/files", "VAULT", kms=key)
    # What an older version wrapped opens after the key was rotated.
    services.add_key("lockstep", "2b")
    assert "a" in vault("ls", "VAULT", kms=key).out and "azure-key-vault" in vault("vault", "key", "list", "VAULT", kms=key).out
    assert {asked.path for asked in services.asked if asked.path.endswith("/unwrapkey")} == {"/keys/lockstep/1a/unwrapkey"}
    # Another key opens nothing, and is not asked about this one's secret.
    other = services.add_key("other", "1a")
    vault("ls", "VAULT", kms=other, expect=78)
    assert not [asked for asked in services.asked if asked.path.startswith("/keys/other") and asked.path.endswith("/unwrapkey")]


def test_keys_that_cannot_be_used(services, vault):
    key = services.add_key("lockstep", "1a")
    vault("vault", "init", "VAULT", kms=key)
    unwrap = "/keys/lockstep/1a/unwrapkey"
    denied = {"error": {"code": "Forbidden", "message": "Caller is not authorized."}}
    services.instead[unwrap] = [(403, {}, denied)]
    assert "Key Vault Crypto Service Encryption User" in vault("ls", "VAULT", kms=key, expect=78).err
    services.instead[unwrap] = [(429, {"retry-after": "0"}, {}), (503, {}, {})]
    vault("ls", "VAULT", kms=key)
    services.keys.clear()
    outcome = vault("ls", "VAULT", kms=key, expect=None)
    assert outcome.status != 0 and "no such key" in outcome.err


def test_a_token_of_another_tenant_for_a_vault(services, vault):
    key = services.add_key("lockstep", "1a")
    services.tokens = [TOKEN, "canary-old-token"]
    services.instead[ENTRA] = [(200, {}, {"access_token": TOKEN, "expires_in": 3599})] * 9
    outcome = vault("vault", "init", "VAULT", kms=key, expect=78)
    assert f"tokens of tenant {TENANT}" in outcome.err


@pytest.mark.parametrize("key", ["lockstep", "https://vault.example/keys/k", "http://v.vault.azure.net/keys/k"])
def test_names_that_are_no_keys(services, vault, key):
    outcome = vault("vault", "init", "VAULT", kms=key, expect=78)
    assert key in outcome.err and services.asked == []
