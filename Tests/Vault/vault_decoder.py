"""Reads a Lockstep vault from the page that describes its format, and shares nothing with the program that wrote it.

    vault_decoder.py DIRECTORY (--passphrase TEXT | --key-file FILE) snapshots
    vault_decoder.py DIRECTORY (--passphrase TEXT | --key-file FILE) ls [SNAPSHOT]
    vault_decoder.py DIRECTORY (--passphrase TEXT | --key-file FILE) cat KEY [SNAPSHOT]
    vault_decoder.py DIRECTORY (--passphrase TEXT | --key-file FILE) check

The sections below follow `VaultFormat.md`. Whatever the page lets a reader verify is verified, and what is not as the page
says is `Damage` that names the object.
"""

import argparse
import collections
import dataclasses
import functools
import hashlib
import hmac
import json
import pathlib
import re
import struct
import sys

import lz4.block
import zstandard
from awscrt import checksums
from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NUMBERED = re.compile(r"^(key|root)/(\d{20})$")
BLOB = re.compile(r"^(snap|index|pack)/[0-9a-f]{16}-[0-9a-f]{16}/[0-9a-f]{32}$")

HEADER, TRAILER, TAG = 96, 48, 16
DATA_PACK, METADATA_PACK, ROOT, PAGE, SEGMENT = 1, 2, 3, 4, 5
PLAIN_LIMIT = 256 << 20
CODEC_AS_IS, CODEC_LZ4, CODEC_ZSTD, CODEC_PLANES = 0, 1, 2, 3


class Damage(Exception):
    """An object is not what the page says."""


class WrongCredential(Exception):
    """No slot opens with the passphrase or key file."""


def require(condition, name, what):
    if not condition:
        raise Damage(f"{name}: {what}")


