"""Tokens, service accounts and faults of CloudSim's Google Cloud Storage, with the clients' own authentication."""

import datetime
import json

import obstore
import pytest
import requests
from conftest import start_sim, stop_sim
from google.api_core import exceptions
from google.auth import jwt
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.cloud import storage
from google.oauth2 import credentials as oauth
from google.oauth2 import service_account
from obstore.store import GCSStore

SCOPE = "https://www.googleapis.com/auth/devstorage."


@pytest.fixture
def guarded(launch):
    """A simulator that takes no anonymous requests."""
    return launch("--gcs-needs-token", "--bucket", "kept")


@pytest.fixture
def account(guarded):
    return requests.get(f"{guarded.gcs['endpoint']}/_/service-account.json").json()


def client(guarded, credentials):
    return storage.Client(
        project="test", credentials=credentials, client_options={"api_endpoint": guarded.gcs["endpoint"]}
    )


def listing(guarded, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.get(f"{guarded.gcs['endpoint']}/storage/v1/b/kept/o", headers=headers)


def test_anonymous_and_foreign_tokens_are_refused(guarded, sim):
    refused = listing(guarded)
    assert refused.status_code == 401 and refused.json()["error"]["errors"][0]["reason"] == "required"
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert listing(guarded, "nonsense").status_code == 401
    assert listing(guarded, guarded.gcs["token"]).status_code == 200
    xml = requests.get(f"{guarded.gcs['endpoint']}/kept")
    assert xml.status_code == 401 and b"<Code>AuthenticationRequired</Code>" in xml.content
    # A wrong token is refused also where none is needed.
    bad = requests.get(f"{sim.gcs['endpoint']}/storage/v1/b", headers={"Authorization": "Bearer nonsense"})
    assert bad.status_code == 401


def test_configured_token(guarded):
    bucket = client(guarded, oauth.Credentials(guarded.gcs["token"])).bucket("kept")
    bucket.blob("x").upload_from_string(b"x")
    assert bucket.blob("x").download_as_bytes() == b"x"


def test_service_account_exchanges_a_token(guarded, account):
    credentials = service_account.Credentials.from_service_account_info(account, scopes=[SCOPE + "read_write"])
    bucket = client(guarded, credentials).bucket("kept")
    bucket.blob("x").upload_from_string(b"x")
    assert bucket.blob("x").download_as_bytes() == b"x"
    assert credentials.token.startswith("ya29.")


def test_issued_tokens_expire(guarded, account):
    credentials = service_account.Credentials.from_service_account_info(account, scopes=[SCOPE + "read_write"])
    credentials.refresh(Request())
    assert listing(guarded, credentials.token).status_code == 200
    guarded.call("POST", "clock", {"offsetSeconds": 3590})
    assert listing(guarded, credentials.token).status_code == 200
    guarded.call("POST", "clock", {"offsetSeconds": 3601})
    assert listing(guarded, credentials.token).status_code == 401


def test_scopes(guarded, account):
    reader = service_account.Credentials.from_service_account_info(account, scopes=[SCOPE + "read_only"])
    bucket = client(guarded, reader).bucket("kept")
    assert list(bucket.list_blobs()) == []
    with pytest.raises(exceptions.Forbidden):
        bucket.blob("x").delete()
    useless = service_account.Credentials.from_service_account_info(account, scopes=["https://mail.google.com/"])
    with pytest.raises(RefreshError):
        useless.refresh(Request())


def signed(account, **claims):
    signer = service_account.Credentials.from_service_account_info(account).signer
    now = int(datetime.datetime.now(datetime.timezone.utc).timestamp())
    email = account["client_email"]
    return jwt.encode(signer, {"iss": email, "sub": email, "iat": now, "exp": now + 3600} | claims).decode()


def test_self_signed_tokens(guarded, account):
    audience = "https://storage.googleapis.com/"
    good = service_account.Credentials.from_service_account_info(account).with_always_use_jwt_access(True)
    good._create_self_signed_jwt(audience)
    assert list(client(guarded, good).bucket("kept").list_blobs()) == []
    assert listing(guarded, signed(account, aud=audience)).status_code == 200
    assert listing(guarded, signed(account, scope=SCOPE + "read_write")).status_code == 200
    for wrong in [
        {},
        {"aud": "https://pubsub.googleapis.com/"},
        {"aud": audience, "scope": SCOPE + "read_write"},
        {"aud": audience, "sub": "somebody@else"},
        {"aud": audience, "iss": "somebody@else", "sub": "somebody@else"},
        {"aud": audience, "exp": 1_000_000_000},
        {"aud": audience, "exp": 4_000_000_000},
    ]:
        assert listing(guarded, signed(account, **wrong)).status_code == 401, wrong
    head, claims, signature = signed(account, aud=audience).split(".")
    assert listing(guarded, f"{head}.{claims}.{signature[:-8]}AAAAAAAA").status_code == 401
    unsigned = jwt._helpers.unpadded_urlsafe_b64encode(b'{"alg":"none"}').decode()
    assert listing(guarded, f"{unsigned}.{claims}.").status_code == 401


def test_a_key_of_somebody_else(guarded, account, launch):
    other = launch("--gcs-needs-token")
    foreign = requests.get(f"{other.gcs['endpoint']}/_/service-account.json").json()
    foreign["token_uri"] = account["token_uri"]
    credentials = service_account.Credentials.from_service_account_info(foreign, scopes=[SCOPE + "read_write"])
    with pytest.raises(RefreshError):
        credentials.refresh(Request())


def test_obstore_and_rclone_with_a_service_account(guarded, account, run_tool, tmp_path):
    store = GCSStore(
        "kept",
        service_account_key=json.dumps(account | {"gcs_base_url": guarded.gcs["endpoint"]}),
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    obstore.put(store, "o", b"from obstore")
    environment = {
        "RCLONE_CONFIG_SIM_TYPE": "google cloud storage",
        "RCLONE_CONFIG_SIM_SERVICE_ACCOUNT_CREDENTIALS": json.dumps(account),
        "RCLONE_CONFIG_SIM_BUCKET_POLICY_ONLY": "true",
        "RCLONE_CONFIG_SIM_ENDPOINT": f"{guarded.gcs['endpoint']}/storage/v1/",
    }
    (tmp_path / "r").write_bytes(b"from rclone")
    run_tool("rclone", "copy", tmp_path / "r", "sim:kept", environment=environment)
    assert run_tool("rclone", "cat", "sim:kept/o", environment=environment).stdout == b"from obstore"
    assert bytes(obstore.get(store, "r").bytes()) == b"from rclone"


# Faults


@pytest.fixture
def files(sim, bucket_name):
    """A bucket with one object, and what its URLs begin with."""
    sim.create_bucket("gcs", bucket_name)
    origin = sim.gcs["endpoint"]
    stored = requests.post(f"{origin}/upload/storage/v1/b/{bucket_name}/o?uploadType=media&name=x", data=b"data")
    assert stored.status_code == 200
    return f"{origin}/storage/v1/b/{bucket_name}/o", stored.json()


def test_faults_speak_the_cloud_s_language(sim, files):
    objects, _ = files
    sim.add_fault(action="status", cloud="gcs", operation="GetObjectMetadata", status=503, retryAfter="3", nth=1)
    answer = requests.get(f"{objects}/x")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")
    assert answer.json()["error"]["errors"][0]["reason"] == "backendError"
    assert requests.get(f"{objects}/x").status_code == 200
    sim.add_fault(action="expire-credentials", cloud="gcs", operation="ListObjects", nth=1)
    assert requests.get(objects).json()["error"]["errors"][0]["reason"] == "authError"


def test_a_batch_that_fails_inside(sim, files):
    objects, resource = files
    origin = resource["mediaLink"].split("/download/")[0]
    sim.add_fault(action="error-in-200", cloud="gcs", operation="Batch", status=503, nth=1)
    body = (
        "--mark\r\nContent-Type: application/http\r\nContent-ID: <1>\r\n\r\n"
        f"DELETE /storage/v1/b/{resource['bucket']}/o/x HTTP/1.1\r\n\r\n\r\n--mark--"
    )
    kind = {"Content-Type": "multipart/mixed; boundary=mark"}
    assert "HTTP/1.1 503" in requests.post(f"{origin}/batch/storage/v1", data=body, headers=kind).text
    assert requests.get(f"{objects}/x").status_code == 200
    assert "HTTP/1.1 204" in requests.post(f"{origin}/batch/storage/v1", data=body, headers=kind).text


def test_lying_checksums_and_ignored_conditions(sim, files):
    objects, resource = files
    lie = sim.add_fault(action="wrong-checksum", cloud="gcs")
    assert requests.get(f"{objects}/x").json()["crc32c"] != resource["crc32c"]
    assert requests.get(objects).json()["items"][0]["crc32c"] != resource["crc32c"]
    assert resource["crc32c"] not in requests.get(f"{objects}/x?alt=media").headers["x-goog-hash"]
    assert sim.fired(lie) == 3
    sim.call("DELETE", "faults")
    upload = resource["mediaLink"].split("/download/")[0] + "/upload/storage/v1/b/" + resource["bucket"] + "/o"
    create = f"{upload}?uploadType=media&name=x&ifGenerationMatch=0"
    assert requests.post(create, data=b"new").status_code == 412
    sim.add_fault(action="ignore-conditions", cloud="gcs", operation="InsertObject")
    assert requests.post(create, data=b"new").status_code == 200


def test_objects_on_disk(tmp_path):
    data = str(tmp_path / "data")
    process, sim = start_sim(tmp_path, "--data", data, "--bucket", "kept")
    origin = sim.gcs["endpoint"]
    upload = f"{origin}/upload/storage/v1/b/kept/o?uploadType=resumable&name=a%2Fb"
    session = requests.post(upload, json={"metadata": {"k": "v"}, "contentType": "a/b"}).headers["Location"]
    stored = requests.put(session, data=b"x" * 100_000).json()
    stop_sim(process)
    process, sim = start_sim(tmp_path, "--data", data)
    again = requests.get(f"{sim.gcs['endpoint']}/storage/v1/b/kept/o/a%2Fb").json()
    for name in ["generation", "crc32c", "md5Hash", "metadata", "contentType", "timeCreated", "size"]:
        assert again[name] == stored[name], name
    assert requests.get(again["mediaLink"]).content == b"x" * 100_000
    stop_sim(process)
