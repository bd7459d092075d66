"""`Scripts/bench resume`: lockstep and rclone are killed half-way through large objects and started again; what is sent twice."""

import argparse
import datetime
import os
import statistics
import subprocess
import tempfile
import time

import harness

MIB = 1 << 20
COUNT = 3
SIZE = 256 * MIB


def killed_at(sim, command, environment, threshold):
    """Starts a command and kills it when so many bytes have arrived; seconds until then."""
    started = time.monotonic()
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while sim.call("GET", "requests").get("s3", {}).get("UploadPart", 0) * 16 * MIB < threshold:
        if process.poll() is not None:
            raise SystemExit(f"{command[0]} ended with {process.returncode} before it was killed")
        time.sleep(0.002)
    process.kill()
    process.wait()
    return time.monotonic() - started


def resumed(sim, command, environment):
    """One kill at half of the bytes, one run to the end: bytes sent beyond the data, and the seconds of the second run."""
    sim.call("DELETE", "requests")
    killed_at(sim, command, environment, COUNT * SIZE // 2)
    started = time.monotonic()
    result = subprocess.run(command, env={**os.environ, **environment}, capture_output=True)
    if result.returncode != 0:
        raise SystemExit(f"{command[0]} ended with {result.returncode}: {result.stderr.decode()[-2000:]}")
    received, _ = sim.traffic()
    return received - COUNT * SIZE, time.monotonic() - started


def open_uploads(sim, bucket):
    return len(sim.s3_client().list_multipart_uploads(Bucket=bucket).get("Uploads", []))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{datetime.date.today()}, {harness.machine()}, medians of {arguments.runs} runs")
    print(f"{COUNT} × {SIZE // MIB} MiB, S3 to S3, parts of 16 MiB, kill -9 when half of the parts are on their way\n")
    rows = {"lockstep": [], "rclone": []}
    for _ in range(arguments.runs):
        with harness.simulated_clouds() as sim, tempfile.TemporaryDirectory() as state:
            sim.populate("s3", "source", COUNT, SIZE)
            for bucket in ("ours", "theirs"):
                sim.bucket("s3", bucket)
            ours = harness.Lockstep(state)
            commands = {
                "lockstep": (ours.command("s3://source", "s3://ours", "--part-size", "16M"), sim.environment, "ours"),
                "rclone": (*harness.Rclone().command(sim, "source", "theirs"), "theirs"),
            }
            for name, (command, environment, bucket) in commands.items():
                rows[name].append((*resumed(sim, command, environment), open_uploads(sim, bucket)))
    print("| | sent twice, MiB | of the data | second run, s | uploads left open |")
    print("|---|---|---|---|---|")
    for name, runs in rows.items():
        twice, seconds, left = (statistics.median(column) for column in zip(*runs))
        print(f"| {name} | {twice / MIB:.1f} | {twice / (COUNT * SIZE):.1%} | {seconds:.2f} | {left:.0f} |")


if __name__ == "__main__":
    main()
