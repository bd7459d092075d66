"""Servers that nobody here wrote: moto for S3, gcp-storage-emulator, and `rclone serve s3` for the clones that lack much.

Each is one process for a whole run, on a free port of loopback, and ends with it.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
import uuid

import boto3
import pytest
import requests

from lockstep_binary import Lockstep
from locations import GCSLocation, S3Location, s3_client


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def served(command, url, log):
    """Runs a server until the block ends; it answers before the block begins."""
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(url, timeout=10)
                break
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, "the server did not open its port"
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class S3Server:
    """An S3 endpoint with one key that it knows."""

    def __init__(self, endpoint, access_key, secret_key, directory=None):
        self.endpoint, self.access_key, self.secret_key, self.directory = endpoint, access_key, secret_key, directory

    @property
    def environment(self):
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint, "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key, "AWS_REGION": "us-east-1",
        }

    def bucket(self):
        name = f"b-{uuid.uuid4().hex[:12]}"
        client = s3_client(self.endpoint, self.access_key, self.secret_key)
        client.create_bucket(Bucket=name)
        return S3Location(client, name)


@pytest.fixture(scope="session")
def moto(tmp_path_factory):
    """moto with an IAM user, after which it verifies every signature."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    # Host names of the form 127.0.0.1 are no buckets.
    os.environ["S3_IGNORE_SUBDOMAIN_BUCKETNAME"] = "true"
    with served(command, f"{endpoint}/moto-api/", tmp_path_factory.mktemp("moto") / "log"):
        settings = {"endpoint_url": endpoint, "region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
        iam = boto3.client("iam", **settings)
        iam.create_user(UserName="tests")
        policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
        iam.put_user_policy(UserName="tests", PolicyName="all", PolicyDocument=policy)
        key = iam.create_access_key(UserName="tests")["AccessKey"]
        answer = requests.post(f"{endpoint}/moto-api/reset-auth", data="0", headers={"Content-Type": "text/plain"}, timeout=10)
        assert answer.status_code == 200, answer.text
        yield S3Server(endpoint, key["AccessKeyId"], key["SecretAccessKey"])


@pytest.fixture(scope="session")
def rclone_s3(tmp_path_factory):
    from conftest import tool

    directory = tmp_path_factory.mktemp("rclone-s3")
    port = free_port()
    address = f"127.0.0.1:{port}"
    command = [tool("rclone"), "serve", "s3", "--addr", address, "--auth-key", "AKIDRCLONE,rclone-secret", str(directory)]
    with served(command, f"http://{address}/", tmp_path_factory.mktemp("rclone-log") / "log"):
        yield S3Server(f"http://{address}", "AKIDRCLONE", "rclone-secret", directory)


@pytest.fixture(scope="session")
def gcs_emulator(tmp_path_factory):
    """gcp-storage-emulator: the JSON API without preconditions, and no XML API."""
    from conftest import tool

    port = free_port()
    command = [tool("gcp-storage-emulator"), "start", "--host", "127.0.0.1", "--port", str(port), "--in-memory"]
    with served(command, f"http://127.0.0.1:{port}/", tmp_path_factory.mktemp("gcs-emulator") / "log"):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def google_bucket(gcs_emulator):
    def make():
        client = GCSLocation.connect(gcs_emulator)
        name = f"b-{uuid.uuid4().hex[:12]}"
        client.create_bucket(name)
        return GCSLocation(client, name)

    return make


@pytest.fixture
def user(tmp_path, sim):
    """A `lockstep` that meets a foreign server at one side and CloudSim, or another foreign one, at the other."""

    def make(server, **environment):
        return Lockstep(tmp_path, {**sim.environment, **server.environment, **environment})

    return make
