"""CloudSim's faults as clients see them on the wire, and the control endpoint that plans them."""

import json
import socket
import time

import pytest
import requests

from test_s3 import MIB, body_of, bucket, connect, refused, s3  # noqa: F401

DATA = bytes(range(256)) * 4096


@pytest.fixture
def url(s3, bucket):
    """A link that reads one object of a mebibyte."""
    s3.put_object(Bucket=bucket, Key="k", Body=DATA)
    return s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})


@pytest.fixture
def put_url(s3, bucket):
    return s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "new"})


def exists(s3, bucket, key):
    return key in [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_status_on_the_second_request(sim, s3, bucket, url):
    rule = sim.add_fault(action="status", operation="GetObject", nth=2, status=503, retryAfter="7")
    assert requests.get(url, timeout=10).status_code == 200
    answer = requests.get(url, timeout=10)
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "7" and "<Code>SlowDown</Code>" in answer.text
    assert requests.get(url, timeout=10).status_code == 200
    assert sim.fired(rule) == 1


def test_rules_name_cloud_key_and_count(sim, s3, bucket, url):
    other = sim.add_fault(action="status", cloud="gcs", status=500)
    elsewhere = sim.add_fault(action="status", key="other/*", status=500)
    twice = sim.add_fault(action="status", key="k", method="GET", count=2, status=500, code="InternalError")
    assert [requests.get(url, timeout=10).status_code for _ in range(3)] == [500, 500, 200]
    assert [sim.fired(rule) for rule in (other, elsewhere, twice)] == [0, 0, 2]


def test_probability_is_seeded(sim, s3, bucket, url):
    def trace():
        rule = sim.add_fault(action="status", operation="GetObject", probability=0.5, seed=42, status=500)
        statuses = [requests.get(url, timeout=10).status_code for _ in range(20)]
        assert sim.fired(rule) == statuses.count(500)
        sim.call("DELETE", "faults")
        return statuses

    first = trace()
    assert first == trace() and {200, 500} == set(first)


def test_resets_and_short_bodies(sim, url):
    sim.add_fault(action="reset-after-bytes", operation="GetObject", bytes=1000, nth=1)
    with pytest.raises(requests.RequestException):
        requests.get(url, timeout=10)
    sim.call("DELETE", "faults")
    sim.add_fault(action="short-body", operation="GetObject", bytes=10, nth=1)
    with pytest.raises(requests.RequestException):
        requests.get(url, timeout=10)
    sim.call("DELETE", "faults")
    rule = sim.add_fault(action="short-body", operation="GetObject", bytes=10, matchingLength=True, nth=1)
    assert requests.get(url, timeout=10).content == DATA[:-10]
    assert sim.fired(rule) == 1
    rule = sim.add_fault(action="long-body", operation="GetObject", bytes=5, matchingLength=True, nth=1)
    assert requests.get(url, timeout=10).content == DATA + b"xxxxx"


def test_long_body_behind_its_length(sim, url):
    sim.add_fault(action="long-body", operation="GetObject", bytes=5)
    host, port = sim.s3["endpoint"].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        target = url.removeprefix(sim.s3["endpoint"])
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    head, body = received.split(b"\r\n\r\n", 1)
    assert f"content-length: {len(DATA)}".encode() in head.lower() and len(body) == len(DATA) + 5


def test_stall(sim, url):
    sim.add_fault(action="stall-after-bytes", operation="GetObject", bytes=100)
    with requests.get(url, stream=True, timeout=0.3) as answer:
        assert answer.raw.read(100) == DATA[:100]
        with pytest.raises(Exception, match="timed out"):
            answer.raw.read(1)


def test_flipped_bits(sim, s3, bucket, url, put_url):
    sim.add_fault(action="flip-bit", operation="GetObject", bytes=300_000)
    got = requests.get(url, timeout=10).content
    assert [index for index in range(len(DATA)) if got[index] != DATA[index]] == [300_000]
    rule = sim.add_fault(action="flip-bit", operation="PutObject", nth=1)
    with refused(400, "XAmzContentSHA256Mismatch"):
        s3.put_object(Bucket=bucket, Key="new", Body=DATA)
    assert sim.fired(rule) == 1 and not exists(s3, bucket, "new")


def test_ranges_that_lie(sim, url):
    sim.add_fault(action="ignore-range", operation="GetObject", nth=1)
    sim.add_fault(action="wrong-content-range", operation="GetObject", nth=2)
    answer = requests.get(url, headers={"Range": "bytes=0-9"}, timeout=10)
    assert answer.status_code == 200 and answer.content == DATA
    answer = requests.get(url, headers={"Range": "bytes=0-9"}, timeout=10)
    assert answer.status_code == 206 and answer.headers["Content-Range"] == f"bytes 1-10/{len(DATA)}"


def test_etags_and_checksums_that_lie(sim, s3, bucket, url):
    right = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    sim.add_fault(action="wrong-etag", operation="HeadObject", nth=1)
    sim.add_fault(action="missing-etag", operation="HeadObject", nth=2)
    sim.add_fault(action="wrong-checksum", operation="HeadObject", nth=3)
    assert s3.head_object(Bucket=bucket, Key="k")["ETag"] != right["ETag"]
    assert "ETag" not in s3.head_object(Bucket=bucket, Key="k")
    wrong = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert wrong["ChecksumCRC32"] != right["ChecksumCRC32"] and wrong["ETag"] == right["ETag"]


def test_lost_replies(sim, s3, bucket, put_url):
    sim.add_fault(action="drop-reply-after-commit", operation="PutObject")
    with pytest.raises(requests.RequestException):
        requests.put(put_url, data=b"data", timeout=10)
    assert exists(s3, bucket, "new")


def test_uploads_that_break(sim, s3, bucket, put_url):
    sim.add_fault(action="reset-after-bytes", operation="PutObject", bytes=100_000)
    with pytest.raises(requests.RequestException):
        requests.put(put_url, data=DATA * 8, timeout=10)
    assert not exists(s3, bucket, "new")


def test_error_in_200(sim, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    sim.add_fault(action="error-in-200", operation="CopyObject", nth=1)
    answer = requests.put(
        s3.generate_presigned_url("copy_object", {"Bucket": bucket, "Key": "c", "CopySource": f"{bucket}/k"}),
        headers={"x-amz-copy-source": f"{bucket}/k"}, timeout=10,
    )
    assert answer.status_code == 200 and "<Error><Code>InternalError</Code>" in answer.text
    sim.call("DELETE", "faults")
    sim.add_fault(action="error-in-200", operation="DeleteObjects")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})
    assert answer["Errors"][0]["Code"] == "InternalError" and exists(s3, bucket, "k")


