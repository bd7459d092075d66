"""The Debian package: built, unpacked, installed into a root of its own, and used."""

import hashlib
import os
import re
import subprocess

import pytest

from checkout import ROOT, run
from lockstep_binary import binary

EPOCH = "1767225600"


def build(directory):
    said = run(
        ROOT / "Scripts/package", "--binary", binary(), "--output", directory, env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH}
    )
    return said.stdout.strip()


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return build(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def unpacked(package, tmp_path_factory):
    directory = tmp_path_factory.mktemp("unpacked")
    run("dpkg-deb", "--extract", package, directory)
    return directory


def test_the_same_binary_gives_the_same_bytes(package, tmp_path):
    def digest(path):
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    assert digest(build(tmp_path)) == digest(package)


def test_lintian_has_no_complaint(package):
    run("lintian", "--no-cfg", "--allow-root", "--fail-on", "error,warning", package)


def test_the_package_says_what_it_needs(package):
    def field(name):
        return run("dpkg-deb", "--field", package, name).stdout.strip()

    assert field("Version") == run(binary(), "--version").stdout.strip()
    needed = re.findall(r"(?:^|, )([a-z0-9.+-]+)", field("Depends"))
    assert {"libc6", "libcurl4", "libsqlite3-0", "ca-certificates"} <= set(needed)
    run("apt-cache", "show", "--no-all-versions", *needed)


def test_nothing_is_owned_by_whoever_built_it_and_nothing_is_enabled(package):
    listing = run("dpkg-deb", "--contents", package).stdout.splitlines()
    assert all(line.split()[1] == "root/root" for line in listing)
    assert not any(".wants/" in line for line in listing)


def test_the_binary_needs_no_toolchain(unpacked):
    said = run("ldd", unpacked / "usr/lib/lockstep/lockstep", env={"PATH": os.environ["PATH"]}).stdout
    assert "not found" not in said
    swift = [line for line in said.splitlines() if re.search(r"swift|Foundation|dispatch|BlocksRuntime", line)]
    assert swift and all(str(unpacked) in line for line in swift), swift
    runpath = run("readelf", "--dynamic", unpacked / "usr/lib/lockstep/lockstep").stdout
    assert re.findall(r"runpath: \[(.*)\]", runpath) == ["$ORIGIN"]


def test_the_binary_of_the_package_replicates(unpacked, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/model.bin").write_bytes(os.urandom(100_000))
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    lockstep = unpacked / "usr/bin/lockstep"
    run(lockstep, "sync", tmp_path / "a", tmp_path / "b", "--no-progress", env=environment)
    assert (tmp_path / "b/model.bin").read_bytes() == (tmp_path / "a/model.bin").read_bytes()
    run(lockstep, "check", tmp_path / "a", tmp_path / "b", "--no-progress", env=environment)


def test_it_installs_keeps_what_was_edited_and_leaves_nothing_after_a_purge(package, tmp_path):
    for name in ("info", "updates"):
        (tmp_path / "var/lib/dpkg" / name).mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").touch()

    def dpkg(*arguments):
        run("dpkg", f"--root={tmp_path}", "--force-script-chrootless", "--force-depends", "--force-not-root", *arguments)

    dpkg("--install", package)
    settings = tmp_path / "etc/lockstep/lockstep.env"
    assert (tmp_path / "etc/lockstep/credentials").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "etc/lockstep/lockstep.example.yaml").exists() and not (tmp_path / "etc/lockstep/lockstep.yaml").exists()
    settings.write_text("AWS_REGION=eu-central-1\n")
    dpkg("--force-confold", "--install", package)
    assert settings.read_text() == "AWS_REGION=eu-central-1\n"
    dpkg("--remove", "lockstep")
    assert settings.exists() and not (tmp_path / "usr/bin/lockstep").exists()
    dpkg("--purge", "lockstep")
    assert not (tmp_path / "etc").exists()
    files = [path for path in tmp_path.rglob("*") if path.is_file() and "var/lib/dpkg" not in str(path)]
    assert files == []


def test_what_units_and_documents_name_is_in_the_package(unpacked):
    for unit in (unpacked / "usr/lib/systemd/system").iterdir():
        for page in re.findall(r"man:([\w-]+)\(1\)", unit.read_text()):
            assert (unpacked / f"usr/share/man/man1/{page}.1.gz").exists(), (unit.name, page)
        for path in re.findall(r"^Exec\w+=(/usr/bin/lockstep)", unit.read_text(), re.M):
            assert os.access(unpacked / path[1:], os.X_OK)
    rules = unpacked / "usr/share/doc/lockstep/examples/helm/lockstep/files/lockstep.rules.yaml"
    assert rules.resolve().is_file()


@pytest.fixture(scope="module")
def completions(unpacked):
    """Where each shell looks, and an environment in which `lockstep` is the one of the package."""
    share = unpacked / "usr/share"
    environment = {"PATH": f"{unpacked}/usr/bin:/usr/bin:/bin", "HOME": str(unpacked), "LANG": "C.UTF-8"}
    return {
        "bash": share / "bash-completion/completions/lockstep",
        "zsh": share / "zsh/vendor-completions/_lockstep",
        "fish": share / "fish/vendor_completions.d/lockstep.fish",
    }, environment


def test_shells_accept_their_completions(completions):
    paths, environment = completions
    run("bash", "-n", paths["bash"], env=environment)
    run("zsh", "-n", paths["zsh"], env=environment)
    run("fish", "--no-execute", paths["fish"], env=environment)


def complete(shell, paths, environment, line):
    if shell == "fish":
        script = f"source {paths['fish']}; complete --do-complete '{line}'"
        return {entry.split("\t")[0] for entry in run("fish", "-c", script, env=environment).stdout.splitlines()}
    script = f"""
        . /usr/share/bash-completion/bash_completion
        . {paths['bash']}
        COMP_LINE='{line}' COMP_POINT={len(line)} COMP_TYPE=9 COMP_KEY=9
        COMP_WORDS=($COMP_LINE); [ "${{COMP_LINE: -1}}" != ' ' ] || COMP_WORDS+=('')
        COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        function=$(complete -p lockstep | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        "$function" lockstep "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return set(run("bash", "--norc", "-c", script, env=environment).stdout.split())


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_completion(completions, shell):
    paths, environment = completions
    assert "sync" in complete(shell, paths, environment, "lockstep sy")
    assert "--max-delete" in complete(shell, paths, environment, "lockstep sync --max-d")
    assert complete(shell, paths, environment, "lockstep sync --on-conflict ") >= {"keep", "replace"}
    assert "snapshots" in complete(shell, paths, environment, "lockstep vault snap")
