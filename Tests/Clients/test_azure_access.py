"""Who may do what, what is verified, and copies: azure-storage-blob and raw requests against CloudSim's Azure Blob front end."""

import base64
import datetime
import hashlib
import os
import uuid
from urllib.parse import quote

import pytest
import requests
from azure.core import MatchConditions
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import (
    BlobBlock,
    BlobClient,
    BlobServiceClient,
    ContainerClient,
    ContentSettings,
    generate_account_sas,
    generate_blob_sas,
    generate_container_sas,
)
from azure.storage.extensions import checksums

from azure_account import azure  # a fixture

MIB = 1024 * 1024
VERSION = "2023-11-03"


@pytest.fixture
def service(azure):
    with BlobServiceClient(azure.url, credential=azure.key, retry_total=0) as client:
        yield client


@pytest.fixture
def container(service):
    client = service.create_container(f"c-{uuid.uuid4().hex[:12]}")
    yield client
    client.delete_container()


def hours(count):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=count)


@pytest.fixture
def raw(azure, container):
    """A function that sends one request under a container SAS: headers exactly as the test says."""
    token = generate_container_sas(
        azure.account, container.container_name, account_key=azure.key, permission="racwdl", expiry=hours(1)
    )

    def send(method, name, query="", data=b"", **headers):
        sent = {"x-ms-version": VERSION} | {key.replace("_", "-"): value for key, value in headers.items()}
        sent = {key: value for key, value in sent.items() if value is not None}
        url = f"{azure.url}/{container.container_name}/{quote(name)}?{token}" + (f"&{query}" if query else "")
        return requests.request(method, url, data=data, headers=sent, timeout=20)

    return send


def crc64(data):
    return base64.b64encode(checksums.crc64.compute(data, 0).to_bytes(8, "little")).decode()


