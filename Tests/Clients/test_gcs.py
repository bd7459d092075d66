"""CloudSim's Google Cloud Storage, exercised by Google's own Python client."""

import base64
import gzip
import hashlib
import io
import os
import struct

import google_crc32c
import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.storage import transfer_manager
from google.cloud.storage.exceptions import InvalidResponse

MIB = 1024 * 1024

ODD_KEYS = [
    "plain.txt",
    "dir/",
    "a//b",
    "/leading",
    "trailing/",
    "with space",
    "plus+percent%hash#question?",
    "100%25",
    "amp&equals=semi;colon:at@",
    "tilde~dot.dash-underscore_",
    'quote"apostrophe\'back\\slash',
    "<xml>&amp;</xml>",
    "control\x01\x02\x1f\x7f",
    "tab\there",
    "grüße/日本語/🚀.bin",
    "nfc-\u00e9",
    "nfd-e\u0301",
    "..hidden/../up",
    "k" * 1024,
]


def crc32c(data):
    """The value that the service reports: base64 of four big-endian bytes."""
    return base64.b64encode(struct.pack(">I", google_crc32c.value(data))).decode()


def md5(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


@pytest.fixture
def gcs_endpoint(sim):
    return sim.gcs["endpoint"]


@pytest.fixture
def client(gcs_endpoint):
    return storage.Client(
        project="test",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": gcs_endpoint},
    )


@pytest.fixture
def bucket(client, bucket_name):
    return client.create_bucket(bucket_name)


@pytest.mark.parametrize("size", [0, 1, 65536, 3 * MIB + 17])
def test_upload_and_download(bucket, size):
    data = os.urandom(size)
    blob = bucket.blob("object")
    blob.upload_from_string(data, content_type="application/x-thing", checksum="crc32c")
    assert blob.size == size
    assert blob.crc32c == crc32c(data)
    assert blob.md5_hash == md5(data)
    assert blob.content_type == "application/x-thing"
    assert blob.generation > 0 and blob.metageneration == 1
    assert bucket.blob("object").download_as_bytes(checksum="crc32c") == data
    assert bucket.blob("object").download_as_bytes(checksum="md5") == data


def test_streamed_upload_without_a_length(bucket):
    data = os.urandom(5 * MIB + 3)
    blob = bucket.blob("streamed", chunk_size=MIB)
    with blob.open("wb", ignore_flush=True) as writer:
        for start in range(0, len(data), 700_001):
            writer.write(data[start : start + 700_001])
    assert bucket.get_blob("streamed").crc32c == crc32c(data)
    with bucket.blob("streamed").open("rb", chunk_size=MIB) as reader:
        assert reader.read() == data


@pytest.mark.parametrize("size", [0, 1, MIB, 2 * MIB, 3 * MIB + 5])
def test_resumable_upload_in_chunks(bucket, size):
    data = os.urandom(size)
    blob = bucket.blob("resumable", chunk_size=MIB)
    blob.metadata = {"colour": "blue"}
    blob.upload_from_file(io.BytesIO(data), size=size, checksum="crc32c", content_type="text/plain")
    stored = bucket.get_blob("resumable")
    assert (stored.size, stored.crc32c, stored.content_type) == (size, crc32c(data), "text/plain")
    assert stored.metadata == {"colour": "blue"}
    assert stored.download_as_bytes() == data


def test_resumable_session_made_elsewhere(bucket):
    data = os.urandom(MIB)
    url = bucket.blob("session").create_resumable_upload_session(
        content_type="text/plain", size=len(data), if_generation_match=0
    )
    response = bucket.client._http.put(url, data=data)
    assert response.status_code == 200
    assert bucket.get_blob("session").crc32c == crc32c(data)
    # The precondition given at the start is checked when the object is finished.
    late = bucket.blob("late").create_resumable_upload_session(if_generation_match=0)
    bucket.blob("late").upload_from_string(b"first")
    assert bucket.client._http.put(late, data=b"second").status_code == 412
    assert bucket.blob("late").download_as_bytes() == b"first"


def test_properties_and_metadata(bucket):
    blob = bucket.blob("properties")
    blob.cache_control = "no-cache, max-age=0"
    blob.content_disposition = "attachment; filename=\"größe.txt\""
    blob.content_encoding = "identity-ish"
    blob.content_language = "de"
    blob.metadata = {"Key": "value", "mit-umlaut": "größe", "empty": ""}
    blob.storage_class = "NEARLINE"
    blob.upload_from_string(b"x", content_type="text/plain; charset=utf-8")

    stored = bucket.get_blob("properties")
    assert stored.cache_control == "no-cache, max-age=0"
    assert stored.content_disposition == "attachment; filename=\"größe.txt\""
    assert stored.content_encoding == "identity-ish"
    assert stored.content_language == "de"
    assert stored.content_type == "text/plain; charset=utf-8"
    assert stored.metadata == {"Key": "value", "mit-umlaut": "größe", "empty": ""}
    assert stored.storage_class == "NEARLINE"

    generation = stored.generation
    stored.metadata = {"Key": None, "new": "1"}
    stored.content_type = "text/html"
    stored.patch(if_metageneration_match=1)
    again = bucket.get_blob("properties")
    assert again.metadata == {"mit-umlaut": "größe", "empty": "", "new": "1"}
    assert (again.content_type, again.metageneration, again.generation) == ("text/html", 2, generation)
    with pytest.raises(exceptions.PreconditionFailed):
        again.patch(if_metageneration_match=1)

    with pytest.raises((exceptions.BadRequest, InvalidResponse)):
        big = bucket.blob("too-much")
        big.metadata = {f"key{n}": "v" * 1000 for n in range(9)}
        big.upload_from_string(b"x")


def test_odd_keys(bucket):
    for key in ODD_KEYS:
        data = key.encode()
        bucket.blob(key).upload_from_string(data)
        assert bucket.blob(key).download_as_bytes() == data
    listed = [blob.name for blob in bucket.list_blobs()]
    assert listed == sorted(ODD_KEYS, key=lambda key: key.encode())
    for key in ODD_KEYS:
        bucket.delete_blob(key)
    assert list(bucket.list_blobs()) == []


@pytest.mark.parametrize("key", [".", "..", "line\nfeed", "carriage\rreturn", "k" * 1025])
def test_keys_that_the_service_refuses(bucket, key):
    with pytest.raises((exceptions.BadRequest, InvalidResponse)):
        bucket.blob(key).upload_from_string(b"x")


def test_listing(bucket):
    keys = ["a/1", "a/2", "a/b/3", "b", "c/4", "d"]
    for key in reversed(keys):
        bucket.blob(key).upload_from_string(key)
    assert [blob.name for blob in bucket.list_blobs()] == keys
    assert [blob.name for blob in bucket.list_blobs(prefix="a/")] == ["a/1", "a/2", "a/b/3"]
    assert [blob.name for blob in bucket.list_blobs(start_offset="a/2", end_offset="c/4")] == ["a/2", "a/b/3", "b"]

    shallow = bucket.list_blobs(delimiter="/")
    assert [blob.name for blob in shallow] == ["b", "d"]
    assert shallow.prefixes == {"a/", "c/"}
    inside = bucket.list_blobs(prefix="a/", delimiter="/")
    assert [blob.name for blob in inside] == ["a/1", "a/2"]
    assert inside.prefixes == {"a/b/"}

    paged = bucket.list_blobs(page_size=2)
    assert [[blob.name for blob in page] for page in paged.pages] == [keys[0:2], keys[2:4], keys[4:6]]
    folders = bucket.list_blobs(page_size=1, delimiter="/")
    assert [blob.name for page in folders.pages for blob in page] == ["b", "d"]
    assert folders.prefixes == {"a/", "c/"}

    listed = next(iter(bucket.list_blobs(fields="items(name,crc32c,size),nextPageToken")))
    assert listed.crc32c == crc32c(b"a/1") and listed.size == 3 and listed.generation is None


def test_pages_hold_at_most_a_thousand(bucket):
    for number in range(1003):
        bucket.blob(f"n{number:05}").upload_from_string(b"")
    pages = [[blob.name for blob in page] for page in bucket.list_blobs().pages]
    assert [len(page) for page in pages] == [1000, 3]
    assert sum(pages, []) == [f"n{number:05}" for number in range(1003)]


def test_ranges(bucket):
    data = os.urandom(100_000)
    blob = bucket.blob("ranges")
    blob.upload_from_string(data)
    assert blob.download_as_bytes(start=0, end=0) == data[:1]
    assert blob.download_as_bytes(start=10, end=19) == data[10:20]
    assert blob.download_as_bytes(start=99_990) == data[99_990:]
    assert blob.download_as_bytes(start=99_990, end=200_000) == data[99_990:]
    with pytest.raises(exceptions.RequestRangeNotSatisfiable):
        blob.download_as_bytes(start=100_000)


def test_generation_conditions(bucket):
    blob = bucket.blob("conditions")
    blob.upload_from_string(b"one", if_generation_match=0)
    first = blob.generation
    with pytest.raises((exceptions.PreconditionFailed, InvalidResponse)):
        bucket.blob("conditions").upload_from_string(b"two", if_generation_match=0)
    with pytest.raises((exceptions.PreconditionFailed, InvalidResponse)):
        bucket.blob("conditions").upload_from_string(b"two", if_generation_match=first + 1)
    assert bucket.blob("conditions").download_as_bytes() == b"one"

    blob.upload_from_string(b"two", if_generation_match=first)
    assert blob.generation > first
    assert bucket.blob("conditions").download_as_bytes(if_generation_match=blob.generation) == b"two"
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("conditions").download_as_bytes(if_generation_match=first)
    with pytest.raises(exceptions.NotModified):
        bucket.blob("conditions").reload(if_generation_not_match=blob.generation)
    with pytest.raises(exceptions.NotFound):
        bucket.blob("conditions", generation=first).download_as_bytes()
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("conditions").delete(if_generation_match=first)
    bucket.blob("conditions").delete(if_generation_match=blob.generation)
    with pytest.raises(exceptions.NotFound):
        bucket.blob("conditions").delete()


def test_absent_things(client, bucket):
    with pytest.raises(exceptions.NotFound):
        bucket.blob("absent").download_as_bytes()
    assert bucket.get_blob("absent") is None
    with pytest.raises(exceptions.NotFound):
        client.get_bucket("no-such-bucket-here")
    with pytest.raises(exceptions.NotFound):
        list(client.bucket("no-such-bucket-here").list_blobs())


def test_buckets(client, bucket):
    assert client.get_bucket(bucket.name).name == bucket.name
    assert bucket.name in [listed.name for listed in client.list_buckets()]
    with pytest.raises(exceptions.Conflict):
        client.create_bucket(bucket.name)
    bucket.blob("x").upload_from_string(b"x")
    with pytest.raises(exceptions.Conflict):
        bucket.delete()
    bucket.delete_blob("x")
    bucket.delete()
    assert client.lookup_bucket(bucket.name) is None


def test_transfer_manager(bucket, tmp_path):
    data = os.urandom(18 * MIB + 1)
    source = tmp_path / "source"
    source.write_bytes(data)
    blob = bucket.blob("big/objekt größe.bin")
    blob.metadata = {"colour": "blue"}
    transfer_manager.upload_chunks_concurrently(
        str(source), blob, chunk_size=5 * MIB, worker_type=transfer_manager.THREAD, checksum="crc32c"
    )
    stored = bucket.get_blob(blob.name)
    assert (stored.size, stored.crc32c, stored.md5_hash) == (len(data), crc32c(data), None)
    assert stored.metadata == {"colour": "blue"}
    target = tmp_path / "target"
    transfer_manager.download_chunks_concurrently(
        bucket.blob(blob.name), str(target), chunk_size=4 * MIB, worker_type=transfer_manager.THREAD
    )
    assert target.read_bytes() == data
    with pytest.raises(InvalidResponse):
        transfer_manager.upload_chunks_concurrently(
            str(source), bucket.blob("small-parts"), chunk_size=MIB, worker_type=transfer_manager.THREAD
        )
    assert bucket.get_blob("small-parts") is None


def test_compose(bucket):
    pieces = [os.urandom(1000 + number) for number in range(5)]
    sources = []
    for number, piece in enumerate(pieces):
        source = bucket.blob(f"piece{number}")
        source.upload_from_string(piece)
        sources.append(source)
    whole = bucket.blob("whole")
    whole.content_type = "application/x-whole"
    whole.compose(sources, if_generation_match=0)
    data = b"".join(pieces)
    stored = bucket.get_blob("whole")
    assert (stored.size, stored.crc32c, stored.md5_hash) == (len(data), crc32c(data), None)
    assert stored.component_count == 5 and stored.content_type == "application/x-whole"
    assert stored.download_as_bytes() == data
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("whole").compose(sources, if_generation_match=0)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("other").compose(sources, if_source_generation_match=[1, 1, 1, 1, 1])
    with pytest.raises(exceptions.NotFound):
        bucket.blob("other").compose([bucket.blob("absent")])
    with pytest.raises(exceptions.BadRequest):
        bucket.blob("other").compose(sources * 7)


def test_rewrite_copy_and_move(client, bucket, bucket_name):
    data = os.urandom(100_000)
    source = bucket.blob("from/here")
    source.metadata = {"kept": "yes"}
    source.upload_from_string(data, content_type="text/plain")

    target = client.create_bucket(bucket_name + "-two")
    copy = bucket.copy_blob(source, target, "to there", if_generation_match=0)
    assert (copy.crc32c, copy.metadata, copy.content_type) == (source.crc32c, {"kept": "yes"}, "text/plain")
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.copy_blob(source, target, "to there", if_generation_match=0)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.copy_blob(source, target, "elsewhere", if_source_generation_match=1)

    token, written, total = target.blob("rewritten").rewrite(source)
    assert (token, written, total) == (None, len(data), len(data))
    assert target.blob("rewritten").download_as_bytes() == data

    moved = bucket.move_blob(source, "moved", if_generation_match=0)
    assert moved.crc32c == source.crc32c
    assert bucket.get_blob("from/here") is None
    renamed = bucket.rename_blob(moved, "renamed+again")
    assert renamed.download_as_bytes() == data
    assert [blob.name for blob in bucket.list_blobs()] == ["renamed+again"]


def test_batch(client, bucket):
    for number in range(20):
        bucket.blob(f"batch {number}/x").upload_from_string(b"x")
    with client.batch(raise_exception=False) as batch:
        for number in range(21):
            bucket.delete_blob(f"batch {number}/x")
    statuses = [response.status_code for response in batch._responses]
    assert statuses == [204] * 20 + [404]
    assert list(bucket.list_blobs()) == []


def test_gzip_transcoding(bucket):
    plain = b"lockstep " * 20_000
    packed = gzip.compress(plain)
    blob = bucket.blob("packed")
    blob.content_encoding = "gzip"
    blob.upload_from_string(packed, content_type="text/plain")
    assert blob.crc32c == crc32c(packed)
    assert bucket.blob("packed").download_as_bytes() == plain
    assert bucket.blob("packed").download_as_bytes(raw_download=True) == packed
    assert bucket.blob("packed").download_as_bytes(raw_download=True, start=5, end=9) == packed[5:10]
    # Without Accept-Encoding: gzip the service decodes, and a range is not honoured.
    response = bucket.client._http.get(
        blob.media_link, headers={"Accept-Encoding": "identity", "Range": "bytes=5-9"}
    )
    assert (response.status_code, response.content) == (200, plain)
    assert "Content-Length" not in response.headers and "Content-Encoding" not in response.headers
    assert response.headers["x-goog-stored-content-encoding"] == "gzip"
    assert response.headers["x-goog-stored-content-length"] == str(len(packed))
    blob.cache_control = "no-transform"
    blob.patch()
    kept = bucket.client._http.get(blob.media_link, headers={"Accept-Encoding": "identity"}, stream=True)
    assert kept.raw.read(decode_content=False) == packed


@pytest.mark.parametrize("level", [0, 1, 9])
def test_gzip_of_every_kind(bucket, level):
    """Stored, fixed and dynamic blocks, several members; decoded by the server."""
    parts = [b"", b"a", bytes(range(256)) * 40, b"lockstep " * 9000, os.urandom(70_000)]
    for number, plain in enumerate(parts + [b"".join(parts)]):
        packed = gzip.compress(plain, level)
        if number == len(parts):
            packed = b"".join(gzip.compress(part, level) for part in parts)
        blob = bucket.blob(f"g{number}")
        blob.content_encoding = "gzip"
        blob.upload_from_string(packed)
        answer = bucket.client._http.get(blob.media_link, headers={"Accept-Encoding": "identity"})
        assert answer.content == plain


def test_gzip_that_is_none(bucket):
    for number, data in enumerate([b"no gzip at all", gzip.compress(b"x" * 1000)[:-9], gzip.compress(b"x")[:-1] + b"?"]):
        blob = bucket.blob(f"bad{number}")
        blob.content_encoding = "gzip"
        blob.upload_from_string(data)
        answer = bucket.client._http.get(blob.media_link, headers={"Accept-Encoding": "identity"})
        assert answer.status_code == 503
        assert blob.download_as_bytes(raw_download=True) == data


def test_noncurrent_versions(bucket):
    bucket.versioning_enabled = True
    bucket.patch()
    generations = []
    for data in [b"one", b"two", b"three"]:
        blob = bucket.blob("v")
        blob.upload_from_string(data)
        generations.append(blob.generation)
    assert bucket.blob("v", generation=generations[0]).download_as_bytes() == b"one"
    listed = [(blob.name, blob.generation) for blob in bucket.list_blobs(versions=True)]
    assert listed == [("v", generation) for generation in generations]
    bucket.delete_blob("v")
    assert bucket.get_blob("v") is None and list(bucket.list_blobs()) == []
    assert len(list(bucket.list_blobs(versions=True))) == 3
    bucket.delete_blob("v", generation=generations[1])
    with pytest.raises(exceptions.NotFound):
        bucket.blob("v", generation=generations[1]).download_as_bytes()
    bucket.copy_blob(bucket.blob("v"), bucket, "restored", source_generation=generations[0])
    assert bucket.blob("restored").download_as_bytes() == b"one"


def test_holds(bucket):
    blob = bucket.blob("held")
    blob.upload_from_string(b"x")
    blob.temporary_hold = True
    blob.patch()
    with pytest.raises(exceptions.Forbidden):
        blob.delete()
    with pytest.raises((exceptions.Forbidden, InvalidResponse)):
        bucket.blob("held").upload_from_string(b"y")
    blob.temporary_hold = False
    blob.patch()
    blob.delete()


def test_rewrite_in_steps(bucket):
    source = bucket.blob("source")
    data = os.urandom(3 * MIB)
    source.upload_from_string(data)
    path = f"{bucket.path}/o/source/rewriteTo{bucket.path}/o/target"
    steps, token = [], None
    for _ in range(5):
        query = {"maxBytesRewrittenPerCall": MIB} | ({"rewriteToken": token} if token else {})
        answer = bucket.client._connection.api_request("POST", path, query_params=query)
        steps.append(int(answer["totalBytesRewritten"]))
        token = answer.get("rewriteToken")
        if answer["done"]:
            break
    assert steps == [MIB, 2 * MIB, 3 * MIB]
    assert bucket.blob("target").download_as_bytes() == data


def test_keys_that_objects_are_encrypted_with(bucket):
    key = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
    version = f"{key}/cryptoKeyVersions/1"

    def reported(name):
        return bucket.get_blob(name).kms_key_name

    bucket.blob("plain").upload_from_string(b"plain")
    bucket.blob("small", kms_key_name=key).upload_from_string(b"small")
    session = bucket.blob("session", kms_key_name=key)
    session.chunk_size = 256 * 1024
    session.upload_from_file(io.BytesIO(os.urandom(300_000)))
    composed = bucket.blob("composed", kms_key_name=key)
    composed.compose([bucket.blob("small"), bucket.blob("plain")])
    rewritten = bucket.blob("rewritten", kms_key_name=key)
    rewritten.rewrite(bucket.blob("plain"))
    for name in ("small", "session", "composed", "rewritten"):
        assert reported(name) == version, name
    # A copy is encrypted as its bucket says, not as its source; a renamed object is the same object.
    bucket.copy_blob(bucket.blob("small"), bucket, "copied")
    assert reported("plain") is None and reported("copied") is None
    bucket.move_blob(bucket.blob("small"), "moved")
    assert reported("moved") == version
    with pytest.raises((exceptions.BadRequest, InvalidResponse)):
        bucket.blob("bad", kms_key_name="alias/mine").upload_from_string(b"x")