def test_objects_that_change_while_they_are_read(sim, s3, bucket, url):
    etag = s3.head_object(Bucket=bucket, Key="k")["ETag"]
    sim.add_fault(action="replace-object-between-ranges", key="k", nth=2)
    first = requests.get(url, headers={"Range": "bytes=0-9"}, timeout=10)
    second = requests.get(url, headers={"Range": "bytes=10-19"}, timeout=10)
    assert first.headers["ETag"] == etag and second.status_code == 206 and second.headers["ETag"] != etag
    with refused(412, "PreconditionFailed"):
        s3.get_object(Bucket=bucket, Key="k", IfMatch=etag)
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == len(DATA)
    sim.call("DELETE", "faults")
    sim.add_fault(action="delete-object-between-ranges", operation="GetObject", nth=1)
    assert requests.get(url, timeout=10).status_code == 404


def test_listings_that_lie(sim, s3, bucket):
    sim.populate("s3", bucket, "", 6, 1)

    def keys(**options):
        page = s3.list_objects_v2(Bucket=bucket, **options)
        return [int(item["Key"]) for item in page.get("Contents", [])], page

    def with_fault(action, token=None, **rule):
        rule = sim.add_fault(action=action, operation="ListObjectsV2", **rule)
        result = keys(MaxKeys=3, **({"ContinuationToken": token} if token else {}))
        assert sim.fired(rule) == 1, action
        sim.call("DELETE", "faults")
        return result

    _, page = keys(MaxKeys=3)
    token = page["NextContinuationToken"]
    assert with_fault("list-repeat-token", token)[1]["NextContinuationToken"] == token
    found, page = with_fault("list-no-token")
    assert page["IsTruncated"] and "NextContinuationToken" not in page
    assert with_fault("list-unsorted")[0] == [1, 0, 2]
    assert with_fault("list-duplicate", key="*1")[0] == [0, 1, 1, 2]
    assert with_fault("list-hide-key", key="*1")[0] == [0, 2]
    found, page = with_fault("list-empty-page")
    assert found == [] and page["IsTruncated"]
    assert keys(ContinuationToken=page["NextContinuationToken"])[0] == [0, 1, 2, 3, 4, 5]
    hidden = sim.add_fault(action="list-hide-key", key="absent")
    keys()
    assert sim.fired(hidden) == 0


