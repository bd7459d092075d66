"""CloudSim's S3 access rules: signatures of every kind, clocks, regions, payload protection."""

import base64
import datetime
import hashlib
import hmac
import socket

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
import requests

from test_s3 import MIB, body_of, bucket, connect, refused, s3  # noqa: F401

REFUSED_SECRET = "not-the-secret-key-of-forty-characters00"


def test_wrong_credentials(sim, bucket):
    with refused(403, "SignatureDoesNotMatch"):
        connect(sim, aws_secret_access_key=REFUSED_SECRET).list_buckets()
    with refused(403, "InvalidAccessKeyId"):
        connect(sim, aws_access_key_id="AKIDNOBODY").list_buckets()
    with refused(400, "InvalidToken"):
        connect(sim, aws_session_token="token").list_buckets()
    with refused(403, "SignatureDoesNotMatch"):
        connect(sim, aws_secret_access_key=REFUSED_SECRET).put_object(Bucket=bucket, Key="k", Body=b"x" * MIB)
    with refused(403, "403"):
        connect(sim, aws_secret_access_key=REFUSED_SECRET).head_object(Bucket=bucket, Key="k")


def test_anonymous_requests_are_refused(sim, bucket):
    answer = requests.get(f"{sim.s3['endpoint']}/{bucket}?list-type=2", timeout=10)
    assert answer.status_code == 403 and "<Code>AccessDenied</Code>" in answer.text


def test_session_token(launch):
    server = launch("--session-token", "the-token")
    connect(server, aws_session_token="the-token").list_buckets()
    with refused(403, "InvalidAccessKeyId"):
        connect(server).list_buckets()
    with refused(400, "InvalidToken"):
        connect(server, aws_session_token="another").list_buckets()


def test_unverified_server_takes_any_signature(launch):
    server = launch("--no-verify")
    connect(server, aws_access_key_id="whoever", aws_secret_access_key="whatever").create_bucket(Bucket="open")
    assert requests.get(f"{server.s3['endpoint']}/open?list-type=2", timeout=10).status_code == 200


def test_clock_skew(launch):
    server = launch()
    s3 = connect(server)
    s3.list_buckets()
    for offset in (16 * 60, -16 * 60):
        server.call("POST", "clock", {"offsetSeconds": offset})
        with refused(403, "RequestTimeTooSkewed") as answer:
            s3.list_buckets()
        date = answer.response["ResponseMetadata"]["HTTPHeaders"]["date"]
        shown = datetime.datetime.strptime(date, "%a, %d %b %Y %H:%M:%S %Z").replace(tzinfo=datetime.timezone.utc)
        assert abs((shown - datetime.datetime.now(datetime.timezone.utc)).total_seconds() - offset) < 60
    server.call("POST", "clock", {"offsetSeconds": 14 * 60})
    s3.list_buckets()


def test_presigned_urls(sim, s3, bucket):
    key = "dir/ü +%.txt"
    put = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": key, "ContentType": "text/x"}, ExpiresIn=60)
    assert requests.put(put, data=b"data", headers={"Content-Type": "text/x"}, timeout=10).status_code == 200
    got = s3.generate_presigned_url(
        "get_object", {"Bucket": bucket, "Key": key, "ResponseContentDisposition": "attachment"}, ExpiresIn=60
    )
    answer = requests.get(got, timeout=10)
    assert answer.content == b"data" and answer.headers["Content-Disposition"] == "attachment"
    assert requests.get(got.replace("Expires=60", "Expires=61"), timeout=10).status_code == 403
    assert "SignatureDoesNotMatch" in requests.get(got + "&x=1", timeout=10).text
    # A link for reading does not write, and one for one key does not open another.
    assert requests.put(got, data=b"x", timeout=10).status_code == 403
    assert requests.get(got.replace("/dir/", "/other/"), timeout=10).status_code == 403


def test_presigned_urls_expire(launch):
    server = launch()
    s3 = connect(server)
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="k", Body=b"x")
    url = s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "k"}, ExpiresIn=60)
    assert requests.get(url, timeout=10).status_code == 200
    server.call("POST", "clock", {"offsetSeconds": 62})
    answer = requests.get(url, timeout=10)
    assert answer.status_code == 403 and "Request has expired" in answer.text


