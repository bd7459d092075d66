"""`lockstep check` from outside: runs it, holds its lines against the schema, and gives back what it said of each key."""

import dataclasses
import json

from lockstep_binary import TIME

SCHEMA = "lockstep.check/1"
EXIT = {"IN_SYNC": 0, "DRIFT": 4, "UNPROVEN": 5}


@dataclasses.dataclass
class Checked:
    """The summary, and for each key `event` or `event:reason`; keys that are the same are not in `findings`."""

    outcome: object
    summary: dict
    findings: dict
    same: dict
    notices: list

    @property
    def verdict(self):
        return self.summary["verdict"]


def check(lockstep, source, target, *flags, expect=None, **options):
    """Runs `check --json --verbose`. Without `expect` the exit status must be the verdict's."""
    outcome = lockstep.run(
        "check", source, target, "--json", "--verbose", "--no-progress", "--state", lockstep.state, *flags, expect=expect, **options
    )
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    for line in lines:
        assert line["schema"] == SCHEMA and TIME.match(line["time"]), line
    assert [line["event"] for line in lines].count("summary") == 1 and lines[-1]["event"] == "summary", outcome.err
    summary = lines[-1]["summary"]
    assert summary["exit_code"] == outcome.status
    if expect is None:
        assert outcome.status == EXIT[summary["verdict"]], outcome.err
    findings, same = {}, {}
    for line in lines[:-1]:
        if line["event"] == "same":
            same[line["key"]] = line["evidence"]
        elif line["event"] != "notice":
            findings[line["key"]] = line["event"] + (":" + line["reason"] if "reason" in line else "")
    notices = [line["message"] for line in lines if line["event"] == "notice"]
    return Checked(outcome, summary, findings, same, notices)
