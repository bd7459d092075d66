"""CloudSim's S3 multipart uploads and checksums, exercised by boto3."""

import base64
import hashlib
import os
import zlib

import crc32c
import pytest
from awscrt import checksums as crt

from test_s3 import MIB, body_of, bucket, connect, refused, s3  # noqa: F401


def b64(value, size):
    return base64.b64encode(value.to_bytes(size, "big")).decode()


ALGORITHMS = {
    "CRC32": lambda data: b64(zlib.crc32(data), 4),
    "CRC32C": lambda data: b64(crc32c.crc32c(data), 4),
    "CRC64NVME": lambda data: b64(crt.crc64nvme(data), 8),
    "SHA1": lambda data: base64.b64encode(hashlib.sha1(data).digest()).decode(),
    "SHA256": lambda data: base64.b64encode(hashlib.sha256(data).digest()).decode(),
}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_single_upload_checksums(s3, bucket, algorithm):
    data = os.urandom(300_001)
    name = f"Checksum{algorithm}"
    right = ALGORITHMS[algorithm](data)
    put = s3.put_object(Bucket=bucket, Key="computed", Body=data, ChecksumAlgorithm=algorithm)
    given = s3.put_object(Bucket=bucket, Key="given", Body=data, **{name: right})
    assert put[name] == given[name] == right
    head = s3.head_object(Bucket=bucket, Key="given", ChecksumMode="ENABLED")
    assert head[name] == right and head["ChecksumType"] == "FULL_OBJECT"
    attributes = s3.get_object_attributes(
        Bucket=bucket, Key="given", ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass"]
    )
    assert attributes["Checksum"] == {name: right, "ChecksumType": "FULL_OBJECT"}
    assert attributes["ObjectSize"] == len(data) and attributes["StorageClass"] == "STANDARD"
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["ChecksumAlgorithm"] == [algorithm]
    with refused(400, "BadDigest"):
        s3.put_object(Bucket=bucket, Key="wrong", Body=data, **{name: ALGORITHMS[algorithm](b"other")})
    with refused(404, "404"):
        s3.head_object(Bucket=bucket, Key="wrong")



def test_without_a_checksum_the_server_computes_crc64nvme(sim, bucket):
    plain = connect(sim, config={"request_checksum_calculation": "when_required"})
    put = plain.put_object(Bucket=bucket, Key="k", Body=b"123456789")
    assert put["ChecksumCRC64NVME"] == "rosUhgp5mIg=" and put["ChecksumType"] == "FULL_OBJECT"


def test_wrong_content_md5_is_refused(sim, bucket):
    plain = connect(sim, config={"request_checksum_calculation": "when_required"})
    with refused(400, "BadDigest"):
        plain.put_object(Bucket=bucket, Key="k", Body=b"x", ContentMD5=base64.b64encode(hashlib.md5(b"y").digest()).decode())
    with refused(400, "InvalidDigest"):
        plain.put_object(Bucket=bucket, Key="k", Body=b"x", ContentMD5="nonsense")
    plain.put_object(Bucket=bucket, Key="k", Body=b"x", ContentMD5=base64.b64encode(hashlib.md5(b"x").digest()).decode())


def start(s3, bucket, key="big", **options):
    return s3.create_multipart_upload(Bucket=bucket, Key=key, **options)["UploadId"]


def upload(s3, bucket, upload_id, parts, key="big", algorithm=None):
    done = []
    for number, data in parts.items():
        options = {"ChecksumAlgorithm": algorithm} if algorithm else {}
        answer = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=data, **options)
        item = {"PartNumber": number, "ETag": answer["ETag"]}
        if algorithm:
            item[f"Checksum{algorithm}"] = answer[f"Checksum{algorithm}"]
        done.append(item)
    return done


def complete(s3, bucket, upload_id, parts, key="big", **options):
    return s3.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}, **options
    )


PARTS = {1: b"a" * (5 * MIB), 2: b"b" * (5 * MIB + 1), 3: b"c" * 7}
WHOLE = b"".join(PARTS.values())