def md5(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def refused(reply, status, code):
    assert (reply.status_code, reply.headers.get("x-ms-error-code")) == (status, code), reply.text
    if reply.request.method != "HEAD":
        assert f"<Code>{code}</Code>" in reply.text


# Signatures


def test_a_wrong_key_is_refused(azure, container):
    wrong = base64.b64encode(b"x" * 64).decode()
    with BlobServiceClient(azure.url, credential=wrong, retry_total=0) as client:
        with pytest.raises(ClientAuthenticationError) as error:
            list(client.get_container_client(container.container_name).list_blobs())
        assert (error.value.status_code, error.value.error_code) == (403, "AuthenticationFailed")
        with pytest.raises(ClientAuthenticationError):
            client.get_blob_client(container.container_name, "x").upload_blob(b"data")
    assert not list(container.list_blobs())


def test_anonymous_requests_are_refused(azure, container):
    reply = requests.get(f"{azure.url}/{container.container_name}/x", timeout=20)
    assert reply.status_code in (401, 403, 404)
    assert "<Code>" in reply.text


def test_another_account_is_refused(azure, container):
    other = azure.url.rsplit("/", 1)[0] + "/otheraccount"
    with BlobServiceClient(
        other, credential={"account_name": "otheraccount", "account_key": azure.key}, retry_total=0
    ) as client:
        with pytest.raises(HttpResponseError) as error:
            list(client.list_containers())
        assert error.value.status_code in (400, 403, 404)


def test_an_altered_request_is_refused(azure, container):
    """A signature covers method, path, query and headers: a captured one is good for nothing else."""
    captured = {}

    def capture(response):
        captured.update(response.http_request.headers)

    container.upload_blob("signed", b"x", overwrite=True, raw_response_hook=capture)
    url = f"{azure.url}/{container.container_name}"

    def send(path="signed", **changes):
        headers = captured | {name.replace("_", "-"): value for name, value in changes.items()}
        return requests.put(f"{url}/{path}", data=b"x", headers=headers, timeout=20)

    assert send().status_code == 201
    for reply in (
        send("other"), send("signed?timeout=3"), send(x_ms_meta_a="1"), send(If_Match="*"), send(x_ms_version="2023-11-03"),
        send(x_ms_date="Fri, 01 Jan 2027 00:00:00 GMT"), send(Content_Type="text/plain"),
    ):
        refused(reply, 403, "AuthenticationFailed")


# Shared access signatures


def test_account_sas(azure, container):
    token = generate_account_sas(azure.account, azure.key, "sco", "rwl", hours(1))
    with BlobServiceClient(azure.url, credential=token, retry_total=0) as client:
        blob = client.get_blob_client(container.container_name, "by sas")
        blob.upload_blob(b"data", overwrite=True)
        assert blob.download_blob().readall() == b"data"
        assert [each.name for each in client.get_container_client(container.container_name).list_blobs()] == ["by sas"]
        with pytest.raises(HttpResponseError) as error:
            blob.delete_blob()
        assert (error.value.status_code, error.value.error_code) == (403, "AuthorizationPermissionMismatch")
    objects = generate_account_sas(azure.account, azure.key, "o", "rl", hours(1))
    with ContainerClient(azure.url, container.container_name, credential=objects, retry_total=0) as client:
        with pytest.raises(HttpResponseError) as error:
            list(client.list_blobs())
        assert (error.value.status_code, error.value.error_code) == (403, "AuthorizationResourceTypeMismatch")


def test_blob_sas_reads_one_blob(azure, container):
    container.upload_blob("dir/a b+ü", b"data")
    container.upload_blob("dir/other", b"data")
    token = generate_blob_sas(
        azure.account, container.container_name, "dir/a b+ü", account_key=azure.key, permission="r", expiry=hours(1),
        start=hours(-1), content_type="text/overridden", cache_control="no-store",
    )
    with BlobClient(azure.url, container.container_name, "dir/a b+ü", credential=token, retry_total=0) as blob:
        stream = blob.download_blob()
        assert stream.readall() == b"data"
        assert stream.properties.content_settings.content_type == "text/overridden"
        assert stream.properties.content_settings.cache_control == "no-store"
        with pytest.raises(HttpResponseError) as error:
            blob.upload_blob(b"x", overwrite=True)
        assert error.value.error_code == "AuthorizationPermissionMismatch"
    with BlobClient(azure.url, container.container_name, "dir/other", credential=token, retry_total=0) as blob:
        with pytest.raises(ClientAuthenticationError) as error:
            blob.download_blob()
        assert error.value.error_code == "AuthenticationFailed"


def test_container_sas(azure, container):
    token = generate_container_sas(
        azure.account, container.container_name, account_key=azure.key, permission="racwdl", expiry=hours(1)
    )
    with ContainerClient(azure.url, container.container_name, credential=token, retry_total=0) as client:
        client.upload_blob("x", b"1")
        assert [each.name for each in client.list_blobs()] == ["x"]
        assert [reply.status_code for reply in client.delete_blobs("x")] == [202]
        with pytest.raises(HttpResponseError):
            client.delete_container()


def test_a_create_only_sas_does_not_overwrite(azure, container):
    token = generate_container_sas(
        azure.account, container.container_name, account_key=azure.key, permission="c", expiry=hours(1)
    )
    with ContainerClient(azure.url, container.container_name, credential=token, retry_total=0) as client:
        client.upload_blob("x", b"1")
        with pytest.raises(HttpResponseError) as error:
            client.upload_blob("x", b"2", overwrite=True)
        assert error.value.error_code == "AuthorizationPermissionMismatch"


@pytest.mark.parametrize("options,works", [
    ({"ip": "127.0.0.1"}, True), ({"ip": "10.0.0.1-10.0.0.9"}, False), ({"ip": "127.0.0.0-127.0.0.9"}, True),
    ({"protocol": "https"}, False), ({"protocol": "https,http"}, True),
])
def test_sas_limits_on_address_and_protocol(azure, container, options, works):
    token = generate_container_sas(
        azure.account, container.container_name, account_key=azure.key, permission="l", expiry=hours(1), **options
    )
    with ContainerClient(azure.url, container.container_name, credential=token, retry_total=0) as client:
        if works:
            assert not list(client.list_blobs())
        else:
            with pytest.raises(HttpResponseError) as error:
                list(client.list_blobs())
            assert error.value.status_code == 403


@pytest.mark.parametrize("start,expiry", [(-2, -1), (1, 2)])
def test_sas_outside_its_time(azure, container, start, expiry):
    token = generate_container_sas(
        azure.account, container.container_name, account_key=azure.key, permission="rl",
        start=hours(start), expiry=hours(expiry),
    )
    with ContainerClient(azure.url, container.container_name, credential=token, retry_total=0) as client:
        with pytest.raises(ClientAuthenticationError) as error:
            list(client.list_blobs())
        assert (error.value.status_code, error.value.error_code) == (403, "AuthenticationFailed")


def test_sas_that_was_tampered_with(azure, container):
    token = generate_container_sas(
        azure.account, container.container_name, account_key=azure.key, permission="r", expiry=hours(1)
    )
    assert "sp=r&" in token
    wider = token.replace("sp=r&", "sp=racwdl&")
    with ContainerClient(azure.url, container.container_name, credential=wider, retry_total=0) as client:
        with pytest.raises(ClientAuthenticationError):
            client.upload_blob("x", b"1")


# Versions


def test_versions_of_the_service(raw):
    refused(raw("GET", "x", x_ms_version="2099-01-01"), 400, "InvalidHeaderValue")
    refused(raw("GET", "x", x_ms_version="1"), 400, "InvalidHeaderValue")
    refused(raw("GET", "x"), 404, "BlobNotFound")
    reply = raw("GET", "x", x_ms_version=None)
    refused(reply, 404, "BlobNotFound")
    assert reply.headers["x-ms-version"], "the version of the signature counts"
    refused(raw("HEAD", "x"), 404, "BlobNotFound")


# Checksums


def test_wrong_checksums_are_refused(raw, container):
    put = {"x_ms_blob_type": "BlockBlob", "data": b"data"}
    refused(raw("PUT", "x", Content_MD5=md5(b"other"), **put), 400, "Md5Mismatch")
    refused(raw("PUT", "x", x_ms_blob_content_md5=md5(b"other"), **put), 400, "Md5Mismatch")
    refused(raw("PUT", "x", x_ms_content_crc64=crc64(b"other"), **put), 400, "Crc64Mismatch")
    refused(raw("PUT", "x", Content_MD5="nonsense", **put), 400, "InvalidMd5")
    refused(raw("PUT", "x", x_ms_content_crc64="nonsense", **put), 400, "InvalidHeaderValue")
    block = "comp=block&blockid=MDAwMQ%3D%3D"
    refused(raw("PUT", "x", block, b"data", Content_MD5=md5(b"other")), 400, "Md5Mismatch")
    refused(raw("PUT", "x", block, b"data", x_ms_content_crc64=crc64(b"other")), 400, "Crc64Mismatch")
    both = {"Content_MD5": md5(b"data"), "x_ms_content_crc64": crc64(b"data")}
    assert raw("PUT", "x", block, b"data", **both).status_code == 400
    assert not list(container.list_blobs(include=["uncommittedblobs"]))


def test_right_checksums_are_echoed(raw, container):
    reply = raw("PUT", "x", data=b"data", x_ms_blob_type="BlockBlob", x_ms_content_crc64=crc64(b"data"))
    assert reply.status_code == 201
    assert reply.headers["x-ms-content-crc64"] == crc64(b"data")
    reply = raw("PUT", "x", data=b"data", x_ms_blob_type="BlockBlob", x_ms_blob_content_md5=md5(b"data"))
    assert reply.status_code == 201
    assert bytes(container.get_blob_client("x").get_blob_properties().content_settings.content_md5) == hashlib.md5(b"data").digest()
    reply = raw("PUT", "x", "comp=block&blockid=MDAwMQ%3D%3D", b"data", x_ms_content_crc64=crc64(b"data"))
    assert (reply.status_code, reply.headers["x-ms-content-crc64"]) == (201, crc64(b"data"))
    wrong = raw("PUT", "x", "comp=blocklist", b"<BlockList></BlockList>", x_ms_content_crc64=crc64(b"other"))
    refused(wrong, 400, "Crc64Mismatch")


def test_checksums_of_ranges(raw, container):
    data = os.urandom(5 * MIB)
    container.upload_blob("x", data)
    stored = md5(data)
    reply = raw("GET", "x", x_ms_range="bytes=10-109", x_ms_range_get_content_crc64="true")
    assert (reply.status_code, reply.content) == (206, data[10:110])
    assert reply.headers["x-ms-content-crc64"] == crc64(data[10:110])
    assert reply.headers["Content-Range"] == f"bytes 10-109/{len(data)}"
    assert reply.headers["x-ms-blob-content-md5"] == stored and "Content-MD5" not in reply.headers
    reply = raw("GET", "x", Range="bytes=0-9", x_ms_range="bytes=10-109", x_ms_range_get_content_md5="true")
    assert reply.headers["Content-MD5"] == md5(data[10:110]), "x-ms-range wins"
    reply = raw("GET", "x")
    assert (reply.status_code, reply.headers["Content-MD5"]) == (200, stored)
    refused(raw("GET", "x", x_ms_range=f"bytes=0-{4 * MIB}", x_ms_range_get_content_md5="true"), 400, "OutOfRangeInput")
    assert raw("GET", "x", x_ms_range="bytes=0-9", x_ms_range_get_content_md5="true", x_ms_range_get_content_crc64="true").status_code == 400
    refused(raw("GET", "x", x_ms_range=f"bytes={len(data)}-"), 416, "InvalidRange")


def test_the_clients_own_crc64(azure):
    """`validate_content="crc64"` sends and asks for structured messages when there is more than one chunk."""
    options = {"max_single_put_size": MIB, "max_block_size": MIB, "max_single_get_size": 2 * MIB, "max_chunk_get_size": MIB}
    with BlobServiceClient(azure.url, credential=azure.key, retry_total=0, **options) as client:
        container = client.create_container(f"c-{uuid.uuid4().hex[:12]}")
        for size in (0, 1, 1000, MIB, 3 * MIB + 5):
            data = os.urandom(size)
            blob = container.get_blob_client(f"crc {size}")
            blob.upload_blob(data, validate_content="crc64")
            assert blob.download_blob(validate_content="crc64").readall() == data
            assert blob.download_blob().readall() == data
        container.delete_container()


def test_a_damaged_structured_message_is_refused(raw, container):
    data = b"structured body"
    crc = checksums.crc64.compute(data, 0).to_bytes(8, "little")
    length = 13 + 10 + len(data) + 8 + 8
    head = b"\x01" + length.to_bytes(8, "little") + b"\x01\x00" + b"\x01\x00"
    segment = b"\x01\x00" + len(data).to_bytes(8, "little")
    headers = {
        "x_ms_blob_type": "BlockBlob", "x_ms_version": "2026-10-06",
        "x_ms_structured_body": "XSM/1.0; properties=crc64", "x_ms_structured_content_length": str(len(data)),
    }
    good = head + segment + data + crc + crc
    reply = raw("PUT", "sm", data=good, **headers)
    assert reply.status_code == 201 and reply.headers["x-ms-structured-body"] == "XSM/1.0; properties=crc64"
    assert container.download_blob("sm").readall() == data
    for position in (0, 9, 13, 25, len(good) - 20, len(good) - 1):
        damaged = bytearray(good)
        damaged[position] ^= 0x40
        assert raw("PUT", "sm", data=bytes(damaged), **headers).status_code == 400, position
    assert raw("PUT", "sm", data=good[:-8], **headers).status_code == 400
    assert container.download_blob("sm").readall() == data


# Copies


def signed_url(azure, container, name, permission="r"):
    token = generate_blob_sas(
        azure.account, container.container_name, name, account_key=azure.key, permission=permission, expiry=hours(1)
    )
    return f"{azure.url}/{container.container_name}/{quote(name)}?{token}"


def test_copy_blob(azure, container):
    source = container.get_blob_client("source ü")
    settings = ContentSettings(content_type="text/x", content_md5=None)
    source.upload_blob(b"data", metadata={"a": "1"}, content_settings=settings)
    copy = container.get_blob_client("copy")
    reply = copy.start_copy_from_url(source.url)
    assert reply["copy_status"] == "success" and reply["copy_id"]
    properties = copy.get_blob_properties()
    assert properties.metadata == {"a": "1"} and properties.content_settings.content_type == "text/x"
    assert properties.copy.status == "success" and properties.copy.progress == "4/4"
    assert copy.download_blob().readall() == b"data"
    copy.start_copy_from_url(source.url, metadata={"b": "2"})
    assert copy.get_blob_properties().metadata == {"b": "2"}
    with pytest.raises(ResourceExistsError):
        copy.start_copy_from_url(source.url, match_condition=MatchConditions.IfMissing)
    with pytest.raises(ResourceNotFoundError):
        copy.start_copy_from_url(container.get_blob_client("absent").url)


def test_copies_from_a_signed_url(azure, container):
    data = os.urandom(2 * MIB)
    container.upload_blob("source", data, metadata={"a": "1"})
    url = signed_url(azure, container, "source")
    copy = container.get_blob_client("synchronous")
    copy.start_copy_from_url(url, requires_sync=True)
    assert copy.download_blob().readall() == data
    blob = container.get_blob_client("put from url")
    blob.upload_blob_from_url(url)
    assert blob.download_blob().readall() == data
    with pytest.raises(HttpResponseError):
        blob.upload_blob_from_url(url, overwrite=True, source_content_md5=hashlib.md5(b"other").digest())
    blob = container.get_blob_client("blocks from url")
    ids = [base64.b64encode(text).decode() for text in (b"0001", b"0002")]
    blob.stage_block_from_url(ids[0], url, source_offset=MIB, source_length=MIB)
    blob.stage_block_from_url(ids[1], url, source_offset=0, source_length=MIB)
    blob.commit_block_list([BlobBlock(each) for each in ids])
    assert blob.download_blob().readall() == data[MIB:] + data[:MIB]


def test_conditions_and_rights_of_a_copy_source(azure, container, raw):
    etag = container.upload_blob("source", b"0123456789").get_blob_properties().etag
    url = signed_url(azure, container, "source")
    block = "comp=block&blockid=MDAwMQ%3D%3D"
    assert raw("PUT", "t", block, x_ms_copy_source=url, x_ms_source_range="bytes=2-4", x_ms_source_if_match=etag).status_code == 201
    refused(raw("PUT", "t", block, x_ms_copy_source=url, x_ms_source_if_match='"0x1"'), 412, "SourceConditionNotMet")
    wrong = raw("PUT", "t", block, x_ms_copy_source=url, x_ms_source_content_crc64=crc64(b"other"))
    refused(wrong, 400, "Crc64Mismatch")
    unsigned = url.partition("?")[0]
    assert raw("PUT", "t", block, x_ms_copy_source=unsigned).status_code in (401, 403, 404)
    tampered = url.replace("sp=r", "sp=rw")
    assert raw("PUT", "t", block, x_ms_copy_source=tampered).status_code in (401, 403)
    with_write_only = signed_url(azure, container, "source", "w")
    assert raw("PUT", "t", block, x_ms_copy_source=with_write_only).status_code in (401, 403)


# Tokens


@pytest.fixture
def bearer(sim, azure, container):
    """A function that sends one request under a token; the vendor's client sends none without TLS."""

    def send(method, name, query="", token=sim.azure["token"], data=b"", **headers):
        sent = {"x-ms-version": VERSION, "authorization": f"Bearer {token}"}
        sent |= {key.replace("_", "-"): value for key, value in headers.items()}
        sent = {key: value for key, value in sent.items() if value is not None}
        url = f"{azure.url}/{container.container_name}/{quote(name)}" + (f"?{query}" if query else "")
        return requests.request(method, url, data=data, headers=sent, timeout=20)

    return send


def test_tokens(bearer, container):
    assert bearer("PUT", "b", data=b"0123", x_ms_blob_type="BlockBlob").status_code == 201
    assert bearer("GET", "b").content == b"0123"
    refused(bearer("GET", "b", token="another"), 401, "InvalidAuthenticationInfo")
    refused(bearer("GET", "b", token=""), 401, "InvalidAuthenticationInfo")
    assert "authorization_uri=" in bearer("GET", "b", token="another").headers["www-authenticate"]
    refused(bearer("GET", "b", x_ms_version=None), 400, "MissingRequiredHeader")
    refused(bearer("GET", "b", x_ms_version="2017-07-29"), 400, "InvalidHeaderValue")
    refused(bearer("GET", "b", authorization="Basic abc"), 403, "AuthenticationFailed")


def test_a_token_for_the_source_of_a_copy(sim, bearer, azure, container):
    container.upload_blob("source", b"0123456789")
    url = f"{azure.url}/{container.container_name}/source"
    block = "comp=block&blockid=MDAwMQ%3D%3D"
    own = f"Bearer {sim.azure['token']}"
    assert bearer("PUT", "t", block, x_ms_copy_source=url, x_ms_copy_source_authorization=own).status_code == 201
    copied = bearer("PUT", "t", x_ms_copy_source=url, x_ms_requires_sync="true", x_ms_copy_source_authorization=own)
    assert copied.status_code == 202 and bearer("GET", "t").content == b"0123456789"
    # The token of the request itself says nothing about its source.
    for authorization in (None, "Bearer another"):
        reply = bearer("PUT", "t", block, x_ms_copy_source=url, x_ms_copy_source_authorization=authorization)
        refused(reply, 403, "CannotVerifyCopySource")
        assert reply.headers["x-ms-copy-source-status-code"] == "401"
