"""azure-storage-blob, the vendor's own client, against CloudSim's Azure Blob front end: data, names, listings, conditions."""

import base64
import hashlib
import os
import uuid

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
    ResourceNotModifiedError,
)
from azure.storage.blob import BlobBlock, BlobPrefix, BlobServiceClient, ContentSettings, StandardBlobTier

from azure_account import azure  # a fixture

MIB = 1024 * 1024


def connect(azure, **options):
    """A client that never retries: what the server answers first is what is tested."""
    return BlobServiceClient(azure.url, credential=azure.key, retry_total=0, **options)


@pytest.fixture
def service(azure):
    with connect(azure) as client:
        yield client


@pytest.fixture
def container(service):
    client = service.create_container(f"c-{uuid.uuid4().hex[:12]}")
    yield client
    client.delete_container()


def block_id(text):
    return base64.b64encode(text.encode()).decode()


# Containers


def test_container_life(service):
    name = f"c-{uuid.uuid4().hex[:12]}"
    client = service.create_container(name, metadata={"owner": "tests"})
    with pytest.raises(ResourceExistsError) as error:
        service.create_container(name)
    assert error.value.error_code == "ContainerAlreadyExists"
    assert client.exists()
    properties = client.get_container_properties()
    assert properties.metadata == {"owner": "tests"}
    assert properties.etag.startswith('"')
    assert name in [each.name for each in service.list_containers(name_starts_with=name)]
    assert [each.metadata for each in service.list_containers(name, include_metadata=True)] == [{"owner": "tests"}]
    client.set_container_metadata({"other": "1"})
    assert client.get_container_properties().metadata == {"other": "1"}
    client.delete_container()
    assert not client.exists()
    with pytest.raises(ResourceNotFoundError) as error:
        list(client.list_blobs())
    assert error.value.error_code == "ContainerNotFound"


def test_containers_are_listed_in_pages(service):
    prefix = f"p-{uuid.uuid4().hex[:8]}"
    names = [f"{prefix}-{index}" for index in range(5)]
    for name in names:
        service.create_container(name)
    pages = list(service.list_containers(name_starts_with=prefix, results_per_page=2).by_page())
    assert [[each.name for each in page] for page in pages] == [names[:2], names[2:4], names[4:]]
    for name in names:
        service.delete_container(name)


@pytest.mark.parametrize("name", ["UPPER", "a", "ab--c", "-abc", "x" * 64])
def test_container_names_are_checked(service, name):
    with pytest.raises(HttpResponseError) as error:
        service.create_container(name)
    assert error.value.status_code == 400
    assert error.value.error_code in ("InvalidResourceName", "OutOfRangeInput")


def test_account_and_service_information(service):
    information = service.get_account_information()
    assert information["account_kind"] == "StorageV2"
    assert information["sku_name"]
    assert service.get_service_properties()["delete_retention_policy"].enabled is False


# Reading and writing


@pytest.mark.parametrize("size", [0, 1, 65_536, 5 * MIB + 17])
def test_put_and_get(container, size):
    data = os.urandom(size)
    blob = container.get_blob_client("dir/object.bin")
    blob.upload_blob(
        data,
        metadata={"Purpose": "test", "empty": ""},
        content_settings=ContentSettings(
            content_type="application/x-test", content_encoding="x-test", content_language="de",
            content_disposition='attachment; filename="a.bin"', cache_control="max-age=60",
        ),
    )
    assert blob.download_blob().readall() == data
    properties = blob.get_blob_properties()
    assert properties.size == size
    assert properties.blob_type == "BlockBlob"
    assert properties.metadata == {"Purpose": "test", "empty": ""}
    settings = properties.content_settings
    assert settings.content_type == "application/x-test"
    assert settings.content_encoding == "x-test"
    assert settings.content_language == "de"
    assert settings.content_disposition == 'attachment; filename="a.bin"'
    assert settings.cache_control == "max-age=60"
    assert bytes(settings.content_md5) == hashlib.md5(data).digest()
    assert properties.blob_tier == "Hot"
    assert properties.blob_tier_inferred is True
    assert properties.server_encrypted is True


