"""rclone's azureblob backend and obstore against CloudSim's Azure Blob front end."""

import datetime
import hashlib
import os
import types
import uuid

import obstore
import pytest
import requests
from azure.storage.blob import BlobServiceClient
from obstore.exceptions import AlreadyExistsError, GenericError, PermissionDeniedError, PreconditionError
from obstore.store import AzureStore

from azure_account import azure  # a fixture

MIB = 1024 * 1024


@pytest.fixture
def container(azure):
    with BlobServiceClient(azure.url, credential=azure.key, retry_total=0) as service:
        client = service.create_container(f"c-{uuid.uuid4().hex[:12]}")
        yield client
        client.delete_container()


# rclone


@pytest.fixture
def rclone(azure, run_tool):
    environment = {
        "RCLONE_CONFIG_AZ_TYPE": "azureblob",
        "RCLONE_CONFIG_AZ_ACCOUNT": azure.account,
        "RCLONE_CONFIG_AZ_KEY": azure.key,
        "RCLONE_CONFIG_AZ_ENDPOINT": azure.url,
    }

    def run(*arguments, expect=0):
        done = run_tool(
            "rclone", "--retries", "1", "--low-level-retries", "1", *arguments, environment=environment, expect=expect
        )
        return types.SimpleNamespace(
            stdout=done.stdout.decode(), stderr=done.stderr.decode(), returncode=done.returncode
        )

    return run


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_rclone_copies_a_tree_there_and_back(rclone, container, tmp_path):
    files = {
        "plain.txt": b"hello", "empty": b"", "dir/sp ace+plus.bin": os.urandom(70_000), "dir/ümlaut/x%41#?.bin": os.urandom(10),
        "big.bin": os.urandom(9 * MIB + 7),
    }
    tree = tmp_path / "tree"
    for name, data in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)
    remote = f"az:{container.container_name}"
    rclone("copy", str(tree), f"{remote}/up", "--azureblob-chunk-size", "4Mi", "--metadata")
    assert sorted(rclone("lsf", "-R", "--files-only", f"{remote}/up").stdout.split("\n")[:-1]) == sorted(files)
    rclone("check", str(tree), f"{remote}/up", "--download")
    rclone("check", str(tree), f"{remote}/up")
    assert "0 differences" in rclone("check", str(tree), f"{remote}/up").stderr
    again = rclone("copy", str(tree), f"{remote}/up", "-v", "--stats-one-line")
    assert "Copied" not in again.stderr
    rclone("copy", f"{remote}/up", str(tmp_path / "back"))
    for name in files:
        assert digest(tmp_path / "back" / name) == digest(tree / name)
    rclone("copy", f"{remote}/up", f"{remote}/server-side")
    rclone("check", f"{remote}/up", f"{remote}/server-side", "--download")
    rclone("delete", f"{remote}/up/dir")
    assert rclone("lsf", f"{remote}/up").stdout.split() == ["big.bin", "empty", "plain.txt"]
    assert rclone("cat", f"{remote}/server-side/plain.txt", "--offset", "1", "--count", "3").stdout == "ell"


def test_rclone_copies_blocks_on_the_server(rclone, container, tmp_path):
    data = os.urandom(9 * MIB)
    container.upload_blob("big", data)
    name = container.container_name
    rclone("copyto", f"az:{name}/big", f"az:{name}/copy", "--azureblob-copy-cutoff", "1Mi", "--azureblob-chunk-size", "4Mi",
           "--azureblob-use-copy-blob=false")
    assert container.download_blob("copy").readall() == data


def test_rclone_lists_pages_and_directories(rclone, container):
    for index in range(25):
        container.upload_blob(f"d{index % 5}/{index}", b"x")
    name = container.container_name
    listed = rclone("lsf", "-R", "--files-only", "--azureblob-list-chunk", "10", f"az:{name}").stdout.split()
    assert sorted(listed) == sorted(f"d{index % 5}/{index}" for index in range(25))
    assert rclone("lsf", "--fast-list", f"az:{name}").stdout.split() == [f"d{index}/" for index in range(5)]


def test_rclone_makes_and_removes_containers(rclone):
    name = f"r-{uuid.uuid4().hex[:12]}"
    rclone("mkdir", f"az:{name}")
    assert f"{name}/" in rclone("lsf", "az:").stdout.split()
    rclone("rmdir", f"az:{name}")
    assert f"{name}/" not in rclone("lsf", "az:").stdout.split()


