"""`Scripts/bench check`: how long it takes to say that two locations are the same, beside `rclone check` on the same servers."""

import argparse
import datetime
import os
import pathlib
import sys
import tempfile

import harness
from mirror import report


def lockstep_check(sim, state, source, target, *flags):
    command = [os.environ["LOCKSTEP_BIN"], "check", source, target, "--state", state, "--no-progress", *flags]
    return harness.measure(sim, command, sim.environment)


def rclone_check(sim, source, target, *flags):
    """`source` and `target` are remotes: `src:bucket`, `dst:bucket`, `gcs:bucket`."""
    environment = {"RCLONE_CONFIG": "/dev/null"}
    for remote in ("SRC", "DST"):
        prefix = f"RCLONE_CONFIG_{remote}_"
        environment |= {
            prefix + "TYPE": "s3", prefix + "PROVIDER": "Other", prefix + "ENDPOINT": sim.s3["endpoint"],
            prefix + "ACCESS_KEY_ID": sim.s3["accessKey"], prefix + "SECRET_ACCESS_KEY": sim.s3["secretKey"],
            prefix + "REGION": sim.s3["region"],
        }
    environment |= {
        "RCLONE_CONFIG_GCS_TYPE": "google cloud storage", "RCLONE_CONFIG_GCS_ANONYMOUS": "true",
        "RCLONE_CONFIG_GCS_ENDPOINT": sim.gcs["endpoint"] + "/storage/v1/",
    }
    rclone = str(pathlib.Path(sys.executable).parent / "rclone")
    command = [rclone, "check", source, target, "--fast-list", "--checkers", "32", *flags]
    return harness.measure(sim, command, environment)


def level_1(runs, count):
    """The ledger is made by one sync of empty objects; each check then costs two listings and the ledger."""
    ours, theirs = [], []
    with harness.simulated_clouds() as sim, tempfile.TemporaryDirectory() as state:
        sim.populate("s3", "source", count, 0)
        sim.bucket("s3", "target")
        harness.Lockstep(state).sync(sim, "s3://source", "s3://target", "--concurrency", "64", "--no-manifest")
        for _ in range(runs):
            ours.append(lockstep_check(sim, state, "s3://source", "s3://target"))
            theirs.append(rclone_check(sim, "src:source", "dst:target", "--size-only"))
    report(f"level 1: {count:,} objects, S3 and S3", [("lockstep check", ours), ("rclone check --size-only", theirs)], 0, count)


def level_2(runs, count, size=100):
    """Without a ledger: what both stores report now. Both sides hold the same bytes, made by the servers themselves."""
    ours, bytes_only, theirs = [], [], []
    with harness.simulated_clouds() as sim, tempfile.TemporaryDirectory() as state:
        sim.populate("s3", "source", count, size)
        sim.populate("gcs", "target", count, size)
        flags = ["--no-ledger", "--evidence", "2"]
        for _ in range(runs):
            ours.append(lockstep_check(sim, state, "s3://source", "gs://target", *flags))
            bytes_only.append(lockstep_check(sim, state, "s3://source", "gs://target", *flags, "--ignore-attributes"))
            theirs.append(rclone_check(sim, "src:source", "gcs:target"))
    rows = [("lockstep check", ours), ("  --ignore-attributes", bytes_only), ("rclone check", theirs)]
    report(f"level 2: {count:,} × {size} B, S3 and Cloud Storage, no ledger", rows, 0, count)


def listed(runs, count):
    """Both listings carry checksums: level 2 without a request per object, and without a ledger."""
    ours, theirs = [], []
    with harness.simulated_clouds() as sim, tempfile.TemporaryDirectory() as state:
        for bucket in ("source", "target"):
            sim.populate("gcs", bucket, count, 0)
        for _ in range(runs):
            ours.append(
                lockstep_check(sim, state, "gs://source", "gs://target", "--no-ledger", "--ignore-attributes")
            )
            theirs.append(rclone_check(sim, "gcs:source", "gcs:target"))
    report(f"level 2 by listings: {count:,} objects, Cloud Storage", [("lockstep check", ours), ("rclone check", theirs)], 0, count)


def main():
    cases = {"level1": level_1, "level2": level_2, "listed": listed}
    keys = {"level1": 1_000_000, "level2": 20_000, "listed": 1_000_000}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="*", choices=[*cases, []], help="all when none is named")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--keys", type=int, help="objects (1,000,000; 20,000 for level2)")
    arguments = parser.parse_args()
    print(f"{datetime.date.today()}, {harness.machine()}, medians of {arguments.runs} runs")
    for case in arguments.case or cases:
        cases[case](arguments.runs, arguments.keys or keys[case])


if __name__ == "__main__":
    main()
