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


def measure(sim, command, environment):
    """Runs a command to its end: wall seconds, user + system seconds, peak resident bytes, requests the clouds saw."""
    sim.take_requests()
    with tempfile.TemporaryFile() as output:
        started = time.monotonic()
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{output.read().decode()[-4000:]}")
    return Measurement(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, sim.take_requests())


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
