"""Buckets, containers and directories as their own clients see them: boto3, google-cloud-storage, azure-storage-blob, the file system.

Tests put objects by these clients and look at what `lockstep` made of them by these clients.
"""

import json
import os
import pathlib
import uuid

import boto3
import pytest
from azure.storage.blob import BlobServiceClient, ContentSettings
from botocore.config import Config
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

MIB = 1024 * 1024
#: Attributes that travel, as these classes name them.
HEADERS = ("content_type", "content_encoding", "content_language", "content_disposition", "cache_control")


def s3_client(endpoint, access_key, secret_key, region="us-east-1"):
    return boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id=access_key, aws_secret_access_key=secret_key, region_name=region,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


def without_marks(metadata):
    """User metadata without what lockstep writes for itself."""
    return {name: value for name, value in (metadata or {}).items() if not name.startswith("lockstep_")}


def is_manifest(key):
    """Whether the key belongs to the manifest that a run publishes at its target."""
    return key.startswith(".lockstep/manifest/") or "/.lockstep/manifest/" in key


class Location:
    """A place for objects; `keys` leaves the published manifest out. `put` takes HEADERS and `metadata`; `attributes` gives back those that are set."""

    @property
    def scope(self):
        """What the simulator's fault rules call the bucket."""
        return self.url.rstrip("/").rsplit("/", 1)[1]

    def fill(self, objects):
        for key, value in objects.items():
            data, attributes = value if isinstance(value, tuple) else (value, {})
            self.put(key, data, **attributes)
        return self

    def keys(self):
        return [key for key in self.all_keys() if not is_manifest(key)]

    def content(self):
        """Key → bytes of everything that is there."""
        return {key: self.get(key) for key in self.keys()}

    def visible(self):
        """The content without lockstep's own folder."""
        return {key: data for key, data in self.content().items() if not key.startswith(".lockstep/")}


class S3Location(Location):
    kind = "s3"
    listing = {"ListObjectsV2"}

    def __init__(self, client, bucket, prefix=""):
        self.client, self.bucket, self.prefix = client, bucket, prefix
        self.url = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"

    @classmethod
    def create(cls, sim):
        client = s3_client(sim.s3["endpoint"], sim.s3["accessKey"], sim.s3["secretKey"], sim.s3["region"])
        return cls(client, make_bucket(sim, "s3"))

    def put(self, key, data, metadata=None, **headers):
        fields = {"".join(part.title() for part in name.split("_")): value for name, value in headers.items()}
        self.client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=data, Metadata=metadata or {}, **fields)

    def get(self, key):
        return self.client.get_object(Bucket=self.bucket, Key=self.prefix + key)["Body"].read()

    def version(self, key):
        return self.client.head_object(Bucket=self.bucket, Key=self.prefix + key)["ETag"]

    def attributes(self, key):
        head = self.client.head_object(Bucket=self.bucket, Key=self.prefix + key)
        found = {name: head.get("".join(part.title() for part in name.split("_"))) for name in HEADERS}
        return tidy(found, head["Metadata"])

    def all_keys(self):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        return [item["Key"][len(self.prefix):] for page in pages for item in page.get("Contents", [])]

    def delete(self, key):
        self.client.delete_object(Bucket=self.bucket, Key=self.prefix + key)

    def open_uploads(self):
        return self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])


class GCSLocation(Location):
    kind = "gs"
    listing = {"ListObjects"}

    def __init__(self, client, bucket):
        self.bucket = client.bucket(bucket)
        self.url = f"gs://{bucket}"

    @classmethod
    def create(cls, sim):
        return cls(cls.connect(sim.gcs["endpoint"]), make_bucket(sim, "gcs"))

    @staticmethod
    def connect(endpoint):
        return storage.Client(
            project="test", credentials=AnonymousCredentials(), client_options={"api_endpoint": endpoint}
        )

    def put(self, key, data, metadata=None, **headers):
        blob = self.bucket.blob(key)
        blob.metadata = metadata
        for name, value in headers.items():
            setattr(blob, name, value)
        blob.upload_from_string(data, content_type=headers.get("content_type", "application/octet-stream"))

    def get(self, key):
        return self.bucket.blob(key).download_as_bytes(raw_download=True)

    def version(self, key):
        return self.bucket.get_blob(key).generation

    def attributes(self, key):
        blob = self.bucket.get_blob(key)
        return tidy({name: getattr(blob, name) for name in HEADERS}, blob.metadata)

    def all_keys(self):
        return [blob.name for blob in self.bucket.list_blobs()]

    def delete(self, key):
        self.bucket.blob(key).delete()

    def open_uploads(self):
        return []