def test_large_upload_in_parallel_blocks(azure):
    with connect(azure, max_single_put_size=MIB, max_block_size=MIB, max_single_get_size=MIB, max_chunk_get_size=MIB) as s:
        container = s.create_container(f"c-{uuid.uuid4().hex[:12]}")
        data = os.urandom(7 * MIB + 333)
        blob = container.get_blob_client("big")
        blob.upload_blob(data, max_concurrency=4)
        assert blob.download_blob(max_concurrency=4).readall() == data
        committed, uncommitted = blob.get_block_list("all")
        assert sum(block.size for block in committed) == len(data) and not uncommitted
        assert blob.get_blob_properties().content_settings.content_md5 is None
        container.delete_container()


def test_ranges(container):
    data = bytes(range(256)) * 64
    blob = container.get_blob_client("ranges")
    blob.upload_blob(data)
    assert blob.download_blob(offset=100, length=50).readall() == data[100:150]
    assert blob.download_blob(offset=len(data) - 5).readall() == data[-5:]
    assert blob.download_blob(offset=len(data) - 5, length=500).readall() == data[-5:]
    assert blob.download_blob(offset=10, length=1000, validate_content=True).readall() == data[10:1010]
    with pytest.raises(HttpResponseError) as error:
        blob.download_blob(offset=len(data), length=1)
    assert (error.value.status_code, error.value.error_code) == (416, "InvalidRange")


def test_read_is_pinned_by_etag(container):
    blob = container.get_blob_client("pinned")
    first = blob.upload_blob(b"first")["etag"]
    stream = blob.download_blob(etag=first, match_condition=MatchConditions.IfNotModified)
    assert stream.readall() == b"first"
    blob.upload_blob(b"second", overwrite=True)
    with pytest.raises(ResourceModifiedError) as error:
        blob.download_blob(etag=first, match_condition=MatchConditions.IfNotModified)
    assert (error.value.status_code, error.value.error_code) == (412, "ConditionNotMet")


# Listing


def test_listing_flat_and_by_hierarchy(container):
    names = ["a/1", "a/2", "a/b/3", "c", "d/"]
    for name in names:
        container.upload_blob(name, name.encode(), metadata={"name": "x"})
    assert [each.name for each in container.list_blobs()] == names
    assert list(container.list_blob_names(name_starts_with="a/")) == ["a/1", "a/2", "a/b/3"]
    level = sorted(container.walk_blobs(delimiter="/"), key=lambda each: each.name)
    assert [(isinstance(each, BlobPrefix), each.name) for each in level] == [(True, "a/"), (False, "c"), (True, "d/")]
    below = list(container.walk_blobs(name_starts_with="a/", delimiter="/"))
    assert sorted(each.name for each in below) == ["a/1", "a/2", "a/b/"]
    entry = next(iter(container.list_blobs(name_starts_with="c", include=["metadata"])))
    assert entry.metadata == {"name": "x"}
    assert entry.size == 1
    assert bytes(entry.content_settings.content_md5) == hashlib.md5(b"c").digest()
    assert entry.etag == container.get_blob_client("c").get_blob_properties().etag.strip('"')
    assert entry.blob_tier == "Hot"
    assert not next(iter(container.list_blobs(name_starts_with="c"))).metadata


