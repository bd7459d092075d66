"""Runs `lockstep serve` as a service manager and a network see it."""

import json
import re
import socket
import threading
import time
from signal import SIGTERM

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

LISTENING = re.compile(r"listening on (http://\S+)")


def wait_until(condition, seconds=30, about=lambda: ""):
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {seconds} s too long: {about()}"
        time.sleep(0.02)


class Daemon:
    """A daemon under way: its log, its pages."""

    def __init__(self, lockstep, config, environment=None, arguments=("--listen", "127.0.0.1:0")):
        self.lockstep = lockstep
        self.environment = environment or {}
        self.process = lockstep.start(
            "serve", "--config", config, *arguments, environment=self.environment)
        self.text = b""
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.url = wait_until(self.listening, about=lambda: (self.process.poll(), self.text[-3000:]))

    def read(self):
        for line in self.process.stderr:
            self.text += line
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.lines.append({"message": line.decode(errors="replace"), "level": "?"})

    def listening(self):
        assert self.process.poll() is None, self.text
        found = [LISTENING.search(line["message"]) for line in list(self.lines)]
        return next((match[1] for match in found if match), None)

    def get(self, path, **options):
        return requests.get(self.url + path, timeout=10, **options)

    def pairs(self):
        answer = self.get("/api/pairs")
        assert answer.status_code == 200 and answer.json()["schema"] == "lockstep.pairs/1", answer.text
        return {pair["name"]: pair for pair in answer.json()["pairs"]}

    def pair(self, name="p"):
        return self.pairs()[name]

    def metrics(self):
        """(name, labels) → value of everything, read by Prometheus' own parser."""
        answer = self.get("/metrics")
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        return parse_metrics(answer.text)

    def messages(self, text):
        return [line for line in list(self.lines) if text in line["message"]]

    def wait_for_run(self, name="p", result="success", count=1, seconds=40, kind="sync"):
        """Until so many runs of the pair have ended so."""
        def ended():
            return self.pair(name)["totals"]["runs"].get(kind, {}).get(result, 0) >= count
        wait_until(ended, seconds, lambda: (self.pair(name), self.text[-3000:]))
        return self.pair(name)

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, expect=0, number=SIGTERM, seconds=30):
        """Ends it as a service manager does; its status must be the expected one, and its log tell no secret."""
        self.signal(number)
        return self.ended(expect, seconds)

    def ended(self, expect, seconds=30):
        started = time.monotonic()
        status = self.process.wait(timeout=seconds)
        self.reader.join(timeout=10)
        assert status == expect, (status, self.text[-3000:])
        outcome = type("Outcome", (), {"stdout": self.process.stdout.read(), "stderr": self.text})
        self.lockstep.check_secrets(outcome, {**self.lockstep.environment, **self.environment})
        return time.monotonic() - started


def parse_metrics(text):
    values = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation and family.type != "unknown", family
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in values, f"{key} is there twice"
            assert sample.timestamp is None
            values[key] = sample.value
    return values


def labels(**values):
    return frozenset(values.items())


class NotifySocket:
    """What systemd would hear."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.messages = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            try:
                data = self.socket.recv(4096)
            except OSError:
                return
            self.messages.append(dict(line.split("=", 1) for line in data.decode().splitlines()))

    def heard(self, name):
        return [message for message in list(self.messages) if name in message]


@pytest.fixture
def serve(lockstep, tmp_path):
    """Starts daemons with a configuration; they are gone after the test."""
    running = []

    def start(config=None, environment=None, **options):
        path = tmp_path / "lockstep.yaml"
        if config is not None:
            write_config(path, config, tmp_path)
        daemon = Daemon(lockstep, path, environment, **options)
        running.append(daemon)
        return daemon

    yield start
    for daemon in running:
        if daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait()


def write_config(path, config, directory):
    """A dictionary is JSON, and JSON is YAML."""
    whole = {"version": 1, "state": str(directory / "state"), "log": {"format": "json", "level": "debug"}, **config}
    path.write_text(json.dumps(whole, indent=2))
