"""People are told once when a pair begins to fail, and when it is well again: by cron runs and by the daemon alike."""

import json
import stat

import pytest

from daemons import wait_until, write_config
from loopback_server import LoopbackServer


class Hook:
    """A chat's incoming webhook, which answers what the test says."""

    def __init__(self):
        self.received, self.answers, self.paths = [], [], []
        self.server = LoopbackServer(self.answer)
        self.secret = "T0KENc4nary"
        self.url = f"{self.server.url}/services/{self.secret}"
        #: What the configuration says: a secret is never written into it.
        self.reference = "${env:CHAT_URL}"

    def answer(self, asked):
        self.paths.append(asked.path)
        if asked.method != "POST" or asked.headers["content-type"] != "application/json":
            return 415, {}, b""
        self.received.append(asked.json)
        return self.answers.pop(0) if self.answers else 200, {}, b""

    def events(self):
        return [message["event"] for message in self.received]


@pytest.fixture
def hook(lockstep):
    hook = Hook()
    lockstep.environment["CHAT_URL"] = hook.url
    with hook.server:
        yield hook


@pytest.fixture
def configured(lockstep, tmp_path, source, location):
    """A pair whose source breaks when its bucket is not the right one."""
    good, target = source, location("gs")
    good.put("k", b"1")
    path = tmp_path / "lockstep.yaml"

    def configure(notifications, is_broken=False, **more):
        url = "s3://no-such-bucket-here/" if is_broken else good.url
        write_config(path, {"pairs": {"p": {"source": url, "target": target.url, **more}}, "notifications": notifications}, tmp_path)
        return path

    return configure


def test_failure_and_recovery_are_told_once_each(lockstep, hook, configured):
    channels = [{"name": "chat", "webhook": hook.reference, "on": ["failure", "recovery"]}]
    run = ("run", "--config")
    lockstep.run(*run, configured(channels))
    assert hook.events() == []
    outputs = [lockstep.run(*run, configured(channels, is_broken=True), expect=78) for _ in range(3)]
    assert hook.events() == ["failure"]
    [message] = hook.received
    assert message["pair"] == "p" and message["exit_code"] == 78 and "no-such-bucket-here" in message["message"]
    assert "p" in message["text"] and message["host"] and len(message["trace_id"]) == 32 and message["time"].endswith("Z")
    lockstep.run(*run, configured(channels))
    lockstep.run(*run, configured(channels))
    assert hook.events() == ["failure", "recovery"]
    for output in outputs:
        assert hook.secret not in output.out + output.err


def test_a_server_that_answers_badly_is_tried_three_times_and_fails_no_run(lockstep, hook, configured):
    channels = [{"name": "chat", "webhook": hook.reference, "on": ["failure"]}]
    hook.answers = [500, 503, 200]
    lockstep.run("run", "--config", configured(channels, is_broken=True), expect=78)
    assert len(hook.received) == 3
    lockstep.run("run", "--config", configured(channels))
    hook.answers = [500, 500, 500]
    outcome = lockstep.run("run", "--config", configured(channels, is_broken=True), expect=78)
    assert len(hook.received) == 6
    assert "chat was not delivered" in outcome.err and hook.secret not in outcome.err
    lockstep.run("run", "--config", configured(channels))
    hook.answers = [404]
    lockstep.run("run", "--config", configured(channels, is_broken=True), expect=78)
    assert len(hook.received) == 7, "what is refused is not tried again"


def test_a_webhook_that_nobody_serves_is_said_without_its_url(lockstep, hook, configured):
    hook.server.close()
    channels = [{"name": "chat", "webhook": hook.reference, "on": ["failure"]}]
    outcome = lockstep.run("run", "--config", configured(channels, is_broken=True), expect=78)
    assert "chat was not delivered" in outcome.err and hook.secret not in outcome.err + outcome.out


def test_a_command_gets_json_and_variables_and_no_shell(lockstep, tmp_path, configured):
    script, log = tmp_path / "page me", tmp_path / "log"
    script.write_text('#!/bin/sh\n{ cat; echo; echo "$LOCKSTEP_EVENT $LOCKSTEP_PAIR $1"; } >> "$LOG"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    channels = [{"name": "pager", "command": [str(script), "a; b $HOME"], "on": ["failure"]}]
    lockstep.run("run", "--config", configured(channels, is_broken=True), expect=78, environment={"LOG": str(log)})
    body, line = log.read_text().splitlines()
    assert json.loads(body)["event"] == "failure" and line == "failure p a; b $HOME"


def test_a_command_that_fails_or_is_missing_is_said(lockstep, configured):
    for command, text in [(["/bin/false"], "exit status 1"), (["/no/such/program"], "/no/such/program")]:
        channels = [{"name": "pager", "command": command, "on": ["failure"]}]
        outcome = lockstep.run("run", "--config", configured(channels, is_broken=True), expect=78)
        assert "pager was not delivered" in outcome.err and text in outcome.err
        lockstep.run("run", "--config", configured(channels))


def test_drift_is_told_by_checks_and_its_end_too(lockstep, hook, tmp_path, source, target):
    source.put("k", b"right")
    path = tmp_path / "lockstep.yaml"
    channels = [{"name": "chat", "webhook": hook.reference, "on": ["drift", "recovery"]}]
    pair = {"source": source.url, "target": target.url, "on_conflict": "replace"}
    write_config(path, {"pairs": {"p": pair}, "notifications": channels}, tmp_path)
    lockstep.run("run", "--config", path)
    lockstep.run("run", "--check", "--config", path)
    assert hook.events() == []
    target.put("k", b"wrong")
    for _ in range(2):
        lockstep.run("run", "--check", "--config", path, expect=4)
    assert hook.events() == ["drift"]
    lockstep.run("run", "--config", path)
    lockstep.run("run", "--check", "--config", path)
    assert hook.events() == ["drift", "recovery"]


def test_channels_are_for_their_pairs_and_events_only(lockstep, hook, configured):
    for notifications in [
        [{"name": "chat", "webhook": hook.reference, "on": ["drift"]}],
        [{"name": "chat", "webhook": hook.reference, "on": ["recovery"], "pairs": ["p"]}],
    ]:
        lockstep.run("run", "--config", configured(notifications, is_broken=True), expect=78)
    assert hook.events() == []


def test_the_daemon_tells_and_counts(serve, hook, source, location):
    source.put("k", b"1")
    daemon = serve({
        "pairs": {"p": {"source": "s3://no-such-bucket-here/", "target": location("gs").url, "schedule": {"cron": "0 0 1 1 *"}}},
        "notifications": [{"name": "chat", "webhook": hook.reference, "on": ["failure", "recovery"]}],
    })
    wait_until(lambda: hook.events() == ["failure"])
    key = ("lockstep_notifications_total", frozenset({"name": "chat", "result": "sent"}.items()))
    wait_until(lambda: daemon.metrics()[key] == 1)
    daemon.stop()
    assert hook.secret.encode() not in daemon.text