def test_pagination(container):
    names = sorted(f"{index % 7}/{index:03}" for index in range(100))
    for name in names:
        container.upload_blob(name, b"")
    pages = [[each.name for each in page] for page in container.list_blobs(results_per_page=30).by_page()]
    assert [len(page) for page in pages] == [30, 30, 30, 10]
    assert sum(pages, []) == names
    pager = container.walk_blobs(delimiter="/", results_per_page=2).by_page()
    assert [[each.name for each in page] for page in pager] == [["0/", "1/"], ["2/", "3/"], ["4/", "5/"], ["6/"]]
    pager = container.list_blobs(results_per_page=10).by_page()
    next(pager)
    resumed = container.list_blobs(results_per_page=90).by_page(continuation_token=pager.continuation_token)
    assert [each.name for each in next(resumed)] == names[10:]
    assert [each.name for each in container.list_blobs(start_from=names[40])] == names[40:]
    assert [each.name for each in container.list_blobs(name_starts_with="3/", start_from=names[40])] == [
        name for name in names[40:] if name.startswith("3/")
    ]


ODD_NAMES = [
    "a//b", "/leading", "trailing/", "sp ace", "plus+sign", "100%", "%41", "hash#mark", "question?mark", "amp&er=sand",
    "semi;colon:comma,", "quo'te\"s", "<xml>&amp;", "back\\slash", "ümlaut-é-ß", "日本語", "🙂", "tab\there",
    "control\x01\x1f", "del\x7f", "\ufffe", "a b/c d/e", "x" * 1024, "~tilde", "[brackets]{braces}|^`", "e\u0301", "\u00e9",
    "/".join("s" for _ in range(254)),
]


def test_odd_names_travel_unchanged(container):
    for index, name in enumerate(ODD_NAMES):
        blob = container.get_blob_client(name)
        blob.upload_blob(str(index).encode())
        assert blob.download_blob().readall() == str(index).encode(), name
    assert sorted(each.name for each in container.list_blobs()) == sorted(ODD_NAMES)
    assert [each.name for each in container.list_blobs(results_per_page=3)] == sorted(
        ODD_NAMES, key=lambda name: name.encode()
    )
    for name in ODD_NAMES:
        assert [each.name for each in container.list_blobs(name_starts_with=name)][0] == name
        container.delete_blob(name)
    assert not list(container.list_blobs())


@pytest.mark.parametrize("name", ["x" * 1025, "/".join("s" for _ in range(255))])
def test_names_beyond_the_limits_are_refused(container, name):
    with pytest.raises(HttpResponseError) as error:
        container.upload_blob(name, b"")
    assert error.value.status_code == 400
    assert error.value.error_code in ("InvalidUri", "InvalidResourceName")


# Blocks


def test_blobs_without_a_commit_count_in_pages(container):
    for name in ("b", "d", "e"):
        container.upload_blob(name, b"x")
    for name in ("a", "c", "f", "g"):
        container.get_blob_client(name).stage_block(block_id("0000"), b"x")
    pages = container.list_blobs(include=["uncommittedblobs"], results_per_page=2).by_page()
    assert [[each.name for each in page] for page in pages] == [["a", "b"], ["c", "d"], ["e", "f"], ["g"]]

def test_blocks(container):
    blob = container.get_blob_client("blocks")
    ids = [block_id(f"{index:04}") for index in range(4)]
    for index, each in enumerate(ids):
        blob.stage_block(each, bytes([65 + index]) * 10, validate_content=True)
    assert not blob.exists()
    assert [each.name for each in container.list_blobs(include=["uncommittedblobs"])] == ["blocks"]
    assert not list(container.list_blobs())
    committed, uncommitted = blob.get_block_list("all")
    assert not committed and [(each.id, each.size) for each in uncommitted] == [(each, 10) for each in ids]
    digest = b"0123456789abcdef"
    blob.commit_block_list(
        [BlobBlock(each) for each in ids[:3]], content_settings=ContentSettings(content_md5=bytearray(digest)),
        metadata={"m": "1"}, standard_blob_tier=StandardBlobTier.COOL,
    )
    properties = blob.get_blob_properties()
    assert bytes(properties.content_settings.content_md5) == digest, "stored as given, never verified"
    assert properties.blob_tier == "Cool" and properties.metadata == {"m": "1"}
    assert blob.download_blob().readall() == b"A" * 10 + b"B" * 10 + b"C" * 10
    committed, uncommitted = blob.get_block_list("all")
    assert [each.id for each in committed] == ids[:3] and not uncommitted, "blocks left out are dropped"
    # A list may reuse what is committed, in any order and more than once.
    blob.stage_block(ids[3], b"new")
    blob.commit_block_list([BlobBlock(ids[3]), BlobBlock(ids[0]), BlobBlock(ids[0])])
    assert blob.download_blob().readall() == b"new" + b"A" * 20
    with pytest.raises(HttpResponseError) as error:
        blob.commit_block_list([BlobBlock(ids[1])])
    assert (error.value.status_code, error.value.error_code) == (400, "InvalidBlockList")
    # A blob written in one request has no committed blocks, and an empty list makes an empty blob.
    blob.upload_blob(b"whole", overwrite=True)
    assert blob.get_block_list("committed")[0] == []
    blob.commit_block_list([])
    assert blob.get_blob_properties().size == 0


