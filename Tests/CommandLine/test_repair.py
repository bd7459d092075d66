"""`lockstep sync --repair-from`: exactly what a check reported is made right."""

import pytest

from checking import check


def report(lockstep, source, target, path, *flags, expect=4):
    lockstep.run(
        "check", source.url, target.url, "--state", lockstep.state, "--combined", path, *flags, expect=expect)
    return path


@pytest.mark.parametrize("kind", ["s3", "gs", "az", "file"])
def test_repairs_what_was_reported(lockstep, location, source, kind, tmp_path):
    target = location(kind)
    source.fill({f"k{index}": b"content-%d" % index for index in range(8)})
    lockstep.sync(source.url, target.url)
    target.put("k1", b"CONTENT-1")
    target.put("k2", b"short")
    target.delete("k3")
    target.put("extra", b"extra")
    source.put("k4", b"newer")
    outcome = lockstep.sync(source.url, target.url, "--repair-from", report(lockstep, source, target, tmp_path / "r"))
    assert outcome.summary["copied_objects"] == 4 and outcome.summary["conflicts"] == 0
    assert set(outcome.named("copied")) == {"k1", "k2", "k3", "k4"}
    assert any("extra" in notice for notice in outcome.notices)
    assert target.visible() == {**source.visible(), "extra": b"extra"}
    assert check(lockstep, source.url, target.url, "--one-way", "--evidence", "3").verdict == "IN_SYNC"


def test_keys_that_are_the_same_are_left_alone(lockstep, source, target, tmp_path):
    source.fill({"a": b"1", "b": b"2"})
    lockstep.sync(source.url, target.url)
    target.put("a", b"x")
    target.put("b", b"y")
    lines = tmp_path / "r"
    lines.write_text("= a\n* b\n")
    outcome = lockstep.sync(source.url, target.url, "--repair-from", lines)
    assert set(outcome.named("copied")) == {"b"} and target.visible() == {"a": b"x", "b": b"2"}


def test_what_was_unproven_is_compared_first(lockstep, source, target, tmp_path):
    source.fill({"same": b"1", "rotten": b"2"})
    lockstep.sync(source.url, target.url)
    version = target.version("same")
    target.put("rotten", b"3")
    lines = tmp_path / "r"
    lines.write_text("? same\n! same\n? rotten\n")
    outcome = lockstep.sync(source.url, target.url, "--repair-from", lines, "--on-conflict", "replace")
    assert set(outcome.named("copied")) == {"rotten"} and target.version("same") == version
    assert target.visible() == source.visible()


def test_a_dry_run_names_what_it_would_repair(lockstep, source, target, tmp_path):
    source.fill({"a": b"1", "b": b"2"})
    lockstep.sync(source.url, target.url)
    target.put("a", b"x")
    outcome = lockstep.sync(
        source.url, target.url, "--dry-run", "--repair-from", report(lockstep, source, target, tmp_path / "r"))
    assert set(outcome.named("would-copy")) == {"a"} and target.visible()["a"] == b"x"


def test_from_standard_input(lockstep, source, target):
    source.fill({"a": b"1", "b": b"2"})
    outcome = lockstep.sync(source.url, target.url, "--repair-from", "-", input=b"+ b\n")
    assert set(target.visible()) == {"b"} and outcome.summary["copied_objects"] == 1


def test_a_key_that_the_source_lost_meanwhile_is_named(lockstep, source, target, tmp_path):
    lines = tmp_path / "r"
    lines.write_text("+ gone\n")
    outcome = lockstep.sync(source.url, target.url, "--repair-from", lines, expect=3)
    assert outcome.named("skipped")["gone"]["reason"] == "missing"


@pytest.mark.parametrize(
    "text, line", [("a\n", 1), ("= a\n\n* b\nplain name\n", 4), ("* a\\q\n", 1), ("{}\n", 1), ("#! a\n", 1), ("*a\n", 1)]
)
def test_what_is_no_report_is_refused(lockstep, source, target, tmp_path, text, line):
    lines = tmp_path / "r"
    lines.write_text(text)
    said = lockstep.run("sync", source.url, target.url, "--repair-from", lines, expect=2)
    assert f"line {line}" in said.err and target.keys() == []


@pytest.mark.parametrize("flags", [["--delete"], ["--size-only"], ["--files-from", "/dev/null"]], ids=" ".join)
def test_what_does_not_go_together(lockstep, flags):
    lockstep.run("sync", "s3://a", "s3://b", "--repair-from", "/dev/null", *flags, expect=2)


def test_a_missing_report(lockstep):
    said = lockstep.run("sync", "s3://a", "s3://b", "--repair-from", "/no/such/report", expect=2)
    assert "/no/such/report" in said.err