def parse_json(name, text, fields):
    """A JSON object with exactly these fields, or with any when there are none given."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Damage(f"{name}: {error}") from None
    require(isinstance(value, dict), name, "is not a JSON object")
    require(fields is None or set(value) == fields, name, f"has the fields {sorted(value)}")
    return value


def hkdf(secret, salt, info, length):
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)


def is_padme(length):
    """Whether a length is one of those that Padmé rounds up to."""
    e = length.bit_length() - 1
    s = e.bit_length()
    return e <= s or length % (1 << (e - s)) == 0


class Cursor:
    """Takes fields off the front of a payload."""

    def __init__(self, name, data):
        self.name, self.data, self.offset = name, data, 0

    def bytes(self, count):
        require(self.offset + count <= len(self.data), self.name, "ends inside a field")
        self.offset += count
        return self.data[self.offset - count : self.offset]

    def unpack(self, layout):
        return struct.unpack(layout, self.bytes(struct.calcsize(layout)))

    def number(self):
        """LEB128."""
        value = shift = 0
        while True:
            byte = self.bytes(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                require(byte != 0 or shift == 0, self.name, "holds a number that is longer than it must be")
                return value
            shift += 7
            require(shift < 64, self.name, "holds a number of more than 64 bits")

    def zeros(self, count):
        require(not any(self.bytes(count)), self.name, "has other bytes than zeros in its padding")

    def rest_is_zeros(self):
        self.zeros(len(self.data) - self.offset)


# format


@dataclasses.dataclass
class Format:
    repository: bytes
    fields: dict
    digest: str


FORMAT_FIELDS = {
    "chunker", "cipher", "compression", "features", "hash", "magic", "packSize", "repository", "singleWriter", "version",
}


def parse_format(stored):
    fields = parse_json("format", stored, FORMAT_FIELDS)
    require(fields["magic"] == "lockstep vault" and fields["version"] == 1, "format", "is not a vault's, version 1")
    require(fields["features"] == [], "format", f"uses features that this decoder does not know: {fields['features']}")
    require(fields["cipher"] == "AES-256-GCM" and fields["hash"] == "BLAKE3", "format", "names another cipher or hash")
    require(re.fullmatch("[0-9a-f]{64}", str(fields["repository"])), "format", "holds no repository id")
    return Format(bytes.fromhex(fields["repository"]), fields, blake3(stored).hexdigest())


# key/<n>


@dataclasses.dataclass
class Ring:
    chunk_id_key: bytes
    slots_key: bytes
    root_keys: list


def parse_key_list(name, stored):
    lines = stored.splitlines(keepends=True)
    require(len(lines) == 2, name, f"has {len(lines)} lines")
    seal = parse_json(name, lines[1], {"blake3", "code"})
    require(seal["blake3"] == blake3(lines[0]).hexdigest(), name, "has another hash than it says")
    fields = parse_json(name, lines[0], {"magic", "version", "sequence", "format", "rootKey", "slots"})
    require(fields["magic"] == "lockstep vault keys" and fields["version"] == 1, name, "is not a list of keys, version 1")
    require(fields["sequence"] == int(name[-20:]), name, "is a list of another number")
    return lines[0], fields, seal


def slot_private_key(slot, repository, passphrase, key_file):
    if slot["kind"] == "passphrase" and passphrase is not None:
        n, r, p = (slot["scrypt"][letter] for letter in "nrp")
        salt = bytes.fromhex(slot["salt"])
        return hashlib.scrypt(passphrase, salt=salt, n=n, r=r, p=p, maxmem=256 * r * (n + p), dklen=32)
    if slot["kind"] == "file" and key_file is not None:
        return hkdf(key_file, repository, b"lockstep vault key file", 32)
    return None


def open_ring(name, slot, private, repository):
    """The ring in a slot, which must be bound to the slot's private key."""
    public, ephemeral = bytes.fromhex(slot["publicKey"]), bytes.fromhex(slot["ephemeralKey"])
    shared = X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(ephemeral))
    info = b"lockstep vault ring" + repository + slot["id"].encode("ascii")
    key = hkdf(shared, ephemeral + public, info, 32)
    try:
        plain = AESGCM(key).decrypt(bytes(12), bytes.fromhex(slot["ring"]), None)
    except InvalidTag:
        raise Damage(f"{name}: the ring of slot {slot['id']} does not decrypt") from None
    cursor = Cursor(name, plain)
    require(cursor.bytes(8) == b"LSRING01", name, "holds no ring")
    require(cursor.bytes(32) == repository, name, "holds the ring of another vault")
    chunk_id_key, slots_key = cursor.bytes(32), cursor.bytes(32)
    (count,) = cursor.unpack("<I")
    root_keys = [cursor.bytes(32) for _ in range(count)]
    require(count > 0 and cursor.offset == len(plain), name, "holds a ring of another length")
    binding_key = hkdf(private, repository, b"lockstep vault slot binding", 32)
    binding = hmac.new(binding_key, slots_key, "sha256").hexdigest()
    require(hmac.compare_digest(binding, slot["binding"]), name, f"the ring of slot {slot['id']} is not its owner's")
    return Ring(chunk_id_key, slots_key, root_keys)


def open_key_list(name, stored, repository, passphrase, key_file):
    line, fields, seal = parse_key_list(name, stored)
    for slot in fields["slots"]:
        require(re.fullmatch(r"[0-9a-f]{8}", slot["id"]), name, f"names a slot {slot['id']}")
        private = slot_private_key(slot, repository, passphrase, key_file)
        if private is None:
            continue
        public = X25519PrivateKey.from_private_bytes(private).public_key()
        if public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex() != slot["publicKey"]:
            continue
        ring = open_ring(name, slot, private, repository)
        code = hmac.new(ring.slots_key, line, "sha256").hexdigest()
        require(hmac.compare_digest(code, seal["code"]), name, "has slots that its owners did not make")
        newest = hkdf(ring.root_keys[-1], repository, b"lockstep vault root key id", 16)
        require(newest.hex() == fields["rootKey"], name, "names another root key than its ring holds")
        return ring, fields
    raise WrongCredential(f"{name}: no slot opens with this passphrase or key file")


# Sealed objects


