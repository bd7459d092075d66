"""CloudSim's S3 API, exercised by boto3 and s3transfer: data, names, listings, conditions, copies."""

import base64
import hashlib
import io
import os
import socket

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from conftest import ODD_KEYS

MIB = 1024 * 1024


def connect(sim, style="path", **options):
    """A client that never retries: what the server answers first is what is tested."""
    endpoint = sim.s3["endpoint"]
    if style == "virtual":
        endpoint = endpoint.replace("127.0.0.1", "localhost")
    config = Config(
        s3={"addressing_style": style}, retries={"total_max_attempts": 1}, signature_version="s3v4",
        **options.pop("config", {}),
    )
    settings = {
        "aws_access_key_id": sim.s3["accessKey"],
        "aws_secret_access_key": sim.s3["secretKey"],
        "region_name": sim.s3["region"],
        **options,
    }
    return boto3.client("s3", endpoint_url=endpoint, config=config, **settings)


@pytest.fixture
def s3(sim):
    return connect(sim)


@pytest.fixture
def bucket(s3, bucket_name):
    s3.create_bucket(Bucket=bucket_name)
    return bucket_name


def refused(status, code):
    """Expects an error answer with this status and code."""
    return Refused(status, code)


class Refused:
    def __init__(self, status, code):
        self.status, self.code = status, code

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        assert isinstance(error, ClientError), f"expected {self.code}, got {error!r}"
        assert error.response["Error"]["Code"] == self.code, error
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == self.status
        self.response = error.response
        return True


def body_of(answer):
    return answer["Body"].read()


@pytest.mark.parametrize("style", ["path", "virtual"])
def test_put_get_head_delete(sim, bucket_name, style, monkeypatch):
    real = socket.getaddrinfo
    # Not every resolver knows that all names below localhost are this machine.
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: real("127.0.0.1" if "localhost" in host else host, *rest, **more)
    )
    s3 = connect(sim, style)
    s3.create_bucket(Bucket=bucket_name)
    data = os.urandom(100_000)
    put = s3.put_object(Bucket=bucket_name, Key="dir/file.bin", Body=data)
    assert put["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    got = s3.get_object(Bucket=bucket_name, Key="dir/file.bin")
    assert body_of(got) == data
    head = s3.head_object(Bucket=bucket_name, Key="dir/file.bin")
    assert head["ContentLength"] == len(data) and head["ETag"] == put["ETag"]
    assert head["ContentType"] == "binary/octet-stream" and "StorageClass" not in head
    s3.delete_object(Bucket=bucket_name, Key="dir/file.bin")
    s3.delete_object(Bucket=bucket_name, Key="dir/file.bin")
    with refused(404, "NoSuchKey"):
        s3.get_object(Bucket=bucket_name, Key="dir/file.bin")
    with refused(404, "404"):
        s3.head_object(Bucket=bucket_name, Key="dir/file.bin")
    s3.delete_bucket(Bucket=bucket_name)


def test_buckets(s3, bucket_name):
    with refused(404, "NoSuchBucket"):
        s3.list_objects_v2(Bucket=bucket_name)
    with refused(404, "404"):
        s3.head_bucket(Bucket=bucket_name)
    s3.create_bucket(Bucket=bucket_name)
    assert s3.head_bucket(Bucket=bucket_name)["BucketRegion"] == "us-east-1"
    assert bucket_name in [item["Name"] for item in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket=bucket_name)["LocationConstraint"] is None
    with refused(409, "BucketAlreadyOwnedByYou"):
        s3.create_bucket(Bucket=bucket_name)
    s3.put_object(Bucket=bucket_name, Key="k", Body=b"")
    with refused(409, "BucketNotEmpty"):
        s3.delete_bucket(Bucket=bucket_name)
    with refused(400, "InvalidBucketName"):
        s3.create_bucket(Bucket="Capital_Letters")
    with refused(403, "AccessDenied"):
        s3.list_objects_v2(Bucket=bucket_name, ExpectedBucketOwner="000000000000")
    with refused(501, "NotImplemented"):
        s3.get_bucket_policy(Bucket=bucket_name)


def test_odd_keys(s3, bucket, odd_key):
    data = odd_key.encode()[:64]
    s3.put_object(Bucket=bucket, Key=odd_key, Body=data)
    assert body_of(s3.get_object(Bucket=bucket, Key=odd_key)) == data
    for listing in (s3.list_objects_v2, s3.list_objects):
        assert [item["Key"] for item in listing(Bucket=bucket)["Contents"]] == [odd_key]
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": odd_key})
    assert body_of(s3.get_object(Bucket=bucket, Key="copy")) == data
    s3.copy_object(Bucket=bucket, Key=odd_key, CopySource={"Bucket": bucket, "Key": "copy"})
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": odd_key}, {"Key": "never there"}]})
    assert sorted(item["Key"] for item in deleted["Deleted"]) == sorted([odd_key, "never there"])
    assert "Errors" not in deleted
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["copy"]


def test_composed_and_decomposed_are_two_keys(s3, bucket):
    s3.put_object(Bucket=bucket, Key="caf\u00e9", Body=b"composed")
    s3.put_object(Bucket=bucket, Key="cafe\u0301", Body=b"decomposed")
    assert body_of(s3.get_object(Bucket=bucket, Key="caf\u00e9")) == b"composed"
    assert body_of(s3.get_object(Bucket=bucket, Key="cafe\u0301")) == b"decomposed"


def test_key_length_is_limited_in_bytes(s3, bucket):
    s3.put_object(Bucket=bucket, Key="é" * 512, Body=b"")
    with refused(400, "KeyTooLongError"):
        s3.put_object(Bucket=bucket, Key="é" * 512 + "x", Body=b"")


def test_listing_order_is_bytes(s3, bucket):
    keys = [key for key in ODD_KEYS if "//" not in key] + ["a", "B", "a-", "a/", "a0", "\U0001f600", "\uffee", "~"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    listed = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert listed == sorted(set(keys), key=lambda key: key.encode())


@pytest.mark.parametrize("call,page_size", [("list_objects_v2", 7), ("list_objects", 7), ("list_objects_v2", 1000)])
def test_paging(sim, s3, bucket, call, page_size):
    sim.populate("s3", bucket, "n/", 50, 10)
    sim.populate("s3", bucket, "n/deep/", 20, 10)
    pages = list(s3.get_paginator(call).paginate(Bucket=bucket, Prefix="n/", PaginationConfig={"PageSize": page_size}))
    listed = [item["Key"] for page in pages for item in page.get("Contents", [])]
    assert len(listed) == 70 and listed == sorted(listed)
    assert all(len(page["Contents"]) <= page_size for page in pages)


@pytest.mark.parametrize("call", ["list_objects_v2", "list_objects"])
def test_delimiter_and_paging_over_prefixes(sim, s3, bucket, call):
    for name in ("a", "b", "c"):
        sim.populate("s3", bucket, f"{name}/", 5, 1)
    sim.populate("s3", bucket, "bare", 2, 1)
    found = []
    for page in s3.get_paginator(call).paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}):
        found += [item["Prefix"] for item in page.get("CommonPrefixes", [])]
        found += [item["Key"] for item in page.get("Contents", [])]
    assert found == ["a/", "b/", "bare00000000", "bare00000001", "c/"]


