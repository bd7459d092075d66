"""The Airflow DAGs with stand-ins for Airflow, which is 440 MB: what its exit codes become, and what the pods are."""

import importlib.util
import logging.handlers
import os
import queue
import signal
import sys
import types
from concurrent.futures import ThreadPoolExecutor

import pytest

from checkout import CONFIG

FOLDER = CONFIG / "airflow"


class Recorded:
    """Anything that a DAG makes: keeps what it was given."""

    made = []

    def __init__(self, *positional, **options):
        self.positional, self.options = positional, options
        self.made.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def __rshift__(self, other):
        self.next = other


class Operator(Recorded):
    log = logging.getLogger("task")


class Failed(Exception):
    pass


class FailedForGood(Failed):
    pass


class Skipped(Failed):
    pass


@pytest.fixture
def load(monkeypatch):
    modules = {
        "airflow": {},
        "airflow.exceptions": {
            "AirflowException": Failed, "AirflowFailException": FailedForGood, "AirflowSkipException": Skipped
        },
        "airflow.sdk": {"DAG": Recorded, "Asset": Recorded, "BaseOperator": Operator},
        **{name: {} for name in ("airflow.providers", "airflow.providers.cncf", "airflow.providers.cncf.kubernetes")},
        "airflow.providers.cncf.kubernetes.operators": {},
        "airflow.providers.cncf.kubernetes.operators.pod": {"KubernetesPodOperator": Operator},
        "kubernetes": {},
    }
    for name, content in modules.items():
        module = types.ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    client = types.ModuleType("kubernetes.client")
    # Each model is kept as its name and what it was given.
    client.models = type("Models", (), {"__getattr__": lambda _, name: lambda **options: (name, options)})()
    monkeypatch.setitem(sys.modules, "kubernetes.client", client)

    def load(name):
        specification = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A `lockstep` that ends as it is told."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def write(body):
        (tmp_path / "lockstep").write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / "lockstep").chmod(0o755)

    return write


@pytest.mark.parametrize(
    "code, outcome",
    [(0, None), (7, Skipped), (8, Failed), (75, Failed), (143, Failed), *((code, FailedForGood) for code in (1, 2, 3, 4, 5, 6, 78))],
)
def test_exit_codes(load, stand_in, code, outcome):
    stand_in(f'[ "$*" = "run models --config /etc/lockstep/lockstep.yaml" ] || exit 2\nexit {code}')
    run = load("lockstep_dag").run
    if outcome is None:
        run.execute({})
    else:
        with pytest.raises(Failed) as raised:
            run.execute({})
        assert type(raised.value) is outcome


def test_a_task_that_is_ended_ends_the_run(load, stand_in):
    stand_in("echo at work\nexec sleep 600")
    run = load("lockstep_dag").run
    run.log, lines = logging.getLogger("ended task"), queue.Queue()
    run.log.addHandler(logging.handlers.QueueHandler(lines))
    run.log.setLevel(logging.INFO)
    with ThreadPoolExecutor() as pool:
        task = pool.submit(run.execute, {})
        assert lines.get().getMessage() == "lockstep run models --config /etc/lockstep/lockstep.yaml"
        assert lines.get().getMessage() == "at work"
        run.on_kill()
        with pytest.raises(Failed):
            task.result()
    assert run.process.returncode == -signal.SIGTERM


def test_runs_are_repeated_and_followed_by_a_check_that_gives_the_asset(load):
    module = load("lockstep_dag")
    assert module.dag.options["max_active_runs"] == 1 and module.dag.options["catchup"] is False
    assert module.run.next is module.check
    assert module.check.arguments == ["run", "models", "--check", "--config", "/etc/lockstep/lockstep.yaml"]
    assert module.run.options["retries"] > 0
    assert module.check.options["outlets"][0].positional == ("lockstep://models",)


def test_pods_are_restricted_and_a_check_is_not_repeated(load):
    module = load("lockstep_kubernetes_dag")
    assert module.check.options["retries"] == 0 and module.run.options["retries"] > 0
    for task in (module.run, module.check):
        options = task.options
        assert options["arguments"][-2:] == ["--config", "/etc/lockstep/lockstep.yaml"]
        assert options["skip_on_exit_code"] == [7]
        pod = options["security_context"][1]
        assert pod["run_as_non_root"] is True and pod["seccomp_profile"][1] == {"type": "RuntimeDefault"}
        own = options["container_security_context"][1]
        assert own["allow_privilege_escalation"] is False and own["read_only_root_filesystem"] is True
        assert own["capabilities"][1] == {"drop": ["ALL"]}
        mounted = {mount[1]["name"] for mount in options["volume_mounts"]}
        assert mounted == {volume[1]["name"] for volume in options["volumes"]}