def test_block_ids_have_one_length(container):
    blob = container.get_blob_client("lengths")
    blob.stage_block(block_id("0001"), b"x")
    with pytest.raises(HttpResponseError) as error:
        blob.stage_block(block_id("01"), b"x")
    assert (error.value.status_code, error.value.error_code) == (400, "InvalidBlobOrBlock")
    with pytest.raises(HttpResponseError) as error:
        blob.stage_block(block_id("x" * 65), b"x")
    assert error.value.status_code == 400


def test_commit_is_conditional(container):
    blob = container.get_blob_client("conditional")
    each = block_id("0001")
    blob.stage_block(each, b"one")
    blob.commit_block_list([BlobBlock(each)], match_condition=MatchConditions.IfMissing)
    etag = blob.get_blob_properties().etag
    blob.stage_block(each, b"two")
    with pytest.raises(ResourceExistsError) as error:
        blob.commit_block_list([BlobBlock(each)], match_condition=MatchConditions.IfMissing)
    assert (error.value.status_code, error.value.error_code) == (409, "BlobAlreadyExists")
    blob.commit_block_list([BlobBlock(each)], etag=etag, match_condition=MatchConditions.IfNotModified)
    assert blob.download_blob().readall() == b"two"
    blob.stage_block(each, b"three")
    with pytest.raises(ResourceModifiedError):
        blob.commit_block_list([BlobBlock(each)], etag=etag, match_condition=MatchConditions.IfNotModified)


# Conditions


def test_create_only_and_replace_only(container):
    blob = container.get_blob_client("once")
    with pytest.raises(ResourceModifiedError):
        blob.upload_blob(b"x", overwrite=True, etag='"0x1"', match_condition=MatchConditions.IfNotModified)
    etag = blob.upload_blob(b"x")["etag"]
    with pytest.raises(ResourceExistsError) as error:
        blob.upload_blob(b"y")
    assert (error.value.status_code, error.value.error_code) == (409, "BlobAlreadyExists")
    blob.upload_blob(b"y", overwrite=True, etag=etag, match_condition=MatchConditions.IfNotModified)
    with pytest.raises(ResourceModifiedError) as error:
        blob.upload_blob(b"z", overwrite=True, etag=etag, match_condition=MatchConditions.IfNotModified)
    assert (error.value.status_code, error.value.error_code) == (412, "ConditionNotMet")
    assert blob.download_blob().readall() == b"y"