def test_start_after_and_max_keys(sim, s3, bucket):
    sim.populate("s3", bucket, "", 10, 1)
    page = s3.list_objects_v2(Bucket=bucket, StartAfter="00000003", MaxKeys=2)
    assert [item["Key"] for item in page["Contents"]] == ["00000004", "00000005"] and page["IsTruncated"]
    # StartAfter no longer counts once there is a token.
    page = s3.list_objects_v2(Bucket=bucket, StartAfter="00000008", ContinuationToken=page["NextContinuationToken"])
    assert page["Contents"][0]["Key"] == "00000006" and not page["IsTruncated"]
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["KeyCount"] == 0
    with refused(400, "InvalidArgument"):
        s3.list_objects_v2(Bucket=bucket, ContinuationToken="nonsense!")


def test_ranges(s3, bucket):
    data = os.urandom(1000)
    s3.put_object(Bucket=bucket, Key="k", Body=data)
    for text, expected, described in [
        ("bytes=0-9", data[:10], "bytes 0-9/1000"),
        ("bytes=990-", data[990:], "bytes 990-999/1000"),
        ("bytes=990-5000", data[990:], "bytes 990-999/1000"),
        ("bytes=-5", data[-5:], "bytes 995-999/1000"),
        ("bytes=-5000", data, "bytes 0-999/1000"),
    ]:
        answer = s3.get_object(Bucket=bucket, Key="k", Range=text)
        assert body_of(answer) == expected and answer["ContentRange"] == described
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        # A checksum of the whole object must not come with a part of it.
        assert not [name for name in answer if name.startswith("Checksum") and name != "ChecksumType"]
    for ignored in ("bytes=5-1", "bytes=0-1,4-5", "lines=1-2"):
        answer = s3.get_object(Bucket=bucket, Key="k", Range=ignored)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200 and body_of(answer) == data
    with refused(416, "InvalidRange"):
        s3.get_object(Bucket=bucket, Key="k", Range="bytes=1000-")
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    with refused(416, "InvalidRange"):
        s3.get_object(Bucket=bucket, Key="empty", Range="bytes=0-")


