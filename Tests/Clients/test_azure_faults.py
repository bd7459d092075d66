"""What CloudSim's Azure Blob front end does under faults, at its limits, with another clock, and after a restart."""

import base64
import hashlib
import http.client
import os
import urllib.parse
import uuid

import pytest
import requests
from azure.core import MatchConditions
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.storage.blob import BlobBlock, BlobServiceClient, ContentSettings, generate_container_sas

from azure_account import AzureAccount, azure  # `azure` is a fixture

MIB = 1024 * 1024


def connect(account):
    return BlobServiceClient(account.url, credential=account.key, retry_total=0)


@pytest.fixture
def container(azure):
    with connect(azure) as service:
        client = service.create_container(f"c-{uuid.uuid4().hex[:12]}")
        yield client
        client.delete_container()


def signed_url(azure, container, name, query=""):
    token = generate_container_sas(
        azure.account, container.container_name, account_key=azure.key, permission="racwdl", expiry="2099-01-01T00:00:00Z"
    )
    return f"{azure.url}/{container.container_name}/{name}?{token}" + (f"&{query}" if query else "")


# Faults


def test_errors_are_phrased_as_the_service_phrases_them(sim, container):
    container.upload_blob("x", b"data")
    for status, code in ((503, "ServerBusy"), (500, "OperationTimedOut"), (403, "AuthorizationFailure"), (404, "BlobNotFound")):
        sim.add_fault(action="status", cloud="azure", operation="GetBlob", status=status, nth=1, count=1)
        with pytest.raises(HttpResponseError) as error:
            container.download_blob("x")
        assert (error.value.status_code, error.value.error_code) == (status, code)
        sim.call("DELETE", "faults")
    sim.add_fault(action="expire-credentials", cloud="azure", operation="PutBlob")
    with pytest.raises(ClientAuthenticationError) as error:
        container.upload_blob("y", b"data")
    assert error.value.error_code == "AuthenticationFailed"


def test_signatures_hold_when_faults_take_headers_away(sim, container):
    blob = container.get_blob_client("x")
    etag = blob.upload_blob(b"0123456789")["etag"]
    ignored = sim.add_fault(action="ignore-conditions", cloud="azure")
    blob.upload_blob(b"abcdefghij", overwrite=True, etag='"0x1"', match_condition=MatchConditions.IfNotModified)
    blob.upload_blob(b"klmnopqrst")
    assert blob.download_blob(etag=etag, match_condition=MatchConditions.IfNotModified).readall() == b"klmnopqrst"
    assert sim.fired(ignored) >= 3
    sim.call("DELETE", "faults")
    rule = sim.add_fault(action="ignore-range", cloud="azure", operation="GetBlob")
    stream = requests.get(signed_url_of(blob), headers={"x-ms-range": "bytes=2-3"}, timeout=20)
    assert (stream.status_code, stream.content) == (200, b"klmnopqrst")
    assert sim.fired(rule) == 1


def signed_url_of(blob):
    token = generate_container_sas(
        blob.account_name, blob.container_name, account_key=blob.credential.account_key, permission="r",
        expiry="2099-01-01T00:00:00Z",
    )
    return f"{blob.url}?{token}"


def test_listings_lie_when_told_to(sim, container):
    for index in range(6):
        container.upload_blob(f"{index}", b"data")
    honest = {each.name: each.etag for each in container.list_blobs()}
    sim.add_fault(action="wrong-etag", cloud="azure", operation="ListBlobs")
    assert not set(each.etag for each in container.list_blobs()) & set(honest.values())
    sim.call("DELETE", "faults")
    sim.add_fault(action="missing-etag", cloud="azure", operation="ListBlobs")
    assert [each.etag for each in container.list_blobs()] == [None] * 6
    sim.call("DELETE", "faults")
    sim.add_fault(action="wrong-checksum", cloud="azure", operation="ListBlobs")
    digest = hashlib.md5(b"data").digest()
    assert all(bytes(each.content_settings.content_md5) != digest for each in container.list_blobs())
    sim.call("DELETE", "faults")
    sim.add_fault(action="list-hide-key", cloud="azure", key="3")
    assert [each.name for each in container.list_blobs()] == ["0", "1", "2", "4", "5"]
    sim.call("DELETE", "faults")
    sim.add_fault(action="list-empty-page", cloud="azure", nth=1, count=1)
    pages = [[each.name for each in page] for page in container.list_blobs(results_per_page=4).by_page()]
    assert pages == [[], ["0", "1", "2", "3"], ["4", "5"]]
    sim.call("DELETE", "faults")
    sim.add_fault(action="list-repeat-token", cloud="azure")
    pages = container.list_blobs(results_per_page=2).by_page()
    seen = [[each.name for each in next(pages)] for _ in range(4)]
    assert seen == [["0", "1"], ["2", "3"], ["2", "3"], ["2", "3"]]