@dataclasses.dataclass
class Sealed:
    """A sealed object whose trailer, header and commitment are right."""

    name: str
    stored: bytes
    type: int
    key: bytes
    footer_length: int

    @property
    def end(self):
        """Where the trailer begins."""
        return len(self.stored) - TRAILER

    def record(self, offset, length):
        require(
            HEADER <= offset and length >= TAG and offset + length <= self.end, self.name,
            f"a record of {length} bytes at {offset} is outside of it")
        nonce = struct.pack("<QI", offset, 0)
        try:
            return AESGCM(self.key).decrypt(
                nonce, self.stored[offset : offset + length], struct.pack("<QI", offset, length))
        except InvalidTag:
            raise Damage(f"{self.name}: the record at {offset} does not decrypt") from None

    def payload(self):
        """What the one record of a root, page or index segment holds."""
        require(self.footer_length == 0, self.name, "has a footer, which only packs have")
        cursor = Cursor(self.name, self.record(HEADER, self.end - HEADER))
        codec, plain_length, payload_length = cursor.unpack("<BQQ")
        require(codec in (CODEC_AS_IS, CODEC_ZSTD), self.name, f"has a codec of {codec}")
        require(plain_length <= PLAIN_LIMIT, self.name, f"says that it holds {plain_length} bytes")
        payload = cursor.bytes(payload_length)
        cursor.rest_is_zeros()
        return decompress(self.name, codec, payload, plain_length)


def open_sealed(name, stored, repository, ring, types):
    require(len(stored) >= HEADER + TAG + TRAILER, name, f"has {len(stored)} bytes only")
    require(is_padme(len(stored)), name, f"has {len(stored)} bytes, which is not a padded length")
    footer_length, digest, magic = struct.unpack("<Q32s8s", stored[-TRAILER:])
    require(magic == b"LSVEND01", name, "does not end as sealed objects do")
    require(digest == blake3(stored[:-40]).digest(), name, "has another hash than its trailer says")
    magic, kind, version, zero, key_version, repository_start, salt, commitment = struct.unpack(
        "<8sBBHI16s32s32s", stored[:HEADER])
    require(magic == b"LSVAULT1" and version == 1 and zero == 0, name, "is not a sealed object, version 1")
    require(kind in types, name, f"has the type {kind}")
    require(repository_start == repository[:16], name, "is of another vault")
    require(1 <= key_version <= len(ring.root_keys), name, f"is under root key {key_version}, which the ring lacks")
    info = b"lockstep vault object" + repository + bytes([kind]) + name.encode()
    keys = hkdf(ring.root_keys[key_version - 1], salt, info, 64)
    require(hmac.compare_digest(keys[32:], commitment), name, "has another commitment than its name, type and key give")
    return Sealed(name, stored, kind, keys[:32], footer_length)


# Codecs


def decompress(name, codec, stored, plain_length):
    """The bytes of a codec that does not cut into planes."""
    try:
        if codec == CODEC_AS_IS:
            plain = stored
        elif codec == CODEC_LZ4:
            plain = lz4.block.decompress(stored, uncompressed_size=plain_length)
        else:
            frame = zstandard.ZstdDecompressor().decompressobj()
            plain = frame.decompress(stored)
            require(frame.eof and not frame.unused_data, name, "holds more or less than one zstd frame")
    except (lz4.block.LZ4BlockError, zstandard.ZstdError) as error:
        raise Damage(f"{name}: {error}") from None
    require(len(plain) == plain_length, name, f"gives {len(plain)} bytes instead of {plain_length}")
    return plain


def decode_chunk(name, codec, stored, plain_length):
    low, high = codec & 15, codec >> 4
    if low != CODEC_PLANES:
        require(low in (CODEC_AS_IS, CODEC_LZ4, CODEC_ZSTD) and high == 0, name, f"has a codec of {codec}")
        return decompress(name, low, stored, plain_length)
    require(high in (1, 2, 3), name, f"has a codec of {codec}")
    width = 1 << high
    elements, rest = divmod(plain_length, width)
    plain = bytearray(plain_length)
    cursor = Cursor(name, stored)
    for byte in range(width):
        form, length = cursor.unpack("<BI")
        require(form in (CODEC_AS_IS, CODEC_LZ4, CODEC_ZSTD), name, f"has a plane of the form {form}")
        plain[byte : elements * width : width] = decompress(name, form, cursor.bytes(length), elements)
    plain[elements * width :] = cursor.bytes(rest)
    require(cursor.offset == len(stored), name, "has bytes after its planes")
    return bytes(plain)


