"""Starts the simulated clouds, runs a tool as a child process, and measures what the kernel counted for it."""

import contextlib
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request


class Sim:
    """One `cloudsim` process with all three clouds in memory."""

    def __init__(self, directory):
        ready = pathlib.Path(directory, "ready.json")
        ready.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [os.environ["CLOUDSIM_BIN"], "--ready-file", str(ready)], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit("cloudsim did not start")
            time.sleep(0.02)
        announced = json.loads(ready.read_text())
        self.control = announced["control"]
        self.s3 = announced["s3"]
        self.gcs = announced["gcs"]
        self.azure = announced["azure"]
        self.environment = announced["environment"]

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self.control}/{path}", method=method, data=None if body is None else json.dumps(body).encode()
        )
        with urllib.request.urlopen(request, timeout=600) as answer:
            return json.load(answer)

    def bucket(self, cloud, name):
        self.call("POST", "bucket", {"cloud": cloud, "bucket": name})

    def populate(self, cloud, bucket, count, size, prefix=""):
        self.call(
            "POST", "populate", {"cloud": cloud, "bucket": bucket, "prefix": prefix, "count": count, "size": size}
        )

    def take_requests(self):
        """Requests by cloud and operation since the last call."""
        counts = self.call("GET", "requests")
        self.call("DELETE", "requests")
        return {cloud: kinds for cloud, kinds in counts.items() if kinds}

    def traffic(self):
        """Bytes of objects and parts that came in, and that went out, since the requests were last taken."""
        counts = [entry for kinds in self.call("GET", "traffic").values() for entry in kinds.values()]
        return sum(entry["received"] for entry in counts), sum(entry["sent"] for entry in counts)

    def stored(self, bucket):
        """Bytes of all objects in a bucket of the simulated S3."""
        pages = self.s3_client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return sum(entry["Size"] for page in pages for entry in page.get("Contents", []))

    def s3_client(self):
        import boto3

        return boto3.client(
            "s3", endpoint_url=self.s3["endpoint"], aws_access_key_id=self.s3["accessKey"],
            aws_secret_access_key=self.s3["secretKey"], region_name=self.s3["region"])

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)


@contextlib.contextmanager
def simulated_clouds():
    with tempfile.TemporaryDirectory() as directory:
        sim = Sim(directory)
        try:
            yield sim
        finally:
            sim.stop()


@dataclasses.dataclass
class Measurement:
    wall: float
    cpu: float
    peak: int
    requests: dict
    # Bytes of objects that the clouds took in, and that they gave out.
    received: int
    sent: int


def measure(sim, command, environment):
    """Runs a command to its end: wall seconds, CPU seconds, peak resident bytes, what the clouds saw of it."""
    sim.take_requests()
    with tempfile.TemporaryFile() as output, tempfile.NamedTemporaryFile() as result:
        starter = [sys.executable, "-I", "-S", str(pathlib.Path(__file__).with_name("harness_child.py")), result.name]
        subprocess.run(
            [*starter, *command], env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT,
            check=True)
        counted = json.load(result)
        if counted["code"] != 0:
            output.seek(0)
            sys.exit(f"{' '.join(command)} ended with {counted['code']}:\n{output.read().decode()[-4000:]}")
    received, sent = sim.traffic()
    return Measurement(
        counted["wall"], counted["cpu"], counted["peak"], sim.take_requests(), received=received, sent=sent)



class Lockstep:
    name = "lockstep"

    def __init__(self, state):
        self.state = state

    def command(self, source, target, *flags):
        return [os.environ["LOCKSTEP_BIN"], "sync", source, target, "--state", self.state, "--no-progress", *flags]

    def sync(self, sim, source, target, *flags):
        return measure(sim, self.command(source, target, *flags), sim.environment)


class Rclone:
    """rclone, tuned; source and target are two remotes, because one remote would copy inside the server."""

    name = "rclone"
    tuning = ["--fast-list", "--transfers", "32", "--checkers", "32"]

    def command(self, sim, source_bucket, target_bucket, *flags):
        """The command and the variables that name its remotes."""
        environment = {"RCLONE_CONFIG": "/dev/null"}
        for remote in ("SRC", "DST"):
            prefix = f"RCLONE_CONFIG_{remote}_"
            environment |= {
                prefix + "TYPE": "s3",
                prefix + "PROVIDER": "Other",
                prefix + "ENDPOINT": sim.s3["endpoint"],
                prefix + "ACCESS_KEY_ID": sim.s3["accessKey"],
                prefix + "SECRET_ACCESS_KEY": sim.s3["secretKey"],
                prefix + "REGION": sim.s3["region"],
                prefix + "CHUNK_SIZE": "16Mi",
            }
        rclone = str(pathlib.Path(sys.executable).parent / "rclone")
        return [rclone, "sync", f"src:{source_bucket}", f"dst:{target_bucket}", *self.tuning, *flags], environment

    def sync(self, sim, source_bucket, target_bucket, *flags):
        return measure(sim, *self.command(sim, source_bucket, target_bucket, *flags))


def median(measurements, field):
    return statistics.median(getattr(m, field) for m in measurements)


def requests_text(measurement):
    return "; ".join(
        f"{cloud} " + ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
        for cloud, kinds in sorted(measurement.requests.items())
    )


def machine():
    """Processor and kernel, for the table's heading."""
    model = next(
        (line.partition(":")[2].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    return f"{os.cpu_count()} × {model}, Linux {os.uname().release}"