def test_headers_and_metadata(s3, bucket):
    headers = {
        "ContentType": "text/plain; charset=utf-8",
        "ContentEncoding": "gzip",
        "ContentLanguage": "de, fr",
        "ContentDisposition": 'attachment; filename="a b"',
        "CacheControl": "no-cache, max-age=0",
    }
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"Mixed-Case": " padded ", "b": "2"}, **headers)
    for call in (s3.head_object, s3.get_object):
        answer = call(Bucket=bucket, Key="k")
        assert {name: answer[name] for name in headers} == headers
        assert answer["Metadata"] == {"mixed-case": "padded", "b": "2"}
    with refused(400, "MetadataTooLarge"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"big": "v" * 2046})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"big": "v" * 2045})


def test_conditional_reads(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    assert body_of(s3.get_object(Bucket=bucket, Key="k", IfMatch=etag)) == b"1"
    with refused(412, "PreconditionFailed"):
        s3.get_object(Bucket=bucket, Key="k", IfMatch='"other"')
    with refused(412, "412"):
        s3.head_object(Bucket=bucket, Key="k", IfMatch='"other"')
    with refused(304, "304"):
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=etag)
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    with refused(304, "304"):
        s3.get_object(Bucket=bucket, Key="k", IfModifiedSince=modified)
    assert body_of(s3.get_object(Bucket=bucket, Key="k", IfUnmodifiedSince=modified)) == b"1"


def test_conditional_writes(s3, bucket):
    with refused(404, "NoSuchKey"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfMatch='"any"')
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    with refused(412, "PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=first)["ETag"]
    with refused(412, "PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=first)
    with refused(412, "PreconditionFailed"):
        s3.copy_object(Bucket=bucket, Key="k", CopySource=f"{bucket}/k", MetadataDirective="REPLACE", IfNoneMatch="*")
    with refused(412, "PreconditionFailed"):
        s3.delete_object(Bucket=bucket, Key="k", IfMatch=first)
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"2"
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "ETag": first}]})
    assert deleted["Errors"][0]["Code"] == "PreconditionFailed"
    s3.delete_object(Bucket=bucket, Key="k", IfMatch=second)
    with refused(404, "NoSuchKey"):
        s3.delete_object(Bucket=bucket, Key="k", IfMatch=second)


def test_copy(s3, bucket):
    source = s3.put_object(Bucket=bucket, Key="k", Body=b"data", ContentType="text/x", Metadata={"a": "1"}, Tagging="t=1")
    copied = s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"})["CopyObjectResult"]
    assert copied["ETag"] == source["ETag"] and copied["ChecksumCRC32"] == source["ChecksumCRC32"]
    head = s3.head_object(Bucket=bucket, Key="c")
    assert head["ContentType"] == "text/x" and head["Metadata"] == {"a": "1"}
    assert s3.get_object_tagging(Bucket=bucket, Key="c")["TagSet"] == [{"Key": "t", "Value": "1"}]
    replaced = s3.copy_object(
        Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "c"}, MetadataDirective="REPLACE",
        Metadata={"b": "2"}, ChecksumAlgorithm="SHA256",
    )["CopyObjectResult"]
    assert replaced["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"data").digest()).decode()
    assert s3.head_object(Bucket=bucket, Key="c")["Metadata"] == {"b": "2"}
    with refused(400, "InvalidRequest"):
        s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "c"})
    with refused(412, "PreconditionFailed"):
        s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"}, CopySourceIfMatch='"x"')
    with refused(404, "NoSuchKey"):
        s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "absent"})


def test_tags(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Tagging="a=1&b=x%20y")
    assert s3.head_object(Bucket=bucket, Key="k")["TagCount"] == 2
    expected = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "x y"}]
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == expected
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "ü", "Value": "&<"}]})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "ü", "Value": "&<"}]
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