# Packs


@dataclasses.dataclass(frozen=True)
class Row:
    """Where a chunk lies in its pack."""

    chunk: bytes
    offset: int
    stored_length: int
    plain_length: int
    codec: int


def pack_rows(sealed):
    cursor = Cursor(sealed.name, sealed.record(sealed.end - sealed.footer_length, sealed.footer_length))
    count, together = cursor.unpack("<IQ")
    rows, offset = [], HEADER
    for _ in range(count):
        row = Row(*cursor.unpack("<32sIIIB"))
        cursor.zeros(3)
        require(row.offset == offset, sealed.name, f"a record at {row.offset} does not follow the one before")
        offset += row.stored_length
        rows.append(row)
    cursor.rest_is_zeros()
    require(together == offset - HEADER, sealed.name, "counts other bytes of records than its rows have")
    require(offset == sealed.end - sealed.footer_length, sealed.name, "has bytes between its records and its footer")
    return rows


def read_chunk(sealed, row, ring):
    name = f"{sealed.name}, record at {row.offset}"
    plain = decode_chunk(name, row.codec, sealed.record(row.offset, row.stored_length), row.plain_length)
    require(blake3(plain, key=ring.chunk_id_key).digest() == row.chunk, name, "is not the chunk of its id")
    return plain


# Index segments


def session_text(session):
    return f"{session[:8].hex()}-{session[8:].hex()}"


@dataclasses.dataclass(frozen=True)
class Place:
    pack: str
    type: int
    row: Row


def segment_places(name, payload):
    cursor = Cursor(name, payload)
    require(cursor.bytes(8) == b"LSIDX001", name, "is not a segment of the index")
    pack_count, row_count = cursor.unpack("<II")
    require(1 <= row_count <= 262_144, name, f"has {row_count} rows")
    packs, previous = [], b""
    for _ in range(pack_count):
        whole = cursor.bytes(40)
        require(previous < whole, name, "has packs that do not rise")
        require(whole[32] in (DATA_PACK, METADATA_PACK) and not any(whole[33:]), name, "has a row of another kind of pack")
        packs.append((f"pack/{session_text(whole[:16])}/{whole[16:32].hex()}", whole[32]))
        previous = whole
    places, previous, used = [], (b"", 0), set()
    for _ in range(row_count):
        chunk, pack, offset, stored_length, plain_length, codec = cursor.unpack("<32sIIIIB")
        cursor.zeros(3)
        require(previous < (chunk, pack) and pack < len(packs), name, "has rows that do not rise, or of no pack")
        places.append(Place(*packs[pack], Row(chunk, offset, stored_length, plain_length, codec)))
        previous = (chunk, pack)
        used.add(pack)
    require(len(used) == pack_count, name, "has a pack without rows")
    require(cursor.offset == len(payload), name, "has bytes after its rows")
    return places


# Snapshot pages

PAGE_MOST_ITEMS, PAGE_MOST_BYTES, PAGE_LEAST_ITEMS = 2048, 512 << 10, 256
ATTRIBUTES = ["cacheControl", "contentDisposition", "contentEncoding", "contentLanguage", "contentType", "userMetadata"]


@dataclasses.dataclass
class Entry:
    """An object of a snapshot."""

    key: bytes
    size: int
    modified: int
    crc32c: int
    crc64nvme: int
    blake3: bytes
    attributes: dict
    kind: int
    chunks: list


@dataclasses.dataclass
class Child:
    """A page as the page above names it."""

    key: bytes
    name: str
    sealed_length: int
    objects: int
    plain_bytes: int


