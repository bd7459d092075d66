"""`lockstep manifest`: manifests that this file writes from the format's description alone, and those of runs as ordinary tools see them."""

import base64
import hashlib
import json
import shutil
import subprocess

import pytest


def shell(script, cwd, expect=0):
    outcome = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=cwd, capture_output=True, timeout=60)
    assert outcome.returncode == expect, (outcome.stdout, outcome.stderr)
    return outcome.stdout


def row(key, size=1, **fields):
    name = {"key": key} if isinstance(key, str) else {"key_base64": base64.b64encode(key).decode()}
    return {
        **name, "size": size, "source_version": f"s-{size}", "target_version": f"t-{size}", "evidence": 2,
        "verified_at": "2026-11-21T03:04:05Z", "crc32c": "0000002a", **fields,
    }


def key_bytes(row):
    return row["key"].encode() if "key" in row else base64.b64decode(row["key_base64"])


def merkle_root(digests):
    if len(digests) < 2:
        return hashlib.sha256(b"\0" + digests[0] if digests else b"").digest()
    half = 1 << ((len(digests) - 1).bit_length() - 1)
    return hashlib.sha256(b"\1" + merkle_root(digests[:half]) + merkle_root(digests[half:])).digest()


class Publisher:
    """Writes manifests with the zstd and openssl tools."""

    def __init__(self, directory):
        self.directory = directory
        for folder in ("heads", "pages"):
            (directory / folder).mkdir(parents=True)
        self.key = directory.parent / f"{directory.name}.pem"
        self.public = directory.parent / f"{directory.name}.pub"
        shell(f"openssl genpkey -algorithm ed25519 -out {self.key}; openssl pkey -in {self.key} -pubout -out {self.public}", directory)
        self.sequence, self.previous = 0, None

    @property
    def raw_key(self):
        return base64.b64decode("".join(self.public.read_text().splitlines()[1:-1]))[-32:]

    @property
    def key_id(self):
        return hashlib.sha256(self.raw_key).hexdigest()[:16]

    def page(self, rows):
        content = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows).encode()
        file = subprocess.run(
            ["zstd", "-3", "-q", "--check", f"--stream-size={len(content)}"], input=content, capture_output=True, check=True
        ).stdout
        digest = hashlib.sha256(file).digest()
        (self.directory / f"pages/{digest.hex()}.jsonl.zst").write_bytes(file)

        def name(field, row):
            return {f"{field}_key{'' if 'key' in row else '_base64'}": row.get("key", row.get("key_base64"))}

        return digest, {
            "sha256": digest.hex(), "rows": len(rows), "file_bytes": len(file), "content_bytes": len(content),
            **name("first", rows[0]), **name("last", rows[-1]),
        }

    def publish(self, objects, per_page=2, **changes):
        """Writes the next head and its pages; gives back the head's path."""
        rows = sorted(objects, key=key_bytes)
        pages = [self.page(rows[start:start + per_page]) for start in range(0, len(rows), per_page)]
        self.sequence += 1
        head = {
            "format": "lockstep.manifest/1", "sequence": self.sequence, "previous": self.previous,
            "created_at": "2026-11-21T03:04:05Z", "source": "s3://a/@aws", "target": "gs://b/@gcs", "rows": len(rows),
            "bytes": sum(row["size"] for row in rows), "evidence": [sum(row["evidence"] == level for row in rows) for level in range(4)],
            "hash": "sha256", "merkle_root": merkle_root([digest for digest, _ in pages]).hex(), "key_id": self.key_id,
            "public_key": base64.b64encode(self.raw_key).decode(), "pages": [page for _, page in pages], **changes,
        }
        line = json.dumps(head, ensure_ascii=False).encode()
        signed = self.directory.parent / "line"
        signed.write_bytes(line)
        signature = shell(f"openssl pkeyutl -sign -inkey {self.key} -rawin -in {signed}", self.directory)
        tail = json.dumps({"key_id": self.key_id, "signature": base64.b64encode(signature).decode()}, separators=(",", ":"))
        file = self.directory / f"heads/{self.sequence:016}.json"
        file.write_bytes(line + b"\n" + tail.encode() + b"\n")
        self.previous = hashlib.sha256(file.read_bytes()).hexdigest()
        return file


