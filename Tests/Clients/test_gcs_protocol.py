"""What the service answers to single requests, good and bad, byte for byte where it matters."""

import base64
import hashlib
import json
import os
import xml.etree.ElementTree as ElementTree

import google_crc32c
import pytest
import requests

KIB = 1024
MIB = 1024 * KIB


def crc32c(data):
    return base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()


def md5(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


@pytest.fixture
def gcs_endpoint(sim):
    return sim.gcs["endpoint"]


@pytest.fixture
def bucket(gcs_endpoint, bucket_name):
    response = requests.post(f"{gcs_endpoint}/storage/v1/b?project=p", json={"name": bucket_name})
    assert response.status_code == 200
    return bucket_name


@pytest.fixture
def upload(gcs_endpoint, bucket):
    return f"{gcs_endpoint}/upload/storage/v1/b/{bucket}/o"


@pytest.fixture
def objects(gcs_endpoint, bucket):
    return f"{gcs_endpoint}/storage/v1/b/{bucket}/o"


@pytest.fixture
def xml(gcs_endpoint, bucket):
    return f"{gcs_endpoint}/{bucket}"


def related(resource, media, newline="\r\n", boundary="b0undary", quoted=True, content_type="text/plain"):
    """A multipart/related body and its Content-Type."""
    body = newline.join(
        [f"--{boundary}", "Content-Type: application/json; charset=UTF-8", "", json.dumps(resource)]
        + [f"--{boundary}", f"Content-Type: {content_type}", "", ""]
    ).encode()
    tail = f"{newline}--{boundary}--{newline}".encode()
    mark = f'"{boundary}"' if quoted else boundary
    return body + media + tail, f"multipart/related; boundary={mark}"


def insert(upload, resource, media, query="", **form):
    body, content_type = related(resource, media, **form)
    return requests.post(f"{upload}?uploadType=multipart{query}", data=body, headers={"Content-Type": content_type})


def error(response):
    return response.json()["error"]["errors"][0]["reason"]


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
@pytest.mark.parametrize("media", [b"", b"\n", b"\r\n--b0und", b"x" * 70_000, b"\r\n--b0undary-ish\r\n\r\n", b"\r\n\n"])
def test_multipart_related(upload, newline, media):
    response = insert(upload, {"name": "m", "crc32c": crc32c(media)}, media, newline=newline)
    assert response.status_code == 200, response.text
    resource = response.json()
    assert resource["size"] == str(len(media))
    assert resource["contentType"] == "text/plain"
    assert isinstance(resource["generation"], str) and resource["metageneration"] == "1"
    assert requests.get(resource["mediaLink"]).content == media


@pytest.mark.parametrize("step", [1, 7, 13, 4096])
def test_multipart_related_in_pieces(upload, step):
    """The closing boundary and things like it fall on every possible seam."""
    media = b"\r\n--b0undary-" * 20 + b"\r\n--b0undary" + b"\r" * 20
    if step > 1000:
        media *= 500
    body, content_type = related({"name": "pieces", "crc32c": crc32c(media)}, media)
    pieces = (body[start : start + step] for start in range(0, len(body), step))
    response = requests.post(f"{upload}?uploadType=multipart", data=pieces, headers={"Content-Type": content_type})
    assert response.status_code == 200 and response.json()["size"] == str(len(media))
    cut = requests.post(f"{upload}?uploadType=multipart", data=body[:-6], headers={"Content-Type": content_type})
    assert cut.status_code == 400


def test_wrong_checksums_store_nothing(upload, objects):
    for resource in [{"crc32c": "AAAAAA=="}, {"md5Hash": md5(b"other")}]:
        refused = insert(upload, {"name": "bad"} | resource, b"data")
        assert (refused.status_code, error(refused)) == (400, "invalid")
    for header in [
        {"x-goog-hash": "crc32c=AAAAAA=="},
        {"x-goog-hash": f"crc32c={crc32c(b'data')},md5={md5(b'other')}"},
        {"Content-MD5": md5(b"other")},
    ]:
        refused = requests.post(f"{upload}?uploadType=media&name=bad", data=b"data", headers=header)
        assert refused.status_code == 400, header
    assert requests.get(f"{objects}/bad").status_code == 404
    kept = requests.post(
        f"{upload}?uploadType=media&name=good",
        data=b"data",
        headers={"x-goog-hash": f"crc32c={crc32c(b'data')},md5={md5(b'data')}", "Content-Type": "a/b"},
    )
    assert kept.status_code == 200 and kept.json()["contentType"] == "a/b"


def test_resource_without_and_with_a_name(upload):
    assert insert(upload, {}, b"x").status_code == 400
    assert insert(upload, {}, b"x", query="&name=in-query").json()["name"] == "in-query"


def test_error_documents(objects, xml, upload):
    absent = requests.get(f"{objects}/absent").json()["error"]
    assert absent["code"] == 404 and absent["errors"][0]["reason"] == "notFound"
    insert(upload, {"name": "here"}, b"x")
    refused = insert(upload, {"name": "here"}, b"x", query="&ifGenerationMatch=0")
    assert (refused.status_code, error(refused)) == (412, "conditionNotMet")
    root = ElementTree.fromstring(requests.get(f"{xml}/absent").content)
    assert (root.tag, root.find("Code").text) == ("Error", "NoSuchKey")
    root = ElementTree.fromstring(requests.get(f"{xml}-none/absent").content)
    assert root.find("Code").text == "NoSuchBucket"


class Session:
    """One resumable upload, request by request."""

    def __init__(self, upload, name, resource=None, query=""):
        response = requests.post(
            f"{upload}?uploadType=resumable&name={name}{query}",
            json=resource or {},
            headers={"X-Upload-Content-Type": "text/plain"},
        )
        assert response.status_code == 200
        self.url = response.headers["Location"]

    def put(self, data, content_range, **headers):
        return requests.put(
            self.url, data=data, headers={"Content-Range": content_range} | headers, allow_redirects=False
        )

    def status(self, total="*"):
        return self.put(b"", f"bytes */{total}")


def test_resumable_chunks_and_status(upload, objects):
    data = os.urandom(768 * KIB + 5)
    session = Session(upload, "r")
    fresh = session.status()
    assert fresh.status_code == 308 and "Range" not in fresh.headers
    first = session.put(data[: 256 * KIB], "bytes 0-262143/*")
    assert first.status_code == 308
    assert first.headers["Range"] == "bytes=0-262143"
    assert first.headers["x-goog-running-hash"].split(",")[0] == "crc32c=" + crc32c(data[: 256 * KIB])
    second = session.put(data[256 * KIB : 768 * KIB], f"bytes 262144-786431/{len(data)}")
    assert (second.status_code, second.headers["Range"]) == (308, "bytes=0-786431")
    assert session.status(len(data)).headers["Range"] == "bytes=0-786431"
    # Bytes that are already there may be sent again.
    last = session.put(
        data[512 * KIB :],
        f"bytes {512 * KIB}-{len(data) - 1}/{len(data)}",
        **{"x-goog-hash": f"crc32c={crc32c(data)}"},
    )
    assert last.status_code == 200 and last.json()["crc32c"] == crc32c(data)
    assert last.json()["md5Hash"] == md5(data)
    assert session.status().json()["generation"] == last.json()["generation"]
    assert requests.get(f"{objects}/r?alt=media").content == data


def test_resumable_without_308(upload):
    session = Session(upload, "go")
    part = session.put(os.urandom(256 * KIB), "bytes 0-262143/*", **{"X-GUploader-No-308": "yes"})
    assert (part.status_code, part.headers["X-Http-Status-Code-Override"]) == (200, "308")


def test_resumable_refusals(upload, objects):
    session = Session(upload, "r")
    # A chunk that is not the last is a multiple of 256 KiB: the rest is not kept, or the chunk is refused.
    uneven = session.put(b"x" * 300_000, "bytes 0-299999/*")
    assert uneven.status_code == 400 or uneven.headers["Range"] == "bytes=0-262143"
    gap = Session(upload, "gap").put(b"x" * 10, "bytes 262144-262153/262154")
    assert gap.status_code in (400, 416, 503)
    short = Session(upload, "short").put(b"x" * 10, "bytes 0-19/20")
    assert short.status_code == 400
    wrong = Session(upload, "wrong").put(b"abc", "bytes 0-2/3", **{"x-goog-hash": "crc32c=AAAAAA=="})
    assert wrong.status_code == 400
    assert requests.get(f"{objects}/wrong").status_code == 404
    known = Session(upload, "known", {"crc32c": "AAAAAA=="}).put(b"abc", "bytes 0-2/3")
    assert known.status_code == 400
    cancelled = Session(upload, "cancelled")
    assert requests.delete(cancelled.url).status_code == 499
    assert cancelled.status().status_code in (404, 410, 499)
    assert requests.put(cancelled.url + "x", data=b"").status_code == 404


def test_resumable_zero_bytes(upload):
    response = Session(upload, "zero").put(b"", "bytes */0")
    assert response.status_code == 200 and response.json()["size"] == "0"


def test_read_headers_and_conditions(upload, objects):
    data = os.urandom(1000)
    resource = insert(upload, {"name": "read/me", "metadata": {"k": "v"}}, data).json()
    url = f"{objects}/read%2Fme?alt=media"
    whole = requests.get(url)
    hashes = dict(item.strip().split("=", 1) for item in whole.headers["x-goog-hash"].split(","))
    assert hashes == {"crc32c": crc32c(data), "md5": md5(data)}
    assert whole.headers["x-goog-generation"] == resource["generation"]
    assert whole.headers["x-goog-metageneration"] == "1"
    assert whole.headers["x-goog-stored-content-length"] == "1000"
    assert whole.headers["x-goog-stored-content-encoding"] == "identity"
    assert whole.headers["x-goog-storage-class"] == "STANDARD"
    assert whole.headers["ETag"]
    part = requests.get(url, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, data[100:200])
    assert part.headers["Content-Range"] == "bytes 100-199/1000"
    assert part.headers["x-goog-hash"] == whole.headers["x-goog-hash"]
    assert requests.get(url, headers={"Range": "bytes=-10"}).content == data[-10:]
    beyond = requests.get(url, headers={"Range": "bytes=1000-"})
    assert beyond.status_code == 416
    generation = resource["generation"]
    assert requests.get(f"{url}&ifGenerationMatch={generation}").status_code == 200
    assert requests.get(f"{url}&ifGenerationMatch=1").status_code == 412
    assert requests.get(f"{url}&ifGenerationNotMatch={generation}").status_code == 304
    assert requests.get(f"{url}&ifMetagenerationMatch=2").status_code == 412
    assert requests.get(f"{url}&generation={generation}").status_code == 200
    assert requests.get(f"{url}&generation=1").status_code == 404
    assert requests.get(f"{url}&generation=x").status_code == 400


def test_list_selection_and_bad_arguments(upload, objects):
    for name in ["a", "b", "c"]:
        insert(upload, {"name": name}, name.encode())
    page = requests.get(f"{objects}?maxResults=2&fields=nextPageToken,items(name,size)").json()
    assert page["items"] == [{"name": "a", "size": "1"}, {"name": "b", "size": "1"}]
    rest = requests.get(objects, params={"pageToken": page["nextPageToken"]}).json()
    assert [item["name"] for item in rest["items"]] == ["c"] and "nextPageToken" not in rest
    assert "items" not in requests.get(f"{objects}?prefix=zzz").json()
    assert requests.get(f"{objects}?maxResults=-1").status_code == 400
    assert requests.get(f"{objects}?pageToken=%21%21").status_code == 400


def test_xml_objects(xml):
    data = os.urandom(5000)
    put = requests.put(
        f"{xml}/x%20y",
        data=data,
        headers={"Content-Type": "a/b", "x-goog-meta-Colour": "blue", "x-goog-hash": f"crc32c={crc32c(data)}"},
    )
    assert put.status_code == 200 and put.headers["x-goog-generation"]
    assert put.headers["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    head = requests.head(f"{xml}/x%20y", headers={"Accept-Encoding": "identity"})
    assert head.headers["Content-Length"] == "5000"
    assert head.headers["x-goog-meta-colour"] == "blue"
    assert head.headers["ETag"] == put.headers["ETag"] and head.headers["Last-Modified"]
    assert requests.get(f"{xml}/x%20y").content == data
    assert requests.get(f"{xml}/x%20y", headers={"Range": "bytes=1-2"}).content == data[1:3]
    assert requests.get(f"{xml}/x%20y", headers={"If-None-Match": put.headers["ETag"]}).status_code == 304
    assert requests.get(f"{xml}/x%20y", headers={"If-Match": '"nope"'}).status_code == 412
    condition = {"x-goog-if-generation-match": "0"}
    refused = requests.put(f"{xml}/x%20y", data=b"", headers=condition)
    assert refused.status_code == 412 and b"<Code>PreconditionFailed</Code>" in refused.content
    bad = requests.put(f"{xml}/bad", data=b"abc", headers={"Content-MD5": md5(b"abd")})
    assert bad.status_code == 400 and b"BadDigest" in bad.content
    copied = requests.put(f"{xml}/copy", headers={"x-goog-copy-source": f"{xml.rsplit('/', 1)[1]}/x%20y"})
    assert copied.status_code == 200 and requests.get(f"{xml}/copy").content == data
    assert requests.delete(f"{xml}/x%20y", headers={"x-goog-if-generation-match": "1"}).status_code == 412
    assert requests.delete(f"{xml}/x%20y").status_code == 204
    assert requests.delete(f"{xml}/x%20y").status_code == 404


def test_xml_list(xml):
    for name in ["a/1", "a/2", "b&c", "d"]:
        requests.put(f"{xml}/{requests.utils.quote(name)}", data=b"x")
    root = ElementTree.fromstring(requests.get(f"{xml}?delimiter=/").content)
    space = root.tag[: -len("ListBucketResult")]
    assert [item.text for item in root.findall(f"{space}Contents/{space}Key")] == ["b&c", "d"]
    assert [item.text for item in root.findall(f"{space}CommonPrefixes/{space}Prefix")] == ["a/"]
    names, token = [], None
    for _ in range(10):
        params = {"list-type": "2", "max-keys": "1"} | ({"continuation-token": token} if token else {})
        root = ElementTree.fromstring(requests.get(xml, params=params).content)
        names += [item.text for item in root.findall(f"{space}Contents/{space}Key")]
        token = root.findtext(f"{space}NextContinuationToken")
        if not token:
            break
    assert names == ["a/1", "a/2", "b&c", "d"]


class Multipart:
    """One XML multipart upload, request by request."""

    def __init__(self, url, **headers):
        self.url = url
        self.initiated = requests.post(f"{url}?uploads", headers=headers)
        if self.initiated.status_code == 200:
            root = ElementTree.fromstring(self.initiated.content)
            self.id = next(node.text for node in root.iter() if node.tag.endswith("UploadId"))

    def part(self, number, data, **headers):
        return requests.put(
            f"{self.url}?partNumber={number}&uploadId={self.id}", data=data, headers=headers
        )

    def complete(self, parts, **headers):
        body = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>" for n, etag in parts)
        return requests.post(
            f"{self.url}?uploadId={self.id}",
            data=f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>",
            headers=headers,
        )


def code(response):
    return ElementTree.fromstring(response.content).findtext("Code")


def test_xml_multipart(xml, objects):
    parts = [os.urandom(5 * MIB), os.urandom(5 * MIB), os.urandom(100)]
    data = b"".join(parts)
    upload = Multipart(f"{xml}/big", **{"Content-Type": "a/b", "x-goog-meta-k": "v", "Cache-Control": "no-cache"})
    done = []
    for number, part in [(3, parts[2]), (1, parts[0]), (7, parts[1])][::-1]:
        answer = upload.part(number, part, **{"x-goog-hash": f"crc32c={crc32c(part)}", "Content-MD5": md5(part)})
        assert answer.status_code == 200, answer.text
        assert "crc32c=" + crc32c(part) in answer.headers["x-goog-hash"]
        done.append((number, answer.headers["ETag"]))
    listing = requests.get(f"{xml}/big?uploadId={upload.id}").content
    assert listing.count(b"<Part>") == 3
    assert upload.id.encode() in requests.get(f"{xml}?uploads").content

    assert code(upload.complete(sorted(done, reverse=True))) == "InvalidPartOrder"
    assert code(upload.complete([(1, '"nope"')])) == "InvalidPart"
    assert code(upload.complete([(2, done[0][1])])) == "InvalidPart"
    assert code(upload.complete([])) in ("MalformedCompleteMultipartUploadRequest", "MalformedXML", "InvalidArgument")
    assert code(upload.complete(sorted(done))) == "EntityTooSmall"
    assert requests.get(f"{objects}/big").status_code == 404

    ordered = Multipart(f"{xml}/big", **{"Content-Type": "a/b", "x-goog-meta-k": "v"})
    etags = [(n, ordered.part(n, part).headers["ETag"]) for n, part in enumerate(parts, start=1)]
    finished = ordered.complete(etags)
    assert finished.status_code == 200 and finished.headers["x-goog-generation"]
    assert f"crc32c={crc32c(data)}" in finished.headers["x-goog-hash"]
    resource = requests.get(f"{objects}/big").json()
    assert resource["crc32c"] == crc32c(data) and "md5Hash" not in resource
    assert resource["contentType"] == "a/b" and resource["metadata"] == {"k": "v"}
    assert requests.get(f"{xml}/big").content == data
    assert code(ordered.part(1, b"x")) == "NoSuchUpload"
    assert requests.delete(f"{xml}/big?uploadId={upload.id}").status_code == 204
    assert code(upload.part(1, b"x")) == "NoSuchUpload"
    assert code(requests.delete(f"{xml}/big?uploadId={upload.id}")) == "NoSuchUpload"


def test_xml_multipart_refusals(xml):
    condition = {"x-goog-if-generation-match": "0"}
    refused = Multipart(f"{xml}/m", **condition).initiated
    assert (refused.status_code, code(refused)) == (400, "NotImplemented")
    upload = Multipart(f"{xml}/m")
    assert code(upload.part(1, b"x", **condition)) == "NotImplemented"
    etag = upload.part(1, b"x").headers["ETag"]
    assert code(upload.complete([(1, etag)], **condition)) == "NotImplemented"
    assert code(upload.part(0, b"x")) == "InvalidArgument"
    assert code(upload.part(10_001, b"x")) == "InvalidArgument"
    assert upload.part(2, b"abc", **{"Content-MD5": md5(b"abd")}).status_code == 400
    wrong = upload.part(2, b"abc", **{"x-goog-hash": "crc32c=AAAAAA=="})
    assert wrong.status_code == 400 and code(wrong) in ("BadDigest", "CrcMismatch", "InvalidDigest")
    assert ElementTree.fromstring(wrong.content).findtext("Details")
    assert upload.complete([(1, etag)]).status_code == 200


def test_batch_with_bare_line_feeds(gcs_endpoint, bucket, upload):
    insert(upload, {"name": "a b"}, b"x")
    parts = [
        f"--mark\nContent-Type: application/http\nContent-ID: <x+{n}>\n\n"
        f"{method} /storage/v1/b/{bucket}/o/{name} HTTP/1.1\naccept: application/json\ncontent-length: 0\n\n"
        for n, (method, name) in enumerate([("GET", "a%20b"), ("DELETE", "a%20b"), ("DELETE", "a%20b")])
    ]
    response = requests.post(
        f"{gcs_endpoint}/batch/storage/v1",
        data="".join(parts) + "--mark--",
        headers={"Content-Type": 'multipart/mixed; boundary="mark"'},
    )
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("multipart/mixed; boundary=")
    lines = response.text.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("HTTP/1.1")] == ["200", "204", "404"]
    assert "Content-ID: <response-x+1>" in lines