def parse_attributes(name, text):
    if not text:
        return {}
    attributes = parse_json(name, text, None)
    order = [field for field in ATTRIBUTES if field in attributes]
    require(list(attributes) == order and order, name, f"has the attributes {list(attributes)}")
    for field, value in attributes.items():
        strings = value.values() if field == "userMetadata" else [value]
        require(all(isinstance(string, str) for string in strings), name, f"has a value of {field} that is no text")
    return attributes


def page_items(name, payload):
    """The level of a page, its items, and whether the items end where the rule ends a page."""
    cursor = Cursor(name, payload)
    require(cursor.bytes(8) == b"LSPAGE01", name, "is not a page")
    (level,) = cursor.unpack("<B")
    cursor.zeros(3)
    (count,) = cursor.unpack("<I")
    require(count > 0, name, "has no items")
    items, texts, key = [], [], None
    for number in range(count):
        shared = cursor.number()
        require(shared <= len(key or b""), name, "shares more of a key than there is")
        rest = cursor.bytes(cursor.number())
        require(key is None or key < key[:shared] + rest, name, "has keys that do not rise")
        key = (key or b"")[:shared] + rest
        items.append(page_object(cursor, key, texts) if level == 0 else page_child(cursor, key))
        ended = (
            number + 1 == PAGE_MOST_ITEMS or cursor.offset >= PAGE_MOST_BYTES
            or (number + 1 >= PAGE_LEAST_ITEMS and blake3(key).digest()[level] == 0))
        require(not ended or number + 1 == count, name, f"has items after item {number}, which ends a page")
    require(cursor.offset == len(payload), name, "has bytes after its items")
    return level, items, ended


def page_object(cursor, key, texts):
    size = cursor.number()
    modified, crc32c, crc64nvme, digest = cursor.unpack("<qIQ32s")
    text = cursor.number()
    require(text <= len(texts), cursor.name, "names an attributes text that was not there")
    if text == len(texts):
        stored = cursor.bytes(cursor.number())
        require(stored not in [before for before, _ in texts], cursor.name, "has an attributes text twice")
        texts.append((stored, parse_attributes(cursor.name, stored)))
    (kind,) = cursor.unpack("<B")
    require(kind in (0, 1), cursor.name, f"has an object of the kind {kind}")
    chunks = [cursor.unpack("<32sI") for _ in range(cursor.number())]
    return Entry(key, size, modified, crc32c, crc64nvme, digest, texts[text][1], kind, chunks)


def page_child(cursor, key):
    session, identifier, sealed_length = cursor.unpack("<16s16sI")
    name = f"snap/{session_text(session)}/{identifier.hex()}"
    return Child(key, name, sealed_length, cursor.number(), cursor.number())


# The vault


ROOT_FIELDS = {"sequence", "previous", "time", "nonce", "fence", "segments", "snapshots", "collection"}