ROWS = [
    row("a"), row("b/c", 20, md5="00" * 16, blake3="11" * 32, crc64nvme="22" * 8, source_modified="2026-11-21T03:04:05.123456789Z"),
    row("ü\n\"", 300, attributes={"content_type": "text/plain", "metadata": {"owner": "tests"}}), row(b"\xff", 4000, evidence=3), row("d", 0),
]


@pytest.fixture
def publisher(tmp_path):
    made = Publisher(tmp_path / "copy")
    made.publish(ROWS[:3])
    made.publish(ROWS)
    return made


def verify(lockstep, publisher, *flags, expect=0, location=None):
    return lockstep.run(
        "manifest", "verify", location or publisher.directory, "--state", lockstep.state, "--public-key", publisher.public, *flags,
        expect=expect,
    )


def test_a_manifest_of_another_program(lockstep, publisher):
    outcome = verify(lockstep, publisher)
    assert "manifest 2 of s3://a/@aws to gs://b/@gcs: 5 objects" in outcome.out
    assert "2 heads and 3 pages" in outcome.out and publisher.key_id in outcome.out
    assert "manifest 1 " in verify(lockstep, publisher, "--sequence", 1).out
    assert "1 to 2" in verify(lockstep, publisher, "--sequence", 3, expect=78).err
    assert verify(lockstep, publisher, "--sequence", "x", expect=2).out == ""


def test_where_it_may_be(lockstep, publisher, location, tmp_path):
    whole = tmp_path / "whole"
    shutil.copytree(publisher.directory, whole / ".lockstep/manifest")
    verify(lockstep, publisher, location=whole)
    for kind in ("s3", "gs", "az", "file"):
        place = location(kind)
        for file in publisher.directory.rglob("*.*"):
            place.put(f".lockstep/manifest/{file.relative_to(publisher.directory)}", file.read_bytes())
        verify(lockstep, publisher, location=place.url)
        if kind != "file":
            verify(lockstep, publisher, location=place.url + "/.lockstep/manifest")


def test_signers(lockstep, publisher, tmp_path):
    unknown = lockstep.run("manifest", "verify", publisher.directory, "--state", lockstep.state, expect=78)
    assert publisher.key_id in unknown.err and "--public-key" in unknown.err and "hold together" in unknown.out
    other = Publisher(tmp_path / "other")
    wrong = lockstep.run(
        "manifest", "verify", publisher.directory, "--state", lockstep.state, "--public-key", other.public, expect=4)
    assert publisher.key_id in wrong.err and other.key_id in wrong.err
    verify(lockstep, publisher, "--public-key", other.public)
    lockstep.state.mkdir(exist_ok=True)
    shutil.copy(publisher.public, lockstep.state / "signing-key.pub")
    lockstep.run("manifest", "verify", publisher.directory, "--state", lockstep.state)
    no_key = tmp_path / "no-key"
    no_key.write_text("no key")
    for path in (no_key, tmp_path / "missing"):
        outcome = lockstep.run("manifest", "verify", publisher.directory, "--public-key", path, expect=None)
        assert outcome.status in (2, 78) and str(path) in outcome.err


def test_the_signing_key(lockstep, tmp_path):
    made = lockstep.run("manifest", "key", "--state", lockstep.state)
    again = lockstep.run("manifest", "key", "--state", lockstep.state)
    assert made.out == again.out and made.err == again.err
    private = lockstep.state / "signing-key.pem"
    assert private.stat().st_mode & 0o777 == 0o600
    assert shell(f"openssl pkey -in {private} -pubout", tmp_path).decode() == made.out
    raw = shell(f"openssl pkey -in {private} -pubout -outform DER | tail -c 32 | sha256sum", tmp_path).decode()
    assert f"key id {raw[:16]}" in made.err
    private.chmod(0o644)
    assert "chmod 600" in lockstep.run("manifest", "key", "--state", lockstep.state).err
    shell("openssl genpkey -algorithm ed25519 -out mine.pem", tmp_path)
    mine = lockstep.run("manifest", "key", "--signing-key", tmp_path / "mine.pem")
    assert mine.out == shell("openssl pkey -in mine.pem -pubout", tmp_path).decode()
    assert "no signing key" in lockstep.run("manifest", "key", "--signing-key", tmp_path / "none", expect=2).err


