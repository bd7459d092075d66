"""The faults that a replication must survive, on each of the three clouds, as its own client sees them."""

import boto3
import pytest
from azure.core.exceptions import AzureError
from azure.storage.blob import BlobServiceClient
from botocore.config import Config
from botocore.exceptions import ClientError
from google.api_core.exceptions import GoogleAPICallError
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import InvalidOperation
from google.cloud import storage


class S3:
    cloud, read_operation = "s3", "GetObject"

    def __init__(self, sim, bucket):
        self.bucket = bucket
        self.client = boto3.client(
            "s3", endpoint_url=sim.s3["endpoint"], aws_access_key_id=sim.s3["accessKey"],
            aws_secret_access_key=sim.s3["secretKey"], region_name=sim.s3["region"],
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )

    def put(self, key, data):
        self.client.put_object(Bucket=self.bucket, Key=key, Body=data)

    def read(self, key, first, last):
        answer = self.client.get_object(Bucket=self.bucket, Key=key, Range=f"bytes={first}-{last}")
        return answer["ETag"], answer["Body"].read()

    def keys(self):
        return [item["Key"] for item in self.client.list_objects_v2(Bucket=self.bucket).get("Contents", [])]

    def status(self, call, *arguments):
        try:
            call(*arguments)
            return 200
        except ClientError as error:
            return error.response["ResponseMetadata"]["HTTPStatusCode"]


class GCS:
    cloud, read_operation = "gcs", "GetObject"

    def __init__(self, sim, bucket):
        client = storage.Client(
            project="test", credentials=AnonymousCredentials(), client_options={"api_endpoint": sim.gcs["endpoint"]}
        )
        self.client, self.bucket = client, client.bucket(bucket)

    def put(self, key, data):
        self.bucket.blob(key).upload_from_string(data, retry=None)

    def read(self, key, first, last):
        blob = self.bucket.blob(key)
        data = blob.download_as_bytes(start=first, end=last, retry=None)
        return str(blob.generation), data

    def keys(self):
        return [blob.name for blob in self.client.list_blobs(self.bucket, retry=None)]

    def status(self, call, *arguments):
        try:
            call(*arguments)
            return 200
        except GoogleAPICallError as error:
            return error.code
        except InvalidOperation:
            return 401  # upon which the client wants another token


class Azure:
    cloud, read_operation = "azure", "GetBlob"

    def __init__(self, sim, bucket):
        service = BlobServiceClient(sim.azure["endpoint"], credential=sim.azure["key"], retry_total=0)
        self.container = service.get_container_client(bucket)

    def put(self, key, data):
        self.container.upload_blob(key, data, overwrite=True)

    def read(self, key, first, last):
        stream = self.container.download_blob(key, offset=first, length=last - first + 1)
        return stream.properties.etag, stream.readall()

    def keys(self):
        return [blob.name for blob in self.container.list_blobs()]

    def status(self, call, *arguments):
        try:
            call(*arguments)
            return 200
        except AzureError as error:
            return error.status_code


@pytest.fixture(params=[S3, GCS, Azure], ids=lambda kind: kind.cloud)
def store(request, sim, bucket_name):
    sim.create_bucket(request.param.cloud, bucket_name)
    return request.param(sim, bucket_name)


def test_a_listing_hides_a_key(sim, store):
    for key in ("a", "b", "c"):
        store.put(key, b"x")
    rule = sim.add_fault(action="list-hide-key", cloud=store.cloud, key="b")
    assert store.keys() == ["a", "c"] and sim.fired(rule) == 1
    assert store.read("b", 0, 0)[1] == b"x", "only the listing lies"


def test_credentials_expire_in_the_middle(sim, store):
    store.put("k", b"data")
    rule = sim.add_fault(action="expire-credentials", cloud=store.cloud, operation=store.read_operation, nth=2)
    expired = {"s3": 400, "gcs": 401, "azure": 403}[store.cloud]
    assert [store.status(store.read, "k", 0, 3) for _ in range(3)] == [200, expired, 200]
    assert sim.fired(rule) == 1


def test_an_object_is_replaced_between_ranges(sim, store):
    store.put("k", bytes(1000))
    rule = sim.add_fault(
        action="replace-object-between-ranges", cloud=store.cloud, operation=store.read_operation, key="k", nth=2
    )
    first, second = store.read("k", 0, 9), store.read("k", 10, 19)
    assert first[1] == bytes(10) and len(second[1]) == 10 and second[1] != bytes(10)
    assert first[0] != second[0] and sim.fired(rule) == 1


def test_an_object_is_deleted_between_ranges(sim, store):
    store.put("k", bytes(1000))
    rule = sim.add_fault(
        action="delete-object-between-ranges", cloud=store.cloud, operation=store.read_operation, key="k", nth=2
    )
    assert [store.status(store.read, "k", first, first + 9) for first in (0, 10)] == [200, 404]
    assert store.keys() == [] and sim.fired(rule) == 1


def test_requests_above_a_rate_are_refused(sim, store):
    keys = ["a/1", "a/2", "b/1", "b/2"]
    for key in keys:
        store.put(key, b"x")
    rule = sim.add_fault(action="rate-limit", cloud=store.cloud, operation=store.read_operation, requestsPerSecond=0.01)
    slow = {"s3": 503, "gcs": 429, "azure": 503}[store.cloud]
    assert [store.status(store.read, key, 0, 0) for key in keys] == [200, slow, 200, slow]
    assert sim.fired(rule) == 2