class Vault:
    """A vault's objects, opened: the ring, the chain of roots, the index."""

    def __init__(self, objects, passphrase=None, key_file=None):
        self.objects = objects
        require("format" in objects, "format", "is missing")
        self.format = parse_format(objects["format"])
        self.key_list = self._key_list()
        self.ring, self.keys = open_key_list(
            self.key_list, objects[self.key_list], self.format.repository, passphrase, key_file)
        self.roots = self._roots()
        self.root = self.roots[-1]
        self.places = self._index()
        self._packs = {}

    @property
    def snapshots(self):
        return self.root["snapshots"]

    def _key_list(self):
        for name in sorted((name for name in self.objects if name.startswith("key/")), reverse=True):
            if parse_key_list(name, self.objects[name])[1]["format"] == self.format.digest:
                return name
        raise Damage("key: no list of keys is of this format")

    def sealed(self, name, *types):
        require(name in self.objects, name, "is missing")
        return open_sealed(name, self.objects[name], self.format.repository, self.ring, types)

    def _roots(self):
        names = sorted(name for name in self.objects if name.startswith("root/"))
        require(names, "root", "there is none")
        roots, previous = [], ""
        for number, name in enumerate(names, 1):
            require(name == f"root/{number:020}", name, f"follows where root {number} is missing")
            root = parse_json(name, self.sealed(name, ROOT).payload(), ROOT_FIELDS)
            require(root["sequence"] == number, name, "is of another number")
            require(root["previous"] == previous, name, "follows another root than the one before")
            require(0 <= root["fence"] <= number, name, f"has a fence at {root['fence']}")
            identifiers = [snapshot["id"] for snapshot in root["snapshots"]]
            require(identifiers == sorted(set(identifiers)), name, "has snapshots that do not rise")
            require(all(identifier <= number for identifier in identifiers), name, "has a snapshot of a later root")
            previous = blake3(self.objects[name]).hexdigest()
            roots.append(root)
        return roots

    def _index(self):
        """Chunk id → its places."""
        places = collections.defaultdict(list)
        for segment in self.root["segments"]:
            name = f"index/{segment['session']}/{segment['id']}"
            sealed = self.sealed(name, SEGMENT)
            require(len(sealed.stored) == segment["size"], name, f"has {len(sealed.stored)} bytes, the root says {segment}")
            rows = segment_places(name, sealed.payload())
            require(len(rows) == segment["rows"], name, f"has {len(rows)} rows, the root says {segment['rows']}")
            for place in rows:
                places[place.row.chunk].append(place)
        return places

    def pack(self, name, *types):
        """A pack and its rows, opened once."""
        if name not in self._packs:
            sealed = self.sealed(name, *types)
            self._packs[name] = sealed, pack_rows(sealed)
        return self._packs[name]

    @functools.lru_cache(maxsize=256)
    def chunk(self, identifier):
        """A chunk's bytes; all its places must hold them."""
        require(identifier in self.places, f"chunk {identifier.hex()}", "is not in the index")
        for place in self.places[identifier]:
            sealed, rows = self.pack(place.pack, place.type)
            require(sealed.type == place.type, place.pack, "is a pack of another type than the index says")
            require(place.row in rows, place.pack, f"lacks the record that the index says is at {place.row.offset}")
            plain = read_chunk(sealed, place.row, self.ring)
        return plain

    def joined(self, what, chunks):
        parts = []
        for identifier, length in chunks:
            parts.append(self.chunk(identifier))
            require(len(parts[-1]) == length, what, f"chunk {identifier.hex()} has {len(parts[-1])} bytes, not {length}")
        return b"".join(parts)

    def pages(self, snapshot):
        """Every page of a snapshot's tree as name, level and items, each before the pages below it."""
        tree = snapshot.get("tree")
        if tree is None:
            return
        top = Child(None, f"snap/{tree['session']}/{tree['id']}", tree["size"], snapshot["objects"], snapshot["bytes"])
        pending = [(top, None, True)]
        while pending:
            child, level_wanted, is_last = pending.pop()
            sealed = self.sealed(child.name, PAGE)
            require(len(sealed.stored) == child.sealed_length, child.name, f"has {len(sealed.stored)} bytes")
            level, items, ended = page_items(child.name, sealed.payload())
            require(level_wanted in (None, level), child.name, f"is a page of level {level}")
            require(child.key in (None, items[0].key), child.name, "begins with another key than the page above says")
            require(is_last or ended, child.name, "ends where no page ends")
            require(child.key is not None or level == 0 or len(items) > 1, child.name, "is a root with one page below")
            objects = len(items) if level == 0 else sum(item.objects for item in items)
            plain = sum(item.size if level == 0 else item.plain_bytes for item in items)
            require((objects, plain) == (child.objects, child.plain_bytes), child.name, "has other sums than are said above")
            yield child.name, level, items
            if level > 0:
                for number in reversed(range(len(items))):
                    pending.append((items[number], level - 1, is_last and number + 1 == len(items)))

    def listing(self, snapshot):
        """The objects of a snapshot, by key."""
        entries, key = [], None
        for name, level, items in self.pages(snapshot):
            if level == 0:
                require(key is None or key < items[0].key, name, "has keys that the page before has passed")
                entries += items
                key = items[-1].key
        return entries

    def content(self, entry):
        """An object's bytes, after all its checksums."""
        what = f"object {entry.key!r}"
        chunks = entry.chunks
        if entry.kind == 1:
            listed = self.joined(f"list of {what}", chunks)
            require(len(listed) % 36 == 0, what, "has a list of chunks that ends inside a chunk")
            chunks = list(struct.iter_unpack("<32sI", listed))
        plain = self.joined(what, chunks)
        require(len(plain) == entry.size, what, f"has {len(plain)} bytes, not {entry.size}")
        require(blake3(plain).digest() == entry.blake3, what, "has another BLAKE3")
        require(checksums.crc32c(plain) == entry.crc32c, what, "has another CRC-32C")
        require(checksums.crc64nvme(plain) == entry.crc64nvme, what, "has another CRC-64/NVME")
        return plain

    def snapshot(self, identifier=None):
        """The snapshot of a root's number, or the newest."""
        for snapshot in reversed(self.snapshots):
            if identifier in (None, snapshot["id"]):
                return snapshot
        raise KeyError(f"there is no snapshot {identifier}")

    def verify(self):
        """Reads every byte of every object of the vault; returns what it counted."""
        counts = collections.Counter()
        for name, stored in self.objects.items():
            if name.startswith("key/"):
                parse_key_list(name, stored)
            elif name.startswith("pack/"):
                sealed, rows = self.pack(name, DATA_PACK, METADATA_PACK)
                for row in rows:
                    read_chunk(sealed, row, self.ring)
                counts["records"] += len(rows)
            elif name.startswith("index/"):
                segment_places(name, self.sealed(name, SEGMENT).payload())
            elif name.startswith("snap/"):
                page_items(name, self.sealed(name, PAGE).payload())
            counts[name.split("/")[0]] += 1
        for identifier in self.places:
            self.chunk(identifier)
        for snapshot in self.snapshots:
            for entry in self.listing(snapshot):
                self.content(entry)
                counts["entries"] += 1
            counts["snapshots"] += 1
        return dict(counts)