def test_batches_fail_part_by_part(sim, container):
    for name in "abc":
        container.upload_blob(name, b"x")
    rule = sim.add_fault(action="error-in-200", cloud="azure", operation="BlobBatch")
    replies = list(container.delete_blobs("a", "b", "c", raise_on_any_failure=False))
    assert [reply.status_code for reply in replies] == [500] * 3
    assert sim.fired(rule) >= 1
    assert [each.name for each in container.list_blobs()] == ["a", "b", "c"]


def test_blocks_from_urls_can_be_missing(sim, azure, container):
    container.upload_blob("source", b"data")
    sim.add_fault(action="no-part-copy", cloud="azure")
    with pytest.raises(HttpResponseError) as error:
        container.get_blob_client("t").stage_block_from_url("MDAwMQ==", signed_url(azure, container, "source"))
    assert error.value.status_code == 501


def test_requests_are_counted_by_operation(sim, container):
    sim.call("DELETE", "requests")
    container.upload_blob("x", b"data")
    container.download_blob("x").readall()
    container.get_blob_client("x").get_blob_properties()
    list(container.list_blobs())
    assert sim.requests("azure") == {"PutBlob": 1, "GetBlob": 1, "GetBlobProperties": 1, "ListBlobs": 1}


def test_blobs_made_by_the_control_endpoint(sim, azure, container):
    sim.populate("azure", container.container_name, "made/", 3, 100)
    made = list(container.list_blobs())
    assert [(each.name, each.size) for each in made] == [(f"made/{index:08}", 100) for index in range(3)]
    assert made[0].content_settings.content_type == "application/octet-stream"
    data = container.download_blob(made[0].name).readall()
    assert bytes(made[0].content_settings.content_md5) == hashlib.md5(data).digest()
    sim.archive("azure", container.container_name, made[0].name, "Archive")
    with pytest.raises(HttpResponseError) as error:
        container.download_blob(made[0].name)
    assert error.value.error_code == "BlobArchived"


# Limits


def test_block_lists_are_limited(azure, container):
    blob = container.get_blob_client("many")
    each = base64.b64encode(b"0001").decode()
    blob.stage_block("0001", b"x")  # which the client encodes
    url = signed_url(azure, container, "many", "comp=blocklist")
    for count, status in ((50_000, 201), (50_001, 400)):
        body = "<BlockList>" + f"<Latest>{each}</Latest>" * count + "</BlockList>"
        reply = requests.put(url, data=body, headers={"x-ms-version": "2023-11-03"}, timeout=60)
        assert reply.status_code == status, reply.text[:500]
    assert reply.headers["x-ms-error-code"] == "BlockListTooLong"
    assert blob.get_blob_properties().size == 50_000
    assert len(blob.get_block_list()[0]) == 50_000


@pytest.mark.parametrize("body", ["", "<BlockList>", "<Other/>", "<BlockList><Newest>MDAwMQ==</Newest></BlockList>"])
def test_malformed_block_lists_are_refused(azure, container, body):
    reply = requests.put(
        signed_url(azure, container, "x", "comp=blocklist"), data=body, headers={"x-ms-version": "2023-11-03"}, timeout=20
    )
    assert (reply.status_code, reply.headers["x-ms-error-code"]) == (400, "InvalidXmlDocument")


@pytest.mark.parametrize(
    "query,size,version,status",
    [
        ("", 5000 * MIB + 1, "2023-11-03", 413),
        ("", 256 * MIB + 1, "2019-07-07", 413),
        ("comp=block&blockid=MDAwMQ==", 4000 * MIB + 1, "2023-11-03", 413),
        ("comp=block&blockid=MDAwMQ==", 0, "2023-11-03", 400),
    ],
)
def test_sizes_are_limited_before_the_body_is_sent(azure, container, query, size, version, status):
    url = urllib.parse.urlsplit(signed_url(azure, container, "big", query))
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=20)
    connection.putrequest("PUT", f"{url.path}?{url.query}")
    for name, value in (("x-ms-version", version), ("x-ms-blob-type", "BlockBlob"), ("Content-Length", str(size))):
        connection.putheader(name, value)
    connection.endheaders()
    reply = connection.getresponse()
    assert reply.status == status, reply.read()
    connection.close()