def test_conditions_of_reads_and_deletes(container):
    blob = container.get_blob_client("read")
    etag = blob.upload_blob(b"x")["etag"]
    modified = blob.get_blob_properties().last_modified
    with pytest.raises((ResourceNotModifiedError, HttpResponseError)) as error:
        blob.download_blob(etag=etag, match_condition=MatchConditions.IfModified)
    assert error.value.status_code == 304
    with pytest.raises(HttpResponseError) as error:
        blob.download_blob(if_modified_since=modified)
    assert error.value.status_code == 304
    assert blob.download_blob(if_unmodified_since=modified).readall() == b"x"
    with pytest.raises(ResourceModifiedError):
        blob.delete_blob(etag='"0x1"', match_condition=MatchConditions.IfNotModified)
    blob.delete_blob(etag=etag, match_condition=MatchConditions.IfNotModified)
    with pytest.raises(ResourceNotFoundError) as error:
        blob.delete_blob()
    assert error.value.error_code == "BlobNotFound"
    with pytest.raises(ResourceNotFoundError):
        blob.get_blob_properties()


# Metadata, properties, tags, tiers, snapshots


def test_metadata_and_properties(container):
    blob = container.get_blob_client("meta")
    blob.upload_blob(b"x", metadata={"a_b": "1", "a1": "2", "A_2": "3", "_x": "4"})
    assert blob.get_blob_properties().metadata == {"a_b": "1", "a1": "2", "A_2": "3", "_x": "4"}
    before = blob.get_blob_properties().etag
    blob.set_blob_metadata({"only": "this"})
    properties = blob.get_blob_properties()
    assert properties.metadata == {"only": "this"} and properties.etag != before
    assert properties.content_settings.content_md5 is not None
    blob.set_http_headers(ContentSettings(content_type="text/x"))
    settings = blob.get_blob_properties().content_settings
    assert settings.content_type == "text/x" and settings.content_md5 is None, "what is not sent is cleared"
    assert blob.get_blob_properties().metadata == {"only": "this"}


@pytest.mark.parametrize("metadata", [{"a-b": "1"}, {"1a": "1"}, {"a.b": "1"}])
def test_metadata_names_are_identifiers(container, metadata):
    with pytest.raises(HttpResponseError) as error:
        container.upload_blob("bad", b"x", metadata=metadata)
    assert (error.value.status_code, error.value.error_code) == (400, "InvalidMetadata")


def test_metadata_is_limited(container):
    container.upload_blob("limit", b"x", metadata={"k": "v" * 8191})
    with pytest.raises(HttpResponseError) as error:
        container.upload_blob("limit", b"x", metadata={"k": "v" * 8192}, overwrite=True)
    assert (error.value.status_code, error.value.error_code) == (400, "MetadataTooLarge")


def test_tags(container):
    blob = container.get_blob_client("tagged")
    blob.upload_blob(b"x", tags={"project": "a b", "stage": "1"})
    assert blob.get_blob_tags() == {"project": "a b", "stage": "1"}
    assert blob.get_blob_properties().tag_count == 2
    blob.set_blob_tags({"stage": "2"})
    assert blob.get_blob_tags() == {"stage": "2"}


def test_archived_blobs_cannot_be_read(container):
    blob = container.get_blob_client("archived")
    blob.upload_blob(b"x", standard_blob_tier=StandardBlobTier.ARCHIVE)
    with pytest.raises(HttpResponseError) as error:
        blob.download_blob()
    assert (error.value.status_code, error.value.error_code) == (409, "BlobArchived")
    assert blob.get_blob_properties().blob_tier == "Archive"
    assert next(iter(container.list_blobs())).blob_tier == "Archive"
    blob.set_standard_blob_tier(StandardBlobTier.HOT, rehydrate_priority="High")
    assert blob.get_blob_properties().archive_status == "rehydrate-pending-to-hot"
    with pytest.raises(HttpResponseError) as error:
        blob.set_standard_blob_tier(StandardBlobTier.COOL)
    assert error.value.error_code == "BlobBeingRehydrated"
    blob.upload_blob(b"y", overwrite=True, standard_blob_tier=StandardBlobTier.COLD)
    assert blob.get_blob_properties().blob_tier == "Cold" and blob.download_blob().readall() == b"y"


