"""What people and programs read: data on standard output, talk on standard error, nothing that moves a cursor, and no secret."""

import json
import os
import pty
import re
import select
import subprocess
import time

import pytest

from lockstep_binary import binary
from locations import MIB

COMMANDS = ["sync", "ls", "cat", "stat"]
ESCAPE = "\x1b"
HOSTILE = {
    "../../etc/passwd": b"1", "/absolute": b"2", "line\nbreak": b"3", "bell\x07": b"4", "tab\there": b"5",
    f"{ESCAPE}[31mred{ESCAPE}[0m": b"6", f"{ESCAPE}]0;title\x07": b"7", "carriage\rreturn": b"8", "rtl\u202eoverride": b"9",
    "line\u2028separator": b"10", "c1\u009bcsi": b"11", "dots/../../up": b"12", "back\\slash": b"13",
}


def on_terminal(lockstep, *arguments, environment=None):
    """Runs with standard error on a terminal of 100 columns; its bytes."""
    master, slave = pty.openpty()
    subprocess.run(["stty", "cols", "100"], stdin=slave, check=True)
    process = subprocess.Popen(
        [binary(), *map(str, arguments)], env={**lockstep.environment, "TERM": "xterm", **(environment or {})},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=slave,
    )
    os.close(slave)
    text, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        ready, _, _ = select.select([master], [], [], 1)
        try:
            if ready and not (chunk := os.read(master, 65536)):
                break
            text += chunk if ready else b""
        except OSError:
            break
    os.close(master)
    return process.wait(timeout=10), text.decode()


def test_without_json_data_is_on_stdout_and_talk_on_stderr(lockstep, source, target):
    source.fill({"k": b"data", "l": b"more"})
    outcome = lockstep.run("sync", source.url, target.url)
    assert outcome.out == "" and "copied 2 objects (8 B)" in outcome.err and "requests: source" in outcome.err


def test_verbose_names_every_object_on_stdout(sim, lockstep, source, target):
    source.fill({"k": b"data", "same": b"s"})
    target.fill({"same": b"s", "surplus": b""})
    rule = sim.add_fault(action="status", cloud="s3", bucket=source.bucket, operation="GetObject", key="k", status=500, nth=1)
    outcome = lockstep.run("sync", source.url, target.url, "--verbose", "--delete", "--permanent-delete")
    rows = {tuple(line.split("\t")) for line in outcome.out.splitlines()}
    assert ("copied", "k", "4", "new") in rows and ("deleted", "surplus", "0") in rows
    assert {("same", "same", "1"), ("copied", "same", "1", "differs")} & rows
    assert sim.fired(rule) == 1 and re.search(r"attempt 1 failed, again in .*: read k: ", outcome.err)


def test_quiet_says_nothing_when_nothing_is_wrong(lockstep, location, source, target):
    source.fill({"k": b"data"})
    outcome = lockstep.run("sync", source.url, target.url, "--quiet")
    assert outcome.out == outcome.err == ""
    elsewhere = location("az")
    source.put("back\\slash", b"")
    outcome = lockstep.run("sync", source.url, elsewhere.url, "--quiet", expect=3)
    assert outcome.out == "" and outcome.err.startswith("warning: skipped back\\\\slash: ") and outcome.err.count("\n") == 1


def test_json(sim, lockstep, location, source):
    """Every kind of event in one run; `events` and `summary` check the schema of each line."""
    target = location("az")
    source.fill({"new": b"n", "back\\slash": b"b", "bad": b"bad", "same": b"s"})
    target.fill({"same": b"s", "surplus": b"x"})
    sim.add_fault(action="status", cloud="s3", bucket=source.bucket, operation="GetObject", key="bad", status=403)
    outcome = lockstep.sync(source.url, target.url, "--delete", expect=3)
    assert {line["event"] for line in outcome.events} >= {"copied", "skipped", "failed", "notice", "summary"}
    copied = outcome.named("copied")["new"]
    assert copied["size"] == 1 and copied["reason"] == "new" and copied["evidence"] >= 2
    assert "1 deletion is held back" in " ".join(outcome.notices)
    summary = outcome.summary
    assert summary["failed_objects"] == summary["skipped_objects"] == 1 and summary["stopped"] is None if "stopped" in summary else True
    assert summary["requests"]["source"]["list"] >= 1 and summary["peak_buffer_bytes"] > 0 and summary["seconds"] > 0


