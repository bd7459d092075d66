"""Runs the `lockstep` binary and reads what it says."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import time

import pytest

#: Everything that `--json` prints must name this schema.
SCHEMA = "lockstep.sync/1"
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
#: Variables whose values no output may show.
SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN")


def binary():
    path = os.environ.get("LOCKSTEP_BIN")
    if not path:
        pytest.fail("LOCKSTEP_BIN must name the lockstep executable")
    return path


@dataclasses.dataclass
class Outcome:
    """What a command left: its exit status and both outputs."""

    status: int
    stdout: bytes
    stderr: bytes
    seconds: float

    @property
    def out(self):
        return self.stdout.decode()

    @property
    def err(self):
        return self.stderr.decode()

    @property
    def events(self):
        """The lines of `--json`, each checked against the schema."""
        lines = [json.loads(line) for line in self.out.splitlines()]
        for line in lines:
            assert line["schema"] == SCHEMA and line["event"] and TIME.match(line["time"]), line
        return lines

    @property
    def summary(self):
        """The last line of `--json`; there is one, it is last, and it knows the exit status."""
        lines = self.events
        assert [line["event"] for line in lines].count("summary") == 1 and lines[-1]["event"] == "summary", self.out
        summary = lines[-1]["summary"]
        assert summary["exit_code"] == self.status, summary
        return summary

    def named(self, event):
        """Key → event, for all events of that name."""
        return {line["key"]: line for line in self.events if line["event"] == event}

    @property
    def notices(self):
        return [line["message"] for line in self.events if line["event"] == "notice"]


class Lockstep:
    """One user: an environment, a home and a state directory."""

    def __init__(self, directory, environment):
        self.directory = directory
        self.state = directory / "state"
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(directory), "XDG_STATE_HOME": str(directory / "xdg"),
            "AWS_EC2_METADATA_DISABLED": "true", **environment,
        }

    def start(self, *arguments, environment=None, **options):
        """A process under way, for tests that interrupt it."""
        return subprocess.Popen(
            [binary(), *map(str, arguments)],
            env={**self.environment, **(environment or {})},
            stdin=options.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
        )

    def run(self, *arguments, expect=0, environment=None, input=None, timeout=60, cwd=None):
        """Runs a command to its end. `expect` is the exit status, None for any."""
        variables = {**self.environment, **(environment or {})}
        started = time.monotonic()
        process = self.start(*arguments, environment=environment, stdin=subprocess.PIPE, cwd=cwd)
        outcome = self.finish(process, input=input, timeout=timeout, environment=variables, started=started)
        if expect is not None:
            assert outcome.status == expect, (outcome.status, outcome.stdout[-3000:], outcome.stderr[-3000:])
        return outcome

    def finish(self, process, input=None, timeout=60, environment=None, started=None):
        try:
            stdout, stderr = process.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
            pytest.fail(f"no end after {timeout} s: {stdout[-2000:]!r} {stderr[-2000:]!r}")
        outcome = Outcome(process.returncode, stdout, stderr, time.monotonic() - (started or time.monotonic()))
        self.check_secrets(outcome, environment or self.environment)
        return outcome

    @staticmethod
    def check_secrets(outcome, environment):
        secrets = [environment[name] for name in SECRETS if environment.get(name)]
        connection = environment.get("AZURE_STORAGE_CONNECTION_STRING", "")
        secrets += re.findall(r"(?:AccountKey|SharedAccessSignature)=([^;]+)", connection)
        for secret in secrets:
            assert secret.encode() not in outcome.stdout + outcome.stderr, "a secret is in the output"

    def sync(self, source, target, *flags, state=None, expect=0, **options):
        """`lockstep sync --json`, with a state directory of this user's own."""
        return self.run(
            "sync", source, target, "--json", "--no-progress", "--state", state or self.state, *flags, expect=expect,
            **options,
        )

    def repair(self, source, target, *flags):
        """After whatever happened, a clean run makes both sides equal, and one more finds nothing to do: the ledger holds no lie."""
        outcome = self.sync(source.url, target.url, *flags)
        assert target.visible() == source.visible()
        again = self.sync(source.url, target.url, *flags).summary
        assert again["copied_objects"] == again["adopted_objects"] == 0 and again["unchanged_objects"] == len(source.visible())
        return outcome

    def interrupt(self, process, number=signal.SIGINT, timeout=15):
        """Sends the signal and waits; the time it took is in the outcome."""
        started = time.monotonic()
        process.send_signal(number)
        return self.finish(process, timeout=timeout, started=started)


@pytest.fixture
def lockstep(sim, tmp_path):
    return Lockstep(tmp_path, sim.environment)