@pytest.mark.parametrize(
    "algorithm,kind",
    [
        ("CRC64NVME", "FULL_OBJECT"), ("CRC32C", "FULL_OBJECT"), ("CRC32", "FULL_OBJECT"), ("CRC32C", "COMPOSITE"),
        ("CRC32", "COMPOSITE"), ("SHA1", "COMPOSITE"), ("SHA256", "COMPOSITE"), ("CRC32C", None), ("CRC64NVME", None),
    ],
)
def test_multipart_checksums(s3, bucket, algorithm, kind):
    options = {"ChecksumAlgorithm": algorithm}
    if kind:
        options["ChecksumType"] = kind
    upload_id = start(s3, bucket, **options)
    parts = upload(s3, bucket, upload_id, PARTS, algorithm=algorithm)
    name = f"Checksum{algorithm}"
    if kind == "FULL_OBJECT" or algorithm == "CRC64NVME":
        expected, expected_kind = ALGORITHMS[algorithm](WHOLE), "FULL_OBJECT"
        with refused(400, "BadDigest"):
            complete(s3, bucket, upload_id, parts, **{name: ALGORITHMS[algorithm](b"other")})
        answer = complete(s3, bucket, upload_id, parts, ChecksumType="FULL_OBJECT", **{name: expected})
    else:
        raw = b"".join(base64.b64decode(ALGORITHMS[algorithm](data)) for data in PARTS.values())
        expected, expected_kind = ALGORITHMS[algorithm](raw) + "-3", "COMPOSITE"
        with refused(400, "InvalidRequest"):
            complete(s3, bucket, upload_id, [{key: part[key] for key in ("PartNumber", "ETag")} for part in parts])
        answer = complete(s3, bucket, upload_id, parts)
    assert answer[name] == expected and answer["ChecksumType"] == expected_kind
    head = s3.head_object(Bucket=bucket, Key="big", ChecksumMode="ENABLED")
    assert head[name] == expected and head["ChecksumType"] == expected_kind
    md5 = hashlib.md5(b"".join(hashlib.md5(data).digest() for data in PARTS.values())).hexdigest()
    assert head["ETag"] == f'"{md5}-3"'
    got = s3.get_object_attributes(Bucket=bucket, Key="big", ObjectAttributes=["Checksum", "ObjectParts"])
    assert got["Checksum"][name] == expected.split("-")[0]
    assert got["ObjectParts"]["TotalPartsCount"] == 3
    assert [part["Size"] for part in got["ObjectParts"]["Parts"]] == [len(data) for data in PARTS.values()]
    assert [part[name] for part in got["ObjectParts"]["Parts"]] == [ALGORITHMS[algorithm](data) for data in PARTS.values()]
    assert body_of(s3.get_object(Bucket=bucket, Key="big")) == WHOLE
    second = s3.get_object(Bucket=bucket, Key="big", PartNumber=2)
    assert body_of(second) == PARTS[2] and second["PartsCount"] == 3


def test_known_composite_vector(s3, bucket):
    upload_id = start(s3, bucket, ChecksumAlgorithm="SHA256")
    # Recorded from the real service for parts of ten letters; only the last part may be that small here.
    parts = upload(s3, bucket, upload_id, {1: b"a" * 10}, algorithm="SHA256")
    expected = base64.b64encode(hashlib.sha256(hashlib.sha256(b"a" * 10).digest()).digest()).decode() + "-1"
    assert complete(s3, bucket, upload_id, parts)["ChecksumSHA256"] == expected


def test_undeclared_multipart_gets_crc64nvme(sim, bucket):
    plain = connect(sim, config={"request_checksum_calculation": "when_required"})
    upload_id = start(plain, bucket)
    parts = upload(plain, bucket, upload_id, PARTS)
    answer = complete(plain, bucket, upload_id, parts, MpuObjectSize=len(WHOLE))
    assert answer["ChecksumCRC64NVME"] == ALGORITHMS["CRC64NVME"](WHOLE) and answer["ChecksumType"] == "FULL_OBJECT"