def test_every_file_matters(lockstep, publisher):
    verify(lockstep, publisher)
    heads = sorted(publisher.directory.glob("heads/*"))
    newest = json.loads(heads[-1].read_text().splitlines()[0])
    for file in heads + [publisher.directory / f"pages/{page['sha256']}.jsonl.zst" for page in newest["pages"]]:
        good = file.read_bytes()
        for place in (0, len(good) // 2, len(good) - 1):
            file.write_bytes(good[:place] + bytes([good[place] ^ 4]) + good[place + 1:])
            outcome = verify(lockstep, publisher, expect=4)
            assert file.name in outcome.err or "head " in outcome.err, outcome.err
        file.write_bytes(good[:-1])
        verify(lockstep, publisher, expect=4)
        file.unlink()
        verify(lockstep, publisher, expect=0 if file.name == f"{1:016}.json" else 4)
        file.write_bytes(good)
    verify(lockstep, publisher)


def test_an_old_copy_put_back(lockstep, publisher):
    third = publisher.publish(ROWS[1:])
    verify(lockstep, publisher)
    taken = third.read_bytes()
    third.unlink()
    outcome = verify(lockstep, publisher, expect=4)
    assert "newest head is 2, but 3 was seen" in outcome.err
    third.write_bytes(taken)
    verify(lockstep, publisher)
    # Another one under its number, well signed.
    publisher.sequence, publisher.previous = 2, hashlib.sha256((publisher.directory / f"heads/{2:016}.json").read_bytes()).hexdigest()
    publisher.publish(ROWS[2:])
    assert "not the one that was seen" in verify(lockstep, publisher, expect=4).err
    for file in publisher.directory.rglob("*.json"):
        file.unlink()
    assert "no manifest any more" in verify(lockstep, publisher, expect=4).err


def test_gaps_and_wrong_links(lockstep, publisher):
    publisher.publish(ROWS)
    second = publisher.directory / f"heads/{2:016}.json"
    taken = second.read_bytes()
    second.unlink()
    assert "head 2 is missing" in verify(lockstep, publisher, expect=4).err
    second.write_bytes(taken)
    publisher.publish(ROWS, previous="00" * 32)
    assert "published after another head 3" in verify(lockstep, publisher, expect=4).err


def test_nothing_there(lockstep, location, tmp_path):
    for kind in ("s3", "gs", "az", "file"):
        url = location(kind).url
        for command in ("verify", "show", "diff"):
            outcome = lockstep.run("manifest", command, url, expect=78)
            assert "no manifest" in outcome.err and outcome.out == ""
    assert lockstep.run("manifest", "verify", tmp_path / "no-such-directory", expect=78).out == ""


def test_show(lockstep, publisher):
    text = lockstep.run("manifest", "show", publisher.directory).out
    assert "s3://a/@aws" in text and publisher.key_id in text and "5 objects" in text
    head = json.loads(lockstep.run("manifest", "show", publisher.directory, "--json", "--sequence", 1).out)
    assert head["sequence"] == 1 and head["rows"] == 3
    rows = [json.loads(line) for line in lockstep.run("manifest", "show", publisher.directory, "--rows").out.splitlines()]
    assert rows == sorted(ROWS, key=key_bytes)
    rows = [json.loads(line) for line in lockstep.run("manifest", "show", publisher.directory, "b/c", 'ü\n"').out.splitlines()]
    assert rows == [ROWS[1], ROWS[2]]
    missing = lockstep.run("manifest", "show", publisher.directory, "a", "none\x1b", expect=3)
    assert json.loads(missing.out) == ROWS[0] and "none\\x1b" in missing.err
    for flags in (["a", "--rows"], ["--json", "--rows"], ["--json", "a"]):
        lockstep.run("manifest", "show", publisher.directory, *flags, expect=2)


def test_diff(lockstep, publisher, tmp_path):
    changed = row("a", 2, crc32c="0000002b")
    publisher.publish([changed] + ROWS[2:])
    outcome = lockstep.run("manifest", "diff", publisher.directory)
    assert outcome.out.splitlines() == ["* a  size source_version target_version crc32c", "- b/c"]
    assert "0 added, 1 removed, 1 changed" in outcome.err
    assert lockstep.run("manifest", "diff", publisher.directory, 3, 2).out.splitlines()[1] == "+ b/c"
    lines = [json.loads(line) for line in lockstep.run("manifest", "diff", publisher.directory, 2, "--json").out.splitlines()]
    assert lines[0]["before"] == ROWS[0] and lines[0]["after"] == changed and lines[0]["change"] == "changed"
    assert lines[1] == {"change": "removed", "key": "b/c", "before": ROWS[1]}
    other = Publisher(tmp_path / "other")
    other.publish(ROWS)
    assert lockstep.run("manifest", "diff", other.directory, publisher.directory).out == outcome.out
    assert "no head 0" in lockstep.run("manifest", "diff", other.directory, expect=78).err
    for flags in (["1", "x"], ["1", "2", "3"]):
        lockstep.run("manifest", "diff", publisher.directory, *flags, expect=2)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"rows": 6}, "counts"), ({"bytes": 1}, "counts"), ({"evidence": [5, 0, 0, 0]}, "counts"), ({"merkle_root": "00" * 32}, "Merkle"),
        ({"sequence": 1 << 63}, "not readable"), ({"pages": [[]] * 200_000}, "wrong type"), ({"format": "x"}, "format"),
    ],
)
def test_heads_that_are_signed_and_wrong(lockstep, tmp_path, changes, message):
    publisher = Publisher(tmp_path / "copy")
    publisher.publish(ROWS, **changes)
    outcome = verify(lockstep, publisher, expect=4)
    assert message in outcome.err and outcome.out == ""