def test_credentials_and_clocks(sim, s3):
    sim.add_fault(action="expire-credentials", nth=1)
    sim.add_fault(action="clock-skew", nth=2, seconds=-1200)
    with refused(400, "ExpiredToken"):
        s3.list_buckets()
    with refused(403, "RequestTimeTooSkewed"):
        s3.list_buckets()
    s3.list_buckets()


def test_redirects(sim, s3, url):
    sim.add_fault(action="redirect-to", location="http://127.0.0.1:1")
    answer = requests.get(url, allow_redirects=False, timeout=10)
    assert answer.status_code == 307 and answer.headers["Location"].startswith("http://127.0.0.1:1/")


def test_slow_and_late(sim, s3, bucket):
    s3.put_object(Bucket=bucket, Key="small", Body=b"x" * 400)
    sim.add_fault(action="slow", operation="GetObject", key="small", bytesPerSecond=1000, nth=1)
    sim.add_fault(action="latency", operation="GetObject", key="small", milliseconds=300, nth=2)
    for _ in range(2):
        start = time.monotonic()
        assert len(body_of(s3.get_object(Bucket=bucket, Key="small"))) == 400
        assert time.monotonic() - start > 0.25


def test_rate_limits_are_per_prefix(sim, s3, bucket):
    sim.add_fault(action="rate-limit", operation="PutObject", requestsPerSecond=1)

    def put(key):
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=b"")
            return 200
        except Exception as error:
            return error.response["ResponseMetadata"]["HTTPStatusCode"]

    assert [put("a/1"), put("a/2"), put("b/1"), put("b/2")] == [200, 503, 200, 503]


def test_clones_that_ignore_conditions_and_cannot_copy_parts(sim, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    sim.add_fault(action="ignore-conditions")
    s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert body_of(s3.get_object(Bucket=bucket, Key="k", IfMatch='"no such"')) == b"2"
    sim.add_fault(action="no-part-copy")
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    with refused(501, "NotImplemented"):
        s3.upload_part_copy(Bucket=bucket, Key="k", UploadId=upload_id, PartNumber=1, CopySource=f"{bucket}/k")


def test_counters(launch):
    server = launch("--bucket", "one")
    s3 = connect(server)
    for _ in range(3):
        s3.put_object(Bucket="one", Key="k", Body=b"x")
    s3.list_objects_v2(Bucket="one")
    assert server.requests("s3") == {"PutObject": 3, "ListObjectsV2": 1}
    # The control endpoint is on every port.
    beside = requests.get(f"{server.s3['endpoint']}/_cloudsim/requests", timeout=10).json()
    assert beside == {"s3": {"PutObject": 3, "ListObjectsV2": 1}}
    server.call("DELETE", "requests")
    assert server.requests("s3") == {}


def test_rules_from_a_file(launch, tmp_path):
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps([{"action": "status", "operation": "ListBuckets", "status": 500}]))
    with refused(500, "InternalError"):
        connect(launch("--faults", str(rules))).list_buckets()


def test_bad_control_requests(sim):
    for method, path, body, status in [
        ("POST", "faults", {"action": "no such"}, 400),
        ("POST", "populate", {"cloud": "s3"}, 400),
        ("GET", "nothing", None, 404),
    ]:
        answer = requests.request(method, f"{sim.control}/{path}", json=body, timeout=10)
        assert answer.status_code == status and "error" in answer.json()


def test_documents_that_lie(sim, s3, bucket):
    right = s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    source = {"Bucket": bucket, "Key": "k"}

    def with_fault(action, operation, call):
        rule = sim.add_fault(action=action, operation=operation)
        answer = call()
        assert sim.fired(rule) == 1, (action, operation)
        sim.call("DELETE", "faults")
        return answer

    def copy():
        return s3.copy_object(Bucket=bucket, Key="c", CopySource=source)["CopyObjectResult"]

    def listing():
        return s3.list_objects_v2(Bucket=bucket, Prefix="k")["Contents"][0]

    assert with_fault("wrong-etag", "CopyObject", copy)["ETag"] != right["ETag"]
    assert "ETag" not in with_fault("missing-etag", "CopyObject", copy)
    assert with_fault("wrong-checksum", "CopyObject", copy)["ChecksumCRC32"] != right["ChecksumCRC32"]
    assert with_fault("wrong-etag", "ListObjectsV2", listing)["ETag"] != right["ETag"]
    assert "ETag" not in with_fault("missing-etag", "ListObjectsV2", listing)