def test_archived_objects_need_a_restore(sim, s3, bucket):
    s3.put_object(Bucket=bucket, Key="cold", Body=b"x", StorageClass="GLACIER")
    s3.put_object(Bucket=bucket, Key="warm", Body=b"x", StorageClass="GLACIER_IR")
    assert body_of(s3.get_object(Bucket=bucket, Key="warm")) == b"x"
    assert s3.head_object(Bucket=bucket, Key="cold")["StorageClass"] == "GLACIER"
    with refused(403, "InvalidObjectState"):
        s3.get_object(Bucket=bucket, Key="cold")
    with refused(403, "InvalidObjectState"):
        s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "cold"})
    s3.restore_object(Bucket=bucket, Key="cold", RestoreRequest={"Days": 1})
    assert s3.head_object(Bucket=bucket, Key="cold")["Restore"] == 'ongoing-request="true"'
    with refused(409, "RestoreAlreadyInProgress"):
        s3.restore_object(Bucket=bucket, Key="cold", RestoreRequest={"Days": 1})
    sim.call("POST", "storage-class", {"cloud": "s3", "bucket": bucket, "key": "cold", "storageClass": "GLACIER"})
    assert 'ongoing-request="false"' in s3.head_object(Bucket=bucket, Key="cold")["Restore"]
    assert body_of(s3.get_object(Bucket=bucket, Key="cold")) == b"x"
    with refused(400, "InvalidStorageClass"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="WARMISH")


def test_versions(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    one = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["VersionId"]
    two = s3.put_object(Bucket=bucket, Key="k", Body=b"two")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"]
    with refused(404, "NoSuchKey") as answer:
        s3.get_object(Bucket=bucket, Key="k")
    assert answer.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    assert body_of(s3.get_object(Bucket=bucket, Key="k", VersionId=one)) == b"one"
    assert body_of(s3.get_object(Bucket=bucket, Key="k", VersionId="null")) == b"before"
    with refused(405, "405"):
        s3.head_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    listed = s3.list_object_versions(Bucket=bucket)
    assert [item["VersionId"] for item in listed["Versions"]] == [two, one, "null"]
    assert listed["DeleteMarkers"][0]["IsLatest"]
    paged = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1})
    assert len([item for page in paged for item in page.get("Versions", [])]) == 3
    # Removing the marker brings the newest version back.
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"two"
    # A delete marker counts as absent.
    s3.delete_object(Bucket=bucket, Key="k")
    s3.put_object(Bucket=bucket, Key="k", Body=b"new", IfNoneMatch="*")


def test_transfer_manager(s3, bucket):
    data = os.urandom(20 * MIB + 12_345)
    s3.upload_fileobj(io.BytesIO(data), bucket, "big")
    head = s3.head_object(Bucket=bucket, Key="big", ChecksumMode="ENABLED")
    assert head["ETag"].endswith('-3"') and head["ChecksumType"] == "COMPOSITE"
    target = io.BytesIO()
    s3.download_fileobj(bucket, "big", target)
    assert target.getvalue() == data
    s3.copy({"Bucket": bucket, "Key": "big"}, bucket, "copy")
    target = io.BytesIO()
    s3.download_fileobj(bucket, "copy", target)
    assert target.getvalue() == data


def test_objects_survive_a_restart(launch, tmp_path):
    data = tmp_path / "data"
    server = launch("--data", str(data))
    s3 = connect(server)
    s3.create_bucket(Bucket="kept", CreateBucketConfiguration={})
    big = os.urandom(11 * MIB)
    s3.put_object(Bucket="kept", Key="dir/ü", Body=b"content", Metadata={"a": "b"}, ContentType="text/x")
    s3.put_object(Bucket="kept", Key="gone", Body=b"content")
    s3.put_object(Bucket="kept", Key="gone", Body=b"other")
    s3.delete_object(Bucket="kept", Key="gone")
    s3.upload_fileobj(io.BytesIO(big), "kept", "big")
    s3.copy_object(Bucket="kept", Key="copy", CopySource={"Bucket": "kept", "Key": "big"})
    s3.delete_object(Bucket="kept", Key="big")
    before = s3.head_object(Bucket="kept", Key="copy")
    os.kill(server.pid, 15)
    again = connect(launch("--data", str(data)))
    assert [item["Key"] for item in again.list_objects_v2(Bucket="kept")["Contents"]] == ["copy", "dir/ü"]
    answer = again.get_object(Bucket="kept", Key="dir/ü")
    assert body_of(answer) == b"content" and answer["Metadata"] == {"a": "b"} and answer["ContentType"] == "text/x"
    after = again.get_object(Bucket="kept", Key="copy")
    assert body_of(after) == big and after["ETag"] == before["ETag"]
    assert body_of(again.get_object(Bucket="kept", Key="copy", Range="bytes=9000000-9000099")) == big[9000000:9000100]