def test_the_documented_lines(publisher):
    """As the manual has them, without this program."""
    copy = publisher.directory
    shutil.copy(publisher.public, copy / "replica.pub")
    head = 'head=$(ls heads/*.json | tail -n 1); '
    sizes = head + """jq -r '.pages[]?.sha256' "$head" | while read -r page; do zstd -dcq "pages/$page.jsonl.zst"; done | jq -s 'map(.size) | add'"""
    assert int(shell(sizes, copy)) == 4321
    assert shell("zstd -dcq pages/*.zst | jq -r 'select(.evidence > 2).size' | sort -u", copy) == b"4000\n"
    pages = head + """jq -r '.pages[]? | "\\(.sha256)  pages/\\(.sha256).jsonl.zst"' "$head" | sha256sum --check --quiet"""
    shell(pages, copy)
    signature = head + """
        head -n 1 "$head" | head -c -1 > line; tail -n 1 "$head" | jq -r .signature | base64 -d > signature
        openssl pkeyutl -verify -pubin -inkey replica.pub -rawin -in line -sigfile signature"""
    shell(signature, copy)
    first = shell("sha256sum heads/0000000000000001.json | cut -c 1-64", copy)
    assert shell("head -n 1 heads/0000000000000002.json | jq -r .previous", copy) == first
    page = next(copy.glob("pages/*.zst"))
    page.write_bytes(page.read_bytes() + b"x")
    shell(pages, copy, expect=1)
    newest = copy / f"heads/{2:016}.json"
    newest.write_text(newest.read_text().replace("gs://b/", "gs://c/"))
    shell(signature, copy, expect=1)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def download(place, directory):
    """A copy of the manifest folder, made by the store's own client."""
    prefix = ".lockstep/manifest/"
    for key in place.all_keys():
        if key.startswith(prefix):
            file = directory / key[len(prefix):]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(place.get(key))
    return directory


