"""`Scripts/bench mirror`: lockstep and rclone move the same objects between the same servers, in turn."""

import argparse
import datetime
import tempfile

import harness

GIB = 1 << 30
MIB = 1 << 20


def report(title, rows, bytes_moved, objects):
    """Prints medians, and the ratios to the last row."""
    print(f"\n{title}")
    print(f"| {'':24} | wall s | CPU s | {'CPU s/GiB':>9} | {'CPU ms/object':>13} | peak MB | requests |")
    print("|---|---|---|---|---|---|---|")
    for name, runs in rows:
        wall, cpu, peak = (harness.median(runs, field) for field in ("wall", "cpu", "peak"))
        per_gib = f"{cpu / (bytes_moved / GIB):.2f}" if bytes_moved else "–"
        print(
            f"| {name:24} | {wall:6.2f} | {cpu:5.2f} | {per_gib:>9} | {cpu * 1000 / objects:13.3f} | "
            f"{peak / 1e6:7.0f} | {harness.requests_text(runs[-1])} |"
        )
    if len(rows) > 1:
        (_, ours), (_, theirs) = rows[0], rows[-1]
        for field in ("wall", "cpu", "peak"):
            print(f"{field}: {harness.median(ours, field) / harness.median(theirs, field):.2f} × {rows[-1][0]}")


def copies(title, runs, count, size):
    """Fresh clouds for every run, the tools in turn, so that neither finds the machine warmer than the other."""
    ours, theirs = [], []
    for run in range(runs):
        with harness.simulated_clouds() as sim, tempfile.TemporaryDirectory() as state:
            sim.populate("s3", "source", count, size)
            for target in ("ours", "theirs"):
                sim.bucket("s3", target)
            tools = [
                lambda: ours.append(harness.Lockstep(state).sync(sim, "s3://source", "s3://ours")),
                lambda: theirs.append(harness.Rclone().sync(sim, "source", "theirs")),
            ]
            for tool in tools if run % 2 == 0 else reversed(tools):
                tool()
    report(title, [("lockstep", ours), ("rclone", theirs)], count * size, count)


def unchanged(runs, counts=(10_000, 100_000)):
    for count in counts:
        ours, theirs = [], []
        with harness.simulated_clouds() as sim, tempfile.TemporaryDirectory() as state:
            sim.populate("s3", "source", count, 100)
            sim.bucket("s3", "target")
            lockstep = harness.Lockstep(state)
            lockstep.sync(sim, "s3://source", "s3://target")
            for _ in range(runs):
                ours.append(lockstep.sync(sim, "s3://source", "s3://target"))
                theirs.append(harness.Rclone().sync(sim, "source", "target", "--size-only", "--exclude", "/.lockstep/**"))
        report(f"unchanged: {count:,} objects", [("lockstep", ours), ("rclone --size-only", theirs)], 0, count)


def cross(runs, count=3, size=512 * MIB):
    """Between clouds of different kinds, compared with S3 to S3."""
    results = {"s3 → gcs": [], "s3 → azure": [], "s3 → s3": []}
    for _ in range(runs):
        for name, measured in results.items():
            with harness.simulated_clouds() as sim, tempfile.TemporaryDirectory() as state:
                sim.populate("s3", "source", count, size)
                for cloud in ("s3", "gcs", "azure"):
                    sim.bucket(cloud, "target")
                target = {
                    "s3 → gcs": "gs://target",
                    "s3 → azure": f"az://{sim.azure['account']}/target",
                    "s3 → s3": "s3://target",
                }[name]
                measured.append(harness.Lockstep(state).sync(sim, "s3://source", target))
    for name in ("s3 → gcs", "s3 → azure"):
        report(
            f"cross-cloud: {count} × {size // MIB} MiB",
            [(name, results[name]), ("s3 → s3", results["s3 → s3"])], count * size, count,
        )


def main():
    cases = {
        "large": lambda runs: copies("large: 3 × 512 MiB, S3 to S3", runs, 3, 512 * MIB),
        "small": lambda runs: copies("small: 5,000 × 64 KiB, S3 to S3", runs, 5000, 64 << 10),
        "unchanged": unchanged,
        "cross": cross,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="*", choices=[*cases, []], help="all when none is named")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{datetime.date.today()}, {harness.machine()}, medians of {arguments.runs} runs")
    for case in arguments.case or cases:
        cases[case](arguments.runs)


if __name__ == "__main__":
    main()
