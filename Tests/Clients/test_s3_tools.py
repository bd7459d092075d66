"""CloudSim's S3 API, exercised by AWS's C client, s5cmd, rclone and obstore."""

import datetime
import os
import random

import obstore
import pytest
from awscrt.auth import AwsCredentialsProvider
from awscrt.http import HttpHeaders, HttpRequest
from awscrt.io import ClientBootstrap, DefaultHostResolver, EventLoopGroup, TlsConnectionOptions
from awscrt.s3 import (
    S3ChecksumAlgorithm,
    S3ChecksumConfig,
    S3ChecksumLocation,
    S3Client,
    S3RequestTlsMode,
    S3RequestType,
    create_default_s3_signing_config,
)
from obstore.store import S3Store

from conftest import ODD_KEYS
from test_s3 import MIB, body_of, bucket, connect, s3  # noqa: F401


@pytest.fixture
def files(tmp_path):
    """A small tree with a file that needs several parts."""
    generator = random.Random(7)
    root = tmp_path / "files"
    contents = {
        "empty": b"",
        "small.txt": b"hello",
        "dir/with space+plus.bin": generator.randbytes(70_000),
        "dir/deep/ünï-日本.bin": generator.randbytes(1_000),
        "big.bin": generator.randbytes(23 * MIB + 17),
    }
    for name, data in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root, contents


def stored(s3, bucket, prefix=""):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return {key.removeprefix(prefix): body_of(s3.get_object(Bucket=bucket, Key=key)) for key in keys}