@pytest.mark.parametrize("kind", ["s3", "gs", "az", "file"])
def test_what_a_run_publishes(lockstep, source, location, tmp_path, kind):
    target = location(kind)
    objects = {"a": b"one", "dir/b": b"22", "ü \"": b"", "z": b"3333"}
    source.fill(objects)
    source.put("typed", b"x", content_type="text/plain", metadata={"owner": "tests"})
    lockstep.sync(source.url, target.url)
    first = download(target, tmp_path / "first")
    assert len(list(first.glob("heads/*"))) == 1

    # A run that changes nothing publishes nothing.
    lockstep.sync(source.url, target.url)
    assert len(list(download(target, tmp_path / "again").glob("heads/*"))) == 1

    source.put("z", b"changed")
    lockstep.sync(source.url, target.url)
    copy = download(target, tmp_path / "copy")
    heads = sorted(copy.glob("heads/*"))
    head, tail = heads[-1].read_bytes().splitlines()
    document = json.loads(head)
    assert [file.name for file in heads] == ["0000000000000001.json", "0000000000000002.json"]
    assert document["previous"] == hashlib.sha256(heads[0].read_bytes()).hexdigest()
    assert document["rows"] == 5 and document["bytes"] == 3 + 2 + 0 + 7 + 1

    # By ordinary tools alone.
    shutil.copy(lockstep.state / "signing-key.pub", copy / "replica.pub")
    (copy / "line").write_bytes(head)
    (copy / "signature").write_bytes(base64.b64decode(json.loads(tail)["signature"]))
    shell("openssl pkeyutl -verify -pubin -inkey replica.pub -rawin -in line -sigfile signature", copy)
    digests = [bytes.fromhex(page["sha256"]) for page in document["pages"]]
    assert merkle_root(digests).hex() == document["merkle_root"] and len(digests) == 1
    page = copy / f"pages/{digests[0].hex()}.jsonl.zst"
    assert hashlib.sha256(page.read_bytes()).digest() == digests[0]
    rows = [json.loads(line) for line in shell(f"zstd -dcq {page}", copy).decode().splitlines()]
    assert [row["key"] for row in rows] == sorted([*objects, "typed"], key=str.encode)
    by_key = {row["key"]: row for row in rows}
    assert by_key["z"]["size"] == 7 and by_key["a"]["evidence"] >= 2
    assert by_key["a"]["crc32c"] == f"{crc32c(objects['a']):08x}"
    assert by_key["typed"]["attributes"]["metadata"] == {"owner": "tests"}

    # And by this program, from the target, from the copy, and after a rollback.
    lockstep.run("manifest", "verify", target.url, "--state", lockstep.state)
    lockstep.run("manifest", "verify", copy, "--state", lockstep.state)
    assert lockstep.run("manifest", "diff", target.url).out.startswith("* z  size ")
    target.delete(".lockstep/manifest/heads/0000000000000002.json")
    assert "2 was seen" in lockstep.run("manifest", "verify", target.url, "--state", lockstep.state, expect=4).err


def test_a_manifest_elsewhere_stands_for_the_source(lockstep, source, location):
    target, control = location("gs"), location("s3")
    source.fill({"a": b"one", "b": b"two"})
    lockstep.sync(source.url, target.url, "--control", control.url)
    assert target.all_keys() == ["a", "b"] and len(control.all_keys()) == 2
    against = ("check", target.url, "--against", "manifest", "--state", lockstep.state, "--no-progress")
    lockstep.run(*against, expect=78)
    lockstep.run(*against, "--control", control.url)
    target.put("b", b"TWO")
    lockstep.run(*against, "--control", control.url, expect=4)
    # A new place begins a chain of its own. What somebody else changed stays a conflict.
    source.put("c", b"three")
    summary = lockstep.sync(source.url, target.url, "--control", location("s3").url, expect=3).summary
    assert summary["manifest"]["sequence"] == 1 and summary["conflicts"] == 1


def test_heads_that_are_gone_are_noticed_by_a_run_without_changes(lockstep, source, target):
    source.put("a", b"one")
    lockstep.sync(source.url, target.url)
    for key in target.all_keys():
        if "/heads/" in key:
            target.delete(key)
    outcome = lockstep.sync(source.url, target.url, expect=3)
    assert "there is no manifest any more" in outcome.err and outcome.summary["copied_objects"] == 0
    assert lockstep.sync(source.url, target.url, "--adopt-manifest").summary["manifest"]["sequence"] == 1