def test_regions(sim, bucket_name):
    far = connect(sim, region_name="eu-central-1")
    far.create_bucket(Bucket=bucket_name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    assert far.get_bucket_location(Bucket=bucket_name)["LocationConstraint"] == "eu-central-1"
    assert far.head_bucket(Bucket=bucket_name)["BucketRegion"] == "eu-central-1"
    signed = sign(sim, "GET", f"/{bucket_name}?list-type=2", region="us-east-1")
    assert signed.status_code == 301 and signed.headers["x-amz-bucket-region"] == "eu-central-1"
    assert "<Code>PermanentRedirect</Code>" in signed.text and "<Region>eu-central-1</Region>" in signed.text
    head = sign(sim, "HEAD", f"/{bucket_name}/k", region="us-east-1")
    assert head.status_code == 301 and head.headers["x-amz-bucket-region"] == "eu-central-1"
    # boto3 finds the region by itself.
    near = connect(sim, region_name="us-east-1")
    near.put_object(Bucket=bucket_name, Key="k", Body=b"x")
    assert body_of(near.get_object(Bucket=bucket_name, Key="k")) == b"x"
    with refused(400, "IllegalLocationConstraintException"):
        near.create_bucket(Bucket=bucket_name + "2", CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})


def sign(sim, method, target, body=b"", headers=None, payload=None, region=None, secret=None, tamper=None):
    """A request signed by botocore's plain signer; `tamper` changes it afterwards."""
    url = sim.s3["endpoint"] + target
    request = botocore.awsrequest.AWSRequest(method=method, url=url, data=body, headers=headers or {})
    hash_or_name = payload or hashlib.sha256(body).hexdigest()
    request.headers["x-amz-content-sha256"] = hash_or_name
    credentials = botocore.credentials.Credentials(sim.s3["accessKey"], secret or sim.s3["secretKey"])
    signer = botocore.auth.S3SigV4Auth(credentials, "s3", region or sim.s3["region"])
    signer.payload = lambda _: hash_or_name
    signer.add_auth(request)
    if tamper:
        tamper(request)
    return requests.request(method, url, data=body, headers=dict(request.headers.items()), timeout=10)


def test_every_signed_part_counts(sim, bucket):
    target = f"/{bucket}/k"
    assert sign(sim, "PUT", target, b"data", {"x-amz-meta-a": "1"}).status_code == 200

    def with_header(name, value):
        return lambda request: request.headers.replace_header(name, value) if name in request.headers else (
            request.headers.__setitem__(name, value)
        )

    for tamper in (with_header("x-amz-meta-a", "2"), with_header("X-Amz-Date", "20200101T000000Z")):
        assert sign(sim, "PUT", target, b"data", {"x-amz-meta-a": "1"}, tamper=tamper).status_code == 403
    answer = sign(sim, "PUT", target, b"data", tamper=with_header("x-amz-meta-added", "1"))
    assert answer.status_code == 403 and "not signed" in answer.text


def test_payload_hash_is_checked(sim, bucket):
    answer = sign(sim, "PUT", f"/{bucket}/k", b"data", payload=hashlib.sha256(b"other").hexdigest())
    assert answer.status_code == 400 and "XAmzContentSHA256Mismatch" in answer.text
    assert sign(sim, "PUT", f"/{bucket}/k", b"data", payload="UNSIGNED-PAYLOAD").status_code == 200
    assert sign(sim, "PUT", f"/{bucket}/k", b"data", payload="nonsense").status_code == 400


class ChunkedUpload:
    """aws-chunked bodies made by hand: the SDKs here only send the unsigned form over HTTPS."""

    def __init__(self, sim, target, pieces, signed, trailer=None):
        self.sim, self.target, self.pieces, self.signed, self.trailer = sim, target, pieces, signed, trailer
        self.break_chunk = self.break_trailer = self.break_length = False

    def key(self, day):
        value = ("AWS4" + self.sim.s3["secretKey"]).encode()
        for step in (day, self.sim.s3["region"], "s3", "aws4_request"):
            value = hmac.new(value, step.encode(), hashlib.sha256).digest()
        return value

    def send(self):
        length = sum(map(len, self.pieces)) + (1 if self.break_length else 0)
        payload = "STREAMING-" + ("AWS4-HMAC-SHA256-PAYLOAD" if self.signed else "UNSIGNED-PAYLOAD")
        payload += "-TRAILER" if self.trailer or not self.signed else ""
        headers = {"content-encoding": "gzip,aws-chunked", "x-amz-decoded-content-length": str(length)}
        if self.trailer:
            headers["x-amz-trailer"] = self.trailer[0]
        result = {}

        def add_body(request):
            result["headers"] = dict(request.headers.items())

        try:
            sign(self.sim, "PUT", self.target, b"", headers, payload=payload, tamper=lambda r: (add_body(r), 1 / 0))
        except ZeroDivisionError:
            pass
        headers = result["headers"]
        headers["Content-Length"] = "0"
        return requests.put(
            self.sim.s3["endpoint"] + self.target, data=self.body(headers), timeout=10,
            headers={name: value for name, value in headers.items() if name != "Content-Length"},
        )

    def body(self, headers):
        timestamp = headers["X-Amz-Date"]
        scope = f"{timestamp[:8]}/{self.sim.s3['region']}/s3/aws4_request"
        previous = headers["Authorization"].rsplit("Signature=", 1)[1]
        key = self.key(timestamp[:8])

        def chain(kind, hashes):
            text = "\n".join([f"AWS4-HMAC-SHA256-{kind}", timestamp, scope, previous, hashes])
            return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

        body = b""
        for piece in [*self.pieces, b""]:
            line = f"{len(piece):x}"
            if self.signed:
                hashes = hashlib.sha256(b"").hexdigest() + "\n" + hashlib.sha256(piece).hexdigest()
                previous = chain("PAYLOAD", hashes)
                line += ";chunk-signature=" + previous
            body += line.encode() + b"\r\n"
            if piece:
                body += (b"?" + piece[1:] if self.break_chunk else piece) + b"\r\n"
        if self.trailer:
            name, value = self.trailer
            body += f"{name}:{value}\r\n".encode()
            if self.signed:
                signature = chain("TRAILER", hashlib.sha256(f"{name}:{value}\n".encode()).hexdigest())
                signature = "0" * 64 if self.break_trailer else signature
                body += f"x-amz-trailer-signature:{signature}\r\n".encode()
        return body + b"\r\n"


