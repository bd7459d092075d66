"""Starts `cloudsim` for clients that nobody here wrote against it, and for `lockstep`.

The binaries are named by CLOUDSIM_BIN and LOCKSTEP_BIN. One server serves a whole run; each test gets buckets of its own.
"""

import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import types
import uuid

import pytest
import requests

# Whoever starts the tests in the background may leave the interrupt ignored, and programs inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["lockstep_binary", "locations", "foreign_servers", "configurations", "daemons"]

# Clients must find neither the machine's credentials nor its configuration.
for name in list(os.environ):
    if name.startswith(("AWS_", "AZURE_", "GOOGLE_", "RCLONE_")) or name == "STORAGE_EMULATOR_HOST":
        del os.environ[name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


@dataclasses.dataclass
class Sim:
    """A running simulator: what it announced, and its control endpoint."""

    s3: dict
    gcs: dict
    azure: dict
    control: str
    environment: dict
    pid: int

    def call(self, method, path, body=None):
        answer = requests.request(method, f"{self.control}/{path}", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def create_bucket(self, cloud, name, **options):
        self.call("POST", "bucket", {"cloud": cloud, "bucket": name, **options})

    def populate(self, cloud, bucket, prefix, count, size):
        self.call(
            "POST", "populate", {"cloud": cloud, "bucket": bucket, "prefix": prefix, "count": count, "size": size}
        )

    def archive(self, cloud, bucket, key, storage_class):
        self.call(
            "POST",
            "storage-class",
            {"cloud": cloud, "bucket": bucket, "key": key, "storageClass": storage_class, "archived": True},
        )

    def requests(self, cloud):
        """How many requests of each operation the cloud has received."""
        return self.call("GET", "requests").get(cloud, {})

    def add_fault(self, **rule):
        return self.call("POST", "faults", rule)["ids"][0]

    def fired(self, rule_id):
        return next(entry["fired"] for entry in self.call("GET", "faults") if entry["id"] == rule_id)


def start_sim(directory, *flags):
    """Starts a simulator and waits until its ports are open."""
    binary = os.environ.get("CLOUDSIM_BIN")
    if not binary:
        pytest.fail("CLOUDSIM_BIN must name the cloudsim executable")
    ready = directory / f"ready-{uuid.uuid4().hex}.json"
    process = subprocess.Popen([binary, "--ready-file", str(ready), *flags], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not ready.exists():
        assert process.poll() is None, f"cloudsim ended with {process.returncode}"
        assert time.monotonic() < deadline, "cloudsim did not open its ports in 30 seconds"
        time.sleep(0.02)
    known = {field.name for field in dataclasses.fields(Sim)}
    announced = {name: value for name, value in json.loads(ready.read_text()).items() if name in known}
    return process, Sim(**announced)


def stop_sim(process):
    process.terminate()
    try:
        status = process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert status == 0, f"cloudsim ended with {status}"


@pytest.fixture(scope="session")
def sim(tmp_path_factory):
    process, sim = start_sim(tmp_path_factory.mktemp("cloudsim"))
    yield sim
    stop_sim(process)


@pytest.fixture
def launch(tmp_path):
    """Starts further simulators with flags of one's own; they are stopped after the test."""
    running = []

    def run(*flags):
        process, sim = start_sim(tmp_path, *flags)
        running.append(process)
        return sim

    yield run
    for process in running:
        if process.poll() is None:
            stop_sim(process)


@pytest.fixture(autouse=True)
def no_faults_left(request):
    """Fault rules never outlive the test that added them."""
    yield
    if "sim" in request.fixturenames:
        request.getfixturevalue("sim").call("DELETE", "faults")


@pytest.fixture
def bucket_name():
    return f"bucket-{uuid.uuid4().hex[:12]}"


def tool(name):
    """An executable that a package of requirements.txt installed next to this Python."""
    beside = pathlib.Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        pytest.fail(f"{name} is not installed; pip install -r Tests/Clients/requirements.txt")
    return found


@pytest.fixture
def run_tool(tmp_path):
    """Runs a command line tool with an empty home directory; fails the test when its status is not the expected one."""

    def run(name, *arguments, environment=None, expect=0, input=None):
        variables = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "RCLONE_CONFIG": str(tmp_path / "rclone.conf")}
        variables.update(environment or {})
        result = subprocess.run(
            [tool(name), *map(str, arguments)], env=variables, capture_output=True, timeout=300, input=input
        )
        if expect is not None:
            assert result.returncode == expect, (result.stdout[-4000:], result.stderr[-4000:])
        return result

    return run


# Names that clouds must keep byte for byte; what a client library cannot send is left out in its own test.
ODD_KEYS = [
    "plain.txt",
    "with space.txt",
    "plus+and%25percent.txt",
    "question?mark&ampersand=equals#hash.txt",
    "ünïcödé/日本語/emoji-😀.bin",
    "cafe\u0301-decomposed",
    "caf\u00e9-composed",
    "double//slash",
    "trailing/slash/",
    "dots/./here/../there",
    "quotes'\"<>&`{}|\\^~[]",
    "semi;colon,comma:at@dollar$bang!star*(paren)",
    "a" * 1024,
]


@pytest.fixture(params=ODD_KEYS, ids=lambda key: ascii(key)[:30])
def odd_key(request):
    return request.param


@pytest.fixture
def gcs_endpoint(sim):
    return sim.gcs["endpoint"]


@pytest.fixture
def azure(sim):
    return types.SimpleNamespace(url=sim.azure["endpoint"], account=sim.azure["account"], key=sim.azure["key"])