class AzureLocation(Location):
    kind = "az"
    listing = {"ListBlobs"}

    def __init__(self, service, account, container):
        self.service = service
        self.container = service.get_container_client(container)
        self.url = f"az://{account}/{container}"

    @classmethod
    def create(cls, sim):
        service = BlobServiceClient(sim.azure["endpoint"], credential=sim.azure["key"], retry_total=0)
        return cls(service, sim.azure["account"], make_bucket(sim, "azure"))

    def put(self, key, data, metadata=None, **headers):
        blob = self.container.get_blob_client(key)
        blob.upload_blob(data, overwrite=True, metadata=metadata, content_settings=ContentSettings(**headers))

    def get(self, key):
        return self.container.get_blob_client(key).download_blob(decompress=False).readall()

    def version(self, key):
        return self.container.get_blob_client(key).get_blob_properties().etag

    def attributes(self, key):
        properties = self.container.get_blob_client(key).get_blob_properties()
        found = {name: getattr(properties.content_settings, name) for name in HEADERS}
        return tidy(found, properties.metadata)

    def all_keys(self):
        return [blob.name for blob in self.container.list_blobs()]

    def delete(self, key):
        self.container.get_blob_client(key).delete_blob()

    def open_uploads(self):
        blobs = self.container.list_blobs(include=["uncommittedblobs"])
        return [blob.name for blob in blobs if blob.size in (0, None) and blob.name not in self.keys()]


class FileLocation(Location):
    kind = "file"
    listing = {"list"}
    attribute = "user.lockstep.attributes"

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(exist_ok=True)
        self.url = f"file://{self.directory}"

    def path(self, key):
        """Keys as paths, as the manual says: components that no file system holds are escaped."""
        names = key.encode(errors="surrogateescape").split(b"/")
        names = [self.escape(name) if name in (b"", b".", b"..") else name for name in names]
        if names[0] == b".lockstep":
            names[0] = self.escape(names[0])
        return self.directory / os.fsdecode(b"/".join(names))

    @staticmethod
    def escape(name):
        return b"%lockstep%" + name.replace(b"%", b"%25")

    def put(self, key, data, metadata=None, **headers):
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        names = {"content_type": "contentType", "content_encoding": "contentEncoding", "cache_control": "cacheControl"}
        names |= {"content_language": "contentLanguage", "content_disposition": "contentDisposition"}
        document = {names[name]: value for name, value in headers.items()}
        document["userMetadata"] = metadata or {}
        if headers or metadata:
            os.setxattr(path, self.attribute, json.dumps(document).encode())

    def get(self, key):
        return self.path(key).read_bytes()

    def version(self, key):
        status = self.path(key).stat()
        return (status.st_ino, status.st_mtime_ns, status.st_size)

    def attributes(self, key):
        try:
            document = json.loads(os.getxattr(self.path(key), self.attribute))
        except OSError:
            return {}
        names = {"content_" + name: "content" + name.title() for name in ("type", "encoding", "language", "disposition")}
        names["cache_control"] = "cacheControl"
        return tidy({name: document.get(field) for name, field in names.items()}, document.get("userMetadata"))

    def all_keys(self):
        found = []
        for folder, _, files in os.walk(self.directory):
            for file in files:
                relative = pathlib.Path(folder, file).relative_to(self.directory)
                # What is not finished is below a folder of this name, which is no part of any key.
                if relative.parts[0] == ".lockstep":
                    continue
                names = [os.fsencode(name) for name in relative.parts]
                names = [
                    name[len(b"%lockstep%"):].replace(b"%25", b"%") if name.startswith(b"%lockstep%") else name
                    for name in names
                ]
                found.append(b"/".join(names).decode(errors="surrogateescape"))
        return sorted(found)

    def delete(self, key):
        self.path(key).unlink()

    def open_uploads(self):
        folder = self.directory / ".lockstep"
        return [path for path in folder.rglob("*") if path.is_file()]


def tidy(headers, metadata):
    """Only what says something: the types that stores give to everything say nothing."""
    nothing = (None, "", "application/octet-stream", "binary/octet-stream")
    found = {name: value for name, value in headers.items() if value not in nothing}
    if without_marks(metadata):
        found["metadata"] = without_marks(metadata)
    return found


def make_bucket(sim, cloud):
    name = f"b-{uuid.uuid4().hex[:12]}"
    sim.create_bucket(cloud, name)
    return name


KINDS = {"s3": S3Location, "gs": GCSLocation, "az": AzureLocation, "file": FileLocation}


@pytest.fixture
def location(sim, tmp_path):
    """Makes an empty location of a kind: `location("s3")`."""

    def make(kind, server=None):
        if kind == "file":
            return FileLocation(tmp_path / f"files-{uuid.uuid4().hex[:8]}")
        return KINDS[kind].create(server or sim)

    return make


@pytest.fixture
def source(location):
    """An S3 bucket to read from, for tests that are not about a kind of store."""
    return location("s3")


@pytest.fixture
def target(location):
    return location("s3")
