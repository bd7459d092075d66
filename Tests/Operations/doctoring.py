"""Runs `lockstep doctor --json` and reads its findings."""

import json

SCHEMA = "lockstep.doctor/1"


class Examination:
    def __init__(self, outcome):
        self.outcome = outcome
        lines = [json.loads(line) for line in outcome.out.splitlines()]
        assert all(line["schema"] == SCHEMA for line in lines), outcome.out
        assert [line["event"] for line in lines].count("summary") == 1 and lines[-1]["event"] == "summary", outcome.out
        self.findings = [line for line in lines if line["event"] == "finding"]
        self.summary = lines[-1]["summary"]
        assert self.summary["exit_code"] == outcome.status

    def marks(self, subject):
        return [finding["mark"] for finding in self.findings if finding["subject"] == subject]

    def with_mark(self, mark):
        return [finding for finding in self.findings if finding["mark"] == mark]

    def expect(self, **marks):
        """Subject → the mark that it must have, and no other; underscores stand for hyphens."""
        for subject, mark in marks.items():
            found = self.marks(subject.replace("_", "-"))
            assert found and set(found) == {mark}, (subject, found, self.findings)
        return self


def doctor(lockstep, place, *flags, expect=0, **options):
    url = place if isinstance(place, str) else place.url
    return Examination(lockstep.run("doctor", url, "--json", *flags, expect=expect, **options))
