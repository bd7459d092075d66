"""CloudSim's Google Cloud Storage, exercised by gcsfs, obstore and rclone."""

import hashlib
import json
import os

# gcsfs asks Google's control plane for the kind of bucket over gRPC, at Google's own address; not in a test.
os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"

import fsspec
import gcsfs
import obstore
import pytest
import requests
from obstore.store import GCSStore

MIB = 1024 * 1024


@pytest.fixture
def gcs_endpoint(sim):
    return sim.gcs["endpoint"]


@pytest.fixture
def bucket(gcs_endpoint, bucket_name):
    response = requests.post(f"{gcs_endpoint}/storage/v1/b?project=p", json={"name": bucket_name})
    assert response.status_code == 200
    return bucket_name


# gcsfs


@pytest.fixture
def files(gcs_endpoint):
    fsspec.config.conf.clear()
    gcsfs.GCSFileSystem.clear_instance_cache()
    return gcsfs.GCSFileSystem(
        project="test", token="anon", endpoint_url=gcs_endpoint, consistency="md5", skip_instance_cache=True
    )


def test_gcsfs_round_trip(files, bucket):
    for name, size in [("empty", 0), ("small", 1000), ("uneven", 5 * MIB + 7)]:
        data = os.urandom(size)
        files.pipe_file(f"{bucket}/{name}", data)
        assert files.cat_file(f"{bucket}/{name}") == data
        assert files.info(f"{bucket}/{name}")["size"] == size


def test_gcsfs_write_in_blocks(files, bucket):
    data = os.urandom(12 * MIB + 1)
    with files.open(f"{bucket}/dir/blocks", "wb", block_size=5 * MIB, metadata={"a": "b"}) as file:
        for start in range(0, len(data), MIB):
            file.write(data[start : start + MIB])
    assert files.cat_file(f"{bucket}/dir/blocks") == data
    assert files.cat_file(f"{bucket}/dir/blocks", start=MIB, end=MIB + 10) == data[MIB : MIB + 10]
    with files.open(f"{bucket}/dir/blocks", "rb", block_size=MIB) as file:
        file.seek(7 * MIB)
        assert file.read(100) == data[7 * MIB : 7 * MIB + 100]
    assert files.getxattr(f"{bucket}/dir/blocks", "a") == "b"


def test_gcsfs_tree(files, bucket):
    names = ["a/1", "a/ü 2", "a/b/3", "c+d"]
    for name in names:
        files.pipe_file(f"{bucket}/{name}", name.encode())
    assert sorted(files.find(bucket)) == sorted(f"{bucket}/{name}" for name in names)
    assert sorted(files.ls(f"{bucket}/a", detail=False)) == [f"{bucket}/a/1", f"{bucket}/a/b", f"{bucket}/a/ü 2"]
    files.cp_file(f"{bucket}/a/1", f"{bucket}/copy")
    files.mv(f"{bucket}/copy", f"{bucket}/moved")
    assert files.cat_file(f"{bucket}/moved") == b"a/1"
    files.setxattrs(f"{bucket}/moved", colour="blue")
    files.merge(f"{bucket}/merged", [f"{bucket}/a/1", f"{bucket}/a/b/3"])
    assert files.cat_file(f"{bucket}/merged") == b"a/1a/b/3"
    files.rm(f"{bucket}/a", recursive=True)
    assert sorted(files.find(bucket)) == [f"{bucket}/c+d", f"{bucket}/merged", f"{bucket}/moved"]
    assert not files.exists(f"{bucket}/a/1")


def test_gcsfs_batch_delete(files, bucket, monkeypatch):
    for number in range(5):
        files.pipe_file(f"{bucket}/n {number}", b"x")
    monkeypatch.setattr(type(files), "on_google", property(lambda self: True))
    files.rm([f"{bucket}/n {number}" for number in range(5)])
    assert files.find(bucket) == []


# obstore (object_store of Apache Arrow): the XML interface


@pytest.fixture
def store(gcs_endpoint, bucket):
    return open_store(bucket, service_account_key=json.dumps(anonymous_account(gcs_endpoint)))


def open_store(bucket, **options):
    return GCSStore(bucket, client_options={"allow_http": True}, retry_config={"max_retries": 0}, **options)


def anonymous_account(gcs_endpoint):
    """How object_store is told to use an emulator: it sends an empty bearer token."""
    return {
        "gcs_base_url": gcs_endpoint,
        "disable_oauth": True,
        "client_email": "",
        "private_key": "",
        "private_key_id": "",
    }


