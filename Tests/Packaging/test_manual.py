"""The manual pages, by three readers of them."""

import json
import os
import re

import pytest

from checkout import ROOT, run
from lockstep_binary import binary


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    directory = tmp_path_factory.mktemp("man") / "man1"
    run(ROOT / "Scripts/manual", binary(), directory, env={**os.environ, "SOURCE_DATE_EPOCH": "1767225600"})
    return sorted(directory.glob("*.1"))


def text(page):
    """As a terminal shows it, without what is there for emphasis."""
    environment = {**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8", "MANROFFOPT": "-c", "MAN_KEEP_FORMATTING": ""}
    return re.sub(".\b", "", run("man", "--local-file", page, env=environment).stdout)


def commands():
    tree = json.loads(run(binary(), "--experimental-dump-help").stdout)["command"]

    def walk(path, command):
        yield "-".join(path), command
        for child in command.get("subcommands", []):
            if child["commandName"] != "help":
                yield from walk([*path, child["commandName"]], child)

    return dict(walk([tree["commandName"]], tree))


def test_every_command_has_a_page_and_every_reference_leads_to_one(pages):
    names = {page.stem for page in pages}
    assert names == set(commands())
    for page in pages:
        assert set(re.findall(r"(lockstep[a-z-]*)\(1\)", page.read_text().replace("\\-", "-").replace("\\fR", ""))) <= names


def test_mandoc_has_no_complaint(pages):
    said = run("mandoc", "-T", "lint", *pages)
    assert said.stdout + said.stderr == ""


def test_groff_and_man_have_no_warning(pages):
    for page in pages:
        assert run("groff", "-ww", "-man", "-Tutf8", page).stderr == ""
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MANROFFSEQ": ""}
        said = run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page, env=environment)
        assert said.stderr == "", page


def test_pages_show_every_option(pages):
    tree = commands()
    for page in pages:
        shown = text(page)
        for argument in tree[page.stem].get("arguments", []):
            if argument.get("shouldDisplay", True) and argument["kind"] != "positional":
                for name in argument["names"]:
                    dashes = "-" if name["kind"] == "short" else "--"
                    assert re.search(rf"(?<![\w-]){dashes}{re.escape(name['name'])}(?![\w-])", shown), (page.stem, name)
        for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"):
            assert re.search(rf"^{heading}$", shown, re.M), (page.stem, heading)


def test_the_main_page_has_the_exit_codes_of_the_readme(pages):
    table = (ROOT / "README.md").read_text().split("| code | meaning |")[1].split("\n\n")[0]
    codes = re.findall(r"^\| ([0-9, ]+) \|", table, re.M)
    section = text(next(page for page in pages if page.stem == "lockstep")).split("EXIT STATUS")[1].split("ENVIRONMENT")[0]
    assert re.findall(r"^ {7}([0-9][0-9, ]*?)(?: {2,}|$)", section, re.M) == codes


def test_variables_of_the_main_page_are_read_by_the_program(pages):
    shown = text(next(page for page in pages if page.stem == "lockstep"))
    names = set(re.findall(r"\b[A-Z]+(?:_[A-Z0-9]+)+\b", shown.split("ENVIRONMENT")[1].split("FILES")[0]))
    assert len(names) > 10
    sources = "".join(path.read_text() for path in (ROOT / "Sources").rglob("*.swift"))
    assert {name for name in names if f'"{name}"' not in sources} == set()