def test_snapshots(container):
    blob = container.get_blob_client("snap")
    blob.upload_blob(b"old")
    snapshot = blob.create_snapshot()["snapshot"]
    blob.upload_blob(b"new", overwrite=True)
    assert container.get_blob_client("snap", snapshot=snapshot).download_blob().readall() == b"old"
    assert [each.snapshot for each in container.list_blobs(include=["snapshots"])] == [snapshot, None]
    with pytest.raises(ResourceExistsError) as error:
        blob.delete_blob()
    assert (error.value.status_code, error.value.error_code) == (409, "SnapshotsPresent")
    blob.delete_blob(delete_snapshots="only")
    assert blob.download_blob().readall() == b"new"
    blob.create_snapshot()
    blob.delete_blob(delete_snapshots="include")
    assert not list(container.list_blobs(include=["snapshots"]))


def test_leases(container):
    blob = container.get_blob_client("leased")
    blob.upload_blob(b"x")
    lease = blob.acquire_lease(15)
    assert blob.get_blob_properties().lease.state == "leased"
    assert next(iter(container.list_blobs())).lease.state == "leased"
    for change in (lambda: blob.upload_blob(b"y", overwrite=True), blob.delete_blob, lambda: blob.stage_block("1", b"x"),
                   lambda: blob.set_blob_metadata({"a": "b"})):
        with pytest.raises(HttpResponseError) as error:
            change()
        assert (error.value.status_code, error.value.error_code) == (412, "LeaseIdMissing")
    with pytest.raises(HttpResponseError) as error:
        blob.acquire_lease(15)
    assert error.value.error_code == "LeaseAlreadyPresent"
    blob.upload_blob(b"z", overwrite=True, lease=lease)
    lease.renew()
    lease.release()
    with pytest.raises(HttpResponseError) as error:
        blob.delete_blob(lease=str(uuid.uuid4()))
    assert error.value.error_code == "LeaseNotPresentWithBlobOperation"
    lease = blob.acquire_lease()
    lease.break_lease()
    blob.delete_blob()


def test_encryption_scopes(container):
    """Whole blobs, blobs of blocks and copies are under the scope that they name, and under the account's key without one."""
    container.upload_blob("whole", b"x", encryption_scope="scope-1")
    blob = container.get_blob_client("blocks")
    blob.stage_block(block_id("1"), b"x", encryption_scope="scope-2")
    blob.commit_block_list([BlobBlock(block_id("1"))], encryption_scope="scope-2")
    container.upload_blob("plain", b"x")
    assert container.get_blob_client("whole").get_blob_properties().encryption_scope == "scope-1"
    assert blob.get_blob_properties().encryption_scope == "scope-2"
    assert blob.download_blob().properties.encryption_scope == "scope-2"
    listed = {each.name: each.encryption_scope for each in container.list_blobs()}
    assert listed == {"whole": "scope-1", "blocks": "scope-2", "plain": None}
    with pytest.raises(HttpResponseError) as error:
        container.upload_blob("bad", b"x", encryption_scope="not a scope")
    assert error.value.error_code == "InvalidHeaderValue"


# Many at once


def test_batch_delete(container):
    names = [f"batch/{index:03} +%#ü" for index in range(60)]
    for name in names:
        container.upload_blob(name, b"x")
    replies = list(container.delete_blobs(*names[:50]))
    assert [reply.status_code for reply in replies] == [202] * 50
    replies = list(container.delete_blobs("absent", *names[50:], raise_on_any_failure=False))
    assert [reply.status_code for reply in replies] == [404] + [202] * 10
    assert not list(container.list_blobs())


def test_batch_set_tier(container):
    for name in ("a", "b"):
        container.upload_blob(name, b"x")
    assert [reply.status_code for reply in container.set_standard_blob_tier_blobs("Cool", "a", "b")] == [200, 200]
    assert [each.blob_tier for each in container.list_blobs()] == ["Cool", "Cool"]