def test_uploads_need_a_length_and_a_type(azure, container):
    url = signed_url(azure, container, "x")
    headers = {"x-ms-version": "2023-11-03"}
    reply = requests.put(url, data=b"x", headers=headers, timeout=20)
    assert (reply.status_code, reply.headers["x-ms-error-code"]) == (400, "MissingRequiredHeader")
    reply = requests.put(url, data=iter([b"x"]), headers=headers | {"x-ms-blob-type": "BlockBlob"}, timeout=20)
    assert (reply.status_code, reply.headers["x-ms-error-code"]) == (411, "MissingContentLengthHeader")
    reply = requests.put(url, data=b"x", headers=headers | {"x-ms-blob-type": "PageBlob"}, timeout=20)
    assert reply.status_code == 501


# Servers of one's own


def test_requests_from_another_time_are_refused(launch):
    sim = launch()
    account = AzureAccount(sim.azure["endpoint"], sim.azure["account"], sim.azure["key"])
    with connect(account) as service:
        service.create_container("container")
        for offset, works in ((800, True), (1000, False), (-1000, False), (0, True)):
            sim.call("POST", "clock", {"offsetSeconds": offset})
            if works:
                list(service.list_containers())
            else:
                with pytest.raises(ClientAuthenticationError):
                    list(service.list_containers())


def test_uncommitted_blocks_vanish_after_a_week(launch):
    sim = launch("--no-verify")
    account = AzureAccount(sim.azure["endpoint"], sim.azure["account"], sim.azure["key"])
    with connect(account) as service:
        blob = service.create_container("container").get_blob_client("x")
        blob.stage_block("MDAwMQ==", b"x")
        sim.call("POST", "clock", {"offsetSeconds": 7 * 86_400 - 100})
        assert len(blob.get_block_list("uncommitted")[1]) == 1
        sim.call("POST", "clock", {"offsetSeconds": 7 * 86_400 + 100})
        with pytest.raises(HttpResponseError) as error:
            blob.get_block_list("uncommitted")
        assert error.value.error_code == "BlobNotFound"
        blob.stage_block("MDE=", b"x")


def test_another_account(launch):
    key = base64.b64encode(os.urandom(64)).decode()
    sim = launch("--azure-account", "otheraccount", "--azure-key", key)
    account = AzureAccount(sim.azure["endpoint"], sim.azure["account"], sim.azure["key"])
    assert account.url.endswith("/otheraccount") and account.key == key
    with connect(account) as service:
        container = service.create_container("container")
        container.upload_blob("x", b"data")
        assert [reply.status_code for reply in container.delete_blobs("x")] == [202]


def test_blobs_survive_a_restart(launch, tmp_path):
    data = os.urandom(3 * MIB)
    kept = None
    for round in range(2):
        sim = launch("--data", str(tmp_path / "data"))
        account = AzureAccount(sim.azure["endpoint"], sim.azure["account"], sim.azure["key"])
        with connect(account) as service:
            container = service.get_container_client("container")
            if round == 0:
                container.create_container(metadata={"m": "1"})
                settings = ContentSettings(content_type="text/x", cache_control="no-store")
                container.upload_blob("dir/odd +%ü\x01", data, metadata={"A": "b"}, content_settings=settings)
                blob = container.get_blob_client("blocks")
                for index in range(3):
                    blob.stage_block(base64.b64encode(bytes([index] * 4)).decode(), data[index * MIB : (index + 1) * MIB])
                blob.commit_block_list([BlobBlock(base64.b64encode(bytes([index] * 4)).decode()) for index in (2, 0)])
            assert container.get_container_properties().metadata == {"m": "1"}
            assert container.download_blob("dir/odd +%ü\x01").readall() == data
            properties = container.get_blob_client("dir/odd +%ü\x01").get_blob_properties()
            assert properties.metadata == {"A": "b"} and properties.content_settings.cache_control == "no-store"
            assert bytes(properties.content_settings.content_md5) == hashlib.md5(data).digest()
            assert kept in (None, properties.etag)
            kept = properties.etag
            assert container.download_blob("blocks").readall() == data[2 * MIB :] + data[:MIB]
            assert [block.size for block in container.get_blob_client("blocks").get_block_list()[0]] == [MIB, MIB]
            assert container.download_blob("blocks", offset=MIB - 1, length=2, validate_content=True).readall() == (
                data[-1:] + data[:1]
            )
        os.kill(sim.pid, 15)
        wait_for_end(sim.pid)


def wait_for_end(pid):
    """The process is a child of this one: it is gone when it has been waited for."""
    os.waitpid(pid, 0)