PIECES = [b"a" * 8192, b"b" * 100_000, b"c"]


@pytest.mark.parametrize(
    "signed,trailer",
    # Unsigned chunks always come with a trailer.
    [(True, None), (True, "right"), (True, "wrong"), (False, "right"), (False, "wrong")],
)
def test_chunked_bodies(sim, s3, bucket, signed, trailer):
    from test_s3_multipart import ALGORITHMS

    data = b"".join(PIECES)
    checksum = trailer and ("x-amz-checksum-crc32c", ALGORITHMS["CRC32C"](data if trailer == "right" else b"other"))
    answer = ChunkedUpload(sim, f"/{bucket}/k", PIECES, signed, checksum).send()
    if trailer == "wrong":
        assert answer.status_code == 400 and "<Code>BadDigest</Code>" in answer.text
        return
    assert answer.status_code == 200, answer.text
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["ContentEncoding"] == "gzip"
    raw = requests.get(
        s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}), stream=True, timeout=10
    ).raw.read(decode_content=False)
    assert raw == data


def test_tampered_chunks_are_refused(sim, s3, bucket):
    from test_s3_multipart import ALGORITHMS

    checksum = ("x-amz-checksum-crc32c", ALGORITHMS["CRC32C"](b"".join(PIECES)))
    for field in ("break_chunk", "break_trailer", "break_length"):
        request = ChunkedUpload(sim, f"/{bucket}/broken", PIECES, True, checksum)
        setattr(request, field, True)
        answer = request.send()
        expected = "IncompleteBody" if field == "break_length" else "SignatureDoesNotMatch"
        assert f"<Code>{expected}</Code>" in answer.text, field
    with refused(404, "404"):
        s3.head_object(Bucket=bucket, Key="broken")


def test_non_ascii_metadata_comes_back_encoded(launch):
    # Without verification: SDKs refuse to sign such values, the service takes them.
    server = launch("--no-verify")
    s3 = connect(server)
    s3.create_bucket(Bucket="bucket")
    url = f"{server.s3['endpoint']}/bucket/k"
    assert requests.put(url, headers={"x-amz-meta-a": "gr\u00fc\u00dfe".encode()}, timeout=10).status_code == 200
    assert s3.head_object(Bucket="bucket", Key="k")["Metadata"]["a"] == "=?UTF-8?B?Z3LDvMOfZQ==?="


def test_delete_objects_with_control_characters(sim, s3, bucket):
    key = "control\x01\x02\x1f\x7f\ttab"
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    references = "".join(f"&#x{ord(c):X};" if ord(c) < 32 else c for c in key)
    body = f"<Delete><Object><Key>{references}</Key></Object></Delete>".encode()
    headers = {"content-md5": base64.b64encode(hashlib.md5(body).digest()).decode()}
    answer = sign(sim, "POST", f"/{bucket}?delete=", body, headers)
    assert answer.status_code == 200 and "<Deleted>" in answer.text
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    without = sign(sim, "POST", f"/{bucket}?delete=", body)
    assert without.status_code == 400 and "Content-MD5" in without.text


def test_expect_continue(sim, s3, bucket):
    """The server asks for the body only after it has looked at the head."""
    host, port = sim.s3["endpoint"].removeprefix("http://").split(":")
    for status, url in (
        (b"HTTP/1.1 100", s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k"})),
        (b"HTTP/1.1 403", f"{sim.s3['endpoint']}/{bucket}/k"),
    ):
        target = url.removeprefix(sim.s3["endpoint"])
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(
                f"PUT {target} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n".encode()
            )
            first = connection.recv(4096)
            assert first.startswith(status), first
            if b" 100 " in first:
                connection.sendall(b"data")
                assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"data"