def test_obstore_round_trip(store):
    for name, size in [("empty", 0), ("dir/small ü", 1000), ("large", 30 * MIB + 7)]:
        data = os.urandom(size)
        put = obstore.put(store, name, data, attributes={"Content-Type": "a/b", "k": "v"})
        result = obstore.get(store, name)
        assert bytes(result.bytes()) == data
        assert result.meta["size"] == size and result.meta["e_tag"] == put["e_tag"]
        assert result.meta["version"] == put["version"]
        assert result.attributes["Content-Type"] == "a/b" and result.attributes["k"] == "v"
        assert obstore.head(store, name)["size"] == size
    assert [bytes(part) for part in obstore.get_ranges(store, "large", starts=[0, 20 * MIB], lengths=[10, 20])] == [
        data[:10],
        data[20 * MIB : 20 * MIB + 20],
    ]


def test_obstore_conditions(store):
    created = obstore.put(store, "c", b"one", mode="create")
    with pytest.raises(obstore.exceptions.AlreadyExistsError):
        obstore.put(store, "c", b"two", mode="create")
    updated = obstore.put(store, "c", b"two", mode=created)
    with pytest.raises(obstore.exceptions.PreconditionError):
        obstore.put(store, "c", b"three", mode=created)
    with pytest.raises(obstore.exceptions.PreconditionError):
        obstore.get(store, "c", options={"if_match": created["e_tag"]})
    with pytest.raises(obstore.exceptions.NotModifiedError):
        obstore.get(store, "c", options={"if_none_match": updated["e_tag"]})
    with pytest.raises(FileNotFoundError):
        obstore.get(store, "c", options={"version": created["version"]})
    with pytest.raises(FileNotFoundError):
        obstore.get(store, "absent")


def test_obstore_list_copy_delete(store):
    names = ["a/1", "a/2", "b/c/3", "d"]
    for name in names:
        obstore.put(store, name, name.encode())
    assert [item["path"] for item in obstore.list(store).collect()] == names
    assert [item["path"] for item in obstore.list(store, offset="a/1").collect()] == names[1:]
    shallow = obstore.list_with_delimiter(store)
    assert list(shallow["common_prefixes"]) == ["a", "b"]
    assert [item["path"] for item in shallow["objects"]] == ["d"]
    obstore.copy(store, "d", "e f")
    assert bytes(obstore.get(store, "e f").bytes()) == b"d"
    with pytest.raises(obstore.exceptions.AlreadyExistsError):
        obstore.copy(store, "a/1", "d", overwrite=False)
    obstore.rename(store, "e f", "g")
    obstore.delete(store, names)
    assert [item["path"] for item in obstore.list(store).collect()] == ["g"]


# rclone


@pytest.fixture
def rclone(gcs_endpoint, run_tool):
    environment = {
        "RCLONE_CONFIG_SIM_TYPE": "google cloud storage",
        "RCLONE_CONFIG_SIM_ANONYMOUS": "true",
        "RCLONE_CONFIG_SIM_BUCKET_POLICY_ONLY": "true",
        "RCLONE_CONFIG_SIM_ENDPOINT": f"{gcs_endpoint}/storage/v1/",
        "RCLONE_CONFIG_SIM_PROJECT_NUMBER": "1",
        "RCLONE_RETRIES": "1",
        "RCLONE_LOW_LEVEL_RETRIES": "1",
    }

    def run(*arguments):
        return run_tool("rclone", *arguments, environment=environment).stdout.decode()

    return run


def test_rclone_sync_and_check(rclone, bucket, tmp_path):
    source = tmp_path / "source"
    sizes = {"empty": 0, "one": 1, "dir/ü +%#?.bin": 70_000, "big": 40 * MIB + 3}
    for name, size in sizes.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
    rclone("sync", str(source), f"sim:{bucket}/p")
    rclone("check", str(source), f"sim:{bucket}/p")
    rclone("check", "--download", str(source), f"sim:{bucket}/p")
    listed = json.loads(rclone("lsjson", "-R", "--hash", "--files-only", f"sim:{bucket}/p"))
    assert {item["Path"]: item["Size"] for item in listed} == sizes
    assert all(item["Hashes"]["md5"] == hashlib.md5((source / item["Path"]).read_bytes()).hexdigest() for item in listed)

    (source / "one").unlink()
    os.utime(source / "big", (1_000_000_000, 1_000_000_000))
    rclone("sync", "--fast-list", str(source), f"sim:{bucket}/p")
    rclone("sync", f"sim:{bucket}/p", f"sim:{bucket}/q")
    rclone("copy", f"sim:{bucket}/q", str(tmp_path / "back"))
    for name, size in sizes.items():
        back = tmp_path / "back" / name
        if name == "one":
            assert not back.exists()
        else:
            assert back.read_bytes() == (source / name).read_bytes()
    rclone("purge", f"sim:{bucket}")
    assert bucket not in rclone("lsf", "sim:")


def test_rclone_reads_a_range(rclone, bucket, tmp_path):
    (tmp_path / "f").write_bytes(b"0123456789")
    rclone("copy", str(tmp_path / "f"), f"sim:{bucket}")
    assert rclone("cat", "--offset", "3", "--count", "4", f"sim:{bucket}/f") == "3456"