def read_tree(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


# MARK: awscrt


class CommonRuntime:
    """AWS's C client over plain HTTP."""

    def __init__(self, sim):
        self.host = sim.s3["endpoint"].removeprefix("http://")
        group = EventLoopGroup(1)
        credentials = AwsCredentialsProvider.new_static(sim.s3["accessKey"], sim.s3["secretKey"])
        self.client = S3Client(
            bootstrap=ClientBootstrap(group, DefaultHostResolver(group)),
            region=sim.s3["region"],
            signing_config=create_default_s3_signing_config(
                region=sim.s3["region"], credential_provider=credentials
            ),
            tls_mode=S3RequestTlsMode.DISABLED,
            part_size=5 * MIB,
            throughput_target_gbps=1,
        )

    def run(self, kind, method, path, headers=(), body=None, **options):
        received = {"body": bytearray(), "status": None, "headers": {}}

        def on_headers(status_code, headers, **_):
            received["status"], received["headers"] = status_code, {name.lower(): value for name, value in headers}

        def on_body(chunk, offset, **_):
            end = offset + len(chunk)
            if len(received["body"]) < end:
                received["body"].extend(bytes(end - len(received["body"])))
            received["body"][offset:end] = chunk

        request = HttpRequest(method, path, HttpHeaders([("host", self.host), *headers]), body)
        future = self.client.make_request(
            type=kind, request=request, on_headers=on_headers, on_body=on_body, **options
        ).finished_future
        future.result(timeout=60)
        return received


@pytest.mark.parametrize("algorithm", ["CRC64NVME", "CRC32C", "CRC32"])
@pytest.mark.parametrize("size", [10, 23 * MIB + 1])
def test_awscrt_upload_and_download(sim, s3, bucket, tmp_path, algorithm, size):
    runtime = CommonRuntime(sim)
    data = os.urandom(size)
    path = tmp_path / "data"
    path.write_bytes(data)
    checksum = S3ChecksumConfig(
        algorithm=S3ChecksumAlgorithm[algorithm], location=S3ChecksumLocation.TRAILER, validate_response=True
    )
    runtime.run(
        S3RequestType.PUT_OBJECT, "PUT", f"/{bucket}/dir/k", [("content-length", str(size)), ("content-type", "text/x")],
        send_filepath=str(path), checksum_config=checksum,
    )
    head = s3.head_object(Bucket=bucket, Key="dir/k", ChecksumMode="ENABLED")
    assert head["ContentLength"] == size and f"Checksum{algorithm}" in head and head["ContentType"] == "text/x"
    answer = runtime.run(
        S3RequestType.GET_OBJECT, "GET", f"/{bucket}/dir/k", checksum_config=S3ChecksumConfig(validate_response=True)
    )
    assert bytes(answer["body"]) == data


# MARK: s5cmd


def s5cmd_environment(sim):
    return {
        "AWS_ACCESS_KEY_ID": sim.s3["accessKey"], "AWS_SECRET_ACCESS_KEY": sim.s3["secretKey"],
        "AWS_REGION": sim.s3["region"], "S3_ENDPOINT_URL": sim.s3["endpoint"],
    }


def test_s5cmd(sim, s3, bucket, files, run_tool, tmp_path):
    root, contents = files
    environment = s5cmd_environment(sim)

    def s5cmd(*arguments, **options):
        return run_tool("s5cmd", *arguments, environment=environment, **options).stdout.decode()

    s5cmd("cp", "--part-size", 5, f"{root}/", f"s3://{bucket}/in/")
    assert stored(s3, bucket, "in/") == contents
    listed = s5cmd("ls", f"s3://{bucket}/in/*")
    assert all(name in listed for name in contents)
    s5cmd("cp", f"s3://{bucket}/in/*", f"{tmp_path}/out/")
    assert read_tree(tmp_path / "out") == contents
    s5cmd("cp", f"s3://{bucket}/in/*", f"s3://{bucket}/copy/")
    assert stored(s3, bucket, "copy/") == contents
    assert s5cmd("cat", f"s3://{bucket}/in/small.txt") == "hello"
    s5cmd("rm", f"s3://{bucket}/in/*")
    assert stored(s3, bucket, "in/") == {}
    environment["AWS_SECRET_ACCESS_KEY"] = "wrong"
    s5cmd("ls", f"s3://{bucket}", expect=1)


# MARK: rclone


def rclone_environment(sim):
    return {
        "RCLONE_CONFIG_SIM_TYPE": "s3", "RCLONE_CONFIG_SIM_PROVIDER": "Other",
        "RCLONE_CONFIG_SIM_ENDPOINT": sim.s3["endpoint"], "RCLONE_CONFIG_SIM_REGION": sim.s3["region"],
        "RCLONE_CONFIG_SIM_ACCESS_KEY_ID": sim.s3["accessKey"],
        "RCLONE_CONFIG_SIM_SECRET_ACCESS_KEY": sim.s3["secretKey"], "RCLONE_CONFIG_SIM_FORCE_PATH_STYLE": "true",
    }


def test_rclone(sim, s3, bucket, files, run_tool, tmp_path):
    root, contents = files
    environment = rclone_environment(sim)

    def rclone(*arguments, **options):
        return run_tool("rclone", *arguments, environment=environment, **options)

    flags = ("--s3-upload-cutoff", "8M", "--s3-chunk-size", "5M", "--retries", 1, "--low-level-retries", 1)
    rclone("sync", root, f"sim:{bucket}/in", *flags)
    assert stored(s3, bucket, "in/") == contents
    # Hashes are compared: MD5 ETags of single uploads, MD5 in metadata of multipart ones.
    rclone("check", root, f"sim:{bucket}/in")
    rclone("copy", f"sim:{bucket}/in", tmp_path / "out", "--multi-thread-cutoff", "8M", "--multi-thread-chunk-size", "5M")
    assert read_tree(tmp_path / "out") == contents
    rclone("copy", f"sim:{bucket}/in", f"sim:{bucket}/copy", "--s3-copy-cutoff", "8M", *flags)
    assert stored(s3, bucket, "copy/") == contents
    second = rclone("sync", root, f"sim:{bucket}/in", "--stats", "0", "-v", *flags)
    assert b"There was nothing to transfer" in second.stderr
    assert rclone("cat", f"sim:{bucket}/in/small.txt", "--offset", 1, "--count", 3).stdout == b"ell"
    rclone("lsf", "-R", "--fast-list", f"sim:{bucket}")
    rclone("purge", f"sim:{bucket}/in")
    assert stored(s3, bucket, "in/") == {}
    environment["RCLONE_CONFIG_SIM_SECRET_ACCESS_KEY"] = "wrong"
    assert b"SignatureDoesNotMatch" in rclone("lsd", "sim:", "--retries", 1, expect=1).stderr


# MARK: obstore


def obstore_store(sim, bucket, **options):
    return S3Store(
        bucket, endpoint=sim.s3["endpoint"], region=sim.s3["region"], access_key_id=sim.s3["accessKey"],
        secret_access_key=sim.s3["secretKey"], client_options={"allow_http": True}, retry_config={"max_retries": 0},
        virtual_hosted_style_request=False, **options,
    )


@pytest.mark.parametrize("checksum", [None, "sha256", "crc64nvme"])
def test_obstore(sim, bucket, checksum):
    options = {"config": {"checksum_algorithm": checksum}} if checksum == "sha256" else {}
    store = obstore_store(sim, bucket, **options)
    data = os.urandom(17 * MIB + 3)
    obstore.put(store, "dir/big", data, chunk_size=5 * MIB, use_multipart=True)
    obstore.put(store, "dir/small", b"small", attributes={"Content-Type": "text/x", "a": "1"})
    assert bytes(obstore.get(store, "dir/big").bytes()) == data
    assert bytes(obstore.get_range(store, "dir/big", start=5, end=25)) == data[5:25]
    ranges = obstore.get_ranges(store, "dir/big", starts=[0, 9_000_000], ends=[10, 9_000_010])
    assert [bytes(piece) for piece in ranges] == [data[:10], data[9_000_000:9_000_010]]
    meta = obstore.head(store, "dir/small")
    assert meta["size"] == 5 and meta["last_modified"] <= datetime.datetime.now(datetime.timezone.utc)
    listed = [item["path"] for page in obstore.list(store) for item in page]
    assert listed == ["dir/big", "dir/small"]
    assert obstore.list_with_delimiter(store)["common_prefixes"] == ["dir"]
    obstore.copy(store, "dir/small", "copy")
    assert bytes(obstore.get(store, "copy").bytes()) == b"small"
    obstore.delete(store, ["dir/big", "dir/small", "copy"])
    assert [item for page in obstore.list(store) for item in page] == []


def test_obstore_conditions(sim, bucket):
    store = obstore_store(sim, bucket)
    first = obstore.put(store, "k", b"1", mode="create")
    with pytest.raises(obstore.exceptions.AlreadyExistsError):
        obstore.put(store, "k", b"2", mode="create")
    second = obstore.put(store, "k", b"2", mode={"e_tag": first["e_tag"]})
    with pytest.raises(obstore.exceptions.PreconditionError):
        obstore.put(store, "k", b"3", mode={"e_tag": first["e_tag"]})
    with pytest.raises(obstore.exceptions.PreconditionError):
        obstore.get(store, "k", options={"if_match": first["e_tag"]})
    assert bytes(obstore.get(store, "k", options={"if_match": second["e_tag"]}).bytes()) == b"2"
    with pytest.raises(FileNotFoundError):
        obstore.get(store, "absent")


def test_obstore_odd_keys(sim, s3, bucket):
    """obstore's own paths have no empty segments and no dots; what it can name, it finds."""
    store = obstore_store(sim, bucket)
    keys = [key for key in ODD_KEYS if "//" not in key and "/." not in key and not key.endswith("/")]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    listed = {item["path"] for page in obstore.list(store) for item in page}
    assert len(listed) == len(keys)
    for path in listed:
        assert obstore.head(store, path)["size"] > 0
