"""What happens to a vault's objects in storage: cut short, changed, swapped, gone. It is named, nothing false or partial comes out, and the rest does."""

import random

import pytest

from vaults import make_vault  # noqa: F401
from locations import MIB

#: Enough for two packs of the least size.
SIZES = {"a/large": 14 * MIB, "b/large": 14 * MIB, "small/one": 10, "small/two": 2000}


@pytest.fixture
def vault(make_vault, location):
    chooser = random.Random(11)
    vault = make_vault("file", "--pack-size", "8M", "--compression", "none")
    vault.source = location("s3").fill({key: chooser.randbytes(size) for key, size in SIZES.items()})
    vault.fill(vault.source)
    assert len(vault.names("pack/")) >= 4
    return vault


def flip(data, place):
    return data[:place] + bytes([data[place] ^ 0x40]) + data[place + 1:]


DAMAGE = {
    "flipped in the middle": lambda data, _: flip(data, len(data) // 2),
    "flipped in the header": lambda data, _: flip(data, 70),
    "cut short": lambda data, _: data[: len(data) * 2 // 3],
    "emptied": lambda data, _: b"",
    "grown": lambda data, _: data + b"more",
    "swapped for another": lambda _, other: other,
    "zeroed": lambda data, _: bytes(len(data)),
    "gone": None,
}


def do(vault, name, how):
    change = DAMAGE[how]
    if change is None:
        vault.delete(name)
    else:
        other = next(each for each in vault.names(name.split("/")[0] + "/") if each != name)
        vault.write(name, change(vault.read(name), vault.read(other)))


@pytest.mark.parametrize("how", list(DAMAGE))
def test_a_pack(vault, location, how):
    """Objects with a chunk in it fail by name, and the others are copied; the target never shows what is not whole."""
    packs = sorted(vault.names("pack/"), key=lambda name: -len(vault.read(name)))
    do(vault, packs[0], how)
    target = location("s3")
    outcome = vault.restore(target, "--part-size", "5M", expect=None)
    failed = outcome.named("failed")
    # What is appended to a pack is no part of any record: reading by place still finds the records whole.
    if how == "grown" and not failed:
        assert target.content() == vault.source.content()
        return
    assert outcome.status == 3 and failed, outcome.err
    content = vault.source.content()
    assert target.content() == {key: data for key, data in content.items() if key not in failed}
    for line in failed.values():
        assert packs[0] in line["message"], line["message"]
    # The same at the level of single objects.
    key = next(iter(failed))
    told = vault.run("cat", f"{vault.url}/{key}", expect=3)
    assert packs[0] in told.err
    assert content[key].startswith(told.stdout) and told.stdout != content[key]


@pytest.mark.parametrize("how", list(DAMAGE))
@pytest.mark.parametrize("part", ["root/", "snap/", "index/"])
def test_what_leads_to_the_objects(vault, location, part, how):
    """Without it nothing can be believed, and nothing comes out."""
    vault.source.put("more", b"m")
    vault.fill(vault.source)
    names = vault.names(part) if part != "root/" else vault.names(part)[-1:]
    others = {name: vault.read(other) for name, other in zip(vault.names(part), vault.names(part)[1:] + vault.names(part)[:1])}
    for name in names:
        if DAMAGE[how] is None:
            vault.delete(name)
        else:
            vault.write(name, DAMAGE[how](vault.read(name), others[name]))
    target = location("s3")
    # A machine that has seen nothing of the vault, and kept nothing.
    outcome = vault.restore(target, expect=None, state=vault.lockstep.directory / "fresh")
    if part == "root/" and how == "gone":
        # To who has never seen the newest, the one before is the newest; who has seen it refuses.
        assert outcome.status in (0, 3)
        assert vault.run("ls", vault.url, expect=6).out == ""
        return
    assert outcome.status in (3, 78), outcome.err
    assert part in outcome.err + outcome.out
    assert target.all_keys() == []


def test_every_pack_swapped_with_another(vault, location):
    packs = vault.names("pack/")
    data = [vault.read(name) for name in packs]
    for name, other in zip(packs, data[1:] + data[:1]):
        vault.write(name, other)
    target = location("gs")
    outcome = vault.restore(target, expect=3)
    assert set(outcome.named("failed")) == set(SIZES) and target.all_keys() == []


def test_keys_and_format(vault, location):
    key = vault.names("key/")[-1]
    kept = vault.read(key), vault.read("format")
    for name, data in [(key, b"{}"), (key, kept[0][:-20]), ("format", kept[1].replace(b'"AES-256-GCM"', b'"AES-128-GCM"')), (key, None)]:
        if data is None:
            vault.delete(name)
        else:
            vault.write(name, data)
        refused = vault.run("ls", vault.url, expect=None)
        assert refused.status in (3, 78) and refused.out == "", refused.err
        vault.write(key, kept[0])
        vault.write("format", kept[1])
    assert set(vault.ls()) == set(SIZES)


@pytest.mark.parametrize("part", ["format", "key/", "root/", "snap/", "index/", "pack/"])
def test_a_flipped_bit_anywhere(make_vault, location, part):
    """One bit of each stretch of each object: found, or harmless because what comes out is the same."""
    vault = make_vault("file")
    source = location("s3").fill({"k": b"content of k" * 50, "l": b"l"})
    vault.fill(source)
    wanted = source.content()
    chooser = random.Random(part)
    for name in vault.names(part):
        data = vault.read(name)
        for place in sorted({0, 8, 12, 40, len(data) - 1, len(data) - 20, *(chooser.randrange(len(data)) for _ in range(6))}):
            if not 0 <= place < len(data):
                continue
            vault.write(name, flip(data, place))
            target = location("file")
            outcome = vault.restore(target, expect=None, state=vault.lockstep.directory / f"fresh-{target.directory.name}")
            content = target.visible()
            assert all(wanted[key] == found for key, found in content.items())
            assert outcome.status != 0 or content == wanted, (name, place)
            assert outcome.status in (0, 3, 6, 78), outcome.err
        vault.write(name, data)


def test_packs_that_are_set_aside_are_stored_again(vault, tmp_path):
    for name in vault.names("pack/"):
        vault.delete(name)
    said = vault.run("vault", "check", vault.url, "--quarantine", "--no-progress", expect=4)
    assert "set aside" in said.err
    report = tmp_path / "report"
    vault.run("check", vault.source.url, vault.url, "--evidence", "3", "--combined", str(report), expect=5)
    vault.fill(vault.source, "--repair-from", str(report))
    vault.run("check", vault.source.url, vault.url, "--evidence", "3")
    # The snapshot before is whole again too: it needs the same chunks.
    for key in SIZES:
        vault.run("cat", f"{vault.url}/{key}", "--snapshot", "2")


def test_plain_objects_are_refused_in_a_vaults_folder(vault, lockstep, location):
    names = vault.names("")
    other = location("s3").fill({"zz": b"plain"})
    for flags in ([], ["--delete"], ["--delete", "--permanent-delete"]):
        said = lockstep.run(
            "sync", other.url, vault.url.removeprefix("vault+"), *flags, "--state", lockstep.state, expect=6)
        assert "holds a vault" in said.err
    assert vault.names("") == names


@pytest.mark.parametrize("part", ["pack", "index", "snap"])
@pytest.mark.parametrize("flags", [[], ["--delete", "--permanent-delete", "--max-delete", "100%"]], ids=["copy", "delete"])
def test_plain_objects_are_refused_in_folders_of_a_vault_and_above_it(vault, lockstep, location, part, flags):
    names = vault.names("")
    other = location("s3").fill({"zz": b"plain"})
    for target, words in ((f"{vault.plain}/{part}", "is a folder of a vault"), (vault.place.url, "there is a vault below")):
        said = lockstep.run("sync", other.url, target, *flags, "--state", lockstep.state, expect=6)
        assert words in said.err
    assert vault.names("") == names


def test_a_copy_of_a_whole_vault_is_a_mirror_like_others(vault, lockstep, location):
    copy = location("gs")
    for _ in range(2):
        lockstep.sync(vault.place.url, copy.url, "--delete")
        vault.fill(vault.source.fill({"more": b"bytes"}))
    lockstep.sync(vault.place.url, copy.url, "--delete")
    lockstep.run("check", vault.place.url, copy.url, "--state", lockstep.state)