def test_rclone_with_a_wrong_key_fails(rclone, container):
    done = rclone("lsf", f"az,key='d3Jvbmc=':{container.container_name}", expect=None)
    assert done.returncode != 0
    assert "AuthenticationFailed" in done.stderr


# obstore


@pytest.fixture
def store(azure, container):
    return AzureStore(
        container.container_name, account_name=azure.account, account_key=azure.key, endpoint=azure.url,
        client_options={"allow_http": True}, retry_config={"max_retries": 0},
    )


def test_obstore_put_get_list(store):
    data = os.urandom(100_000)
    result = obstore.put(store, "dir/a b+ü.bin", data, attributes={"Content-Type": "text/x", "Cache-Control": "no-cache", "key_1": "v"})
    assert result["e_tag"].startswith('"')
    reply = obstore.get(store, "dir/a b+ü.bin")
    assert bytes(reply.bytes()) == data
    assert reply.attributes["Content-Type"] == "text/x" and reply.attributes["key_1"] == "v"
    assert bytes(obstore.get_range(store, "dir/a b+ü.bin", start=10, length=20)) == data[10:30]
    ranges = obstore.get_ranges(store, "dir/a b+ü.bin", starts=[0, 50_000], lengths=[5, 5])
    assert [bytes(each) for each in ranges] == [data[:5], data[50_000:50_005]]
    assert obstore.head(store, "dir/a b+ü.bin")["size"] == len(data)
    for index in range(5):
        obstore.put(store, f"list/{index}/x", b"x")
    listed = [each["path"] for page in obstore.list(store, "list") for each in page]
    assert listed == [f"list/{index}/x" for index in range(5)]
    level = obstore.list_with_delimiter(store, "list")
    assert list(level["common_prefixes"]) == [f"list/{index}" for index in range(5)]
    with pytest.raises(FileNotFoundError):
        obstore.get(store, "absent")


def test_obstore_multipart(store):
    data = os.urandom(12 * MIB + 3)
    obstore.put(store, "big", data, use_multipart=True, chunk_size=5 * MIB, max_concurrency=3)
    assert bytes(obstore.get(store, "big").bytes()) == data


def test_obstore_conditional_writes(store):
    first = obstore.put(store, "once", b"1", mode="create")
    with pytest.raises(AlreadyExistsError):
        obstore.put(store, "once", b"2", mode="create")
    obstore.put(store, "once", b"2", mode={"e_tag": first["e_tag"]})
    with pytest.raises(PreconditionError):
        obstore.put(store, "once", b"3", mode={"e_tag": first["e_tag"]})
    assert bytes(obstore.get(store, "once").bytes()) == b"2"
    with pytest.raises(PreconditionError):
        obstore.get(store, "once", options={"if_match": first["e_tag"]})


def test_obstore_copy_rename_delete(store):
    obstore.put(store, "a", b"data")
    obstore.copy(store, "a", "b")
    with pytest.raises(AlreadyExistsError):
        obstore.copy(store, "a", "b", overwrite=False)
    obstore.rename(store, "b", "c")
    assert bytes(obstore.get(store, "c").bytes()) == b"data"
    obstore.delete(store, ["a", "c"])
    assert [each for page in obstore.list(store) for each in page] == []


def test_obstore_signed_urls(store):
    obstore.put(store, "signed", b"data")
    url = obstore.sign(store, "GET", "signed", datetime.timedelta(minutes=5))
    assert requests.get(url, timeout=20).content == b"data"
    reply = requests.put(url, data=b"x", headers={"x-ms-blob-type": "BlockBlob"}, timeout=20)
    assert (reply.status_code, reply.headers["x-ms-error-code"]) == (403, "AuthorizationPermissionMismatch")


def test_obstore_with_a_wrong_key_fails(azure, container):
    wrong = AzureStore(
        container.container_name, account_name=azure.account, account_key="d3Jvbmc=", endpoint=azure.url,
        client_options={"allow_http": True}, retry_config={"max_retries": 0},
    )
    with pytest.raises((PermissionDeniedError, GenericError)):
        obstore.put(wrong, "x", b"x")