def read_directory(directory):
    """The objects of a vault below a directory, by name; other files are not the vault's."""
    root = pathlib.Path(directory)
    names = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    return {
        name: path.read_bytes() for name, path in sorted(names.items())
        if name == "format" or NUMBERED.match(name) or BLOB.match(name)
    }


def main():
    parser = argparse.ArgumentParser(description="Reads a Lockstep vault from the page that describes its format.")
    parser.add_argument("directory")
    credential = parser.add_mutually_exclusive_group(required=True)
    credential.add_argument("--passphrase")
    credential.add_argument("--key-file", type=pathlib.Path)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("snapshots")
    commands.add_parser("check")
    commands.add_parser("ls").add_argument("snapshot", type=int, nargs="?")
    cat = commands.add_parser("cat")
    cat.add_argument("key")
    cat.add_argument("snapshot", type=int, nargs="?")
    options = parser.parse_args()
    vault = Vault(
        read_directory(options.directory),
        passphrase=None if options.passphrase is None else options.passphrase.encode(),
        key_file=None if options.key_file is None else options.key_file.read_bytes())
    if options.command == "snapshots":
        for snapshot in vault.snapshots:
            print(json.dumps(snapshot, sort_keys=True))
    elif options.command == "check":
        print(json.dumps(vault.verify(), sort_keys=True))
    elif options.command == "ls":
        for entry in vault.listing(vault.snapshot(options.snapshot)):
            key = entry.key.decode(errors="backslashreplace")
            print(f"{entry.size:>12}  {entry.blake3.hex()}  {key}  {json.dumps(entry.attributes, ensure_ascii=False)}")
    else:
        key = options.key.encode(errors="surrogateescape")
        entry = next((entry for entry in vault.listing(vault.snapshot(options.snapshot)) if entry.key == key), None)
        if entry is None:
            sys.exit(f"vault_decoder: {options.key} is not in the snapshot")
        sys.stdout.buffer.write(vault.content(entry))


if __name__ == "__main__":
    main()
