"""The contract that every store passes, held against S3 servers that nobody here wrote.

The checks themselves are Swift (`Tests/StoreConformance`); `S3PeerTests` says what each server is known to lack.
"""

import os
import pathlib
import socket
import subprocess
import time

import boto3
import pytest
import requests
from conftest import tool

ROOT = pathlib.Path(__file__).parents[2]
BUCKET = "contract"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(process, url):
    deadline = time.monotonic() + 30
    while True:
        assert process.poll() is None, f"the server ended with {process.returncode}"
        try:
            return requests.get(url, timeout=5)
        except requests.ConnectionError:
            assert time.monotonic() < deadline, "the server did not open its port in 30 seconds"
            time.sleep(0.1)


def start_moto(directory):
    """moto, which verifies signatures once an IAM key exists and its counter of free requests is set to none."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    log = open(directory / "moto.log", "wb")
    process = subprocess.Popen(
        [tool("moto_server"), "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log,
        env={**os.environ, "S3_IGNORE_SUBDOMAIN_BUCKETNAME": "1"},
    )
    wait_for(process, f"{endpoint}/moto-api/")
    anybody = {
        "endpoint_url": endpoint, "aws_access_key_id": "x", "aws_secret_access_key": "y", "region_name": "us-east-1",
    }
    iam = boto3.client("iam", **anybody)
    iam.create_user(UserName="contract")
    allowed = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
    iam.put_user_policy(UserName="contract", PolicyName="all", PolicyDocument=allowed)
    key = iam.create_access_key(UserName="contract")["AccessKey"]
    boto3.client("s3", **anybody).create_bucket(Bucket=BUCKET)
    answer = requests.post(
        f"{endpoint}/moto-api/reset-auth", data="0", headers={"Content-Type": "text/plain"}, timeout=10
    )
    assert answer.ok, answer.text
    return process, endpoint, key["AccessKeyId"], key["SecretAccessKey"]


def start_rclone(directory):
    """`rclone serve s3` stands for the clones that ignore conditions and checksums and cannot copy parts."""
    port = free_port()
    data = directory / "data"
    (data / BUCKET).mkdir(parents=True)
    log = open(directory / "rclone.log", "wb")
    process = subprocess.Popen(
        [
            tool("rclone"), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", "CONTRACT,contract-secret",
            str(data),
        ],
        stdout=log, stderr=log, env={**os.environ, "RCLONE_CONFIG": str(directory / "rclone.conf")},
    )
    endpoint = f"http://127.0.0.1:{port}"
    wait_for(process, endpoint)
    return process, endpoint, "CONTRACT", "contract-secret"


@pytest.mark.parametrize("name, start", [("moto", start_moto), ("rclone", start_rclone)])
def test_the_store_keeps_its_contract(name, start, tmp_path):
    process, endpoint, access_key, secret_key = start(tmp_path)
    try:
        result = subprocess.run(
            ["swift", "test", "-c", "release", "--skip-build", "--filter", "S3PeerTests"], cwd=ROOT,
            env={**os.environ, "LOCKSTEP_S3_PEERS": f"{name} {endpoint} {access_key} {secret_key} {BUCKET}"},
            capture_output=True, text=True, timeout=600,
        )
    finally:
        process.terminate()
        process.wait(timeout=20)
    told = [line for line in (result.stdout + result.stderr).splitlines() if "✘" in line or "error:" in line]
    assert result.returncode == 0, "\n".join(told)
    assert "with 1 test in 1 suite passed" in result.stdout + result.stderr, "the checks did not run"
