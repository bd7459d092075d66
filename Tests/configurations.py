"""A configuration file and the user who runs it."""

import json
import subprocess
import sys

import pytest

from lockstep_binary import SCHEMA, TIME, binary
import checking


class Configured:
    """A file in the directory of `lockstep`, and the commands that read it."""

    def __init__(self, lockstep):
        self.lockstep = lockstep
        self.path = lockstep.directory / "lockstep.yaml"

    def write(self, text):
        self.path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return self

    def pairs(self, pairs, **rest):
        """Pairs by name; `source` and `target` may be locations of a test. The state is that of `sync` in tests."""
        for pair in pairs.values():
            for side in ("source", "target"):
                if hasattr(pair[side], "url"):
                    pair[side] = pair[side].url
        document = {"version": 1, "state": str(self.lockstep.state), "pairs": pairs, **rest}
        return self.write(json.dumps(document, indent=1))

    def pair(self, source, target, rest=None, **keys):
        return self.pairs({"models": {"source": source, "target": target, **keys}}, **(rest or {}))

    def run(self, *arguments, expect=0, **options):
        """`lockstep run --json`; the result has the lines of each pair in `by_pair`."""
        outcome = self.lockstep.run(
            "run", "--config", self.path, "--json", "--no-progress", *arguments, expect=expect, **options)
        outcome.by_pair = {}
        for line in map(json.loads, outcome.out.splitlines()):
            schema = checking.SCHEMA if "--check" in arguments else SCHEMA
            assert line["schema"] in (schema, SCHEMA) and TIME.match(line["time"]), line
            outcome.by_pair.setdefault(line["pair"], []).append(line)
        return outcome

    def summary(self, *arguments, pair="models", expect=0, **options):
        last = self.run(*arguments, expect=expect, **options).by_pair[pair][-1]
        assert last["event"] == "summary", last
        return last["summary"]

    def check(self, *flags, expect=None, **options):
        """`lockstep config check --json`: what it says."""
        outcome = self.lockstep.run("config", "check", "--config", self.path, "--json", *flags, expect=expect, **options)
        said = json.loads(outcome.out)
        assert said["schema"] == "lockstep.config/1" and said["file"] == str(self.path)
        assert outcome.status == (0 if said["valid"] else 78) and said["valid"] == (not said["problems"])
        return said

    def problems(self, **options):
        return [
            (problem["line"], problem["key"], problem["message"], problem.get("suggestion"))
            for problem in self.check(**options)["problems"]
        ]

    def measured(self):
        """`config check` of this file: exit status, seconds of processor time, and bytes of memory at its largest.

        A small program starts it: what a process that starts another one has in memory counts as the other's too.
        """
        starter = (
            "import json, os, subprocess, sys\n"
            "process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)\n"
            "_, status, usage = os.wait4(process.pid, 0)\n"
            "print(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024]))\n"
        )
        done = subprocess.run(
            [sys.executable, "-S", "-c", starter, binary(), "config", "check", "--config", str(self.path)],
            env=self.lockstep.environment, capture_output=True, text=True)
        return (*json.loads(done.stdout), done.stderr)


@pytest.fixture
def configured(lockstep):
    return Configured(lockstep)
