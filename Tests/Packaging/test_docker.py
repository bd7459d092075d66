"""The Dockerfile, as far as it can be judged where no engine runs."""

import json
import re

from checkout import CONFIG, ROOT, run

FOLDER = CONFIG / "docker"
TEXT = (FOLDER / "Dockerfile").read_text()
INSTRUCTIONS = [
    line.strip() for line in re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", TEXT, flags=re.M)).splitlines() if line.strip()
]


def of(name):
    return [line.split(None, 1)[1] for line in INSTRUCTIONS if line.startswith(name + " ")]


def packages(command):
    """The names that an `apt-get install` of a RUN instruction asks for."""
    words = re.search(r"apt-get install (.*?)(?:&&|$)", command)[1].split()
    return [word for word in words if not word.startswith("-")]


def test_hadolint_has_no_complaint():
    run("hadolint", "--failure-threshold", "style", FOLDER / "Dockerfile")


def test_hadolint_would_name_a_fault(tmp_path):
    (tmp_path / "Dockerfile").write_text(TEXT.replace("--no-install-recommends ", ""))
    assert "DL3015" in run("hadolint", tmp_path / "Dockerfile", expect=1).stdout


def test_what_is_installed_exists_in_debian():
    found = [name for command in of("RUN") if "apt-get install" in command for name in packages(command)]
    assert "/package/lockstep.deb" in found and "libcurl4-openssl-dev" in found
    run("apt-cache", "show", "--no-all-versions", *[name for name in found if not name.startswith("/")])


def test_the_build_installs_what_the_bootstrap_would():
    """So that the bootstrap finds nothing to do, and a changed source costs no installation."""
    wanted = re.search(r"^packages=\(\n(.*?)\n\)", (ROOT / "Scripts/bootstrap").read_text(), re.M | re.S)[1].split()
    assert set(wanted) <= set(packages(of("RUN")[0]))


def test_the_image_runs_as_nobody_and_starts_the_daemon():
    last = INSTRUCTIONS[max(number for number, line in enumerate(INSTRUCTIONS) if line.startswith("FROM ")) :]
    assert "USER 65532:65532" in last
    assert not any(line.startswith(("RUN", "COPY", "ADD")) for line in last[last.index("USER 65532:65532") :])
    assert json.loads(of("ENTRYPOINT")[0]) == ["/usr/bin/lockstep"]
    assert json.loads(of("CMD")[0])[0] == "serve"
    assert all(":" in image and not image.endswith(":latest") for image in (line.split()[0] for line in of("FROM")))


def test_the_context_holds_what_the_package_needs():
    allowed = {line[1:] for line in (FOLDER / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
    assert all((ROOT / name).exists() for name in allowed - {"Package.resolved"})
    assert {"Sources", "Scripts", "Config", "Package.swift", "README.md", "LICENSE", "Tests"} <= allowed