def test_invalid_checksum_pairings(s3, bucket):
    for algorithm, kind in [("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE")]:
        with refused(400, "InvalidRequest"):
            start(s3, bucket, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    upload_id = start(s3, bucket, ChecksumAlgorithm="CRC32C")
    with refused(400, "InvalidRequest"):
        upload(s3, bucket, upload_id, {1: b"x"}, algorithm="SHA1")


def test_completion_is_checked(s3, bucket):
    upload_id = start(s3, bucket, ChecksumAlgorithm="CRC64NVME")
    small = upload(s3, bucket, upload_id, {1: b"small", 2: b"last"}, algorithm="CRC64NVME")
    with refused(400, "EntityTooSmall"):
        complete(s3, bucket, upload_id, small)
    parts = upload(s3, bucket, upload_id, PARTS, algorithm="CRC64NVME")
    with refused(400, "InvalidPartOrder"):
        complete(s3, bucket, upload_id, parts[::-1])
    with refused(400, "InvalidPart"):
        complete(s3, bucket, upload_id, [{**parts[0], "ETag": '"00000000000000000000000000000000"'}])
    with refused(400, "InvalidPart"):
        complete(s3, bucket, upload_id, [*parts, {**parts[2], "PartNumber": 4}])
    with refused(400, "InvalidRequest"):
        complete(s3, bucket, upload_id, parts, MpuObjectSize=1)
    with refused(400, "MalformedXML"):
        complete(s3, bucket, upload_id, [])
    with refused(404, "NoSuchUpload"):
        complete(s3, bucket, "unknown", parts)
    first = complete(s3, bucket, upload_id, parts)
    # A repeated call gets the same answer; the upload is gone.
    assert complete(s3, bucket, upload_id, parts)["ETag"] == first["ETag"]
    with refused(404, "NoSuchUpload"):
        s3.list_parts(Bucket=bucket, Key="big", UploadId=upload_id)
    with refused(404, "NoSuchUpload"):
        upload(s3, bucket, upload_id, {1: b"x"})


def test_conditional_completion(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="big", Body=b"there")["ETag"]
    upload_id = start(s3, bucket)
    parts = upload(s3, bucket, upload_id, {1: b"x"})
    with refused(412, "PreconditionFailed"):
        complete(s3, bucket, upload_id, parts, IfNoneMatch="*")
    with refused(412, "PreconditionFailed"):
        complete(s3, bucket, upload_id, parts, IfMatch='"other"')
    complete(s3, bucket, upload_id, parts, IfMatch=etag)


def test_part_numbers_are_bounded(s3, bucket):
    upload_id = start(s3, bucket)
    for number in (0, 10_001):
        with refused(400, "InvalidArgument"):
            upload(s3, bucket, upload_id, {number: b"x"})
    parts = upload(s3, bucket, upload_id, {10_000: b"x"})
    s3.abort_multipart_upload(Bucket=bucket, Key="big", UploadId=upload_id)
    with refused(404, "NoSuchUpload"):
        complete(s3, bucket, upload_id, parts)


def test_parts_and_uploads_are_listed(s3, bucket):
    ids = {key: start(s3, bucket, key=key) for key in ("b", "a", "ü +")}
    more = start(s3, bucket, key="a")
    listed = []
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1}):
        listed += [(item["Key"], item["UploadId"]) for item in page["Uploads"]]
    assert [key for key, _ in listed] == ["a", "a", "b", "ü +"]
    assert {upload_id for _, upload_id in listed} == {*ids.values(), more}
    upload(s3, bucket, ids["b"], {number: b"x" * number for number in (5, 1, 3)}, key="b")
    upload(s3, bucket, ids["b"], {3: b"again"}, key="b")
    parts = []
    pages = s3.get_paginator("list_parts").paginate(
        Bucket=bucket, Key="b", UploadId=ids["b"], PaginationConfig={"PageSize": 2}
    )
    for page in pages:
        parts += [(item["PartNumber"], item["Size"]) for item in page["Parts"]]
    assert parts == [(1, 1), (3, 5), (5, 5)]


def test_part_copies(s3, bucket):
    data = os.urandom(12 * MIB)
    etag = s3.put_object(Bucket=bucket, Key="source +", Body=data)["ETag"]
    upload_id = start(s3, bucket, ChecksumAlgorithm="CRC32C")
    parts = []
    for number, (first, last) in enumerate([(0, 6 * MIB - 1), (6 * MIB, 12 * MIB - 1)], 1):
        answer = s3.upload_part_copy(
            Bucket=bucket, Key="big", UploadId=upload_id, PartNumber=number, CopySourceIfMatch=etag,
            CopySource={"Bucket": bucket, "Key": "source +"}, CopySourceRange=f"bytes={first}-{last}",
        )["CopyPartResult"]
        assert answer["ChecksumCRC32C"] == ALGORITHMS["CRC32C"](data[first : last + 1])
        parts.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32C": answer["ChecksumCRC32C"]})
    complete(s3, bucket, upload_id, parts)
    assert body_of(s3.get_object(Bucket=bucket, Key="big")) == data
    upload_id = start(s3, bucket)
    copy = {"Bucket": bucket, "Key": "big", "UploadId": upload_id, "PartNumber": 1}
    source = {"Bucket": bucket, "Key": "source +"}
    with refused(412, "PreconditionFailed"):
        s3.upload_part_copy(**copy, CopySource=source, CopySourceIfMatch='"x"')
    with refused(400, "InvalidArgument"):
        s3.upload_part_copy(**copy, CopySource=source, CopySourceRange=f"bytes=0-{len(data)}")
    # A multipart object that is copied in one piece becomes a single part with a digest of all its bytes.
    copied = s3.copy_object(Bucket=bucket, Key="flat", CopySource={"Bucket": bucket, "Key": "big"})["CopyObjectResult"]
    assert copied["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    assert copied["ChecksumCRC32C"] == ALGORITHMS["CRC32C"](data) and copied["ChecksumType"] == "FULL_OBJECT"