def test_json_of_a_run_that_cannot_start(lockstep, target):
    """A program that reads the last line finds the reason there, whatever went wrong."""
    outcome = lockstep.sync("s3://no-such-bucket-here", target.url, expect=78)
    assert "no-such-bucket-here" in outcome.summary["error"]


def test_json_names_keys_exactly(lockstep, location, target):
    source = location("file")
    (source.directory / os.fsdecode(b"bad-utf8-\xff")).write_bytes(b"data")
    outcome = lockstep.sync(source.url, target.url, expect=3)
    event = next(line for line in outcome.events if line["event"] == "skipped")
    assert event["key_base64"] == "YmFkLXV0ZjgtXw==" or event["key_base64"] == "YmFkLXV0Zjgt/w=="


def test_hostile_keys_cannot_write_to_a_terminal(sim, lockstep, location, target):
    source = location("s3")
    source.fill(HOSTILE)
    sim.add_fault(action="status", cloud="s3", bucket=source.bucket, operation="GetObject", status=403)
    outcome = lockstep.run("sync", source.url, target.url, "--verbose", expect=3)
    listing = lockstep.run("ls", source.url)
    for text in (outcome.out, outcome.err, listing.out):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e]", text), text
    assert len(listing.out.splitlines()) == len(HOSTILE) and len(outcome.err.splitlines()) >= len(HOSTILE)
    assert "\\x1b[31mred\\x1b[0m" in listing.out and "line\\x0abreak" in listing.out and "back\\\\slash" in listing.out
    sim.call("DELETE", "faults")
    lockstep.sync(source.url, target.url)
    assert target.content() == HOSTILE


def test_hostile_keys_stay_below_the_directory(lockstep, location, tmp_path):
    source, target = location("s3"), location("file")
    source.fill(HOSTILE)
    before = set(tmp_path.iterdir())
    lockstep.sync(source.url, target.url)
    assert target.visible() == HOSTILE
    assert set(tmp_path.iterdir()) - before <= {lockstep.state} and not os.path.exists("/absolute")
    back = location("s3")
    lockstep.sync(target.url, back.url)
    assert back.content() == HOSTILE


def test_colours_only_on_a_terminal(lockstep, source, location, target):
    source.fill({"back\\slash": b"b"})
    elsewhere = location("az")
    command = ("sync", source.url, elsewhere.url)
    assert ESCAPE not in lockstep.run(*command, expect=3).err
    status, text = on_terminal(lockstep, *command, "--no-progress")
    assert status == 3 and f"{ESCAPE}[33mwarning:{ESCAPE}[0m skipped" in text
    status, text = on_terminal(lockstep, *command, "--no-progress", environment={"NO_COLOR": "1"})
    assert status == 3 and "warning: skipped" in text and ESCAPE not in text


def test_a_progress_bar_on_a_terminal(sim, lockstep, source, target):
    source.fill({f"k{number}": os.urandom(MIB) for number in range(8)})
    status, text = on_terminal(lockstep, "sync", source.url, target.url, "--limit-rate", "4M")
    assert status == 0 and re.search(r"\[[█·]{20}\] \d+/\d+\+? objects, ", text) and "MiB/s" in text
    bars = [part for part in text.split("\r") if "objects, " in part and "[" in part]
    assert all(len(re.sub(f"{ESCAPE}\\[[0-9;]*[a-zA-Z]", "", part).rstrip("\n")) <= 100 for part in bars if "█" in part)
    assert text.rstrip().splitlines()[-1].startswith("requests: ")


def test_no_progress_bar_elsewhere(lockstep, source, target):
    source.fill({"k": os.urandom(2 * MIB)})
    outcome = lockstep.run("sync", source.url, target.url, "--limit-rate", "1M")
    assert "█" not in outcome.err and "\r" not in outcome.err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(lockstep, command):
    for arguments in ([command, "--help"], ["help", command]):
        text = lockstep.run(*arguments).out
        assert "EXAMPLES" in text and f"lockstep {command} " in text and "USAGE" in text


def test_help_of_the_program(lockstep):
    text = lockstep.run("--help").out
    assert "EXAMPLES" in text and all(f"  {command} " in text for command in COMMANDS)
    assert lockstep.run().out == text
    assert re.match(r"^\d+\.\d+\.\d+\n$", lockstep.run("--version").out)


def test_help_of_sync_names_flags_and_exit_codes(lockstep):
    text = lockstep.run("sync", "--help").out
    for word in (
        "--delete", "--max-delete", "--include", "--exclude", "--files-from", "--size-only", "--checksum", "--dry-run", "--limit-rate",
        "--max-transfer", "--max-duration", "--source-endpoint", "--target-profile", "--on-conflict", "--wait", "--state", "--json",
        "--memory", "--backup-prefix", "--permanent-delete", "EXIT CODES", "75", "78",
    ):
        assert word in text, word


CANARIES = {
    "AWS_ACCESS_KEY_ID": "AKIDCLOUDSIM00000000", "AWS_SECRET_ACCESS_KEY": "canary-aws-secret", "AWS_SESSION_TOKEN": "canary-aws-session-token",
    "AZURE_STORAGE_SAS_TOKEN": "sv=2023-11-03&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00:00:00Z&sig=Y2FuYXJ5LWF6dXJlLXNpZ25hdHVyZQ%3D%3D",
    "AZURE_STORAGE_KEY": "", "AZURE_STORAGE_CONNECTION_STRING": "",
}
SHOWN_NOWHERE = ["canary-aws-secret", "canary-aws-session-token", "Y2FuYXJ5LWF6dXJlLXNpZ25hdHVyZQ", "X-Amz-Signature", "Signature="]


@pytest.mark.parametrize("command", ["sync", "ls", "cat", "stat"])
def test_no_secret_in_any_output(sim, lockstep, location, command):
    """Wrong credentials, at servers that say what they were sent: nothing of it reaches an output, -v included."""
    for kind in ("s3", "az"):
        place = location(kind)
        place.put("k", b"data")
        account = {"AZURE_STORAGE_ACCOUNT": sim.azure["account"]}
        url = place.url if command in ("sync", "ls") else place.url + "/k"
        arguments = [url, "gs://elsewhere", "--verbose"] if command == "sync" else [url]
        flag = "--source-endpoint" if command == "sync" else "--endpoint"
        endpoint = sim.s3["endpoint"] if kind == "s3" else sim.azure["endpoint"]
        outcome = lockstep.run(command, *arguments, flag, endpoint, environment={**CANARIES, **account}, expect=None)
        # A refused HEAD of S3 has no body that says why.
        assert outcome.status == 78 or (kind == "s3" and command in ("cat", "stat") and outcome.status == 3)
        for word in SHOWN_NOWHERE:
            assert word not in outcome.out + outcome.err, word


def test_no_secret_in_the_message_about_a_bad_setting(sim, lockstep, source, target):
    for name, value in {
        "AZURE_STORAGE_CONNECTION_STRING": "AccountName=x;AccountKey=canary-not-base64!;",
        "AZURE_STORAGE_KEY": "canary-not-base64!", "GOOGLE_APPLICATION_CREDENTIALS": "/dev/null",
    }.items():
        environment = {"AZURE_STORAGE_CONNECTION_STRING": "", "STORAGE_EMULATOR_HOST": "", name: value}
        url = "gs://bucket" if name.startswith("GOOGLE") else "az://account/container"
        outcome = lockstep.run("sync", source.url, url, environment=environment, expect=78)
        assert "canary" not in outcome.out + outcome.err and (name in outcome.err or value in outcome.err)


def test_credentials_in_a_url_are_refused_without_showing_them(lockstep, target):
    outcome = lockstep.run("sync", "s3://bucket", target.url, "--source-endpoint", "http://user:canary-password@127.0.0.1:1", expect=78)
    assert "canary-password" not in outcome.err


def test_the_ledger_holds_no_secret(lockstep, source, target):
    source.put("k", os.urandom(6 * MIB))
    lockstep.sync(source.url, target.url, "--part-size", "5M")
    for path in lockstep.state.iterdir():
        assert lockstep.environment["AWS_SECRET_ACCESS_KEY"].encode() not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0 or path.name == "signing-key.pub", path


def test_the_state_goes_where_the_desktop_keeps_state(lockstep, source, target):
    source.put("k", b"data")
    lockstep.run("sync", source.url, target.url)
    assert list((lockstep.directory / "xdg" / "lockstep").glob("*.sqlite"))
    environment = {"XDG_STATE_HOME": ""}
    lockstep.run("sync", source.url, target.url, environment=environment)
    assert list((lockstep.directory / ".local" / "state" / "lockstep").glob("*.sqlite"))
